"""Survival statistics at their edges: nothing to divide by, no maximum, exact halves, GBSG2."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from lifelines import AalenJohansenFitter, CoxPHFitter, KaplanMeierFitter
from lifelines.datasets import load_gbsg2
from lifelines.utils import median_survival_times

from metasim.results.compare_report import ratio_text
from metasim.results.statistics import aalen_johansen, moments_of
from metasim.results.survival import hazard_ratio, kaplan_meier, piecewise_hazard, rate_ratio


def log_likelihood(time, event, group, log_ratio):
    """Efron's partial likelihood, patient by patient, as in the textbook."""
    risk = np.exp(np.outer(log_ratio, group))
    total = np.zeros(len(log_ratio))
    for moment in np.unique(time[event == 1]):
        dying = (time == moment) & (event == 1)
        at_risk, gone = risk[:, time >= moment].sum(axis=1), risk[:, dying].sum(axis=1)
        total += log_ratio * group[dying].sum()
        for k in range(dying.sum()):
            total -= np.log(at_risk - k / dying.sum() * gone)
    return total


GRID = np.linspace(-20, 20, 401)


def profiled(time, event, group):
    """The hazard ratio by looking at the likelihood: 0, inf, nan if it is flat, or near it."""
    profile = log_likelihood(time, event, group, GRID)
    if np.ptp(profile) < 1e-9:
        return np.nan
    best = GRID[profile.argmax()]
    if profile.max() - profile[0] < 1e-6:
        return 0.0
    return np.inf if profile.max() - profile[-1] < 1e-6 else float(np.exp(best))


def small_sets(number, rng_seed=1):
    rng = np.random.default_rng(rng_seed)
    for _ in range(number):
        size = int(rng.integers(1, 9))
        time = rng.integers(1, rng.integers(2, 12), size).astype(float)
        yield time, (rng.random(size) < rng.random()).astype(int), rng.integers(0, 2, size)


def check_small_sets(number):
    kinds = {"0": 0, "inf": 0, "nan": 0, "inside": 0}
    for time, event, group in small_sets(number):
        value, expected = hazard_ratio(time, event, group)[0].value, profiled(time, event, group)
        if np.isnan(expected) or expected in (0, np.inf):
            assert value == pytest.approx(expected, nan_ok=True), (time, event, group)
            kinds[f"{expected:g}"] += 1
        else:
            assert abs(np.log(value) - np.log(expected)) < 0.11, (time, event, group)
            kinds["inside"] += 1
    assert min(kinds.values()) > number / 50  # each kind is among them


def test_bounds_of_the_hazard_ratio_are_those_of_the_likelihood():
    ratio, gain = hazard_ratio([1, 2, 3, 4], [1, 1, 1, 1], [0, 0, 1, 1])
    assert (ratio.value, gain) == (0, 1)
    assert hazard_ratio([1, 2, 3, 4], [1, 1, 1, 1], [1, 1, 0, 0])[0].value == np.inf
    # every event comes when one group has left: nothing can be told
    assert np.isnan(hazard_ratio([1, 2, 3, 4], [0, 0, 1, 1], [0, 0, 1, 1])[0].value)
    check_small_sets(1_500)


@pytest.mark.verify
def test_bounds_of_the_hazard_ratio_on_many_sets():
    check_small_sets(20_000)


def test_pairs_that_do_not_differ_have_ratio_one_no_interval_and_no_gain():
    rng = np.random.default_rng(2)
    for n in (1, 50, 20_000):
        time, event = np.tile(rng.exponential(5, n), 2), np.tile(rng.random(n) < 0.5, 2)
        event[[0, n]] = True
        ratio, gain = hazard_ratio(time, event, np.repeat([0, 1], n), np.tile(np.arange(n), 2))
        assert ratio.value == pytest.approx(1, abs=1e-9)
        assert np.isnan([ratio.low, ratio.high, gain]).all()
        time[0] = 0.5 * time.min()  # one pair that differs is enough for an interval
        ratio, gain = hazard_ratio(time, event, np.repeat([0, 1], n), np.tile(np.arange(n), 2))
        assert n == 1 or (ratio.low < ratio.value < ratio.high and 1 < gain < 1e12)


def test_ratios_are_written_as_far_as_they_are_known():
    row = {"hazard_ratio": np.nan, "hazard_low": np.nan, "hazard_high": np.nan}
    assert ratio_text(row) == "cannot be told"
    assert ratio_text(row | {"hazard_ratio": 0.0}) == "0 (no interval)"
    assert ratio_text(row | {"hazard_ratio": np.inf}) == "inf (no interval)"
    small = {"hazard_ratio": 0.0042, "hazard_low": 0.001, "hazard_high": 0.02}
    assert ratio_text(small) == "0.0042 (0.001-0.02)"


