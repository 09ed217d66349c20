"""Runs side by side, organ by organ, with their difference."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.axes import Axes

from metasim.checked import checked
from metasim.results.compare import DEATH, Comparison
from metasim.results.compare_report import letter
from metasim.results.plots.groups import GROUP_COLOURS
from metasim.results.plots.ratios import hazard_ratios, ratios_height
from metasim.results.plots.registry import FigureKind, register
from metasim.results.plots.style import (
    FAINT,
    MUTED,
    STYLE,
    Style,
    beside,
    head,
    name_rows,
    new_axes,
    nothing,
    styled,
    two_rows,
)
from metasim.results.plots.text import plain
from metasim.results.summary import PLURALS

if TYPE_CHECKING:
    import pandas as pd

_GROUP: Final = 0.76  # of a row's height that its bars take
_ROW_INCHES: Final = 0.24
_KEYS_IN_A_COLUMN: Final = 8


def data(compared: Comparison) -> "pd.DataFrame":
    """The numbers of `comparison`, see `KIND.columns`."""
    rows = compared.differences
    table = rows.loc[rows["measure"] == "share", list(KIND.columns)].reset_index(drop=True)
    letters = {run: letter(compared, run) for run in compared.labels}
    words: dict[Any, Any] = {"letters": letters, "paired": compared.paired}
    words |= {"patients": list(compared.patients), "counted": compared.counted}
    table.attrs = words
    return table


def draw(table: "pd.DataFrame", ax: Axes | None = None) -> Axes:
    """Bars, and beside them the differences, see `comparison`."""
    about = table.attrs
    organs, letters = list(dict.fromkeys(table["organ"])), about["letters"]
    ax = new_axes(ax, 11.0, shares_height(len(organs), len(letters)))
    right = beside(ax)
    if not min(about["patients"]):
        right.set_axis_off()
        return nothing(ax, KIND.title, "no patient to compare: nobody was diagnosed")
    _draw_rows(ax, right, table, organs)
    first = table.drop_duplicates("organ").set_index("organ")
    name_rows(ax, range(len(organs)), [label[:1].upper() + label[1:]
                                       for label in first["label"].loc[organs]])  # fmt: skip
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
    others = ", ".join(list(letters.values())[1:])
    right.set_xlabel(f"difference {others} - A (percentage points)")
    right.legend(*ax.get_legend_handles_labels(), loc="lower left", bbox_to_anchor=(0, 1),
                 ncols=1 + len(letters) // _KEYS_IN_A_COLUMN)  # fmt: skip
    numbers = list(dict.fromkeys(about["patients"]))
    who, runs = f"{numbers[0]:,} virtual patients in each run", "runs"
    if len(numbers) > 1:
        who, runs = f"{min(numbers):,} to {max(numbers):,} virtual patients in each group", "groups"
    how = "difference paired" if about["paired"] else f"{runs} compared as independent"
    head(ax, KIND.title, f"{who}; {how}, 95 % intervals. Counted: {PLURALS[about['counted']]}")
    return ax


def _draw_rows(ax: Axes, right: Axes, table: "pd.DataFrame", organs: list[str]) -> None:
    """A bar for each run in each row, and beside them its difference."""
    letters: dict[str, str] = table.attrs["letters"]
    runs = list(letters)
    thick = _GROUP / len(runs)
    for k, run in enumerate(runs):
        mine = table[table["run"] == (run if k else runs[1])].set_index("organ").loc[organs]
        which = "other" if k else "first"
        share, low, high = (100 * mine[f"{which}{end}"].to_numpy() for end in ("", "_low", "_high"))
        place = np.arange(len(organs)) + thick * (k - (len(runs) - 1) / 2)
        shade = GROUP_COLOURS[k % len(GROUP_COLOURS)]
        label = plain(f"{letters[run]}  {run}")
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


def shares_height(organs: int, runs: int) -> float:
    """Height in inches, by the rows and the runs in each."""
    return 2.2 + organs * (0.14 + _ROW_INCHES * runs)


KIND = register(
    FigureKind(
        "comparison",
        "Patients with metastases, and deaths",
        "Patients with metastases and deaths in each run, organ by organ, with the differences.",
        {
            "organ": "key of the organ; any distant organ; death",
            "label": "its name",
            "run": "name of the run that is compared with the first",
            "first": "patients of the first run with at least one (share, 0 to 1)",
            "first_low": "lower end of its 95 % interval",
            "first_high": "upper end",
            "other": "patients of this run with at least one (share, 0 to 1)",
            "other_low": "lower end of its 95 % interval",
            "other_high": "upper end",
            "difference": "share of this run less that of the first",
            "low": "lower end of its 95 % interval",
            "high": "upper end",
        },
        data,
        draw,
        source="comparison",
    )
)


@checked()
def comparison(compared: Comparison, ax: Axes | None = None, *, style: Style | None = None) -> Axes:
    """Patients with metastases and deaths in each run, at the right the difference.

    A new figure also has `hazard_ratios` below.

    Args:
        compared: from `metasim.results.compare.compare`.
        ax: axes to draw the shares into, the differences go beside them; by default those of a
            new figure.
        style: of Matplotlib, over the settings of metasim.
    """
    if ax is not None:
        return KIND(compared, ax, style=style)
    table, runs = data(compared), len(compared.labels)
    heights = (
        shares_height(table["organ"].nunique(), runs),
        ratios_height(compared.ratios["outcome"].nunique(), runs - 1),
    )
    with styled(style):
        figure = two_rows((11.0, sum(heights)))
        above, below = figure.subplots(2, height_ratios=heights)
        hazard_ratios(compared, below, style=style)
        return draw(table, new_axes(above, 11.0, heights[0]))
