"""Quantities: how a published figure is computed from a run. A new one is one function.

Each takes a `Sample` of patients and its parameters, and returns an `Estimate` in the unit that it
is registered with. Importing this package registers all of them in `QUANTITIES`.
"""

from metasim.targets.quantities import associations, nodes, shares, timing
from metasim.targets.quantities.estimate import Estimate
from metasim.targets.quantities.registry import QUANTITIES, Parameters, Quantity, quantity

__all__ = [
    "QUANTITIES",
    "Estimate",
    "Parameters",
    "Quantity",
    "associations",
    "nodes",
    "quantity",
    "shares",
    "timing",
]
