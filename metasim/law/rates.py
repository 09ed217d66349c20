"""The whole law as frozen arrays: what an engine needs to draw a patient, and nothing else."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metasim.law import fate, odds, vessels
from metasim.law.parameters import Parameters
from metasim.scenario.schema import Scenario
from metasim.terms import Factor, Gate, GrowthLaw, Route

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


class Law(NamedTuple):
    """Biology of one step, for all patients of a chunk (leading axis P, length 1 if alike).

    `patient(k)` cuts out one patient; the engines see that, without the leading axis, and
    single numbers as arrays of length 1. Rates are per day, sizes in cells. O organs, K
    phenotypes, C cluster classes (class 0: single cells); a state is route * O + organ.
    """

    # growth
    growth_law: Ints  # (1,) metasim.terms.GrowthLaw
    power_exponent: Array  # (P, 1)
    rho: Array  # (P, O, K)
    death: Array  # (P, O, K) turnover d
    capacity: Array  # (P, O)
    angiogenesis: Array  # (P, 3) avascular_cells, onset_cells, per_day (inf: from founding)
    mutation: Array  # (P, K, K) probability per division of a daughter of the second phenotype
    # exit rates
    invasion: Array  # (P, 3) per_day, reference_cells, border_exponent
    moving: Array  # (P, 4) intravasation, extravasation, washout, colonization
    dormancy: Array  # (P, O)
    reawakening: Array  # (P, O)
    dormant_death: Array  # (P, 1)
    # units
    cluster_cells: Ints  # (C,)
    cluster_share: Array  # (P, C) share of the leaving cells
    # gates and the flow
    gate_invasion: Array  # (P, O, K)
    gate_intravasation: Array  # (P, O, K)
    gate_arrest: Array  # (P, O, K, C) at each bed, if not destroyed there
    gate_extravasation: Array  # (P, O, K)
    gate_colonization: Array  # (P, O, K)
    death_per_pass: Array  # (P, C)
    lymph: Array  # (P, O) share of the cells leaving an organ that enter lymph
    hop: Array  # (P, 2 O, 2 O) next bed met
    destined: fate.Destined
    doomed: fate.Doomed

    def patient(self, k: int) -> "Law":
        """The arrays of the k-th patient of the chunk, without the patient axis."""
        return Law(*(_cut(field, k) for field in self))

    def chunk(self) -> "Law":
        """One patient's arrays as those of a chunk of one: the inverse of `patient`."""
        return Law(*(_expand(field) for field in self))


def _expand(field: object) -> object:
    if isinstance(field, tuple):
        return type(field)(*(_expand(part) for part in field))
    assert isinstance(field, np.ndarray)
    return field if field.dtype == np.int64 else field[None]


def _cut(field: object, k: int) -> object:
    if isinstance(field, tuple):
        return type(field)(*(_cut(part, k) for part in field))
    assert isinstance(field, np.ndarray)
    if field.dtype == np.int64:  # growth_law and cluster_cells: the same for every patient
        return field
    return field[k if len(field) > 1 else 0]


def law_of(scenario: Scenario, drawn: Mapping[str, Array] | None = None) -> Law:
    """The law arrays of a scenario.

    Args:
        scenario: the scenario.
        drawn: key path -> (P,) drawn values, as `metasim.scenario.draws.draw_parameters` gives.
    """
    get = Parameters(scenario, drawn or {})
    organs = list(scenario.soil)
    phenotypes = list(scenario.seed.phenotypes) or [None]
    gates = _gate_probabilities(get, organs, phenotypes)
    cluster_cells, share, death_per_pass, arrest_factor = _clusters(get)
    arrest = gates[Gate.ARREST]
    arrest_odds = (arrest / np.maximum(1.0 - arrest, 1e-300))[..., None]
    gate_arrest = odds.probability(
        np.minimum(arrest_odds * arrest_factor[:, None, None, :], 1e300)
    )
    hop = _hop(get, organs)
    lymph = get.stack([f"soil.{o}.lymph_fraction" for o in organs])
    destination = _destination(vessels.walk_matrix(hop, gate_arrest, death_per_pass), lymph)
    moving = get.stack(
        [
            f"rates.{name}_per_day"
            for name in ("intravasation", "extravasation", "washout", "colonization")
        ]
    )
    dormancy = get.number("rates.dormancy_per_day")[:, None] * get.stack(
        [f"soil.{o}.dormancy_factor" for o in organs]
    )
    reawakening = get.number("rates.reawakening_per_day")[:, None] * get.stack(
        [f"soil.{o}.reawakening_factor" for o in organs]
    )
    dormant_death = get.number("rates.dormant_death_per_day")
    exit_ = fate.exits(
        moving[:, 1], moving[:, 2], moving[:, 3], dormancy, reawakening, dormant_death
    )
    passing = fate.Gates(
        *(gates[g] for g in (Gate.INVASION, Gate.INTRAVASATION, Gate.EXTRAVASATION)),
        gates[Gate.COLONIZATION],
    )
    chance = fate.success(passing, exit_, destination)
    rho, death = _growth_rates(get, organs, phenotypes)
    return Law(
        growth_law=np.array([GrowthLaw[scenario.growth.law.upper()]], dtype=np.int64),
        power_exponent=get.stack(["growth.power_exponent"]),
        rho=rho,
        death=death,
        capacity=get.stack(
            [f"soil.{o}.capacity_cells" for o in organs], ["growth.capacity_cells"] * len(organs)
        ),
        angiogenesis=get.stack(
            [f"angiogenesis.{name}" for name in ("avascular_cells", "onset_cells", "per_day")],
            [0.0, 0.0, math.inf],
        ),
        mutation=_mutation(get, phenotypes),
        invasion=get.stack(
            [
                "rates.invasion_per_day",
                "rates.invasion_reference_cells",
                "rates.border_exponent",
            ]
        ),
        moving=moving,
        dormancy=dormancy,
        reawakening=reawakening,
        dormant_death=dormant_death[:, None],
        cluster_cells=cluster_cells,
        cluster_share=share,
        gate_invasion=passing.invasion,
        gate_intravasation=passing.intravasation,
        gate_arrest=gate_arrest,
        gate_extravasation=passing.extravasation,
        gate_colonization=passing.colonization,
        death_per_pass=death_per_pass,
        lymph=lymph,
        hop=hop,
        destined=fate.destined(passing, exit_, destination, chance),
        doomed=fate.doomed(passing, exit_, destination, chance),
    )


