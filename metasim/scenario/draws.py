"""What differs between patients: one value per patient and key, from addressed random streams.

Each key path has a stream of its own, and patient k a block of its own in it, so a patient's value
depends on the rng_seed, the path and k alone: not on chunks, nor on what else is drawn.
"""

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from metasim.scenario.distributions import LARGEST_U, quantile
from metasim.scenario.keys import find, split
from metasim.scenario.schema import Scenario

Array = NDArray[np.float64]
_BLOCK = 4  # 64-bit words of one count of Philox


def draw_parameters(scenario: Scenario, first: int, count: int) -> dict[str, Array]:
    """The drawn parameters of patients first ... first + count - 1.

    Returns:
        Key path -> (count,) values in the key's unit; whole numbers where the key wants them.
    """
    out = {}
    for path, distribution in scenario.patients.items():
        if distribution.each:
            values = np.array(distribution.each.values[first : first + count], dtype=float)
        else:
            values = quantile(distribution, _uniform(scenario.run.rng_seed, path, first, count))
        key = find(split(path))
        out[path] = np.rint(values) if key is not None and key.type is int else values
    return out


def _uniform(rng_seed: int, path: str, first: int, count: int) -> Array:
    """(count,) uniform numbers in the open interval (0, 1)."""
    sequence = np.random.SeedSequence(rng_seed, spawn_key=(crc32(path.encode()),))
    stream = np.random.Philox(sequence).advance(first)
    words = stream.random_raw(count * _BLOCK)[::_BLOCK]
    uniform = ((words >> np.uint64(11)) + 0.5) * 2.0**-53
    return np.asarray(np.minimum(uniform, LARGEST_U))  # the last rounds to 1
