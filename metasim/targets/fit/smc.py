"""A posterior by tempering: particles from the prior, led to the likelihood step by step."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_MOVES: Final = 12


class Particles(NamedTuple):
    """A sample of the posterior.

    Attributes:
        points: in the unit cube, all of the same weight, shape (n, d).
        log_likelihood: at them, shape (n,).
        log_evidence: logarithm of the likelihood's mean over the prior.
    """

    points: Floats
    log_likelihood: Floats
    log_evidence: float


def sample(
    log_likelihood: Callable[[Floats], Floats],
    dimensions: int,
    rng: np.random.Generator,
    size: int = 2000,
    until: float = 1.0,
) -> Particles:
    """Sample the likelihood to a power, over an even prior on the unit cube.

    Each step raises the power until the weights have lost half of their effective size, draws the
    particles anew and moves them by random-walk Metropolis steps (Del Moral, Doucet and Jasra).

    Args:
        log_likelihood: points (n, d) -> (n,).
        dimensions: d.
        rng: random stream.
        size: number of particles n.
        until: the power, 1 for the posterior.
    """
    points = rng.random((size, dimensions))
    log, power, evidence = log_likelihood(points), 0.0, 0.0
    while power < until:
        step = _step(log, until - power)
        weights = step * (log - log.max())
        evidence += float(np.log(np.mean(np.exp(weights))) + step * log.max())
        share = np.exp(weights - weights.max())
        chosen = _systematic(share / share.sum(), size, rng)
        points, log, power = points[chosen], log[chosen], power + step
        spread = np.linalg.cholesky(np.atleast_2d(np.cov(points.T)) + 1e-10 * np.eye(dimensions))
        for move in range(_MOVES):
            reach = (2.38, 1.0, 0.4)[move % 3] / np.sqrt(dimensions)
            there = points + reach * rng.standard_normal((size, dimensions)) @ spread.T
            inside = np.all((there >= 0) & (there <= 1), axis=1)
            new = np.where(inside, log_likelihood(np.clip(there, 0, 1)), -np.inf)
            taken = np.log(rng.random(size)) < power * (new - log)
            points, log = np.where(taken[:, None], there, points), np.where(taken, new, log)
    return Particles(points, log, evidence)


def effective_size(weights: Floats) -> float:
    """Kish's effective sample size."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def _step(log: Floats, most: float) -> float:
    """The largest step of the power that keeps half of the effective size."""

    def left(step: float) -> float:
        return effective_size(np.exp(step * (log - log.max()))) / len(log)

    if left(most) >= 0.5:
        return most
    low, high = 0.0, most
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if left(middle) >= 0.5 else (low, middle)
    return max(low, most * 1e-12)


def _systematic(shares: Floats, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    places = (rng.random() + np.arange(size)) / size
    return np.minimum(np.searchsorted(np.cumsum(shares), places), len(shares) - 1)
