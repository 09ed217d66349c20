"""Statistical checks with one family-wise error for the whole suite, under fixed rng_seeds.

Every check is a p-value. A check passes if p > LEVEL and catches a planted fault if p <= LEVEL, so
a fault is only called caught where the very check that guards the law would have failed.
"""

import numpy as np
from scipy import stats

FAMILY = 0.01
CHECKS = 100  # at most this many in the suite (Bonferroni)
LEVEL = FAMILY / CHECKS


def mean_p(sample, mean, sd=None):
    """p-value that the sample's mean is `mean` (known or estimated sd)."""
    sample = np.asarray(sample, dtype=float)
    spread = sample.std(ddof=1) if sd is None else sd
    if spread == 0:
        return float(sample.mean() == mean)
    return 2 * stats.norm.sf(abs(sample.mean() - mean) / (spread / np.sqrt(len(sample))))


def variance_p(sample, variance):
    """p-value that the sample's variance is `variance` (normal approximation, sample kurtosis)."""
    sample = np.asarray(sample, dtype=float)
    centred = sample - sample.mean()
    found = centred @ centred / (len(sample) - 1)
    se = np.sqrt(((centred**4).mean() - found**2) / len(sample))
    return 2 * stats.norm.sf(abs(found - variance) / se)


def share_p(successes, trials, probability):
    """p-value of an exact binomial test."""
    return stats.binomtest(int(successes), int(trials), probability).pvalue


def counts_p(observed, probabilities):
    """p-value of a chi-square test; cells with an expectation below 5 are joined."""
    observed, expected = np.asarray(observed, float), np.asarray(probabilities, float)
    expected = expected / expected.sum() * observed.sum()
    rare = expected < 5
    if rare.any():
        observed = np.append(observed[~rare], observed[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    if len(expected) > 1 and expected[-1] < 5:
        observed = np.append(observed[:-2], observed[-2:].sum())
        expected = np.append(expected[:-2], expected[-2:].sum())
    return stats.chisquare(observed, expected).pvalue


def holds(p):
    """The check passes."""
    return p > LEVEL


def caught(p):
    """The check fails: the planted fault is found."""
    return p <= LEVEL
