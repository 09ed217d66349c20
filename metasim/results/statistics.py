"""Intervals and cumulative incidence: vectorised, deterministic, checked against scipy, lifelines.

All intervals have 95 % coverage unless `level` says otherwise.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv

Floats = NDArray[np.float64]

_ROUNDING: Final = 1e-12
"""Numbers that differ by this share of the largest of them differ by rounding only."""


def wilson_interval(
    successes: ArrayLike, trials: ArrayLike, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Wilson's score interval for a share.

    Args:
        successes: patients with the property, any shape.
        trials: patients in all, at least 1, broadcast against `successes`.
        level: coverage.

    Returns:
        Low and high end, within [0, 1] and around the share, which rounding would break.
    """
    x, n = np.asarray(successes, float), np.asarray(trials, float)
    q = z(level)
    share = x / n
    centre = (share + q**2 / (2 * n)) / (1 + q**2 / n)
    half = q / (1 + q**2 / n) * np.sqrt(share * (1 - share) / n + q**2 / (4 * n**2))
    return np.clip(centre - half, 0, share), np.clip(centre + half, share, 1)


def mean_interval(
    total: ArrayLike, total_of_squares: ArrayLike, n: ArrayLike, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Interval for the mean of counts that vary more than Poisson counts do.

    The exact (Garwood) interval of a Poisson total, on the scale of the observed dispersion
    max(1, variance / mean): exact for Poisson counts, never below 0, and of use when all counts
    are 0 (the "rule of three"), where a bootstrap or t interval has no width. It needs only sums.

    Args:
        total: sum of the counts over patients, any shape.
        total_of_squares: sum of their squares.
        n: number of patients, at least 1.
        level: coverage.

    Returns:
        Low and high end.
    """
    x, squares, size = (np.asarray(value, float) for value in (total, total_of_squares, n))
    mean = x / size
    variance = np.maximum(squares - x * mean, 0) / np.maximum(size - 1, 1)
    dispersion = np.maximum(1, np.divide(variance, mean, out=np.ones_like(x), where=mean > 0))
    return rate_interval(x / dispersion, size / dispersion, level)


def rate_interval(
    events: ArrayLike, exposure: ArrayLike, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Exact (Garwood) interval for the rate of a Poisson process.

    Args:
        events: how many were seen, any shape.
        exposure: over what time (or number of patients), > 0, broadcast against `events`.
        level: coverage.

    Returns:
        Low and high end, per unit of exposure.
    """
    x, time, tail = np.asarray(events, float), np.asarray(exposure, float), (1 - level) / 2
    low = np.where(x > 0, gammaincinv(np.maximum(x, 1e-300), tail), 0)
    return low / time, gammaincinv(x + 1, 1 - tail) / time


def paired_interval(
    differences: ArrayLike, left: float = 1.0, level: float = 0.95
) -> tuple[float, float]:
    """Interval for the mean difference between paired patients.

    Normal interval after adding one pair that differs by +1 and one by -1. For differences of
    yes/no outcomes that is Bonett and Price's interval, which covers small shares well; it keeps a
    width where no pair differs.

    Args:
        differences: one whole number per pair, shape (n,).
        left: share of the pairs that count, see `metasim.results.posterior.share_left`.
        level: coverage.
    """
    d = np.append(np.asarray(differences, float), (1.0, -1.0))
    half = z(level) * float(np.sqrt(d.var() / (left * len(d))))
    return float(d.mean()) - half, float(d.mean()) + half


def difference_interval(
    one: tuple[float, float, float], other: tuple[float, float, float]
) -> tuple[float, float]:
    """Interval for `other - one` of two independent estimates, from their own intervals.

    Newcombe's square-and-add method (MOVER); of the level that the intervals have.

    Args:
        one: estimate, low and high end.
        other: the same of the other.
    """
    (a, a_low, a_high), (b, b_low, b_high) = one, other
    below, above = np.hypot(b - b_low, a_high - a), np.hypot(b_high - b, a - a_low)
    return float(b - a - below), float(b - a + above)


@dataclass(frozen=True)
class Incidence:
    """Cumulative incidence: step functions that hold from each time to the next.

    Attributes:
        time: 0 and every time at which something happened, shape (m,).
        share: P(event by then), shape (m,).
        low: lower end of the pointwise interval, shape (m,).
        high: upper end, shape (m,).
    """

    time: Floats
    share: Floats
    low: Floats
    high: Floats


def aalen_johansen(time: ArrayLike, cause: ArrayLike, level: float = 0.95) -> Incidence:
    """Cumulative incidence of an event where another (death) can come first.

    Aalen-Johansen estimate; delta-method variance (Marubini and Valsecchi) with the interval on
    the log(-log) scale. At equal times events come before censoring. Computed here because
    lifelines moves tied times apart at random, and takes a step of Python for each.

    Args:
        time: when each patient's follow-up ended, >= 0, shape (n,).
        cause: how: 0 censored, 1 the event, 2 the competing one, shape (n,).
        level: coverage.
    """
    times, causes = np.asarray(time, float), np.asarray(cause)
    moments, where = moments_of(times)
    here, other, all_ends = (
        np.bincount(where[mask], minlength=len(moments)).astype(float)
        for mask in (causes == 1, causes == 2, causes >= 0)
    )
    at_risk = np.maximum(1, len(times) - np.concatenate([[0], np.cumsum(all_ends)[:-1]]))
    ends = here + other
    before = np.concatenate([[1.0], np.cumprod(1 - ends / at_risk)[:-1]])
    share = np.cumsum(before * here / at_risk)
    share = np.where(share < 1 - _ROUNDING, share, 1.0)  # a sum that is 1 may come out below

    # sum over j <= i of (F_i - F_j)^2 g_j + S_j^2 h_j - 2 (F_i - F_j) S_j k_j, by running sums.
    # Where the last at risk fall, g is infinite but F_i = F_j from there on.
    g = np.divide(ends, at_risk * (at_risk - ends), out=np.zeros_like(ends), where=at_risk > ends)
    h = here * (at_risk - here) / at_risk**3
    k = here / at_risk**2
    spread = share**2 * np.cumsum(g) - 2 * share * np.cumsum(share * g) + np.cumsum(share**2 * g)
    crossed = share * np.cumsum(before * k) - np.cumsum(share * before * k)
    variance = np.maximum(spread + np.cumsum(before**2 * h) - 2 * crossed, 0)

    inside = (share > 0) & (share < 1)
    safe = np.where(inside, share, 0.5)
    step = z(level) * np.sqrt(variance) / (safe * np.log(safe))
    low = np.where(inside, safe ** np.exp(-step), share)
    high = np.where(inside, safe ** np.exp(step), share)
    return Incidence(moments, share, low, high)


def moments_of(times: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Distinct times with 0 among them, and the place of each time among these.

    Times are differences of days, so equal ones may come out unequal by rounding: those within
    1e-12 of the longest time are one moment.

    Args:
        times: >= 0, shape (n,).

    Returns:
        Moments in ascending order, shape (m,), and places, shape (n,).
    """
    values = np.unique(np.append(times, 0.0))
    begins = np.append(True, np.diff(values) > _ROUNDING * values[-1])
    place = np.cumsum(begins) - 1
    return values[begins], place[np.searchsorted(values, times)]


def weighted_quantiles(values: Floats, weights: NDArray[np.int64], at: list[float]) -> Floats:
    """Quantiles of `values`, each of which stands for `weights` patients; nan if there are none."""
    if not weights.sum():
        return np.full(len(at), np.nan)
    return np.quantile(np.repeat(values, weights), at)


def z(level: float) -> float:
    """Standard normal quantile of a two-sided interval: 1.96 at 95 %."""
    return NormalDist().inv_cdf((1 + level) / 2)
