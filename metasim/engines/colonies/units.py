"""Units on their way between colonies: single cells or clusters in stages 2 to 5.

Destined units (they will found a colony) are followed one by one; doomed ones, identical and many,
as groups. `metasim.law.fate` says why that is exact.
"""

import math
from typing import NamedTuple

import numpy as np

from metasim.engines.colonies.draws import binomial
from metasim.engines.colonies.kernel import inlined, kernel
from metasim.law.rates import Array, Ints, Law
from metasim.terms import Stage, Tally

# where a unit is; also the first index of the pools of doomed units
INVADED, ARRESTED, ACTIVE, DORMANT, COLONIZING = 0, 1, 2, 3, 4
# rows of the tallies: stage number - 1
PRIMARY, INVASION, CIRCULATION, ARREST, EXTRAVASATION, MICRO, MACRO = (int(s) - 1 for s in Stage)
STAGES = (INVASION, ARREST, EXTRAVASATION, EXTRAVASATION)  # of the places
ROUNDING = 1e-12  # of probabilities that sum to 1
CELLS, ENTERED, LEFT, DIED, REMOVED, NET_GROWTH = (int(tally) for tally in Tally)


class Moves(NamedTuple):
    """What moves a unit: its exit rates (per day), and where it goes given its fate.

    `moves_of` makes it for all regimes and all patients of a chunk, with leading axes R and P (1
    where all are alike); `moves_of_patient` cuts out one, as the other functions here take it.
    """

    intravasation: Array  # (1,)
    arrested: Array  # (1,) extravasation + washout
    active: Array  # (O,) colonization + dormancy
    dormant: Array  # (O,) reawakening + death
    cluster_cells: Ints  # (C,) the same for every patient
    # destined; what is missing to 1 is doomed from here on
    entering: Array  # (O, K, C)
    landing: Array  # (O, K, C, 2 O)
    crossing: Array  # (O, K, C)
    washing: Array  # (O, K, C)
    founding: Array  # (O, K)
    sleeping: Array  # (O, K)
    waking: Array  # (O, K)
    # doomed
    invading: Array  # (O, K, C)
    intravasating: Array  # (O, K, C)
    landing_doomed: Array  # (O, K, C, O)
    crossing_doomed: Array  # (O, K, C)
    washing_doomed: Array  # (O, K, C)
    sleeping_doomed: Array  # (O, K)
    waking_doomed: Array  # (O, K)


def moves_of(law: Law) -> Moves:
    """The part of the law that moves units."""
    each = law.regimes
    exits = {id(r.moving): _exits(r) for r in each}
    fates = [(r.destined, r.doomed) for r in each]
    return Moves(
        *(stacked([exits[id(r.moving)][i] for r in each]) for i in range(4)),
        law.cluster_cells,
        stacked([yes.entering for yes, _ in fates]),
        stacked([yes.landing for yes, _ in fates]),
        stacked([yes.crossing for yes, _ in fates]),
        stacked([yes.washing for yes, _ in fates]),
        stacked([yes.founding for yes, _ in fates]),
        stacked([yes.sleeping for yes, _ in fates]),
        stacked([yes.waking for yes, _ in fates]),
        *(stacked([no[i] for _, no in fates]) for i in range(len(law.doomed))),
    )


def _exits(law: Law) -> tuple[Array, Array, Array, Array]:
    """Exit rates of units invaded, arrested, active, dormant."""
    intravasation, extravasation, washout, colonization = np.split(law.moving, 4, axis=1)
    return (
        intravasation,
        extravasation + washout,
        colonization + law.dormancy,
        law.reawakening + law.dormant_death,
    )


def stacked(regimes: list[Array]) -> Array:
    """The arrays of all regimes side by side; one of them if they are the same."""
    if all(array is regimes[0] for array in regimes):
        return regimes[0][None]
    shape = np.broadcast_shapes(*(array.shape for array in regimes))
    return np.stack([np.broadcast_to(array, shape) for array in regimes])


@inlined
def of_patient(array, regime, k):
    """The part of a regime and of patient k of a chunk; the only one where all are alike."""
    return array[regime if len(array) > 1 else 0, k if array.shape[1] > 1 else 0]


