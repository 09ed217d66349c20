"""A fit from start to end: quick layer, posterior by an emulator, draws."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metasim.runner.executors import Executor
from metasim.targets.fit.emulator import Predictor
from metasim.targets.fit.free import values_of
from metasim.targets.fit.journal import Journal, simulate_all
from metasim.targets.fit.posterior import posterior
from metasim.targets.fit.problem import Problem
from metasim.targets.fit.quick import ROUNDS, search
from metasim.targets.fit.smc import effective_size

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


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
        values = values_of(self.problem.keys, points)
        return {name: values[f.name] for f in self.problem.keys for name in (f.name, *f.prior.also)}

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
    start: Floats | None = None,
    rounds: int = ROUNDS,
    say: Callable[[str], None] = lambda _: None,
) -> Fit:
    """Fit a problem.

    Args:
        problem: targets, scenarios, free keys.
        journal: takes every simulated point; what it holds is not simulated again.
        executor: where points are simulated.
        rng_seed: of the search.
        draws: draws of the posterior; 0: the quick layer alone.
        start: a point of the unit cube, shape (d,), from which the search begins if it is better
            than the middle of the priors.
        rounds: of the quick layer, at most.
        say: takes what a user should know.

    Raises:
        OptionError: a free key that no target feels.
    """
    started = time.monotonic()
    compute = partial(
        simulate_all, compute=problem.simulated, journal=journal, executor=executor, say=say
    )
    middle = np.full(len(problem.keys), 0.5)
    starts = np.array([middle] if start is None else [middle, start])
    best = search(problem, compute, starts, say, rounds)
    fit = Fit(problem, best.point, best.values, best.errors, best.covariance)
    if draws:
        rng = np.random.default_rng([rng_seed, 11])
        anew = partial(problem.simulated, own_patients=True)
        own = partial(
            simulate_all, compute=anew, journal=journal, executor=executor, mark="own patients",
            say=say,
        )  # fmt: skip
        found = posterior(problem, own, rng, draws, say)
        for name, value in found._asdict().items():
            setattr(fit, name, value)
    fit.simulated, fit.known = journal.simulated, len(journal)
    fit.seconds = time.monotonic() - started
    return fit
