"""Checks of the draws of a posterior: of the key, or of parameters of the distribution beside."""

import math
from collections.abc import Iterator, Mapping

from metasim.scenario.schema import Distribution


def draws_mistakes(distribution: Distribution, given: list[str]) -> Iterator[tuple[str, str]]:
    """Message and hint of each mistake of a distribution with `draws`.

    Args:
        distribution: what is checked.
        given: names of the distributions that stand beside the draws.
    """
    assert distribution.draws is not None
    columns = distribution.draws.model_dump(exclude_none=True)
    weights, factors = columns.pop("weights"), columns.pop("factor_by_subtype", {})
    if not 0 < sum(weights) < math.inf:
        yield "the weights of draws must not all be 0, and there is at least one draw", ""
        return
    lengths = {name: len(values) for name, values in (columns | factors).items()}
    if short := [name for name, length in lengths.items() if length != len(weights)]:
        name = short[0]
        yield f"draws have {lengths[name]} of {name} but {len(weights)} weights", ""
        return
    if "value" in columns:
        if given or factors or len(columns) > 1:
            names = [*given, *columns, *(["factor_by_subtype"] if factors else [])]
            others = " and ".join(name for name in names if name != "value")
            yield f"draws of its value stand alone; found {others} beside them", ""
        return
    named = " and ".join([*columns, *(["factor_by_subtype"] if factors else [])]) or "nothing"
    shape = getattr(distribution, given[0]) if len(given) == 1 else None
    none = not columns and not factors
    if shape is None or none or not columns.keys() <= type(shape).model_fields.keys():
        found = " and ".join(given) or "no distribution"
        yield f"draws of {named} need a distribution with that beside them; found {found}", ""
        return
    if twice := ends_given_twice(shape.model_dump(exclude_none=True) | columns):
        yield twice
        return
    yield from _range_mistakes(columns, shape.model_dump())


def ends_given_twice(shape: Mapping[str, object]) -> tuple[str, str] | None:
    """Message and hint if a distribution has a value and standard deviations for the same end."""
    for end in ("low", "high"):
        if end in shape and f"{end}_sds" in shape:
            return f"{end} and {end}_sds both say where it ends", "give one of them"
    return None


def _range_mistakes(
    columns: dict[str, list[float]], shape: dict[str, float | None]
) -> Iterator[tuple[str, str]]:
    """Draws that make no distribution."""
    for name, least in (("median", "above 0"), ("sigma", "at least 0"), ("sd", "at least 0")):
        bad = [v for v in columns.get(name, []) if v < 0 or (v == 0 and name == "median")]
        if bad:
            yield f"a draw of {name} is {bad[0]:g}; it has to be {least}", ""
            return
    lows, highs = (columns.get(end, [shape.get(end)]) for end in ("low", "high"))
    for low, high in zip(lows * len(highs), highs * len(lows), strict=True):
        if low is not None and high is not None and low >= high:
            yield f"a draw has low ({low:g}) that is not below high ({high:g})", ""
            return
