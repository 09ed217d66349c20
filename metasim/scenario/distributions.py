"""Distributions of what differs between patients: where their values can lie, and their quantiles.

Truncated normals and log-normals are right wherever their range lies: in the body by the
distribution function, in a range far out in a tail or of hardly any width by what the density does
from its nearer end on.
"""

import math
import sys
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from metasim.scenario.schema import Distribution, Lognormal, Normal, Spread

Array = NDArray[np.float64]

SPREADS: Final = tuple(Spread.model_fields)
"""The forms that a distribution within one subtype can have."""
FORMS: Final = tuple(
    name for name in Distribution.model_fields if name not in ("draws", "factor_by_subtype")
)
"""The forms that a distribution can have."""

PARAMETRIC: Final = ("lognormal", "normal", "uniform")
"""Forms of which single parameters can be given by a key path."""
_TABLES: Final = ("by_subtype", "factor_by_subtype")

LARGEST_U: Final = 1.0 - 2.0**-53
"""The largest number below 1, and the largest that is drawn."""
_MOST_SDS = 9.0  # no draw lies farther out: its probability would be below 2**-54
_FAR = 5.0  # from there on, in standard deviations, differences of probabilities lose digits
_NARROW = 0.01  # a range narrower than this, in standard deviations, loses digits by differences


def parted(path: str) -> tuple[str, tuple[str, ...]]:
    """What is drawn, and the way to a parameter of its distribution.

    Args:
        path: a key path below `patients`, such as `growth.rho_per_day.lognormal.median`.

    Returns:
        `growth.rho_per_day` and `("lognormal", "median")`; the path and () if it ends at no
        parameter.
    """
    parts = path.split(".")
    for i, part in enumerate(parts):
        if i and (part in _TABLES or (part in PARAMETRIC and i == len(parts) - 2)):
            return ".".join(parts[:i]), tuple(parts[i:])
    return path, ()


def ends(shape: Lognormal | Normal) -> tuple[float | None, float | None]:
    """Smallest and largest value that are given, as values or in standard deviations."""
    return _end(shape, shape.low, shape.low_sds, -1), _end(shape, shape.high, shape.high_sds, 1)


def _end(
    shape: Lognormal | Normal, given: float | None, sds: float | None, sign: int
) -> float | None:
    if sds is None:
        return given
    if isinstance(shape, Normal):
        return shape.mean + sign * sds * shape.sd
    return shape.median * math.exp(min(sign * sds * shape.sigma, 709.0))


def support(distribution: Spread) -> tuple[float, float]:
    """Smallest and largest value that a distribution allows, both finite; not `by_subtype`.

    Those of `factor_by_subtype` 1.
    """
    if isinstance(distribution, Distribution) and distribution.draws:
        return _over_draws(distribution, support)
    if listed := distribution.choice or getattr(distribution, "each", None):
        values = [float(value) for value in listed.values]
        return min(values), max(values)
    if distribution.uniform:
        return distribution.uniform.low, distribution.uniform.high
    shape = distribution.lognormal or distribution.normal
    assert shape is not None
    largest = sys.float_info.max
    least = math.ulp(0.0) if distribution.lognormal else -largest  # a log-normal is never 0
    low, high = ends(shape)
    low = least if low is None else max(low, least)
    return low, largest if high is None else min(high, largest)


def reached(distribution: Spread) -> tuple[float, float]:
    """Bounds of the values that patients can draw; where no end is given, 9 standard deviations.

    A number drawn has 53 bits, so the quantiles that it picks lie within 8.7 standard deviations of
    the mean, or of the end of the range next to it. Of `by_subtype` and `factor_by_subtype`, those
    of all subtypes.
    """
    low, high = _reached(distribution)
    if not isinstance(distribution, Distribution):
        return low, high
    by = [1.0, *(distribution.factor_by_subtype or {}).values()]  # 1: of those that are not named
    if distribution.draws:
        by += [f for each in (distribution.draws.factor_by_subtype or {}).values() for f in each]
    by = [min(by), max(by)]
    return min(low * factor for factor in by), max(high * factor for factor in by)


