"""What tests find at diagnosis, against the distant metastases that are seen later."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from metasim.checked import checked
from metasim.errors import OptionError
from metasim.results.statistics import Incidence, aalen_johansen
from metasim.results.store import Results
from metasim.terms import DAYS_PER_YEAR, TESTS

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Test = Literal["ctc", "dtc", "ctdna"]

NONE: Final = "none"
"""Label of the level at which a test found nothing."""

_CUTS: Final[dict[Test, tuple[float, ...]]] = {"ctc": (1.0, 5.0), "dtc": (1.0,)}
_FEWEST_IN_THIRDS: Final = 30
"""Patients with tumour DNA below which they are not split into thirds."""
_CENSORED, _HAPPENED, _DIED_BEFORE = 0, 1, 2


@dataclass(frozen=True)
class Level:
    """Patients in whom a test found about as much at diagnosis.

    Attributes:
        test: the test.
        label: how much it found, such as "1 to 4" (cells, or copies of DNA).
        patients: how many have it.
        years: from diagnosis to the end of each one's follow-up, shape (patients,), ascending.
        ended: whether nobody was left at the last of these, so that the curve stays as it is.
        curve: cumulative incidence of a distant metastasis, in years since diagnosis.
    """

    test: Test
    label: str
    patients: int
    years: Floats
    ended: bool
    curve: Incidence

    def at_risk(self, years: float) -> int:
        """Patients followed and free of distant metastasis just before a time."""
        return self.patients - int(np.searchsorted(self.years, years - 1e-9))


def levels_of(results: Results, tests: Sequence[Test] | None = None) -> list[Level]:
    """Levels that tests found at diagnosis, and what came later; test by test, low to high.

    Circulating cells are split at 1 and 5 in a sample, cells of the marrow at 1. Patients with
    tumour DNA are split into thirds by the copies found, at whole numbers. Left out are patients
    without the test and those with a distant metastasis seen by the day of diagnosis. Levels that
    nobody has are not there.

    Args:
        results: a finished run, recorded at level patients or more.
        tests: which; by default all that were made.

    Raises:
        OptionError: there is no such test.
    """
    known = [test.label for test in TESTS]
    if unknown := [test for test in tests or () if test not in known]:
        raise OptionError(f"test {unknown[0]!r}; choose from {', '.join(known)}")
    followed, found = _followed(results), _found(results)
    out = []
    for event in TESTS:
        test: Test = event.label  # type: ignore[assignment]
        mine = found.loc[found["event"] == test].set_index("patient")["value"]
        both = followed.join(mine, how="inner")
        if (tests is None or test in tests) and len(both):
            out += _levels(test, both)
    return out


@checked()
def distant_by_level(results: Results, *, years: float = 5.0) -> "pd.DataFrame":
    """Patients with a distant metastasis some years after diagnosis, by what tests found then.

    Args:
        results: a finished run, recorded at level patients or more.
        years: since diagnosis.

    Returns:
        A row per test and level, see `levels_of`: test, level, patients, followed (still at that
        time, free of distant metastasis), share (0 to 1; Aalen-Johansen, death competes), low,
        high (95 % interval). Share and interval are nan where no one was followed for so long.
    """
    import pandas as pd

    rows = []
    for level in levels_of(results):
        at = int(np.searchsorted(level.curve.time, years + 1e-9)) - 1
        known = level.ended or years <= level.years[-1] + 1e-9
        numbers = {
            key: float(getattr(level.curve, key)[at]) if known else np.nan
            for key in ("share", "low", "high")
        }
        who = {"test": level.test, "level": level.label, "patients": level.patients}
        rows.append({**who, "followed": level.at_risk(years), **numbers})
    columns = ["test", "level", "patients", "followed", "share", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _followed(results: Results) -> "pd.DataFrame":
    """Years from diagnosis, and how they end, of patients without distant metastasis then."""
    table = results.patients.set_index("patient")
    table = table[table["diagnosis_day"].notna()]
    table = table[~(table["first_distant_day"] <= table["diagnosis_day"])]
    distant, death = table["first_distant_day"], table["death_day"]
    end = distant.fillna(death).fillna(table["end_day"])
    years = np.maximum(end - table["diagnosis_day"], 0.0) / DAYS_PER_YEAR
    died = np.where(death.notna(), _DIED_BEFORE, _CENSORED)
    return table.assign(years=years, cause=np.where(distant.notna(), _HAPPENED, died))[
        ["years", "cause"]
    ]


def _found(results: Results) -> "pd.DataFrame":
    """What tests of the day of diagnosis found: patient, event, value."""
    events = results.events
    if "value" not in events:  # of an earlier version
        return events.iloc[:0].assign(value=np.nan)[["patient", "event", "value"]]
    events = events[events["event"].isin([test.label for test in TESTS])]
    diagnosed = events["patient"].map(results.patients.set_index("patient")["diagnosis_day"])
    return events.loc[events["day"] == diagnosed, ["patient", "event", "value"]]


def _levels(test: Test, table: "pd.DataFrame") -> list[Level]:
    found = table["value"].to_numpy(dtype=float)
    cuts = [0.0, *_CUTS.get(test, thirds(found)), np.inf]
    out = []
    for low, high in pairwise(cuts):
        mine = table[(found >= low) & (found < high)]
        if len(mine):
            curve = aalen_johansen(mine["years"], mine["cause"])
            years = np.sort(mine["years"].to_numpy(dtype=float))
            ended = bool((mine.loc[mine["years"] == years[-1], "cause"] != _CENSORED).all())
            out.append(Level(test, label(low, high), len(mine), years, ended, curve))
    return out


def thirds(found: Floats) -> tuple[float, ...]:
    """Where numbers above 0 begin and are split into thirds, as far as ties allow.

    Fewer than 30 of them stay together.
    """
    above = np.sort(found[found >= 1.0])
    if len(above) < _FEWEST_IN_THIRDS:
        return (1.0,)
    cuts = {float(above[len(above) * part // 3]) for part in (1, 2)}
    return (1.0, *sorted(cut for cut in cuts if cut > above[0]))


def label(low: float, high: float) -> str:
    """A range of whole numbers from `low` to below `high` in words."""
    if high <= 1.0:
        return NONE
    if np.isinf(high):
        return f"{low:,.0f} or more"
    last = high - 1.0
    return f"{low:,.0f}" if last <= low else f"{low:,.0f} to {last:,.0f}"
