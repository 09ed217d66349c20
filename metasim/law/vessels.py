"""The organ graph and the walk of a circulating cell (MODEL section 2).

A state is an organ's bed met by one route, numbered route * O + organ. A unit (cell or cluster)
that leaves a state is carried through junctions to the next bed. There it is destroyed with
probability q, else arrested with probability a, else carried on by the route it came by.
Being arrested at organ j after entering the flow at state s is (I - Q)^-1 R.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from metasim.terms import Route

Array = NDArray[np.float64]
Vessels = Mapping[str, Mapping[str, Mapping[str, float]]]


def hop_matrix(organs: Sequence[str], vessels: Vessels) -> Array:
    """Which bed a unit meets next.

    Junctions (names in `vessels` that are not organs) pass on what they get; what enters a
    junction by lymph leaves it by the junction's own outflow (the thoracic duct ends in a vein).

    Args:
        organs: names, in index order.
        vessels: vessels[route][from][to] = share of from's outflow by that route.

    Returns:
        (2 O, 2 O); rows sum to 1, or to 0 where an organ has no outflow by that route.
    """
    beds = [(route, organ) for route in Route for organ in organs]
    junctions = sorted(
        {name for route in vessels.values() for ends in (route, *route.values()) for name in ends}
        - set(organs)
    )
    nodes: list[tuple[Route | None, str]] = [*beds, *((None, name) for name in junctions)]
    index = {node: i for i, node in enumerate(nodes)}
    step = np.zeros((len(nodes), len(nodes)))
    for route in Route:
        for source, ends in vessels.get(route.label, {}).items():
            for target, share in ends.items():
                start = index[(route, source) if (route, source) in index else (None, source)]
                end = index[(route, target) if (route, target) in index else (None, target)]
                step[start, end] += share
    n = len(beds)
    if not junctions:
        return step
    through = np.linalg.solve(np.eye(len(junctions)) - step[n:, n:], step[n:, :n])
    return np.asarray(step[:n, :n] + step[:n, n:] @ through)


def walk_matrix(hop: Array, arrest: Array, death_per_pass: Array) -> Array:
    """Where a unit that enters the flow is arrested: the absorbing Markov chain of the passes.

    Args:
        hop: (P, 2 O, 2 O) from `hop_matrix`.
        arrest: (P, O, K, C) probability of arrest at a bed, if not destroyed there.
        death_per_pass: (P, C) probability of being destroyed at each bed.

    Returns:
        (P, 2 O, K, C, O): probability of being arrested at the last index's organ, for a unit of
        phenotype K and cluster class C that leaves the state of the second index. What is
        missing to 1 is destroyed in transit.
    """
    n_organs = arrest.shape[1]
    alive = (1.0 - death_per_pass)[:, None, None, :]
    arrested = np.moveaxis(alive * arrest, 1, -1)  # (P, K, C, O)
    carried = np.moveaxis(alive * (1.0 - arrest), 1, -1)
    step = hop[:, None, None]
    q = step * np.concatenate([carried, carried], axis=-1)[..., None, :]
    blood, lymph = step[..., :n_organs], step[..., n_organs:]
    r = (blood + lymph) * arrested[..., None, :]
    walk = np.linalg.solve(np.eye(2 * n_organs) - q, r)  # (P, K, C, 2 O, O)
    return np.asarray(np.moveaxis(np.clip(walk, 0.0, 1.0), 3, 1))
