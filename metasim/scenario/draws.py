"""What differs between patients: one value per patient and key, from addressed random streams.

Each key path has a stream of its own, and patient k a block of its own in it, so a patient's value
depends on the rng_seed, the path and k alone: not on chunks, nor on what else is drawn, unless it
correlates with that.
"""

from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from metasim.law.copula import correlated, mixing, normal_correlation
from metasim.scenario.correlations import rank_matrix
from metasim.scenario.distributions import LARGEST_U, of_draw, quantile
from metasim.scenario.keys import find, split
from metasim.scenario.mixture import SUBTYPE
from metasim.scenario.schema import Choice, Distribution, Scenario, Spread
from metasim.scenario.subtypes import drawn_factors_of, factors_of, is_drawn, parts_of

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

POSTERIOR: Final = "posterior"
"""Name of the random stream by which patients get a draw of a posterior."""

_BLOCK = 4  # 64-bit words of one count of Philox


def draw_parameters(scenario: Scenario, first: int, count: int) -> dict[str, Array]:
    """The drawn parameters of patients first ... first + count - 1.

    Returns:
        Key path -> (count,) values in the key's unit; whole numbers where the key wants them, 0 or
        1 for false and true. Those of `seed.subtype` are places in `subtypes.subtypes_of`.
    """
    u = _uniforms(scenario, first, count)
    which = np.zeros(count, np.int64)
    if SUBTYPE in u:
        choice = scenario.patients[SUBTYPE].choice
        assert choice is not None  # see scenario.checks
        which = _places(len(choice.values), choice.weights, u[SUBTYPE])
    out = {}
    rows = draw_numbers(scenario, first, count)
    for path, distribution in scenario.patients.items():
        if path == SUBTYPE:
            values: Array = which.astype(float)
        elif distribution.draws and rows is not None:
            values = _of_draws(distribution, rows, u[path])
        elif distribution.each:
            values = np.array(distribution.each.values[first : first + count], dtype=float)
        elif distribution.by_subtype is not None:
            values = _by_subtype(scenario, path, which, u.get(path))
        else:
            values = quantile(distribution, u[path])
        values = values * _factors(scenario, path, which, rows)
        key = find(split(path))
        out[path] = np.rint(values) if key is not None and key.type is int else values
    return out


def _factors(scenario: Scenario, path: str, which: Ints, rows: Ints | None) -> Array | float:
    """What each patient's value is multiplied by, for its subtype and its draw of a posterior."""
    drawn = drawn_factors_of(scenario, path)
    if not drawn and not scenario.patients[path].factor_by_subtype:
        return 1.0
    out = np.array(factors_of(scenario, path))[which]
    for place, factors in drawn.items():
        assert rows is not None
        out[which == place] = np.array(factors)[rows[which == place]]
    return out


def draw_numbers(scenario: Scenario, first: int, count: int) -> Ints | None:
    """Which draw of the posterior each patient has, shape (count,); None: there is no posterior.

    Taken by the weights of the draws, from a random stream of its own.
    """
    draws = next((d.draws for d in scenario.patients.values() if d.draws), None)
    if draws is None:
        return None
    u = uniform(scenario.run.rng_seed, POSTERIOR, first, count)
    return _places(len(draws.weights), draws.weights, u)


def _places(count: int, weights: list[float] | None, u: Array) -> Ints:
    """Places in a list of `count`, taken by their weights."""
    choice = Choice(values=list(map(float, range(count))), weights=weights)
    return quantile(Spread(choice=choice), u).astype(np.int64)


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


def _uniforms(scenario: Scenario, first: int, count: int) -> dict[str, Array]:
    """Key path -> (count,) numbers in (0, 1) that pick its values, correlated as asked.

    Keys that correlate with none have independent ones: those of their own streams.
    """
    u = {
        path: uniform(scenario.run.rng_seed, path, first, count)
        for path, distribution in scenario.patients.items()
        if not distribution.each and is_drawn(scenario, path)
    }
    names, rank = rank_matrix(scenario.correlation)
    if names:
        root = mixing(normal_correlation(rank))
        assert root is not None  # see scenario.checks
        together = correlated(np.array([u[name] for name in names]), root)
        u |= dict(zip(names, together, strict=True))
    return u


def _by_subtype(scenario: Scenario, path: str, which: Ints, u: Array | None) -> Array:
    """Each patient's value by its subtype, a place in `subtypes_of`."""
    out = np.empty(len(which))
    for place, part in enumerate(parts_of(scenario, path)):
        mine = which == place
        if isinstance(part, Spread):
            assert u is not None
            out[mine] = quantile(part, u[mine])
        else:
            assert part is not None  # see scenario.checks
            out[mine] = part
    return out


def uniform(rng_seed: int, path: str, first: int, count: int) -> Array:
    """(count,) uniform numbers in the open interval (0, 1)."""
    sequence = np.random.SeedSequence(rng_seed, spawn_key=(crc32(path.encode()),))
    stream = np.random.Philox(sequence).advance(first)
    words = stream.random_raw(count * _BLOCK)[::_BLOCK]
    uniform = ((words >> np.uint64(11)) + 0.5) * 2.0**-53
    return np.asarray(np.minimum(uniform, LARGEST_U))  # the last rounds to 1
