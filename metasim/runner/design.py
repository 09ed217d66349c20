"""The points of a sweep: which keys vary, and which values they take at each point."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from metasim.errors import OptionError, ScenarioError
from metasim.scenario.keys import Key, find, split
from metasim.scenario.schema import Scenario

Array = NDArray[np.float64]

SAMPLERS: Final = ("grid", "lhs", "sobol")
"""Designs by the name that `--design` takes."""
MOST_POINTS: Final = 1_000_000
"""Points that are run without being asked for twice."""

_HAIR: Final = Decimal("1e-6")  # of a step: a step such as 1/3 is no decimal
_FIXED: Final = ("run.patients", "run.rng_seed")  # the same patients at every point


@dataclass(frozen=True)
class Range:
    """A key and the values it may take.

    Attributes:
        key: dotted path of a number of the scenario.
        low: smallest value, in the unit of the key.
        high: largest value.
        step: distance between the values of a grid; None: not for a grid.
    """

    key: str
    low: float
    high: float
    step: float | None = None

    def __str__(self) -> str:
        return ":".join(_plain(x) for x in (self.low, self.high, self.step) if x is not None)

    def count(self) -> int:
        """How many values a grid has.

        Raises:
            OptionError: there is no step, or it does not lead to the end.
        """
        if self.step is None:
            raise OptionError(
                f"--vary {self.key}: a grid needs a step (LOW:HIGH:STEP); without one choose "
                "--design lhs or sobol and --points"
            )
        low, high, step = map(_decimal, (self.low, self.high, self.step))
        steps = int((high - low) / step + _HAIR)
        end = low + steps * step
        if abs(end - high) > _HAIR * step:
            other = f"{_plain(self.low)}:{_plain(float(end))}:{_plain(self.step)}"
            raise OptionError(
                f"--vary {self.key}={self}: the last step ends at {_plain(float(end))}, not at "
                f"{_plain(self.high)}; ask for {other if steps else 'a smaller step'}, or for a "
                "step that fits"
            )
        return steps + 1

    def values(self) -> Array:
        """The values of a grid, both ends included.

        They are added up as decimals, as they are written: 0, 0.1, 0.2, 0.3 of any scale.

        Raises:
            OptionError: there is no step, or it does not lead to the end.
        """
        count = self.count()
        low, step = _decimal(self.low), _decimal(self.step or 0.0)
        values = np.array([float(low + i * step) for i in range(count)])
        values[-1] = self.high if count > 1 else self.low
        return values


def _decimal(value: float) -> Decimal:
    """A number as the shortest decimal that stands for it."""
    return Decimal(repr(float(value)))


def _plain(value: float) -> str:
    """A number as it is written, all its digits and no more."""
    return repr(float(value)).removesuffix(".0")


@dataclass(frozen=True)
class Design:
    """The points of a sweep.

    Attributes:
        keys: what varies.
        values: (P, len(keys)) a row per point.
        kind: one of `SAMPLERS`, or what else made the points.
        asked: option -> value, from which the points came; empty: they were given.
    """

    keys: tuple[str, ...]
    values: Array
    kind: str
    asked: Mapping[str, str] = field(default_factory=dict)

    def changes(self, point: int) -> dict[str, float]:
        """Key path -> value at a point."""
        return dict(zip(self.keys, self.values[point].tolist(), strict=True))


def parse(text: str) -> Range:
    """A range from `KEY=LOW:HIGH` or `KEY=LOW:HIGH:STEP`.

    Raises:
        OptionError: it cannot be read, or there is nothing in it.
    """
    key, _, numbers = map(str.strip, text.partition("="))
    try:
        if not key:
            raise ValueError
        low, high, *step = map(float, numbers.split(":"))
        if len(step) > 1 or not np.isfinite([low, high, *step]).all():
            raise ValueError
    except ValueError:
        raise OptionError(
            f"--vary {text}: expected KEY=LOW:HIGH:STEP, such as soil.bone.niche=0:1:0.1"
        ) from None
    if high < low or (step and step[0] <= 0):
        raise OptionError(f"--vary {text}: the range is empty")
    return Range(key, low, high, *step)


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
    ranges: Sequence[Range],
    kind: str = "grid",
    points: int | None = None,
    *,
    many: bool = False,
) -> Design:
    """The points of a sweep.

    Args:
        scenario: the base.
        ranges: what varies.
        kind: "grid" (all combinations), "lhs" (Latin hypercube) or "sobol".
        points: number of points of a sample.
        many: more than `MOST_POINTS` are meant.

    Raises:
        OptionError: a key is no number or given twice, there are too many points, or none.
        ScenarioError: a key is unknown, or the scenario refuses an end of its range.
    """
    if kind not in SAMPLERS:
        raise OptionError(f"--design {kind}: unknown; choose from {', '.join(SAMPLERS)}")
    check(scenario, ranges)
    sampled = kind != "grid"
    if sampled and (points is None or points < 1):
        raise OptionError(f"--design {kind} needs --points, at least 1")
    if kind == "sobol" and points and points & (points - 1):
        below = 1 << points.bit_length() - 1
        raise OptionError(
            f"--points {points}: sobol needs a power of 2, such as {below} or {2 * below}"
        )
    if not sampled and points is not None:
        raise OptionError("--points: a grid has the points that its steps give")
    count = points or math.prod(r.count() for r in ranges)
    refuse_too_many(count, many)
    keys = tuple(r.key for r in ranges)
    if sampled:
        from scipy.stats import qmc

        sampler = (qmc.LatinHypercube if kind == "lhs" else qmc.Sobol)(
            len(keys), rng=scenario.run.rng_seed
        )
        low, high = np.array([[r.low, r.high] for r in ranges]).T
        values = np.clip(low + (high - low) * sampler.random(int(count)), low, high)
    else:
        values = np.array(list(product(*(r.values() for r in ranges))))
    asked = {"--design": kind} | ({"--points": str(points)} if sampled else {}) | varying(ranges)
    return Design(keys, whole(values, keys), kind, asked)


def varying(ranges: Sequence[Range]) -> dict[str, str]:
    """Option -> value of ranges."""
    return {f"--vary {one.key}": str(one) for one in ranges}


def check(scenario: Scenario, ranges: Sequence[Range]) -> None:
    """Check what is to vary.

    Raises:
        OptionError: a key is no number or given twice, or nothing is to vary.
        ScenarioError: a key is unknown, or the scenario refuses an end of its range.
    """
    if not ranges:
        raise OptionError("--vary is missing: nothing would vary")
    for one in ranges:
        if [other.key for other in ranges].count(one.key) > 1:
            raise OptionError(f"--vary {one.key}: given twice")
        if one.key in _FIXED:
            raise OptionError(f"--vary {one.key}: every point has the same patients")
        key = find(split(one.key))
        if key is not None and not key.is_number:
            raise OptionError(f"--vary {one.key}: it is {key.allowed()}, not a number")
        if key is not None and key.type is int and not whole_numbers(one):
            raise OptionError(f"--vary {one.key}: it takes whole numbers only")
        for value in (one.low, one.high):
            asked: Any = int(value) if key is not None and key.type is int else value
            try:
                scenario.replace({one.key: asked})
            except ScenarioError as error:
                raise ScenarioError(f"--vary {one.key}", error.mistakes) from None


def whole_numbers(one: Range) -> bool:
    """Whether a range holds whole numbers only."""
    return all(float(value).is_integer() for value in (one.low, one.high, one.step or 1.0))


def whole(values: Array, keys: Sequence[str]) -> Array:
    """Values, rounded where their key takes whole numbers."""
    found: list[Key | None] = [find(split(key)) for key in keys]
    is_int = np.array([key is not None and key.type is int for key in found])
    return np.where(is_int, np.rint(values), values)
