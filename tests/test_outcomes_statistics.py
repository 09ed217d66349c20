"""Kaplan-Meier, hazards, log-rank and Cox against lifelines; intervals against simulation."""

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import logrank_test
from lifelines.utils import median_survival_times
from scipy import stats

from metasim.results.statistics import difference_interval, paired_interval, wilson_interval
from metasim.results.survival import (
    hazard_ratio,
    kaplan_meier,
    log_rank,
    piecewise_hazard,
    rate_ratio,
)


def sample(n, rng, effect=0.6, ties=False):
    """Two groups of n, the second at a hazard that is `effect` times the first one's."""
    group = np.repeat([0, 1], n)
    event = rng.exponential(5 / np.where(group, effect, 1))
    censored = rng.uniform(1, 12, 2 * n)
    time = np.minimum(event, censored)
    return np.ceil(time * 3) / 3 if ties else time, (event <= censored).astype(int), group


def cox(time, event, group, **options):
    frame = pd.DataFrame({"time": time, "event": event, "group": group, "pair": np.nan})
    frame["pair"] = np.tile(np.arange(len(frame) // 2), 2)
    if "cluster_col" not in options:
        frame = frame.drop(columns="pair")
    fit = CoxPHFitter().fit(frame, "time", "event", fit_options={"precision": 1e-12}, **options)
    return fit.summary.loc["group"]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [6, 200])
def test_kaplan_meier_is_lifelines(n, ties):
    time, event, _ = sample(n, np.random.default_rng(1), ties=ties)
    ours, theirs = kaplan_meier(time, event), KaplanMeierFitter().fit(time, event)
    assert ours.time == pytest.approx(theirs.survival_function_.index)
    assert ours.share == pytest.approx(theirs.survival_function_.iloc[:, 0], abs=1e-12)
    bounds = theirs.confidence_interval_.to_numpy()
    inside = (ours.share > 0) & (ours.share < 1)
    assert ours.low[inside] == pytest.approx(bounds[inside, 0], abs=1e-9)
    assert ours.high[inside] == pytest.approx(bounds[inside, 1], abs=1e-9)
    assert ours.at_risk.tolist() == theirs.event_table["at_risk"].astype(int).tolist()
    ends = median_survival_times(theirs.confidence_interval_)
    median = [theirs.median_survival_time_, *ends.iloc[0]]
    assert ours.median() == pytest.approx(median)


def test_edges_of_kaplan_meier():
    assert kaplan_meier([], []).share.tolist() == [1]
    assert kaplan_meier([2.0, 3.0], [0, 0]).median() == (np.inf, np.inf, np.inf)
    assert kaplan_meier([0.0, 1.0], [1, 1]).share.tolist() == [0.5, 0]


def test_piecewise_hazard_is_events_over_time_at_risk():
    rate, low, high = piecewise_hazard([0.5, 1.0, 1.5, 3.0], [1, 1, 0, 0], [0, 1, 2, 3, 4])
    assert rate[:3] == pytest.approx([2 / 3.5, 0, 0])
    assert np.isnan(rate[3])
    assert low[0] == pytest.approx(stats.chi2.ppf(0.025, 4) / 2 / 3.5)
    assert high[1] == pytest.approx(-np.log(0.025) / 1.5)


def test_piecewise_hazard_finds_a_constant_hazard():
    time, event, _ = sample(20_000, np.random.default_rng(2), effect=1)
    rate, low, high = piecewise_hazard(time, event, np.arange(0, 11))
    assert rate[:6] == pytest.approx(0.2, rel=0.05)
    assert ((low < 0.2) & (high > 0.2)).sum() >= 8


@pytest.mark.parametrize("ties", [False, True])
def test_log_rank_and_rate_ratio(ties):
    time, event, group = sample(150, np.random.default_rng(3), ties=ties)
    excess, variance = log_rank(time, event, group)
    one = group == 1
    theirs = logrank_test(time[one], time[~one], event[one], event[~one])
    assert excess**2 / variance == pytest.approx(theirs.test_statistic)
    assert excess < 0
    ratio = rate_ratio(time, event, group)
    assert ratio.value == pytest.approx(np.exp(excess / variance))
    assert np.log(ratio.high / ratio.low) == pytest.approx(2 * 1.959964 / np.sqrt(variance))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("effect", [0.1, 0.8, 3.0])
def test_hazard_ratio_is_lifelines(effect, ties):
    time, event, group = sample(80, np.random.default_rng(4), effect, ties)
    ours, gain = hazard_ratio(time, event, group)
    theirs = cox(time, event, group)
    assert gain == 1
    assert ours.value == pytest.approx(theirs["exp(coef)"], rel=1e-6)
    assert ours.low == pytest.approx(theirs["exp(coef) lower 95%"], rel=1e-6)
    assert ours.high == pytest.approx(theirs["exp(coef) upper 95%"], rel=1e-6)


def paired_sample(n, rng, shared=0.9):
    """Pairs whose lives have most of their luck in common; the second group fares better."""
    common, own = rng.normal(size=n), rng.normal(size=(2, n))
    luck = stats.norm.cdf(np.sqrt(shared) * common + np.sqrt(1 - shared) * own)
    time = (-np.log(luck) * np.array([[5.0], [7.0]])).ravel()
    return np.minimum(time, 8), (time <= 8).astype(int), np.repeat([0, 1], n)


def test_robust_variance_of_pairs_is_lifelines():
    n = 120
    time, event, group = paired_sample(n, np.random.default_rng(5))
    time = time + 1e-9 * np.arange(2 * n)  # lifelines' robust variance does not handle ties
    ours, gain = hazard_ratio(time, event, group, np.tile(np.arange(n), 2))
    theirs = cox(time, event, group, cluster_col="pair")
    assert ours.low == pytest.approx(theirs["exp(coef) lower 95%"], rel=1e-5)
    assert ours.high == pytest.approx(theirs["exp(coef) upper 95%"], rel=1e-5)
    assert gain > 2


def test_robust_variance_with_ties_is_the_jackknifes():
    n = 150
    time, event, group = paired_sample(n, np.random.default_rng(6))
    time, pair = np.ceil(time), np.tile(np.arange(n), 2)
    ours, _ = hazard_ratio(time, event, group, pair)
    left_out = [
        np.log(hazard_ratio(*(a[pair != k] for a in (time, event, group)))[0].value)
        for k in range(n)
    ]
    jackknife = np.sqrt((n - 1) * np.var(left_out))
    assert np.log(ours.high / ours.low) / 2 / 1.959964 == pytest.approx(jackknife, rel=0.05)


def test_paired_interval_of_the_hazard_ratio_covers_and_is_narrower():
    rng = np.random.default_rng(7)
    truth = 5 / 7
    hits, gains = [], []
    for _ in range(300):
        ratio, gain = hazard_ratio(*paired_sample(150, rng), np.tile(np.arange(150), 2))
        hits.append(ratio.low <= truth <= ratio.high)
        gains.append(gain)
    assert 0.91 < np.mean(hits) < 0.985
    assert np.mean(gains) > 2


def test_hazard_ratio_without_a_maximum():
    time, group = [1.0, 2.0, 3.0, 4.0], [0, 1, 0, 1]
    cases = {(1, 0, 1, 0): 0, (0, 1, 0, 1): np.inf}
    for event, expected in cases.items():
        ratio, _ = hazard_ratio(time, event, group)
        assert ratio.value == expected
        assert np.isnan([ratio.low, ratio.high]).all()
    assert np.isnan(hazard_ratio(time, [0, 0, 0, 0], group)[0].value)
    assert np.isnan(rate_ratio(time, [0, 0, 0, 0], group).value)
    assert np.isnan(hazard_ratio([], [], [])[0].value)


@pytest.mark.parametrize(("share", "most"), [(0.01, 1), (0.2, 0.97)])
def test_paired_interval_covers_and_keeps_a_width(share, most):
    rng = np.random.default_rng(8)
    low_high = []
    for _ in range(2000):
        common = rng.random(300)
        other = np.where(rng.random(300) < 0.8, common, rng.random(300)) < share / 2
        low_high.append(paired_interval(other.astype(int) - (common < share)))
    low, high = np.array(low_high).T
    assert 0.93 < np.mean((low <= -share / 2) & (-share / 2 <= high)) <= most
    low, high = paired_interval(np.zeros(100))
    assert low == -high < 0


def test_difference_interval_is_newcombes():
    # Newcombe 1998, Statist Med 17:873, table II, method 10: 56/70 less 48/80
    one, other = 48 / 80, 56 / 70
    ends = [wilson_interval(48, 80), wilson_interval(56, 70)]
    low, high = difference_interval((one, *map(float, ends[0])), (other, *map(float, ends[1])))
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)
