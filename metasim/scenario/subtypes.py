"""Which subtypes the patients of a scenario are of, and what those of each have of a key."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

from metasim.scenario.mixture import SUBTYPE
from metasim.scenario.schema import Scenario, Spread

Part = float | Spread
"""What patients of a subtype have of a key: the same for all, or a distribution."""


def subtypes_of(scenario: Scenario) -> list[str]:
    """Names of the subtypes that patients can be of, in the order of `drawn["seed.subtype"]`.

    Empty if the scenario names none.
    """
    drawn = scenario.patients.get(SUBTYPE)
    if drawn is not None:
        return [str(name) for name in drawn.choice.values] if drawn.choice else []
    return [scenario.seed.subtype] if scenario.seed.subtype is not None else []


def mixture_words(scenario: Scenario) -> str:
    """Which subtypes a scenario mixes, with their shares; empty: it does not mix any."""
    drawn = scenario.patients.get(SUBTYPE)
    if drawn is None or drawn.choice is None:
        return ""
    return shares_said(drawn.choice.values, drawn.choice.weights)


def shares_said(names: Sequence[object], weights: Sequence[float] | None) -> str:
    """Subtypes with their shares: "luminal_a 60 %, triple_negative 40 %"."""
    if weights and not all(isinstance(weight, int | float) for weight in weights):
        return ", ".join(map(str, names))  # a file that is not checked yet
    parts = list(weights) if weights else [1.0] * len(names)
    total = sum(parts) or 1.0
    return ", ".join(f"{n} {100 * w / total:.3g} %" for n, w in zip(names, parts, strict=False))


def parts_of(scenario: Scenario, path: str) -> list[Part | None]:
    """What patients of each subtype have of a key that is drawn by subtype.

    Args:
        scenario: the scenario.
        path: a key of `patients` with `by_subtype`.

    Returns:
        One for each of `subtypes_of` (one at least): the distribution or value of that subtype,
        else the plain value of the key; None: there is neither.
    """
    given = scenario.patients[path].by_subtype or {}
    plain = plain_value(scenario, path)
    parts = [given.get(name, plain) for name in subtypes_of(scenario) or [""]]
    return [float(part) if isinstance(part, int | float) else part for part in parts]


def factors_of(scenario: Scenario, path: str) -> list[float]:
    """Factor of each of `subtypes_of` (one at least) by which values of a drawn key are multiplied.

    Args:
        scenario: the scenario.
        path: a key of `patients`.
    """
    given = scenario.patients[path].factor_by_subtype or {}
    return [given.get(name, 1.0) for name in subtypes_of(scenario) or [""]]


def drawn_factors_of(scenario: Scenario, path: str) -> dict[int, list[float]]:
    """Place of a subtype in `subtypes_of` -> its factors, one for each draw of a posterior."""
    draws = scenario.patients[path].draws
    given = (draws.factor_by_subtype if draws is not None else None) or {}
    names = subtypes_of(scenario)
    return {place: given[name] for place, name in enumerate(names) if name in given}


def is_drawn(scenario: Scenario, path: str) -> bool:
    """Whether a key of `patients` is drawn, or comes from a table, for patients of some subtype.

    A key that only has a value for each subtype is not.
    """
    if scenario.patients[path].by_subtype is None:
        return True
    return any(isinstance(part, Spread) for part in parts_of(scenario, path))


def plain_value(scenario: Scenario, path: str) -> Any:
    """The value that a key has beside its distribution; None: it is unset."""
    return reduce(_member, path.split("."), scenario)


def _member(part: Any, key: str) -> Any:
    return part.get(key) if isinstance(part, dict) else getattr(part, key, None)
