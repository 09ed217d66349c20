"""From the records of a chunk of patients to the tables of a results folder."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from metasim.engines.record import DEATH_NONE, DEATH_OTHER, DEATH_TOTAL, PatientRecord
from metasim.results import tables
from metasim.terms import Event, Route, Stage, Tally

Array = NDArray[Any]


@dataclass(frozen=True)
class Names:
    """Names behind the indices of a record."""

    organs: tuple[str, ...]
    phenotypes: tuple[str, ...]
    distant: Array  # (O,) bool
    treatments: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()


def chunk_tables(
    records: Sequence[PatientRecord],
    patients: Array,
    drawn: Mapping[str, Array],
    names: Names,
    level: str,
) -> dict[str, pa.Table]:
    """Tables of some patients: those of the recording level, patients and metastases.

    Args:
        records: one per patient.
        patients: their numbers, ascending.
        drawn: key path -> (P,) drawn parameters, a column each of the patients table.
        names: names behind the indices.
        level: one of `metasim.terms.RECORD_LEVELS`.
    """
    build: dict[str, Callable[[], pa.Table]] = {
        "patients": lambda: _patients(records, patients, drawn, names),
        "events": lambda: _events(records, patients, names),
        "metastases": lambda: _metastases(records, patients, names),
        "counts": lambda: _counts(records, patients, names),
        "stages": lambda: _stages(records, patients, names),
    }
    wanted = {"patients", "metastases", *tables.TABLES_AT[level]}
    return {table: make() for table, make in build.items() if table in wanted}


def _joined(arrays: Iterable[Array], width: tuple[int, ...], dtype: type = np.int64) -> Array:
    """Arrays of (n, *width) one behind the other; also of no patient at all."""
    return np.concatenate([np.empty((0, *width), dtype), *arrays])


def _lengths(arrays: Iterable[Array]) -> Array:
    return np.array([len(array) for array in arrays], dtype=np.int64)


def _recorded_days(records: Sequence[PatientRecord]) -> Array:
    return _joined((r.recorded_days for r in records), (), float)


def _day(values: Array) -> pa.Array:
    values = np.asarray(values, dtype=np.float64)
    return pa.array(values, mask=np.isnan(values))


def _named(indices: ArrayLike, names: Sequence[str]) -> pa.Array:
    """Names by index; negative: null."""
    indices = np.asarray(indices, dtype=np.int32)
    return pa.DictionaryArray.from_arrays(
        pa.array(indices, mask=indices < 0), pa.array(list(names), pa.string())
    )


def _table(columns: dict[str, Any], schema: pa.Schema) -> pa.Table:
    """A table of a schema, further columns behind it."""
    extra = [name for name in columns if name not in schema.names]
    arrays = [pa.array(columns[name]) for name in (*schema.names, *extra)]
    fields = [*schema, *(pa.field(name, arrays[-len(extra) + i].type)
                         for i, name in enumerate(extra))]  # fmt: skip
    return pa.table(arrays, schema=pa.schema(fields))


def _first_distant(records: Sequence[PatientRecord], distant: Array) -> tuple[Array, Array]:
    """Day and organ of each patient's first distant metastasis that imaging saw; NaN, -1: none."""
    organ = _joined((r.origin[:, 1] for r in records), ())
    seen = _joined((r.days[:, 3] for r in records), (), float)  # never of the primary
    owner = np.repeat(np.arange(len(records)), _lengths(r.origin for r in records))
    rows = np.flatnonzero(distant[organ] & ~np.isnan(seen))
    rows = rows[np.lexsort((rows, seen[rows], owner[rows]))]
    patients, first = np.unique(owner[rows], return_index=True)
    day, where = np.full(len(records), np.nan), np.full(len(records), -1)
    day[patients], where[patients] = seen[rows[first]], organ[rows[first]]
    return day, where


def _patients(
    records: Sequence[PatientRecord], patients: Array, drawn: Mapping[str, Array], names: Names
) -> pa.Table:
    first_day, first_organ = _first_distant(records, names.distant)
    cause = np.array([r.death_cause for r in records], dtype=np.int64)
    total = len(names.organs)  # behind the organs
    behind = {DEATH_TOTAL: total, DEATH_OTHER: total + 1, DEATH_NONE: -1}
    cause = np.array([behind.get(c, c) for c in cause.tolist()], dtype=np.int64)
    staging = np.array([r.staging for r in records]).reshape(-1, 3)
    columns = {
        "patient": patients,
        "diagnosis_day": _day([r.diagnosis_day for r in records]),  # type: ignore[arg-type]
        "first_distant_day": _day(first_day),
        "first_distant_organ": _named(first_organ, names.organs),
        "death_day": _day([r.death_day for r in records]),  # type: ignore[arg-type]
        "death_cause": _named(cause, (*names.organs, "total_burden", "other_cause")),
        "end_day": _day([r.end_day for r in records]),  # type: ignore[arg-type]
        "primary_cells": np.array([r.cells[0].sum() for r in records], dtype=np.int64),
        **{name: _stage(staging[:, i], labels) for i, (name, labels) in enumerate(STAGING)},
        **drawn,
    }
    return _table(columns, tables.PATIENTS)


