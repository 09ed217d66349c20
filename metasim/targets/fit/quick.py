"""The quick layer of a fit: a damped Gauss-Newton search for the best point.

All points share the random numbers of their patients. A round moves each key a little, tries steps
of several dampings at once, and goes on from the best of them with what these trials taught of the
slopes, until that brings nothing more. The slopes, and where the scores stand, are those of a line
fitted to all points so far, near ones above all: no simulation is wasted, a point that fails costs
one point, and the search runs less after what chance gave a single one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metasim.errors import OptionError
from metasim.targets.fit.problem import Problem

Floats = NDArray[np.float64]
Compute = Callable[[Floats], tuple[Floats, Floats]]

ROUNDS: Final = 6
_STEP: Final = 0.1  # of a key, in its prior's probability
_LONGEST: Final = 0.3  # of one move of a key
_INSIDE: Final = (0.01, 0.99)
_ENDS: Final = (0.03, 0.97)  # of a key's prior, at which it is screened
_FELT: Final = 2.0  # standard errors that a felt key moves some target between them
_FELT_BY_A_STEP: Final = 1.0
_NEAR: Final = 0.2  # distance beyond which points count little for the slopes
_RIDGE: Final = 1e-7
_TOLD: Final = 0.8  # share of the points, by weight, at which a target has to be told
_DAMPINGS: Final = 4.0 ** np.arange(-2, 4)  # beside the one that was best before
_FIRST_DAMPING: Final = 100.0
_TURNS: Final = 4  # trials with the same slopes
_WORTH: Final = 0.02  # share of the cost, or of the number of targets, that a turn has to gain
_MOST: Final = 8.0  # z beyond which a target says no more
_UNTOLD: Final = 6.0  # z of a target that cannot be told at a point
_LINEAR: Final = 3.0  # z from which on a target counts by its z, not by its square


@dataclass(frozen=True)
class Best:
    """Where the search ended.

    Attributes:
        point: in the unit cube, shape (d,).
        values: simulated values of the targets there, shape (T,).
        errors: their standard errors, shape (T,).
        covariance: local covariance of the keys, in the unit cube, shape (d, d).
    """

    point: Floats
    values: Floats
    errors: Floats
    covariance: Floats


def cost_of(z: Floats) -> Floats:
    """Sum over targets of z squared, and of 6 |z| - 9 beyond 3, shape (...,) from (..., T).

    A target that no law of this kind meets then does not outweigh all others.
    """
    size = np.abs(z)
    each = np.where(size < _LINEAR, size**2, 2 * _LINEAR * size - _LINEAR**2)
    return np.asarray(each.sum(axis=-1))


class _Line(NamedTuple):
    """The z-scores of the fitted targets as straight lines near a point.

    Attributes:
        level: at the point, shape (F,).
        slopes: their change with each key, shape (F, d).
        noise: what chance adds to the product of the slopes with themselves, as told by how far
            simulated points lie from the line, shape (d, d).
    """

    level: Floats
    slopes: Floats
    noise: Floats


class _Known:
    """All points so far.

    Attributes:
        problem: what is fitted.
        points: in the unit cube, shape (n, d).
        values: simulated values of the targets, shape (n, T); nan where they cannot be told.
        errors: their standard errors.
        residuals: z-scores of the fitted targets, `_UNTOLD` where they cannot be told, (n, F).
        costs: what the search lowers, as simulated, shape (n,).
        best: the point from which the search goes on.
    """

    def __init__(self, problem: Problem, compute: Compute) -> None:
        self.problem, self._compute = problem, compute
        self.points = np.empty((0, len(problem.keys)))
        self.values, self.errors = np.empty((2, 0, len(problem.targets)))
        self.best = 0

    def add(self, points: Floats) -> list[int]:
        """Simulate points and keep them; their numbers."""
        first = len(self.points)
        values, errors = self._compute(points)
        self.points = np.vstack((self.points, points))
        self.values = np.vstack((self.values, values))
        self.errors = np.vstack((self.errors, errors))
        # one error for all points: else those would win at which nobody relapses and all is unsure
        known = [own[np.isfinite(own)] for own in self.errors.T]
        usual = np.array([np.median(own) if len(own) else 0.0 for own in known])
        z = self.problem.z(self.values, usual)[:, self.problem.fitted]
        self._z = np.clip(z, -_MOST, _MOST)
        self.residuals = np.where(np.isfinite(self._z), self._z, _UNTOLD)
        self.costs = cost_of(self.residuals) + self._off(self.points)
        return list(range(first, len(self.points)))

    @property
    def cost(self) -> float:
        """Of the best point."""
        return float(self.costs[self.best])

    @property
    def worth(self) -> float:
        """What a turn has to gain to be followed by another."""
        return _WORTH * max(self.cost, float(self.residuals.shape[1]))

    def told(self) -> str:
        """The best point in words."""
        z = np.abs(self.residuals[self.best])
        said = f"cost {self.cost:.1f}, {(z < 2).sum()} of {len(z)} targets have |z| < 2"
        return f"{said}, the largest is {z.max():.1f} ({len(self.points)} points)"

    def line(self) -> "_Line":
        """The straight line through the points that lie near the best, which has less chance."""
        steps = self.points - self.points[self.best]
        weight = 1.0 / (1.0 + (np.linalg.norm(steps, axis=1) / _NEAR) ** 4)
        told, d = np.isfinite(self._z), steps.shape[1]
        level, slopes = self.residuals[self.best].copy(), np.zeros((told.shape[1], d))
        noise = np.zeros((d, d))
        for rows in np.unique(told, axis=1).T:  # targets that are told at the same points
            mine = (told == rows[:, None]).all(axis=0)
            x, w = np.column_stack((np.ones(rows.sum()), steps[rows])), weight[rows]
            if w.sum() < _TOLD * weight.sum():
                continue
            here = self._z[rows][:, mine]
            inverse = np.linalg.inv(x.T @ (w[:, None] * x) + _RIDGE * np.eye(d + 1))
            found = inverse @ (x.T @ (w[:, None] * here))
            level[mine], slopes[mine] = found[0], found[1:].T
            left = (w[:, None] * (here - x @ found) ** 2).sum()
            noise += left / max(len(w) - 1 - d, 1) * inverse[1:, 1:]
        return _Line(level, slopes, noise)

    def cost_on(self, line: "_Line", rows: list[int]) -> Floats:
        """What points cost: the mean of as simulated and as the line says."""
        steps = self.points[rows] - self.points[self.best]
        said = cost_of(line.level + steps @ line.slopes.T) + self._off(self.points[rows])
        return np.asarray((said + self.costs[rows]) / 2)

    def prior(self, at: Floats) -> tuple[Floats, Floats]:
        """Half the slope and half the curvature of the priors' share of the cost, each (d,)."""
        step = 1e-4
        off = [f.off(at[[i]] + np.array([-step, 0, step])) for i, f in enumerate(self.problem.keys)]
        slope = np.array([(one[2] - one[0]) / (2 * step) for one in off])
        return slope * np.array([one[1] for one in off]), slope**2

    def apart(self, rows: list[int]) -> tuple[float, int]:
        """The most that any two points differ in a fitted target, in standard errors; which."""
        value, error = self.values[rows], self.errors[rows]
        with np.errstate(invalid="ignore"):
            off = np.abs(value[:, None] - value[None]) / np.hypot(error[:, None], error[None])
        most = np.where(self.problem.fitted, np.nan_to_num(off), 0.0).max(axis=(0, 1))
        return float(most.max()), int(most.argmax())

    def _off(self, points: Floats) -> Floats:
        """The priors' share of the cost: squared standard deviations from their centres."""
        off = [f.off(points[:, i]) for i, f in enumerate(self.problem.keys)]
        return np.asarray((np.array(off) ** 2).sum(axis=0))


