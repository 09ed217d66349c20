"""The posterior of a fit: waves of simulations lead an emulator to it, then draws are simulated.

Every wave is simulated where the emulator so far expects the posterior, and trains it anew. Waves
end once training no longer moves the posterior. Draws of it are then simulated themselves, and
weighted by how these simulations move the emulator: where they move it too far, they were one more
wave.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from metasim.targets.fit.emulator import Emulator, Nested, Predictor
from metasim.targets.fit.problem import Problem
from metasim.targets.fit.smc import Particles, effective_size, sample
from metasim.targets.quantities import QUANTITIES

Floats = NDArray[np.float64]
Compute = Callable[[Floats], tuple[Floats, Floats]]
_LEAST_WAVES: Final = 3
_MOST_WAVES: Final = 8
_MOST_ROUNDS: Final = 3  # of draws
_AGREED: Final = 0.5  # effective share of a sample that training leaves
_WEIGHED: Final = 0.3  # the same of the draws, whose weights make up for it
_PARTICLES: Final = 1000
_POWER: Final = 0.8  # draws are taken a little wider than the posterior, and weighted for it


class Posterior(NamedTuple):
    """What `metasim.targets.fit.run.Fit` holds of the posterior, under the same names."""

    draws: Floats
    weights: Floats
    values: Floats
    errors: Floats
    log_evidence: float
    emulator: Predictor


class _Known:
    """All simulated points with their values and errors."""

    def __init__(self, problem: Problem, compute: Compute) -> None:
        sizes = len(problem.keys), len(problem.targets), len(problem.targets)
        self._parts = [np.empty((0, size)) for size in sizes]
        self._compute = compute

    def add(self, points: Floats) -> tuple[Floats, Floats]:
        """Simulate points and keep them; their values and errors."""
        values, errors = self._compute(points)
        self._parts = [
            np.vstack(pair) for pair in zip(self._parts, (points, values, errors), strict=True)
        ]
        return values, errors

    def emulator(self, problem: Problem, particles: Particles | None, size: int) -> Predictor:
        """Trained on all points, and on those that lie closest to where the posterior does."""
        points, values, errors = self._parts
        whole = Emulator(points, values, errors, roots_of(problem))
        near = _near(points, particles, size)
        if len(near) == len(points):
            return whole
        return Nested(whole, Emulator(points[near], values[near], errors[near], whole.roots))


def posterior(
    problem: Problem,
    compute: Compute,
    rng: np.random.Generator,
    draws: int,
    say: Callable[[str], None],
) -> Posterior:
    """Draws of the posterior, simulated and weighted.

    Args:
        problem: what is fitted.
        compute: points (n, d) -> simulated values and errors, each (n, T), of own patients.
        rng: random stream.
        draws: how many.
        say: takes what a user should know.
    """
    d = len(problem.keys)
    terms = (d + 1) * (d + 2) // 2
    points, size = _Known(problem, compute), max(3 * terms, 100)
    emulator, particles = _led(problem, points, rng, size, say)
    for turn in range(_MOST_ROUNDS):
        before = _likelihood(problem, emulator)
        particles = sample(before, d, rng, max(2000, 2 * draws), until=_POWER)
        chosen = particles.points[rng.choice(len(particles.points), draws, replace=False)]
        again = f", round {turn + 1}: the last moved the posterior" if turn else ""
        say(f"posterior: {draws} draws are simulated{again}")
        values, errors = points.add(chosen)
        emulator = points.emulator(problem, particles, draws + size)
        shift = _likelihood(problem, emulator)(chosen) - _POWER * before(chosen)
        weights = np.exp(shift - shift.max())
        if effective_size(weights) >= _WEIGHED * draws:
            break
    evidence = particles.log_evidence + shift.max() + np.log(np.mean(weights))
    return Posterior(chosen, weights / weights.sum(), values, errors, float(evidence), emulator)


def _led(
    problem: Problem,
    points: _Known,
    rng: np.random.Generator,
    size: int,
    say: Callable[[str], None],
) -> tuple[Predictor, Particles]:
    """An emulator that waves of simulations have led to the posterior, and a sample of that."""
    d = len(problem.keys)
    first = 2 ** int(np.ceil(np.log2(max(64, 10 * d))))
    wanted = qmc.Sobol(d, rng=np.random.default_rng(rng.integers(2**63))).random(first)
    say(f"first wave: {len(wanted)} points")
    points.add(wanted)
    emulator = points.emulator(problem, None, size)
    for wave in range(1, _MOST_WAVES + 1):
        early = wave <= _LEAST_WAVES  # as the emulator is not to be trusted yet, not too close
        before = _likelihood(problem, emulator)
        particles = sample(before, d, rng, _PARTICLES, until=0.5 if early else 1.0)
        wanted = particles.points[rng.choice(_PARTICLES, max(32, size // 3), replace=False)]
        say(f"wave {wave}: {len(wanted)} points")
        points.add(wanted)
        emulator = points.emulator(problem, particles, size)
        after = _likelihood(problem, emulator)
        shift = after(particles.points) - before(particles.points)
        left = effective_size(np.exp(shift - shift.max())) / _PARTICLES
        if wave >= _LEAST_WAVES and left >= _AGREED:
            break
    return emulator, particles


def roots_of(problem: Problem) -> NDArray[np.bool_]:
    """Which targets are emulated by their square root."""
    return np.array([QUANTITIES[t.quantity].positive for t in problem.targets])


def _likelihood(problem: Problem, emulator: Predictor) -> Callable[[Floats], Floats]:
    return lambda u: emulator.log_likelihood(u, problem.published, problem.spread, problem.fitted)


def _near(points: Floats, particles: Particles | None, size: int) -> NDArray[np.int64]:
    """Points closest to where the posterior lies, in its own distance; all if they are few."""
    if particles is None or len(points) <= size:
        return np.arange(len(points))
    sample_ = particles.points
    spread = np.atleast_2d(np.cov(sample_.T)) + 1e-4 * np.eye(points.shape[1])
    off = points - sample_.mean(axis=0)
    far = np.einsum("ij,jk,ik->i", off, np.linalg.inv(spread), off)
    return np.sort(np.argsort(far, kind="stable")[:size])
