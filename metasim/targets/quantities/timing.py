"""When things happen: hazards, incidences, Kaplan-Meier quantiles, survival after metastasis."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from metasim.results.outcomes import Outcome
from metasim.results.statistics import aalen_johansen
from metasim.results.survival import Survival, hazard_ratio, kaplan_meier, piecewise_hazard
from metasim.targets.quantities.estimate import Estimate
from metasim.targets.quantities.registry import Parameters, quantity
from metasim.targets.sample import STEP, Sample
from metasim.terms import DAYS_PER_MONTH, DAYS_PER_YEAR

if TYPE_CHECKING:
    import pandas as pd

Years = Annotated[float, Field(ge=0)]
Percent = Annotated[float, Field(gt=0, lt=100)]


class Waited(Parameters):
    """What is waited for."""

    outcome: Outcome = "distant"
    """death, cancer_death (from the cancer; of other causes censored), distant (metastasis seen),
    distant_or_death, recurrence (anywhere, or in `organ`)."""
    organ: str | None = None
    """Of a recurrence: only there."""


class Compared(Waited):
    """What is waited for, and in which years."""

    from_year: Years = 0.0
    """Only events after it, and only patients still followed and free of the event by then."""
    to_year: Years | None = None
    """Only events up to it; unset: to the end of follow-up."""


class Window(Waited):
    """In which years."""

    from_year: Years
    """Start of the window, in years since diagnosis."""
    to_year: Years
    """Its end."""


class By(Waited):
    """By which year."""

    years: Years
    """Years since diagnosis."""
    death: Literal["censored", "competing"] = "censored"
    """How the source treats patients who die before."""


class Reached(Waited):
    """By how many."""

    percent: Percent = 50.0
    """Percent of patients who have had it by then."""


class Dead(Parameters):
    """How many have died."""

    percent: Percent = 50.0
    """Percent dead by then; 50 is the median."""


@quantity("hazard_percent_per_year", "% per year", Window)
def hazard_percent_per_year(sample: Sample, of: Window) -> Estimate:
    """Events per 100 person-years in a window; deaths without it are censored."""
    times = sample.time_to(of.outcome, of.organ)
    edges = [of.from_year, of.to_year]
    rate, low, high = piecewise_hazard(times["years"], times["cause"] == 1, edges)
    at_risk = int((times["years"] > of.from_year).sum())
    value, least, most = (100 * float(x[0]) for x in (rate, low, high))
    return Estimate(value, least, most, at_risk)


@quantity("incidence_percent", "%", By, along="years")
def incidence_percent(sample: Sample, of: By) -> Estimate:
    """Share of patients with the event by a year; death before it censored or competing."""
    times = sample.time_to(of.outcome, of.organ)
    if times.empty:
        return Estimate.unknown()
    if of.death == "competing":
        curve = sample.once(
            ("competing", of.outcome, of.organ),
            lambda: aalen_johansen(times["years"], times["cause"]),
        )
        at = _at(curve.time, of.years)
        ends = curve.share[at], curve.low[at], curve.high[at]
    else:
        km = _censored(sample, of)
        at = _at(km.time, of.years)
        ends = 1 - km.share[at], 1 - km.high[at], 1 - km.low[at]
    value, low, high = (100 * float(x) for x in ends)
    return Estimate(value, low, high, len(times))


@quantity("event_free_percent", "%", By, along="years")
def event_free_percent(sample: Sample, of: By) -> Estimate:
    """Share of patients without the event by a year (of death: overall survival)."""
    had = incidence_percent(sample, of)
    return Estimate(100 - had.value, 100 - had.high, 100 - had.low, had.patients)


@quantity("time_quantile_years", "years", Reached)
def time_quantile_years(sample: Sample, of: Reached) -> Estimate:
    """Kaplan-Meier time by which a percentage of patients have had the event."""
    times = sample.time_to(of.outcome, of.organ)
    if times.empty:
        return Estimate.unknown()
    return _reached(_censored(sample, of), of.percent, len(times))


@quantity("survival_after_metastasis_years", "years", Dead)
def survival_after_metastasis_years(sample: Sample, of: Dead) -> Estimate:
    """Years from the first distant metastasis by which a percentage of patients have died."""
    return _after_metastasis(sample, of, DAYS_PER_YEAR)


@quantity("survival_after_metastasis_months", "months", Dead)
def survival_after_metastasis_months(sample: Sample, of: Dead) -> Estimate:
    """Months from the first distant metastasis by which a percentage of patients have died."""
    return _after_metastasis(sample, of, DAYS_PER_MONTH)


@quantity("hazard_ratio", "ratio", Compared, is_ratio=True)
def hazard_ratio_between(sample: Sample, other: Sample, of: Compared) -> Estimate:
    """Cox's hazard ratio of a group to another, or of a plan to another on the same patients."""
    ours, theirs = _times_within(sample, of), _times_within(other, of)
    same = sample.runs is not other.runs and sample.runs != other.runs
    if same:
        ours, theirs = (times[_in_both(times.index, sample, other)] for times in (ours, theirs))
    years = np.concatenate([theirs["years"], ours["years"]])
    event = np.concatenate([theirs["cause"], ours["cause"]]) == 1
    group = np.repeat([0, 1], [len(theirs), len(ours)])
    pair = np.concatenate([theirs.index, ours.index]) if same else None
    if not len(ours) or not len(theirs):
        return Estimate.unknown()
    ratio, _ = hazard_ratio(years, event, group, pair)
    return Estimate(ratio.value, ratio.low, ratio.high, len(group))


