"""Sufficient statistics of the summary: small, mergeable, the same at every recording level.

A tally has one row per organ, class, number of metastases and day of the first of them, and says
how many patients share these. Tallies of chunks add up to the tally of the cohort, so that a
million patients are summarised without a table of their metastases.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metasim.results.description import Description
from metasim.results.tables import SUMMARY

CLASSES: Final = ("founded", "micro", "macro", "detected")
"""What can be counted: metastases that were ever founded, or ever reached the class."""

ANY_DISTANT: Final = "any distant organ"
"""Name of the row over all distant organs (not a valid organ key, so it cannot clash)."""

_ROWS_AT_ONCE: Final = 1 << 20  # rows that wait to be added up: bounds the memory of `merge`
_KEYS: Final = ["organ", "counted", "metastases", "first_day"]


def origin_days(patients: pa.Table, run: Description) -> np.ndarray:
    """Day from which each patient is followed: diagnosis, or day 0.

    Returns:
        Days, one per row of `patients`; nan for patients who are never diagnosed in a scenario
        that follows patients from diagnosis.
    """
    if run.follow_from == "diagnosis":
        return days(patients, "diagnosis_day")
    return np.zeros(patients.num_rows)


def days(table: pa.Table, column: str) -> np.ndarray:
    """A column of days as floats, nan where null."""
    return np.asarray(pc.cast(table[column], pa.float64()).to_numpy(zero_copy_only=False))


def organ_codes(table: pa.Table, organs: list[str]) -> np.ndarray:
    """Position in `organs` of each row's organ, shape (rows,)."""
    names = pc.cast(table["organ"], pa.string())
    return np.asarray(pc.index_in(names, value_set=pa.array(organs)), dtype=np.int64)


def tally(
    metastases: pa.Table, patients: pa.Table, run: Description | Mapping[str, Any]
) -> pa.Table:
    """Count metastases of one chunk of patients.

    Args:
        metastases: all metastases of these patients.
        patients: the patients, those without metastases included.
        run: its description, or the explicit scenario.

    Returns:
        Rows of `SUMMARY`; days count from each patient's origin. Patients without an origin
        (never diagnosed) are left out.
    """
    about = run if isinstance(run, Description) else Description.of(run)
    organs = [organ.key for organ in about.organs]
    distant = np.array([organ.site == "distant" for organ in about.organs])
    origin = origin_days(patients, about)
    kept = ~np.isnan(origin)
    origin, known = origin[kept], patients["patient"].to_numpy()[kept]
    order = np.argsort(known, kind="stable")
    origin, known, size = origin[order], known[order], len(known)

    owner = metastases["patient"].to_numpy()
    row = np.searchsorted(known, owner)
    mine = np.isin(owner, known)
    organ = organ_codes(metastases, organs)
    groups = [*organs, ANY_DISTANT]
    numbers, firsts = [], []
    for counted in CLASSES:
        day = days(metastases, f"{counted}_day")
        reached = mine & ~np.isnan(day)
        when = day[reached] - origin[row[reached]]
        flat = organ[reached] * size + row[reached]
        number = np.bincount(flat, minlength=len(organs) * size).reshape(len(organs), size)
        first = np.full((len(organs), size), np.inf)
        np.minimum.at(first.reshape(-1), flat, when)
        numbers += [number, number[distant].sum(axis=0, keepdims=True)]
        firsts += [first, first[distant].min(axis=0, keepdims=True, initial=np.inf)]
    counts, earliest = np.concatenate(numbers).ravel(), np.concatenate(firsts).ravel()
    columns = [
        pa.array(groups).take(np.tile(np.repeat(np.arange(len(groups)), size), len(CLASSES))),
        pa.array(CLASSES).take(np.repeat(np.arange(len(CLASSES)), len(groups) * size)),
        pa.array(counts),
        pa.array(earliest, mask=np.isinf(earliest)),
        pa.array(np.ones(len(counts), dtype=np.int64)),
    ]
    return merge([pa.table(columns, schema=SUMMARY)])


def merge(tallies: Iterable[pa.Table]) -> pa.Table:
    """Add up tallies; rows in a fixed order, so that chunking leaves no trace."""
    waiting = [SUMMARY.empty_table()]
    for one in tallies:
        waiting.append(one)
        if sum(table.num_rows for table in waiting[1:]) > _ROWS_AT_ONCE:
            waiting = [_summed(waiting)]
    return _summed(waiting)


def _summed(tallies: list[pa.Table]) -> pa.Table:
    whole = pa.concat_tables(tallies)
    summed = whole.group_by(_KEYS, use_threads=False).aggregate([("patients", "sum")])
    summed = summed.rename_columns({"patients_sum": "patients"}).select(SUMMARY.names)
    return summed.sort_by([(key, "ascending") for key in _KEYS])
