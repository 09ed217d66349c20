"""A fit from start to end: screening, quick layer, posterior by an emulator, draws."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from metasim.errors import OptionError
from metasim.runner.executors import Executor
from metasim.targets.fit.emulator import Predictor
from metasim.targets.fit.journal import Journal, simulate_all
from metasim.targets.fit.posterior import Compute, posterior
from metasim.targets.fit.problem import Problem
from metasim.targets.fit.smc import effective_size

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
_ENDS: Final = (0.03, 0.97)  # of a key's prior, at which it is screened
_FELT: Final = 2.0  # standard errors that a felt key moves some target
_ROUNDS: Final = 6
_STEP: Final = 0.06


@dataclass
class Fit:
    """What a fit found.

    Attributes:
        problem: what was fitted.
        best: best point of the quick layer, in the unit cube, shape (d,).
        best_values: simulated values there, shape (T,).
        best_errors: their standard errors, shape (T,).
        covariance: local covariance at the best point, in the unit cube, shape (d, d).
        draws: draws of the posterior, in the unit cube, shape (n, d); none after the quick layer.
        weights: of the draws, sum 1, shape (n,).
        values: simulated values of the targets at the draws, shape (n, T).
        errors: their standard errors, shape (n, T).
        log_evidence: logarithm of the mean likelihood over the prior.
        emulator: expected values of the targets.
        simulated: points simulated now; `known`: in all, those of a resumed fit included.
        seconds: wall time.

    Example:
        >>> found = ms.fit("luminal_a", "mine.csv",
        ...                {"soil.bone.niche": (0, 1)}, output="mine")  # doctest: +SKIP
        >>> found.judged  # doctest: +SKIP
    """

    problem: Problem
    best: Floats
    best_values: Floats
    best_errors: Floats
    covariance: Floats
    draws: Floats = field(default_factory=lambda: np.empty((0, 0)))
    weights: Floats = field(default_factory=lambda: np.empty(0))
    values: Floats = field(default_factory=lambda: np.empty((0, 0)))
    errors: Floats = field(default_factory=lambda: np.empty((0, 0)))
    log_evidence: float = np.nan
    emulator: Predictor | None = None
    simulated: int = 0
    known: int = 0
    seconds: float = 0.0

    @property
    def effective(self) -> float:
        """Effective number of draws."""
        return effective_size(self.weights) if len(self.weights) else 0.0

    def parameters(self, points: Floats) -> dict[str, Floats]:
        """Values of the free keys at points, each of shape (n,)."""
        return {
            name: f.value(points[:, i])
            for i, f in enumerate(self.problem.keys)
            for name in (f.name, *f.prior.also)
        }

    @property
    def table(self) -> "pd.DataFrame":
        """A row per free key: prior_low, prior_high, best, median, low, high, spread_left.

        `median`, `low` and `high` are of the posterior (central 90 %; nan without draws);
        `spread_left` is its spread beside the prior's.
        """
        from metasim.targets.fit.report import table_of

        return table_of(self)

    @property
    def judged(self) -> "pd.DataFrame":
        """A row per target: use, published, best, z (both at the best point), low, high.

        `low` and `high` are the central 95 % of what the draws predict (nan without draws).
        """
        from metasim.targets.fit.report import judged_of

        return judged_of(self)

    def posterior(self) -> Any:
        """The draws as a table: keys, weight, distance, `target.ID` for every simulated value."""
        import pandas as pd

        z = self.problem.z(self.values, self.errors)[:, self.problem.fitted]
        table = pd.DataFrame(self.parameters(self.draws))
        table["weight"] = self.weights
        table["distance"] = np.sqrt(np.nanmean(z**2, axis=1))
        for place, target in enumerate(self.problem.targets):
            table[f"target.{target.id}"] = self.values[:, place]
        return table


def run_fit(
    problem: Problem,
    journal: Journal,
    executor: Executor,
    *,
    rng_seed: int = 1,
    draws: int = 500,
    say: Callable[[str], None] = lambda _: None,
) -> Fit:
    """Fit a problem.

    Args:
        problem: targets, scenarios, free keys.
        journal: takes every simulated point; what it holds is not simulated again.
        executor: where points are simulated.
        rng_seed: of the search.
        draws: draws of the posterior; 0: the quick layer alone.
        say: takes what a user should know.

    Raises:
        OptionError: a free key that no target feels.
    """
    started = time.monotonic()
    compute = partial(simulate_all, compute=problem.simulated, journal=journal, executor=executor)
    points, values, errors = _screened(problem, compute, say)
    best = _quick(problem, compute, points, values, errors, say)
    fit = Fit(problem, best.point, best.at[0], best.at[1], best.covariance)
    if draws:
        rng = np.random.default_rng([rng_seed, 11])
        anew = partial(problem.simulated, own_patients=True)
        own = partial(
            simulate_all, compute=anew, journal=journal, executor=executor, mark="own patients"
        )
        found = posterior(problem, own, rng, draws, say)
        for name, value in found._asdict().items():
            setattr(fit, name, value)
    fit.simulated, fit.known = journal.simulated, len(journal)
    fit.seconds = time.monotonic() - started
    return fit


def _screened(
    problem: Problem, compute: Compute, say: Callable[[str], None]
) -> tuple[Floats, Floats, Floats]:
    """The centre of the priors and each key by itself; refuses a key that no target feels."""
    d = len(problem.keys)
    points = np.full((2 * d + 1, d), 0.5)
    for i in range(d):
        points[1 + 2 * i, i], points[2 + 2 * i, i] = _ENDS
    say(f"screening {d} free keys: {len(points)} points")
    values, errors = compute(points)
    for i, free in enumerate(problem.keys):
        rows = [0, 1 + 2 * i, 2 + 2 * i]
        moved, place = 0.0, 0
        for a, b in ((0, 1), (0, 2), (1, 2)):
            one, other = rows[a], rows[b]
            apart = np.abs(values[one] - values[other]) / np.hypot(errors[one], errors[other])
            apart = np.where(problem.fitted, np.nan_to_num(apart), 0.0)
            if apart.max() > moved:
                moved, place = float(apart.max()), int(apart.argmax())
        if moved < _FELT:
            ends = " and ".join(f"{free.value(u):.4g}" for u in _ENDS)
            most = f"{moved:.1f} standard errors ({problem.targets[place].id})" if moved else "0"
            raise OptionError(
                f"--free {free.name}: no target feels it. Between {ends}, with "
                f"{problem.patients:,} patients, it moves the targets by at most {most}, less than "
                f"{_FELT:g}; leave it out, give a wider prior, "
                "more patients, or a target that depends on it"
            )
    return points, values, errors


@dataclass(frozen=True)
class _Best:
    """Where the quick layer ended, and all points so far."""

    point: Floats
    at: tuple[Floats, Floats]
    covariance: Floats
    points: Floats
    values: Floats
    errors: Floats


def _quick(
    problem: Problem,
    compute: Compute,
    points: Floats,
    values: Floats,
    errors: Floats,
    say: Callable[[str], None],
) -> _Best:
    """Gauss-Newton on the z-scores, with common random numbers, bounds and damping."""
    d = points.shape[1]
    # one error for all points: else those would win at which nobody relapses and all is unsure
    usual = np.array([np.median(own[np.isfinite(own)] if np.isfinite(own).any() else 0.0)
                      for own in errors.T])  # fmt: skip

    def residuals(v: Floats) -> Floats:
        z = problem.z(v, usual)[..., problem.fitted]
        return np.where(np.isfinite(z), z, 6.0)  # what cannot be told at this point is far off

    costs = (residuals(values) ** 2).sum(axis=1)
    at = points[costs.argmin()]
    own, cost = (values[costs.argmin()], errors[costs.argmin()]), float(costs.min())
    slopes = np.zeros((int(problem.fitted.sum()), d))
    for _ in range(_ROUNDS):
        steps = np.where(at < 0.5, _STEP, -_STEP)
        around = at + np.diag(steps)
        v, e = compute(around)
        points, values, errors = (
            np.vstack(x) for x in ((points, around), (values, v), (errors, e))
        )
        base = residuals(own[0])
        slopes = ((residuals(v) - base) / steps[:, None]).T
        trials = []
        for damping in (0.1, 1.0, 10.0, 100.0):
            push = np.linalg.solve(slopes.T @ slopes + damping * np.eye(d), -slopes.T @ base)
            trials.append(np.clip(at + np.clip(push, -0.3, 0.3), 0.01, 0.99))
        tried = np.array(trials)
        v, e = compute(tried)
        points, values, errors = (np.vstack(x) for x in ((points, tried), (values, v), (errors, e)))
        new = (residuals(v) ** 2).sum(axis=1)
        gain = cost - float(new.min())
        if gain > 0:
            at, own, cost = (
                tried[new.argmin()],
                (v[new.argmin()], e[new.argmin()]),
                float(new.min()),
            )
        say(f"quick: sum of z squared {cost:.2f} over {int(problem.fitted.sum())} targets")
        if gain < 0.05 * max(cost, 1.0):
            break
    covariance = np.asarray(np.linalg.inv(slopes.T @ slopes + 12 * np.eye(d)), dtype=np.float64)
    # 1/12: variance of the prior
    return _Best(at, own, covariance, points, values, errors)
