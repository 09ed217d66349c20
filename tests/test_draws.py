"""The random draws for groups against the distributions that they stand for."""

import math

import numpy as np
import pytest
from scipy import stats

from metasim.engines.colonies import draws
from metasim.engines.colonies.kernel import allocating
from metasim.law import closed_forms, growth
from tests.significance import caught, counts_p, holds, mean_p, variance_p


@allocating
def many_binomial(rng, n, p, size):
    out = np.zeros(size, np.int64)
    for i in range(size):
        out[i] = draws.binomial(rng, n, p)
    return out


@allocating
def many_grow(rng, n, birth, death, dt, size):
    out = np.zeros(size, np.int64)
    for i in range(size):
        out[i] = draws.grow(rng, n, birth, death, dt)
    return out


@allocating
def many_successes(rng, trials, hazard, size):
    gap = rng.standard_exponential()
    out = np.zeros(size, np.int64)
    for i in range(size):
        out[i], gap = draws.successes(rng, gap, trials, hazard, trials)
    return out


@pytest.fixture
def rng():
    return np.random.Generator(np.random.PCG64(20))


def binned_p(sample, cdf, quantile, bins=40):
    """Chi-square p-value of a sample of counts against a discrete distribution."""
    edges = np.unique([quantile(q) for q in np.linspace(0, 1, bins + 1)[1:-1]])
    cumulative = np.concatenate([[0.0], cdf(edges), [1.0]])
    observed = np.bincount(np.searchsorted(edges, sample), minlength=len(edges) + 1)
    return counts_p(observed, np.diff(cumulative))


@pytest.mark.parametrize(
    ("n", "p"),
    [(10, 0.3), (1000, 1e-3), (400_000, 0.4), (2_000_000, 0.3), (10**13, 2e-8), (10**13, 0.7)],
)
def test_binomial(rng, n, p):
    law = stats.binom(n, p)
    assert holds(binned_p(many_binomial(rng, n, p, 200_000), law.cdf, law.ppf))
    biased = many_binomial(rng, n, p * (1 + 0.1 / math.sqrt(n * p)), 200_000)
    assert caught(binned_p(biased, law.cdf, law.ppf))


@pytest.mark.parametrize(("trials", "p"), [(3, 0.4), (1000, 1e-3), (10**13, 1e-13)])
def test_successes_by_gaps_are_binomial(rng, trials, p):
    sample = many_successes(rng, trials, -math.log1p(-p), 100_000)
    law = stats.binom(trials, p)
    values = np.arange(sample.max() + 1)
    pmf = np.append(law.pmf(values), law.sf(values[-1]))
    observed = np.append(np.bincount(sample), 0)
    assert holds(counts_p(observed, pmf))
    assert caught(counts_p(observed, stats.binom(trials, 0.95 * p).pmf(np.arange(len(pmf)))))
    # successive counts are independent
    assert abs(np.corrcoef(sample[:-1], sample[1:])[0, 1]) < 5 / math.sqrt(len(sample))


@pytest.mark.parametrize(("birth", "death"), [(0.05, 0.03), (0.03, 0.05), (0.04, 0.04), (0.05, 0)])
def test_one_cell_becomes_a_zero_inflated_geometric(rng, birth, death):
    sample = many_grow(rng, 1, birth, death, 7.0, 200_000)
    alpha, beta = growth.birth_death(birth, death, 7.0)
    values = np.arange(sample.max() + 1)
    pmf = np.where(values == 0, alpha, (1 - alpha) * (1 - beta) * beta ** (values - 1.0))
    assert holds(counts_p(np.bincount(sample), pmf))
    wrong = many_grow(rng, 1, birth * 1.05, death, 7.0, 200_000)
    wrong = np.bincount(wrong, minlength=len(values))[: len(values)]
    assert caught(counts_p(wrong, pmf))


@pytest.mark.parametrize("n", [2, 300, 90_000, 110_000, 10**7, 10**13])
@pytest.mark.parametrize(("birth", "death"), [(0.05, 0.03), (0.03, 0.035)])
def test_growth_has_the_exact_moments(rng, n, birth, death):
    sample = many_grow(rng, n, birth, death, 7.0, 50_000)
    assert sample.min() >= 0
    mean = closed_forms.growth_mean(n, birth, death, 7.0)
    variance = closed_forms.growth_variance(n, birth, death, 7.0)
    assert holds(mean_p(sample, mean, math.sqrt(variance)))
    assert holds(variance_p(sample - mean, variance))
    assert caught(variance_p(sample - mean, 1.1 * variance))


