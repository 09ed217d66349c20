"""Checks of a mixture of subtypes, of what is given by subtype, and of correlations."""

import math
from collections.abc import Iterator
from typing import Final

from metasim.errors import Mistake
from metasim.law.copula import mixing, normal_correlation
from metasim.scenario.correlations import rank_matrix
from metasim.scenario.keys import join, nearest, shown
from metasim.scenario.mixture import SUBTYPE
from metasim.scenario.schema import Choice, Distribution, Scenario
from metasim.scenario.subtypes import is_drawn, parts_of, subtypes_of

TOLERANCE: Final = 1e-6
"""Shares that should sum to 1 may miss it by this much."""


def choice_mistakes(choice: Choice, *, names: bool = False) -> Iterator[tuple[str, str]]:
    """What is wrong with a choice: of numbers, or of names."""
    values, weights = choice.values, choice.weights
    if not values:
        yield "choice needs at least one of values", ""
    for value in values:
        if isinstance(value, str) is not names:
            wanted = "names of subtypes" if names else "numbers"
            yield f"choice is between {wanted}, not {shown(value)}", ""
            return
    if weights is not None and len(weights) != len(values):
        yield f"choice has {len(values)} values but {len(weights)} weights", ""
    elif weights is not None and values and not 0 < sum(weights) < math.inf:
        yield "the weights of a choice must not all be 0", ""


def mixture_mistakes(distribution: Distribution) -> Iterator[tuple[str, str]]:
    """What is wrong with the draw of the subtype: message and hint."""
    choice = distribution.choice
    if choice is None or len(distribution.model_dump(exclude_none=True)) != 1:
        example = 'choice = { values = ["luminal_a", "triple_negative"], weights = [0.8, 0.2] }'
        yield "a subtype is drawn as a choice between names", f"such as {example}"
        return
    if wrong := [*choice_mistakes(choice, names=True)]:
        yield from wrong
        return
    twice = [name for name in dict.fromkeys(choice.values) if choice.values.count(name) > 1]
    if twice:
        yield f"{shown(twice[0])} is given twice", ""
    weights = choice.weights or []
    for name, weight in zip(choice.values, weights, strict=False):
        if weight <= 0:
            yield f"the share of {name} is {weight:g}; it must be above 0", "leave it out"
            return
    if weights and abs(sum(weights) - 1.0) > TOLERANCE:
        yield f"the shares of the subtypes sum to {sum(weights):.7g}; they must sum to 1", ""


def by_subtype_mistakes(scenario: Scenario, path: str) -> Iterator[tuple[str, str]]:
    """What is wrong with the names of a distribution by subtype: message and hint."""
    own = scenario.patients[path]
    given = [name for name in ("by_subtype", "factor_by_subtype") if getattr(own, name)]
    mixed = subtypes_of(scenario)
    if given and not mixed:
        yield f"{given[0]} needs a subtype: {SUBTYPE} is neither given nor drawn", ""
    if not mixed or own.by_subtype is None:
        return
    parts = zip(mixed, parts_of(scenario, path), strict=True)
    if left := [name for name, part in parts if part is None]:
        names = " and ".join(left)
        yield f"says nothing of {names}, and {path} has no value beside it", ""


def check_correlations(scenario: Scenario) -> Iterator[Mistake]:
    """All mistakes of the rank correlations."""
    wrong = []
    for one, others in scenario.correlation.items():
        for other in others:
            key = join(("correlation", one, other))
            for name in dict.fromkeys((one, other)):
                if reason := _not_drawn(scenario, name):
                    wrong.append(Mistake(key, f"{name} {reason}", _hint(scenario, name)))
            if one == other:
                wrong.append(Mistake(key, "a key goes with itself; give another"))
    yield from wrong
    names, rank = rank_matrix(scenario.correlation)
    if not wrong and names and mixing(normal_correlation(rank)) is None:
        message = "these correlations contradict each other: no values go together like this "
        message += "(the matrix is not positive semi-definite)"
        yield Mistake("patients.correlation", message, "make some of them weaker")


def _not_drawn(scenario: Scenario, path: str) -> str:
    """Why a key cannot correlate; empty: it can."""
    distribution = scenario.patients.get(path)
    if path == SUBTYPE:
        return "is a name, which has no rank"
    if distribution is None:
        return "is not drawn, so nothing goes with it"
    if distribution.each:
        return "comes from a table of patients, so nothing is drawn that could go with it"
    if distribution.draws and distribution.draws.value is not None:
        return "comes from a posterior, in which it goes with others already"
    return "" if is_drawn(scenario, path) else "is not drawn: each subtype has one value"


def _hint(scenario: Scenario, path: str) -> str:
    drawn = [key for key in scenario.patients if not _not_drawn(scenario, key)]
    return nearest(path, drawn)
