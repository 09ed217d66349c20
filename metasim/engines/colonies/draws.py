"""Random draws for groups of identical cells: sums of independent cells, of any number.

Where the variance of a sum exceeds `LARGE` it is drawn from a normal with the exact mean, variance
and skewness (Cornish-Fisher), whose distribution function is then off by less than 1e-5: no
cost grows with the number of cells.
"""

import math

import numpy as np

from metasim.engines.colonies.kernel import kernel
from metasim.law import growth

LARGE = 1e5

birth_death = kernel(growth.birth_death)
moments = kernel(growth.moments)


@kernel
def binomial(rng, n, p):
    """Binomial(n, p) for n up to 1e15."""
    if n <= 0 or p <= 0.0:
        return 0
    if p >= 1.0:
        return n
    variance = n * p * (1.0 - p)
    if variance < LARGE:
        return rng.binomial(n, p)
    z = rng.standard_normal()
    x = n * p + math.sqrt(variance) * z + (1.0 - 2.0 * p) / 6.0 * (z * z - 1.0)
    return min(max(np.int64(math.floor(x + 0.5)), 0), n)


@kernel
def grow(rng, n, birth, death, dt):
    """Cells that n cells have become after dt: the linear birth-death law, exactly."""
    alpha, beta = birth_death(birth, death, dt)
    if n == 1:
        u = rng.random()
        if u < alpha:
            return 0
        # (u - alpha) / (1 - alpha) is uniform again: a geometric by inversion
        tail = (1.0 - u) / (1.0 - alpha)
        return 1 + np.int64(math.log(tail) / math.log(beta)) if beta > 0.0 else 1
    mean, variance, cumulant = moments(alpha, beta)
    if n * variance > LARGE and n > LARGE:
        z = rng.standard_normal()
        x = n * mean + math.sqrt(n * variance) * z + cumulant / (6.0 * variance) * (z * z - 1.0)
        return max(np.int64(math.floor(x + 0.5)), 0)
    lines = binomial(rng, n, 1.0 - alpha)
    if lines == 0 or beta <= 0.0:
        return lines
    return lines + rng.poisson(rng.standard_gamma(lines) * beta / (1.0 - beta))


@kernel
def successes(rng, gaps, which, trials, p):
    """Number of successes in trials of small probability p, by gaps between successes.

    `gaps[which]` holds the exponential variate that is left until the next success; a group of
    trials without one costs no random number. Geometric gaps make this exactly
    Binomial(trials, p).
    """
    if p >= 1.0:
        return trials
    rate = -math.log1p(-p)
    found = 0
    while trials * rate > gaps[which]:
        found += 1
        trials -= np.int64(gaps[which] / rate) + 1
        gaps[which] = rng.standard_exponential()
    gaps[which] -= trials * rate
    return found