def distance(exact_cdf, mean, cumulants):
    """Largest difference between a count's distribution function and the corrected normal's."""
    z = np.linspace(-9, 9, 200_001)
    x = np.array([draws.corrected.py_func(v, *cumulants) for v in z[::100]])
    x = np.maximum.accumulate(np.interp(z, z[::100], x)) + mean
    values = np.arange(len(exact_cdf))
    return np.abs(stats.norm.cdf(np.interp(values + 0.5, x, z)) - exact_cdf).max()


@pytest.mark.parametrize("p", [1e-4, 0.05, 0.3, 0.5, 0.9])
def test_the_corrected_normal_is_the_binomial_to_1e_5(p):
    n = math.ceil(draws.LARGE_BINOMIAL / (p * (1 - p)))
    law = stats.binom(n, p)
    spread = p * (1 - p)
    variance = n * spread
    cumulants = (
        variance,
        variance * (1 - 2 * p),
        variance * (1 - 6 * spread),
        variance * (1 - 2 * p) * (1 - 12 * spread),
    )
    cdf = law.cdf(np.arange(min(n, int(n * p + 12 * variance**0.5)) + 1))
    assert distance(cdf, n * p, cumulants) < 1e-5
    assert distance(cdf, n * p, (variance, 0.0, 0.0, 0.0)) > 1e-3 or p == 0.5  # a plain normal


def growth_cdf(n, alpha, beta, top):
    """Exact distribution function of n cells' descendants, by their generating function."""
    w = np.exp(-2j * np.pi * np.arange(top) / top)
    one = alpha + (1 - alpha) * (1 - beta) * w / (1 - beta * w)
    return np.cumsum(np.fft.ifft(one**n).real)


@pytest.mark.parametrize(
    ("birth", "death", "dt"),
    [(0.05, 0.03, 7), (0.05, 0.01, 7), (0.1, 0.09, 7), (0.03, 0.035, 7), (0.05, 0.03, 1),
     (0.05, 0.03, 0.1), (0.3, 0.0, 1)],
)  # fmt: skip
def test_the_corrected_normal_is_the_birth_death_law_to_1e_5(birth, death, dt):
    """At the fewest cells for which it is used, where it is worst."""
    alpha, beta = growth.birth_death(birth, death, dt)
    one = np.array(growth.cumulants(alpha, beta))
    n = max(draws.MANY, math.ceil(draws.LARGE_GROWTH / one[1])) + 1
    mean, *cumulants = n * one
    top = 1 << math.ceil(math.log2(mean + 40 * cumulants[0] ** 0.5 + 100))
    exact = growth_cdf(n, alpha, beta, top)
    assert distance(exact, mean, cumulants) < 1e-5
    assert distance(exact, mean, (cumulants[0], cumulants[1], 0.0, 0.0)) > 1e-5


@pytest.mark.parametrize("dt", [1e-12, 1e-3, 7.0, 1e4])
def test_birth_death_stays_a_probability(dt):
    for birth, death in [(0.05, 0.03), (0.03, 0.05), (0.04, 0.04), (0.0, 0.1), (0.1, 0.0), (0, 0)]:
        alpha, beta = growth.birth_death(birth, death, dt)
        assert 0 <= alpha <= 1
        assert 0 <= beta <= 1


def test_growth_is_never_negative_whatever_the_turnover(rng):
    for n, birth, dt in [(100, 2e4, 1.0), (10**6, 3e9, 1.0), (10**14, 1e12, 10.0), (3, 1e17, 7.0)]:
        for death in (birth, birth * 1.0001, birth + 1e-4):
            grown = many_grow(rng, n, birth, death, dt, 300)
            assert (grown >= 0).all(), (n, birth, death)


@pytest.mark.parametrize(("birth", "death"), [(50.0, 50.0), (20.0, 21.0)])
def test_few_lines_of_many_cells_that_survive(rng, birth, death):
    # of 200 cells a few leave descendants, hundreds each: nothing like a normal
    sample = many_grow(rng, 200, birth, death, 2.0, 20_000)
    alpha, _ = growth.birth_death(birth, death, 2.0)
    none = round(float((sample == 0).mean() * len(sample)))
    assert holds(stats.binomtest(none, len(sample), alpha**200).pvalue)
    assert caught(stats.binomtest(none, len(sample), alpha**220).pvalue)
