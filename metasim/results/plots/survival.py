"""Survival curves with intervals and numbers at risk."""

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import numpy as np
from matplotlib.axes import Axes

from metasim.results.outcomes import Outcome, survival_curve
from metasim.results.plots.groups import (
    GROUP_COLOURS,
    Group,
    groups,
    label_ends,
    numbers_at_risk,
    shown,
    since,
)
from metasim.results.plots.style import head, in_style, new_axes, nothing, two_rows
from metasim.results.store import Results
from metasim.results.survival import Survival

SURVIVAL_OF: Final[dict[Outcome, str]] = {
    "death": "Overall survival",
    "distant_or_death": "Distant metastasis-free survival",
    "distant": "Free of distant metastasis",
    "recurrence": "Free of recurrence",
}
_USUAL: Final[tuple[Outcome, ...]] = ("death", "distant_or_death")


_DASHES: Final[tuple[Any, ...]] = ("-", (0, (4, 2)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))


@in_style
def survival(
    results: Results | Sequence[Results],
    ax: Axes | None = None,
    *,
    outcome: Outcome | None = None,
    labels: Sequence[str] | None = None,
) -> Axes:
    """Kaplan-Meier curves with pointwise 95 % bands, numbers at risk under the axis.

    Args:
        results: one or several finished runs, recorded at level patients or more.
        ax: axes to draw into; by default those of a new figure.
        outcome: event to be free of, see `metasim.results.outcomes.time_to`; by default death, of
            a single run also distant metastasis or death. A new figure of several runs has that
            in a panel of its own, below.
        labels: names of the runs; by default their titles.
    """
    several = groups(results, labels)
    if outcome is not None:
        return _draw(new_axes(ax, *_size(several)), several, [outcome])
    if len(several) == 1:
        return _draw(new_axes(ax, *_size(several, 2)), several, list(_USUAL))
    if ax is not None:
        return _draw(new_axes(ax, *_size(several)), several, ["death"])
    width, height = _size(several)
    panels = two_rows((width, 2.1 * height)).subplots(2)
    for panel, one in zip(panels, _USUAL, strict=True):
        _draw(new_axes(panel, width, height), several, [one])
    return cast(Axes, panels[0])


def _size(several: Sequence[Group], outcomes: int = 1) -> tuple[float, float]:
    return 9.0, 4.8 + 0.21 * len(several) * outcomes


def _draw(ax: Axes, several: Sequence[Group], outcomes: Sequence[Outcome]) -> Axes:
    """Curves of several groups, or of several outcomes of one."""
    curves = [
        (SURVIVAL_OF[one] if len(several) == 1 else group.label, survival_curve(group.results, one))
        for group in several
        for one in outcomes
    ]
    title = SURVIVAL_OF[outcomes[0]] if len(outcomes) == 1 else "Survival"
    numbers = [int(curve.at_risk[0]) for _, curve in curves]
    who = shown(several, numbers)
    if not max(numbers):
        return nothing(ax, title, f"{who}: no patient was followed")
    colours = [GROUP_COLOURS[k % len(GROUP_COLOURS)] for k in range(len(curves))]
    span = max(curve.time[-1] for _, curve in curves)
    for k, ((_, curve), colour) in enumerate(zip(curves, colours, strict=True)):
        share, low, high = (100 * values for values in (curve.share, curve.low, curve.high))
        ax.fill_between(curve.time, low, high, step="post", color=colour, alpha=0.12, linewidth=0)
        ax.step(curve.time, share, where="post", color=colour, zorder=3,
                linestyle=_DASHES[k % len(_DASHES)])  # fmt: skip
    lowest = min(curve.low[-1] for _, curve in curves)
    ax.set_ylim(50 if lowest > 0.5 else 0, 101)
    ax.set_xlim(0, span)
    ax.set_xlabel(since(several))
    ax.set_ylabel("patients (%)")
    label_ends(
        ax,
        [
            (f"{label}  {100 * curve.share[-1]:.1f} %", colour, 100 * curve.share[-1])
            for (label, curve), colour in zip(curves, colours, strict=True)
        ],
    )
    rows = [
        (label if len(curves) > 1 else "", colour, _at_risk(curve))
        for (label, curve), colour in zip(curves, colours, strict=True)
    ]
    numbers_at_risk(ax, rows, "at risk")
    cut = "; the axis starts at 50 %" if lowest > 0.5 else ""
    head(ax, title, f"{who}. Kaplan-Meier estimate with 95 % bands{cut}")
    return ax


def _at_risk(curve: Survival) -> Callable[[float], int]:
    numbers = np.append(curve.at_risk, 0)
    return lambda time: int(numbers[np.searchsorted(curve.time, time - 1e-9)])
