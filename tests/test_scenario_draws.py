"""What differs between patients: addressed, distributed as asked, within bounds."""

import time

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metasim.scenario.distributions import quantile, reached
from metasim.scenario.draws import draw_parameters
from metasim.scenario.load import load
from metasim.scenario.schema import Distribution

RHO, NICHE, CELLS = "growth.rho_per_day", "soil.bone.niche", "primary.initial_cells"


def scenario(shape, path=RHO, **more):
    return load("breast", {"patients": "none", f"patients.{path}": shape, **more})


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_chunks_do_not_matter(first, sizes):
    asked = load("breast")
    whole = draw_parameters(asked, first, sum(sizes))
    start, parts = first, []
    for size in sizes:
        parts.append(draw_parameters(asked, start, size))
        start += size
    for path, values in whole.items():
        assert np.array_equal(values, np.concatenate([part[path] for part in parts]))


def test_other_paths_do_not_matter_but_the_seed_does():
    base = load("breast")
    alone = scenario(base.patients[RHO])
    assert np.array_equal(draw_parameters(base, 0, 9)[RHO], draw_parameters(alone, 0, 9)[RHO])
    other = base.replace({"run.rng_seed": 2})
    assert not np.any(draw_parameters(base, 0, 9)[RHO] == draw_parameters(other, 0, 9)[RHO])


def test_paths_are_independent():
    drawn = draw_parameters(load("breast"), 0, 20_000)
    ranks = [stats.rankdata(values) for values in drawn.values()]
    assert len(ranks) == 3
    assert np.all(np.abs(np.corrcoef(ranks)[np.triu_indices(3, 1)]) < 4 / np.sqrt(20_000))


@pytest.mark.parametrize(
    ("shape", "law"),
    [
        ({"lognormal": {"median": 0.002, "sigma": 0.7}}, stats.lognorm(0.7, scale=0.002)),
        ({"normal": {"mean": 0.5, "sd": 0.2, "low": 0.0, "high": 0.7}},
         stats.truncnorm(-2.5, 1.0, 0.5, 0.2)),
        ({"normal": {"mean": 0.5, "sd": 0.2, "low_sds": 2.5, "high_sds": 1.0}},
         stats.truncnorm(-2.5, 1.0, 0.5, 0.2)),
        ({"normal": {"mean": -1.0, "sd": 0.1, "low": 0.0}},
         stats.truncnorm(10, np.inf, -1.0, 0.1)),
        ({"uniform": {"low": 0.1, "high": 0.3}}, stats.uniform(0.1, 0.2)),
    ],
)  # fmt: skip
def test_continuous_distributions(shape, law):
    values = draw_parameters(scenario(shape), 0, 20_000)[RHO]
    assert stats.kstest(values, law.cdf).pvalue > 0.001
    assert stats.kstest(values * 1.05, law.cdf).pvalue < 0.001  # the test has the power to fail


def test_truncated_lognormal():
    shape = {"lognormal": {"median": 0.5, "sigma": 1.0, "low": 0.2, "high": 0.9}}
    values = draw_parameters(scenario(shape, NICHE), 0, 20_000)[NICHE]
    law = stats.truncnorm(np.log(0.4), np.log(1.8), np.log(0.5), 1.0)
    assert stats.kstest(np.log(values), law.cdf).pvalue > 0.001
    assert values.min() >= 0.2
    assert values.max() <= 0.9


def test_ends_in_standard_deviations_move_with_the_median():
    for median, sigma in ((0.001, 0.5), (0.003, 0.5), (0.001, 0.9)):
        ends = {"low_sds": 1.0, "high_sds": 0.5}
        drawn = scenario({"lognormal": {"median": median, "sigma": sigma, **ends}})
        steps = np.log(draw_parameters(drawn, 0, 5000)[RHO] / median) / sigma
        assert stats.kstest(steps, stats.truncnorm(-1.0, 0.5).cdf).pvalue > 0.01
    none = scenario({"lognormal": {"median": 0.001, "sigma": 0.0, **ends}})
    assert set(draw_parameters(none, 0, 9)[RHO]) == {0.001}


def test_choice():
    shape = {"choice": {"values": [0.1, 0.5, 0.9], "weights": [1.0, 0.0, 3.0]}}
    values = draw_parameters(scenario(shape, NICHE), 0, 20_000)[NICHE]
    assert set(values) == {0.1, 0.9}
    assert stats.binomtest(int((values == 0.1).sum()), 20_000, 0.25).pvalue > 0.001
    even = draw_parameters(scenario({"choice": {"values": [0.1, 0.9]}}, NICHE), 0, 20_000)[NICHE]
    assert stats.binomtest(int((even == 0.1).sum()), 20_000, 0.5).pvalue > 0.001


def test_whole_numbers_and_degenerate_spread():
    shape = {"lognormal": {"median": 100.0, "sigma": 1.0, "low": 1.0, "high": 1e6}}
    values = draw_parameters(scenario(shape, CELLS), 0, 1000)[CELLS]
    assert np.array_equal(values, np.rint(values))
    fixed = {"normal": {"mean": 5.0, "sd": 0.0, "low": 0.1, "high": 0.4}}
    assert set(draw_parameters(scenario(fixed), 0, 10)[RHO]) == {0.4}


finite = st.floats(-1e300, 1e300)


@settings(max_examples=200, deadline=None)
@given(finite, st.floats(0, 1e300), finite, finite)
def test_bounds_hold_however_far_out(mean, sd, a, b):
    low, high = min(a, b), max(a, b)
    shape = {"mean": mean, "sd": sd, "low": low, "high": high}
    u = np.array([2.0**-54, 0.3, 0.7, 1 - 2.0**-53])
    values = quantile(Distribution.model_validate({"normal": shape}), u)
    assert np.all((values >= low) & (values <= high))
    assert np.all(np.diff(values) >= 0)


