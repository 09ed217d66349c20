"""Checks of [patients]: what is drawn for each patient must fit the key it is drawn for."""

import math
from collections.abc import Iterator
from typing import Any

from metasim.errors import Mistake
from metasim.scenario.checks.draws import draws_mistakes, ends_given_twice
from metasim.scenario.checks.effect import idle
from metasim.scenario.checks.mixture import by_subtype_mistakes, choice_mistakes, mixture_mistakes
from metasim.scenario.distributions import FORMS, SPREADS, ends, reached
from metasim.scenario.existing import becomes_itself, names_below
from metasim.scenario.fields import FIXED, Part
from metasim.scenario.keys import Key, Path, find, join, nearest, split
from metasim.scenario.mixture import SUBTYPE
from metasim.scenario.schema import Distribution, Each, Lognormal, Normal, Scenario, Spread


def check_patients(scenario: Scenario) -> Iterator[Mistake]:
    """All mistakes of the distributions."""
    tree = scenario.model_dump()
    for path, distribution in scenario.patients.items():
        place = f"patients.{path}"
        if path == SUBTYPE:
            yield from (Mistake(place, *said) for said in mixture_mistakes(distribution))
            continue
        key = find(split(path))
        told = key is not None and key.type is bool and distribution.by_subtype is not None
        wrong = [] if told else [*_key_mistakes(scenario, tree, split(path), key)]
        wrong += _own_mistakes(distribution)
        if not wrong:
            wrong += by_subtype_mistakes(scenario, path)
        if key is not None and not wrong:
            wrong += [
                said for part in _parts(distribution) for said in _support_mistakes(part, key)
            ]
        yield from (Mistake(place, message, hint) for message, hint in wrong)
    yield from _length_mistakes(scenario)
    yield from _draws_mistakes(scenario)


def _parts(distribution: Distribution) -> list[Spread | float]:
    """The distribution, or those and the values of its subtypes."""
    return (
        [distribution] if distribution.by_subtype is None else [*distribution.by_subtype.values()]
    )


def _length_mistakes(scenario: Scenario) -> Iterator[Mistake]:
    """Too few rows of a table of patients, said once."""
    wanted = scenario.run.patients
    for path, distribution in scenario.patients.items():
        if distribution.each and len(distribution.each.values) < wanted:
            found = len(distribution.each.values)
            message = (
                f"{found:,} patients have a value of their own, but run.patients is {wanted:,}"
            )
            yield Mistake(f"patients.{path}", message, f"ask for {found:,} at most")
            return


def _draws_mistakes(scenario: Scenario) -> Iterator[Mistake]:
    """Draws of several posteriors, which would make no sense together, said once."""
    weights = {path: d.draws.weights for path, d in scenario.patients.items() if d.draws}
    first = next(iter(weights), "")
    for path, own in weights.items():
        if own != weights[first]:
            message = f"its draws have other weights than those of {first}"
            yield Mistake(f"patients.{path}", message, "all draws are of one posterior")
            return


def _key_mistakes(
    scenario: Scenario, tree: dict[str, Any], path: Path, key: Key | None
) -> Iterator[tuple[str, str]]:
    for depth in range(1, len(path) + 1):
        names = names_below(scenario, tree, path[: depth - 1])
        if path[depth - 1] not in names:
            place = join(path[: depth - 1]) or "the scenario"
            hint = nearest(str(path[depth - 1]), names)
            yield f'there is no key "{join(path)}": {place} has no "{path[depth - 1]}"', hint
            return
    alike = key is not None and key.is_number and key.varies is FIXED
    if alike or key is None or not key.is_number:
        what = "is the same for every patient" if alike else "is not a number"
        yield f"{join(path)} {what}; only numbers of the biology and the clinic can be drawn", ""
    elif becomes_itself(path):
        yield f"{join(path)}: a phenotype cannot become itself", ""
    elif reason := idle(scenario, path):
        yield f"{join(path)} {reason}", ""