def search(
    problem: Problem,
    compute: Compute,
    starts: Floats,
    say: Callable[[str], None],
    rounds: int = ROUNDS,
) -> Best:
    """The best point of a problem.

    Args:
        problem: what is fitted.
        compute: points (n, d) -> simulated values and errors, each (n, T).
        starts: points of which the best is where the search begins, shape (n, d).
        say: takes what a user should know.
        rounds: at most.

    Raises:
        OptionError: a free key that no target feels, or a start at which nothing is simulated.
    """
    known = _Known(problem, compute)
    known.add(starts)
    if not np.isfinite(known.values).any():
        raise OptionError("the values from which the fit starts make no scenario together")
    known.best = int(known.costs.argmin())
    say(f"quick: starts at {known.told()}")
    damping, sign = _FIRST_DAMPING, 1.0
    for turn in range(rounds):
        centre = known.best
        at = known.points[centre]
        steps = sign * np.where(at < 0.5, _STEP, -_STEP)
        steps = np.where((at + steps < _INSIDE[0]) | (at + steps > _INSIDE[1]), -steps, steps)
        say(f"quick: round {turn + 1} of at most {rounds}, {len(at)} points around the best")
        around = known.add(at + np.diag(steps))
        if turn == 0:
            _refuse_unfelt(known, centre, around, say)
        damping, gain = _turns(known, damping, say)
        sign = -sign
        if gain < known.worth:
            break
    at, best = known.points[known.best], known.best
    return Best(at, known.values[best], known.errors[best], _covariance(known.line()))


