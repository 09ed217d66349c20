"""How much of a treatment reaches the cells: penetrance of the organ, resistance of the cell."""

import numpy as np
from numpy.typing import NDArray

from metasim.scenario.schema import Scenario
from metasim.scenario.treatment import Treatment

Array = NDArray[np.float64]

EVERY_ORGAN = "soil.*."


def reach(scenario: Scenario, treatment: Treatment) -> Array:
    """(O,) share of the effect that reaches each organ; 0 where it does not act."""
    return np.array(
        [
            treatment.penetrance.get(organ, 1.0) * (treatment.organ in (None, organ))
            for organ in scenario.soil
        ]
    )


def exposure(scenario: Scenario, treatment: Treatment) -> Array:
    """(O, K) share of the effect that cells feel: reach * (1 - resistance) (Equation 6.1)."""
    kinds = scenario.seed.phenotypes.values()
    feels = [1.0 - kind.resistance.get(treatment.drug or "", 0.0) for kind in kinds]
    return np.asarray(reach(scenario, treatment)[:, None] * np.array(feels or [1.0]))


def changing_of(scenario: Scenario) -> tuple[Treatment, ...]:
    """The treatments that change something and that this scenario's subtype may get."""
    return tuple(t for t in scenario.treatment if t.change and suits_subtype(scenario, t))


def suits_subtype(scenario: Scenario, treatment: Treatment) -> bool:
    """Whether the condition on the subtype holds; it is the same for all patients."""
    wanted = treatment.only_if.subtype if treatment.only_if else None
    return wanted is None or scenario.seed.subtype in wanted