def _own_mistakes(distribution: Distribution) -> Iterator[tuple[str, str]]:
    if distribution.factor_by_subtype and (distribution.each or distribution.by_subtype):
        other = "each" if distribution.each else "by_subtype"
        yield f"{other} says every value, so factor_by_subtype cannot stand beside it", ""
        return
    if distribution.draws and distribution.by_subtype is not None:
        yield "draws of a posterior and by_subtype cannot stand together", ""
        return
    if distribution.draws:
        given = [form for form in FORMS if getattr(distribution, form) is not None]
        yield from draws_mistakes(distribution, given)
        return
    yield from _form_mistakes(distribution, FORMS)
    if distribution.by_subtype is None:
        return
    if not distribution.by_subtype:
        yield "by_subtype needs a value for at least one subtype", ""
    for name, part in distribution.by_subtype.items():
        if isinstance(part, Spread):
            for message, hint in _form_mistakes(part, SPREADS):
                yield f"{name}: {message}", hint


def _form_mistakes(distribution: Spread, forms: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    given = [form for form in forms if getattr(distribution, form) is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        yield f"exactly one of {', '.join(forms)} must be given; found {found}", ""
        return
    if isinstance(shape := getattr(distribution, given[0]), Part):
        yield from _end_mistakes(shape)
    if isinstance(distribution, Distribution) and distribution.each == Each(values=[]):
        yield "each needs a value for each patient", ""
    if distribution.choice:
        yield from choice_mistakes(distribution.choice)


def _end_mistakes(shape: Part) -> Iterator[tuple[str, str]]:
    """What is wrong with the ends of a distribution."""
    if twice := ends_given_twice(shape.model_dump(exclude_none=True)):
        yield twice
        return
    low, high = (getattr(shape, end, None) for end in ("low", "high"))
    if isinstance(shape, Lognormal | Normal):
        low, high = ends(shape)
    narrow = getattr(shape, "sigma", getattr(shape, "sd", None)) == 0 and low == high
    if low is not None and high is not None and low >= high and not narrow:
        yield f"low ({low:g}) must be below high ({high:g})", ""
    if isinstance(shape, Lognormal) and high is not None and high <= 0:
        yield f"high ({high:g}) must be above 0, as every value of a log-normal is", ""


def _support_mistakes(distribution: Spread | float, key: Key) -> Iterator[tuple[str, str]]:
    if not isinstance(distribution, Spread):
        yield from _row_mistakes([float(distribution)], key, "a subtype")
        return
    if isinstance(distribution, Distribution) and distribution.each:
        yield from _row_mistakes(distribution.each.values, key)
        return
    low, high = reached(distribution)
    limits = key.limits
    below = low < limits.get("ge", -math.inf) or low <= limits.get("gt", -math.inf)
    above = high > limits.get("le", math.inf) or high >= limits.get("lt", math.inf)
    if below or above:
        ends = " and ".join(end for end, out in (("low", below), ("high", above)) if out)
        bounded = distribution.lognormal or distribution.normal
        hint = f"add {ends}" if bounded else ""
        yield f"it can leave what the key may hold: {key.allowed()}", hint


def _row_mistakes(values: list[float], key: Key, of: str = "") -> Iterator[tuple[str, str]]:
    """The first value of a table of patients that its key does not take."""
    low, above = key.limits.get("ge", -math.inf), key.limits.get("gt", -math.inf)
    high, below = key.limits.get("le", math.inf), key.limits.get("lt", math.inf)
    for patient, value in enumerate(values):
        fits = low <= value <= high and (above < value or above == -math.inf)
        fits = fits and (value < below or below == math.inf)
        if not fits or (key.type is int and not float(value).is_integer()):
            yield f"{of or f'patient {patient}'} has {value:.12g}; it takes {key.allowed()}", ""
            return
