"""Colonies over one step: growth, change of phenotype, angiogenesis, shedding, founding.

`live` is where the time goes; what it calls is inlined.
"""

import math

import numpy as np

from metasim.engines.colonies.draws import binomial, grow, leaving_hazard, leaving_prob, successes
from metasim.engines.colonies.kernel import inlined, merged
from metasim.engines.colonies.nodes import settle
from metasim.engines.colonies.sampling import add_inflow
from metasim.engines.colonies.state import (
    COLONIZING,
    ENTERED,
    INVADED,
    INVASION,
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
from metasim.law import growth

_FEW = 10.0  # expected draws below which gaps are quicker than a binomial

net_growth = inlined(growth.net_growth_of(inlined))
birth_rate = inlined(growth.birth_rate)
border_rate = inlined(growth.border_rate)


@inlined
def stage_of(colony, size, macro_cells):
    """Row of the tallies that a colony's cells are in; colony 0 is the primary."""
    if colony == 0:
        return PRIMARY
    return MACRO if size > macro_cells else MICRO


@inlined
def see(colony, organ, size, visible_cells, day, sites):
    """Imaging sees a metastasis of its size, unless it has been seen before."""
    if size >= visible_cells and math.isnan(colony.detected_day):
        colony.detected_day = day
        site = sites[organ]
        if math.isnan(site.seen_day):
            site.seen_day = day


@inlined
def grow_colony(rng, now, law, dt, organ, size, vascularised, cells, kinds):
    """Each phenotype grows at its own rates; the cells of the colony after the step."""
    rates = law.rates
    after = 0
    for k in range(len(cells)):
        n = cells[k]
        if n == 0:
            continue
        rate = law.growth[organ, k]
        net = net_growth(
            rates.growth_law, float(size), rate.rho, rate.capacity, rates.power_exponent,
            vascularised, rates.avascular_cells,
        )  # fmt: skip
        birth = birth_rate(rate.death, net)
        log_growth = (birth - rate.death) * dt
        far = log_growth > 1.0 or n > 1e14
        if far and n * math.exp(min(log_growth, 99.0)) > MOST_CELLS:
            now.status = TOO_MANY_CELLS
            return after
        n = grow(rng, n, birth, rate.death, dt)
        if n > MOST_CELLS:
            now.status = TOO_MANY_CELLS
            return after
        kinds[k].birth = birth
        cells[k] = n
        after += n
    return after


@inlined
def change_phenotypes(rng, mutation, cells, kinds, dt):
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
        changing = binomial(rng, cells[k], -math.expm1(-total * kinds[k].birth * dt))
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
def shed_units(rng, now, law, hazard, leave, ready, at, most, room):
    """Of the units of a kind that stand ready at a border, some leave; how many.

    Args:
        rng: the patient's stream.
        now: the patient.
        law: of the patient.
        hazard: of leaving in this step.
        leave: its probability.
        ready: units.
        at: organ, phenotype, cluster class, colony, stage.
        most: destined units that may leave before it is too many.
        room: of the patient.
    """
    organ, k, c, i, stage = at
    # leaving as destined, else as doomed: two hazards that add up to `hazard`
    chosen = leave * law.fates[organ, k, c].leaving
    chosen_hazard = leaving_hazard(chosen)
    other_hazard = max(0.0, hazard - chosen_hazard)
    destined, now.gap_destined = successes(rng, now.gap_destined, ready, chosen_hazard, most)
    ready -= destined
    if ready * other_hazard < _FEW:
        doomed, now.gap_doomed = successes(rng, now.gap_doomed, ready, other_hazard, ready)
    else:
        doomed = binomial(rng, ready, (leave - chosen) / max(1.0 - chosen, 1e-300))
    if doomed > 0:
        room.leaving[organ, k, c, stage] += doomed
    if destined > 0:
        if now.n_departed == len(room.departed):
            now.status = NO_ROOM
            return destined + doomed
        departed = room.departed[now.n_departed]
        departed.organ = organ
        departed.phenotype = k
        departed.cluster = c
        departed.parent = i
        departed.units = destined
        now.n_departed += 1
        if destined > most:
            now.status = TOO_MANY_COLONIES
        room.tally[INVASION, organ, ENTERED] += destined * law.clusters[c].cells
    return destined + doomed


@inlined
def shed(rng, now, law, dt, i, organ, size, stage, most, room):
    """Units leave a colony over its border; the cells that went.

    Of n cells of a phenotype floor(n share / size) clusters of each class stand ready at the
    border (Equation 5.3); the others go singly. All of them leave with the same hazard.
    """
    rates = law.rates
    hazard = dt * border_rate(
        rates.invasion_per_day, float(size), rates.invasion_reference_cells, rates.border_exponent
    )
    leave = leaving_prob(hazard)
    cells, clusters = room.cells[i], law.clusters
    gone = 0
    for k in range(len(cells)):
        present = cells[k]
        singles = present
        for c in range(len(clusters) - 1, -1, -1):
            in_unit = clusters[c].cells
            ready = singles
            if c > 0:
                ready = np.int64(present * clusters[c].share / in_unit)
                singles -= ready * in_unit
            if ready == 0:
                continue
            at = (organ, k, c, i, stage)
            out = shed_units(rng, now, law, hazard, leave, ready, at, most, room) * in_unit
            if out > 0:
                cells[k] -= out
                gone += out
                room.tally[stage, organ, LEFT] += out
    return gone


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
        see(colony, organ, after, visible_cells, now.day, room.sites)


@merged
def live(rng, now, law, clinic, room):
    """One step of every living colony: it grows, changes, switches on angiogenesis, sheds."""
    rules, rates = clinic.rules, law.rates
    dt, several = rules.dt_days, len(room.kinds) > 1
    standing, kept, most = now.n_alive, 0, rules.max_colonies
    now.n_departed = 0
    for a in range(standing):
        i = room.alive[a]
        colony = room.colonies[i]
        organ, size, vascularised = colony.organ, colony.size, colony.vascularised
        stage = stage_of(i, size, rules.macro_cells)
        after = grow_colony(rng, now, law, dt, organ, size, vascularised, room.cells[i], room.kinds)
        if now.status != OK:
            return
        room.tally[stage, organ, NET_GROWTH] += after - size
        if several:
            change_phenotypes(rng, law.mutation, room.cells[i], room.kinds, dt)
        if not vascularised and size >= rates.onset_cells:
            colony.vascularised = rng.random() < -math.expm1(-rates.angiogenesis_per_day * dt)
        if rules.marrow_organ >= 0 and after > 0:
            add_inflow(law, organ, size, room.cells[i], room.kinds)
        if rates.invasion_per_day > 0.0 and after > 0:
            after -= shed(rng, now, law, dt, i, organ, size, stage, most, room)
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
def depart(rng, now, max_colonies, room):
    """The destined units that left in this step set out."""
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
            now.n_units += 1


@inlined
def found(rng, now, law, clinic, unit, room):
    """A unit's cells become a colony, which grows from the next step on."""
    rules, i, organ = clinic.rules, now.n_colonies, unit.organ
    founders = law.clusters[unit.cluster].cells
    colony = room.colonies[i]
    begin_colony(colony, organ, founders, now.day)
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
        see(colony, organ, founders, clinic.organs[organ].detection_cells, now.day, room.sites)


@inlined
def begin_colony(colony, organ, founders, day):
    """A colony of so many cells, of which nothing is known yet."""
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
    kept = 0
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
