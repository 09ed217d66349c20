"""Free keys: their priors, and what values of them make of a scenario."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from metasim.errors import Mistake, OptionError, ScenarioError
from metasim.scenario.distributions import parted
from metasim.scenario.keys import split
from metasim.scenario.schema import (
    Distribution,
    Lognormal,
    Normal,
    Scenario,
    Spread,
    Uniform,
)
from metasim.targets.load import TargetsError, prior_mistakes
from metasim.targets.schema import Free

_FIELDS: Final[dict[str, list[str]]] = {
    form: [name for name in model.model_fields if not name.endswith("_sds")]
    for form, model in (("lognormal", Lognormal), ("normal", Normal), ("uniform", Uniform))
}
_FORMS: Final = tuple(_FIELDS)
_LEAST: Final = 0.01  # of the prior's probability, beyond which a fit does not go


@dataclass(frozen=True)
class FreeKey:
    """A key that the targets are to decide.

    Attributes:
        name: as it was given: KEY, or COHORT:KEY for the scenarios of one cohort.
        prior: what is known of it before.
    """

    name: str
    prior: Free

    @property
    def cohort(self) -> str:
        """The only cohort that it is free in; empty: all."""
        return self.name.rpartition(":")[0]

    @property
    def key(self) -> str:
        """Its key path."""
        return self.name.rpartition(":")[2]

    @property
    def label(self) -> str:
        """What its prior is of: the key, or its ratio to another."""
        return f"{self.name} / {self.prior.ratio_to}" if self.prior.ratio_to else self.name

    @property
    def moves(self) -> tuple[str, ...]:
        """All key paths that have its value."""
        return self.key, *self.prior.also

    def value(self, u: float | NDArray[np.float64]) -> Any:
        """The prior's quantile at probabilities u in [0, 1]."""
        prior, log = self.prior, self.prior.scale == "log"
        low, high = (np.log(x) if log else x for x in (prior.low, prior.high))
        if prior.centre is None or prior.sd is None:
            at = low + (high - low) * np.asarray(u, float)
        else:
            centre = np.log(prior.centre) if log else prior.centre
            a, b = (ndtr((end - centre) / prior.sd) for end in (low, high))
            at = centre + prior.sd * ndtri(a + np.asarray(u, float) * (b - a))
        out = np.clip(np.exp(at) if log else at, prior.low, prior.high)
        return out if np.ndim(u) else float(out)

    def place(self, value: float) -> float:
        """The probability of the prior up to a value, away from the ends: what `value` undoes."""
        u = np.linspace(0.0, 1.0, 100_001)
        return float(np.clip(np.interp(value, self.value(u), u), _LEAST, 1.0 - _LEAST))

    def off(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """How many standard deviations from the prior's centre, shape (n,); of an even one 0."""
        prior, values = self.prior, self.value(u)
        if prior.centre is None or prior.sd is None:
            return np.zeros(len(u))
        off = np.log(values / prior.centre) if prior.scale == "log" else values - prior.centre
        return np.asarray(off / prior.sd)


def values_of(keys: Sequence[FreeKey], points: NDArray[np.float64]) -> dict[str, Any]:
    """Values of free keys at points of the unit cube: those of ratios times what they are to.

    Args:
        keys: the free keys.
        points: shape (..., d).
    """
    own = {f.name: f.value(points[..., i]) for i, f in enumerate(keys)}
    to = {f.name: f.prior.ratio_to for f in keys}

    def value(name: str) -> Any:
        other = to[name]
        return own[name] if other is None else own[name] * value(other)

    return {name: value(name) for name in own}


def point_of(
    keys: Sequence[FreeKey], scenario_of: Callable[[FreeKey], Scenario | None]
) -> NDArray[np.float64] | None:
    """Where the values that scenarios have lie in the unit cube, shape (d,).

    Args:
        keys: the free keys.
        scenario_of: the scenario in which a key's value is looked up; None: there is none.

    Returns:
        None: one of the values is unset, or is no number.
    """
    scenarios = {f.name: scenario_of(f) for f in keys}
    found = {
        f.name: None if (one := scenarios[f.name]) is None else value_in(one, f.key) for f in keys
    }
    out = []
    for f in keys:
        value, to = found[f.name], f.prior.ratio_to
        below = 1.0 if to is None else found.get(to)
        if value is None or not below:
            return None
        out.append(f.place(value / below))
    return np.array(out)


def value_in(scenario: Scenario, key: str) -> float | None:
    """The value that a scenario has of a free key; None: it has none that is a number."""
    path, parameter = _parted(key)
    place = ["patients", path, *parameter] if parameter else key.split(".")
    if key.startswith("patients.correlation."):
        pair = sorted(map(str, split(key)[1:]))
        place = ["correlation", *pair]
    at: Any = scenario.model_dump()
    for part in place:
        at = at.get(part) if isinstance(at, dict) else None
    return float(at) if isinstance(at, int | float) and not isinstance(at, bool) else None


def parse_free(text: str) -> FreeKey:
    """A free key of the command line: KEY=LOW:HIGH or KEY=LOW:HIGH:log.

    Raises:
        OptionError: it is none.
    """
    key, _, ends = text.partition("=")
    parts = ends.split(":")
    try:
        low, high = float(parts[0]), float(parts[1])
        if len(parts) > 3 or (len(parts) == 3 and parts[2] != "log") or not key:
            raise ValueError
    except (ValueError, IndexError):
        raise OptionError(
            f"--free {text}: expected KEY=LOW:HIGH or KEY=LOW:HIGH:log, such as "
            '"soil.bone.niche=0.1:0.9"'
        ) from None
    free = Free(low=low, high=high, scale="log" if len(parts) == 3 else "linear")
    for mistake in prior_mistakes(free, f"--free {key}"):
        raise OptionError(str(mistake))
    return FreeKey(key, free)


def _parted(key: str) -> tuple[str, tuple[str, ...]]:
    """The key that is drawn, and the way to the parameter of its distribution; (): it is none."""
    return parted(key.removeprefix("patients.")) if key.startswith("patients.") else (key, ())


def changes_of(scenario: Scenario, values: Mapping[str, float]) -> dict[str, object]:
    """Key paths and values of free keys as `Scenario.replace` takes them.

    A key `patients.KEY.lognormal.median` moves a parameter of a patients' distribution, and
    `patients.KEY.by_subtype.NAME.lognormal.median`, or `...by_subtype.NAME`, that of a subtype;
    `patients.KEY.factor_by_subtype.NAME` the ratio of a subtype to those that have no factor.

    Args:
        scenario: whose distributions these are.
        values: key -> value.

    Raises:
        OptionError: a patients' distribution lacks the parameter, or a plain key is drawn.
    """
    out: dict[str, object] = {}
    for key, value in values.items():
        if key in scenario.patients:
            raise OptionError(
                f"--free {key}: it is drawn for each patient; free its distribution instead, "
                f"such as patients.{key}.{_example(scenario.patients[key])}"
            )
        path, parameter = _parted(key)
        if not parameter:
            out[key] = value
            continue
        place = f"patients.{path}"
        before = out.get(place)
        if before is None and path in scenario.patients:
            before = scenario.patients[path].model_dump(exclude_none=True)
        out[place] = _moved(key, before or {}, parameter, value)
    return out


def _moved(
    key: str, distribution: Any, parameter: tuple[str, ...], value: float
) -> dict[str, object]:
    """A distribution with another value of one parameter."""
    out = copy.deepcopy(distribution)
    table: Any = out
    for part in parameter[:-1]:
        table = table.get(part) if isinstance(table, dict) else None
    form, name = (["", *parameter])[-2:]
    known = _FIELDS.get(form, table if isinstance(table, dict) else {})
    if not isinstance(table, dict) or name not in known or isinstance(table.get(name), dict):
        path = _parted(key)[0] or key
        raise OptionError(f"--free {key}: {path} is not drawn from a {form} with that")
    table[name] = value
    assert isinstance(out, dict)
    return out


def _example(distribution: Distribution) -> str:
    """A parameter of a distribution that could be freed."""
    start: str = ""
    part: Spread = distribution
    if distribution.by_subtype:
        name, inside = next(iter(distribution.by_subtype.items()))
        start = f"by_subtype.{name}"
        if not isinstance(inside, Spread):
            return start
        part = inside
    form = next((k for k in _FORMS if getattr(part, k)), "lognormal")
    middle = {"normal": "mean", "uniform": "low"}.get(form, "median")
    return ".".join(filter(None, (start, form, middle)))


def check_priors(scenario: Scenario, keys: list[FreeKey], source: str) -> None:
    """Refuse free keys that do not exist, and priors outside what a key may hold.

    Raises:
        TargetsError: all mistakes at once.
    """
    mistakes = []
    middle = values_of(keys, np.full(len(keys), 0.5))
    for free in keys:
        to = free.prior.ratio_to
        for end in ("low", "high"):
            value = getattr(free.prior, end) * (1.0 if to is None else middle[to])
            try:
                scenario.replace(changes_of(scenario, dict.fromkeys(free.moves, value)))
            except ScenarioError as error:
                first = error.mistakes[0]
                said = f"its prior's {end} end is refused: {first.message}"
                mistakes.append(Mistake(f"free {free.name}", said, first.hint))
                break
    if mistakes:
        raise TargetsError(source, mistakes)
