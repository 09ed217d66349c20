"""From a scenario, the values drawn for its patients and active treatments to parameters.

A reader asks by an attribute of the schema, so that a search for a key's name finds every place
that reads it, and a type checker knows the key: `get.number(lambda s: s.rates.washout_per_day)`.
What has been asked for is kept in `Parameters.read`; on this rests who feels a change or a draw.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, reduce
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from metasim.law.odds import LARGEST
from metasim.parameters.exposure import EVERY_ORGAN, exposure, reach
from metasim.scenario.biology import Cluster, GateOdds, Phenotype, Seed, Soil
from metasim.scenario.keys import find, split
from metasim.scenario.schema import Scenario
from metasim.scenario.treatment import Treatment
from metasim.terms import Gate

Array = NDArray[np.float64]
Key = Callable[[Scenario], float | None]
"""Says which key of a scenario is meant, such as `lambda s: s.growth.rho_per_day`."""

_MOST = 1e50
"""Factors of a treatment are held at this, so that no product of six overflows."""


class _Path:
    """Stands for a part of a scenario, and notes which attributes and entries are asked of it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __getattr__(self, name: str) -> "_Path":
        return _Path(f"{self.path}.{name}" if self.path else name)

    __getitem__ = __getattr__


def path_of(key: Callable[[Any], Any], below: str = "") -> str:
    """The dotted path of the key that is meant, below the path of a table."""
    return cast(_Path, key(_Path(below))).path


