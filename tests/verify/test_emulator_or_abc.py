"""Why a fit trains an emulator: of as many simulations it tells more than ABC, and as honestly."""

import numpy as np
import pytest
from scipy.stats import qmc

from metasim.targets.fit.command import _problem
from metasim.targets.fit.emulator import Emulator
from metasim.targets.fit.free import parse_free
from metasim.targets.fit.posterior import roots_of
from metasim.targets.fit.problem import Problem
from metasim.targets.fit.report import quantiles
from metasim.targets.fit.smc import sample
from metasim.targets.load import parse_targets
from metasim.targets.score import BETWEEN_COHORTS

pytestmark = pytest.mark.verify

ORGANS = ("bone", "lung", "liver")
KEYS = tuple(parse_free(f"soil.{organ}.niche=0:1") for organ in ORGANS)
BANK, PATIENTS, KEPT, TRUTHS = 512, 300, 25, 50


def problem_of(values, total):
    targets = [{"id": organ, "cohort": "all", "quantity": "site_percent", "of": {"organ": organ},
                "value": value, "total": total}
               for organ, value in zip(ORGANS, values, strict=True)]  # fmt: skip
    read = parse_targets({"cohorts": {"all": {}}, "targets": targets})
    return _problem(read, "luminal_b", KEYS, None, PATIENTS)


def by_rejection(problem, points, values, errors):
    """Points whose simulation comes closest to what was published (ABC rejection)."""
    z = np.nan_to_num(problem.z(values, errors), nan=9.0)
    return points[np.argsort((z**2).sum(axis=1), kind="stable")[:KEPT]]


def by_emulator(problem, points, values, errors, rng):
    emulator = Emulator(points, values, errors, roots_of(problem))
    published, spread, fitted = problem.published, problem.spread, problem.fitted
    return sample(
        lambda u: emulator.log_likelihood(u, published, spread, fitted), 3, rng, 500
    ).points


def ends(draws):
    """Central 90 % of each key, shape (d, 2)."""
    even = np.full(len(draws), 1 / len(draws))
    return np.array([quantiles(column, even, (0.05, 0.95)) for column in draws.T])


def test_the_emulator_tells_more_of_as_many_simulations_and_holds_the_truth_as_often():
    rng = np.random.default_rng(3)
    base = problem_of([30.0, 30.0, 30.0], 100)
    points = qmc.Sobol(3, rng=np.random.default_rng(1)).random(BANK)
    bank = [base.simulated(u, own_patients=True) for u in points]
    values, errors = (np.array(column) for column in zip(*bank, strict=True))
    held, width = {"abc": [], "emulator": []}, {"abc": [], "emulator": []}
    larger = Problem(base.plan, KEYS, 2000)
    for truth in rng.random((TRUTHS, 3)):
        seen, error = larger.simulated(truth, own_patients=True)
        total = float(np.clip((seen * (100 - seen) / error**2)[0], 5, None))
        seen = np.clip(seen * (1 + BETWEEN_COHORTS * rng.standard_normal(3)), 1, 99)
        problem = problem_of(seen.tolist(), total)
        for name, draws in (
            ("abc", by_rejection(problem, points, values, errors)),
            ("emulator", by_emulator(problem, points, values, errors, rng)),
        ):
            low, high = ends(draws).T
            held[name] += ((low <= truth) & (truth <= high)).tolist()
            width[name] += (high - low).tolist()
    share = {name: np.mean(all_) for name, all_ in held.items()}
    mean = {name: np.mean(all_) for name, all_ in width.items()}
    print(share, mean)
    assert share["emulator"] > 0.85 and share["abc"] > 0.85  # of 90 %
    assert mean["emulator"] < 0.9 * mean["abc"]