STAGING = (
    ("stage_t", ("", "T1", "T2", "T3")),
    ("stage_n", ("N0", "N1mi", "N1", "N2", "N3")),
    ("stage_m", ("M0", "M1")),
)
"""Columns of the patients table: stage at diagnosis, null if there was none."""


def _stage(values: Array, labels: Sequence[str]) -> pa.Array:
    return _named(np.where(np.isnan(values), -1.0, values), labels)


def _events(records: Sequence[PatientRecord], patients: Array, names: Names) -> pa.Table:
    rows = _joined((r.events for r in records), (4,), float)
    kind, which = rows[:, 1].astype(np.int64), rows[:, 3].astype(np.int64)
    symptom = kind == Event.SYMPTOM
    labels = [event.label for event in Event]
    columns = {
        "patient": np.repeat(patients, _lengths(r.events for r in records)),
        "day": _day(rows[:, 0]),
        "event": _named(np.where(symptom, len(labels) + which, kind), [*labels, *names.symptoms]),
        "organ": _named(rows[:, 2], names.organs),
        "treatment": _named(np.where(symptom, -1, which), names.treatments),
    }
    return _table(columns, tables.EVENTS)


def _metastases(records: Sequence[PatientRecord], patients: Array, names: Names) -> pa.Table:
    origin = _joined((r.origin[1:] for r in records), (4,))
    days = _joined((r.days[1:] for r in records), (5,), float)
    cells = _joined((r.cells[1:] for r in records), (len(names.phenotypes),))
    length = _lengths(r.origin[1:] for r in records)
    columns = {
        "patient": np.repeat(patients, length),
        "metastasis": _joined((np.arange(1, n + 1) for n in length), ()),
        "parent": origin[:, 0],
        "organ": _named(origin[:, 1], names.organs),
        "route": _named(origin[:, 2], [route.label for route in Route]),
        "founded_day": _day(days[:, 0]),
        "founders": origin[:, 3],
        "micro_day": _day(days[:, 1]),
        "macro_day": _day(days[:, 2]),
        "detected_day": _day(days[:, 3]),
        "extinct_day": _day(days[:, 4]),
        "cells": cells.sum(axis=1),
        **_by_phenotype(cells, names),
    }
    return _table(columns, tables.METASTASES)


def _by_phenotype(cells: Array, names: Names) -> dict[str, Array]:
    """Columns that count the cells (rows, K) of each phenotype, if there are several."""
    if len(names.phenotypes) == 1:
        return {}
    return {f"cells_{name}": cells[:, k] for k, name in enumerate(names.phenotypes)}


def _counts(records: Sequence[PatientRecord], patients: Array, names: Names) -> pa.Table:
    shape = (len(names.organs), 3 + len(names.phenotypes))
    counts = _joined((r.counts for r in records), shape)  # (patient-days, O, 3 + K)
    n_days, n_organs, _ = counts.shape
    cells = counts[..., 3:].reshape(-1, len(names.phenotypes))
    length = n_organs * _lengths(r.recorded_days for r in records)
    columns = {
        "patient": np.repeat(patients, length),
        "day": np.repeat(_recorded_days(records), n_organs),
        "organ": _named(np.tile(np.arange(n_organs), n_days), names.organs),
        "metastases_isolated": counts[..., 0].ravel(),
        "metastases_micro": counts[..., 1].ravel(),
        "metastases_macro": counts[..., 2].ravel(),
        "cells": cells.sum(axis=1),
        **_by_phenotype(cells, names),
    }
    return _table(columns, tables.COUNTS)


def _stages(records: Sequence[PatientRecord], patients: Array, names: Names) -> pa.Table:
    shape = (len(Stage), len(names.organs), len(Tally))
    tallies = _joined((r.tallies for r in records), shape)  # (patient-days, 7, O, 6)
    where, stage, organ = np.nonzero(tallies.any(axis=-1))
    patient = np.repeat(patients, _lengths(r.recorded_days for r in records))
    day = _recorded_days(records)
    rows = tallies[where, stage, organ]
    columns = {
        "patient": patient[where],
        "day": day[where],
        "organ": _named(organ, names.organs),
        "stage": _named(stage, [stage.label for stage in Stage]),
        **{tally.name.lower(): rows[:, tally] for tally in Tally},
    }
    return _table(columns, tables.STAGES)
