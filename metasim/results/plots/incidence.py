"""Share of patients with metastases over time, organ by organ."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from metasim.checked import checked
from metasim.results.description import Description
from metasim.results.outcomes import incidence_by_organ
from metasim.results.plots.groups import label_ends, numbers_at_risk
from metasim.results.plots.registry import FigureKind, register, run_of, tidy
from metasim.results.plots.style import (
    MUTED,
    Style,
    cohort,
    colour,
    dashes,
    head,
    name,
    new_axes,
    nothing,
)
from metasim.results.store import Results
from metasim.results.summary import PLURALS, Counted

if TYPE_CHECKING:
    import pandas as pd

_BARS_UP_TO = 8
_MOST_TICKS = 9


def data(
    results: Results, *, organs: Sequence[str] | None = None, counted: Counted = "auto"
) -> "pd.DataFrame":
    """The numbers of `incidence`, see `KIND.columns`; rows also at the ticks of the time axis."""
    import pandas as pd

    about = results.summary.attrs
    chosen = about["counted"] if counted == "auto" else counted
    shown = list(organs) if organs is not None else results.organs
    curves, followed = incidence_by_organ(results, shown, chosen)
    span = float(np.max(followed, initial=0))
    locator = MaxNLocator(_MOST_TICKS, steps=[1, 2, 2.5, 5, 10])
    ticks = np.asarray(locator.tick_values(0, span or 1))
    ticks = ticks[(ticks >= 0) & (ticks <= span)]
    waiting = np.sort(followed)
    tables = []
    for organ, curve in curves.items():
        time = np.union1d(curve.time, [*ticks, span])
        at = np.searchsorted(curve.time, time, side="right") - 1
        numbers = {key: getattr(curve, key)[at] for key in ("share", "low", "high")}
        left = len(waiting) - np.searchsorted(waiting, time)
        tables.append(pd.DataFrame({"organ": organ, "years": time, **numbers, "followed": left}))
    return tidy(
        pd.concat(tables, ignore_index=True),
        results.description,
        patients=len(followed),
        counted=chosen,
        since=about["since"],
        ticks=ticks.tolist(),
        deaths=bool(results.patients["death_day"].notna().any()),
    )


def draw(table: "pd.DataFrame", ax: Axes | None = None) -> Axes:
    """Step curves with bars at a few times, see `incidence`."""
    run, about = run_of(table), table.attrs
    curves = {str(organ): curve for organ, curve in table.groupby("organ", sort=False)}
    ax = new_axes(ax, 8.5, max(5.2, 0.24 * len(curves) + 2.0))
    who, what = cohort(run, about["patients"]), PLURALS[about["counted"]]
    if not table["share"].any():
        return nothing(ax, KIND.title, f"{who}: no {what}")
    span = float(table["years"].max())
    for organ, curve in curves.items():
        kind = {"color": colour(run, organ), "linestyle": dashes(run, organ)}
        ax.step(curve["years"], 100 * curve["share"], where="post", **kind)
    bars = len(curves) <= _BARS_UP_TO
    if bars:
        _error_bars(ax, run, curves, span)
    last = table.groupby("organ", sort=False)[["share", "high"]].last()
    ax.set_ylim(0, min(100, 105 * last["high"].max()))
    ax.set_xlim(0, span)
    ax.set_xticks(about["ticks"])
    origin = "diagnosis" if about["since"] == "diagnosis" else "the start"
    ax.set_xlabel(f"years since {origin}")
    ax.set_ylabel("patients with at least one (%)")
    ends = [
        (f"{name(run, organ)}  {share:.1f} %", colour(run, organ), share)
        for organ, share in zip(curves, 100 * last["share"], strict=True)
    ]
    label_ends(ax, ends)
    followed = table.drop_duplicates("years").set_index("years")["followed"].sort_index()
    numbers_at_risk(
        ax,
        [("", MUTED, lambda t: int(followed.iloc[followed.index.searchsorted(t - 1e-9)]))],
        "alive and followed",
    )
    detail = f"{who}. Counted: {what}"
    detail += "; death is a competing event" if about["deaths"] else ""
    head(ax, KIND.title, detail + ("; bars: 95 %" if bars else ""))
    return ax


def _error_bars(ax: Axes, run: Description, curves: "dict[str, pd.DataFrame]", span: float) -> None:
    """Intervals at a few times, organs side by side, each where its line is at that time."""
    seen = [organ for organ, curve in curves.items() if curve["share"].iloc[-1]]
    step = max(round(span / 3.75), 1) if span > 3 else span / 4
    for k, organ in enumerate(seen):
        beside = 0.6 * step * ((k + 0.5) / len(seen) - 0.5)
        time = np.arange(step, 0.95 * span, step) + beside
        curve, ink = curves[organ], colour(run, organ)
        at = np.searchsorted(curve["years"], time, side="right") - 1
        columns = [100 * curve[key].to_numpy()[at] for key in ("share", "low", "high")]
        share, low, high = (values[columns[0] > 0] for values in columns)
        ax.errorbar(time[columns[0] > 0], share, yerr=[share - low, high - share], fmt="o",
                    color=ink, markersize=4.5, elinewidth=1.3, capsize=2.5, zorder=3)  # fmt: skip


KIND = register(
    FigureKind(
        "incidence",
        "Patients with metastases over time",
        "Cumulative incidence of the first metastasis in each organ; death competes.",
        {
            "organ": "key of the organ",
            "years": "time since the patient's origin (years)",
            "share": "patients with a metastasis there by then (share, 0 to 1; Aalen-Johansen)",
            "low": "lower end of its pointwise 95 % interval",
            "high": "upper end",
            "followed": "patients alive and followed at that time",
        },
        data,
        draw,
        needs="metastases",
    )
)


@checked()
def incidence(
    results: Results,
    ax: Axes | None = None,
    *,
    organs: Sequence[str] | None = None,
    counted: Counted = "auto",
    style: Style | None = None,
) -> Axes:
    """Cumulative incidence of the first metastasis in each organ, death as competing event.

    Aalen-Johansen estimate with pointwise 95 % intervals at a few times (left out where more than
    8 organs are shown), patients still followed under the axis.

    Args:
        results: a finished run, recorded at level metastases or more.
        ax: axes to draw into; by default those of a new figure.
        organs: which organs; by default all.
        counted: which metastases, see `summarise`.
        style: of Matplotlib, over the settings of metasim.
    """
    return KIND(results, ax, style=style, organs=organs, counted=counted)
