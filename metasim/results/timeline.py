"""Events of each patient on the patient's own clock: points, and treatments from start to end."""

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from metasim.results.outcomes import RECURRENCES, followed_patients
from metasim.results.store import Results
from metasim.terms import DAYS_PER_YEAR, Event

if TYPE_CHECKING:
    import pandas as pd

_PLAIN: Final = ("patient", "day", "event", "organ", "value")
_SPAN: Final = re.compile(r"(.+)_(start|end)$")

GIVEN_ONCE: Final = "treatment"
"""Event of a treatment that neither lasts nor is repeated, other than surgery."""


def timeline(results: Results) -> "pd.DataFrame":
    """Clinical events in years since each patient's origin.

    Returns:
        A row per event: patient, years, event, organ, name (what the event is about, such as
        the treatment, where the events table says so in a column of its own; else the event).
        The start of a treatment that has no end is the event `GIVEN_ONCE`.
    """
    events = results.events
    about = [column for column in events if column not in _PLAIN]
    origin = events["patient"].map(followed_patients(results)["origin"])
    names = events["event"].astype(str)
    for column in about:
        names = events[column].astype(object).fillna(names).astype(str)
    table = events.assign(years=(events["day"] - origin) / DAYS_PER_YEAR, name=names)
    once = (table["event"] == Event.TREATMENT_START.label) & names.isin(_given_once(results))
    table["event"] = table["event"].astype(str).mask(once, GIVEN_ONCE)
    kept = ["patient", "years", "event", "organ", "name"]
    return table.loc[origin.notna(), kept].reset_index(drop=True)


def _given_once(results: Results) -> set[str]:
    return {treatment.name for treatment in results.description.treatments if treatment.once}


def treatment_spans(events: "pd.DataFrame") -> "pd.DataFrame":
    """Treatments that last: each event KIND_start up to the next KIND_end of the same name.

    Args:
        events: from `timeline`.

    Returns:
        A row per start: patient, name, years, until (years; nan where it did not end).
    """
    kind = events["event"].str.extract(_SPAN)
    marks = events.assign(kind=kind[0], end=kind[1] == "end")
    keys = ["patient", "name", "kind"]
    ends = marks.loc[marks["end"], [*keys, "years"]].rename(columns={"years": "until"})
    starts = marks.loc[~marks["end"] & marks["kind"].notna(), [*keys, "years"]]
    spans = starts.merge(ends, how="left", on=keys)
    spans["until"] = spans["until"].where(spans["until"] >= spans["years"])
    first = spans.groupby([*keys, "years"], sort=False)["until"].min().reset_index()
    return first.drop(columns="kind")


def typical_patients(results: Results, number: int) -> list[int]:
    """A readable choice of patients: those with a recurrence first, evenly by length of life.

    Returns:
        Patient numbers in ascending order of how long they were followed.
    """
    patients = followed_patients(results)
    length = np.fmin(patients["death_day"], patients["end_day"]) - patients["origin"]
    order = length.sort_values(kind="stable").index
    events = results.events
    relapsed = events.loc[events["event"].isin(RECURRENCES), "patient"].unique()
    with_one, without = order[order.isin(relapsed)], order[~order.isin(relapsed)]
    chosen = _evenly(with_one, number)
    chosen += _evenly(without, number - len(chosen))
    return [int(patient) for patient in order[order.isin(chosen)]]


def _evenly(values: "pd.Index", number: int) -> list[int]:
    """At most `number` of the values, evenly spread, the last one among them."""
    number = min(number, len(values))
    places = np.ceil(np.arange(1, number + 1) * len(values) / max(number, 1)).astype(int) - 1
    return list(values[places])
