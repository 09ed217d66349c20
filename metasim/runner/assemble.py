"""From the records of a chunk of patients to the tables of a results folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from metasim.engines.record import DEATH_NONE, DEATH_OTHER, DEATH_TOTAL, ChunkRecord
from metasim.results import tables
from metasim.terms import STAGES_M, STAGES_N, STAGES_T, TESTS, Detection, Event, Route, Stage, Tally

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
    record: ChunkRecord,
    patients: Array,
    told: Mapping[str, Any],
    names: Names,
    level: str,
) -> dict[str, pa.Table]:
    """Tables of some patients: those of the recording level, patients and metastases.

    Args:
        record: of P patients.
        patients: (P,) their numbers, ascending.
        told: name -> (P,) values, further columns of the patients table.
        names: names behind the indices.
        level: one of `metasim.terms.RECORD_LEVELS`.
    """
    build: dict[str, Callable[[], pa.Table]] = {
        "patients": lambda: _patients(record, patients, told, names),
        "events": lambda: _events(record, patients, names),
        "metastases": lambda: _metastases(record, patients, names),
        "counts": lambda: _counts(record, patients, names),
        "stages": lambda: _stages(record, patients, names),
    }
    wanted = {"patients", "metastases", *tables.TABLES_AT[level]}
    return {table: make() for table, make in build.items() if table in wanted}


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


def _first_distant(record: ChunkRecord, distant: Array) -> tuple[Array, Array]:
    """Day and organ of each patient's first distant metastasis that imaging saw; NaN, -1: none."""
    organ, seen = record.colonies["organ"], record.colonies["detected_day"]  # never of the primary
    n_patients = len(record.patients)
    rows = np.flatnonzero(distant[organ] & ~np.isnan(seen))
    owner = np.repeat(np.arange(n_patients), record.patients["n_colonies"])[rows]
    order = np.lexsort((rows, seen[rows], owner))
    patients, first = np.unique(owner[order], return_index=True)
    rows = rows[order][first]
    day, where = np.full(n_patients, np.nan), np.full(n_patients, -1)
    day[patients], where[patients] = seen[rows], organ[rows]
    return day, where


def _patients(
    record: ChunkRecord, patients: Array, told: Mapping[str, Any], names: Names
) -> pa.Table:
    first_day, first_organ = _first_distant(record, names.distant)
    of_patients, total = record.patients, len(names.organs)  # behind the organs
    cause = of_patients["death_cause"].copy()
    for special, row in ((DEATH_TOTAL, total), (DEATH_OTHER, total + 1), (DEATH_NONE, -1)):
        cause[of_patients["death_cause"] == special] = row
    columns = {
        "patient": patients,
        "diagnosis_day": _day(of_patients["diagnosis_day"]),
        "first_distant_day": _day(first_day),
        "first_distant_organ": _named(first_organ, names.organs),
        "death_day": _day(of_patients["death_day"]),
        "death_cause": _named(cause, (*names.organs, "total_burden", "other_cause")),
        "end_day": _day(of_patients["end_day"]),
        "primary_cells": record.colonies["size"][_primaries(record)],
        **{name: _stage(of_patients[name], labels) for name, labels in STAGING},
        "diameter_mm": _day(of_patients["diameter_mm"]),
        "detection": _stage(of_patients["detection"], [way.label for way in Detection]),
        "lead_time_days": _day(of_patients["lead_time_days"]),
        **{f"{test.label}_positive": _positive(record, test) for test in TESTS},
        **{name: _whole(of_patients[name], none=-1) for name in NODES},
        **told,
    }
    return _table(columns, tables.PATIENTS)


def _positive(record: ChunkRecord, test: Event) -> pa.Array:
    """Whether a test at diagnosis found something; null: none was made."""
    owner = np.repeat(np.arange(len(record.patients)), record.patients["n_events"])
    events = record.events
    at_diagnosis = events["day"] == record.patients["diagnosis_day"][owner]
    rows = np.flatnonzero((events["event"] == test) & at_diagnosis)
    tested, found = np.zeros((2, len(record.patients)), np.bool_)
    tested[owner[rows]] = True
    found[owner[rows]] = events["value"][rows] >= 1.0
    return pa.array(found, mask=~tested)


