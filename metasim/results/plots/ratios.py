"""Hazard ratios of runs against the first, as a forest plot."""

from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from metasim.results.compare import Comparison
from metasim.results.compare_report import letter, ratio_text
from metasim.results.plots.groups import GROUP_COLOURS
from metasim.results.plots.style import (
    FAINT,
    INK,
    MUTED,
    beside,
    head,
    in_style,
    name_rows,
    new_axes,
    nothing,
)

_GROUP: Final = 0.76  # of a row's height that its runs take
_ROW_INCHES: Final = 0.24
_WIDEST: Final = 20.0  # ratio at which the axis ends at the latest


@in_style
def hazard_ratios(compared: Comparison, ax: Axes | None = None) -> Axes:
    """Hazard ratio of each run to the first, with 95 % intervals: recurrence, organs, death.

    Args:
        compared: from `metasim.results.compare.compare`.
        ax: axes to draw into, the numbers go beside them; by default those of a new figure.
    """
    ax = new_axes(ax, 11.0, ratios_height(compared))
    numbers = beside(ax)
    numbers.set_axis_off()
    table, runs = compared.ratios, compared.labels
    outcomes = list(dict.fromkeys(table["outcome"]))
    title = "Hazard ratios"
    known = table[np.isfinite(table["hazard_low"]) & np.isfinite(table["hazard_high"])]
    if not (known["hazard_ratio"].any() or (table["hazard_ratio"] == 1).any()):
        return nothing(ax, title, "no hazard ratio can be told: too few events in either run")
    lows, highs = (known[end].to_numpy() for end in ("hazard_low", "hazard_high"))
    left = max(0.9 * lows.min(initial=0.5 / 0.9), 1 / _WIDEST)
    right = min(1.1 * highs.max(initial=2.0 / 1.1), _WIDEST)
    ax.set_xscale("log")
    ax.set_xlim(left, right)
    ax.axvline(1, color=MUTED, linewidth=1)
    thick = _GROUP / (len(runs) - 1)
    for k, run in enumerate(runs[1:], 1):
        shade = GROUP_COLOURS[k % len(GROUP_COLOURS)]
        for row in table[table["run"] == run].to_dict("records"):
            place = outcomes.index(row["outcome"]) + thick * (k - len(runs) / 2)
            events = f"{row['events_first']:,} / {row['events_other']:,}"
            _write(numbers, place, events, ratio_text(row))
            _draw(ax, row, place, shade)
    name_rows(ax, range(len(outcomes)), [one[:1].upper() + one[1:] for one in outcomes])
    ax.set_ylim(len(outcomes) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(axis="x", color=FAINT, linewidth=0.5, alpha=0.6)
    ax.set_axisbelow(True)
    others = ", ".join(letter(compared, run) for run in runs[1:])
    ax.set_xlabel(f"hazard ratio {others} to A (95 % interval)")
    ax.set_ylabel("first event")
    _write(numbers, -0.75, f"events A / {others}", "hazard ratio")
    detail = ", ".join(f"{letter(compared, run)}: {run}" for run in runs)
    detail += ". Cox's model; the intervals take the patients as "
    detail += "paired" if compared.paired else "independent"
    cut = (known["hazard_low"] < left).any() or (known["hazard_high"] > right).any()
    head(ax, title, detail + (". Arrowheads: the interval goes on" if cut else ""))
    return ax


def ratios_height(compared: Comparison) -> float:
    """Height in inches of the forest plot."""
    rows = compared.ratios["outcome"].nunique()
    return 2.0 + rows * (0.08 + _ROW_INCHES * (len(compared.labels) - 1))


def _write(ax: Axes, place: float, events: str, ratio: str) -> None:
    for x, side, text in ((0.3, "right", events), (0.38, "left", ratio)):
        ax.annotate(text, (x, place), xycoords=ax.get_yaxis_transform(), va="center",
                        ha=side, color=INK, annotation_clip=False)  # fmt: skip


def _draw(ax: Axes, row: dict[Any, Any], place: float, shade: str) -> None:
    """A ratio with its interval, as far as there is one, cut off where the axis ends."""
    value, low, high = (row[f"hazard_{key}"] for key in ("ratio", "low", "high"))
    left, right = ax.get_xlim()
    if np.isnan(low):
        if left <= value <= right:  # no pair differs
            ax.plot(value, place, "o", color=shade, markersize=6, markerfacecolor="white")
        return
    ax.hlines(place, max(low, left), min(high, right), color=shade, linewidth=1.8)
    if left <= value <= right:
        ax.plot(value, place, "o", color=shade, markersize=6)
    for beyond, end, shape in ((low < left, left, "<"), (high > right, right, ">")):
        if beyond:
            ax.plot(end, place, shape, color=shade, markersize=6, clip_on=False)
