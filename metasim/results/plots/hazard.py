"""When relapses come: the hazard over time."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from metasim.results.outcomes import OUTCOMES, Outcome, time_to
from metasim.results.plots.groups import groups, shown, since
from metasim.results.plots.style import head, in_style, new_axes, nothing
from metasim.results.plots.text import plain
from metasim.results.store import Results
from metasim.results.survival import piecewise_hazard

_WIDTHS_YEARS = (0.5, 1.0, 2.0, 3.0, 5.0)
_EVENTS_PER_INTERVAL = 8
_TALLEST = 2.0  # times the highest rate


@in_style
def hazard(
    results: Results | Sequence[Results],
    ax: Axes | None = None,
    *,
    outcome: Outcome = "distant",
    organ: str | None = None,
    labels: Sequence[str] | None = None,
) -> Axes:
    """Hazard of relapse over time: events per 100 patients and year among those still free of it.

    Constant within intervals, with exact 95 % intervals; the shortest intervals that hold 8
    events on average are taken.

    Args:
        results: one or several finished runs, recorded at level patients or more.
        ax: axes to draw into; by default those of a new figure.
        outcome: see `metasim.results.outcomes.time_to`.
        organ: with outcome "recurrence": only those in this organ.
        labels: names of the runs; by default their titles.
    """
    several = groups(results, labels)
    times = [time_to(group.results, outcome, organ) for group in several]
    ax = new_axes(ax, 8.5, 4.8)
    where = f" in {several[0].results.label(organ).lower()}" if organ else ""
    what = f"recurrence{where}" if organ else OUTCOMES[outcome]
    title = f"Hazard of {what}"
    who = shown(several, list(map(len, times)))
    happened = [time["cause"] == 1 for time in times]
    fewest = min(map(sum, happened))
    if not any(map(any, happened)):
        return nothing(ax, title, f"{who}: no {what}")
    span = max(time["years"].max() for time in times)
    width = next((w for w in _WIDTHS_YEARS if fewest * w / span >= _EVENTS_PER_INTERVAL),
                 _WIDTHS_YEARS[-1])  # fmt: skip
    edges = np.append(np.arange(0, span - 0.5 * width, width), span)
    middle = (edges[:-1] + edges[1:]) / 2
    top = 0.0  # of the axis: rare events late on have long intervals, which may leave it
    for k, (group, time, event) in enumerate(zip(several, times, happened, strict=True)):
        rate, low, high = (100 * x for x in piecewise_hazard(time["years"], event, edges))
        ax.stairs(
            rate, edges, baseline=None, color=group.colour, linewidth=2, label=plain(group.label)
        )
        shift = 0.08 * width * (k - (len(several) - 1) / 2)
        ax.errorbar(middle + shift, rate, yerr=[rate - low, high - rate], fmt="o", markersize=4.5,
                    color=group.colour, elinewidth=1.3, capsize=2.5)  # fmt: skip
        top = max(top, float(min(np.nanmax(high), _TALLEST * np.nanmax(rate))))
    room = 0.1 * len(several) if len(several) > 1 else 0.05  # for the legend
    ax.set_ylim(0, (1 + room) * top)
    ax.set_xlim(0, span)
    ax.set_xlabel(since(several))
    ax.set_ylabel("events per 100 patients a year")
    if len(several) > 1:
        ax.legend(loc="upper right")
    unit = "year" if width == 1 else "half year" if width == 0.5 else f"{width:g} years"
    head(ax, title, f"{who}. Mean of each {unit} with 95 % interval, among "
         "patients alive and still free of it")  # fmt: skip
    return ax
