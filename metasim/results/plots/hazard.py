"""When relapses come: the hazard over time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from metasim.checked import checked
from metasim.results.outcomes import OUTCOMES, Outcome, time_to
from metasim.results.plots.groups import GROUP_COLOURS, groups, shown, since
from metasim.results.plots.registry import FigureKind, register, tidy
from metasim.results.plots.style import Style, head, new_axes, nothing
from metasim.results.plots.text import plain
from metasim.results.store import Results
from metasim.results.survival import piecewise_hazard

if TYPE_CHECKING:
    import pandas as pd

_WIDTHS_YEARS = (0.5, 1.0, 2.0, 3.0, 5.0)
_EVENTS_PER_INTERVAL = 8
_TALLEST = 2.0  # times the highest rate


def data(
    results: Results | Sequence[Results],
    *,
    outcome: Outcome = "distant",
    organ: str | None = None,
    labels: Sequence[str] | None = None,
) -> "pd.DataFrame":
    """The numbers of `hazard`, see `KIND.columns`; no row where nobody had the event."""
    import pandas as pd

    several = groups(results, labels)
    times = [time_to(group.results, outcome, organ) for group in several]
    where = f" in {several[0].results.label(organ).lower()}" if organ else ""
    words: dict[str, Any] = {
        "what": f"recurrence{where}" if organ else OUTCOMES[outcome],
        "who": shown(several, list(map(len, times))),
        "since": since(several),
    }
    happened = [time["cause"] == 1 for time in times]
    span = max((time["years"].max() for time in times if len(time)), default=0.0)
    run = several[0].results.description
    if not any(map(any, happened)) or not span > 0:
        return tidy(pd.DataFrame(columns=list(KIND.columns)), run, **words)
    fewest = min(map(sum, happened))
    width = next((w for w in _WIDTHS_YEARS if fewest * w / span >= _EVENTS_PER_INTERVAL),
                 _WIDTHS_YEARS[-1])  # fmt: skip
    edges = np.append(np.arange(0, span - 0.5 * width, width), span)
    tables = []
    for group, time, event in zip(several, times, happened, strict=True):
        rate, low, high = (100 * x for x in piecewise_hazard(time["years"], event, edges))
        numbers = {"from_years": edges[:-1], "to_years": edges[1:]}
        numbers |= {"rate": rate, "low": low, "high": high}
        tables.append(pd.DataFrame({"group": group.label, **numbers}))
    return tidy(pd.concat(tables), run, width=width, **words)


def draw(table: "pd.DataFrame", ax: Axes | None = None) -> Axes:
    """Steps with intervals, see `hazard`."""
    about = table.attrs
    ax = new_axes(ax, 8.5, 4.8)
    title = f"Hazard of {about['what']}"
    if table.empty:
        return nothing(ax, title, f"{about['who']}: no {about['what']}")
    width, curves = about["width"], list(table.groupby("group", sort=False))
    top = 0.0  # of the axis: rare events late on have long intervals, which may leave it
    for k, (label, curve) in enumerate(curves):
        shade = GROUP_COLOURS[k % len(GROUP_COLOURS)]
        rate, low, high = (curve[key].to_numpy() for key in ("rate", "low", "high"))
        edges = np.append(curve["from_years"], curve["to_years"].iloc[-1])
        middle = (edges[:-1] + edges[1:]) / 2
        ax.stairs(rate, edges, baseline=None, color=shade, linewidth=2, label=plain(str(label)))
        shift = 0.08 * width * (k - (len(curves) - 1) / 2)
        ax.errorbar(middle + shift, rate, yerr=[rate - low, high - rate], fmt="o", markersize=4.5,
                    color=shade, elinewidth=1.3, capsize=2.5)  # fmt: skip
        top = max(top, float(min(np.nanmax(high), _TALLEST * np.nanmax(rate))))
    room = 0.1 * len(curves) if len(curves) > 1 else 0.05  # for the legend
    ax.set_ylim(0, (1 + room) * top)
    ax.set_xlim(0, table["to_years"].max())
    ax.set_xlabel(about["since"])
    ax.set_ylabel("events per 100 patients a year")
    if len(curves) > 1:
        ax.legend(loc="upper right")
    unit = "year" if width == 1 else "half year" if width == 0.5 else f"{width:g} years"
    head(ax, title, f"{about['who']}. Mean of each {unit} with 95 % interval, among "
         "patients alive and still free of it")  # fmt: skip
    return ax


KIND = register(
    FigureKind(
        "hazard",
        "Hazard of relapse over time",
        "Events per 100 patients and year among those still free of it, interval by interval.",
        {
            "group": "name of the run",
            "from_years": "begin of the interval since the patient's origin (years)",
            "to_years": "end of the interval (years)",
            "rate": "events per 100 patients and year",
            "low": "lower end of its exact 95 % interval",
            "high": "upper end",
        },
        data,
        draw,
        needs="patients",
        several=True,
        worth=lambda results: bool(results.patients["first_distant_day"].notna().any()),
    )
)


@checked()
def hazard(
    results: Results | Sequence[Results],
    ax: Axes | None = None,
    *,
    outcome: Outcome = "distant",
    organ: str | None = None,
    labels: Sequence[str] | None = None,
    style: Style | None = None,
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
        style: of Matplotlib, over the settings of metasim.
    """
    return KIND(results, ax, style=style, outcome=outcome, organ=organ, labels=labels)
