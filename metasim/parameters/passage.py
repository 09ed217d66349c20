"""How units pass from colony to colony: gates, clusters, the walk, as arrays of one regime."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metasim.law import fate, odds, sampling, vessels
from metasim.law.factors import FACTORS, Factor, Meeting
from metasim.parameters.lookup import Parameters
from metasim.parameters.sampling import OFF, tested, yields_of
from metasim.scenario.biology import Seed, Soil
from metasim.terms import Gate, Route

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


def passage_of(get: Parameters) -> tuple[fate.Passage, dict[str, Any]]:
    """How units pass in a regime, and the fields of the law that say so.

    The arrest of clusters is Equation 3.6.
    """
    gates = _gate_odds(get)
    cluster_cells, share, death_per_pass, arrest_factor = _clusters(get)
    arrest_odds = gates[Gate.ARREST][..., None] * arrest_factor[:, None, None, :]
    gate_arrest = odds.probability(np.minimum(arrest_odds, odds.LARGEST))
    hop = _hop(get)
    lymph = get.of_organs(lambda soil: soil.lymph_fraction)
    extravasation = get.number(lambda s: s.rates.extravasation_per_day)
    washout = get.number(lambda s: s.rates.washout_per_day)
    colonization = get.number(lambda s: s.rates.colonization_per_day)
    dormancy = get.number(lambda s: s.rates.dormancy_per_day)[:, None] * get.of_organs(
        lambda soil: soil.dormancy_factor
    )
    reawakening = get.number(lambda s: s.rates.reawakening_per_day)[:, None] * get.of_organs(
        lambda soil: soil.reawakening_factor
    )
    dormant_death = get.number(lambda s: s.rates.dormant_death_per_day)
    passing = fate.Gates(
        odds.probability(gates[Gate.INVASION]),
        odds.probability(gates[Gate.INTRAVASATION]),
        odds.probability(gates[Gate.EXTRAVASATION]),
        odds.probability(gates[Gate.COLONIZATION]),
    )
    walk, destroyed = _of_kinds(vessels.walk_matrix, hop, gate_arrest, death_per_pass)
    passage = fate.Passage(
        passing,
        fate.exits(extravasation, washout, colonization, dormancy, reawakening, dormant_death),
        *_destination(walk, destroyed, lymph),
    )
    tests = OFF
    if tested(get):
        (beds,) = _of_kinds(lambda *of: (sampling.beds_met(*of),), hop, gate_arrest, death_per_pass)
        tests = yields_of(get, passage, beds, lymph, share)
    return passage, {
        **tests,
        "intravasation_per_day": get.number(lambda s: s.rates.intravasation_per_day)[:, None],
        "extravasation_per_day": extravasation[:, None],
        "washout_per_day": washout[:, None],
        "colonization_per_day": colonization[:, None],
        "dormancy_per_day": dormancy,
        "reawakening_per_day": reawakening,
        "dormant_death_per_day": dormant_death[:, None],
        "cluster_cells": cluster_cells,
        "cluster_share": share,
        "gate_invasion": passing.invasion,
        "gate_intravasation": passing.intravasation,
        "gate_arrest": gate_arrest,
        "gate_extravasation": passing.extravasation,
        "gate_colonization": passing.colonization,
        "death_per_pass": death_per_pass,
        "lymph": lymph,
        "hop": hop,
    }


def _gate_odds(get: Parameters) -> dict[Gate, Array]:
    """Gate -> (P, O, K) odds of advancing (for a single cell)."""
    x = np.stack(np.broadcast_arrays(*(_factor(get, factor) for factor in FACTORS)), axis=1)
    names = [factor.name for factor in FACTORS]
    weights = np.stack(alike([get.weights(gate, names) for gate in Gate]), axis=1)
    multiplier = np.stack(alike([get.of_organs(_multiplier_of(gate)) for gate in Gate]), axis=1)
    base = np.concatenate(
        alike([get.of_gate(gate, lambda g: g.base_odds)[:, None] for gate in Gate]), axis=1
    )
    felt = np.stack([get.felt(lambda g: g.base_odds, f"gates.{gate}") for gate in Gate])
    with np.errstate(over="ignore"):
        plain = odds.gate_odds(base, multiplier, _soil_effect(weights, x))
        passing = np.minimum(plain * felt, odds.LARGEST)
    return {gate: passing[:, i] for i, gate in enumerate(Gate)}


def _soil_effect(weights: Array, factors: Array) -> Array:
    """(1 or P, G, O, K); worked out once for patients whose traits and soil are alike."""
    if len(factors) == 1 or len(weights) > 1:
        return odds.soil_effect(weights, factors)
    first, kind = kinds_of(factors)
    return odds.soil_effect(weights, factors[first])[kind]


def _factor(get: Parameters, factor: Factor) -> Array:
    """(P, O, K) values of a factor: where the soil of an organ meets a phenotype."""
    if factor.meeting is not Meeting.PAIRS:
        level = get.of_organs(lambda soil: getattr(soil, factor.name))
        trait = get.of_cells(lambda cell: getattr(cell, factor.trait))
        return MEETINGS[factor.meeting](level, trait)
    pairs = [pair for pair in get.scenario.pairs.values() if pair.factor == factor.name]
    ligands = [get.of_organs(_ligand_of(pair.ligand)) for pair in pairs]
    receptors = [get.of_cells(_receptor_of(pair.receptor)) for pair in pairs]
    empty = (1, len(get.organs), 0), (1, max(1, len(get.phenotypes)), 0)
    return odds.pair_factor(_last(ligands, empty[0]), _last(receptors, empty[1]))


MEETINGS = {Meeting.OPPOSED: odds.opposed_factor, Meeting.ANSWERED: odds.answered_factor}


def _multiplier_of(gate: Gate) -> Callable[[Soil], float]:
    return lambda soil: getattr(soil.multiplier, gate)  # type: ignore[no-any-return]


def _ligand_of(name: str) -> Callable[[Soil], float]:
    return lambda soil: soil.ligands[name]


def _receptor_of(name: str) -> Callable[[Seed], float]:
    return lambda cell: cell.receptors[name]


def alike(arrays: list[Array]) -> list[Array]:
    """The same arrays with patient axes of the same length."""
    rows = max(len(a) for a in arrays)
    return [np.broadcast_to(a, (rows, *a.shape[1:])) for a in arrays]


def _last(arrays: list[Array], empty: tuple[int, ...]) -> Array:
    return np.stack(alike(arrays), axis=-1) if arrays else np.zeros(empty)


def _clusters(get: Parameters) -> tuple[Ints, Array, Array, Array]:
    """Cells per unit (C,), share of leaving cells, death per pass, arrest odds factor (P, C)."""
    sizes = [cluster.size_cells for cluster in get.scenario.seed.clusters.values()]
    in_clusters = get.of_clusters(lambda c: c.share_fraction)
    single = np.clip(1.0 - in_clusters.sum(axis=1, keepdims=True), 0.0, 1.0)
    of_single = get.number(lambda s: s.circulation.death_prob_per_pass)[:, None]
    death = alike([of_single, get.of_clusters(lambda c: c.death_prob_per_pass)])
    factor = alike([np.ones((1, 1)), get.of_clusters(lambda c: c.arrest_odds_factor)])
    return (
        np.array([1, *sizes], dtype=np.int64),
        np.concatenate([single, in_clusters], axis=1),
        np.concatenate(death, axis=1),
        np.concatenate(factor, axis=1),
    )


def _hop(get: Parameters) -> Array:
    """(1 or P, 2 O, 2 O); shares drawn per patient make one graph each."""
    plain: vessels.Vessels = get.scenario.vessels  # type: ignore[assignment]
    drawn = get.vessels()
    if not drawn:
        return vessels.hop_matrix(get.organs, plain)[None]
    graphs = []
    for k in range(len(next(iter(drawn.values())))):
        graph = {r: {a: dict(b) for a, b in ends.items()} for r, ends in plain.items()}
        for key, value in drawn.items():
            _, route, source, target = key.split(".")
            graph[route][source][target] = float(value[k])
        for ends in graph.values():
            for shares in ends.values():  # drawn shares are scaled to sum to 1
                total = sum(shares.values()) or 1.0
                shares.update({name: share / total for name, share in shares.items()})
        graphs.append(vessels.hop_matrix(get.organs, graph))
    return np.stack(graphs)


def _of_kinds(
    make: Callable[[Array, Array, Array], tuple[Array, ...]],
    hop: Array,
    arrest: Array,
    death_per_pass: Array,
) -> tuple[Array, ...]:
    """What follows from the walk, worked out once for patients with the same odds of arrest.

    The walk is by far the dearest part of the law, and most of what differs between patients,
    subtypes included, has no say in it.
    """
    if len(hop) > 1 or len(arrest) == 1:
        return make(hop, arrest, death_per_pass)
    first, kind = kinds_of(arrest, death_per_pass)
    death = death_per_pass[first] if len(death_per_pass) > 1 else death_per_pass
    return tuple(made[kind] for made in make(hop, arrest[first], death))


def kinds_of(*arrays: Array) -> tuple[Ints, Ints]:
    """Patients that are alike to the last bit in arrays with a leading patient axis.

    Returns:
        The first patient of each kind, (kinds,), and the kind of each, (P,).
    """
    rows = np.concatenate([a.reshape(len(a), -1) for a in alike(list(arrays))], axis=1)
    bits = np.ascontiguousarray(rows).view(f"V{rows.dtype.itemsize * rows.shape[1]}")[:, 0]
    _, first, kind = np.unique(bits, return_index=True, return_inverse=True)
    return first, kind


def _destination(walk: Array, destroyed: Array, lymph: Array) -> tuple[Array, Array]:
    """Equation 2.4 (leaving an organ): (P, O, K, C, 2, O) by that route, arrested at that organ.

    The second array, (P, O, K, C), is the probability of being destroyed in transit.
    """
    n = walk.shape[-1]
    by_route = np.stack([walk[:, :n], walk[:, n:]], axis=-2)  # (P, O, K, C, 2, O)
    share = np.stack([1.0 - lymph, lymph], axis=-1)[:, :, None, None, :]
    assert by_route.shape[-2] == len(Route)
    lost = np.stack([destroyed[:, :n], destroyed[:, n:]], axis=-1)
    return by_route * share[..., None], (lost * share).sum(axis=-1)
