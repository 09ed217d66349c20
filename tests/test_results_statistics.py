"""Intervals and cumulative incidence against scipy, lifelines and simulation."""

import warnings

import numpy as np
import pytest
from lifelines import AalenJohansenFitter, KaplanMeierFitter
from scipy import stats

from metasim.results.statistics import (
    aalen_johansen,
    mean_interval,
    weighted_quantiles,
    wilson_interval,
)


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_wilson_interval_is_scipys(level):
    cases = [(0, 10), (1, 10), (10, 10), (37, 1000), (999_999, 1_000_000)]
    low, high = wilson_interval(*np.array(cases).T, level)
    for (x, n), a, b in zip(cases, low, high, strict=True):
        exact = stats.binomtest(x, n).proportion_ci(level, method="wilson")
        assert (a, b) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_wilson_interval_holds_the_share_whatever_the_rounding():
    n = np.arange(1, 5001)
    none_low, none_high = wilson_interval(0 * n, n)
    all_low, all_high = wilson_interval(n, n)
    assert (none_low == 0).all()
    assert (all_high == 1).all()
    assert (none_high > 0).all()
    assert (all_low < 1).all()


def test_mean_interval_of_poisson_counts_is_garwoods_exact_one():
    counts = np.repeat([0, 1, 2, 3], [40, 36, 16, 8])  # variance below the mean
    n, x = len(counts), counts.sum()
    low, high = mean_interval(x, (counts**2).sum(), n)
    assert low == pytest.approx(stats.chi2.ppf(0.025, 2 * x) / 2 / n)
    assert high == pytest.approx(stats.chi2.ppf(0.975, 2 * x + 2) / 2 / n)


def test_mean_interval_of_zeros_is_the_rule_of_three():
    low, high = mean_interval(0, 0, 100)
    assert low == 0
    assert high == pytest.approx(-np.log(0.025) / 100)


@pytest.mark.parametrize("shape", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("mean", [0.05, 0.5, 5.0])
def test_mean_interval_covers_overdispersed_counts(shape, mean):
    rng = np.random.default_rng(1)
    counts = rng.poisson(mean * rng.gamma(shape, 1 / shape, (3000, 400)))
    low, high = mean_interval(counts.sum(1), (counts**2).sum(1), 400)
    assert 0.935 < np.mean((low <= mean) & (mean <= high)) < 0.985


def competing(n, rng):
    first, other, censored = rng.exponential([5, 8, 10], (n, 3)).T
    time = np.minimum(np.minimum(first, other), censored)
    cause = np.select([time == first, time == other], [1, 2], 0)
    return time, cause


@pytest.mark.parametrize("n", [12, 300])
def test_aalen_johansen_is_lifelines(n):
    time, cause = competing(n, np.random.default_rng(2))
    ours = aalen_johansen(time, cause)
    theirs = AalenJohansenFitter().fit(time, cause, event_of_interest=1)
    at = np.searchsorted(ours.time, theirs.cumulative_density_.index)
    assert ours.share[at] == pytest.approx(theirs.cumulative_density_.iloc[:, 0], abs=1e-12)
    bounds = theirs.confidence_interval_.to_numpy()
    inside = np.isfinite(bounds).all(axis=1) & (ours.share[at] > 0)
    assert inside.sum() > n // 2
    assert ours.low[at][inside] == pytest.approx(bounds[inside].min(axis=1), abs=1e-9)
    assert ours.high[at][inside] == pytest.approx(bounds[inside].max(axis=1), abs=1e-9)


def test_without_competing_event_it_is_one_minus_kaplan_meier_with_ties():
    rng = np.random.default_rng(3)
    time, event = rng.integers(1, 15, 200), rng.integers(0, 2, 200)
    ours = aalen_johansen(time, event)
    theirs = KaplanMeierFitter().fit(time, event)
    expected = 1 - theirs.survival_function_at_times(ours.time).to_numpy()
    assert ours.share == pytest.approx(expected, abs=1e-12)


def test_bands_cover_the_true_incidence():
    rng = np.random.default_rng(4)
    truth = (1 / 5) / (1 / 5 + 1 / 8) * (1 - np.exp(-(1 / 5 + 1 / 8) * 3))
    hits = []
    for _ in range(600):
        curve = aalen_johansen(*competing(150, rng))
        last = np.searchsorted(curve.time, 3, side="right") - 1
        hits.append(curve.low[last] <= truth <= curve.high[last])
    assert 0.92 < np.mean(hits) < 0.98


def test_edges_of_aalen_johansen():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        everyone = aalen_johansen([1.0, 1.0, 2.0], [1, 1, 1])
        nobody = aalen_johansen([1.0, 2.0], [0, 2])
        at_once = aalen_johansen([0.0, 0.0, 3.0], [1, 2, 0])
        empty = aalen_johansen([], [])
    assert everyone.share.tolist() == [0, pytest.approx(2 / 3), 1]
    assert not nobody.share.any()
    assert not nobody.high.any()
    assert empty.share.tolist() == [0]
    assert at_once.time.tolist() == [0, 3]
    assert at_once.share == pytest.approx([1 / 3, 1 / 3])


def test_weighted_quantiles_stand_for_repeated_values():
    values, weights = np.array([1.0, 5.0, 9.0]), np.array([3, 1, 4])
    expected = np.quantile([1, 1, 1, 5, 9, 9, 9, 9], [0.25, 0.5])
    assert weighted_quantiles(values, weights, [0.25, 0.5]) == pytest.approx(expected)
    assert np.isnan(weighted_quantiles(values[:0], weights[:0], [0.5])).all()
