"""Treatment in the colony engine: what is due on a day, and how many cells it leaves.

Kills and removals of a day multiply up to one survival of each cell; the cells of a colony are
thinned by it (binomially), units in the organ stay or go whole.
"""

import math

import numpy as np

from metasim.engines.colonies.draws import binomial
from metasim.engines.colonies.growing import stage_of
from metasim.engines.colonies.kernel import kernel
from metasim.engines.colonies.units import (
    DORMANT,
    ENTERED,
    LEFT,
    REMOVED,
    STAGES,
    doubled,
)
from metasim.law.plan import NEVER, ON_DAY, ON_DIAGNOSIS, ON_RELAPSE, PROGRESSION
from metasim.terms import DAYS_PER_YEAR, MACRO_CELLS, MICRO_CELLS, Event

_SURGERY, _START = int(Event.SURGERY), int(Event.TREATMENT_START)
_CYCLE, _END = int(Event.CYCLE), int(Event.TREATMENT_END)
WAITING, ON, OVER = 0, 1, 2
# layers of the survival of a day
AWAKE, ASLEEP, SEEN = 0, 1, 2


@kernel
def note(events, n, day, kind, organ, which):
    """Book an event; hands back the table, longer if need be, and the number in it."""
    if n == len(events):
        events = doubled(events)
    events[n, 0] = day
    events[n, 1] = kind
    events[n, 2] = organ
    events[n, 3] = which
    return events, n + 1


@kernel
def suits(plan, t, age, seen, burden):
    """Whether a patient gets a treatment that is due."""
    if not plan.only_burden[t, 0] <= burden <= plan.only_burden[t, 1]:
        return False
    if not plan.only_age[t, 0] <= age <= plan.only_age[t, 1]:
        return False
    asked, found = False, False
    for organ in range(len(seen)):
        if plan.only_organs[t, organ]:
            asked = True
            found = found or not math.isnan(seen[organ])
    return found or not asked


@kernel
def prescribe(
    plan, day, dt, age_years, visit, diagnosis_day, relapse_day, seen, burden, seen_burden,
    status, clock, survival, events, n_events,
):  # fmt: skip
    """Start, repeat and end treatments; work out what survives this day.

    Args:
        plan: the arrays of the plan.
        day: the day.
        dt: days of a step: a hazard has acted since the last.
        age_years: on day 0.
        visit: whether imaging sees metastases today.
        diagnosis_day: NaN: not yet.
        relapse_day: first distant metastasis seen; NaN: not yet.
        seen: (O,) first metastasis seen in each organ; NaN: not yet.
        burden: cells of all metastases.
        seen_burden: cells of those seen.
        status: (T,) WAITING, ON or OVER; changed in place, as the next two.
        clock: (T, 3) day of the start, cycles given, smallest burden since the start.
        survival: (3, O, K) filled; layers AWAKE, ASLEEP and, besides, SEEN.
        events: table of events, and the number in it.

    Returns:
        The table of events and their number, the regime of the next step, whether anything kills.
    """
    regime, kills = 0, False
    for t in range(len(status)):
        if status[t] == OVER:
            continue
        trigger = plan.trigger[t]
        if status[t] == WAITING:
            due = plan.delay_days[t]
            if trigger == NEVER:
                continue
            if trigger == ON_DIAGNOSIS:
                due += diagnosis_day
            elif trigger == ON_RELAPSE:
                due += relapse_day
            elif trigger != ON_DAY:
                due += seen[trigger]
            if not day >= due:
                continue
            status[t] = OVER
            if not suits(plan, t, age_years + day / DAYS_PER_YEAR, seen, burden):
                continue
            status[t] = ON
            clock[t, 0] = day
            clock[t, 2] = seen_burden
            if not plan.removes[t]:
                events, n_events = note(events, n_events, day, _START, plan.organ[t], t)
        elif plan.duration_days[t] > 0.0:
            if not kills:
                kills = True
                survival[:] = 1.0
            lower(survival, plan, t, plan.hazard_per_day[t], dt)
        start, given = clock[t, 0], clock[t, 1]
        clock[t, 2] = min(clock[t, 2], seen_burden)
        worse = seen_burden > 0.0 and seen_burden >= PROGRESSION * clock[t, 2] and day > start
        if plan.to_progression[t] and visit and worse:
            status[t] = OVER
        elif given < plan.cycles[t] and day >= start + given * plan.interval_days[t] - 1e-9:
            clock[t, 1] = given + 1
            if plan.removes[t]:
                events, n_events = note(events, n_events, day, _SURGERY, plan.organ[t], t)
            elif given > 0:
                events, n_events = note(events, n_events, day, _CYCLE, plan.organ[t], t)
            if not kills:
                kills = True
                survival[:] = 1.0
            lower(survival, plan, t, plan.survival[t], -1.0)
        if clock[t, 1] >= plan.cycles[t] and day >= start + plan.duration_days[t] - 1e-9:
            status[t] = OVER
        if status[t] == ON:
            regime |= plan.regime[t]
        elif not plan.removes[t] and (plan.cycles[t] > 1 or plan.duration_days[t] > 0.0):
            events, n_events = note(events, n_events, day, _END, plan.organ[t], t)
    return events, n_events, regime, kills