def _covariance(line: _Line) -> Floats:
    """Local covariance of the keys; what is only noise tells nothing of them."""
    size, axes = np.linalg.eigh(line.slopes.T @ line.slopes - line.noise)
    precision = np.maximum(size, 0.0) + 12.0  # 1 / 12: variance of the prior
    return np.asarray((axes / precision) @ axes.T, dtype=np.float64)


def _turns(known: _Known, damping: float, say: Callable[[str], None]) -> tuple[float, float]:
    """Steps of several dampings, again and again while they bring something.

    Returns:
        The damping that was best at last, and by how much the cost was lowered.
    """
    gained = 0.0
    for _ in range(_TURNS):
        line, at = known.line(), known.points[known.best]
        base, slopes = line.level, line.slopes
        weight = np.minimum(1.0, _LINEAR / np.maximum(np.abs(base), 1e-9))
        curvature = slopes.T @ (weight[:, None] * slopes)
        push, prior = slopes.T @ (weight * base), known.prior(at)
        dampings = damping * _DAMPINGS
        trials = [
            -np.linalg.solve(curvature + np.diag(prior[1] + one), push + prior[0])
            for one in dampings
        ]
        found = known.add(np.clip(at + np.clip(trials, -_LONGEST, _LONGEST), *_INSIDE))
        costs = known.cost_on(line, found)
        gain = float(known.cost_on(line, [known.best])[0] - costs.min())
        if gain > 0:
            known.best = found[int(costs.argmin())]
            damping = float(np.clip(dampings[costs.argmin()], 1.0, 1e5))
            gained += gain
        say(f"quick: {known.told()}")
        if gain < known.worth:
            break
    return damping, gained


def _refuse_unfelt(
    known: _Known, start: int, around: list[int], say: Callable[[str], None]
) -> None:
    """Refuse a key that moves no target, neither by a step nor between the ends of its prior.

    One whose prior has a centre is not refused: it stays there.
    """
    problem = known.problem
    doubtful = [
        i
        for i, row in enumerate(around)
        if problem.keys[i].prior.sd is None and known.apart([start, row])[0] < _FELT_BY_A_STEP
    ]
    if not doubtful:
        return
    names = ", ".join(problem.keys[i].label for i in doubtful)
    say(f"quick: hardly felt, so that the ends of the prior are tried: {names}")
    at = known.points[start]
    ends = np.repeat(at[None], 2 * len(doubtful), axis=0)
    for place, i in enumerate(doubtful):
        ends[2 * place, i], ends[2 * place + 1, i] = _ENDS
    rows = known.add(ends)
    for place, i in enumerate(doubtful):
        moved, target = known.apart([start, *rows[2 * place : 2 * place + 2]])
        if moved >= _FELT:
            continue
        free = problem.keys[i]
        said = " and ".join(f"{free.value(u):.4g}" for u in _ENDS)
        most = f"{moved:.1f} standard errors ({problem.targets[target].id})" if moved else "0"
        raise OptionError(
            f"--free {free.label}: no target feels it. Between {said}, with "
            f"{problem.patients:,} patients, it moves the targets by at most {most}, less than "
            f"{_FELT:g}; leave it out, give a wider prior, "
            "more patients, or a target that depends on it"
        )
