"""From a scenario to the arrays of its law, regime by regime."""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from metasim.law import fate
from metasim.law.arrays import Law
from metasim.law.growth import law_number
from metasim.parameters.exposure import changing_of
from metasim.parameters.lookup import Parameters, in_every_organ
from metasim.parameters.passage import alike, passage_of
from metasim.parameters.unread import refuse_unread
from metasim.scenario.schema import Scenario
from metasim.scenario.treatment import Treatment

Array = NDArray[np.float64]
_T = TypeVar("_T")


class Laws:
    """The laws of a scenario's patients, chunk by chunk.

    How units pass is worked out once, unless it differs between patients; growth is cheap.

    Args:
        scenario: whose patients they are.
        doomed: whether `Law.doomed` is needed; it is read only where everything is recorded, and
            costs a sixth of the law.

    Raises:
        ScenarioError: something is drawn or changed that nothing reads.
    """

    def __init__(self, scenario: Scenario, *, doomed: bool = True) -> None:
        self.scenario = scenario
        self._doomed = doomed
        self._passing: list[dict[str, Any]] | None = None
        self._checked = False

    def of(self, drawn: Mapping[str, Array]) -> Law:
        """The law arrays of some patients.

        Args:
            drawn: key path -> (P,) drawn values, as `metasim.scenario.draws.draw_parameters` gives.
        """
        regimes = _regimes(self.scenario)
        passing, read = self._passing, set[str]()
        if passing is None:
            passing, read = _passing(self.scenario, drawn, regimes, doomed=self._doomed)
            if read.isdisjoint({*drawn, *self.scenario.patients}):
                self._passing = passing
        growing, also = _once_each(self.scenario, drawn, regimes, _growing)
        if not self._checked:
            refuse_unread(self.scenario, drawn, read | also)
            self._checked = True
        laws = [Law(**grow, **move) for grow, move in zip(growing, passing, strict=True)]
        return laws[0]._replace(changed=tuple(laws[1:]))


def law_of(scenario: Scenario, drawn: Mapping[str, Array] | None = None) -> Law:
    """The law arrays of a scenario; `drawn` as for `Laws.of`."""
    return Laws(scenario).of(drawn or {})


def _regimes(scenario: Scenario) -> list[tuple[Treatment, ...]]:
    """The sets of changing treatments, by the bits of their number."""
    changing = changing_of(scenario)
    return [
        tuple(t for i, t in enumerate(changing) if regime >> i & 1)
        for regime in range(2 ** len(changing))
    ]


def _once_each(
    scenario: Scenario,
    drawn: Mapping[str, Array],
    regimes: list[tuple[Treatment, ...]],
    make: Callable[[Parameters], _T],
) -> tuple[list[_T], set[str]]:
    """`make` of every regime, and the keys that it reads.

    It is made once for all regimes that change the same of what it reads; the first regime, in
    which nothing is active, says what that is.
    """
    plain = Parameters(scenario, drawn)
    made: dict[tuple[int, ...], _T] = {(): make(plain)}
    feels = plain.read | {in_every_organ(path) for path in plain.read}
    out = []
    for regime in regimes:
        active = tuple(t for t in regime if feels & t.change.keys())
        key = tuple(id(t) for t in active)
        if key not in made:
            made[key] = make(Parameters(scenario, drawn, active))
        out.append(made[key])
    return out, plain.read


def _passing(
    scenario: Scenario,
    drawn: Mapping[str, Array],
    regimes: list[tuple[Treatment, ...]],
    *,
    doomed: bool,
) -> tuple[list[dict[str, Any]], set[str]]:
    """Fields of the law that move units, in every regime, and the keys that they come from."""
    parts, read = _once_each(scenario, drawn, regimes, passage_of)
    different = list({id(part): part for part in parts}.values())
    chance = fate.success([passage for passage, _ in different])
    fates = fate.doomed if doomed else fate.none_doomed
    full = {
        id(part): part[1] | {
            "destined": fate.destined(part[0], chance), "doomed": fates(part[0], chance)
        }
        for part in different
    }  # fmt: skip
    return [full[id(part)] for part in parts], read


def _growing(get: Parameters) -> dict[str, Any]:
    """Fields of the law that make colonies grow and shed."""
    rho, death = _growth_rates(get)
    return {
        "growth_law": np.array([law_number(get.scenario.growth.law)], dtype=np.int64),
        "power_exponent": get.number(lambda s: s.growth.power_exponent)[:, None],
        "rho": rho,
        "death": death,
        "capacity": get.of_organs(
            lambda soil: soil.capacity_cells, seed=lambda s: s.growth.capacity_cells
        ),
        "avascular_cells": get.number(lambda s: s.angiogenesis.avascular_cells)[:, None],
        "onset_cells": get.number(lambda s: s.angiogenesis.onset_cells)[:, None],
        "angiogenesis_per_day": get.number(lambda s: s.angiogenesis.per_day, math.inf)[:, None],
        "mutation": _mutation(get),
        "invasion_per_day": get.number(lambda s: s.rates.invasion_per_day)[:, None],
        "invasion_reference_cells": get.number(lambda s: s.rates.invasion_reference_cells)[:, None],
        "border_exponent": get.number(lambda s: s.rates.border_exponent)[:, None],
    }


def _growth_rates(get: Parameters) -> tuple[Array, Array]:
    """Growth rate rho and turnover, (P, O, K) (Equation 4.7, growth constants)."""
    rho = get.plain(lambda s: s.growth.rho_per_day)[:, None, None]
    rho = rho * get.felt(lambda s: s.growth.rho_per_day)
    rho = rho * get.of_organs(lambda soil: soil.growth_factor)[:, :, None]
    rho = rho * get.of_phenotypes(lambda p: p.growth_factor, 1.0)[:, None, :]
    death = get.plain(lambda s: s.growth.turnover_per_day)[:, None, None]
    death = death * get.felt(lambda s: s.growth.turnover_per_day)
    death = death * get.of_organs(lambda soil: soil.turnover_factor)[:, :, None]
    death = death * get.of_phenotypes(lambda p: p.turnover_factor, 1.0)[:, None, :]
    return rho, death


def _mutation(get: Parameters) -> Array:
    """(P, K, K) probability per division that a daughter of the first is of the second."""
    rows = [get.of_becoming(name) for name in get.phenotypes]
    return np.stack(alike(rows), axis=1) if rows else np.zeros((1, 1, 1))
