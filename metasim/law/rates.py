"""The whole law as frozen arrays: what an engine needs to draw a patient, and nothing else."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from metasim.law import fate
from metasim.law.exposure import changing_of
from metasim.law.parameters import Parameters
from metasim.law.passage import alike, passage_of
from metasim.scenario.schema import Scenario
from metasim.scenario.treatment import Treatment
from metasim.terms import GrowthLaw

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
_T = TypeVar("_T")


class Law(NamedTuple):
    """Biology of one step, for all patients of a chunk (leading axis P, length 1 if alike).

    `patient(k)` cuts out one patient; the engines see that, without the leading axis, and
    single numbers as arrays of length 1. Rates are per day, sizes in cells. O organs, K
    phenotypes, C cluster classes (class 0: single cells); a state is route * O + organ.
    """

    # growth
    growth_law: Ints  # (1,) metasim.terms.GrowthLaw
    power_exponent: Array  # (P, 1)
    rho: Array  # (P, O, K)
    death: Array  # (P, O, K) turnover d
    capacity: Array  # (P, O)
    angiogenesis: Array  # (P, 3) avascular_cells, onset_cells, per_day (inf: from founding)
    mutation: Array  # (P, K, K) probability per division of a daughter of the second phenotype
    # exit rates
    invasion: Array  # (P, 3) per_day, reference_cells, border_exponent
    moving: Array  # (P, 4) intravasation, extravasation, washout, colonization
    dormancy: Array  # (P, O)
    reawakening: Array  # (P, O)
    dormant_death: Array  # (P, 1)
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
        "angiogenesis": get.stack(
            [f"angiogenesis.{name}" for name in ("avascular_cells", "onset_cells", "per_day")],
            [0.0, 0.0, math.inf],
        ),
        "mutation": _mutation(get, phenotypes),
        "invasion": get.stack(
            [
                "rates.invasion_per_day",
                "rates.invasion_reference_cells",
                "rates.border_exponent",
            ]
        ),
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
