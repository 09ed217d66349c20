"""Units on their way between colonies: single cells or clusters in stages 2 to 5.

Destined units (they will found a colony) are followed one by one; doomed ones, identical and many,
as groups. `metasim.law.fate` says why that is exact.
"""

import math

import numpy as np

from metasim.engines.colonies.draws import binomial
from metasim.engines.colonies.kernel import inlined, kernel, merged
from metasim.engines.colonies.state import (
    ACTIVE,
    ARREST,
    ARRESTED,
    CELLS,
    CIRCULATION,
    COLONIZING,
    DIED,
    DORMANT,
    ENTERED,
    EXTRAVASATION,
    INVADED,
    INVASION,
    LEFT,
    REMOVED,
    STAGES,
)

ROUNDING = 1e-12  # of probabilities that sum to 1


@inlined
def certain(rng, p):
    """True with probability p; costs no random number where it is 1."""
    return p >= 1.0 - ROUNDING or rng.random() < p


@kernel
def land(rng, law, unit, tally, cells):
    """A destined unit enters the flow and is arrested at its destination."""
    organ = unit.organ
    cumulative = law.landing[organ, unit.phenotype, unit.cluster]
    u = rng.random()
    bed = 0
    while cumulative[bed] <= u and bed < len(cumulative) - 1:
        bed += 1
    n_organs = law.exits.shape[1]
    unit.place = ARRESTED
    unit.organ = bed % n_organs
    unit.route = bed // n_organs
    tally[CIRCULATION, organ, ENTERED] += cells
    tally[CIRCULATION, organ, LEFT] += cells
    tally[ARREST, unit.organ, ENTERED] += cells


@inlined
def advance(rng, law, unit, tally):
    """A destined unit leaves its place; whether it is still destined then."""
    place, organ = unit.place, unit.organ
    cells = law.clusters[unit.cluster].cells
    fates = law.fates[organ, unit.phenotype, unit.cluster]
    if place == INVADED:
        stays = certain(rng, fates.entering)
        if stays:
            tally[INVASION, organ, LEFT] += cells
            land(rng, law, unit, tally, cells)
    elif place == ARRESTED:
        u = rng.random() - fates.crossing
        stays = u < fates.washing + ROUNDING
        if stays:
            tally[ARREST, organ, LEFT] += cells
        if u < 0.0:
            unit.place = ACTIVE
            tally[EXTRAVASATION, organ, ENTERED] += cells
        elif stays:
            land(rng, law, unit, tally, cells)
    elif place == ACTIVE:
        u = rng.random() - fates.founding
        stays = u < fates.sleeping + ROUNDING
        if u < 0.0:
            unit.place = COLONIZING
            tally[EXTRAVASATION, organ, LEFT] += cells
        elif stays:
            unit.place = DORMANT
    else:
        stays = certain(rng, fates.waking)
        if stays:
            unit.place = ACTIVE
    return stays


@inlined
def wait(now, law, dt, unit, since_step):
    """Work out until when a unit stays in its place, by its clock and law from a step on."""
    unit.since_step = since_step
    unit.per_step = law.exits[unit.place, unit.organ] * dt
    unit.due = since_step + unit.clock / unit.per_step
    now.next_due = min(now.next_due, unit.due)


@inlined
def wait_on(now, law, dt, room):
    """The law has changed: units have the hazard before them that is left of the one before."""
    now.other_law = False
    now.next_due = np.inf
    before = now.step - 1
    for i in range(now.n_units):
        unit = room.units[i]
        if before > unit.since_step:
            unit.clock -= unit.per_step * (before - unit.since_step)
        wait(now, law, dt, unit, before)


@inlined
def move_destined(rng, now, law, dt, room):
    """Stage transitions of the destined units, one by one.

    A unit carries an exponential clock; it leaves its stage when the hazard that it has been
    through reaches it, which is a probability 1 - exp(-r dt) in every step.
    """
    if now.other_law:
        wait_on(now, law, dt, room)
    if now.step < now.next_due:
        return
    now.next_due = np.inf
    kept = 0
    for i in range(now.n_units):
        unit = room.units[i]
        if unit.due <= now.step:
            place, organ = unit.place, unit.organ
            unit.clock = rng.standard_exponential()
            if not advance(rng, law, unit, room.tally):
                room.pools[place, organ, unit.phenotype, unit.cluster].turned += 1
                continue
            if unit.place == COLONIZING:
                now.n_colonizing += 1
            else:
                wait(now, law, dt, unit, now.step)
        else:
            now.next_due = min(now.next_due, unit.due)
        if kept < i:
            room.units[kept] = unit
        kept += 1
    now.n_units = kept


@kernel
def spread_doomed(rng, shares, n, cells, organ, k, c, pools, tally):
    """Let n doomed units enter the flow from an organ; some are arrested, the rest destroyed."""
    tally[CIRCULATION, organ, ENTERED] += n * cells
    tally[CIRCULATION, organ, LEFT] += n * cells
    left, rest = n, 1.0
    for bed in range(len(shares)):
        share = shares[bed]
        if left > 0 and share > 0.0:
            here = binomial(rng, left, min(1.0, share / rest))
            left -= here
            rest = max(rest - share, 1e-300)
            pools[ARRESTED, bed, k, c].landed += here
            tally[ARREST, bed, ENTERED] += here * cells
    tally[CIRCULATION, organ, DIED] += left * cells


