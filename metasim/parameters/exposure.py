"""How much of a treatment reaches the cells: penetrance of the organ, resistance of the cell."""

import numpy as np
from numpy.typing import NDArray

from metasim.scenario.schema import Scenario
from metasim.scenario.treatment import Treatment
from metasim.scenario.tumours import suits_someone

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
    phenotypes = scenario.seed.phenotypes.values()
    feels = [1.0 - one.resistance.get(treatment.drug or "", 0.0) for one in phenotypes]
    return np.asarray(reach(scenario, treatment)[:, None] * np.array(feels or [1.0]))


def changing_of(scenario: Scenario) -> tuple[Treatment, ...]:
    """The treatments that change something and that someone may get, one of each that are alike.

    Treatments of one kind that change the same are the same drug, given for several reasons: while
    several of them last, it changes once.
    """
    first: dict[tuple[object, ...], Treatment] = {}
    for t in scenario.treatment:
        if t.change and suits_someone(scenario, t.only_if):
            first.setdefault(t.effect, t)
    return tuple(first.values())


def regime_bits(scenario: Scenario) -> list[int]:
    """The bit of each treatment in the number of a regime: 1 << i for the i-th of `changing_of`."""
    places = {t.effect: i for i, t in enumerate(changing_of(scenario))}
    return [
        1 << places[t.effect] if t.change and t.effect in places else 0 for t in scenario.treatment
    ]
