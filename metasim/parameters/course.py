"""From a scenario to its clinical course and clock: when to look, when to act, when to end."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from metasim.law.arrays import Course
from metasim.law.sizes import STAGE_MM, sphere_cells
from metasim.parameters.eligibility import offered_to, responding_to
from metasim.parameters.lookup import Parameters
from metasim.parameters.plan import plan_of
from metasim.parameters.sampling import course_of_tests
from metasim.scenario.schema import Scenario
from metasim.terms import DAYS_PER_YEAR

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


def steps_in(days: float, dt_days: float) -> int:
    """Steps that cover a time: the smallest n with n * dt >= days."""
    return max(1, math.ceil(days / dt_days - 1e-9))


def course_of(
    scenario: Scenario, drawn: Mapping[str, Array] | None = None, first: int = 0, count: int = 1
) -> Course:
    """The course arrays of some patients of a scenario.

    Args:
        scenario: what is asked.
        drawn: key path -> (count,) drawn values, as for `metasim.parameters.rates.law_of`.
        first: number of the first patient: who gets what only some get goes by the number.
        count: number of patients.
    """
    offered = offered_to(scenario, drawn or {}, first, count)
    responds = responding_to(scenario, first, count)
    course = course_from(Parameters(scenario, drawn or {}))
    return course._replace(offered=offered, responds=responds)


def course_from(get: Parameters) -> Course:
    """The course arrays of a scenario, by its parameters; all is offered to everybody, and acts."""
    scenario, organs = get.scenario, get.organs
    run = scenario.run
    density = get.number(lambda s: s.clinic.cells_per_cm3)
    symptoms = symptoms_of(scenario)
    symptom_hazard = get.number(lambda s: s.clinic.symptom_per_day_per_cm3)
    screening_days = get.number(lambda s: s.clinic.screening_interval_days, math.inf)
    half_found = sphere_cells(get.number(lambda s: s.clinic.screening_half_mm), density)
    t2_cells, t3_cells = (sphere_cells(np.array(mm), density) for mm in STAGE_MM)
    detection_cells = get.of_organs(lambda soil: soil.detection_cells)
    restaging_cells = get.of_organs(lambda soil: soil.restaging_cells, math.nan)
    other_death_per_day, other_death_growth_per_day = _other_death(get)
    return Course(
        dt_days=run.dt_days,
        follow_steps=steps_in(run.years * DAYS_PER_YEAR, run.dt_days),
        from_diagnosis=run.follow_from == "diagnosis",
        undiagnosed_steps=steps_in(run.undiagnosed_years * DAYS_PER_YEAR, run.dt_days),
        small_cells=run.small_cells or 0.0,
        small_steps=run.small_steps,
        record_every_days=run.record_every_days,
        max_colonies=run.max_colonies,
        micro_cells=scenario.clinic.micro_cells,
        macro_cells=scenario.clinic.macro_cells,
        primary_organ=organs.index(scenario.primary.organ),
        initial_cells=_initial_cells(get),
        diagnosis_cells=sphere_cells(
            get.number(lambda s: s.clinic.diagnosis_diameter_mm, math.inf),
            density,
        )[:, None],
        cells_per_cm3=density[:, None],
        symptom_per_day_per_cell=(symptom_hazard / density)[:, None],
        detection_cells=detection_cells,
        restaging=scenario.clinic.restaging,
        restaging_cells=np.where(np.isnan(restaging_cells), detection_cells, restaging_cells),
        lethal_cells=get.of_organs(lambda soil: soil.lethal_cells, math.inf),
        lethal_total_cells=get.number(lambda s: s.clinic.lethal_cells, math.inf)[:, None],
        distant=np.array([scenario.soil[o].site == "distant" for o in organs]),
        regional=np.array([scenario.soil[o].site == "regional" for o in organs]),
        nodes=np.array([scenario.soil[o].nodes or 0 for o in organs], dtype=np.int64),
        node_pass_prob=get.of_organs(lambda soil: soil.node_pass_prob),
        node_cells=get.of_organs(lambda soil: soil.node_cells, math.inf),
        pathology_cells=scenario.clinic.pathology_cells or scenario.clinic.micro_cells,
        t2_cells=t2_cells[:, None],
        t3_cells=t3_cells[:, None],
        screening_interval_days=screening_days[:, None],
        screening_from_years=get.number(lambda s: s.clinic.screening_from_years)[:, None],
        screening_to_years=get.number(lambda s: s.clinic.screening_to_years, math.inf)[:, None],
        screening_half_cells=half_found[:, None],
        # of the log of cells, not of diameter
        screening_slope=get.number(lambda s: s.clinic.screening_slope)[:, None] / 3.0,
        follow_up_days=get.number(lambda s: s.clinic.follow_up_days)[:, None],
        symptom_organ=np.array([organs.index(o) for o, _ in symptoms], dtype=np.int64),
        symptom_cells=get.of_symptoms(symptoms),
        age_years=get.number(lambda s: s.clinic.age_years)[:, None],
        other_death_per_day=other_death_per_day[:, None],
        other_death_growth_per_day=other_death_growth_per_day[:, None],
        **course_of_tests(get),
        offered=np.ones((1, len(scenario.treatment)), np.bool_),
        responds=np.ones((1, len(scenario.treatment)), np.bool_),
        plan=plan_of(scenario),
    )


def symptoms_of(scenario: Scenario) -> list[tuple[str, str]]:
    """Organ and name of every symptom, in index order."""
    return [(o, name) for o, soil in scenario.soil.items() for name in soil.symptoms]


def _other_death(get: Parameters) -> tuple[Array, Array]:
    """Hazard of other causes on day 0, and the growth of its logarithm; (P,) per day."""
    growth = get.number(lambda s: s.clinic.other_death_growth_per_year)
    hazard = get.number(lambda s: s.clinic.other_death_per_year) * np.exp(
        growth * get.number(lambda s: s.clinic.age_years)
    )
    return hazard / DAYS_PER_YEAR, growth / DAYS_PER_YEAR


def _initial_cells(get: Parameters) -> Ints:
    """(P, K): the primary's cells shared out by initial fractions, whole cells, none lost."""
    cells = get.number(lambda s: s.primary.initial_cells)
    if not get.phenotypes:
        return np.rint(cells).astype(np.int64)[:, None]
    share = get.of_phenotypes(lambda p: p.initial_fraction, 1.0)
    share = np.cumsum(share, axis=1) / share.sum(axis=1, keepdims=True)
    ends = np.rint(np.rint(cells)[:, None] * share).astype(np.int64)
    return np.asarray(np.diff(ends, axis=1, prepend=0))
