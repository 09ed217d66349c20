"""Colonies over one step: growth, change of phenotype, angiogenesis, shedding, founding.

`live` is where the time goes; what it calls is inlined.
"""

import math

import numpy as np

from metasim.engines.colonies.draws import binomial, grow
from metasim.engines.colonies.kernel import inlined, merged
from metasim.engines.colonies.nodes import settle
from metasim.engines.colonies.rates import birth_of
from metasim.engines.colonies.sampling import add_inflow
from metasim.engines.colonies.shedding import shed
from metasim.engines.colonies.state import (
    COLONIZING,
    ENTERED,
    INVADED,
    LEFT,
    MACRO,
    MICRO,
    MOST_CELLS,
    NET_GROWTH,
    NO_ROOM,
    OK,
    PRIMARY,
    TOO_MANY_CELLS,
    TOO_MANY_COLONIES,
)
from metasim.engines.colonies.units import wait
from metasim.law import growth

lives = inlined(growth.lives)


@inlined
def stage_of(colony, size, macro_cells):
    """Row of the tallies that a colony's cells are in; colony 0 is the primary."""
    if colony == 0:
        return PRIMARY
    return MACRO if size > macro_cells else MICRO


@inlined
def see(now, colony, organ, size, visible_cells, sites):
    """Imaging sees a metastasis of its size, unless it has been seen before."""
    if size >= visible_cells and math.isnan(colony.detected_day):
        colony.detected_day = now.day
        site = sites[organ]
        if math.isnan(site.seen_day):
            site.seen_day = now.day
            now.relapses = True


@inlined
def grow_colony(rng, now, law, days, organ, size, vascularised, cells, kinds):
    """Each phenotype grows at its own rates; the cells of the colony after some days."""
    after = 0
    for k in range(len(cells)):
        n = cells[k]
        if n == 0:
            continue
        death = law.growth[organ, k].death
        birth = birth_of(law, organ, k, size, vascularised)
        log_growth = (birth - death) * days
        far = log_growth > 1.0 or n > 1e14
        if far and n * math.exp(min(log_growth, 99.0)) > MOST_CELLS:
            now.status = TOO_MANY_CELLS
            return after
        n = grow(rng, n, birth, death, days)
        if n > MOST_CELLS:
            now.status = TOO_MANY_CELLS
            return after
        kinds[k].birth = birth
        cells[k] = n
        after += n
    return after


@inlined
def change_phenotypes(rng, mutation, cells, kinds, days):
    """Phenotype transitions of a colony: along any living line at rate u * b (Equation 4.11)."""
    n = len(cells)
    for k in range(n):
        kinds[k].arrived = 0
    for k in range(n):
        total = 0.0
        for q in range(n):
            total += mutation[k, q]
        if total <= 0.0 or cells[k] == 0:
            continue
        changing = binomial(rng, cells[k], -math.expm1(-total * kinds[k].birth * days))
        cells[k] -= changing
        rest = total
        for q in range(n):
            u = mutation[k, q]
            if changing > 0 and u > 0.0:
                here = binomial(rng, changing, min(1.0, u / rest))
                kinds[q].arrived += here
                changing -= here
                rest = max(rest - u, 1e-300)
        cells[k] += changing  # left over by rounding of the shares
    for k in range(n):
        cells[k] += kinds[k].arrived


@inlined
def note_size(now, i, colony, organ, before, after, rules, visible_cells, room):
    """First days in each class; a colony that passes the size of a macrometastasis moves over."""
    if after >= rules.micro_cells and math.isnan(colony.micro_day):
        colony.micro_day = now.day
    if (after > rules.macro_cells) != (before > rules.macro_cells):
        room.tally[stage_of(i, before, rules.macro_cells), organ, LEFT] += after
        room.tally[stage_of(i, after, rules.macro_cells), organ, ENTERED] += after
        if math.isnan(colony.macro_day) and after > rules.macro_cells:
            colony.macro_day = now.day
    if now.visit:
        see(now, colony, organ, after, visible_cells, room.sites)