@inlined
def moves_of_patient(moves, regime, k):
    """The part of a regime and of the k-th patient of the chunk."""
    return Moves(
        of_patient(moves.intravasation, regime, k),
        of_patient(moves.arrested, regime, k),
        of_patient(moves.active, regime, k),
        of_patient(moves.dormant, regime, k),
        moves.cluster_cells,
        of_patient(moves.entering, regime, k),
        of_patient(moves.landing, regime, k),
        of_patient(moves.crossing, regime, k),
        of_patient(moves.washing, regime, k),
        of_patient(moves.founding, regime, k),
        of_patient(moves.sleeping, regime, k),
        of_patient(moves.waking, regime, k),
        of_patient(moves.invading, regime, k),
        of_patient(moves.intravasating, regime, k),
        of_patient(moves.landing_doomed, regime, k),
        of_patient(moves.crossing_doomed, regime, k),
        of_patient(moves.washing_doomed, regime, k),
        of_patient(moves.sleeping_doomed, regime, k),
        of_patient(moves.waking_doomed, regime, k),
    )


@inlined
def certain(rng, p):
    """True with probability p; costs no random number where it is 1."""
    return p >= 1.0 - ROUNDING or rng.random() < p


@kernel
def land(rng, moves, unit, tally, cells):
    """A destined unit enters the flow and is arrested at its destination."""
    organ = unit[1]
    cumulative = moves.landing[organ, unit[2], unit[3]]
    u = rng.random()
    place = 0
    while cumulative[place] <= u and place < len(cumulative) - 1:
        place += 1
    n_organs = len(moves.active)
    unit[0] = ARRESTED
    unit[1] = place % n_organs
    unit[5] = place // n_organs
    tally[CIRCULATION, organ, ENTERED] += cells
    tally[CIRCULATION, organ, LEFT] += cells
    tally[ARREST, unit[1], ENTERED] += cells


@kernel
def move_destined(rng, moves, dt, units, clocks, n_units, tally, turned):
    """Stage transitions of the destined units, one by one.

    A unit carries an exponential clock; it leaves its stage when the hazard that it has been
    through reaches it, which is a probability 1 - exp(-r dt) in every step.

    Args:
        units: rows of place, organ, phenotype, cluster class, parent, route; changed in place.
        turned: (4, O, K, C) counts the units that leave their place as doomed ones.

    Returns:
        The number of units that are still destined.
    """
    kept = 0
    for i in range(n_units):
        unit = units[i]
        place, organ, k, c = unit[0], unit[1], unit[2], unit[3]
        if place == INVADED:
            rate = moves.intravasation[0]
        elif place == ARRESTED:
            rate = moves.arrested[0]
        elif place == ACTIVE:
            rate = moves.active[organ]
        else:
            rate = moves.dormant[organ]
        clocks[i] -= rate * dt
        if clocks[i] <= 0.0:
            clocks[i] = rng.standard_exponential()
            cells = moves.cluster_cells[c]
            if place == INVADED:
                stays = certain(rng, moves.entering[organ, k, c])
                if stays:
                    tally[INVASION, organ, LEFT] += cells
                    land(rng, moves, unit, tally, cells)
            elif place == ARRESTED:
                u = rng.random() - moves.crossing[organ, k, c]
                stays = u < moves.washing[organ, k, c] + ROUNDING
                if stays:
                    tally[ARREST, organ, LEFT] += cells
                if u < 0.0:
                    unit[0] = ACTIVE
                    tally[EXTRAVASATION, organ, ENTERED] += cells
                elif stays:
                    land(rng, moves, unit, tally, cells)
            elif place == ACTIVE:
                u = rng.random() - moves.founding[organ, k]
                stays = u < moves.sleeping[organ, k] + ROUNDING
                if u < 0.0:
                    unit[0] = COLONIZING
                    tally[EXTRAVASATION, organ, LEFT] += cells
                elif stays:
                    unit[0] = DORMANT
            else:
                stays = certain(rng, moves.waking[organ, k])
                if stays:
                    unit[0] = ACTIVE
            if not stays:
                turned[place, organ, k, c] += 1
                continue
        if kept < i:
            units[kept, :] = unit
            clocks[kept] = clocks[i]
        kept += 1
    return kept


@kernel
def spread_doomed(rng, shares, n, cells, organ, k, c, landed, tally):
    """n doomed units enter the flow from an organ; some are arrested, the rest destroyed."""
    tally[CIRCULATION, organ, ENTERED] += n * cells
    tally[CIRCULATION, organ, LEFT] += n * cells
    left, rest = n, 1.0
    for j in range(len(shares)):
        share = shares[j]
        if left > 0 and share > 0.0:
            here = binomial(rng, left, min(1.0, share / rest))
            left -= here
            rest = max(rest - share, 1e-300)
            landed[j, k, c] += here
            tally[ARREST, j, ENTERED] += here * cells
    tally[CIRCULATION, organ, DIED] += left * cells


@inlined
def go(rng, pools, turned, place, organ, k, c, leave):
    """Doomed units that leave a place: those that turned doomed in leaving, and some others."""
    sure = turned[place, organ, k, c]
    return sure + binomial(rng, pools[place, organ, k, c] - sure, leave)


