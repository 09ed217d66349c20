"""Outcomes that were fitted stay fitted: survival after relapse, ratios of the trials."""

import math
from itertools import pairwise

import pytest

from tests import plausible, trials

pytestmark = pytest.mark.verify

PATIENTS = 50_000
"""Of each subtype: lung and liver, a month apart, then differ by four standard errors."""


def worst_step(changes: dict[str, float]) -> tuple[float, dict[str, float]]:
    """The smallest step of the published order in standard errors, and the medians in months."""
    table = plausible.survival(PATIENTS, 21, changes)
    order = [table[organ] for organ in plausible.SURVIVAL]
    steps = [
        (a - b) / math.hypot(a_error, b_error) for (a, a_error), (b, b_error) in pairwise(order)
    ]
    return min(steps), {organ: median for organ, (median, _) in table.items()}


def test_survival_after_relapse_is_ordered_and_as_long_as_published():
    step, medians = worst_step({})
    assert step > 3, medians
    for organ, published in plausible.SURVIVAL.items():
        assert medians[organ] == pytest.approx(published, rel=0.1)


def test_two_lethal_burdens_swapped_are_caught():
    step, _ = worst_step({"soil.lung.lethal_cells": 1.7e10, "soil.liver.lethal_cells": 2.1e10})
    assert step < 3


@pytest.mark.parametrize("name", trials.TRIALS)
def test_trial_is_reproduced(name):
    trial = trials.TRIALS[name]
    for rng_seed in trials.RNG_SEEDS:
        found = trials.ratios(name, trials.PATIENTS, rng_seed)
        assert trials.inside(found, trial), found
    for fault in (trial.weaker, trial.stronger):
        wrong = trials.ratios(name, trials.PATIENTS, trials.RNG_SEEDS[0], fault)
        assert not trials.inside(wrong, trial), wrong
