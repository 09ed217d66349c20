"""What varies in a sweep: ranges and lists of values, as `--vary` writes them.

KEY=LOW:HIGH:STEP      from LOW to HIGH in steps; both ends are run
KEY=LOW:HIGH:N@log     N values from LOW to HIGH, each the same multiple of the one before
KEY=LOW:HIGH:N@lin     N values from LOW to HIGH, at equal distances
KEY=LOW:HIGH           for a sample (Latin hypercube, Sobol): anywhere in between
KEY=LOW:HIGH@log       the same, evenly in the logarithm
KEY=A,B,C              these values, numbers or names; a sample takes each equally often
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from metasim.errors import OptionError
from metasim.scenario.load import parse_override

Array = NDArray[np.float64]
Value = float | int | bool | str

_HAIR: Final = Decimal("1e-6")  # of a step: a step such as 1/3 is no decimal
_SCALES: Final = ("log", "lin")
_FORMS: Final = (
    "expected KEY=LOW:HIGH:STEP, such as soil.bone.niche=0:1:0.1, KEY=LOW:HIGH:N@log, or values, "
    "KEY=A,B,C"
)


@dataclass(frozen=True)
class Range:
    """A key and the range of its values.

    Attributes:
        key: dotted path of a number of the scenario.
        low: smallest value, in the unit of the key.
        high: largest value.
        step: distance between the values of a grid; None: not for a grid, unless `points`.
        points: number of values of a grid, instead of a step.
        log: values lie evenly in their logarithm.
    """

    key: str
    low: float
    high: float
    step: float | None = None
    points: int | None = None
    log: bool = False

    @property
    def names(self) -> tuple[Value, ...]:
        """None: these are numbers, see `Choice`."""
        return ()

    def __str__(self) -> str:
        parts = (self.low, self.high, self.step, self.points)
        text = ":".join(plain(x) for x in parts if x is not None)
        if self.points is None and not self.log:
            return text
        return f"{text}@{'log' if self.log else 'lin'}"

    def count(self) -> int:
        """How many values a grid has.

        Raises:
            OptionError: there is no step, or it does not lead to the end.
        """
        if self.points is not None:
            return self.points
        if self.step is None:
            raise OptionError(
                f"--vary {self.key}: a grid needs a step (LOW:HIGH:STEP) or a number of values "
                "(LOW:HIGH:N@log); without one choose --design lhs or sobol and --points"
            )
        low, high, step = map(_decimal, (self.low, self.high, self.step))
        steps = int((high - low) / step + _HAIR)
        end = low + steps * step
        if abs(end - high) > _HAIR * step:
            other = f"{plain(self.low)}:{plain(float(end))}:{plain(self.step)}"
            raise OptionError(
                f"--vary {self.key}={self}: the last step ends at {plain(float(end))}, not at "
                f"{plain(self.high)}; ask for {other if steps else 'a smaller step'}, or for a "
                "step that fits"
            )
        return steps + 1

    def values(self) -> Array:
        """The values of a grid, both ends included.

        Steps are added up as decimals, as they are written: 0, 0.1, 0.2, 0.3 of any scale.

        Raises:
            OptionError: there is no step, or it does not lead to the end.
        """
        count = self.count()
        if self.points is not None:
            return self.at(np.linspace(0.0, 1.0, count))
        low, step = _decimal(self.low), _decimal(self.step or 0.0)
        values = np.array([float(low + i * step) for i in range(count)])
        values[-1] = self.high if count > 1 else self.low
        return values

    def at(self, place: Array) -> Array:
        """The values at places between 0 (low) and 1 (high) of a sample."""
        if not self.log:
            return self.low + (self.high - self.low) * place
        values = np.asarray(self.low * (self.high / self.low) ** place)
        values[place == 0], values[place == 1] = self.low, self.high
        return values

    def given(self) -> list[float]:
        """What the user wrote: the ends."""
        return [self.low, self.high]


@dataclass(frozen=True)
class Choice:
    """A key and a list of its values.

    Attributes:
        key: dotted path of any single value of the scenario.
        options: its values: numbers, or names (also true and false).
    """

    key: str
    options: tuple[Value, ...]

    def __str__(self) -> str:
        return ",".join(map(spoken, self.options))

    @property
    def names(self) -> tuple[Value, ...]:
        """The values, if they are not all numbers; these are then told by their places."""
        numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in self.options)
        return () if numbers else self.options

    def count(self) -> int:
        """How many values a grid has."""
        return len(self.options)

    def values(self) -> Array:
        """The values of a grid, names as their places in the list."""
        return np.array(range(len(self.names)) if self.names else self.options, dtype=float)

    def at(self, place: Array) -> Array:
        """The values at places between 0 and 1 of a sample: each has an equal part."""
        which = np.minimum((place * len(self.options)).astype(int), len(self.options) - 1)
        return np.asarray(self.values()[which])

    def given(self) -> list[Value]:
        """What the user wrote: all values."""
        return list(self.options)


Vary = Range | Choice


def parse(text: str) -> Vary:
    """What varies, from the text of a `--vary`; see the top of this module.

    Raises:
        OptionError: it cannot be read, or there is nothing in it.
    """
    key, _, values = map(str.strip, text.partition("="))
    if not key or not values:
        raise OptionError(f"--vary {text}: {_FORMS}")
    if "," in values:
        return choice(key, [parse_override(f"{key}={item}")[1] for item in values.split(",")])
    numbers, at, scale = values.partition("@")
    try:
        low, high, *step = map(float, numbers.split(":"))
        if len(step) > 1 or not np.isfinite([low, high, *step]).all():
            raise ValueError
    except ValueError:
        raise OptionError(f"--vary {text}: {_FORMS}") from None
    if at and scale not in _SCALES:
        raise OptionError(f"--vary {text}: unknown scale {scale!r}; choose from log, lin")
    if high < low or (step and step[0] <= 0):
        raise OptionError(f"--vary {text}: the range is empty")
    if not at:
        return Range(key, low, high, step[0] if step else None)
    if scale == "log" and low <= 0:
        raise OptionError(f"--vary {text}: a logarithmic range begins above 0")
    points = None
    if step:
        points = int(step[0])
        if points != step[0] or points < 2:
            raise OptionError(f"--vary {text}: the number of values is a whole number from 2 on")
    return Range(key, low, high, points=points, log=scale == "log")


def choice(key: str, values: Sequence[Any]) -> Choice:
    """What varies, from a list of values.

    Raises:
        OptionError: a value is missing, given twice, or neither a number nor a name.
    """
    for value in values:
        if value == "" or (isinstance(value, float) and not np.isfinite(value)):
            raise OptionError(f"--vary {key}: {', '.join(map(spoken, values))}: a value is missing")
        if not isinstance(value, str | int | float):
            raise OptionError(f"--vary {key}: {value!r} is neither a number nor a name")
    if not values:
        raise OptionError(f"--vary {key}: the list is empty")
    if twice := [value for value in values if values.count(value) > 1]:
        raise OptionError(f"--vary {key}: {spoken(twice[0])} is given twice")
    return Choice(key, tuple(values))


def vary_of(asked: Mapping[str, Any] | Sequence[Vary]) -> list[Vary]:
    """What varies, from what Python code gives.

    Args:
        asked: key path -> (low, high, step), (low, high), a list of values, or a text as after
            the `=` of `--vary`.

    Raises:
        OptionError: one of them is none of these.
    """
    if not isinstance(asked, Mapping):
        return list(asked)
    out: list[Vary] = []
    for key, values in asked.items():
        if isinstance(values, str):
            out.append(parse(f"{key}={values}"))
        elif isinstance(values, tuple) and all(isinstance(x, int | float) for x in values):
            if len(values) not in (2, 3):
                raise OptionError(f"--vary {key}: give (low, high), (low, high, step) or a list")
            out.append(parse(f"{key}={':'.join(map(repr, values))}"))
        elif isinstance(values, Sequence | np.ndarray):
            items = [x.item() if isinstance(x, np.generic) else x for x in values]
            out.append(choice(key, items))
        else:
            raise OptionError(f"--vary {key}: give (low, high), (low, high, step) or a list")
    return out


def spoken(value: Value) -> str:
    """A value as it is written after `--vary` or `--set`."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else plain(value)


def plain(value: float) -> str:
    """A number as it is written, all its digits and no more."""
    return repr(float(value)).removesuffix(".0")


def _decimal(value: float) -> Decimal:
    """A number as the shortest decimal that stands for it."""
    return Decimal(repr(float(value)))