def _reached(distribution: Spread) -> tuple[float, float]:
    """Bounds of what is drawn, before `factor_by_subtype`."""
    if isinstance(distribution, Distribution) and distribution.draws:
        return _over_draws(distribution, _reached)
    if isinstance(distribution, Distribution) and distribution.by_subtype is not None:
        parts = distribution.by_subtype.values()
        each = [reached(p) if isinstance(p, Spread) else (float(p), float(p)) for p in parts]
        return min(low for low, _ in each), max(high for _, high in each)
    low, high = support(distribution)
    if shape := distribution.normal:
        below = min(shape.mean, high) - _MOST_SDS * shape.sd
        above = max(shape.mean, low) + _MOST_SDS * shape.sd
    elif bell := distribution.lognormal:
        below = min(bell.median, high) * math.exp(-_MOST_SDS * bell.sigma)
        spread = math.exp(min(_MOST_SDS * bell.sigma, 709.0))
        above = max(bell.median, low) * spread
    else:
        return low, high
    return max(low, below), min(high, above)


def of_draw(distribution: Distribution, number: int) -> Spread:
    """What a draw of a posterior makes of the distribution beside it.

    Args:
        distribution: with `draws` of parameters.
        number: of the draw, from 0.
    """
    assert distribution.draws is not None
    form_name = next(name for name in FORMS if getattr(distribution, name) is not None)
    shape = getattr(distribution, form_name).model_dump()
    for name in shape:
        if (column := getattr(distribution.draws, name, None)) is not None:
            shape[name] = column[number]
    form = type(getattr(distribution, form_name)).model_construct(**shape)
    return Distribution.model_construct(**{form_name: form})


def _over_draws(
    distribution: Distribution, bounds: Callable[[Spread], tuple[float, float]]
) -> tuple[float, float]:
    """The widest of what is said of each draw."""
    assert distribution.draws is not None
    if distribution.draws.value is not None:
        return min(distribution.draws.value), max(distribution.draws.value)
    each = [bounds(of_draw(distribution, k)) for k in range(len(distribution.draws.weights))]
    return min(low for low, _ in each), max(high for _, high in each)


def quantile(distribution: Spread, u: Array) -> Array:
    """The inverse of the cumulative distribution function.

    Args:
        distribution: with exactly one form given, neither `each` nor `by_subtype`, and without
            `draws`.
        u: probabilities in (0, 1).
    """
    low, high = support(distribution)
    if distribution.choice:
        values = np.array(distribution.choice.values, dtype=float)
        weights = np.array(distribution.choice.weights or np.ones(len(values)), dtype=float)
        if not 1e-290 < weights.max() < 1e290:  # their sum would overflow, or lose digits
            weights /= weights.max()
        upper = np.cumsum(weights / weights.sum())
        last = int(np.flatnonzero(weights)[-1])
        return np.asarray(values[np.minimum(np.searchsorted(upper, u, side="right"), last)])
    if distribution.uniform:
        if math.isinf(high - low):
            return np.clip(low * (1.0 - u) + high * u, low, high)
        return np.clip(low + (high - low) * u, low, high)
    if bell := distribution.lognormal:
        return np.clip(_lognormal(bell.median, bell.sigma, low, high, u), low, high)
    assert distribution.normal is not None
    return _normal(distribution.normal.mean, distribution.normal.sd, low, high, u)


def _normal(mean: float, sd: float, low: float, high: float, u: Array) -> Array:
    """Quantiles of a normal that is truncated to [low, high]."""
    if sd == 0:
        return np.full(len(u), min(max(mean, low), high))
    a, b = (low - mean) / sd, (high - mean) / sd
    steps = _steps_inward(a, b, (high - low) / sd, u)
    if steps is None:
        return np.asarray(np.clip(mean + sd * _standard(a, b, u), low, high))
    return np.asarray(np.clip((low if a > -b else high) + sd * steps, low, high))


