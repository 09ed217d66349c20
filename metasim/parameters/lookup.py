"""From a scenario, the values drawn for its patients and active treatments to parameters."""

from collections.abc import Mapping, Sequence
from functools import cache, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metasim.parameters.exposure import EVERY_ORGAN, exposure, reach
from metasim.scenario.keys import find, split
from metasim.scenario.schema import Scenario
from metasim.scenario.treatment import Treatment

Array = NDArray[np.float64]


class Parameters:
    """Looks up numbers of a scenario by key path, with the patients' drawn values in place.

    Args:
        scenario: the scenario.
        drawn: key path -> (P,) values, one per patient; all of the same length.
        active: treatments whose changes are in force.
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
        self._changed = {path for treatment in active for path in treatment.change}

    def number(self, path: str, default: float | str = 0.0) -> Array:
        """Value at a key path, shape (1,) or (P,), changed by the active treatments.

        Args:
            path: dotted key path.
            default: where the path holds nothing: a number, or another path to look up.
        """
        value = self.plain(path, default)
        if not self._changed & {path, _in_every_organ(path)}:
            return value
        return np.minimum(value * self._factor(path), _largest(path))

    def plain(self, path: str, default: float | str = 0.0) -> Array:
        """As `number`, without the changes of treatments to this key."""
        if path in self.drawn:
            return self.drawn[path]
        value: Any = reduce(_member, path.split("."), self.scenario)
        if value is not None:
            return np.array([float(value)])
        if isinstance(default, str):
            return self.number(default)
        return np.array([default])

    def felt(self, path: str) -> Array:
        """(O, K) factor of the active treatments on a key whose change each cell feels itself."""
        kinds = max(1, len(self.scenario.seed.phenotypes))
        factor = np.ones((len(self.scenario.soil), kinds))
        for treatment in self.active:
            if path in treatment.change:
                factor *= treatment.change[path] ** exposure(self.scenario, treatment)
        return factor

    def stack(self, paths: Sequence[str], defaults: Sequence[float | str] = ()) -> Array:
        """Values of several key paths side by side, shape (1 or P, len(paths))."""
        defaults = defaults or [0.0] * len(paths)
        columns = [self.number(*pair) for pair in zip(paths, defaults, strict=True)]
        rows = max((len(column) for column in columns), default=1)
        table = np.empty((rows, len(paths)))
        for i, column in enumerate(columns):
            table[:, i] = column
        return table

    def _factor(self, path: str) -> float:
        """Factor of the active treatments on a key; on soil, as much as reaches the organ."""
        factor = 1.0
        for treatment in self.active:
            for name in {path, _in_every_organ(path)} & treatment.change.keys():
                share = 1.0
                if path.startswith("soil."):
                    organ = list(self.scenario.soil).index(path.split(".")[1])
                    share = float(reach(self.scenario, treatment)[organ])
                factor *= treatment.change[name] ** share
        return factor


def _in_every_organ(path: str) -> str:
    """The name by which a change means a soil key in every organ; others stay as they are."""
    if not path.startswith("soil."):
        return path
    return EVERY_ORGAN + path.split(".", 2)[2]


@cache
def _largest(path: str) -> float:
    """The largest value that a key may hold (a level: 1)."""
    key = find(split(path))
    return key.limits.get("le", np.inf) if key is not None else np.inf


def _member(part: Any, key: str) -> Any:
    if part is None:
        return None
    if isinstance(part, Mapping):
        return part.get(key)
    return getattr(part, key)
