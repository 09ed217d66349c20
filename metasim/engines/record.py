"""What an engine hands back for one patient."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

DEATH_OTHER, DEATH_NONE, DEATH_TOTAL = -3, -2, -1
"""Values of `PatientRecord.death_cause` that are no organ index."""


class PatientRecord(NamedTuple):
    """One patient's history. Days are NaN where the event did not happen.

    n colonies (row 0 is the primary), O organs, K phenotypes, R recorded days, E events.
    """

    origin: Ints  # (n, 4) parent row, organ, metasim.terms.Route (-1: primary), founders
    cells: Ints  # (n, K) on the last day
    days: Array  # (n, 5) founded, micro, macro, detected, extinct
    recorded_days: Array  # (R,)
    counts: Ints  # (R, O, 3 + K) isolated, micro, macro metastases; cells of all colonies
    tallies: Ints  # (R, 7, O, 6) by stage and metasim.terms.Tally; (0, ...) unless asked for
    events: Array  # (E, 4) day, metasim.terms.Event, organ (-1: none), treatment or symptom (-1)
    diagnosis_day: float
    death_day: float
    death_cause: int  # organ whose burden killed, DEATH_TOTAL, DEATH_OTHER or DEATH_NONE
    end_day: float  # last simulated day
    staging: Array  # (3,) T, N and M at diagnosis, see `stages_of`
    transitions: Any = None  # cell engine with history: every transition, a pyarrow table
