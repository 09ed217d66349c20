"""Colonies over one step: growth, change of phenotype, angiogenesis, shedding.

`step_colonies` is where the time goes. It takes plain arrays, and calls only functions of numbers
per colony: reaching an array through a named tuple costs more than drawing a random number.
"""

import math
from typing import NamedTuple

import numpy as np

from metasim.engines.colonies.draws import binomial, grow, leaving_hazard, leaving_prob, successes
from metasim.engines.colonies.kernel import inlined
from metasim.engines.colonies.units import (
    ENTERED,
    INVASION,
    LEFT,
    MACRO,
    MICRO,
    NET_GROWTH,
    PRIMARY,
    of_patient,
    stacked,
)
from metasim.law import growth
from metasim.law.arrays import Array, Ints, Law

# how a patient, or a step of its colonies, came out
OK, NO_ROOM, TOO_MANY_COLONIES, TOO_MANY_CELLS = range(4)
MOST_CELLS = 1e15  # of one colony; int64 holds 9e18
_FEW = 10.0  # expected draws below which gaps are quicker than a binomial

net_growth = inlined(growth.net_growth)
border_rate = inlined(growth.border_rate)


class Growing(NamedTuple):
    """What makes colonies grow and shed, in all regimes, for all patients of a chunk; per day.

    The leading axes are regimes R and patients P: 1 where all are alike.
    """

    law: Ints  # (1,) metasim.terms.GrowthLaw
    power_exponent: Array  # (R, P, 1)
    angiogenesis: Array  # (R, P, 3) avascular cells, onset cells, switch per day
    invasion: Array  # (R, P, 3) per day, reference cells, border exponent
    rates: Array  # (R, P, O, K, 3) rho, turnover, capacity
    mutation: Array  # (R, P, K, K)
    destined: Array  # (R, P, O, K, C) probability that a leaving unit is destined
    cluster_cells: Ints  # (C,)
    cluster_share: Array  # (R, P, C)


def growing_of(law: Law) -> Growing:
    """The part of the law that makes colonies grow and shed."""
    each = law.regimes
    rates = {id(r.rho): _rates(r) for r in each}
    angiogenesis = {
        id(r.onset_cells): _side_by_side(r.avascular_cells, r.onset_cells, r.angiogenesis_per_day)
        for r in each
    }
    invasion = {
        id(r.border_exponent): _side_by_side(
            r.invasion_per_day, r.invasion_reference_cells, r.border_exponent
        )
        for r in each
    }
    return Growing(
        law.growth_law,
        stacked([r.power_exponent for r in each]),
        stacked([angiogenesis[id(r.onset_cells)] for r in each]),
        stacked([invasion[id(r.border_exponent)] for r in each]),
        stacked([rates[id(r.rho)] for r in each]),
        stacked([r.mutation for r in each]),
        stacked([r.destined.leaving for r in each]),
        law.cluster_cells,
        stacked([r.cluster_share for r in each]),
    )


def _side_by_side(*columns: Array) -> Array:
    return np.concatenate(np.broadcast_arrays(*columns), axis=1)


def _rates(law: Law) -> Array:
    return np.stack(np.broadcast_arrays(law.rho, law.death, law.capacity[:, :, None]), axis=-1)


@inlined
def mutate(rng, mutation, births, cells, i, arrived, dt):
    """Phenotype transitions of colony i: along any living line at rate u * b."""
    n = cells.shape[1]
    for k in range(n):
        arrived[k] = 0
    for k in range(n):
        total = 0.0
        for q in range(n):
            total += mutation[k, q]
        if total <= 0.0 or cells[i, k] == 0:
            continue
        changing = binomial(rng, cells[i, k], -math.expm1(-total * births[k] * dt))
        cells[i, k] -= changing
        rest = total
        for q in range(n):
            u = mutation[k, q]
            if changing > 0 and u > 0.0:
                here = binomial(rng, changing, min(1.0, u / rest))
                arrived[q] += here
                changing -= here
                rest = max(rest - u, 1e-300)
        cells[i, k] += changing  # left over by rounding of the shares
    for k in range(n):
        cells[i, k] += arrived[k]


@inlined
def stage_of(colony, size, macro_cells):
    """Row of the tallies that a colony's cells are in; colony 0 is the primary."""
    if colony == 0:
        return PRIMARY
    return MACRO if size > macro_cells else MICRO


