"""From a scenario and the values drawn for its patients to arrays of parameters."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metasim.scenario.schema import Scenario

Array = NDArray[np.float64]


class Parameters:
    """Looks up numbers of a scenario by key path, with the patients' drawn values in place.

    Args:
        scenario: the scenario.
        drawn: key path -> (P,) values, one per patient; all of the same length.
    """

    def __init__(self, scenario: Scenario, drawn: Mapping[str, Array]) -> None:
        self.scenario = scenario
        self.drawn = drawn

    def number(self, path: str, default: float | str = 0.0) -> Array:
        """Value at a key path, shape (1,) or (P,).

        Args:
            path: dotted key path.
            default: where the path holds nothing: a number, or another path to look up.
        """
        if path in self.drawn:
            return self.drawn[path]
        value: Any = reduce(_member, path.split("."), self.scenario)
        if value is not None:
            return np.array([float(value)])
        if isinstance(default, str):
            return self.number(default)
        return np.array([default])

    def stack(self, paths: Sequence[str], defaults: Sequence[float | str] = ()) -> Array:
        """Values of several key paths side by side, shape (1 or P, len(paths))."""
        defaults = defaults or [0.0] * len(paths)
        columns = [self.number(*pair) for pair in zip(paths, defaults, strict=True)]
        rows = max((len(column) for column in columns), default=1)
        table = np.empty((rows, len(paths)))
        for i, column in enumerate(columns):
            table[:, i] = column
        return table


def _member(part: Any, key: str) -> Any:
    if part is None:
        return None
    if isinstance(part, Mapping):
        return part.get(key)
    return getattr(part, key)
