"""Rank correlations as files give them: `[patients.correlation.KEY]` of pairs of keys.

In a scenario they stand apart from the distributions, each pair once, its keys in order of the
alphabet: so a later layer changes a correlation whichever way round it names the two.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from metasim.errors import Mistake
from metasim.scenario.fields import REMOVED
from metasim.scenario.keys import join, shown, split

if TYPE_CHECKING:
    from metasim.scenario.layers import Layer

Array = NDArray[np.float64]
NAME: Final = "correlation"


def correlations_apart(table: Mapping[str, Any], out: "Layer") -> dict[str, Any]:
    """A file's table with its correlations taken out of `patients`, as ordered pairs.

    Args:
        table: what the file holds; it stays as it is.
        out: takes the mistakes.
    """
    drawn = table.get("patients")
    if not isinstance(drawn, Mapping):
        return dict(table)
    found = {k: v for k, v in drawn.items() if k.partition(".")[0] == NAME}
    if not found:
        return dict(table)
    rest = {k: v for k, v in drawn.items() if k not in found}
    if found.get(NAME) == REMOVED:
        return {**table, "patients": rest, NAME: REMOVED}
    pairs: dict[str, dict[str, Any]] = {}
    for path, value in _ends(found):
        _, *names = split(f"patients.{path}")
        if len(names) != 2:
            message = f"takes a correlation with another key, not {shown(value)}"
            hint = '[patients.correlation.KEY] holds lines such as "OTHER.KEY" = 0.4'
            out.mistakes.append(Mistake(f"patients.{path}", message, hint))
            continue
        one, other = sorted(map(str, names))
        if pairs.setdefault(one, {}).setdefault(other, value) != value:
            where = join((NAME, *names))
            out.mistakes.append(Mistake(where, "is given twice, with different values"))
    return {**table, "patients": rest, NAME: pairs}


def _ends(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and value, quoted keys and nested tables alike; an annotated value is one."""
    for name, value in table.items():
        inside = f"{path}.{name}" if path else name
        if isinstance(value, Mapping) and "value" not in value:
            yield from _ends(value, inside)
        else:
            yield inside, value


def rank_matrix(pairs: Mapping[str, Mapping[str, float]]) -> tuple[list[str], Array]:
    """Keys that correlate, in order of the alphabet, and (n, n) their rank correlations.

    The order does not depend on that of the files, so neither do the values drawn.
    """
    names = sorted({*pairs, *(other for others in pairs.values() for other in others)})
    out = np.eye(len(names))
    for one, others in pairs.items():
        for other, rank in others.items():
            i, j = names.index(one), names.index(other)
            out[i, j] = out[j, i] = rank
    return names, out


def drop_correlations(tree: dict[str, Any], key: str | None = None) -> None:
    """Take the correlations of a key out of a tree of values; None: all of them."""
    pairs = tree.get(NAME)
    if not isinstance(pairs, dict):
        return
    for one in list(pairs):
        if key in (None, one):
            del pairs[one]
        else:
            pairs[one].pop(key, None)
            if not pairs[one]:
                del pairs[one]
