"""Runs side by side, organ by organ, with their difference."""

from typing import Final

import numpy as np
from matplotlib.axes import Axes

from metasim.results.compare import DEATH, Comparison
from metasim.results.compare_report import letter
from metasim.results.plots.groups import GROUP_COLOURS
from metasim.results.plots.ratios import hazard_ratios, ratios_height
from metasim.results.plots.style import (
    FAINT,
    MUTED,
    STYLE,
    beside,
    head,
    in_style,
    name_rows,
    new_axes,
    nothing,
    two_rows,
)
from metasim.results.plots.text import plain
from metasim.results.summary import PLURALS

_GROUP: Final = 0.76  # of a row's height that its bars take
_ROW_INCHES: Final = 0.24


@in_style
def comparison(compared: Comparison, ax: Axes | None = None) -> Axes:
    """Patients with metastases and deaths in each run, at the right the difference.

    A new figure also has `hazard_ratios` below.

    Args:
        compared: from `metasim.results.compare.compare`.
        ax: axes to draw the shares into, the differences go beside them; by default those of a
            new figure.
    """
    table = compared.differences
    table = table[table["measure"] == "share"]
    organs = list(dict.fromkeys(table["organ"]))
    runs = compared.labels
    if ax is None:
        heights = 2.2 + len(organs) * (0.14 + _ROW_INCHES * len(runs)), ratios_height(compared)
        figure = two_rows((11.0, sum(heights)))
        above, below = figure.subplots(2, height_ratios=heights)
        ax = new_axes(above, 11.0, heights[0])
        hazard_ratios(compared, below)
    right = beside(ax)
    title = "Patients with metastases, and deaths"
    if not min(compared.patients):
        right.set_axis_off()
        return nothing(ax, title, "no patient to compare: nobody was diagnosed")
    row = np.arange(len(organs))
    thick = _GROUP / len(runs)
    for k, run in enumerate(runs):
        mine = table[table["run"] == (run if k else runs[1])].set_index("organ").loc[organs]
        which = "other" if k else "first"
        share, low, high = (100 * mine[f"{which}{end}"].to_numpy() for end in ("", "_low", "_high"))
        place = row + thick * (k - (len(runs) - 1) / 2)
        shade = GROUP_COLOURS[k % len(GROUP_COLOURS)]
        label = plain(f"{letter(compared, run)}  {run}")
        ax.barh(place, share, height=0.92 * thick, color=shade, alpha=0.8, label=label)
        ax.errorbar(share, place, xerr=np.maximum([share - low, high - share], 0), fmt="none",
                    ecolor="#222222", elinewidth=1.2, capsize=2)  # fmt: skip
        if k:
            middle, low, high = (
                100 * mine[key].to_numpy() for key in ("difference", "low", "high")
            )
            right.errorbar(middle, place, xerr=[np.maximum(middle - low, 0),
                           np.maximum(high - middle, 0)], fmt="o", color=shade, markersize=5,
                           elinewidth=1.6, capsize=3)  # fmt: skip
    labels = table.drop_duplicates("organ").set_index("organ")["label"].loc[organs]
    name_rows(ax, row, [label[0].upper() + label[1:] for label in labels])
    for axes in (ax, right):
        axes.axhline(organs.index(DEATH) - 0.5, color=FAINT, linewidth=0.8)
    ax.set_ylim(len(organs) - 0.5, -0.5)
    ax.set_xlim(left=0)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("patients with at least one; died (%)")
    ax.set_ylabel("organ, death")
    right.axvline(0, color=MUTED, linewidth=1)
    right.tick_params(axis="y", length=0, labelleft=False)
    right.tick_params(labelsize=STYLE["font.size"])
    right.spines["left"].set_visible(False)
    right.grid(axis="x", color=FAINT, linewidth=0.5, alpha=0.6)
    right.set_axisbelow(True)
    others = ", ".join(letter(compared, run) for run in runs[1:])
    right.set_xlabel(f"difference {others} - A (percentage points)")
    right.legend(*ax.get_legend_handles_labels(), loc="lower left", bbox_to_anchor=(0, 1))
    who = f"{compared.patients[0]:,} virtual patients in each run"
    how = "difference paired" if compared.paired else "runs compared as independent"
    head(ax, title, f"{who}; {how}, 95 % intervals. Counted: {PLURALS[compared.counted]}")
    return ax
