"""The points of a sweep: which values the keys that vary take at each point."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from metasim.errors import Mistake, OptionError, ScenarioError
from metasim.runner.vary import Range, Value, Vary, parse, spoken
from metasim.scenario.keys import Key, find, split
from metasim.scenario.schema import Scenario

__all__ = ["Design", "Range", "Vary", "design", "parse"]

Array = NDArray[np.float64]

SAMPLERS: Final = ("grid", "lhs", "sobol")
"""Designs by the name that `--design` takes."""
MOST_POINTS: Final = 1_000_000
"""Points that are run without being asked for twice."""

_MOST_CHECKED: Final = 2_000  # points, before the first patient; takes some 2 ms each
_FIXED: Final = ("run.patients", "run.rng_seed")  # the same patients at every point


@dataclass(frozen=True)
class Design:
    """The points of a sweep.

    Attributes:
        keys: what varies.
        values: (P, len(keys)) a row per point; a name by its place in `names`.
        sampler: one of `SAMPLERS`, or what else made the points.
        asked: option -> value, from which the points came; empty: they were given.
        names: key -> names that its values stand for; of keys that take names only.
        scales: key -> "log", of keys that vary so.
    """

    keys: tuple[str, ...]
    values: Array
    sampler: str
    asked: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    scales: Mapping[str, str] = field(default_factory=dict)

    def changes(self, point: int) -> dict[str, Value]:
        """Key path -> value at a point, whole where the key takes whole numbers."""
        out: dict[str, Value] = {}
        for key, value in zip(self.keys, self.values[point].tolist(), strict=True):
            if key in self.names:
                out[key] = self.names[key][int(value)]
            else:
                out[key] = int(value) if _is_whole(key) else value
        return out

    def spoken(self, point: int) -> str:
        """A point in words: "soil.bone.niche=0.5, seed.subtype=her2"."""
        return ", ".join(f"{key}={spoken(value)}" for key, value in self.changes(point).items())


def refuse_too_many(count: float, many: bool) -> None:
    """Refuse more than `MOST_POINTS` points unless `many` are meant.

    Raises:
        OptionError: there are too many.
    """
    if count > MOST_POINTS and not many:
        said = f"{min(count, 1e15):,.0f}"
        raise OptionError(f"{said} points are more than {MOST_POINTS:,}; --yes if you mean it")


def design(
    scenario: Scenario,
    ranges: Sequence[Vary],
    sampler: str = "grid",
    points: int | None = None,
    *,
    many: bool = False,
) -> Design:
    """The points of a sweep, each of them a scenario that can be run.

    Args:
        scenario: the base.
        ranges: what varies.
        sampler: "grid" (all combinations), "lhs" (Latin hypercube) or "sobol".
        points: number of points of a sample.
        many: more than `MOST_POINTS` are meant.

    Raises:
        OptionError: a key is no number or given twice, there are too many points, or none.
        ScenarioError: a key is unknown, or the scenario refuses some of the points.
    """
    if sampler not in SAMPLERS:
        raise OptionError(f"--design {sampler}: unknown; choose from {', '.join(SAMPLERS)}")
    check(scenario, ranges)
    sampled = sampler != "grid"
    if sampled and (points is None or points < 1):
        raise OptionError(f"--design {sampler} needs --points, at least 1")
    if sampler == "sobol" and points and points & (points - 1):
        below = 1 << points.bit_length() - 1
        raise OptionError(
            f"--points {points}: sobol needs a power of 2, such as {below} or {2 * below}"
        )
    if not sampled and points is not None:
        raise OptionError("--points: a grid has the points that its steps give")
    count = points or math.prod(r.count() for r in ranges)
    refuse_too_many(count, many)
    values = (
        _sample(ranges, sampler, count, scenario.run.rng_seed)
        if sampled
        else np.array(list(product(*(r.values() for r in ranges))))
    )
    asked = {"--design": sampler} | ({"--points": str(points)} if sampled else {}) | varying(ranges)
    out = designed(ranges, values, sampler, asked)
    check_points(scenario, out)
    return out


def designed(
    ranges: Sequence[Vary], values: Array, sampler: str, asked: Mapping[str, str]
) -> Design:
    """A design of points over ranges, whole numbers where the keys take these."""
    keys = tuple(one.key for one in ranges)
    names = {one.key: one.names for one in ranges if one.names}
    scales = {one.key: "log" for one in ranges if isinstance(one, Range) and one.log}
    whole = np.array([_is_whole(key) and key not in names for key in keys])
    return Design(keys, np.where(whole, np.rint(values), values), sampler, asked, names, scales)


def _sample(ranges: Sequence[Vary], sampler: str, count: int, rng_seed: int) -> Array:
    from scipy.stats import qmc

    drawn_by = qmc.LatinHypercube if sampler == "lhs" else qmc.Sobol
    places = drawn_by(len(ranges), rng=rng_seed).random(count)
    return np.stack([one.at(places[:, k]) for k, one in enumerate(ranges)], axis=1)


def varying(ranges: Sequence[Vary]) -> dict[str, str]:
    """Option -> value of ranges."""
    return {f"--vary {one.key}": str(one) for one in ranges}


def check(scenario: Scenario, ranges: Sequence[Vary]) -> None:
    """Check what is to vary, each key by itself.

    Raises:
        OptionError: a key is no number or given twice, or nothing is to vary.
        ScenarioError: a key is unknown, or holds a table.
    """
    if not ranges:
        raise OptionError("--vary is missing: nothing would vary")
    for one in ranges:
        if [other.key for other in ranges].count(one.key) > 1:
            raise OptionError(f"--vary {one.key}: given twice")
        if one.key in _FIXED:
            raise OptionError(f"--vary {one.key}: every point has the same patients")
        key = find(split(one.key))
        if key is None:
            try:
                scenario.replace({one.key: one.given()[0]})
            except ScenarioError as error:
                raise ScenarioError(f"--vary {one.key}", error.mistakes) from None
        elif isinstance(one, Range) and not key.is_number:
            raise OptionError(f"--vary {one.key}: it is {key.allowed()}, not a number")
        elif _is_whole(one.key) and not one.names and not _whole_numbers(one):
            raise OptionError(f"--vary {one.key}: it takes whole numbers only")


def check_points(scenario: Scenario, plan: Design) -> None:
    """Make sure that every point can be run, before the first one is.

    Of more than some thousand points, the corners, each value (of a thousand) and others in between
    are tried; others that cannot be run end as failures of their patients.

    Raises:
        ScenarioError: with the points that the scenario refuses, each with the first reason.
    """
    mistakes = []
    for point in _tried(plan):
        try:
            scenario.replace(plan.changes(point))
        except ScenarioError as error:
            mistakes.append(Mistake(plan.spoken(point), str(error.mistakes[0])))
    if mistakes:
        options = ", ".join(f"--vary {key}" for key in plan.keys)
        said = f"{options}: {len(mistakes):,} of {len(plan.values):,} points"
        raise ScenarioError(said, mistakes)


def _tried(plan: Design) -> list[int]:
    """Points to check: all, or the corners, each value at least once, and others in between."""
    values, most = plan.values, _MOST_CHECKED // 4
    if len(values) <= _MOST_CHECKED:
        return list(range(len(values)))
    extreme = (values == values.min(axis=0)) | (values == values.max(axis=0))
    corners = np.flatnonzero(extreme.all(axis=1))[:most]
    edges = [*values.argmin(axis=0), *values.argmax(axis=0)]
    firsts = np.concatenate([np.unique(column, return_index=True)[1] for column in values.T])
    spread = np.linspace(0, len(values) - 1, most).astype(int)
    some = firsts[:: max(1, len(firsts) // most)]
    return sorted({*corners.tolist(), *map(int, edges), *some.tolist(), *spread.tolist()})


def _whole_numbers(one: Vary) -> bool:
    """Whether these are whole numbers only."""
    given: list[Any] = list(one.given())
    if isinstance(one, Range) and one.points is None:
        given.append(one.step or 1.0)
    return all(float(value).is_integer() for value in given)


def _is_whole(path: str) -> bool:
    """Whether a key takes whole numbers."""
    key: Key | None = find(split(path))
    return key is not None and key.type is int
