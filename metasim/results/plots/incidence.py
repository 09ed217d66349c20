"""Share of patients with metastases over time, organ by organ."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from metasim.results.outcomes import incidence_by_organ
from metasim.results.plots.groups import label_ends, numbers_at_risk
from metasim.results.plots.style import (
    MUTED,
    cohort,
    colour,
    dashes,
    head,
    in_style,
    name,
    new_axes,
    nothing,
)
from metasim.results.statistics import Incidence
from metasim.results.store import Results
from metasim.results.summary import PLURALS, Counted

_BARS_UP_TO = 8


@in_style
def incidence(
    results: Results,
    ax: Axes | None = None,
    *,
    organs: Sequence[str] | None = None,
    counted: Counted = "auto",
) -> Axes:
    """Cumulative incidence of the first metastasis in each organ, death as competing event.

    Aalen-Johansen estimate with pointwise 95 % intervals at a few times (left out where more than
    8 organs are shown), patients still followed under the axis.

    Args:
        results: a finished run, recorded at level metastases or more.
        ax: axes to draw into; by default those of a new figure.
        organs: which organs; by default all.
        counted: which metastases, see `summarise`.
    """
    chosen = results.summary.attrs["counted"] if counted == "auto" else counted
    shown = list(organs) if organs is not None else results.organs
    curves, followed = incidence_by_organ(results, shown, chosen)
    since = results.summary.attrs["since"]
    ax = new_axes(ax, 8.5, max(5.2, 0.24 * len(shown) + 2.0))
    title = "Patients with metastases over time"
    if not any(curve.share[-1] for curve in curves.values()):
        return nothing(ax, title, f"{cohort(results, len(followed))}: no {PLURALS[chosen]}")
    span = float(np.max(followed))
    for organ, curve in curves.items():
        kind = {"color": colour(results, organ), "linestyle": dashes(results, organ)}
        time = np.append(curve.time, span)
        ax.step(time, 100 * np.append(curve.share, curve.share[-1]), where="post", **kind)
    bars = len(shown) <= _BARS_UP_TO
    if bars:
        _error_bars(ax, results, curves, span)
    top = 100 * max(curve.high[-1] for curve in curves.values())
    ax.set_ylim(0, min(100, 1.05 * top))
    ax.set_xlim(0, span)
    origin = "diagnosis" if since == "diagnosis" else "the start"
    ax.set_xlabel(f"years since {origin}")
    ax.set_ylabel("patients with at least one (%)")
    label_ends(
        ax,
        [
            (f"{name(results, organ)}  {share:.1f} %", colour(results, organ), share)
            for organ, share in ((o, 100 * curve.share[-1]) for o, curve in curves.items())
        ],
    )
    numbers_at_risk(ax, [("", MUTED, lambda t: int((followed >= t).sum()))], "alive and followed")
    detail = f"{cohort(results, len(followed))}. Counted: {PLURALS[chosen]}"
    detail += "; death is a competing event" if results.patients["death_day"].notna().any() else ""
    head(ax, title, detail + ("; bars: 95 %" if bars else ""))
    return ax


def _error_bars(ax: Axes, results: Results, curves: Mapping[str, Incidence], span: float) -> None:
    """Intervals at a few times, organs side by side, each where its line is at that time."""
    seen = [organ for organ, curve in curves.items() if curve.share[-1]]
    step = max(round(span / 3.75), 1) if span > 3 else span / 4
    for k, organ in enumerate(seen):
        beside = 0.6 * step * ((k + 0.5) / len(seen) - 0.5)
        time = np.arange(step, 0.95 * span, step) + beside
        curve, ink = curves[organ], colour(results, organ)
        at = np.searchsorted(curve.time, time, side="right") - 1
        time, at = time[curve.share[at] > 0], at[curve.share[at] > 0]
        share, low, high = (100 * values[at] for values in (curve.share, curve.low, curve.high))
        ax.errorbar(time, share, yerr=[share - low, high - share], fmt="o", color=ink,
                    markersize=4.5, elinewidth=1.3, capsize=2.5, zorder=3)  # fmt: skip
