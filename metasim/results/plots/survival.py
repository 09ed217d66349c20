"""Survival curves with intervals and numbers at risk."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from matplotlib.axes import Axes

from metasim.checked import checked
from metasim.results.outcomes import Outcome, survival_curve
from metasim.results.plots.groups import (
    GROUP_COLOURS,
    at_risk_in,
    banded,
    groups,
    label_ends,
    numbers_at_risk,
    shown,
    since,
)
from metasim.results.plots.registry import FigureKind, register, tidy
from metasim.results.plots.style import Style, head, new_axes, nothing, two_rows
from metasim.results.store import Results

if TYPE_CHECKING:
    import pandas as pd

SURVIVAL_OF: Final[dict[Outcome, str]] = {
    "death": "Overall survival",
    "cancer_death": "Free of death from the cancer",
    "distant_or_death": "Distant metastasis-free survival",
    "distant": "Free of distant metastasis",
    "recurrence": "Free of recurrence",
}
_USUAL: Final[tuple[Outcome, ...]] = ("death", "distant_or_death")


_DASHES: Final[tuple[Any, ...]] = ("-", (0, (4, 2)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))


def data(
    results: Results | Sequence[Results],
    *,
    outcome: Outcome | None = None,
    labels: Sequence[str] | None = None,
) -> "pd.DataFrame":
    """The numbers of `survival`, see `KIND.columns`."""
    import pandas as pd

    several = groups(results, labels)
    outcomes = _USUAL if outcome is None else (outcome,)
    tables, who = [], {}
    for one in outcomes:
        curves = [survival_curve(group.results, one) for group in several]
        who[one] = shown(several, [int(curve.at_risk[0]) for curve in curves])
        for group, curve in zip(several, curves, strict=True):
            numbers = {"years": curve.time, "survival": curve.share, "low": curve.low,
                       "high": curve.high, "at_risk": curve.at_risk}  # fmt: skip
            tables.append(pd.DataFrame({"outcome": one, "group": group.label, **numbers}))
    run = several[0].results.description
    return tidy(pd.concat(tables), run, who=who, since=since(several), groups=len(several))


def draw(table: "pd.DataFrame", ax: Axes | None = None) -> Axes:
    """Curves with bands, see `survival`; of several groups, each outcome has its panel."""
    several, outcomes = table.attrs["groups"], list(dict.fromkeys(table["outcome"]))
    width, height = 9.0, 4.8 + 0.21 * several * (len(outcomes) if several == 1 else 1)
    if several == 1 or len(outcomes) == 1 or ax is not None:
        chosen = outcomes if several == 1 else outcomes[:1]
        return _panel(new_axes(ax, width, height), table, chosen)
    panels = two_rows((width, len(outcomes) * 1.05 * height)).subplots(len(outcomes))
    for panel, one in zip(panels, outcomes, strict=True):
        _panel(new_axes(panel, width, height), table, [one])
    return cast(Axes, panels[0])


def _panel(ax: Axes, table: "pd.DataFrame", outcomes: Sequence[Outcome]) -> Axes:
    """Curves of several groups, or of several outcomes of one."""
    about = table.attrs
    alone = about["groups"] == 1
    title = SURVIVAL_OF[outcomes[0]] if len(outcomes) == 1 else "Survival"
    who = about["who"][outcomes[0]]
    curves = [
        (SURVIVAL_OF[one] if alone else str(group), curve)
        for one in outcomes
        for group, curve in table[table["outcome"] == one].groupby("group", sort=False)
    ]
    if not max(curve["at_risk"].iloc[0] for _, curve in curves):
        return nothing(ax, title, f"{who}: no patient was followed")
    colours = [GROUP_COLOURS[k % len(GROUP_COLOURS)] for k in range(len(curves))]
    for k, ((_, curve), colour) in enumerate(zip(curves, colours, strict=True)):
        percent = [100 * curve[key] for key in ("survival", "low", "high")]
        dashes = _DASHES[k % len(_DASHES)]
        banded(ax, curve["years"], percent, color=colour, linestyle=dashes)
    lowest = min(curve["low"].iloc[-1] for _, curve in curves)
    ax.set_ylim(50 if lowest > 0.5 else 0, 101)
    ax.set_xlim(0, max(curve["years"].iloc[-1] for _, curve in curves))
    ax.set_xlabel(about["since"])
    ax.set_ylabel("patients (%)")
    last = [100 * curve["survival"].iloc[-1] for _, curve in curves]
    label_ends(
        ax,
        [
            (f"{label}  {end:.1f} %", colour, end)
            for (label, _), colour, end in zip(curves, colours, last, strict=True)
        ],
    )
    rows = [
        (label if len(curves) > 1 else "", colour, at_risk_in(curve))
        for (label, curve), colour in zip(curves, colours, strict=True)
    ]
    numbers_at_risk(ax, rows, "at risk")
    cut = "; the axis starts at 50 %" if lowest > 0.5 else ""
    head(ax, title, f"{who}. Kaplan-Meier estimate with 95 % bands{cut}")
    return ax


KIND = register(
    FigureKind(
        "survival",
        "Survival",
        "Kaplan-Meier curves with 95 % bands and numbers at risk: overall, distant "
        "metastasis-free, or free of recurrence.",
        {
            "outcome": "the event to be free of: death, cancer_death, distant, ...",
            "group": "name of the run",
            "years": "time since the patient's origin (years)",
            "survival": "patients free of the event until then (share, 0 to 1)",
            "low": "lower end of its pointwise 95 % interval",
            "high": "upper end",
            "at_risk": "patients followed and free of it just before",
        },
        data,
        draw,
        needs="patients",
        several=True,
        worth=lambda results: bool(
            results.patients[["death_day", "first_distant_day"]].notna().any(axis=None)
        ),
    )
)


@checked()
def survival(
    results: Results | Sequence[Results],
    ax: Axes | None = None,
    *,
    outcome: Outcome | None = None,
    labels: Sequence[str] | None = None,
    style: Style | None = None,
) -> Axes:
    """Kaplan-Meier curves with pointwise 95 % bands, numbers at risk under the axis.

    Args:
        results: one or several finished runs, recorded at level patients or more.
        ax: axes to draw into; by default those of a new figure.
        outcome: event to be free of, see `metasim.results.outcomes.time_to`; by default death, of
            a single run also distant metastasis or death. A new figure of several runs has that
            in a panel of its own, below.
        labels: names of the runs; by default their titles.
        style: of Matplotlib, over the settings of metasim.
    """
    return KIND(results, ax, style=style, outcome=outcome, labels=labels)
