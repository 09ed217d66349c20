"""Whose tumour a condition is for: by subtype and receptors, which do not change in a patient."""

import itertools
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from metasim.scenario.distributions import reached
from metasim.scenario.mixture import SUBTYPE
from metasim.scenario.schema import Scenario
from metasim.scenario.subtypes import parts_of, plain_value, subtypes_of
from metasim.scenario.treatment import Condition

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

RECEPTORS: Final = ("er_positive", "her2_positive")


def suits(scenario: Scenario, asked: Condition | None, drawn: Mapping[str, Array]) -> Flags:
    """(P,) or, where all are alike, (1,): whose subtype and receptors a condition is for.

    Args:
        scenario: what is asked.
        asked: the condition; None: everybody's.
        drawn: key path -> (P,) values, as `metasim.scenario.draws.draw_parameters` gives.
    """
    out = np.ones(1, np.bool_)
    if asked is None:
        return out
    if asked.subtype is not None:
        named = np.array([name in asked.subtype for name in subtypes_of(scenario)] or [False])
        out = out & named[drawn.get(SUBTYPE, np.zeros(1)).astype(np.int64)]
    for name in RECEPTORS:
        wanted, key = getattr(asked, name), f"seed.{name}"
        if wanted is not None:
            plain = plain_value(scenario, key)
            alike = np.array([np.nan if plain is None else float(plain)])  # NaN: unknown
            out = out & (drawn.get(key, alike) == float(wanted))
    return out


def suits_someone(scenario: Scenario, asked: Condition | None) -> bool:
    """Whether a patient of this scenario can have a tumour that a condition is for."""
    return bool(suits(scenario, asked, possible(scenario)).any())


def possible(scenario: Scenario) -> dict[str, Array]:
    """Subtype and receptors of all tumours that patients can have, as if they had been drawn."""
    keys = [SUBTYPE, *(f"seed.{name}" for name in RECEPTORS)]
    rows = [
        (float(place), *both)
        for place in range(max(1, len(subtypes_of(scenario))))
        for both in itertools.product(*(_values(scenario, key, place) for key in keys[1:]))
    ]
    return dict(zip(keys, np.array(rows).T, strict=True))


def _values(scenario: Scenario, key: str, place: int) -> list[float]:
    """0 or 1 for false and true: what patients of a subtype can have of a key; NaN: unknown."""
    distribution = scenario.patients.get(key)
    if distribution is None:
        plain = plain_value(scenario, key)
        return [np.nan if plain is None else float(plain)]
    if distribution.by_subtype is None:
        return sorted({*reached(distribution)})
    part = parts_of(scenario, key)[place]
    if isinstance(part, int | float):
        return [float(part)]
    return [np.nan] if part is None else sorted({*reached(part)})