def _gate_probabilities(
    get: Parameters, organs: list[str], phenotypes: list[str] | list[None]
) -> dict[Gate, Array]:
    """Gate -> (P, O, K) probability of advancing (for a single cell)."""
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
        receptors = [
            _of_phenotypes(get, phenotypes, f"receptors.{p.receptor}") for p in of_factor
        ]
        shape = (1, len(organs), 0), (1, len(phenotypes), 0)
        factors.append(
            odds.pair_factor(_last(ligands, shape[0]), _last(receptors, shape[1]))
        )
    x = np.stack(np.broadcast_arrays(*factors), axis=1)  # (P, F, O, K)
    weights = np.stack(
        _alike([get.stack([f"gates.{g}.weights.{f}" for f in Factor]) for g in Gate]), axis=1
    )
    multiplier = np.stack(
        _alike([get.stack([f"soil.{o}.multiplier.{g}" for o in organs]) for g in Gate]), axis=1
    )
    base = get.stack([f"gates.{g}.base_odds" for g in Gate])
    passing = odds.probability(odds.gate_odds(base, multiplier, weights, x))
    return {gate: passing[:, i] for i, gate in enumerate(Gate)}


def _of_phenotypes(
    get: Parameters, phenotypes: list[str] | list[None], trait: str
) -> Array:
    """(P, K) values of a trait: the phenotype's own, else the seed's."""
    return get.stack(
        [f"seed.phenotypes.{name}.{trait}" if name else f"seed.{trait}" for name in phenotypes],
        [f"seed.{trait}"] * len(phenotypes),
    )


def _alike(arrays: list[Array]) -> list[Array]:
    """The same arrays with patient axes of the same length."""
    rows = max(len(a) for a in arrays)
    return [np.broadcast_to(a, (rows, *a.shape[1:])) for a in arrays]


def _last(arrays: list[Array], empty: tuple[int, ...]) -> Array:
    return np.stack(_alike(arrays), axis=-1) if arrays else np.zeros(empty)


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
            _alike([np.ones((1, 1)), get.stack([f"{key}.arrest_odds_factor" for key in keys])]),
            axis=1,
        ),
    )


def _hop(get: Parameters, organs: list[str]) -> Array:
    """(1 or P, 2 O, 2 O); shares drawn per patient make one graph each."""
    plain = get.scenario.vessels
    drawn = {key: value for key, value in get.drawn.items() if key.startswith("vessels.")}
    if not drawn:
        return vessels.hop_matrix(organs, plain)[None]
    graphs = []
    for k in range(len(next(iter(drawn.values())))):
        graph = {r: {a: dict(b) for a, b in ends.items()} for r, ends in plain.items()}
        for key, value in drawn.items():
            _, route, source, target = key.split(".")
            graph[route][source][target] = float(value[k])  # type: ignore[index]
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


def _growth_rates(
    get: Parameters, organs: list[str], phenotypes: list[str] | list[None]
) -> tuple[Array, Array]:
    """rho and turnover, (P, O, K): base * soil factor * phenotype factor."""
    out = []
    for base, factor in (("rho_per_day", "growth"), ("turnover_per_day", "turnover")):
        of_soil = get.stack([f"soil.{o}.{factor}_factor" for o in organs])
        of_seed = (
            get.stack([f"seed.phenotypes.{p}.{factor}_factor" for p in phenotypes])
            if phenotypes != [None]
            else np.ones((1, 1))
        )
        plain = get.number(f"growth.{base}")[:, None, None]
        out.append(plain * of_soil[:, :, None] * of_seed[:, None, :])
    return out[0], out[1]


def _mutation(get: Parameters, phenotypes: list[str] | list[None]) -> Array:
    if phenotypes == [None]:
        return np.zeros((1, 1, 1))
    rows = [
        get.stack([f"seed.phenotypes.{p}.becomes.{q}" for q in phenotypes]) for p in phenotypes
    ]
    return np.stack(_alike(rows), axis=1)
