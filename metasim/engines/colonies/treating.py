"""Treatment in the colony engine: what is due on a day, and how many cells it leaves.

Kills and removals of a day multiply up to one survival of each cell; the cells of a colony are
thinned by it (binomially), units in the organ stay or go whole.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metasim.engines.colonies.draws import binomial
from metasim.engines.colonies.growing import stage_of
from metasim.engines.colonies.kernel import kernel
from metasim.engines.colonies.units import (
    DORMANT,
    ENTERED,
    LEFT,
    REMOVED,
    STAGES,
)
from metasim.law.arrays import (
    NEVER,
    ON_DAY,
    ON_DIAGNOSIS,
    ON_RELAPSE,
    PROGRESSION,
    Array,
    Ints,
    Plan,
)
from metasim.terms import DAYS_PER_YEAR, Event

_SURGERY, _START, _CYCLE, _END = np.array(
    [Event.SURGERY, Event.TREATMENT_START, Event.CYCLE, Event.TREATMENT_END]
)  # numpy's integers, as in `units`
WAITING, ON, OVER = 0, 1, 2
# columns of the marks and numbers of a treatment
TRIGGER, ORGAN, CYCLES, TO_PROGRESSION, REMOVES, SEEN_ONLY, SPARES_DORMANT = range(7)
REGIME, BY_HAZARD = 7, 8
DELAY, INTERVAL, DURATION, LEAST_BURDEN, MOST_BURDEN, LEAST_AGE, MOST_AGE = range(7)
AT_ONCE, PER_DAY = 0, 1
# layers of the survival of a day
AWAKE, ASLEEP, SEEN = 0, 1, 2


class Prescriptions(NamedTuple):
    """The plan in few arrays (`metasim.parameters.plan.Plan`); each costs time in every call."""

    marks: Ints  # (T, 9)
    numbers: Array  # (T, 7)
    effects: Array  # (T, 2, O, K) survival at once, hazard per day
    only_organs: NDArray[np.bool_]  # (T, O)
    most_events: int


def prescriptions_of(plan: Plan) -> Prescriptions:
    """The plan as this engine reads it."""
    marks = (
        plan.trigger, plan.organ, plan.cycles, plan.to_progression, plan.removes, plan.seen_only,
        plan.spares_dormant, plan.regime, plan.hazard_per_day.any(axis=(1, 2)),
    )  # fmt: skip
    numbers = (plan.delay_days, plan.interval_days, plan.duration_days)
    return Prescriptions(
        np.stack([mark.astype(np.int64) for mark in marks], axis=1),
        np.column_stack(
            [
                *numbers,
                plan.least_burden_cells,
                plan.most_burden_cells,
                plan.least_age_years,
                plan.most_age_years,
            ]
        ),
        np.stack([plan.survival, plan.hazard_per_day], axis=1),
        plan.only_organs,
        int(plan.cycles.sum()) + 2 * len(plan.cycles),
    )


@kernel
def note(events, n, day, kind, organ, which):
    """Book an event; hands back the number of events."""
    events[n, 0] = day
    events[n, 1] = kind
    events[n, 2] = organ
    events[n, 3] = which
    return n + 1


@kernel
def suits(numbers, only_organs, t, age, seen, burden):
    """Whether a patient gets a treatment that is due."""
    if not numbers[t, LEAST_BURDEN] <= burden <= numbers[t, MOST_BURDEN]:
        return False
    if not numbers[t, LEAST_AGE] <= age <= numbers[t, MOST_AGE]:
        return False
    asked, found = False, False
    for organ in range(len(seen)):
        if only_organs[t, organ]:
            asked = True
            found = found or not math.isnan(seen[organ])
    return found or not asked


@kernel
def prescribe(
    marks, numbers, effects, only_organs, day, dt, age_years, visit, diagnosis_day, relapse_day,
    seen, burden, seen_burden, status, clock, survival, events, n_events,
):  # fmt: skip
    """Start, repeat and end treatments; work out what survives this day.

    Args:
        marks: the arrays of the plan, as the next three.
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
        The number of events, the regime of the next step, whether anything kills, the day from
        which this must be asked again if nothing new is seen (infinite: not at all), and whether
        as long as anything lives it must be asked on every day.
    """
    regime, kills, ask_again, watched = 0, False, np.inf, False
    for t in range(len(status)):
        if status[t] == OVER:
            continue
        trigger = marks[t, TRIGGER]
        if status[t] == WAITING:
            due = numbers[t, DELAY]
            if trigger == NEVER:
                continue
            if trigger == ON_DIAGNOSIS:
                due += diagnosis_day
            elif trigger == ON_RELAPSE:
                due += relapse_day
            elif trigger != ON_DAY:
                due += seen[trigger]
            if not day >= due:
                if due > day:  # else it waits for an event
                    ask_again = min(ask_again, due)
                continue
            status[t] = OVER
            if not suits(numbers, only_organs, t, age_years + day / DAYS_PER_YEAR, seen, burden):
                continue
            status[t] = ON
            clock[t, 0] = day
            clock[t, 2] = seen_burden
            if not marks[t, REMOVES]:
                n_events = note(events, n_events, day, _START, marks[t, ORGAN], t)
        elif marks[t, BY_HAZARD]:
            if not kills:
                kills = True
                fill(survival)
            acted = min(dt, clock[t, 0] + numbers[t, DURATION] - (day - dt))
            lower(survival, marks[t], effects[t, PER_DAY], acted)
        start, given = clock[t, 0], clock[t, 1]
        clock[t, 2] = min(clock[t, 2], seen_burden)
        worse = seen_burden > 0.0 and seen_burden >= PROGRESSION * clock[t, 2] and day > start
        if marks[t, TO_PROGRESSION] and visit and worse:
            status[t] = OVER
        while (
            status[t] == ON
            and given < marks[t, CYCLES]
            and day >= start + given * numbers[t, INTERVAL] - 1e-9
        ):  # all that fell into this step
            if marks[t, REMOVES]:
                n_events = note(events, n_events, day, _SURGERY, marks[t, ORGAN], t)
            elif given > 0:
                n_events = note(events, n_events, day, _CYCLE, marks[t, ORGAN], t)
            if not kills:
                kills = True
                fill(survival)
            lower(survival, marks[t], effects[t, AT_ONCE], -1.0)
            given += 1
            clock[t, 1] = given
        if clock[t, 1] >= marks[t, CYCLES] and day >= start + numbers[t, DURATION] - 1e-9:
            status[t] = OVER
        if status[t] == ON:
            if clock[t, 1] < marks[t, CYCLES]:
                ask_again = min(ask_again, start + clock[t, 1] * numbers[t, INTERVAL] - 1e-9)
            if numbers[t, DURATION] > 0.0:
                ask_again = min(ask_again, start + numbers[t, DURATION] - 1e-9)
            watched = watched or marks[t, TO_PROGRESSION] > 0 or marks[t, BY_HAZARD] > 0
            regime |= marks[t, REGIME]
        elif not marks[t, REMOVES] and (marks[t, CYCLES] > 1 or numbers[t, DURATION] > 0.0):
            n_events = note(events, n_events, day, _END, marks[t, ORGAN], t)
    return n_events, regime, kills, ask_again, watched


@kernel
def fill(survival):
    """Everything survives so far."""
    for layer in range(survival.shape[0]):
        for organ in range(survival.shape[1]):
            for k in range(survival.shape[2]):
                survival[layer, organ, k] = 1.0


@kernel
def lower(survival, mark, effect, dt):
    """Multiply the day's survival by that of a treatment: of a hazard over dt, if dt >= 0."""
    for organ in range(survival.shape[1]):
        for k in range(survival.shape[2]):
            left = effect[organ, k]
            if dt >= 0.0:
                left = math.exp(-left * dt)
            if mark[SEEN_ONLY]:
                survival[SEEN, organ, k] *= left
                continue
            survival[AWAKE, organ, k] *= left
            if not mark[SPARES_DORMANT]:
                survival[ASLEEP, organ, k] *= left


