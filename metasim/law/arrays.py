"""The frozen arrays of the law: what an engine needs to draw a patient, and nothing else.

`Law` is the biology of a step, `Course` what happens around the cells, `Plan` the treatments.
`metasim.parameters` fills them from a scenario.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metasim.law import fate
from metasim.law.eligibility import Conditions

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Law(NamedTuple):
    """Biology of one step, for all patients of a chunk (leading axis P, length 1 if alike).

    `patient(k)` cuts out one patient; the engines see that, without the leading axis, and
    single numbers as arrays of length 1. Rates are per day, sizes in cells. O organs, K
    phenotypes, C cluster classes (class 0: single cells); a state is route * O + organ.
    """

    # growth
    growth_law: Ints  # (1,) its place in metasim.law.growth.LAWS
    power_exponent: Array  # (P, 1)
    rho: Array  # (P, O, K)
    death: Array  # (P, O, K) turnover d
    capacity: Array  # (P, O)
    avascular_cells: Array  # (P, 1) size that a colony without vessels keeps
    onset_cells: Array  # (P, 1) size from which on the angiogenic switch may happen
    angiogenesis_per_day: Array  # (P, 1) rate of the switch; inf: vessels from founding on
    mutation: Array  # (P, K, K) probability per division of a daughter of the second phenotype
    # exit rates
    invasion_per_day: Array  # (P, 1) of a colony of the reference size
    invasion_reference_cells: Array  # (P, 1)
    border_exponent: Array  # (P, 1)
    intravasation_per_day: Array  # (P, 1)
    extravasation_per_day: Array  # (P, 1)
    washout_per_day: Array  # (P, 1)
    colonization_per_day: Array  # (P, 1)
    dormancy_per_day: Array  # (P, O)
    reawakening_per_day: Array  # (P, O)
    dormant_death_per_day: Array  # (P, 1)
    # units
    cluster_cells: Ints  # (C,)
    cluster_share: Array  # (P, C) share of the leaving cells
    # gates and the flow
    gate_invasion: Array  # (P, O, K)
    gate_intravasation: Array  # (P, O, K)
    gate_arrest: Array  # (P, O, K, C) at each bed, if not destroyed there
    gate_extravasation: Array  # (P, O, K)
    gate_colonization: Array  # (P, O, K)
    death_per_pass: Array  # (P, C)
    lymph: Array  # (P, O) share of the cells leaving an organ that enter lymph
    hop: Array  # (P, 2 O, 2 O) next bed met
    # tests: zeros unless they are asked for
    circulating_beds: Array  # (P, O, K) met in the blood by a cell that leaves its colony
    marrow_crossings: Array  # (P, O, K) into the marrow, of a cell that leaves its colony
    marrow_sleeps: Array  # (P, 1) share of these that falls asleep
    marrow_leaves_per_day: Array  # (P, 1) rate at which sleepers leave for good
    marrow_wakes_per_day: Array  # (P, 1)
    marrow_active_days: Array  # (P, 1) mean time awake
    destined: fate.Destined
    doomed: fate.Doomed
    changed: tuple["Law", ...] = ()  # the law under treatment, see `regimes`

    @property
    def regimes(self) -> tuple["Law", ...]:
        """The law of each regime; bit i of its index: the i-th changing treatment is active."""
        return self, *self.changed

    def patient(self, k: int) -> "Law":
        """The arrays of the k-th patient of the chunk, without the patient axis."""
        return Law(*(_cut(field, k) for field in self))

    def chunk(self) -> "Law":
        """One patient's arrays as those of a chunk of one: the inverse of `patient`."""
        return Law(*(_expand(field) for field in self))


def _expand(field: Any) -> Any:
    if isinstance(field, tuple):
        return _like(field, (_expand(part) for part in field))
    return field if field.dtype == np.int64 else field[None]


def _like(field: Any, parts: Iterable[Any]) -> Any:
    """The parts as a tuple of the same kind, named or plain."""
    return type(field)(*parts) if hasattr(field, "_fields") else tuple(parts)


def _cut(field: Any, k: int) -> Any:
    if isinstance(field, tuple):
        return _like(field, (_cut(part, k) for part in field))
    if field.dtype == np.int64:  # growth_law and cluster_cells: the same for every patient
        return field
    return field[k if len(field) > 1 else 0]


ON_DAY, ON_DIAGNOSIS, ON_RELAPSE = -1, -2, -3
"""Values of `Plan.trigger` that are no organ index."""

PROGRESSION = 1.2**3
"""Growth of the burden from its smallest that is progression: a fifth in diameter (RECIST)."""


class Plan(NamedTuple):
    """T treatments, O organs, K phenotypes."""

    trigger: Ints  # (T,) first relapse in that organ, or one of the values above
    delay_days: Array  # (T,) from the trigger
    organ: Ints  # (T,) organ it acts on; -1: the whole body
    cycles: Ints  # (T,) times it acts at once; 0: it does not
    interval_days: Array  # (T,)
    duration_days: Array  # (T,) that it changes or kills by a hazard; 0: it does not
    to_progression: Flags  # (T,) it ends at progression
    removes: Flags  # (T,) it is surgery
    nodes: Ints  # (T,) nodes that surgery takes; 0: all
    seen_only: Flags  # (T,)
    spares_dormant: Flags  # (T,)
    survival: Array  # (T, O, K) of each cell when it acts at once
    hazard_per_day: Array  # (T, O, K) while it lasts
    regime: Ints  # (T,) bit of `Law.regimes`; 0: it changes nothing
    only_organs: Flags  # (T, O) a metastasis must have been seen in one of them; none: no matter
    only_if: Conditions  # who gets them, by what is known on the day


