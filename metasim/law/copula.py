"""Values of a patient that go together: a Gaussian copula (section 12 of docs/model).

Shapes: P patients, n values of each.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDING = 1e-9
"""A pivot below this is that of a value which others decide wholly."""
_LARGEST_U = 1.0 - 2.0**-53
_SMALLEST_U = 2.0**-54


def normal_correlation(rank: Array) -> Array:
    """Correlation of normals whose ranks correlate like this (Equation 12.1, rank correlation).

    Args:
        rank: Spearman's correlations, in [-1, 1].

    Returns:
        Pearson's correlations of the same shape; Pearson (1907), exact for a Gaussian copula.
    """
    return np.asarray(2.0 * np.sin(np.pi / 6.0 * rank))


def mixing(correlation: Array) -> Array | None:
    """The lower triangular root of a correlation matrix: root @ root.T is the matrix.

    Args:
        correlation: (n, n), symmetric, ones on the diagonal.

    Returns:
        (n, n); None: the matrix is not positive semi-definite, so that nothing correlates like it.
    """
    n = len(correlation)
    root = np.zeros((n, n))
    for j in range(n):
        rest = correlation[j:, j] - root[j:, :j] @ root[j, :j]
        if rest[0] < -_ROUNDING:
            return None
        if rest[0] > _ROUNDING:
            root[j:, j] = rest / np.sqrt(rest[0])
        elif np.abs(rest).max() > np.sqrt(_ROUNDING):
            return None
    return root


def correlated(u: Array, root: Array) -> Array:
    """Uniform numbers that go together, from independent ones (Equation 12.2, copula).

    Each value is summed up by itself, so that a patient's do not depend on who is drawn beside.

    Args:
        u: (n, P) independent, uniform in (0, 1).
        root: (n, n) of their normal correlation, see `mixing`.

    Returns:
        (n, P), uniform in (0, 1); those of the first value are as they were, but for rounding.
    """
    from scipy.special import ndtr, ndtri

    z = ndtri(u)
    out = np.empty_like(u)
    for i in range(len(u)):
        total = np.zeros(u.shape[1])
        for j in range(i + 1):
            if root[i, j] != 0.0:
                total = total + root[i, j] * z[j]
        out[i] = ndtr(total)
    return np.clip(out, _SMALLEST_U, _LARGEST_U)