def _times_within(sample: Sample, of: Compared) -> "pd.DataFrame":
    """Times to an outcome from a year on; who is followed for longer is censored at the last."""
    times = sample.time_to(of.outcome, of.organ)
    times = times[(times["years"] > of.from_year) | (of.from_year == 0.0)]
    if of.to_year is None:
        return times
    within = times["years"] <= of.to_year
    return times.assign(
        years=times["years"].clip(upper=of.to_year), cause=times["cause"].where(within, 0)
    )


def _in_both(index: "pd.Index[Any]", sample: Sample, other: Sample) -> NDArray[np.bool_]:
    """Which numbers of patients were simulated in both arms, if one of them is larger."""
    pairs = zip(sample.runs, other.runs, strict=True)
    least = np.array([min(len(one.patients), len(two.patients)) for one, two in pairs])
    place, number = np.divmod(index.to_numpy(), STEP)
    return np.asarray(number < least[place])


def _censored(sample: Sample, of: Waited) -> Survival:
    """Kaplan-Meier curve of an outcome."""
    times = sample.time_to(of.outcome, of.organ)
    return sample.once(
        ("censored", of.outcome, of.organ),
        lambda: kaplan_meier(times["years"], times["cause"] == 1),
    )


def _after_metastasis(sample: Sample, of: Dead, unit_days: float) -> Estimate:
    table = sample.patients.dropna(subset="first_distant_day")
    if table.empty:
        return Estimate.unknown()
    until = np.fmin(table["death_day"], table["end_day"]) - table["first_distant_day"]
    km = kaplan_meier(until / unit_days, table["death_day"].notna())
    return _reached(km, of.percent, len(table))


def _at(time: np.ndarray, year: float) -> int:
    """Place of the last step up to a year, rounding of days apart."""
    return int(np.searchsorted(time, year * (1 + 1e-12), side="right")) - 1


def _reached(km: Survival, percent: float, patients: int) -> Estimate:
    """Time by which a percentage have had the event, from the curve and its interval."""
    left = 1 - percent / 100 + 1e-9  # the curve is a product, equal only but for rounding
    low, middle, high = (
        float(km.time[np.argmax(share <= left)]) if (share <= left).any() else np.inf
        for share in (km.low, km.share, km.high)
    )
    return Estimate(middle, low, high, patients)
