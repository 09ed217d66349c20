"""How units pass from colony to colony: gates, clusters, the walk, as arrays of one regime."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metasim.law import fate, odds, vessels
from metasim.parameters.lookup import Parameters
from metasim.terms import Factor, Gate, Route

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_TRAITS = {
    Factor.BASEMENT_MEMBRANE: "proteolysis",
    Factor.ENDOTHELIAL_BARRIER: "barrier_crossing",
    Factor.HYPOXIA: "hypoxia_tolerance",
    Factor.OXIDANTS: "antioxidant_capacity",
    Factor.IMMUNE_SURVEILLANCE: "immune_evasion",
    Factor.NICHE: "niche_response",
}


def passage_of(get: Parameters) -> tuple[fate.Passage, dict[str, Any]]:
    """How units pass in a regime, and the fields of the law that say so."""
    organs = list(get.scenario.soil)
    phenotypes: list[str] | list[None] = list(get.scenario.seed.phenotypes) or [None]
    gates = _gate_odds(get, organs, phenotypes)
    cluster_cells, share, death_per_pass, arrest_factor = _clusters(get)
    arrest_odds = gates[Gate.ARREST][..., None] * arrest_factor[:, None, None, :]
    gate_arrest = odds.probability(np.minimum(arrest_odds, 1e300))
    hop = _hop(get, organs)
    lymph = get.stack([f"soil.{o}.lymph_fraction" for o in organs])
    extravasation = get.number("rates.extravasation_per_day")
    washout = get.number("rates.washout_per_day")
    colonization = get.number("rates.colonization_per_day")
    dormancy = get.number("rates.dormancy_per_day")[:, None] * get.stack(
        [f"soil.{o}.dormancy_factor" for o in organs]
    )
    reawakening = get.number("rates.reawakening_per_day")[:, None] * get.stack(
        [f"soil.{o}.reawakening_factor" for o in organs]
    )
    dormant_death = get.number("rates.dormant_death_per_day")
    passing = fate.Gates(
        odds.probability(gates[Gate.INVASION]),
        odds.probability(gates[Gate.INTRAVASATION]),
        odds.probability(gates[Gate.EXTRAVASATION]),
        odds.probability(gates[Gate.COLONIZATION]),
    )
    passage = fate.Passage(
        passing,
        fate.exits(extravasation, washout, colonization, dormancy, reawakening, dormant_death),
        _destination(vessels.walk_matrix(hop, gate_arrest, death_per_pass), lymph),
    )
    return passage, {
        "intravasation_per_day": get.number("rates.intravasation_per_day")[:, None],
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


def _gate_odds(
    get: Parameters, organs: list[str], phenotypes: list[str] | list[None]
) -> dict[Gate, Array]:
    """Gate -> (P, O, K) odds of advancing (for a single cell)."""
    factors = []
    pairs = get.scenario.pairs
    for factor in Factor:
        if factor in _TRAITS:
            level = get.stack([f"soil.{o}.{factor}" for o in organs])
            trait = _of_phenotypes(get, phenotypes, _TRAITS[factor])
            meets = odds.answered_factor if factor is Factor.NICHE else odds.opposed_factor
            factors.append(meets(level, trait))
            continue
        of_factor = [pair for pair in pairs.values() if pair.factor == factor]
        ligands = [get.stack([f"soil.{o}.ligands.{p.ligand}" for o in organs]) for p in of_factor]
        receptors = [_of_phenotypes(get, phenotypes, f"receptors.{p.receptor}") for p in of_factor]
        shape = (1, len(organs), 0), (1, len(phenotypes), 0)
        factors.append(odds.pair_factor(_last(ligands, shape[0]), _last(receptors, shape[1])))
    x = np.stack(np.broadcast_arrays(*factors), axis=1)  # (P, F, O, K)
    weights = np.stack(
        alike([get.stack([f"gates.{g}.weights.{f}" for f in Factor]) for g in Gate]), axis=1
    )
    multiplier = np.stack(
        alike([get.stack([f"soil.{o}.multiplier.{g}" for o in organs]) for g in Gate]), axis=1
    )
    base = np.concatenate(alike([get.plain(f"gates.{g}.base_odds")[:, None] for g in Gate]), 1)
    felt = np.stack([get.felt(f"gates.{g}.base_odds") for g in Gate])
    passing = np.minimum(odds.gate_odds(base, multiplier, weights, x) * felt, 1e300)
    return {gate: passing[:, i] for i, gate in enumerate(Gate)}


def _of_phenotypes(get: Parameters, phenotypes: list[str] | list[None], trait: str) -> Array:
    """(P, K) values of a trait: the phenotype's own, else the seed's."""
    return get.stack(
        [f"seed.phenotypes.{name}.{trait}" if name else f"seed.{trait}" for name in phenotypes],
        [f"seed.{trait}"] * len(phenotypes),
    )


def alike(arrays: list[Array]) -> list[Array]:
    """The same arrays with patient axes of the same length."""
    rows = max(len(a) for a in arrays)
    return [np.broadcast_to(a, (rows, *a.shape[1:])) for a in arrays]


def _last(arrays: list[Array], empty: tuple[int, ...]) -> Array:
    return np.stack(alike(arrays), axis=-1) if arrays else np.zeros(empty)


def _clusters(get: Parameters) -> tuple[Ints, Array, Array, Array]:
    """Cells per unit (C,), share of leaving cells, death per pass, arrest odds factor (P, C)."""
    clusters = get.scenario.seed.clusters
    keys = [f"seed.clusters.{name}" for name in clusters]
    in_clusters = get.stack([f"{key}.share_fraction" for key in keys])
    single = np.clip(1.0 - in_clusters.sum(axis=1, keepdims=True), 0.0, 1.0)
    return (
        np.array([1, *(c.size_cells for c in clusters.values())], dtype=np.int64),
        np.concatenate([single, in_clusters], axis=1),
        get.stack(
            ["circulation.death_prob_per_pass", *(f"{key}.death_prob_per_pass" for key in keys)]
        ),
        np.concatenate(
            alike([np.ones((1, 1)), get.stack([f"{key}.arrest_odds_factor" for key in keys])]),
            axis=1,
        ),
    )


def _hop(get: Parameters, organs: list[str]) -> Array:
    """(1 or P, 2 O, 2 O); shares drawn per patient make one graph each."""
    plain: vessels.Vessels = get.scenario.vessels  # type: ignore[assignment]
    drawn = {key: value for key, value in get.drawn.items() if key.startswith("vessels.")}
    if not drawn:
        return vessels.hop_matrix(organs, plain)[None]
    graphs = []
    for k in range(len(next(iter(drawn.values())))):
        graph = {r: {a: dict(b) for a, b in ends.items()} for r, ends in plain.items()}
        for key, value in drawn.items():
            _, route, source, target = key.split(".")
            graph[route][source][target] = float(value[k])
        for ends in graph.values():
            for shares in ends.values():  # drawn shares are scaled to sum to 1
                total = sum(shares.values())
                shares.update({name: share / total for name, share in shares.items()})
        graphs.append(vessels.hop_matrix(organs, graph))
    return np.stack(graphs)


def _destination(walk: Array, lymph: Array) -> Array:
    """(P, O, K, C, 2, O): leaves by that route and is arrested at that organ."""
    n = walk.shape[-1]
    by_route = np.stack([walk[:, :n], walk[:, n:]], axis=-2)  # (P, O, K, C, 2, O)
    share = np.stack([1.0 - lymph, lymph], axis=-1)[:, :, None, None, :, None]
    assert by_route.shape[-2] == len(Route)
    return np.asarray(by_route * share)