def exact_curve(time, event):
    """Kaplan-Meier in fractions."""
    share, curve = Fraction(1), []
    for moment in sorted(set(time)):
        at_risk = sum(t >= moment for t in time)
        died = sum(e for t, e in zip(time, event, strict=True) if t == moment)
        share *= Fraction(at_risk - died, at_risk)
        curve.append((moment, share))
    return curve


def test_medians_are_where_the_exact_curve_reaches_one_half():
    rng = np.random.default_rng(3)
    halves = 0
    for _ in range(200):
        size = int(rng.integers(1, 25))
        time = [int(t) for t in rng.integers(1, 30, size)]
        event = [int(e) for e in rng.random(size) < 0.8]
        curve = exact_curve(time, event)
        expected = next((t for t, share in curve if share <= Fraction(1, 2)), np.inf)
        halves += any(share == Fraction(1, 2) for _, share in curve)
        ours = kaplan_meier(time, event)
        assert ours.median()[0] == expected
        for moment, share in curve:
            assert ours.share[np.searchsorted(ours.time, moment)] == pytest.approx(float(share))
    assert halves > 20


def test_times_that_differ_by_rounding_are_one_moment():
    days = np.array([0.1 + 0.2, 0.3, 0.3 + 1e-15, 5000.0])
    moments, place = moments_of(days)
    assert len(moments) == 3
    assert place.tolist() == [1, 1, 1, 2]
    # the event and the patient who leaves at the same time: she was at risk
    curve = kaplan_meier([0.3 + 5e-17, 0.1 + 0.2, 1.0], [0, 1, 0])
    assert curve.share[1] == pytest.approx(2 / 3)
    moments, _ = moments_of(np.array([1e-9, 2e-9]))  # small times are no rounding
    assert moments.tolist() == [0, 1e-9, 2e-9]


def test_nobody_left_at_risk_gives_no_rate():
    edge = 0.1 + 0.2  # a hair beyond 0.3
    rate, _, _ = piecewise_hazard([0.2, edge], [1, 1], [0, 0.3, 0.6])
    assert rate[0] == pytest.approx(2 / 0.5)
    assert np.isnan(rate[1])
    assert np.isnan(rate_ratio([1.0, 2.0], [1, 1], [1, 1]).value)


@pytest.mark.parametrize("size", [1, 2, 7, 60])
def test_incidence_is_lifelines_also_when_all_have_the_event(size):
    rng = np.random.default_rng(size)
    for cause in (rng.integers(0, 3, size), np.ones(size, int), np.zeros(size, int)):
        time = np.sort(rng.permutation(np.arange(1.0, 3 * size + 1))[:size])
        ours = aalen_johansen(time, cause)
        assert ((ours.low <= ours.share) & (ours.share <= ours.high)).all()
        if not (cause == 1).any():
            assert not ours.share.any()
            continue
        theirs = AalenJohansenFitter().fit(time, cause, 1).cumulative_density_.iloc[:, 0]
        at = np.searchsorted(ours.time, theirs.index, side="right") - 1
        assert ours.share[at] == pytest.approx(theirs.to_numpy(), abs=1e-9)
        if (cause == 1).all():
            assert ours.share[-1] == ours.low[-1] == ours.high[-1] == 1


def test_nobody_is_no_crash():
    assert kaplan_meier([], []).share.tolist() == [1]
    assert aalen_johansen([], []).share.tolist() == [0]
    assert np.isnan(hazard_ratio([], [], [], [])[0].value)


def test_gbsg2_women_are_as_in_lifelines():
    """686 women of the German Breast Cancer Study Group's trial 2 (ships with lifelines)."""
    women = load_gbsg2()
    years, event = women["time"] / 365.25, women["cens"]
    assert len(women) == 686
    ours, theirs = kaplan_meier(years, event), KaplanMeierFitter().fit(years, event)
    assert ours.share == pytest.approx(theirs.survival_function_.to_numpy()[:, 0], abs=1e-12)
    bounds = median_survival_times(theirs.confidence_interval_)
    assert ours.median() == pytest.approx([theirs.median_survival_time_, *bounds.iloc[0]])
    treated = (women["horTh"] == "yes").astype(int)
    frame = pd.DataFrame({"years": years, "event": event, "treated": treated})
    fit = CoxPHFitter().fit(frame, "years", "event", fit_options={"precision": 1e-12})
    row = fit.summary.loc["treated"]
    ratio, _ = hazard_ratio(years, event, treated)
    assert ratio.value == pytest.approx(row["exp(coef)"], rel=1e-6)
    assert ratio.low == pytest.approx(row["exp(coef) lower 95%"], rel=1e-6)
    assert ratio.high == pytest.approx(row["exp(coef) upper 95%"], rel=1e-6)
