"""Units on their way between colonies: single cells or clusters in stages 2 to 5.

Destined units (they will found a colony) are followed one by one; doomed ones, identical and many,
as groups. `metasim.law.fate` says why that is exact.
"""

import math
from typing import NamedTuple

import numpy as np

from metasim.engines.colonies.draws import binomial
from metasim.engines.colonies.kernel import inlined, kernel, view
from metasim.law.arrays import Array, Ints, Law
from metasim.terms import Stage, Tally

# where a unit is; also the first index of the pools of doomed units. numpy's integers: for each
# literal that is handed to it, a function would be compiled anew
INVADED, ARRESTED, ACTIVE, DORMANT, COLONIZING = np.arange(5)
# rows of the tallies: stage number - 1
PRIMARY, INVASION, CIRCULATION, ARREST, EXTRAVASATION, MICRO, MACRO = (int(s) - 1 for s in Stage)
STAGES = (INVASION, ARREST, EXTRAVASATION, EXTRAVASATION)  # of the places
ROUNDING = 1e-12  # of probabilities that sum to 1
CELLS, ENTERED, LEFT, DIED, REMOVED, NET_GROWTH = (int(tally) for tally in Tally)


class Moves(NamedTuple):
    """What moves a unit: its exit rates (per day), and where it goes given its fate.

    `moves_of` makes it for all regimes and all patients of a chunk, with leading axes R and P (1
    where all are alike); `moves_of_patient` cuts out one, as the other functions here take it. Few
    arrays, as each costs compile time in every function that takes them.
    """

    exits: Array  # (4, O) exit rate by place
    chances: Array  # (12, O, K, C) see below
    landing: Array  # (O, K, C, 2 O) of destined units
    landing_doomed: Array  # (O, K, C, O)
    cluster_cells: Ints  # (C,) the same for every patient


# rows of the chances: of destined units (what is missing to 1 is doomed from here on), of doomed
ENTERING, CROSSING, WASHING, FOUNDING, SLEEPING, WAKING = range(6)
D_INVADING, D_INTRAVASATING, D_CROSSING, D_WASHING, D_SLEEPING, D_WAKING = range(6, 12)
# by place: the row of the chance that a doomed unit which leaves it lives on
ADVANCING = (D_INTRAVASATING, D_CROSSING, D_SLEEPING, D_WAKING)


def moves_of(law: Law) -> Moves:
    """The part of the law that moves units."""
    each = law.regimes
    exits = {id(r.dormancy_per_day): _exits(r) for r in each}
    chances = {id(r.destined): _chances(r) for r in each}
    return Moves(
        stacked([exits[id(r.dormancy_per_day)] for r in each]),
        stacked([chances[id(r.destined)] for r in each]),
        stacked([r.destined.landing for r in each]),
        stacked([r.doomed.landing for r in each]),
        law.cluster_cells,
    )


def _exits(law: Law) -> Array:
    """(P, 4, O) exit rates of units invaded, arrested, active, dormant."""
    rates = (
        law.intravasation_per_day,
        law.extravasation_per_day + law.washout_per_day,
        law.colonization_per_day + law.dormancy_per_day,
        law.reawakening_per_day + law.dormant_death_per_day,
    )
    return np.stack(np.broadcast_arrays(*rates, law.lymph)[:4], axis=1)


def _chances(law: Law) -> Array:
    """(P, 12, O, K, C), as the rows above say."""
    yes, no = law.destined, law.doomed
    rows = (
        yes.entering, yes.crossing, yes.washing,
        *(part[..., None] for part in (yes.founding, yes.sleeping, yes.waking)),
        no.invading, no.intravasating, no.crossing, no.washing,
        *(part[..., None] for part in (no.sleeping, no.waking)),
    )  # fmt: skip
    return np.stack(np.broadcast_arrays(*rows), axis=1)


def stacked(regimes: list[Array]) -> Array:
    """The arrays of all regimes side by side; one of them if they are the same."""
    if all(array is regimes[0] for array in regimes):
        return regimes[0][None]
    shape = np.broadcast_shapes(*(array.shape for array in regimes))
    return np.stack([np.broadcast_to(array, shape) for array in regimes])


@view
def row(array, k):
    """Row k of an array, or the only one: where all patients, or all regimes, are alike."""
    return array[k if len(array) > 1 else 0]


@view
def of_patient(array, regime, k):
    """The part of a regime and of patient k of a chunk."""
    return row(row(array, regime), k)


