"""Soil sets odds (section 3 of docs/model): from soil levels and the seed's traits to gates.

Shapes: P patients (or 1), O organs, K phenotypes, F soil factors (in the order of
`metasim.law.factors.FACTORS`), G gates (in the order of `metasim.terms.Gate`).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LARGEST = 1e300
"""Odds are held at this: the probability is 1 to the last bit, and nothing overflows."""


def pair_factor(ligands: Array, receptors: Array) -> Array:
    """Chemotaxis or adhesion: sum over pairs of ligand * receptor (Equation 3.3, pairs).

    Args:
        ligands: (P, O, pairs) levels in [0, 1].
        receptors: (P, K, pairs) levels in [0, 1].

    Returns:
        (P, O, K), >= 0.
    """
    return np.asarray((ligands[:, :, None, :] * receptors[:, None, :, :]).sum(axis=-1))


def opposed_factor(level: Array, trait: Array) -> Array:
    """A barrier that a trait overcomes: soil level * (1 - trait) (Equation 3.4, opposed factor).

    Args:
        level: (P, O) in [0, 1].
        trait: (P, K) in [0, 1].

    Returns:
        (P, O, K) in [0, 1].
    """
    return np.asarray(level[:, :, None] * (1.0 - trait[:, None, :]))


def answered_factor(level: Array, trait: Array) -> Array:
    """A stimulus that a trait answers: soil level * trait (Equation 3.5, answered factor).

    Shapes are those of `opposed_factor`.
    """
    return np.asarray(level[:, :, None] * trait[:, None, :])


def gate_odds(base: Array, multiplier: Array, effect: Array) -> Array:
    """base_g * multiplier_g(o) * exp(sum_f weight_gf * x_f(o,k)) (Equation 3.1, odds of a gate).

    Args:
        base: (P, G) odds where every factor is 0.
        multiplier: (P, G, O), 1 is neutral.
        effect: (P, G, O, K), the exponential: see `soil_effect`.

    Returns:
        (P, G, O, K) odds; capped at `LARGEST` so that probabilities stay finite.
    """
    with np.errstate(over="ignore"):  # held at `LARGEST`
        scale = (base[:, :, None] * multiplier)[..., None]
        return np.asarray(np.minimum(scale * effect, LARGEST))


def soil_effect(weights: Array, factors: Array) -> Array:
    """What soil and traits do to the odds of a gate: the last factor of Equation 3.1.

    Args:
        weights: (P, G, F) change of log-odds per unit of factor.
        factors: (P, F, O, K), >= 0.

    Returns:
        (P, G, O, K).
    """
    weights = np.clip(weights, -1e150, 1e150)  # so that no sum of them overflows
    exponent = (weights[:, :, :, None, None] * factors[:, None, :, :, :]).sum(axis=2)
    # exp(600) ~ 4e260: past it the probability is 1 to the last bit anyway
    return np.asarray(np.exp(np.clip(exponent, -600.0, 600.0)))


def probability(odds: Array) -> Array:
    """Probability odds / (1 + odds) (Equation 3.2, passing a gate), elementwise."""
    return np.asarray(odds / (1.0 + odds))
