"""The organ graph and the walk of a circulating cell (section 2 of docs/model).

A state is an organ's bed met by one route, numbered route * O + organ. A unit (cell or cluster)
that leaves a state is carried through junctions to the next bed. There it is destroyed with
probability q, else arrested with probability a, else carried on by the route it came by.
Where it is arrested after leaving a state is the end of an absorbing Markov chain.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from metasim.law.absorbing import absorbed
from metasim.terms import Route

Array = NDArray[np.float64]
Vessels = Mapping[str, Mapping[str, Mapping[str, float]]]
Graph = dict[str, dict[str, dict[str, float]]]


def hop_matrix(organs: Sequence[str], vessels: Vessels) -> Array:
    """Which bed a unit meets next (Equation 2.1, hop).

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


def diverted(vessels: Vessels, takes: Mapping[str, tuple[str, float]]) -> Graph:
    """The graph in which organs take shares of what others would get (Equation 2.5, share taken).

    Args:
        vessels: vessels[route][from][to] = share of from's outflow by that route.
        takes: organ -> the organ that it takes from, and the fraction of that one's inflow; no
            vessel leads to it, and nothing takes from itself, directly or through others.

    Returns:
        The whole graph. An organ that takes, and whose outflow by a route is not given, drains by
        that route as the one that it takes from.
    """
    takers: dict[str, list[tuple[str, float]]] = {}
    for organ, (donor, fraction) in takes.items():
        takers.setdefault(donor, []).append((organ, fraction))

    def shared(organ: str, inflow: float) -> Iterator[tuple[str, float]]:
        taken = takers.get(organ, [])
        if taken:
            inflow_left = inflow * max(0.0, 1.0 - sum(fraction for _, fraction in taken))
            yield organ, inflow_left
            for other, fraction in taken:
                yield from shared(other, inflow * fraction)
        else:
            yield organ, inflow

    out: Graph = {
        route: {
            source: {end: part for to, share in ends.items() for end, part in shared(to, share)}
            for source, ends in graph.items()
        }
        for route, graph in vessels.items()
    }
    for graph in out.values():
        for organ in takes:
            donor = organ
            while donor in takes and donor not in graph:
                donor = takes[donor][0]
            if donor in graph:
                graph.setdefault(organ, dict(graph[donor]))
    return out


def walk_matrix(hop: Array, arrest: Array, death_per_pass: Array) -> tuple[Array, Array]:
    """Where a unit that enters the flow is arrested (Equations 2.2 and 2.3, pass and walk).

    Args:
        hop: (P, 2 O, 2 O) from `hop_matrix`.
        arrest: (P, O, K, C) probability of arrest at a bed, if not destroyed there.
        death_per_pass: (P, C) probability of being destroyed at each bed.

    Returns:
        (P, 2 O, K, C, O) probability of being arrested at the last index's organ, for a unit of
        phenotype K and cluster class C that leaves the state of the second index; and
        (P, 2 O, K, C) probability of being destroyed in transit. What is missing to 1 (of units
        that are neither arrested nor destroyed anywhere) is carried round for ever.
    """
    n_organs = arrest.shape[1]
    alive = (1.0 - death_per_pass)[:, None, None, :]
    arrested = np.moveaxis(alive * arrest, 1, -1)  # (P, K, C, O)
    carried = np.moveaxis(alive * (1.0 - arrest), 1, -1)
    step = hop[:, None, None]
    q = step * np.concatenate([carried, carried], axis=-1)[..., None, :]
    blood, lymph = step[..., :n_organs], step[..., n_organs:]
    r = (blood + lymph) * arrested[..., None, :]
    destroyed = hop.sum(axis=-1)[:, None, None] * death_per_pass[:, None, :, None]
    lost = np.where(hop.sum(axis=-1)[:, None, None] > 0.0, destroyed, 1.0)
    shape = np.broadcast_shapes(q.shape[:-1], lost.shape)
    ends = np.concatenate(
        [np.broadcast_to(r, (*shape, n_organs)), np.broadcast_to(lost, shape)[..., None]], axis=-1
    )
    q = np.broadcast_to(q, (*shape, q.shape[-1]))
    walk = np.moveaxis(absorbed(q, ends, np.zeros(shape)), 3, 1)  # from (P, K, C, 2 O, O + 1)
    return walk[..., :-1], walk[..., -1]
