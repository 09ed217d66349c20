"""Random draws for groups of identical cells: sums of independent cells, of any number.

Where a sum is not small it is drawn from a normal corrected to the exact first five cumulants
(Cornish-Fisher, Sheppard's correction for rounding). Its distribution function is then off by less
than 1e-5 (tests/test_draws.py computes by how much), less than any cohort can resolve, and no cost
grows with the number of cells.
"""

import math

import numpy as np

from metasim.engines.colonies.kernel import allocating, inlined, kernel
from metasim.law import growth

LARGE_BINOMIAL = 20.0  # variances above which the corrected normal is drawn
LARGE_GROWTH = 50.0
MANY = 50  # cells; fewer grow by exact draws whatever the variance
MANY_LINES = 25  # lines expected to survive the step; fewer likewise
VAST = 1e9  # variance above which a plain normal is as good
OUTGROWN = 1e18  # cells that stand for any larger number: no colony may come near it
_FEW = 5  # cells up to which one geometric each is quicker
_NEARLY_ONE = 1.0 - 2.0**-53

birth_death = inlined(growth.birth_death)
cumulants = inlined(growth.cumulants)


@inlined
def corrected(z, variance, third, fourth, fifth):
    """A normal deviate z corrected to a sum's cumulants (Equation 7.5), in cells from the mean.

    Cornish-Fisher expansion to the order of the fifth cumulant; the cumulants are those of the sum
    less those of the rounding that follows (Sheppard).
    """
    variance -= 1.0 / 12.0
    sd = math.sqrt(variance)
    unit = 1.0 / sd
    square = unit * unit
    c3 = third * square * unit
    c4 = (fourth + 1.0 / 120.0) * square * square
    c5 = fifth * square * square * unit
    s = z * z
    return sd * (
        z
        + c3 / 6.0 * (s - 1.0)
        + z * (c4 / 24.0 * (s - 3.0) - c3 * c3 / 36.0 * (2.0 * s - 5.0))
        + c5 / 120.0 * ((s - 6.0) * s + 3.0)
        - c3 * c4 / 24.0 * ((s - 5.0) * s + 2.0)
        + c3 * c3 * c3 / 324.0 * ((12.0 * s - 53.0) * s + 17.0)
    )


@inlined
def count(rng, mean, variance, third, fourth, fifth):
    """A count with these cumulants, by rounding a corrected normal deviate."""
    z = rng.standard_normal()
    if variance > VAST:
        return np.int64(min(max(mean + math.sqrt(variance) * z + 0.5, 0.0), OUTGROWN))
    return max(np.int64(math.floor(mean + corrected(z, variance, third, fourth, fifth) + 0.5)), 0)


@inlined
def leaving_prob(hazard):
    """1 - exp(-hazard) (Equation 5.1), quick where it is small (to 1e-13 of itself)."""
    if hazard < 1e-4:
        return hazard * (1.0 - hazard / 2.0 * (1.0 - hazard * (1.0 / 3.0)))
    return -math.expm1(-hazard)


@inlined
def leaving_hazard(prob):
    """-ln(1 - prob), the inverse of `leaving_prob`, as quick and as exact."""
    if prob < 1e-4:
        return prob * (1.0 + prob / 2.0 * (1.0 + prob * (2.0 / 3.0)))
    return -math.log1p(-min(prob, _NEARLY_ONE))


@kernel
def binomial(rng, n, p):
    """Binomial(n, p) for n up to 1e15."""
    if n <= 0 or p <= 0.0:
        return 0
    if p >= 1.0:
        return n
    spread = p * (1.0 - p)
    variance = n * spread
    if variance < LARGE_BINOMIAL:
        return rng.binomial(n, p)
    third = variance * (1.0 - 2.0 * p)
    fourth = variance * (1.0 - 6.0 * spread)
    fifth = third * (1.0 - 12.0 * spread)
    return min(count(rng, n * p, variance, third, fourth, fifth), n)


@allocating  # numba's makes a list
def poisson(rng, mean):
    """Poisson(mean)."""
    return rng.poisson(mean)


@inlined
def grow(rng, n, birth, death, dt):
    """Cells that n cells have become after dt: the linear birth-death law (Equation 4.9).

    More than `OUTGROWN` are handed back as so many.
    """
    alpha, beta = birth_death(birth, death, dt)
    beta = min(beta, _NEARLY_ONE)
    if n > MANY and n * (1.0 - alpha) > MANY_LINES:
        mean, variance, third, fourth, fifth = cumulants(alpha, beta)
        if n * mean > OUTGROWN:
            return np.int64(OUTGROWN)
        if n * variance > LARGE_GROWTH:
            return count(rng, n * mean, n * variance, n * third, n * fourth, n * fifth)
    if n <= _FEW:
        cells = 0
        for _ in range(n):
            u = rng.random()
            if u >= alpha:  # (u - alpha) / (1 - alpha) is uniform again: a geometric by inversion
                cells += 1
                if beta > 0.0:
                    cells += np.int64(math.log((1.0 - u) / (1.0 - alpha)) / math.log(beta))
        return cells
    lines = binomial(rng, n, 1.0 - alpha)
    if lines == 0 or beta <= 0.0:
        return lines
    more = rng.standard_gamma(lines) * beta / (1.0 - beta)
    return lines + (poisson(rng, more) if more < OUTGROWN else np.int64(OUTGROWN))


@inlined
def successes(rng, gap, trials, hazard, most):
    """Number of successes in trials of probability p = 1 - exp(-hazard) each, by gaps.

    `gap` is the exponential variate that is left until the next success; a group of trials without
    one costs no random number. Geometric gaps make this exactly Binomial(trials, p). Cheap where
    few successes are expected; after `most` it ends with one more.

    Returns:
        The successes, and the gap that is left.
    """
    found = 0
    while trials * hazard > gap and found <= most:
        found += 1
        trials = max(trials - np.int64(gap / hazard) - 1, 0)
        gap = rng.standard_exponential()
    return found, gap - trials * hazard
