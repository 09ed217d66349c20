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
CELLS, ENTERED, LEFT, DIED, REMOVED, NET_GROWTH = (int(tally) for tally in Tally)


class Moves(NamedTuple):
    """What moves a unit: its exit rates (per day), and where it goes given its fate.

    `moves_of` makes it for all patients of a chunk, with a leading axis P (1 where all patients
    are alike); `moves_of_patient` cuts out one patient, as the other functions here take it.
    """

    intravasation: Array  # (1,)
    arrested: Array  # (1,) extravasation + washout
    active: Array  # (O,) colonization + dormancy
    dormant: Array  # (O,) reawakening + death
    cluster_cells: Ints  # (C,) the same for every patient
    # destined
    landing: Array  # (O, K, C, 2 O)
    crossing: Array  # (O, K, C)
    founding: Array  # (O, K)
    # doomed
    invading: Array  # (O, K, C)
    intravasating: Array  # (O, K, C)
    landing_doomed: Array  # (O, K, C, O)
    crossing_doomed: Array  # (O, K, C)
    washing: Array  # (O, K, C)
    sleeping: Array  # (O, K)
    waking: Array  # (O, K)


def moves_of(law: Law) -> Moves:
    """The part of the law that moves units."""
    intravasation, extravasation, washout, colonization = np.split(law.moving, 4, axis=1)
    return Moves(
        intravasation,
        extravasation + washout,
        colonization + law.dormancy,
        law.reawakening + law.dormant_death,
        law.cluster_cells,
        law.destined.landing,
        law.destined.crossing,
        law.destined.founding,
        law.doomed.invading,
        law.doomed.intravasating,
        law.doomed.landing,
        law.doomed.crossing,
        law.doomed.washing,
        law.doomed.sleeping,
        law.doomed.waking,
    )


@inlined
def of_patient(array, k):
    """Patient k's part of an array of a chunk; the only one if all patients are alike."""
    return array[k if len(array) > 1 else 0]


@inlined
def moves_of_patient(moves, k):
    """The part of the k-th patient of the chunk."""
    return Moves(
        of_patient(moves.intravasation, k),
        of_patient(moves.arrested, k),
        of_patient(moves.active, k),
        of_patient(moves.dormant, k),
        moves.cluster_cells,
        of_patient(moves.landing, k),
        of_patient(moves.crossing, k),
        of_patient(moves.founding, k),
        of_patient(moves.invading, k),
        of_patient(moves.intravasating, k),
        of_patient(moves.landing_doomed, k),
        of_patient(moves.crossing_doomed, k),
        of_patient(moves.washing, k),
        of_patient(moves.sleeping, k),
        of_patient(moves.waking, k),
    )


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
def move_destined(rng, moves, dt, units, clocks, n_units, tally):
    """Stage transitions of the units that will found a colony, one by one.

    A unit carries an exponential clock; it leaves its stage when the hazard that it has been
    through reaches it, which is a probability 1 - exp(-r dt) in every step.

    Args:
        units: rows of place, organ, phenotype, cluster class, parent, route; changed in place.
    """
    for i in range(n_units):
        unit = units[i]
        place, organ = unit[0], unit[1]
        if place == INVADED:
            rate = moves.intravasation[0]
        elif place == ARRESTED:
            rate = moves.arrested[0]
        elif place == ACTIVE:
            rate = moves.active[organ]
        else:
            rate = moves.dormant[organ]
        clocks[i] -= rate * dt
        if clocks[i] > 0.0:
            continue
        clocks[i] = rng.standard_exponential()
        cells = moves.cluster_cells[unit[3]]
        if place == INVADED:
            tally[INVASION, organ, LEFT] += cells
            land(rng, moves, unit, tally, cells)
        elif place == ARRESTED:
            tally[ARREST, organ, LEFT] += cells
            if rng.random() < moves.crossing[organ, unit[2], unit[3]]:
                unit[0] = ACTIVE
                tally[EXTRAVASATION, organ, ENTERED] += cells
            else:
                land(rng, moves, unit, tally, cells)
        elif place == ACTIVE:
            if rng.random() < moves.founding[organ, unit[2]]:
                unit[0] = COLONIZING
                tally[EXTRAVASATION, organ, LEFT] += cells
            else:
                unit[0] = DORMANT
        else:
            unit[0] = ACTIVE


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


@kernel
def move_doomed(rng, moves, dt, pools, landed, tally):
    """Stage transitions of the units that will found nothing, as groups.

    Args:
        pools: (4, O, K, C) units invaded, arrested, active, dormant; changed in place.
        landed: (O, K, C) work space.
    """
    n_organs, n_kinds, n_classes = landed.shape
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
                waking = binomial(rng, pools[DORMANT, organ, k, c], leave_dormant)
                awake = binomial(rng, waking, moves.waking[organ, k])
                active = binomial(rng, pools[ACTIVE, organ, k, c], leave_active)
                asleep = binomial(rng, active, moves.sleeping[organ, k])
                died = waking - awake + active - asleep
                tally[EXTRAVASATION, organ, LEFT] += died * cells
                tally[EXTRAVASATION, organ, DIED] += died * cells
                freed = binomial(rng, pools[ARRESTED, organ, k, c], leave_arrested)
                crossing = moves.crossing_doomed[organ, k, c]
                crossed = binomial(rng, freed, crossing)
                washing = min(1.0, moves.washing[organ, k, c] / max(1.0 - crossing, 1e-300))
                washed = binomial(rng, freed - crossed, washing)
                tally[ARREST, organ, LEFT] += freed * cells
                tally[ARREST, organ, DIED] += (freed - crossed - washed) * cells
                tally[EXTRAVASATION, organ, ENTERED] += crossed * cells
                moved = binomial(rng, pools[INVADED, organ, k, c], leave_invaded)
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
def operate_units(rng, rng_doomed, moves, organ, residual, units, clocks, n_units, pools, tally):
    """Surgery on what has left its colony but not the organ; a unit stays or goes whole.

    Returns:
        The number of destined units that are left.
    """
    kept = 0
    for i in range(n_units):
        unit = units[i]
        if unit[1] == organ and rng.random() >= residual:
            tally[STAGES[unit[0]], organ, REMOVED] += moves.cluster_cells[unit[3]]
            continue
        for column in range(units.shape[1]):
            units[kept, column] = unit[column]
        clocks[kept] = clocks[i]
        kept += 1
    for place in range(4):
        for k in range(pools.shape[2]):
            for c in range(pools.shape[3]):
                there = pools[place, organ, k, c]
                left = binomial(rng_doomed, there, residual)
                pools[place, organ, k, c] = left
                tally[STAGES[place], organ, REMOVED] += (there - left) * moves.cluster_cells[c]
    return kept


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
