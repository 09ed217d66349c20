"""What happened to the patients: survival, relapse, sites, as tables.

Time counts from each patient's origin: diagnosis, or day 0 (`metasim.results.tally.origin_days`).
Patients without one (never diagnosed) are left out. "Seen" is seen by imaging.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from metasim.errors import OptionError
from metasim.results.statistics import Incidence, aalen_johansen, wilson_interval
from metasim.results.store import Results
from metasim.results.survival import Survival, kaplan_meier
from metasim.results.tally import ANY_DISTANT, origin_days
from metasim.terms import DAYS_PER_MONTH, DAYS_PER_YEAR

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Outcome = Literal["death", "cancer_death", "distant", "distant_or_death", "recurrence"]

OUTCOMES: Final = {
    "death": "death",
    "cancer_death": "death from the cancer",
    "distant": "distant metastasis",
    "distant_or_death": "distant metastasis or death",
    "recurrence": "recurrence anywhere",
}
"""What `time_to` can wait for, in words."""

RECURRENCES: Final = ("relapse", "recurrence")
"""Events that are a recurrence in their organ."""

SAME_TIME_DAYS: Final = 90.0
"""Sites seen within this time of the first count as sites at first relapse."""

_CENSORED, _HAPPENED, _DIED_BEFORE = 0, 1, 2
_OTHER_CAUSE: Final = "other_cause"  # value of death_cause


def time_to(
    results: Results, outcome: Outcome = "recurrence", organ: str | None = None
) -> "pd.DataFrame":
    """Each patient's time to an outcome, or to the end of follow-up.

    Patients with a distant metastasis already seen at their origin are left out of all outcomes
    but death (of any cause, or from the cancer): they have no relapse to wait for.

    Args:
        results: a finished run, recorded at level patients or more.
        outcome: a key of `OUTCOMES`. A recurrence is the first event of `RECURRENCES` after the
            origin.
        organ: only recurrences there; who had one there before the origin is left out too.

    Returns:
        A row per patient, indexed by patient: years (>= 0), cause (0 censored, 1 the outcome,
        2 death before it, or of another cause).

    Raises:
        OptionError: no such outcome or organ.
    """
    if outcome not in OUTCOMES:
        raise OptionError(f"outcome {outcome!r}; choose from {', '.join(OUTCOMES)}")
    if organ is not None and organ not in results.organs:
        raise OptionError(f"no organ {organ!r}; choose from {', '.join(results.organs)}")
    patients = followed_patients(results)
    origin, death, distant = (patients[name] for name in ("origin", "death_day", "distant_day"))
    free = ~(distant <= origin)
    if outcome == "recurrence":
        events = results.events
        events = events[events["event"].isin(RECURRENCES)]
        if organ is not None:
            events = events[events["organ"] == organ]
        since = events["day"] - events["patient"].map(origin)
        if organ is not None:
            free &= ~patients.index.isin(events.loc[since <= 0, "patient"])
        first = events[since > 0].groupby("patient")["day"].min().reindex(patients.index)
    elif outcome == "cancer_death":
        causes = results.patients.set_index("patient")["death_cause"].reindex(patients.index)
        first = death.where(causes != _OTHER_CAUSE)
    else:
        first = {
            "death": death,
            "distant": distant,
            "distant_or_death": distant.fillna(death),
        }[outcome]
    if outcome in ("death", "cancer_death"):
        free[:] = True
    end = first.fillna(death).fillna(patients["end_day"])
    cause = np.where(first.notna(), _HAPPENED, np.where(death.notna(), _DIED_BEFORE, _CENSORED))
    years = np.maximum(end - origin, 0) / DAYS_PER_YEAR
    return patients.assign(years=years, cause=cause).loc[free, ["years", "cause"]]


def followed_patients(results: Results) -> "pd.DataFrame":
    """Patients who have an origin, indexed by patient; days: origin, distant, death, end."""
    table = results.patients.assign(
        origin=origin_days(results.arrow("patients").to_table(), results.description)
    )
    table = table.rename(columns={"first_distant_day": "distant_day"}).set_index("patient")
    kept = ["origin", "distant_day", "death_day", "end_day"]
    return table.loc[table["origin"].notna(), kept]


def survival_curve(results: Results, outcome: Outcome, organ: str | None = None) -> Survival:
    """Kaplan-Meier estimate of the time to an outcome, in years; see `time_to`."""
    times = time_to(results, outcome, organ)
    return kaplan_meier(times["years"], times["cause"] == _HAPPENED)


def overall_survival(results: Results) -> "pd.DataFrame":
    """Kaplan-Meier estimate of overall survival.

    Returns:
        A row per time at which somebody died or left: years, survival, low, high (pointwise 95 %
        interval), at_risk (patients). `attrs`: patients, events, since, left_out.
    """
    return _survival_table(results, "death")


def distant_metastasis_free_survival(results: Results) -> "pd.DataFrame":
    """Kaplan-Meier estimate of survival without a distant metastasis seen.

    Returns:
        As `overall_survival`. Patients with one seen by their origin are left out.
    """
    return _survival_table(results, "distant_or_death")


def _survival_table(results: Results, outcome: Outcome) -> "pd.DataFrame":
    import pandas as pd

    curve, times = survival_curve(results, outcome), time_to(results, outcome)
    table = pd.DataFrame(
        {
            "years": curve.time,
            "survival": curve.share,
            "low": curve.low,
            "high": curve.high,
            "at_risk": curve.at_risk,
        }
    )
    table.attrs = {
        "patients": len(times),
        "events": int((times["cause"] == _HAPPENED).sum()),
        "since": results.description.follow_from,
        "left_out": len(results.patients) - len(times),
    }
    return table


def cumulative_incidence(results: Results, counted: str = "detected") -> "pd.DataFrame":
    """Share of patients with a metastasis in each organ by a time; death is a competing event.

    Args:
        results: a finished run, recorded at level metastases or more.
        counted: which metastases: detected, macro, micro or founded.

    Returns:
        Aalen-Johansen estimate, a row per organ and time: organ, years, share, low, high.
    """
    import pandas as pd

    curves, _ = incidence_by_organ(results, results.organs, counted)
    tables = [
        pd.DataFrame(
            {"organ": organ, "years": c.time, "share": c.share, "low": c.low, "high": c.high}
        )
        for organ, c in curves.items()
    ]
    return pd.concat(tables, ignore_index=True)


def incidence_by_organ(
    results: Results, organs: Sequence[str], counted: str
) -> tuple[dict[str, Incidence], Floats]:
    """Cumulative incidence of the first metastasis of a class, organ by organ.

    Returns:
        The curves, time in years since the patient's origin, and the years each patient was
        followed, shape (patients with an origin,).
    """
    patients = followed_patients(results)
    death, end = patients["death_day"], patients["end_day"]
    metastases = results.metastases
    curves = {}
    for organ in organs:
        mine = metastases[metastases["organ"] == organ]
        first = mine.groupby("patient")[f"{counted}_day"].min().reindex(patients.index)
        reached = first.notna().to_numpy()
        until = np.where(reached, first, np.fmin(death, end)) - patients["origin"].to_numpy()
        cause = np.where(reached, _HAPPENED, np.where(death.notna(), _DIED_BEFORE, _CENSORED))
        curves[organ] = aalen_johansen(np.maximum(until, 0) / DAYS_PER_YEAR, cause)
    followed = (np.fmin(death, end) - patients["origin"]).to_numpy(float) / DAYS_PER_YEAR
    return curves, np.maximum(followed, 0)


def survival_after_relapse(results: Results) -> "pd.DataFrame":
    """Survival from the day that the first distant metastasis is seen, by where that was.

    Returns:
        A row per distant organ, then one over all: organ, label, patients, deaths, median_months,
        low_months, high_months (95 % interval; inf where not reached, nan without patients).
    """
    import pandas as pd

    table = results.patients.dropna(subset="first_distant_day")
    until = np.fmin(table["death_day"], table["end_day"]) - table["first_distant_day"]
    months, died = until / DAYS_PER_MONTH, table["death_day"].notna()
    rows = []
    for organ in [*results.description.keys_at("distant"), ANY_DISTANT]:
        mine = (table["first_distant_organ"] == organ) | (organ == ANY_DISTANT)
        curve = kaplan_meier(months[mine], died[mine])
        middle, low, high = curve.median() if mine.any() else (np.nan,) * 3
        rows.append(
            {
                "organ": organ,
                "label": organ if organ == ANY_DISTANT else results.label(organ),
                "patients": int(mine.sum()),
                "deaths": int(died[mine].sum()),
                "median_months": middle,
                "low_months": low,
                "high_months": high,
            }
        )
    return pd.DataFrame(rows)


def sites(results: Results) -> "pd.DataFrame":
    """Where metastases are seen at the first distant relapse, and at death.

    Sites at first relapse are those seen up to `SAME_TIME_DAYS` after the first distant one; one
    patient can have several.

    Returns:
        A row per organ: organ, label, site, at_relapse, at_relapse_low, at_relapse_high (shares
        of the patients with a distant relapse, Wilson's interval), at_death, at_death_low,
        at_death_high (of those who died); nan where there are none. `attrs`: relapsed, died.
    """
    import pandas as pd

    patients = results.patients.set_index("patient")
    seen = results.events[results.events["event"].isin(RECURRENCES)]
    limit = patients["first_distant_day"] + SAME_TIME_DAYS
    groups = {"at_relapse": limit, "at_death": patients["death_day"]}
    sizes = {name: int(day.notna().sum()) for name, day in groups.items()}
    rows = []
    for organ in results.organs:
        there = seen[seen["organ"] == organ].groupby("patient")["day"].min()
        row: dict[str, str | float] = {
            "organ": organ,
            "label": results.label(organ),
            "site": results.description.by_key[organ].site,
        }
        for name, day in groups.items():
            number, size = int((there <= day.reindex(there.index)).sum()), sizes[name]
            share, low, high = np.nan, np.nan, np.nan
            if size:
                share, (low, high) = number / size, map(float, wilson_interval(number, size))
            row |= {name: share, f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    table = pd.DataFrame(rows)
    table.attrs = {"relapsed": sizes["at_relapse"], "died": sizes["at_death"]}
    return table
