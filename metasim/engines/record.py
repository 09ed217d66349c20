"""What an engine hands back: the state of its patients at their ends, and what was recorded.

The columns have their names here, once, for both engines and for all that read a record.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[np.void]
"""A structured array: rows with named columns."""

DEATH_OTHER, DEATH_NONE, DEATH_TOTAL = -3, -2, -1
"""Values of `death_cause` that are no organ index."""

_WHOLE, _REAL = np.int64, np.float64

COLONY = np.dtype(
    [
        ("parent", _WHOLE),  # row of the colony that its founders left
        ("organ", _WHOLE),
        ("node", _WHOLE),  # 1, 2 ... along the chain of the organ; 0: it has no nodes
        ("route", _WHOLE),  # metasim.terms.Route by which they last entered the flow; -1: primary
        ("founders", _WHOLE),
        ("size", _WHOLE),  # cells of all phenotypes
        ("vascularised", np.bool_),
        ("lived_step", _WHOLE),  # the last on which it lived, or was founded
        ("founded_day", _REAL),
        ("micro_day", _REAL),  # first day as a micrometastasis, as the next
        ("macro_day", _REAL),
        ("detected_day", _REAL),  # imaging saw it
        ("extinct_day", _REAL),
    ],
    align=True,
)
"""A colony, the primary or a metastasis. Days are NaN where the event did not happen."""

EVENT = np.dtype(
    [
        ("day", _REAL),
        ("event", _WHOLE),  # metasim.terms.Event
        ("organ", _WHOLE),  # -1: none
        ("which", _WHOLE),  # treatment or symptom; -1: none
        ("value", _REAL),  # what was measured; NaN: nothing. Of tests, the mean count
    ]
)
"""A clinical event."""

CLASSES = np.dtype([("isolated", _WHOLE), ("micro", _WHOLE), ("macro", _WHOLE)])
"""Metastases of an organ by class."""

PATIENT = np.dtype(
    [
        ("diagnosis_day", _REAL),
        ("death_day", _REAL),
        ("death_cause", _WHOLE),  # organ whose burden killed, or one of the values above
        ("end_day", _REAL),  # last simulated day
        ("stage_t", _REAL),  # 1 to 3 at diagnosis, see `metasim.law.clinic`; NaN: none
        ("stage_n", _REAL),  # 0 (N0), 1 (N1mi), 2 to 4 (N1 to N3)
        ("stage_m", _REAL),  # 0 or 1
        ("diameter_mm", _REAL),  # of the primary at diagnosis; NaN: none
        ("detection", _REAL),  # metasim.terms.Detection; NaN: never
        ("lead_time_days", _REAL),  # gained by screening; NaN: not screened, or never found else
        ("nodes_positive", _WHOLE),  # at diagnosis, see `metasim.law.nodes`; -1: none
        ("nodes_micro", _WHOLE),  # those of them without a macrometastasis
        ("nodes_itc", _WHOLE),  # with isolated tumour cells only
        ("nodes_removed", _WHOLE),  # by all operations; -1: no organ has nodes
        ("n_colonies", _WHOLE),
        ("n_events", _WHOLE),
        ("n_recorded", _WHOLE),  # recorded days
        ("status", _WHOLE),  # 0: came to its end
    ]
)
"""A patient's outcome, and how many rows it has in the tables of its chunk."""


class ChunkRecord(NamedTuple):
    """The histories of P patients, one behind the other in each array.

    n colonies (each patient's first is the primary), R recorded days, E events of all patients
    together; O organs, K phenotypes. `PATIENT` says how many rows are whose.
    """

    patients: Rows  # (P,) PATIENT
    colonies: Rows  # (n,) COLONY on the last day
    cells: Ints  # (n, K) of each colony on the last day
    events: Rows  # (E,) EVENT
    recorded_days: Array  # (R,)
    metastases: Rows  # (R, O) CLASSES
    organ_cells: Ints  # (R, O, K) cells of all colonies
    tallies: Ints  # (R, 7, O, 6) by stage and metasim.terms.Tally


class PatientRecord(NamedTuple):
    """One patient's history. Days are NaN where the event did not happen.

    n colonies (row 0 is the primary), O organs, K phenotypes, R recorded days (none unless
    everything is recorded), E events.
    """

    patient: Any  # PATIENT
    colonies: Rows  # (n,) COLONY on the last day
    cells: Ints  # (n, K) of each colony on the last day
    events: Rows  # (E,) EVENT
    recorded_days: Array  # (R,)
    metastases: Rows  # (R, O) CLASSES
    organ_cells: Ints  # (R, O, K) cells of all colonies
    tallies: Ints  # (R, 7, O, 6) by stage and metasim.terms.Tally
    transitions: Any = None  # cell engine with history: every transition, a pyarrow table

    @property
    def diagnosis_day(self) -> float:
        """Day of diagnosis; NaN: none."""
        return float(self.patient["diagnosis_day"])

    @property
    def death_day(self) -> float:
        """Day of death; NaN: alive at the end."""
        return float(self.patient["death_day"])

    @property
    def death_cause(self) -> int:
        """Organ whose burden killed, DEATH_TOTAL, DEATH_OTHER or DEATH_NONE."""
        return int(self.patient["death_cause"])

    @property
    def end_day(self) -> float:
        """Last simulated day."""
        return float(self.patient["end_day"])

    @property
    def staging(self) -> tuple[float, float, float]:
        """T, N and M at diagnosis as the numbers of `PATIENT`; NaN: no diagnosis."""
        row = self.patient
        return float(row["stage_t"]), float(row["stage_n"]), float(row["stage_m"])


def joined(records: Sequence[PatientRecord], n_organs: int, n_kinds: int) -> ChunkRecord:
    """Records of patients as that of a chunk; also of no patient at all.

    Args:
        records: one per patient, in order.
        n_organs: number of organs O.
        n_kinds: number of phenotypes K.
    """
    none = empty(0, 0, 0, 0, n_organs, n_kinds)
    patients = np.array([tuple(r.patient) for r in records], PATIENT)
    parts = zip(none[1:], *(r[1:-1] for r in records), strict=True)
    return ChunkRecord(patients, *(np.concatenate(arrays) for arrays in parts))


def empty(
    patients: int, colonies: int, events: int, days: int, n_organs: int, n_kinds: int
) -> ChunkRecord:
    """Room for so many rows, not filled."""
    return ChunkRecord(
        np.zeros(patients, PATIENT),
        np.zeros(colonies, COLONY),
        np.empty((colonies, n_kinds), _WHOLE),
        np.zeros(events, EVENT),
        np.empty(days),
        np.zeros((days, n_organs), CLASSES),
        np.empty((days, n_organs, n_kinds), _WHOLE),
        np.empty((days, 7, n_organs, 6), _WHOLE),
    )


def record_of(chunk: ChunkRecord, k: int) -> PatientRecord:
    """The record of the k-th patient of a chunk."""
    before = {n: int(chunk.patients[n][:k].sum()) for n in ("n_colonies", "n_events", "n_recorded")}
    row = chunk.patients[k]
    rows = {n: slice(start, start + int(row[n])) for n, start in before.items()}
    colonies, events, days = rows.values()
    return PatientRecord(
        row,
        chunk.colonies[colonies],
        chunk.cells[colonies],
        chunk.events[events],
        chunk.recorded_days[days],
        chunk.metastases[days],
        chunk.organ_cells[days],
        chunk.tallies[days],
    )