def _lognormal(median: float, sigma: float, low: float, high: float, u: Array) -> Array:
    """Quantiles of a log-normal that is truncated to [low, high]."""
    if sigma == 0:
        return np.full(len(u), min(max(median, low), high))
    mean, least, most = math.log(median), math.log(low), math.log(high)
    a, b = (least - mean) / sigma, (most - mean) / sigma
    width = math.log1p((high - low) / low) if high < 2.0 * low else most - least
    steps = _steps_inward(a, b, width / sigma, u)
    if steps is None:
        log = np.clip(mean + sigma * _standard(a, b, u), least, most)
        return np.asarray(np.exp(log))
    return np.asarray((low if a > -b else high) * np.exp(sigma * steps))


def _standard(a: float, b: float, u: Array) -> Array:
    """Quantiles of the standard normal between a and b, by its distribution function."""
    from scipy.special import ndtr, ndtri

    sign = -1.0 if a > 0 else 1.0  # in the lower tail probabilities keep their digits
    a, b, u = (a, b, u) if a <= 0 else (-b, -a, 1.0 - u)
    below = ndtr(a) + u * (ndtr(b) - ndtr(a))
    return np.asarray(sign * ndtri(np.minimum(below, LARGEST_U)))  # of 1, it would be infinite


def _steps_inward(a: float, b: float, width: float, u: Array) -> Array | None:
    """Quantiles between a and b as steps from a (or, negative, from b if that is nearer to 0).

    Args:
        a: lower end, in standard deviations from the mean.
        b: upper end.
        width: b - a, without the rounding of that difference.
        u: probabilities.

    Returns:
        None where the distribution function serves.
    """
    if a > -b:  # the density falls from a on
        end, share, sign = a, u, 1.0
    else:
        end, share, sign = -b, np.minimum(1.0 - u, LARGEST_U), -1.0
    if width < _NARROW and abs(end) * width < 1.0:
        return sign * _narrow_steps(end, width, share)
    if end > _FAR:
        return sign * _far_steps(end, width, share)
    return None


def _far_steps(end: float, width: float, share: Array) -> Array:
    """Steps t into a tail that begins at `end`: S(end + t) / S(end) = 1 - share of what is inside.

    With erfcx, log S(x) = -x^2/2 + log(erfcx(x / sqrt 2) / 2), of which only differences are
    needed; they lose no digits. Newton's method from the exponential tail.
    """
    from scipy.special import erfcx

    if math.isinf(end):
        return np.zeros(len(share))
    root = math.sqrt(2.0)

    def drop(t: Array) -> Array:
        """How much log S falls from `end` to `end + t`."""
        with np.errstate(over="ignore"):
            return np.asarray(
                end * t + t * t / 2.0 - np.log(erfcx((end + t) / root) / erfcx(end / root))
            )

    whole = drop(np.array([width]))[0] if width < 1e3 else math.inf
    wanted = -np.log1p(share * math.expm1(-whole))
    t = 2.0 * wanted / (end + np.hypot(end, np.sqrt(2.0 * wanted)))
    for _ in range(6):
        hazard = math.sqrt(2.0 / math.pi) / erfcx((end + t) / root)
        t = np.maximum(t - (drop(t) - wanted) / hazard, 0.0)
    return np.minimum(t, width)


def _narrow_steps(end: float, width: float, share: Array) -> Array:
    """Steps s into a range of hardly any width: the integral of exp(-end x - x^2/2) up to s."""
    nodes, weights = np.polynomial.legendre.leggauss(12)

    def mass(s: Array) -> Array:
        """The integral from 0 to s, per unit of the width."""
        x = s[:, None] * (nodes + 1.0) / 2.0 * width
        return np.asarray(s / 2.0 * (np.exp(-end * x - x * x / 2.0) @ weights))

    wanted = share * mass(np.ones(1))
    s = share.copy()
    for _ in range(5):
        x = s * width
        s = np.clip(s - (mass(s) - wanted) / np.exp(-end * x - x * x / 2.0), 0.0, 1.0)
    return s * width