@view
def moves_of_patient(moves, regime, k):
    """The part of a regime and of the k-th patient of the chunk."""
    return Moves(
        of_patient(moves.exits, regime, k),
        of_patient(moves.chances, regime, k),
        of_patient(moves.landing, regime, k),
        of_patient(moves.landing_doomed, regime, k),
        moves.cluster_cells,
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
    n_organs = moves.exits.shape[1]
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
        clocks[i] -= moves.exits[place, organ] * dt
        if clocks[i] <= 0.0:
            clocks[i] = rng.standard_exponential()
            cells, chances = moves.cluster_cells[c], moves.chances[:, organ, k, c]
            if place == INVADED:
                stays = certain(rng, chances[ENTERING])
                if stays:
                    tally[INVASION, organ, LEFT] += cells
                    land(rng, moves, unit, tally, cells)
            elif place == ARRESTED:
                u = rng.random() - chances[CROSSING]
                stays = u < chances[WASHING] + ROUNDING
                if stays:
                    tally[ARREST, organ, LEFT] += cells
                if u < 0.0:
                    unit[0] = ACTIVE
                    tally[EXTRAVASATION, organ, ENTERED] += cells
                elif stays:
                    land(rng, moves, unit, tally, cells)
            elif place == ACTIVE:
                u = rng.random() - chances[FOUNDING]
                stays = u < chances[SLEEPING] + ROUNDING
                if u < 0.0:
                    unit[0] = COLONIZING
                    tally[EXTRAVASATION, organ, LEFT] += cells
                elif stays:
                    unit[0] = DORMANT
            else:
                stays = certain(rng, chances[WAKING])
                if stays:
                    unit[0] = ACTIVE
            if not stays:
                turned[place, organ, k, c] += 1
                continue
        if kept < i:
            for column in range(units.shape[1]):
                units[kept, column] = unit[column]
            clocks[kept] = clocks[i]
        kept += 1
    return kept


@kernel
def spread_doomed(rng, shares, n, cells, organ, k, c, landed, tally):
    """Let n doomed units enter the flow from an organ; some are arrested, the rest destroyed."""
    tally[CIRCULATION, organ, ENTERED] += n * cells
    tally[CIRCULATION, organ, LEFT] += n * cells
    left, rest = n, 1.0
    for j in range(len(shares)):
        share = shares[j]
        if left > 0 and share > 0.0:
            here = binomial(rng, left, min(1.0, share / rest))
            left -= here
            rest = max(rest - share, 1e-300)
            landed[ARRESTED, j, k, c] += here
            tally[ARREST, j, ENTERED] += here * cells
    tally[CIRCULATION, organ, DIED] += left * cells


@kernel
def move_doomed(rng, moves, dt, pools, landed, tally, turned):
    """Stage transitions of the units that will found nothing, as groups.

    Args:
        pools: (4, O, K, C) units invaded, arrested, active, dormant; changed in place.
        landed: (4, O, K, C) work space: units that come to a place.
        turned: (4, O, K, C) units, not in the pools, that leave their place now; emptied.
    """
    n_places, n_organs, n_kinds, n_classes = pools.shape
    for place in range(n_places):
        for organ in range(n_organs):
            leave = -math.expm1(-moves.exits[place, organ] * dt)
            for k in range(n_kinds):
                for c in range(n_classes):
                    # those that turned doomed in leaving, and some of the others
                    moved = turned[place, organ, k, c]
                    stayed = pools[place, organ, k, c]
                    left = binomial(rng, stayed, leave)
                    pools[place, organ, k, c] = stayed - left
                    turned[place, organ, k, c] = 0
                    moved += left
                    if moved == 0:
                        continue
                    chances = moves.chances[:, organ, k, c]
                    advance, wash = chances[ADVANCING[place]], 0.0
                    if place == ARRESTED:
                        wash = min(1.0, chances[D_WASHING] / max(1.0 - advance, 1e-300))
                    advanced = binomial(rng, moved, advance)
                    washed = binomial(rng, moved - advanced, wash)
                    cells, stage = moves.cluster_cells[c], STAGES[place]
                    died = (moved - advanced - washed) * cells
                    tally[stage, organ, DIED] += died
                    tally[stage, organ, LEFT] += died
                    if place == DORMANT:
                        landed[ACTIVE, organ, k, c] += advanced
                    elif place == ACTIVE:
                        landed[DORMANT, organ, k, c] += advanced
                    else:
                        tally[stage, organ, LEFT] += (advanced + washed) * cells
                    entering = advanced if place == INVADED else washed
                    if place == ARRESTED:
                        landed[ACTIVE, organ, k, c] += advanced
                        tally[EXTRAVASATION, organ, ENTERED] += advanced * cells
                    if entering > 0:
                        shares = moves.landing_doomed[organ, k, c]
                        spread_doomed(rng, shares, entering, cells, organ, k, c, landed, tally)
    for place in range(n_places):
        for organ in range(n_organs):
            for k in range(n_kinds):
                for c in range(n_classes):
                    pools[place, organ, k, c] += landed[place, organ, k, c]
                    landed[place, organ, k, c] = 0


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
                    invaded = binomial(rng, left, moves.chances[D_INVADING, organ, k, c])
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
