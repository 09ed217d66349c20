"""Absorbing Markov chains, solved without a subtraction.

Solving (I - Q) x = R loses everything where a chain hardly ever ends: 1 - q is rounded to 0. The
elimination of Grassmann, Taksar and Heyman (1985, Operations Research 33:1107) never subtracts: it
takes what leaves a state as the sum of where it goes. Results are right to about a rounding per
state however small the chances, and lie in [0, 1].
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def absorbed(moves: Array, ends: Array, lost: Array) -> Array:
    """Where a chain ends that starts in each of its states (the sum of Equation 2.3, walk).

    Args:
        moves: (..., n, n) probability of going from a state to another; rows need not sum to 1.
        ends: (..., n, m) probability of ending in one of m ways.
        lost: (..., n) probability of ending otherwise.

    Returns:
        (..., n, m) probability of ending in each of the m ways; 0 from where a chain never ends.
    """
    n = moves.shape[-1]
    go = np.concatenate([moves, ends, lost[..., None]], axis=-1)
    leaves = np.empty(go.shape[:-1])
    for k in reversed(range(n)):  # take out state k: what went there goes where it leads
        leaves[..., k] = go[..., k, :k].sum(axis=-1) + go[..., k, n:].sum(axis=-1)
        onward = go[..., k, :] / np.where(leaves[..., k] > 0.0, leaves[..., k], np.inf)[..., None]
        come = go[..., :k, k, None]
        go[..., :k, :k] += come * onward[..., None, :k]
        go[..., :k, n:] += come * onward[..., None, n:]
    out = np.zeros((*go.shape[:-1], ends.shape[-1]))
    for k in range(n):
        part = go[..., k, n:-1] + (go[..., k, :k, None] * out[..., :k, :]).sum(axis=-2)
        np.divide(part, leaves[..., k, None], out=out[..., k, :], where=part > 0.0)
    return np.minimum(out, 1.0)