U = np.array([2.0**-54, 1e-9, 0.1, 0.5, 0.9, 1 - 1e-9, 1 - 2.0**-53])
RANGES = [  # mean, sd, low, high
    (0, 0.01, 0.5, 1), (0, 0.01, -1, -0.5), (-1, 1e-10, 0, 1), (3, 1e-3, 0, 1), (-1, 0.1, 0, 1e6),
    (0, 1e10, 0.4, 0.6), (0, 1, 3, 3 + 1e-11), (-50, 1, 0, 1e-7), (1e8, 2e3, 0.25, 0.75),
    (0.5, 0.2, 0, 0.7), (0, 1, -40, -36), (0, 1, 36, 38), (0, 1, 7, 7.5), (0, 1, -38, 5),
]  # fmt: skip


def normal_share(x, mean, sd, low, high):
    """(share of a truncated normal below x, density there), to 60 digits."""
    with mpmath.workdps(400):
        scale = mpmath.sqrt(2)
        z = [(mpmath.mpf(float(v)) - mpmath.mpf(float(mean))) / mpmath.mpf(float(sd)) / scale
             for v in (x, low, high)]  # fmt: skip
        if z[1] > 0:  # erfc keeps the digits of the upper tail
            below, all_ = (mpmath.erfc(z[1]) - mpmath.erfc(z[i]) for i in (0, 2))
        else:
            below, all_ = (mpmath.erfc(-z[i]) - mpmath.erfc(-z[1]) for i in (0, 2))
        density = 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(z[0] ** 2)) / all_ / scale
        return below / all_, density / mpmath.mpf(float(sd))


@pytest.mark.parametrize("shape", RANGES, ids=str)
def test_truncated_normal_to_the_far_tail(shape):
    """Item 5: what the quantile of u is exceeded by must be 1 - u, as far as floats can tell."""
    given = dict(zip(("mean", "sd", "low", "high"), map(float, shape), strict=True))
    values = quantile(Distribution.model_validate({"normal": given}), U)
    for u, x in zip(U, values, strict=True):
        share, density = normal_share(x, *shape)
        blur = abs(density) * abs(np.spacing(x)) * 8 + 1e-12 * u * (1 - u) + 3e-16
        assert abs(share - mpmath.mpf(float(u))) < blur, (u, x)
    assert np.all(np.diff(values) >= 0)


LOGNORMALS = [  # median, sigma, low, high
    (1e-3, 0.1, 0.5, 1.0), (1e3, 0.1, 1e-3, 0.5), (1.0, 0.5, 1.0, 1.0 + 1e-9),
    (1.0, 1e-4, 2.0, 3.0), (0.5, 1.0, 0.2, 0.9),
]  # fmt: skip


@pytest.mark.parametrize(("median", "sigma", "low", "high"), LOGNORMALS)
def test_truncated_lognormal_to_the_far_tail(median, sigma, low, high):
    shape = {"median": median, "sigma": sigma, "low": low, "high": high}
    values = quantile(Distribution.model_validate({"lognormal": shape}), U)
    with mpmath.workdps(60):
        logs = [
            mpmath.log(mpmath.mpf(v) / mpmath.mpf(median)) for v in (*values.tolist(), low, high)
        ]
    for u, x, log in zip(U, values, logs, strict=False):
        with mpmath.workdps(400):
            z = [part / mpmath.mpf(sigma) / mpmath.sqrt(2) for part in (log, *logs[-2:])]
            sign = 1 if z[1] > 0 else -1
            below, all_ = (sign * (mpmath.erfc(sign * z[1]) - mpmath.erfc(sign * z[i]))
                           for i in (0, 2))  # fmt: skip
            density = 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(z[0] ** 2)) / all_
            blur = abs(density / mpmath.sqrt(2) / sigma / x) * np.spacing(x) * 8
        assert abs(below / all_ - mpmath.mpf(float(u))) < blur + 1e-12 * u * (1 - u) + 3e-16, (u, x)


def test_ranges_and_weights_beyond_what_a_sum_of_floats_holds():
    values = quantile(Distribution.model_validate({"uniform": {"low": -1e308, "high": 1e308}}), U)
    assert np.allclose(values, 1e308 * (2 * U - 1), rtol=1e-15, atol=1e293)
    for weight in (5e-324, 1e-300, 1.7e308):
        shape = {"values": [1.0, 2.0, 3.0, 4.0], "weights": [weight, weight, 0.0, weight]}
        drawn = quantile(Distribution.model_validate({"choice": shape}), np.array([0.3, 0.6, 0.9]))
        assert drawn.tolist() == [1.0, 2.0, 4.0]
    uneven = {"values": [1.0, 2.0], "weights": [1.0, 1e-300]}
    assert set(quantile(Distribution.model_validate({"choice": uneven}), U)) == {1.0}


@settings(max_examples=100, deadline=None)
@given(st.floats(-5, 5), st.floats(0.01, 2), st.sampled_from(["normal", "lognormal"]))
def test_no_draw_lies_outside_what_is_said_to_be_reached(mean, sd, form):
    shape = {"mean": mean, "sd": sd} if form == "normal" else {"median": np.exp(mean), "sigma": sd}
    for ends in ({}, {"low": 7.0}, {"high": 0.5}):
        asked = Distribution.model_validate({form: shape | ends})
        low, high = reached(asked)
        values = quantile(asked, U)
        assert low <= values.min() <= values.max() <= high


def test_fast_for_many_patients():
    asked = load("breast")
    draw_parameters(asked, 0, 10)
    start = time.perf_counter()
    draw_parameters(asked, 0, 100_000)
    assert time.perf_counter() - start < 0.5  # 0.02 s on an idle core