@merged
def live(rng, now, law, clinic, room):
    """Living colonies grow, change, switch on angiogenesis and shed, or rest if they are small."""
    rules, rates = clinic.rules, law.rates
    several, marrow = len(room.kinds) > 1, rules.marrow_organ >= 0
    standing, kept, most = now.n_alive, 0, rules.max_colonies
    long_step_ends = now.step % rules.small_steps == 0
    now.n_departed = 0
    for a in range(standing):
        i = room.alive[a]
        colony = room.colonies[i]
        organ, size, vascularised = colony.organ, colony.size, colony.vascularised
        if not lives(float(size), rules.small_cells, long_step_ends):
            rest(now, law, clinic, i, room)
            room.alive[kept] = i
            kept += 1
            continue
        days = (now.step - colony.lived_step) * rules.dt_days
        colony.lived_step = now.step
        stage = stage_of(i, size, rules.macro_cells)
        after = grow_colony(
            rng, now, law, days, organ, size, vascularised, room.cells[i], room.kinds
        )
        if now.status != OK:
            return
        room.tally[stage, organ, NET_GROWTH] += after - size
        if several:
            change_phenotypes(rng, law.mutation, room.cells[i], room.kinds, days)
        if not vascularised and size >= rates.onset_cells:
            colony.vascularised = rng.random() < -math.expm1(-rates.angiogenesis_per_day * days)
        if marrow and after > 0:
            add_inflow(law, organ, size, room.cells[i], room.kinds)
        if rates.invasion_per_day > 0.0 and after > 0:
            after -= shed(rng, now, law, days, (i, organ, stage), size, most, room)
            if now.status != OK:
                return
        colony.size = after
        if after == 0:
            colony.extinct_day = now.day
            continue
        room.alive[kept] = i
        kept += 1
        if i > 0:
            visible = clinic.organs[organ].detection_cells
            note_size(now, i, colony, organ, size, after, rules, visible, room)
    now.n_alive = kept


@inlined
def rest(now, law, clinic, i, room):
    """A colony stays as it is until its long step ends; it may be seen."""
    colony = room.colonies[i]
    if clinic.rules.marrow_organ >= 0:
        add_inflow(law, colony.organ, colony.size, room.cells[i], room.kinds)
    if now.visit and i > 0:
        visible = clinic.organs[colony.organ].detection_cells
        see(now, colony, colony.organ, colony.size, visible, room.sites)


@inlined
def depart(rng, now, law, rules, room):
    """The destined units that left in this step set out."""
    max_colonies = rules.max_colonies
    expected = now.n_units
    for group in range(now.n_departed):
        expected += room.departed[group].units
    if expected > max_colonies:
        now.status = TOO_MANY_COLONIES
        return
    if expected > len(room.units):
        now.status = NO_ROOM
        return
    for group in range(now.n_departed):
        departed = room.departed[group]
        for _ in range(departed.units):
            unit = room.units[now.n_units]
            unit.place = INVADED
            unit.organ = departed.organ
            unit.phenotype = departed.phenotype
            unit.cluster = departed.cluster
            unit.parent = departed.parent
            unit.clock = rng.standard_exponential()
            wait(now, law, rules.dt_days, unit, now.step)
            now.n_units += 1


@inlined
def found(rng, now, law, clinic, unit, room):
    """A unit's cells become a colony, which grows from the next step on."""
    rules, i, organ = clinic.rules, now.n_colonies, unit.organ
    founders = law.clusters[unit.cluster].cells
    colony = room.colonies[i]
    begin_colony(colony, organ, founders, now.day, now.step)
    colony.node = settle(rng, now, clinic, organ, founders, room)
    colony.parent = unit.parent
    colony.route = unit.route
    colony.vascularised = math.isinf(law.rates.angiogenesis_per_day)
    for k in range(len(room.kinds)):
        room.cells[i, k] = founders if k == unit.phenotype else 0
    room.tally[stage_of(i, founders, rules.macro_cells), organ, ENTERED] += founders
    room.alive[now.n_alive] = i
    now.n_colonies += 1
    now.n_alive += 1
    if founders >= rules.micro_cells:
        colony.micro_day = now.day
    if founders > rules.macro_cells:
        colony.macro_day = now.day
    if now.visit:
        see(now, colony, organ, founders, clinic.organs[organ].detection_cells, room.sites)


@inlined
def begin_colony(colony, organ, founders, day, step):
    """A colony of so many cells, of which nothing is known yet."""
    colony.lived_step = step
    colony.organ = organ
    colony.founders = founders
    colony.size = founders
    colony.founded_day = day
    colony.micro_day = np.nan
    colony.macro_day = np.nan
    colony.detected_day = np.nan
    colony.extinct_day = np.nan


@inlined
def found_colonies(rng, now, law, clinic, room):
    """Units that colonized found colonies; those that set out in this step do not move yet."""
    if now.n_colonizing == 0:
        return
    now.n_colonizing = kept = 0
    for j in range(now.n_units):
        unit = room.units[j]
        if j >= now.n_moved or unit.place != COLONIZING:
            if kept < j:
                room.units[kept] = unit
            kept += 1
            continue
        if now.n_colonies == clinic.rules.max_colonies:
            now.status = TOO_MANY_COLONIES
            return
        if now.n_colonies == len(room.colonies) or now.n_alive == len(room.alive):
            now.status = NO_ROOM
            return
        found(rng, now, law, clinic, unit, room)
    now.n_units = kept
