"""Survival curves with intervals and numbers at risk."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes

from metasim.results.outcomes import Outcome, survival_curve
from metasim.results.plots.groups import (
    GROUP_COLOURS,
    groups,
    label_ends,
    numbers_at_risk,
    shown,
    since,
)
from metasim.results.plots.style import STYLE, head, new_axes, nothing
from metasim.results.store import Results
from metasim.results.survival import Survival

SURVIVAL_OF: Final[dict[Outcome, str]] = {
    "death": "Overall survival",
    "distant_or_death": "Distant metastasis-free survival",
    "distant": "Free of distant metastasis",
    "recurrence": "Free of recurrence",
}


@rc_context(STYLE)
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
            a single run also distant metastasis or death.
        labels: names of the runs; by default their titles.
    """
    several = groups(results, labels)
    outcomes: list[Outcome] = [outcome or "death"]
    if outcome is None and len(several) == 1:
        outcomes.append("distant_or_death")
    curves = [
        (SURVIVAL_OF[one] if len(several) == 1 else group.label, survival_curve(group.results, one))
        for group in several
        for one in outcomes
    ]
    title = SURVIVAL_OF[outcomes[0]] if len(outcomes) == 1 else "Survival"
    ax = new_axes(ax, 8.5, 4.8 + 0.21 * len(curves))
    patients = [int(curve.at_risk[0]) for _, curve in curves]
    number = max(patients) if len(several) == 1 else sum(patients)
    if not number:
        return nothing(ax, title, f"{shown(several, 0)}: no patient was followed")
    colours = [GROUP_COLOURS[k % len(GROUP_COLOURS)] for k in range(len(curves))]
    span = max(curve.time[-1] for _, curve in curves)
    for (_, curve), colour in zip(curves, colours, strict=True):
        share, low, high = (100 * values for values in (curve.share, curve.low, curve.high))
        ax.step(curve.time, share, where="post", color=colour)
        ax.fill_between(curve.time, low, high, step="post", color=colour, alpha=0.15, linewidth=0)
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
    rows = [(colour, _at_risk(curve)) for (_, curve), colour in zip(curves, colours, strict=True)]
    numbers_at_risk(ax, rows, "at risk")
    cut = "; the axis starts at 50 %" if lowest > 0.5 else ""
    head(ax, title, f"{shown(several, number)}. Kaplan-Meier estimate, bands: 95 %{cut}")
    return ax


def _at_risk(curve: Survival) -> Callable[[float], int]:
    numbers = np.append(curve.at_risk, 0)
    return lambda time: int(numbers[np.searchsorted(curve.time, time - 1e-9)])
