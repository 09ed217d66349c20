"""Simulation-based calibration of a fit, on the engine itself (Talts et al. 2018).

A truth is drawn from the prior, patients of it are simulated and published, and the posterior is
found from what was published. If all is right, the truth's rank among the draws is even.
"""

from functools import partial

import numpy as np
import pytest

from metasim.runner.executors import Serial
from metasim.targets.fit import posterior as module
from metasim.targets.fit.command import _problem
from metasim.targets.fit.free import parse_free
from metasim.targets.fit.journal import Journal, simulate_all
from metasim.targets.fit.problem import Problem
from metasim.targets.load import parse_targets
from metasim.targets.score import BETWEEN_COHORTS

pytestmark = pytest.mark.verify

KEYS = (parse_free("soil.bone.niche=0:1"),)
PATIENTS, DRAWS, BINS = 300, 40, 6
GRID = 200  # values of the key that are simulated, once for all truths
EVEN = 20.5  # chi square with 5 degrees of freedom, P = 0.001


def problem_of(bone, lung, total, **changes):
    """The problem of fitting to these shares of so many relapsed patients."""
    common = {"cohort": "all", "quantity": "site_percent", "total": total}
    targets = [{"id": organ, "of": {"organ": organ}, "value": value, **common}
               for organ, value in (("bone", bone), ("lung", lung))]  # fmt: skip
    read = parse_targets({"cohorts": {"all": {}}, "targets": targets})
    return _problem(read, "luminal_b_surgery", KEYS, changes, PATIENTS)


def published(truth, rng):
    """Shares of patients whose niche is the truth, and what differs between any two cohorts."""
    source = problem_of(50, 50, 100, **{"run.rng_seed": int(rng.integers(1, 2**31))})
    source = Problem(source.plan, KEYS, PATIENTS)
    values, errors = source.simulated(truth)
    total = np.clip(values * (100 - values) / errors**2, 5, None)[0]
    values = values * (1 + BETWEEN_COHORTS * rng.standard_normal(2))
    return np.clip(values, 1, 99), float(total)


def ranks(number, bias, journal, monkeypatch):
    """Ranks of so many truths among the draws: of the key, and of the likelihood at it.

    The second is known to see what the first cannot, such as draws that hardly look at the data
    (Modrak et al. 2023). Each by the weights, and as if all weights were alike.

    Args:
        number: of truths.
        bias: moves what the distance is to, in units of its spread.
        journal: takes what is simulated.
        monkeypatch: of pytest.
    """
    monkeypatch.setattr(module, "_LEAST_WAVES", 1)
    monkeypatch.setattr(module, "_POWER", 0.3)  # far too wide, so that weights have much to do
    rng, out = np.random.default_rng(5), []
    for truth in rng.random((number, 1)):
        (bone, lung), total = published(truth, rng)
        problem = problem_of(bone, lung, total)
        problem.__dict__["published"] = problem.published + bias * problem.spread

        def compute(points, problem=problem):
            near = np.round(points * GRID) / GRID
            simulate = partial(problem.simulated, own_patients=True)
            return simulate_all(near, simulate, journal, Serial())

        found = module.posterior(problem, compute, np.random.default_rng(7), DRAWS, lambda _: None)
        log = module._likelihood(problem, found.emulator)
        row = []
        for below in (found.draws[:, 0] < truth[0], log(found.draws) < log(truth[None])):
            row += [found.weights @ below, below.mean()]
        out.append(row)
    return dict(zip(("key", "key_alike", "likelihood", "likelihood_alike"), np.array(out).T,
                    strict=True))  # fmt: skip


def uneven(found):
    counts = np.histogram(found, bins=BINS, range=(0, 1))[0]
    print(counts)
    expected = len(found) / BINS
    return ((counts - expected) ** 2 / expected).sum()


def test_truths_rank_evenly_and_faults_are_caught(monkeypatch):
    journal = Journal(None, "")
    right = ranks(90, 0.0, journal, monkeypatch)
    assert uneven(right["key"]) < EVEN
    assert uneven(right["likelihood"]) < EVEN
    assert uneven(right["likelihood_alike"]) > EVEN  # a fault: the weights are ignored
    biased = ranks(30, 1.5, journal, monkeypatch)
    assert uneven(biased["key"]) > EVEN  # a fault: the distance is to another value
