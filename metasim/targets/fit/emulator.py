"""An emulator: each target's expected value as a quadratic of the point, with its uncertainty.

Bayesian linear regression on all terms up to degree two. What simulations scatter around it beyond
their own errors, and how large the terms are, is decided by the marginal likelihood.
"""

from dataclasses import dataclass
from itertools import combinations, product
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_SCATTER: Final = (0.0, 0.03, 0.1, 0.3)  # beside the spread of the values
_SIZES: Final = (0.1, 0.5, 2.0)  # of the terms of degree two, beside that spread


@dataclass(frozen=True)
class _Fitted:
    """The regression of one target: mean of its coefficients, root of their covariance; scales."""

    centre: float
    scale: float
    mean: Floats
    root: Floats
    scatter: float


class Predictor:
    """Says which values of the targets are expected at points of the unit cube."""

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """Expected values and the variance of that knowledge, each of shape (n, T)."""
        raise NotImplementedError

    def log_likelihood(
        self, points: Floats, published: Floats, spread: Floats, which: NDArray[np.bool_]
    ) -> Floats:
        """Log density of the published values at points, shape (n,)."""
        means, variances = self.predict(points)
        total = (variances + spread**2)[:, which]
        off = (means - published)[:, which]
        return np.asarray(-0.5 * (off**2 / total + np.log(2 * np.pi * total)).sum(axis=1))


class Nested(Predictor):
    """Several emulators, of which the surest speaks, point by point and target by target.

    One that was trained where the posterior lies knows nothing of the rest of the prior. Alone, it
    would take what it does not know for what may be, and look there again and again.

    Args:
        emulators: at least one.
    """

    def __init__(self, *emulators: Predictor) -> None:
        self._emulators = emulators

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """See `Predictor.predict`."""
        mean, variance = self._emulators[0].predict(points)
        for other in self._emulators[1:]:
            means, variances = other.predict(points)
            surer = variances < variance
            mean, variance = np.where(surer, means, mean), np.where(surer, variances, variance)
        return mean, variance


class Emulator(Predictor):
    """Expected values of all targets at points of the unit cube.

    Args:
        points: simulated points, shape (n, d).
        values: simulated values, shape (n, T); nan where it cannot be told.
        errors: their standard errors, shape (n, T).
        roots: which targets are regressed by their square root, shape (T,): values near 0 are
            skewed.
    """

    def __init__(
        self, points: Floats, values: Floats, errors: Floats, roots: NDArray[np.bool_]
    ) -> None:
        self.roots = roots
        self._low = points.min(axis=0)
        self._width = np.maximum(np.ptp(points, axis=0), 1e-6)
        design = self._terms(points)
        degree_two = np.arange(design.shape[1]) > points.shape[1]
        self._fits = [
            _fit(design, degree_two, *_plain(values[:, t], errors[:, t], bool(roots[t])))
            for t in range(values.shape[1])
        ]

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """See `Predictor.predict`."""
        design = self._terms(points)
        means, variances = [], []
        for fit, root in zip(self._fits, self.roots, strict=True):
            mean = fit.centre + fit.scale * (design @ fit.mean)
            spread = ((design @ fit.root) ** 2).sum(axis=1) + fit.scatter
            variance = fit.scale**2 * spread
            if root:
                mean = np.maximum(mean, 0)
                mean, variance = mean**2 + variance, 4 * mean**2 * variance + 2 * variance**2
            means.append(mean)
            variances.append(variance)
        return np.array(means).T, np.array(variances).T

    def _terms(self, points: Floats) -> Floats:
        x = 2 * (points - self._low) / self._width - 1
        pairs = [x[:, i] * x[:, j] for i, j in combinations(range(x.shape[1]), 2)]
        return np.column_stack([np.ones(len(x)), x, x**2, *pairs])


def _plain(values: Floats, errors: Floats, root: bool) -> tuple[Floats, Floats]:
    """On the scale of the regression."""
    if not root:
        return values, errors
    least = np.sqrt(np.maximum(values, errors**2))
    return np.sqrt(np.maximum(values, 0)), errors / (2 * np.maximum(least, 1e-12))


def _fit(design: Floats, degree_two: NDArray[np.bool_], values: Floats, errors: Floats) -> _Fitted:
    good = np.isfinite(values) & np.isfinite(errors)
    terms = design.shape[1]
    if good.sum() < 3:
        return _Fitted(0.0, 1.0, np.zeros(terms), np.zeros((terms, terms)), 1e12)
    centre = float(values[good].mean())
    scale = float(values[good].std()) or float(errors[good].mean()) or 1.0
    y, noise = (values[good] - centre) / scale, (errors[good] / scale) ** 2
    x = design[good]
    best: tuple[float, _Fitted] | None = None
    for scatter, size in product(_SCATTER, _SIZES):
        prior = np.where(degree_two, size, 4.0) ** 2
        weight = 1 / np.maximum(noise + scatter**2, 1e-8)
        precision = x.T @ (x * weight[:, None]) + np.diag(1 / prior)
        factor = np.linalg.cholesky(precision)
        root = np.asarray(np.linalg.inv(factor).T, dtype=np.float64)  # root @ root.T inverts it
        mean = root @ (root.T @ (x.T @ (weight * y)))
        off = y - x @ mean
        evidence = 0.5 * (
            np.log(weight).sum() - np.log(prior).sum() - 2 * np.log(np.diag(factor)).sum()
            - (weight * off**2).sum() - (mean**2 / prior).sum()
        )  # fmt: skip
        if best is None or evidence > best[0]:
            best = float(evidence), _Fitted(centre, scale, mean, root, scatter**2)
    assert best is not None
    return best[1]
