"""Closed forms (section 11 of docs/model) that the engines must reproduce; lambda = b - d."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, special

from metasim.law.growth import birth_death

Array = NDArray[np.float64]


def growth_mean(n: float, birth: float, death: float, days: float) -> float:
    """Mean size of n cells after some days: n e^(lambda t) (Equation 11.1)."""
    return n * math.exp((birth - death) * days)


def growth_variance(n: float, birth: float, death: float, days: float) -> float:
    """Variance of that size: n (b+d)/lambda e^(lambda t) (e^(lambda t) - 1) (Equation 11.2)."""
    net = birth - death
    if net == 0.0:
        return n * 2.0 * birth * days
    e = math.exp(net * days)
    return n * (birth + death) / net * e * (e - 1.0)


def extinction(birth: float, death: float, days: float) -> float:
    """Probability that one cell has no descendants after some days: alpha(t) (Equation 11.3)."""
    return birth_death(birth, death, days)[0]


def extinction_ever(birth: float, death: float) -> float:
    """Probability that one cell's line ever dies out: min(1, d/b) (Equation 11.4)."""
    return min(1.0, death / birth) if birth > 0 else 1.0


def reaches(cells: float, birth: float, death: float) -> float:
    """Probability that one cell's line reaches a size before it dies out (Equation 11.5)."""
    ratio = death / birth
    if ratio == 1.0:
        return 1.0 / cells
    return float((1.0 - ratio) / (1.0 - ratio**cells))


def metastases_alive(
    rate: float, n0: float, growth: float, birth: float, death: float, days: float
) -> float:
    """Poisson mean of metastases alive at a day (Equation 11.6).

    Founders arrive at rate * n(s), n(s) = n0 e^(growth s), and grow at rates birth, death.
    """
    net = birth - death

    def founded_and_alive(s: float) -> float:
        alive = net / (birth - death * math.exp(-net * (days - s)))
        return rate * n0 * math.exp(growth * s) * alive

    return float(integrate.quad(founded_and_alive, 0.0, days, limit=200)[0])


def relapse_free(
    rate: float, cells: float, growth: float, birth: float, death: float, size: float, days: float
) -> float:
    """Probability of no relapse by `days` after removal of a primary of `cells` (Equation 11.7).

    A relapse is a metastasis of at least `size` cells (large); the primary grew at `growth`.
    """
    net = birth - death
    r = growth / net
    x0 = net / birth * size * math.exp(-net * days)
    # e^(gt) (b/(lambda M))^r gamma(r, x0) = x0^-r gamma(r, x0), which stays finite for late days
    reduced = float(special.hyp1f1(r, r + 1.0, -x0)) / r
    return math.exp(-rate * cells / birth * reduced)


def never_relapse(rate: float, cells: float, growth: float, birth: float, death: float) -> float:
    """Probability that no metastasis outlives the removal of the primary (Equation 11.8)."""
    return math.exp(-rate * cells / growth * (1.0 - death / birth))


def iwata_colonies(growth: float, emission: float, exponent: float, days: float) -> float:
    """Colonies founded by day t if each grows as e^(a t) and emits m x^alpha (Equation 11.9).

    Metastases and primary start from one cell and all emit. Source: after Iwata et al.
    2000, Journal of Theoretical Biology 203:177.

    Returns:
        N(t) = m (e^((a alpha + m) t) - 1) / (a alpha + m).
    """
    total = growth * exponent + emission
    return emission * math.expm1(total * days) / total


def free_of_symptoms(
    first_cells: float, cells: float, per_day_per_cell: float, rho: float
) -> float:
    """Probability of no symptoms until a primary reaches a size (Equation 11.11).

    It grows exponentially from its first cells on at the rate rho; the excess of its size at the
    first symptoms is exponential with mean rho / hazard.
    """
    return math.exp(-per_day_per_cell * (cells - first_cells) / rho)


def resistant_at(cells: float, mutation: float, birth: float, death: float) -> float:
    """Probability of a resistant cell at a size, neutral mutants (Equation 11.10).

    Source: after Iwasa, Nowak & Michor 2006, Genetics 172:2557.
    """
    if death == 0.0:
        return -math.expm1(-mutation * cells)
    return -math.expm1(-mutation * cells * birth / death * math.log(birth / (birth - death)))


def node_shares(nodes: int, pass_prob: float) -> Array:
    """(nodes,) probability that a founder settles in each node (Equation 13.2)."""
    shares: Array = (1.0 - pass_prob) * np.power(pass_prob, np.arange(nodes, dtype=np.float64))
    shares[-1] = pass_prob ** (nodes - 1)
    return shares


def nodes_with_founders(founders: float, nodes: int, pass_prob: float) -> float:
    """Mean number of nodes in which founders settle, whose number is Poisson (Equation 13.3).

    Args:
        founders: mean number of founders.
        nodes: how many nodes the chain has.
        pass_prob: probability that a node passes a founder on.
    """
    return float(-np.expm1(-founders * node_shares(nodes, pass_prob)).sum())