def _primaries(record: ChunkRecord) -> Array:
    """(P,) row of each patient's first colony."""
    ends = np.cumsum(record.patients["n_colonies"])
    return np.asarray(ends - record.patients["n_colonies"])


STAGING = (
    ("stage_t", ("", *STAGES_T)),
    ("stage_n", tuple(STAGES_N)),
    ("stage_m", tuple(STAGES_M)),
)
"""Columns of the patients table: stage at diagnosis, null if there was none."""


NODES = ("nodes_positive", "nodes_micro", "nodes_itc", "nodes_removed")
"""Columns of the patients table: regional nodes at diagnosis, and those that surgery took."""


def _whole(values: Array, none: int) -> pa.Array:
    return pa.array(values, mask=values == none)


def _stage(values: Array, labels: Sequence[str]) -> pa.Array:
    return _named(np.where(np.isnan(values), -1.0, values), labels)


def _events(record: ChunkRecord, patients: Array, names: Names) -> pa.Table:
    rows = record.events
    kind, which = rows["event"], rows["which"]
    symptom = kind == Event.SYMPTOM
    labels = [event.label for event in Event]
    columns = {
        "patient": np.repeat(patients, record.patients["n_events"]),
        "day": _day(rows["day"]),
        "event": _named(np.where(symptom, len(labels) + which, kind), [*labels, *names.symptoms]),
        "organ": _named(rows["organ"], names.organs),
        "treatment": _named(np.where(symptom, -1, which), names.treatments),
        "value": _day(rows["value"]),
    }
    return _table(columns, tables.EVENTS)


def _metastases(record: ChunkRecord, patients: Array, names: Names) -> pa.Table:
    n_colonies, primaries = record.patients["n_colonies"], _primaries(record)
    number = np.arange(len(record.colonies)) - np.repeat(primaries, n_colonies)
    found = number > 0
    colonies, cells = record.colonies[found], record.cells[found]
    columns = {
        "patient": np.repeat(patients, n_colonies - 1),
        "metastasis": number[found],
        "parent": colonies["parent"],
        "organ": _named(colonies["organ"], names.organs),
        "route": _named(colonies["route"], [route.label for route in Route]),
        "founded_day": _day(colonies["founded_day"]),
        "founders": colonies["founders"],
        "micro_day": _day(colonies["micro_day"]),
        "macro_day": _day(colonies["macro_day"]),
        "detected_day": _day(colonies["detected_day"]),
        "extinct_day": _day(colonies["extinct_day"]),
        "cells": colonies["size"],
        "node": _whole(colonies["node"], none=0),
        **_by_phenotype(cells, names),
    }
    return _table(columns, tables.METASTASES)


def _by_phenotype(cells: Array, names: Names) -> dict[str, Array]:
    """Columns that count the cells (rows, K) of each phenotype, if there are several."""
    if len(names.phenotypes) == 1:
        return {}
    return {f"cells_{name}": cells[:, k] for k, name in enumerate(names.phenotypes)}


def _counts(record: ChunkRecord, patients: Array, names: Names) -> pa.Table:
    n_days, n_organs, n_kinds = record.organ_cells.shape
    cells = record.organ_cells.reshape(-1, n_kinds)
    columns = {
        "patient": np.repeat(patients, n_organs * record.patients["n_recorded"]),
        "day": np.repeat(record.recorded_days, n_organs),
        "organ": _named(np.tile(np.arange(n_organs), n_days), names.organs),
        "metastases_isolated": record.metastases["isolated"].ravel(),
        "metastases_micro": record.metastases["micro"].ravel(),
        "metastases_macro": record.metastases["macro"].ravel(),
        "cells": cells.sum(axis=1),
        **_by_phenotype(cells, names),
    }
    return _table(columns, tables.COUNTS)


def _stages(record: ChunkRecord, patients: Array, names: Names) -> pa.Table:
    where, stage, organ = np.nonzero(record.tallies.any(axis=-1))
    patient = np.repeat(patients, record.patients["n_recorded"])
    rows = record.tallies[where, stage, organ]
    columns = {
        "patient": patient[where],
        "day": record.recorded_days[where],
        "organ": _named(organ, names.organs),
        "stage": _named(stage, [stage.label for stage in Stage]),
        **{tally.name.lower(): rows[:, tally] for tally in Tally},
    }
    return _table(columns, tables.STAGES)
