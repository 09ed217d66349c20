"""What differs between patients: one value per patient and key, from addressed random streams.

Each key path has a stream of its own, and patient k a block of its own in it, so a patient's value
depends on the rng_seed, the path and k alone: not on chunks, nor on what else is drawn.
"""

from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from metasim.scenario.distributions import LARGEST_U, of_draw, quantile
from metasim.scenario.keys import find, split
from metasim.scenario.schema import Choice, Distribution, Scenario

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

POSTERIOR: Final = "posterior"
"""Name of the random stream by which patients get a draw of a posterior."""

_BLOCK = 4  # 64-bit words of one count of Philox


def draw_parameters(scenario: Scenario, first: int, count: int) -> dict[str, Array]:
    """The drawn parameters of patients first ... first + count - 1.

    Returns:
        Key path -> (count,) values in the key's unit; whole numbers where the key wants them.
    """
    out = {}
    rows = draw_numbers(scenario, first, count)
    for path, distribution in scenario.patients.items():
        if distribution.draws and rows is not None:
            u = _uniform(scenario.run.rng_seed, path, first, count)
            values = _of_draws(distribution, rows, u)
        elif distribution.each:
            values = np.array(distribution.each.values[first : first + count], dtype=float)
        else:
            values = quantile(distribution, _uniform(scenario.run.rng_seed, path, first, count))
        key = find(split(path))
        out[path] = np.rint(values) if key is not None and key.type is int else values
    return out


def draw_numbers(scenario: Scenario, first: int, count: int) -> Ints | None:
    """Which draw of the posterior each patient has, shape (count,); None: there is no posterior.

    Taken by the weights of the draws, from a random stream of its own.
    """
    draws = next((d.draws for d in scenario.patients.values() if d.draws), None)
    if draws is None:
        return None
    numbers = Choice(values=list(map(float, range(len(draws.weights)))), weights=draws.weights)
    u = _uniform(scenario.run.rng_seed, POSTERIOR, first, count)
    return quantile(Distribution(choice=numbers), u).astype(np.int64)


def _of_draws(distribution: Distribution, rows: Ints, u: Array) -> Array:
    """Values of patients from their draws.

    Args:
        distribution: with `draws`.
        rows: the draw of each patient, shape (n,).
        u: probabilities at which the distribution of a draw is read, shape (n,).
    """
    assert distribution.draws is not None
    if distribution.draws.value is not None:
        return np.array(distribution.draws.value)[rows]
    out = np.empty(len(u))
    for row in np.unique(rows):
        mine = rows == row
        out[mine] = quantile(of_draw(distribution, row), u[mine])
    return out


def _uniform(rng_seed: int, path: str, first: int, count: int) -> Array:
    """(count,) uniform numbers in the open interval (0, 1)."""
    sequence = np.random.SeedSequence(rng_seed, spawn_key=(crc32(path.encode()),))
    stream = np.random.Philox(sequence).advance(first)
    words = stream.random_raw(count * _BLOCK)[::_BLOCK]
    uniform = ((words >> np.uint64(11)) + 0.5) * 2.0**-53
    return np.asarray(np.minimum(uniform, LARGEST_U))  # the last rounds to 1
