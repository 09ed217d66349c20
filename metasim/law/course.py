"""The clinical course and the clock as frozen arrays: when to look, when to act, when to end."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metasim.law.parameters import Parameters
from metasim.law.plan import Plan, plan_of
from metasim.scenario.schema import Scenario
from metasim.terms import DAYS_PER_YEAR

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

STAGE_MM = (20.0, 50.0)
"""Diameters above which a primary is T2 and T3 (AJCC)."""


class Course(NamedTuple):
    """What happens around the cells; P patients (or 1), O organs, K phenotypes, T treatments."""

    dt_days: float
    follow_steps: int  # steps from the start, or from diagnosis
    from_diagnosis: bool
    undiagnosed_steps: int  # with from_diagnosis: the last step of a patient never diagnosed
    record_every_days: float
    max_colonies: int
    micro_cells: float  # from this size on a colony is a micrometastasis
    macro_cells: float  # above it a macrometastasis
    primary_organ: int
    initial_cells: Ints  # (P, K) cells of the primary on day 0
    diagnosis_cells: Array  # (P, 1) size of the primary at diagnosis; inf: never
    detection_cells: Array  # (P, O) size of a metastasis that imaging sees
    lethal_cells: Array  # (P, O + 1) lethal burden of each organ, then of all; inf: none
    distant: NDArray[np.bool_]  # (O,)
    regional: NDArray[np.bool_]  # (O,)
    stage_cells: Array  # (P, 2) sizes above which a primary is T2 and T3
    screening: Array  # (P, 3) interval in days (inf: none), size found half the time, slope
    follow_up_days: Array  # (P, 1) interval of visits from diagnosis on; 0: always
    symptom_organ: Ints  # (S,)
    symptom_cells: Array  # (P, S) burden of the organ
    age_years: Array  # (P, 1) on day 0
    other_death: Array  # (P, 2) hazard of other causes on day 0 (0: none) and its growth, per day
    plan: Plan

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
            "initial_cells", "diagnosis_cells", "detection_cells", "lethal_cells", "stage_cells",
            "screening", "follow_up_days", "symptom_cells", "age_years", "other_death",
        )  # fmt: skip
        return [(name, getattr(self, name)) for name in names]


def steps_in(days: float, dt_days: float) -> int:
    """Steps that cover a time: the smallest n with n * dt >= days."""
    return max(1, math.ceil(days / dt_days - 1e-9))


def sphere_cells(diameter_mm: Array, cells_per_cm3: Array) -> Array:
    """Cells of a spherical tumour of a diameter in mm."""
    return np.asarray(np.pi / 6.0 * (diameter_mm / 10.0) ** 3 * cells_per_cm3)


def course_of(scenario: Scenario, drawn: Mapping[str, Array] | None = None) -> Course:
    """The course arrays of a scenario; arguments as for `metasim.law.rates.law_of`."""
    get = Parameters(scenario, drawn or {})
    run = scenario.run
    organs = list(scenario.soil)
    density = get.number("clinic.cells_per_cm3")
    symptoms = symptoms_of(scenario)
    lethal = get.stack(
        [*(f"soil.{o}.lethal_cells" for o in organs), "clinic.lethal_cells"],
        [math.inf] * (len(organs) + 1),
    )
    return Course(
        dt_days=run.dt_days,
        follow_steps=steps_in(run.years * DAYS_PER_YEAR, run.dt_days),
        from_diagnosis=run.follow_from == "diagnosis",
        undiagnosed_steps=steps_in(run.undiagnosed_years * DAYS_PER_YEAR, run.dt_days),
        record_every_days=run.record_every_days,
        max_colonies=run.max_colonies,
        micro_cells=scenario.clinic.micro_cells,
        macro_cells=scenario.clinic.macro_cells,
        primary_organ=organs.index(scenario.primary.organ),
        initial_cells=_initial_cells(get),
        diagnosis_cells=sphere_cells(
            get.number("clinic.diagnosis_diameter_mm", math.inf),
            density,
        )[:, None],
        detection_cells=get.stack([f"soil.{o}.detection_cells" for o in organs]),
        lethal_cells=lethal,
        distant=np.array([scenario.soil[o].site == "distant" for o in organs]),
        regional=np.array([scenario.soil[o].site == "regional" for o in organs]),
        stage_cells=np.stack([sphere_cells(np.array(mm), density) for mm in STAGE_MM], axis=1),
        screening=_screening(get, density),
        follow_up_days=get.number("clinic.follow_up_days")[:, None],
        symptom_organ=np.array([organs.index(o) for o, _ in symptoms], dtype=np.int64),
        symptom_cells=get.stack([f"soil.{o}.symptoms.{name}" for o, name in symptoms]),
        age_years=get.number("clinic.age_years")[:, None],
        other_death=_other_death(get),
        plan=plan_of(scenario),
    )


def symptoms_of(scenario: Scenario) -> list[tuple[str, str]]:
    """Organ and name of every symptom, in index order."""
    return [(o, name) for o, soil in scenario.soil.items() for name in soil.symptoms]


def _screening(get: Parameters, density: Array) -> Array:
    half = sphere_cells(get.number("clinic.screening_half_mm"), density)
    slope = get.number("clinic.screening_slope") / 3.0  # of the log of cells, not of diameter
    interval = get.number("clinic.screening_interval_days", math.inf)
    return np.stack(np.broadcast_arrays(interval, half, slope), axis=1)


def _other_death(get: Parameters) -> Array:
    growth = get.number("clinic.other_death_growth_per_year")
    hazard = get.number("clinic.other_death_per_year") * np.exp(
        growth * get.number("clinic.age_years")
    )
    return np.stack(np.broadcast_arrays(hazard, growth), axis=1) / DAYS_PER_YEAR


def _initial_cells(get: Parameters) -> Ints:
    """(P, K): the primary's cells shared out by initial fractions, whole cells, none lost."""
    cells = get.number("primary.initial_cells")
    names = list(get.scenario.seed.phenotypes)
    if not names:
        return np.rint(cells).astype(np.int64)[:, None]
    share = get.stack([f"seed.phenotypes.{name}.initial_fraction" for name in names])
    share = np.cumsum(share, axis=1) / share.sum(axis=1, keepdims=True)
    ends = np.rint(np.rint(cells)[:, None] * share).astype(np.int64)
    return np.asarray(np.diff(ends, axis=1, prepend=0))