class Course(NamedTuple):
    """What happens around the cells; P patients (or 1), O organs, K phenotypes, T treatments."""

    dt_days: float
    follow_steps: int  # steps from the start, or from diagnosis
    from_diagnosis: bool
    undiagnosed_steps: int  # with from_diagnosis: the last step of a patient never diagnosed
    small_cells: float  # a colony of fewer cells lives in long steps
    small_steps: int  # of so many steps
    record_every_days: float
    max_colonies: int
    micro_cells: float  # from this size on a colony is a micrometastasis
    macro_cells: float  # above it a macrometastasis
    primary_organ: int
    initial_cells: Ints  # (P, K) cells of the primary on day 0
    cells_per_cm3: Array  # (P, 1) of tumour
    diagnosis_cells: Array  # (P, 1) size of the primary at diagnosis; inf: never
    symptom_per_day_per_cell: Array  # (P, 1) hazard of symptoms of the primary; 0: none
    detection_cells: Array  # (P, O) size of a metastasis that imaging sees
    restaging: bool  # findings and symptoms lead to imaging of all organs
    restaging_cells: Array  # (P, O) size of a metastasis that this sees
    lethal_cells: Array  # (P, O) burden of an organ that kills; inf: none
    lethal_total_cells: Array  # (P, 1) burden of all organs that kills; inf: none
    distant: NDArray[np.bool_]  # (O,)
    regional: NDArray[np.bool_]  # (O,)
    nodes: Ints  # (O,) lymph nodes in a chain; 0: none
    node_pass_prob: Array  # (P, O) that a node passes a founder on
    node_cells: Array  # (P, O) burden of a node that is full; inf: never
    pathology_cells: float  # smallest deposit that makes a node positive
    t2_cells: Array  # (P, 1) size above which a primary is T2
    t3_cells: Array  # (P, 1) size above which it is T3
    screening_interval_days: Array  # (P, 1) inf: none
    screening_from_years: Array  # (P, 1) age, as the next
    screening_to_years: Array  # (P, 1)
    screening_half_cells: Array  # (P, 1) size that a visit finds half the time
    screening_slope: Array  # (P, 1) of the log-odds of being found in the log of the cells
    follow_up_days: Array  # (P, 1) interval of visits from diagnosis on; 0: always
    symptom_organ: Ints  # (S,)
    symptom_cells: Array  # (P, S) burden of the organ
    age_years: Array  # (P, 1) on day 0
    other_death_per_day: Array  # (P, 1) hazard of other causes on day 0; 0: none
    other_death_growth_per_day: Array  # (P, 1) of its logarithm
    blood_tested: bool  # blood samples are taken
    sample_days: Array  # (P, 1) cells found in a sample per bed that cells meet in a day
    marrow_organ: int  # whose dormant cells aspirates are taken of; -1: none are
    aspirate_fraction: float  # share of its cells that an aspirate holds
    plasma_tested: bool  # plasma is tested for tumour DNA
    plasma_days: Array  # (P, 1) mutant copies found in a sample per cell that dies in a day
    tests_on_visits: bool  # tests are also made on visits after the diagnosis
    offered: Flags  # (P, T) treatments that a patient may get, by what is fixed from birth
    responds: Flags  # (P, T) whether they act on a patient's tumour
    plan: Plan

    @property
    def tests(self) -> int:
        """How many tests are made on a day on which tests are made."""
        return int(self.blood_tested) + int(self.marrow_organ >= 0) + int(self.plasma_tested)

    def patient(self, k: int) -> "Course":
        """The k-th patient of the chunk, without the patient axis."""
        return self._replace(
            **{name: array[k if len(array) > 1 else 0] for name, array in self._of_patients()}
        )

    def chunk(self) -> "Course":
        """One patient's arrays as those of a chunk of one: the inverse of `patient`."""
        return self._replace(**{name: array[None] for name, array in self._of_patients()})

    def _of_patients(self) -> list[tuple[str, Any]]:
        names = (
            "initial_cells", "cells_per_cm3", "diagnosis_cells", "symptom_per_day_per_cell",
            "detection_cells", "restaging_cells", "node_pass_prob", "node_cells", "lethal_cells",
            "lethal_total_cells", "t2_cells", "t3_cells",
            "screening_interval_days", "screening_from_years", "screening_to_years",
            "screening_half_cells", "screening_slope", "follow_up_days", "symptom_cells",
            "age_years", "other_death_per_day", "other_death_growth_per_day", "sample_days",
            "plasma_days", "offered", "responds",
        )  # fmt: skip
        return [(name, getattr(self, name)) for name in names]