@kernel
def move_doomed(rng, moves, dt, pools, landed, tally, turned):
    """Stage transitions of the units that will found nothing, as groups.

    Args:
        pools: (4, O, K, C) units invaded, arrested, active, dormant; changed in place.
        landed: (O, K, C) work space.
        turned: (4, O, K, C) units, not in the pools, that leave their place now; emptied.
    """
    n_organs, n_kinds, n_classes = landed.shape
    pools += turned
    for organ in range(n_organs):
        for k in range(n_kinds):
            for c in range(n_classes):
                landed[organ, k, c] = 0
    leave_invaded = -math.expm1(-moves.intravasation[0] * dt)
    leave_arrested = -math.expm1(-moves.arrested[0] * dt)
    for organ in range(n_organs):
        leave_active = -math.expm1(-moves.active[organ] * dt)
        leave_dormant = -math.expm1(-moves.dormant[organ] * dt)
        for k in range(n_kinds):
            for c in range(n_classes):
                cells = moves.cluster_cells[c]
                waking = go(rng, pools, turned, DORMANT, organ, k, c, leave_dormant)
                awake = binomial(rng, waking, moves.waking_doomed[organ, k])
                active = go(rng, pools, turned, ACTIVE, organ, k, c, leave_active)
                asleep = binomial(rng, active, moves.sleeping_doomed[organ, k])
                died = waking - awake + active - asleep
                tally[EXTRAVASATION, organ, LEFT] += died * cells
                tally[EXTRAVASATION, organ, DIED] += died * cells
                freed = go(rng, pools, turned, ARRESTED, organ, k, c, leave_arrested)
                crossing = moves.crossing_doomed[organ, k, c]
                crossed = binomial(rng, freed, crossing)
                washing = min(1.0, moves.washing_doomed[organ, k, c] / max(1.0 - crossing, 1e-300))
                washed = binomial(rng, freed - crossed, washing)
                tally[ARREST, organ, LEFT] += freed * cells
                tally[ARREST, organ, DIED] += (freed - crossed - washed) * cells
                tally[EXTRAVASATION, organ, ENTERED] += crossed * cells
                moved = go(rng, pools, turned, INVADED, organ, k, c, leave_invaded)
                entered = binomial(rng, moved, moves.intravasating[organ, k, c])
                tally[INVASION, organ, LEFT] += moved * cells
                tally[INVASION, organ, DIED] += (moved - entered) * cells
                if washed + entered > 0:
                    shares = moves.landing_doomed[organ, k, c]
                    n = washed + entered
                    spread_doomed(rng, shares, n, cells, organ, k, c, landed, tally)
                pools[DORMANT, organ, k, c] += asleep - waking
                pools[ACTIVE, organ, k, c] += awake + crossed - active
                pools[ARRESTED, organ, k, c] -= freed
                pools[INVADED, organ, k, c] -= moved
    for organ in range(n_organs):
        for k in range(n_kinds):
            for c in range(n_classes):
                pools[ARRESTED, organ, k, c] += landed[organ, k, c]
    turned[:] = 0


@kernel
def doomed_leave(rng, moves, leaving, pools, tally):
    """Doomed units that left their colonies pass the invasion gate, or die at it.

    Args:
        leaving: (O, K, C, stages) units by the stage of their colony; emptied.
    """
    for organ in range(leaving.shape[0]):
        for k in range(leaving.shape[1]):
            for c in range(leaving.shape[2]):
                for stage in range(leaving.shape[3]):
                    left = leaving[organ, k, c, stage]
                    if left == 0:
                        continue
                    leaving[organ, k, c, stage] = 0
                    invaded = binomial(rng, left, moves.invading[organ, k, c])
                    pools[INVADED, organ, k, c] += invaded
                    cells = moves.cluster_cells[c]
                    tally[INVASION, organ, ENTERED] += invaded * cells
                    tally[stage, organ, DIED] += (left - invaded) * cells


@kernel
def count_units(moves, units, n_units, pools, tally):
    """Add the cells of all units to the stages they are in."""
    for i in range(n_units):
        tally[STAGES[units[i, 0]], units[i, 1], CELLS] += moves.cluster_cells[units[i, 3]]
    for place in range(4):
        for organ in range(pools.shape[1]):
            for k in range(pools.shape[2]):
                for c in range(pools.shape[3]):
                    there = pools[place, organ, k, c] * moves.cluster_cells[c]
                    tally[STAGES[place], organ, CELLS] += there


@kernel
def doubled(table):
    """The same rows in a table of twice the length."""
    out = np.empty((2 * len(table), *table.shape[1:]), table.dtype)
    out[: len(table)] = table
    return out
