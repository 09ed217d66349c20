"""What differs between patients: one value per patient and key, from addressed random streams.

Each key path has a stream of its own, and patient k a block of its own in it, so a patient's value
depends on the rng_seed, the path and k alone: not on chunks, nor on what else is drawn.
"""

import math
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from metasim.scenario.checks.patients import support
from metasim.scenario.keys import find, split
from metasim.scenario.schema import Distribution, Scenario

Array = NDArray[np.float64]
_BLOCK = 4  # 64-bit words of one count of Philox


def draw_parameters(scenario: Scenario, first: int, count: int) -> dict[str, Array]:
    """The drawn parameters of patients first ... first + count - 1.

    Returns:
        Key path -> (count,) values in the key's unit; whole numbers where the key wants them.
    """
    out = {}
    for path, distribution in scenario.patients.items():
        values = quantile(distribution, _uniform(scenario.run.rng_seed, path, first, count))
        key = find(split(path))
        out[path] = np.rint(values) if key is not None and key.type is int else values
    return out


def _uniform(rng_seed: int, path: str, first: int, count: int) -> Array:
    """(count,) uniform numbers in the open interval (0, 1)."""
    sequence = np.random.SeedSequence(rng_seed, spawn_key=(crc32(path.encode()),))
    stream = np.random.Philox(sequence).advance(first)
    words = stream.random_raw(count * _BLOCK)[::_BLOCK]
    return np.asarray(((words >> np.uint64(11)) + 0.5) * 2.0**-53)


def quantile(distribution: Distribution, u: Array) -> Array:
    """The inverse of the cumulative distribution function.

    Args:
        distribution: with exactly one kind given.
        u: probabilities in (0, 1).
    """
    low, high = support(distribution)
    if distribution.choice:
        values = np.array(distribution.choice.values)
        weights = np.array(distribution.choice.weights or np.ones(len(values)), dtype=float)
        ends = np.cumsum(weights / weights.sum())
        last = int(np.flatnonzero(weights)[-1])
        return np.asarray(values[np.minimum(np.searchsorted(ends, u, side="right"), last)])
    if distribution.uniform:
        return np.clip(low + (high - low) * u, low, high)
    if distribution.lognormal:
        shape = distribution.lognormal
        log = _normal(math.log(shape.median), shape.sigma, math.log(low), math.log(high), u)
        return np.clip(np.exp(log), low, high)
    assert distribution.normal is not None
    return _normal(distribution.normal.mean, distribution.normal.sd, low, high, u)


def _normal(mean: float, sd: float, low: float, high: float, u: Array) -> Array:
    """Quantiles of a normal that is truncated to [low, high]."""
    if sd == 0:
        return np.full(len(u), min(max(mean, low), high))
    a, b = (low - mean) / sd, (high - mean) / sd
    sign = -1.0 if a > 0 else 1.0  # in the lower tail probabilities keep their digits
    a, b, u = (a, b, u) if a <= 0 else (-b, -a, 1.0 - u)
    z = sign * ndtri(ndtr(a) + u * (ndtr(b) - ndtr(a)))
    return np.asarray(np.clip(mean + sd * z, low, high))
