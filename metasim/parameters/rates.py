"""From a scenario to the arrays of its law, regime by regime."""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from metasim.law import fate
from metasim.law.arrays import Law
from metasim.parameters.exposure import changing_of
from metasim.parameters.lookup import Parameters
from metasim.parameters.passage import alike, passage_of
from metasim.scenario.schema import Scenario
from metasim.scenario.treatment import Treatment
from metasim.terms import GrowthLaw

Array = NDArray[np.float64]
_T = TypeVar("_T")


_GROWS = ("growth.", "angiogenesis.", "rates.invasion_", "rates.border_")
_GROWS_IN = ("growth_factor", "turnover_factor", "capacity_cells")
_NOT_OF_THE_LAW = ("primary.", "clinic.")
_NOT_OF_THE_LAW_IN = ("detection_cells", "lethal_cells", "initial_fraction")


def moves_units(path: str) -> bool:
    """Whether a key has a say in how units pass, and not only in how colonies grow."""
    last = path.rpartition(".")[2]
    return not (
        path.startswith(_GROWS + _NOT_OF_THE_LAW)
        or last in _GROWS_IN + _NOT_OF_THE_LAW_IN
        or ".becomes." in path
        or ".symptoms." in path
    )


class Laws:
    """The laws of a scenario's patients, chunk by chunk.

    How units pass is worked out once, unless it differs between patients; growth is cheap.

    Raises:
        ValueError: too many changing treatments for a law each (`metasim.scenario` refuses them).
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._alike = not any(moves_units(path) for path in scenario.patients)
        self._passing: list[dict[str, Any]] | None = None

    def of(self, drawn: Mapping[str, Array]) -> Law:
        """The law arrays of some patients.

        Args:
            drawn: key path -> (P,) drawn values, as `metasim.scenario.draws.draw_parameters` gives.
        """
        regimes = [Parameters(self.scenario, drawn, active) for active in _regimes(self.scenario)]
        passing = self._passing
        if passing is None:
            passing = _passing(regimes)
            if self._alike and not any(map(moves_units, drawn)):
                self._passing = passing
        growing = _once_each(regimes, lambda path: not moves_units(path), _growing)
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
    regimes: list[Parameters], concerns: Callable[[str], bool], make: Callable[[Parameters], _T]
) -> list[_T]:
    """`make` of every regime; once for all that change the same of what concerns it."""
    made: dict[tuple[int, ...], _T] = {}
    out = []
    for get in regimes:
        active = tuple(id(t) for t in get.active if any(map(concerns, t.change)))
        if active not in made:
            made[active] = make(get)
        out.append(made[active])
    return out


def _passing(regimes: list[Parameters]) -> list[dict[str, Any]]:
    """Fields of the law that move units, in every regime."""
    parts = _once_each(regimes, moves_units, passage_of)
    different = list({id(part): part for part in parts}.values())
    chance = fate.success([passage for passage, _ in different])
    full = {
        id(part): part[1] | {
            "destined": fate.destined(part[0], chance), "doomed": fate.doomed(part[0], chance)
        }
        for part in different
    }  # fmt: skip
    return [full[id(part)] for part in parts]


def _growing(get: Parameters) -> dict[str, Any]:
    """Fields of the law that make colonies grow and shed."""
    organs = list(get.scenario.soil)
    phenotypes: list[str] | list[None] = list(get.scenario.seed.phenotypes) or [None]
    rho, death = _growth_rates(get, organs, phenotypes)
    return {
        "growth_law": np.array([GrowthLaw[get.scenario.growth.law.upper()]], dtype=np.int64),
        "power_exponent": get.stack(["growth.power_exponent"]),
        "rho": rho,
        "death": death,
        "capacity": get.stack(
            [f"soil.{o}.capacity_cells" for o in organs], ["growth.capacity_cells"] * len(organs)
        ),
        "avascular_cells": get.number("angiogenesis.avascular_cells")[:, None],
        "onset_cells": get.number("angiogenesis.onset_cells")[:, None],
        "angiogenesis_per_day": get.number("angiogenesis.per_day", math.inf)[:, None],
        "mutation": _mutation(get, phenotypes),
        "invasion_per_day": get.number("rates.invasion_per_day")[:, None],
        "invasion_reference_cells": get.number("rates.invasion_reference_cells")[:, None],
        "border_exponent": get.number("rates.border_exponent")[:, None],
    }


def _growth_rates(
    get: Parameters, organs: list[str], phenotypes: list[str] | list[None]
) -> tuple[Array, Array]:
    """Growth rate rho and turnover, (P, O, K): base * soil factor * phenotype factor."""
    out = []
    for base, factor in (("rho_per_day", "growth"), ("turnover_per_day", "turnover")):
        of_soil = get.stack([f"soil.{o}.{factor}_factor" for o in organs])
        of_seed = (
            get.stack([f"seed.phenotypes.{p}.{factor}_factor" for p in phenotypes])
            if phenotypes != [None]
            else np.ones((1, 1))
        )
        plain = get.plain(f"growth.{base}")[:, None, None] * get.felt(f"growth.{base}")
        out.append(plain * of_soil[:, :, None] * of_seed[:, None, :])
    return out[0], out[1]


def _mutation(get: Parameters, phenotypes: list[str] | list[None]) -> Array:
    if phenotypes == [None]:
        return np.zeros((1, 1, 1))
    rows = [get.stack([f"seed.phenotypes.{p}.becomes.{q}" for q in phenotypes]) for p in phenotypes]
    return np.stack(alike(rows), axis=1)
