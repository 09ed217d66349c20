"""The engine's source as Python runs it: rows of structured arrays read by the names of columns.

numpy has `recarray` for this, whose rows take thirty times as long to read.
"""

from collections.abc import Callable
from typing import Any

import numpy as np


class Row:
    """A row of a structured array; reads and writes go to the array."""

    __slots__ = ("_at", "_columns")

    def __init__(self, columns: dict[str, Any], at: Any) -> None:
        object.__setattr__(self, "_columns", columns)
        object.__setattr__(self, "_at", at)

    def __getattr__(self, name: str) -> Any:
        return self._columns[name][self._at]

    def __setattr__(self, name: str, value: Any) -> None:
        self._columns[name][self._at] = value


class Rows:
    """A structured array that hands out `Row`s."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self._columns = columns
        first = next(iter(columns.values()))
        self.shape, self._axes = first.shape, first.ndim

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, at: Any) -> Any:
        indices = at if isinstance(at, tuple) else (at,)
        if len(indices) == self._axes and not any(isinstance(i, slice) for i in indices):
            return Row(self._columns, at)
        part = {name: column[at] for name, column in self._columns.items()}
        return Rows(part)

    def __setitem__(self, at: Any, row: Row) -> None:
        for name, column in self._columns.items():
            column[at] = getattr(row, name)


def _readable(part: Any) -> Any:
    if isinstance(part, tuple):
        parts = map(_readable, part)
        return type(part)(*parts) if hasattr(part, "_fields") else tuple(parts)
    if isinstance(part, np.ndarray) and part.dtype.names:
        return Rows({name: part[name] for name in part.dtype.names})
    return part


def uncompiled(function: Callable[..., None], *examples: Any) -> Callable[..., None]:
    """In place of `metasim.engines.colonies.kernel.ready`, where numba is disabled."""
    return lambda *arguments: function(*map(_readable, arguments))
