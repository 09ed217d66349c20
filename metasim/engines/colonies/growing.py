"""One colony over one step: growth, change of phenotype, shedding."""

import math
from typing import NamedTuple

import numpy as np

from metasim.engines.colonies.draws import binomial, grow, successes
from metasim.engines.colonies.kernel import kernel
from metasim.engines.colonies.units import MACRO, MICRO, PRIMARY, REMOVED
from metasim.law import growth
from metasim.law.rates import Array, Ints, Law
from metasim.terms import MACRO_CELLS, MICRO_CELLS

MOST_CELLS = 1e15  # of one colony; int64 holds 9e18
_FEW = 16.0  # expected draws below which gaps are quicker than a binomial

net_growth = kernel(growth.net_growth)
border_rate = kernel(growth.border_rate)


class Growing(NamedTuple):
    """What makes colonies grow; rates per day."""

    law: int  # metasim.terms.GrowthLaw
    power_exponent: float
    rho: Array  # (O, K)
    death: Array  # (O, K)
    capacity: Array  # (O,)
    avascular_cells: float
    onset_cells: float
    switch_per_day: float
    mutation: Array  # (K, K)


class Shedding(NamedTuple):
    """What makes colonies shed."""

    per_day: float
    reference_cells: float
    border_exponent: float
    cluster_cells: Ints  # (C,)
    cluster_share: Array  # (C,)
    destined: Array  # (O, K, C) probability that a leaving unit will found a colony


def growing_of(law: Law) -> Growing:
    """The part of one patient's law that makes colonies grow."""
    return Growing(
        int(law.growth_law[0]),
        float(law.power_exponent[0]),
        law.rho,
        law.death,
        law.capacity,
        *(float(x) for x in law.angiogenesis),
        law.mutation,
    )


def shedding_of(law: Law) -> Shedding:
    """The part of one patient's law that makes colonies shed."""
    return Shedding(
        *(float(x) for x in law.invasion),
        law.cluster_cells,
        law.cluster_share,
        law.destined.leaving,
    )


@kernel
def mutate(rng, mutation, births, cells, dt):
    """Phenotype transitions: along any living line at rate u * b."""
    n = len(cells)
    arrived = np.zeros(n, np.int64)
    for k in range(n):
        total = 0.0
        for q in range(n):
            total += mutation[k, q]
        if total <= 0.0 or cells[k] == 0:
            continue
        changing = binomial(rng, cells[k], -math.expm1(-total * births[k] * dt))
        cells[k] -= changing
        rest = total
        for q in range(n):
            u = mutation[k, q]
            if changing > 0 and u > 0.0:
                here = binomial(rng, changing, min(1.0, u / rest))
                arrived[q] += here
                changing -= here
                rest = max(rest - u, 1e-300)
        cells[k] += changing  # left over by rounding of the shares
    for k in range(n):
        cells[k] += arrived[k]


@kernel
def grow_colony(rng, growing, dt, organ, cells, size, vascularised, births):
    """Growth and change of one colony; returns its new size, -1 if it outgrows MOST_CELLS."""
    total = 0
    for k in range(len(cells)):
        if cells[k] == 0:
            continue
        death = growing.death[organ, k]
        net = net_growth(
            growing.law,
            float(size),
            growing.rho[organ, k],
            growing.capacity[organ],
            growing.power_exponent,
            vascularised,
            growing.avascular_cells,
        )
        births[k] = max(0.0, death + net)
        log_growth = (births[k] - death) * dt
        if log_growth > 1.0 or cells[k] > 1e14:
            if cells[k] * math.exp(min(log_growth, 99.0)) > MOST_CELLS:
                return -1
        cells[k] = grow(rng, cells[k], births[k], death, dt)
        total += cells[k]
    if len(cells) > 1:
        mutate(rng, growing.mutation, births, cells, dt)
    return total


@kernel
def shed(rng, shedding, leave, organ, k, cells, gaps, leaving):
    """Units of one phenotype that leave a colony in a step, each with probability `leave`.

    Of n cells floor(n share / size) clusters of each class stand ready; the others go singly.

    Args:
        cells: (K,) of the colony; what leaves is taken off.
        gaps: two exponential variates for `successes`.
        leaving: (C, 2) filled with the units that leave: destined, doomed.

    Returns:
        The cells that left.
    """
    present = cells[k]
    singles = present
    out = 0
    for c in range(len(shedding.cluster_cells) - 1, -1, -1):
        in_unit = shedding.cluster_cells[c]
        ready = singles
        if c > 0:
            ready = np.int64(present * shedding.cluster_share[c] / in_unit)
            singles -= ready * in_unit
        chosen = leave * shedding.destined[organ, k, c]
        destined = successes(rng, gaps, 0, ready, chosen)
        p = min(1.0, (leave - chosen) / max(1.0 - chosen, 1e-300))
        rest = ready - destined
        if rest * p < _FEW:
            doomed = successes(rng, gaps, 1, rest, p)
        else:
            doomed = binomial(rng, rest, p)
        leaving[c, 0] = destined
        leaving[c, 1] = doomed
        out += (destined + doomed) * in_unit
    cells[k] -= out
    return out


@kernel
def stage_of(colony, size):
    """Row of the tallies that a colony's cells are in; colony 0 is the primary."""
    if colony == 0:
        return PRIMARY
    return MACRO if size > MACRO_CELLS else MICRO


@kernel
def reach(day, size, days, detection_cells):
    """Note the first day of each size class; True on the day that imaging first sees it."""
    if size >= MICRO_CELLS and math.isnan(days[1]):
        days[1] = day
    if size > MACRO_CELLS and math.isnan(days[2]):
        days[2] = day
    if size >= detection_cells and math.isnan(days[3]):
        days[3] = day
        return True
    return False


@kernel
def operate(rng, organ, residual, origin, cells, sizes, days, alive, n_alive, day, tally):
    """Surgery on an organ's colonies: each cell stays with the residual probability.

    Returns:
        The number of colonies that are left alive.
    """
    kept = 0
    for a in range(n_alive):
        i = alive[a]
        if origin[i, 1] == organ:
            before, left = sizes[i], 0
            for k in range(cells.shape[1]):
                cells[i, k] = binomial(rng, cells[i, k], residual)
                left += cells[i, k]
            sizes[i] = left
            tally[stage_of(i, before), organ, REMOVED] += before - left
            if left == 0:
                days[i, 4] = day
                continue
        alive[kept] = i
        kept += 1
    return kept