class Parameters:
    """Looks up numbers of a scenario, with the patients' drawn values in place.

    Args:
        scenario: the scenario.
        drawn: key path -> (P,) values, one per patient; all of the same length.
        active: treatments whose changes are in force.

    Attributes:
        read: key paths that have been looked up.
        organs: names of the O organs.
        phenotypes: names of the phenotypes; none: all cells are alike (K = 1).
    """

    def __init__(
        self,
        scenario: Scenario,
        drawn: Mapping[str, Array],
        active: Sequence[Treatment] = (),
    ) -> None:
        self.scenario = scenario
        self.drawn = drawn
        self.active = active
        self.read: set[str] = set()
        self.organs = list(scenario.soil)
        self.phenotypes = list(scenario.seed.phenotypes)
        self._changed = {path for treatment in active for path in treatment.change}

    def number(self, key: Key, default: float = 0.0) -> Array:
        """Value of a key, shape (1,) or (P,), changed by the active treatments.

        Args:
            key: the key that is meant.
            default: value where it is unset.
        """
        return self._number(path_of(key), np.array([default]))

    def plain(self, key: Key) -> Array:
        """As `number`, without the changes of treatments: for keys whose change is `felt`."""
        return self._plain(path_of(key), np.zeros(1))

    def of_organs(
        self, key: Callable[[Soil], float | None], default: float = 0.0, *, seed: Key | None = None
    ) -> Array:
        """(1 or P, O) values of a key of every organ.

        Args:
            key: the key that is meant, of an organ.
            default: value where it is unset.
            seed: the scenario's key that holds where the organ's is unset, instead of a number.
        """
        paths = [path_of(key, f"soil.{organ}") for organ in self.organs]
        return self._stack(paths, default, seed and path_of(seed))

    def of_phenotypes(self, key: Callable[[Phenotype], float | None], default: float) -> Array:
        """(1 or P, K) values of a key that only phenotypes have; `default` if there are none."""
        paths = [path_of(key, f"seed.phenotypes.{name}") for name in self.phenotypes]
        return self._stack(paths, default) if paths else np.full((1, 1), default)

    def of_cells(self, key: Callable[[Seed], float | None]) -> Array:
        """(1 or P, K) values of a trait or receptor: each phenotype's own, else the seed's."""
        paths = [path_of(key, f"seed.phenotypes.{name}") for name in self.phenotypes]
        of_seed = path_of(key, "seed")
        return self._stack(paths, seed=of_seed) if paths else self._stack([of_seed])

    def of_becoming(self, name: str) -> Array:
        """(1 or P, K) probability per division that a daughter of a phenotype is of each other."""
        becomes = path_of(lambda p: p.becomes, f"seed.phenotypes.{name}")
        return self._stack([f"{becomes}.{other}" for other in self.phenotypes])

    def of_clusters(self, key: Callable[[Cluster], float]) -> Array:
        """(1 or P, C - 1) values of a key of every class of clusters."""
        return self._stack(
            [path_of(key, f"seed.clusters.{c}") for c in self.scenario.seed.clusters]
        )

    def of_symptoms(self, symptoms: Iterable[tuple[str, str]]) -> Array:
        """(1 or P, S) burden from which symptoms, given by organ and name, are felt."""
        felt_from = {o: path_of(lambda soil: soil.symptoms, f"soil.{o}") for o in self.organs}
        return self._stack([f"{felt_from[organ]}.{name}" for organ, name in symptoms])

    def of_gate(self, gate: Gate, key: Callable[[GateOdds], float | None]) -> Array:
        """(1 or P,) plain value of a key of a gate, without the changes of treatments."""
        return self._plain(path_of(key, f"gates.{gate}"), np.zeros(1))

    def weights(self, gate: Gate, factors: Sequence[str]) -> Array:
        """(1 or P, F) weights of factors on the log-odds of a gate."""
        weights = path_of(lambda g: g.weights, f"gates.{gate}")
        return self._stack([f"{weights}.{factor}" for factor in factors])

    def vessels(self) -> dict[str, Array]:
        """The drawn shares of flow, by key path."""
        for route, ends in self.scenario.vessels.items():
            self.read |= {f"vessels.{route}.{a}.{b}" for a, to in ends.items() for b in to}
        return {path: value for path, value in self.drawn.items() if path.startswith("vessels.")}

    def felt(self, key: Callable[[Any], Any], below: str = "") -> Array:
        """(O, K) factor of active treatments on a key that each cell feels (Equation 6.4)."""
        path = path_of(key, below)
        factor = np.ones((len(self.organs), max(1, len(self.phenotypes))))
        for treatment in self.active:
            if path in treatment.change:
                factor *= np.minimum(treatment.change[path], _MOST) ** exposure(
                    self.scenario, treatment
                )
        return np.minimum(factor, LARGEST)

    def _number(self, path: str, default: Array) -> Array:
        value = self._plain(path, default)
        if not self._changed & {path, in_every_organ(path)}:
            return value
        with np.errstate(over="ignore"):
            return np.minimum(value * self._factor(path), _largest(path))

    def _plain(self, path: str, default: Array) -> Array:
        self.read.add(path)
        if path in self.drawn:
            return self.drawn[path]
        value: Any = reduce(_member, path.split("."), self.scenario)
        return default if value is None else np.array([float(value)])

    def _stack(self, paths: Sequence[str], default: float = 0.0, seed: str | None = None) -> Array:
        """Values of several key paths side by side, shape (1 or P, len(paths))."""
        columns = []
        for path in paths:
            otherwise = np.array([default])
            if seed and not self._given(path):
                otherwise = self._number(seed, otherwise)
            columns.append(self._number(path, otherwise))
        rows = max((len(column) for column in columns), default=1)
        table = np.empty((rows, len(paths)))
        for i, column in enumerate(columns):
            table[:, i] = column
        return table

    def _given(self, path: str) -> bool:
        """Whether a key is set or drawn."""
        return path in self.drawn or reduce(_member, path.split("."), self.scenario) is not None

    def _factor(self, path: str) -> float:
        """Factor of active treatments on a key; on soil, what reaches the organ (Equation 6.4)."""
        factor = 1.0
        for treatment in self.active:
            for name in {path, in_every_organ(path)} & treatment.change.keys():
                share = 1.0
                if path.startswith("soil."):
                    organ = self.organs.index(path.split(".")[1])
                    share = float(reach(self.scenario, treatment)[organ])
                factor *= min(treatment.change[name], _MOST) ** share
        return min(factor, LARGEST)


def in_every_organ(path: str) -> str:
    """The name by which a change means a soil key in every organ; others stay as they are."""
    if not path.startswith("soil."):
        return path
    return EVERY_ORGAN + path.split(".", 2)[2]


@cache
def _largest(path: str) -> float:
    """The largest value that a key may hold (a level: 1)."""
    key = find(split(path))
    return min(key.limits.get("le", LARGEST), LARGEST) if key is not None else LARGEST


def _member(part: Any, key: str) -> Any:
    if part is None:
        return None
    if isinstance(part, Mapping):
        return part.get(key)
    return getattr(part, key)
