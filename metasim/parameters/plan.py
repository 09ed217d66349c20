"""The treatment plan (section 6 of docs/model): when, for whom, how many cells survive."""

import math

import numpy as np
from numpy.typing import NDArray

from metasim.law.arrays import ON_DAY, ON_DIAGNOSIS, ON_RELAPSE, Plan
from metasim.parameters.eligibility import conditions_of
from metasim.parameters.exposure import exposure, reach, regime_bits
from metasim.scenario.schema import Scenario
from metasim.scenario.treatment import Treatment

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def plan_of(scenario: Scenario) -> Plan:
    """The plan of a scenario."""
    given = scenario.treatment
    organs = list(scenario.soil)
    phenotypes = max(1, len(scenario.seed.phenotypes))
    shape = (len(given), len(organs), phenotypes)
    conditions = [t.only_if for t in given]
    return Plan(
        trigger=_ints(_trigger(t, organs) for t in given),
        delay_days=_array(
            t.delay_days + (0.0 if isinstance(t.start, str) else t.start) for t in given
        ),
        organ=_ints(organs.index(t.organ) if t.organ else -1 for t in given),
        cycles=_ints(t.cycles if acts_at_once(t) else 0 for t in given),
        interval_days=_array(t.interval_days for t in given),
        duration_days=_array(
            0.0 if not lasts(t) else math.inf if t.duration_days is None else t.duration_days
            for t in given
        ),
        to_progression=_flags(t.stop == "progression" for t in given),
        removes=_flags(removes(t) for t in given),
        nodes=_ints(t.nodes or 0 for t in given),
        seen_only=_flags(t.seen_only for t in given),
        spares_dormant=_flags(t.spares_dormant for t in given),
        survival=_array(survival(scenario, t) for t in given).reshape(shape),
        hazard_per_day=_array(
            (t.hazard_per_day or 0.0) * exposure(scenario, t) for t in given
        ).reshape(shape),
        regime=_ints(regime_bits(scenario)),
        only_organs=_flags(
            [c is not None and c.organ is not None and o in c.organ for o in organs]
            for c in conditions
        ).reshape(shape[:2]),
        only_if=conditions_of(scenario),
    )


def acts_at_once(treatment: Treatment) -> bool:
    """Whether it removes or kills at once."""
    t = treatment
    return removes(t) or not (t.log_kill is None and t.dose_gray is None)


def removes(treatment: Treatment) -> bool:
    """Whether it is surgery."""
    return treatment.residual_fraction is not None or treatment.nodes is not None


def lasts(treatment: Treatment) -> bool:
    """Whether it changes, or kills by a hazard."""
    return bool(treatment.change) or treatment.hazard_per_day is not None


def survival(scenario: Scenario, treatment: Treatment) -> Array:
    """(O, K) probability that a cell survives a cycle (Equation 6.2, surviving a cycle)."""
    t = treatment
    log_kill = t.log_kill or 0.0
    if t.dose_gray is not None:
        log_kill += t.alpha_per_gray * t.dose_gray
        log_kill += t.beta_per_gray2 * t.dose_gray**2 / t.fractions
    out = np.exp(-log_kill * exposure(scenario, t))
    if t.residual_fraction is not None and t.nodes is None:  # nodes are taken whole
        out *= np.where(reach(scenario, t) > 0, t.residual_fraction, 1.0)[:, None]
    return out


def _trigger(treatment: Treatment, organs: list[str]) -> int:
    start = treatment.start
    if not isinstance(start, str):
        return ON_DAY
    if treatment.relapse_organ:
        return organs.index(treatment.relapse_organ)
    return ON_DIAGNOSIS if start == "diagnosis" else ON_RELAPSE


def _ints(values: object) -> Ints:
    return np.array(list(values), dtype=np.int64)  # type: ignore[call-overload]


def _array(values: object) -> Array:
    return np.array(list(values), dtype=np.float64)  # type: ignore[call-overload]


def _flags(values: object) -> Flags:
    return np.array(list(values), dtype=np.bool_)  # type: ignore[call-overload]