@kernel
def lower(survival, plan, t, effect, dt):
    """Multiply the day's survival by that of a treatment: of a hazard over dt, if dt >= 0."""
    for organ in range(survival.shape[1]):
        for k in range(survival.shape[2]):
            left = effect[organ, k]
            if dt >= 0.0:
                left = math.exp(-left * dt)
            if plan.seen_only[t]:
                survival[SEEN, organ, k] *= left
                continue
            survival[AWAKE, organ, k] *= left
            if not plan.spares_dormant[t]:
                survival[ASLEEP, organ, k] *= left


@kernel
def thin_colonies(
    rng, survival, diagnosed, origin, cells, sizes, days, alive, n_alive, day, tally
):  # fmt: skip
    """What treatment leaves of the colonies: each cell stays with its survival.

    Returns:
        The number of colonies that are left alive.
    """
    kept = 0
    for a in range(n_alive):
        i = alive[a]
        organ, before, left = origin[i, 1], sizes[i], 0
        seen = diagnosed if i == 0 else not math.isnan(days[i, 3])
        for k in range(cells.shape[1]):
            p = survival[AWAKE, organ, k]
            if seen:
                p *= survival[SEEN, organ, k]
            cells[i, k] = binomial(rng, cells[i, k], p)
            left += cells[i, k]
        if left < before:
            sizes[i] = left
            stage = stage_of(i, before)
            tally[stage, organ, REMOVED] += before - left
            if left == 0:
                days[i, 4] = day
                continue
            if stage_of(i, left) != stage:
                tally[stage, organ, LEFT] += left
                tally[stage_of(i, left), organ, ENTERED] += left
        alive[kept] = i
        kept += 1
    return kept


@kernel
def thin_units(rng, rng_doomed, moves, survival, units, clocks, n_units, pools, tally):
    """What treatment leaves of the units on their way; each stays or goes whole.

    Returns:
        The number of destined units that are left.
    """
    kept = 0
    for i in range(n_units):
        unit = units[i]
        layer = ASLEEP if unit[0] == DORMANT else AWAKE
        p = survival[layer, unit[1], unit[2]]
        if p < 1.0 and rng.random() >= p:
            tally[STAGES[unit[0]], unit[1], REMOVED] += moves.cluster_cells[unit[3]]
            continue
        for column in range(units.shape[1]):
            units[kept, column] = unit[column]
        clocks[kept] = clocks[i]
        kept += 1
    for place in range(4):
        layer = ASLEEP if place == DORMANT else AWAKE
        for organ in range(pools.shape[1]):
            for k in range(pools.shape[2]):
                p = survival[layer, organ, k]
                for c in range(pools.shape[3]):
                    there = pools[place, organ, k, c]
                    left = binomial(rng_doomed, there, p)
                    pools[place, organ, k, c] = left
                    gone = (there - left) * moves.cluster_cells[c]
                    tally[STAGES[place], organ, REMOVED] += gone
    return kept


@kernel
def found_by_screening(rng, size, half, slope):
    """Whether a visit finds a primary of a size: log-odds linear in the log of the size."""
    if size <= 0:
        return False
    return rng.random() < 1.0 / (1.0 + (half / size) ** slope)


@kernel
def see(origin, sizes, days, alive, n_alive, detection_cells, seen, day):
    """Imaging sees every metastasis of its size that it has not seen before."""
    for a in range(n_alive):
        i = alive[a]
        organ = origin[i, 1]
        if i > 0 and sizes[i] >= detection_cells[organ] and math.isnan(days[i, 3]):
            days[i, 3] = day
            if math.isnan(seen[organ]):
                seen[organ] = day


@kernel
def stages_of(size, stage_cells, regional, distant, origin, sizes, seen, alive, n_alive):
    """T 1 to 3, N as 0 (N0), 1 (N1mi), 2 to 4 (N1 to N3), M 0 or 1 (AJCC, from what is there).

    A metastasis in regional nodes stands for a node: up to 3 macrometastases N1, up to 9 N2.
    """
    micro, macro = 0, 0
    for a in range(n_alive):
        i = alive[a]
        if i > 0 and regional[origin[i, 1]]:
            micro += MICRO_CELLS <= sizes[i] <= MACRO_CELLS
            macro += sizes[i] > MACRO_CELLS
    nodes = 0 if micro + macro == 0 else 1
    if macro > 0:
        nodes = 2 if macro <= 3 else 3 if macro <= 9 else 4
    out = np.zeros(3)
    out[0] = 1 + (size > stage_cells[0]) + (size > stage_cells[1])
    out[1] = nodes
    for organ in range(len(seen)):
        if distant[organ] and not math.isnan(seen[organ]):
            out[2] = 1.0
    return out


@kernel
def other_death_day(rng, hazard, growth):
    """Day of death from other causes: Gompertz hazard (on day 0) growing per day; inf: never."""
    if hazard <= 0.0:
        return np.inf
    return math.log1p(rng.standard_exponential() * growth / hazard) / growth