@merged
def move_pool(rng, law, leave, place, organ, k, c, pools, tally):
    """Some doomed units of a kind leave a place; they come to others, or die."""
    pool = pools[place, organ, k, c]
    # those that turned doomed in leaving, and some of the others
    moved = pool.turned
    left = binomial(rng, pool.units, leave)
    pool.units -= left
    pool.turned = 0
    moved += left
    if moved == 0:
        return
    fates, cells, stage = law.fates[organ, k, c], law.clusters[c].cells, STAGES[place]
    onward, wash = fates.doomed_waking, 0.0
    if place == INVADED:
        onward = fates.doomed_intravasating
    elif place == ARRESTED:
        onward = fates.doomed_crossing
        wash = min(1.0, fates.doomed_washing / max(1.0 - onward, 1e-300))
    elif place == ACTIVE:
        onward = fates.doomed_sleeping
    advanced = binomial(rng, moved, onward)
    washed = binomial(rng, moved - advanced, wash)
    died = (moved - advanced - washed) * cells
    tally[stage, organ, DIED] += died
    tally[stage, organ, LEFT] += died
    if place == DORMANT:
        pools[ACTIVE, organ, k, c].landed += advanced
    elif place == ACTIVE:
        pools[DORMANT, organ, k, c].landed += advanced
    else:
        tally[stage, organ, LEFT] += (advanced + washed) * cells
    if place == ARRESTED:
        pools[ACTIVE, organ, k, c].landed += advanced
        tally[EXTRAVASATION, organ, ENTERED] += advanced * cells
    entering = advanced if place == INVADED else washed
    if entering > 0:
        shares = law.landing_doomed[organ, k, c]
        spread_doomed(rng, shares, entering, cells, organ, k, c, pools, tally)


@kernel
def move_doomed(rng, law, dt, pools, tally):
    """Stage transitions of the units that will found nothing, as groups."""
    n_places, n_organs, n_kinds, n_classes = pools.shape
    for place in range(n_places):
        for organ in range(n_organs):
            leave = -math.expm1(-law.exits[place, organ] * dt)
            for k in range(n_kinds):
                for c in range(n_classes):
                    move_pool(rng, law, leave, place, organ, k, c, pools, tally)
    for place in range(n_places):
        for organ in range(n_organs):
            for k in range(n_kinds):
                for c in range(n_classes):
                    pool = pools[place, organ, k, c]
                    pool.units += pool.landed
                    pool.landed = 0


@kernel
def doomed_leave(rng, law, leaving, pools, tally):
    """Doomed units that left their colonies pass the invasion gate, or die at it."""
    for organ in range(leaving.shape[0]):
        for k in range(leaving.shape[1]):
            for c in range(leaving.shape[2]):
                for stage in range(leaving.shape[3]):
                    left = leaving[organ, k, c, stage]
                    if left == 0:
                        continue
                    leaving[organ, k, c, stage] = 0
                    invaded = binomial(rng, left, law.fates[organ, k, c].doomed_invading)
                    pools[INVADED, organ, k, c].units += invaded
                    cells = law.clusters[c].cells
                    tally[INVASION, organ, ENTERED] += invaded * cells
                    tally[stage, organ, DIED] += (left - invaded) * cells


@kernel
def count_units(law, units, n_units, pools, tally):
    """Add the cells of all units to the stages they are in."""
    for i in range(n_units):
        unit = units[i]
        tally[STAGES[unit.place], unit.organ, CELLS] += law.clusters[unit.cluster].cells
    for place in range(pools.shape[0]):
        for organ in range(pools.shape[1]):
            for k in range(pools.shape[2]):
                for c in range(pools.shape[3]):
                    there = pools[place, organ, k, c].units * law.clusters[c].cells
                    tally[STAGES[place], organ, CELLS] += there


@inlined
def survival_of_unit(survival, place, organ, k):
    """Probability that a unit survives the treatment of this day."""
    felt = survival[organ, k]
    return felt.beyond * (felt.asleep if place == DORMANT else felt.awake)


@kernel
def thin_destined(rng, now, law, survival, units, tally):
    """What treatment leaves of the destined units; each stays or goes whole."""
    kept = 0
    for i in range(now.n_units):
        unit = units[i]
        p = survival_of_unit(survival, unit.place, unit.organ, unit.phenotype)
        if p < 1.0 and rng.random() >= p:
            cells = law.clusters[unit.cluster].cells
            tally[STAGES[unit.place], unit.organ, REMOVED] += cells
            continue
        if kept < i:
            units[kept] = unit
        kept += 1
    now.n_units = kept


@kernel
def thin_doomed(rng, law, survival, pools, tally):
    """What treatment leaves of the doomed units."""
    for place in range(pools.shape[0]):
        for organ in range(pools.shape[1]):
            for k in range(pools.shape[2]):
                p = survival_of_unit(survival, place, organ, k)
                for c in range(pools.shape[3]):
                    pool = pools[place, organ, k, c]
                    left = binomial(rng, pool.units, p)
                    gone = (pool.units - left) * law.clusters[c].cells
                    pool.units = left
                    tally[STAGES[place], organ, REMOVED] += gone