@inlined
def step_colonies(
    rng, growing, regime, k_patient, dt, day, visit, origin, cells, sizes, days, vessels, alive,
    n_alive, gaps, tally, micro_cells, macro_cells, detection_cells, seen, births, arrived, leaving,
    departed,
):  # fmt: skip
    """One step of every living colony.

    Of a colony's n cells of a phenotype floor(n share / size) clusters of each class stand ready at
    the border; the others go singly. All of them leave with the same hazard.

    Args:
        rng: the patient's stream.
        growing: the law of growth and shedding.
        regime: bits of the changing treatments that are active.
        k_patient: the patient's place in the chunk.
        dt: days.
        day: the day at the end of the step.
        visit: whether imaging sees metastases on that day.
        origin: (colonies, 4), see PatientRecord, as are `cells`, `days`.
        cells: changed in place, as all below.
        sizes: (colonies,) cells of all phenotypes.
        days: first days in each class.
        vessels: (colonies,) whether vascularised.
        alive: rows of the living colonies.
        n_alive: number of these.
        gaps: two exponential variates for `successes`: destined, doomed.
        tally: (stage, O, tally) counts.
        micro_cells: least size of a micrometastasis.
        macro_cells: largest size of one.
        detection_cells: (O,).
        seen: (O,) day of the first metastasis seen in each organ.
        births: (K,) work space, as `arrived`.
        leaving: (O, K, C, stages) filled with the doomed units that left.
        departed: rows for the destined units that left: organ, phenotype, class, colony, how many.

    Returns:
        Colonies alive, rows in `departed`, and how it came out: TOO_MANY_CELLS in a colony, NO_ROOM
        in `departed`, or OK.
    """
    law, power_exponent = growing.law[0], of_patient(growing.power_exponent, regime, k_patient)[0]
    switching = of_patient(growing.angiogenesis, regime, k_patient)
    avascular_cells, onset_cells, switch_per_day = switching
    invasion = of_patient(growing.invasion, regime, k_patient)
    shedding_per_day, reference_cells, border_exponent = invasion
    rates = of_patient(growing.rates, regime, k_patient)
    mutation = of_patient(growing.mutation, regime, k_patient)
    destined_share = of_patient(growing.destined, regime, k_patient)
    unit_cells, share = growing.cluster_cells, of_patient(growing.cluster_share, regime, k_patient)
    n_kinds, n_classes = cells.shape[1], len(unit_cells)
    standing, n_alive, n_departed = n_alive, 0, 0
    for a in range(standing):
        i = alive[a]
        organ, size = origin[i, 1], sizes[i]
        vascularised = vessels[i]
        stage = stage_of(i, size, macro_cells)
        now = 0
        for k in range(n_kinds):
            n = cells[i, k]
            if n == 0:
                continue
            death = rates[organ, k, 1]
            birth = max(
                0.0,
                death
                + net_growth(
                    law,
                    float(size),
                    rates[organ, k, 0],
                    rates[organ, k, 2],
                    power_exponent,
                    vascularised,
                    avascular_cells,
                ),
            )
            log_growth = (birth - death) * dt
            if (log_growth > 1.0 or n > 1e14) and n * math.exp(min(log_growth, 99.0)) > MOST_CELLS:
                return n_alive, n_departed, TOO_MANY_CELLS
            births[k] = birth
            n = grow(rng, n, birth, death, dt)
            cells[i, k] = n
            now += n
        tally[stage, organ, NET_GROWTH] += now - size
        if n_kinds > 1:
            mutate(rng, mutation, births, cells, i, arrived, dt)
        if not vascularised and size >= onset_cells:
            vessels[i] = rng.random() < -math.expm1(-switch_per_day * dt)
        if shedding_per_day > 0.0 and now > 0:
            hazard = dt * border_rate(
                shedding_per_day, float(size), reference_cells, border_exponent
            )
            leave = leaving_prob(hazard)
            for k in range(n_kinds):
                present = cells[i, k]
                singles = present
                for c in range(n_classes - 1, -1, -1):
                    in_unit = unit_cells[c]
                    ready = singles
                    if c > 0:
                        ready = np.int64(present * share[c] / in_unit)
                        singles -= ready * in_unit
                    if ready == 0:
                        continue
                    # leaving as destined, else as doomed: two hazards that add up to `hazard`
                    chosen = leave * destined_share[organ, k, c]
                    chosen_hazard = leaving_hazard(chosen)
                    other_hazard = max(0.0, hazard - chosen_hazard)
                    destined = successes(rng, gaps, 0, ready, chosen_hazard)
                    ready -= destined
                    if ready * other_hazard < _FEW:
                        doomed = successes(rng, gaps, 1, ready, other_hazard)
                    else:
                        doomed = binomial(rng, ready, (leave - chosen) / (1.0 - chosen))
                    if doomed > 0:
                        leaving[organ, k, c, stage] += doomed
                    if destined > 0:
                        if n_departed == len(departed):
                            return n_alive, n_departed, NO_ROOM
                        departed[n_departed, 0] = organ
                        departed[n_departed, 1] = k
                        departed[n_departed, 2] = c
                        departed[n_departed, 3] = i
                        departed[n_departed, 4] = destined
                        n_departed += 1
                    if destined + doomed > 0:
                        out = (destined + doomed) * in_unit
                        cells[i, k] -= out
                        now -= out
                        tally[stage, organ, LEFT] += out
                        tally[INVASION, organ, ENTERED] += destined * in_unit
        sizes[i] = now
        if now == 0:
            days[i, 4] = day
            continue
        alive[n_alive] = i
        n_alive += 1
        if i > 0 and now >= micro_cells and math.isnan(days[i, 1]):
            days[i, 1] = day
        if i > 0 and (now > macro_cells) != (size > macro_cells):
            stage_now = stage_of(i, now, macro_cells)
            tally[stage, organ, LEFT] += now
            tally[stage_now, organ, ENTERED] += now
            if math.isnan(days[i, 2]) and now > macro_cells:
                days[i, 2] = day
        if visit and i > 0 and now >= detection_cells[organ] and math.isnan(days[i, 3]):
            days[i, 3] = day
            if math.isnan(seen[organ]):
                seen[organ] = day
    return n_alive, n_departed, OK
