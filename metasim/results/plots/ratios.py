"""Hazard ratios of runs against the first, as a forest plot."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from metasim.checked import checked
from metasim.results.compare import Comparison
from metasim.results.compare_report import letter, ratio_text
from metasim.results.plots.groups import GROUP_COLOURS
from metasim.results.plots.registry import FigureKind, register
from metasim.results.plots.style import (
    FAINT,
    INK,
    MUTED,
    Style,
    beside,
    head,
    name_rows,
    new_axes,
    nothing,
)

if TYPE_CHECKING:
    import pandas as pd

_GROUP: Final = 0.76  # of a row's height that its runs take
_ROW_INCHES: Final = 0.24
_WIDEST: Final = 20.0  # ratio at which the axis ends at the latest


def data(compared: Comparison) -> "pd.DataFrame":
    """The numbers of `hazard_ratios`, see `KIND.columns`."""
    table = compared.ratios[list(KIND.columns)].reset_index(drop=True)
    letters = {run: letter(compared, run) for run in compared.labels}
    words: dict[Any, Any] = {"letters": letters, "paired": compared.paired}
    table.attrs = words
    return table


def draw(table: "pd.DataFrame", ax: Axes | None = None) -> Axes:
    """A forest plot, see `hazard_ratios`."""
    letters: dict[str, str] = table.attrs["letters"]
    others = list(letters)[1:]
    ax = new_axes(ax, 11.0, ratios_height(table["outcome"].nunique(), len(others)))
    numbers = beside(ax)
    numbers.set_axis_off()
    outcomes = list(dict.fromkeys(table["outcome"]))
    known = table[np.isfinite(table["hazard_low"]) & np.isfinite(table["hazard_high"])]
    if not (known["hazard_ratio"].any() or (table["hazard_ratio"] == 1).any()):
        return nothing(ax, KIND.title, "no hazard ratio can be told: too few events in either run")
    lows, highs = (known[end].to_numpy() for end in ("hazard_low", "hazard_high"))
    left = max(0.9 * lows.min(initial=0.5 / 0.9), 1 / _WIDEST)
    right = min(1.1 * highs.max(initial=2.0 / 1.1), _WIDEST)
    ax.set_xscale("log")
    ax.set_xlim(left, right)
    ax.axvline(1, color=MUTED, linewidth=1)
    thick = _GROUP / len(others)
    for k, run in enumerate(others, 1):
        shade = GROUP_COLOURS[k % len(GROUP_COLOURS)]
        for row in table[table["run"] == run].to_dict("records"):
            place = outcomes.index(row["outcome"]) + thick * (k - (len(others) + 1) / 2)
            events = f"{row['events_first']:,} / {row['events_other']:,}"
            _write(numbers, place, events, ratio_text(row))
            _draw(ax, row, place, shade)
    name_rows(ax, range(len(outcomes)), [one[:1].upper() + one[1:] for one in outcomes])
    _scale(ax, len(outcomes))
    named = ", ".join(letters[run] for run in others)
    ax.set_xlabel(f"hazard ratio {named} to A (95 % interval)")
    ax.set_ylabel("first event")
    _write(numbers, -0.75, f"events A / {named}", "hazard ratio")
    detail = ", ".join(f"{letter}: {run}" for run, letter in letters.items())
    detail += ". Cox's model; the intervals take the patients as "
    detail += "paired" if table.attrs["paired"] else "independent"
    cut = (lows < left).any() or (highs > right).any()
    head(ax, KIND.title, detail + (". Arrowheads: the interval goes on" if cut else ""))
    return ax


def _scale(ax: Axes, rows: int) -> None:
    """A logarithmic axis of ratios with plain numbers, and rows without ticks."""
    ax.set_ylim(rows - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(axis="x", color=FAINT, linewidth=0.5, alpha=0.6)
    ax.set_axisbelow(True)


def ratios_height(outcomes: int, others: int) -> float:
    """Height in inches of the forest plot, by its rows and the runs in each."""
    return 2.0 + outcomes * (0.08 + _ROW_INCHES * others)


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


KIND = register(
    FigureKind(
        "hazard_ratios",
        "Hazard ratios",
        "Hazard ratio of each run to the first with its 95 % interval, outcome by outcome.",
        {
            "outcome": "first event: recurrence, distant metastasis, in an organ, death",
            "run": "name of the run",
            "events_first": "patients of the first run with the event",
            "events_other": "patients of this run with the event",
            "hazard_ratio": "Cox's hazard ratio of this run to the first; nan: cannot be told",
            "hazard_low": "lower end of its 95 % interval; nan: no interval",
            "hazard_high": "upper end",
        },
        data,
        draw,
        source="comparison",
    )
)


@checked()
def hazard_ratios(
    compared: Comparison, ax: Axes | None = None, *, style: Style | None = None
) -> Axes:
    """Hazard ratio of each run to the first, with 95 % intervals: recurrence, organs, death.

    Args:
        compared: from `metasim.results.compare.compare`.
        ax: axes to draw into, the numbers go beside them; by default those of a new figure.
        style: of Matplotlib, over the settings of metasim.
    """
    return KIND(compared, ax, style=style)