@kernel
def thin_colonies(
    rng, survival, diagnosed, macro_cells, origin, cells, sizes, days, alive, n_alive, day, tally
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
            stage = stage_of(i, before, macro_cells)
            tally[stage, organ, REMOVED] += before - left
            if left == 0:
                days[i, 4] = day
                continue
            if stage_of(i, left, macro_cells) != stage:
                tally[stage, organ, LEFT] += left
                tally[stage_of(i, left, macro_cells), organ, ENTERED] += left
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
def seen_cells(sizes, days, alive, n_alive):
    """Cells of the metastases that imaging has seen."""
    cells = 0.0
    for a in range(n_alive):
        i = alive[a]
        if i > 0 and not math.isnan(days[i, 3]):
            cells += sizes[i]
    return cells


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
def stages_of(
    out, size, t2_cells, t3_cells, micro_cells, macro_cells, regional, distant, origin, sizes, seen,
    alive, n_alive,
):  # fmt: skip
    """Fill in T 1 to 3, N as 0 (N0), 1 (N1mi), 2 to 4 (N1 to N3), M 0 or 1 (AJCC).

    A metastasis in regional nodes stands for a node: up to 3 macrometastases N1, up to 9 N2.
    """
    micro, macro = 0, 0
    for a in range(n_alive):
        i = alive[a]
        if i > 0 and regional[origin[i, 1]]:
            micro += micro_cells <= sizes[i] <= macro_cells
            macro += sizes[i] > macro_cells
    nodes = 0 if micro + macro == 0 else 1
    if macro > 0:
        nodes = 2 if macro <= 3 else 3 if macro <= 9 else 4
    out[0] = 1 + (size > t2_cells) + (size > t3_cells)
    out[1] = nodes
    out[2] = 0.0
    for organ in range(len(seen)):
        if distant[organ] and not math.isnan(seen[organ]):
            out[2] = 1.0


@kernel
def other_death_day(rng, hazard, growth):
    """Day of death from other causes: Gompertz hazard (on day 0) growing per day; inf: never."""
    if hazard <= 0.0:
        return np.inf
    return math.log1p(rng.standard_exponential() * growth / hazard) / growth
