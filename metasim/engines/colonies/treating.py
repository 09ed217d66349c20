"""Treatment in the colony engine: what is due on a day, and how many cells it leaves.

Kills and removals of a day multiply up to one survival of each cell; the cells of a colony are
thinned by it (binomially), units in the organ stay or go whole.
"""

import math

import numpy as np

from metasim.engines.colonies.draws import binomial
from metasim.engines.colonies.growing import stage_of
from metasim.engines.colonies.kernel import inlined, kernel, merged
from metasim.engines.colonies.nodes import take_nodes
from metasim.engines.colonies.sampling import thin_marrow
from metasim.engines.colonies.seeing import add_up, note
from metasim.engines.colonies.state import ENTERED, LEFT, ON, OVER, REMOVED, WAITING
from metasim.engines.colonies.units import thin_destined, thin_doomed
from metasim.law import clinic as rule
from metasim.law import eligibility
from metasim.law.eligibility import Amounts, Classes
from metasim.terms import DAYS_PER_YEAR, Event

_SURGERY, _START, _CYCLE, _END = np.array(
    [Event.SURGERY, Event.TREATMENT_START, Event.CYCLE, Event.TREATMENT_END]
)  # numpy's integers, as in `state`

due_day = inlined(rule.due_day)
eligible = inlined(eligibility.eligible)
cycle_due = inlined(rule.cycle_due)
hazard_days = inlined(rule.hazard_days)
progressed = inlined(rule.progressed)
completed = inlined(rule.completed)
ROUNDING_DAYS = rule.ROUNDING_DAYS


@kernel
def seen_cells(now, room):
    """Cells of the metastases that imaging has seen."""
    cells = 0.0
    for a in range(now.n_alive):
        i = room.alive[a]
        if i > 0 and not math.isnan(room.colonies[i].detected_day):
            cells += room.colonies[i].size
    return cells


@kernel
def suits(now, clinic, room, t):
    """Whether a patient gets a treatment that is due."""
    age_years = clinic.rules.age_years + now.day / DAYS_PER_YEAR
    burden = now.burden - room.colonies[0].size
    nodes_positive = np.nan if now.nodes_positive < 0 else float(now.nodes_positive)
    amounts = Amounts(burden, age_years, nodes_positive, now.diameter_mm)
    classes = Classes(now.stage_t, now.stage_n, now.stage_m, now.detection)
    if not eligible(amounts, classes, clinic.only_if, t):
        return False
    asked, found = False, False
    for organ in range(len(room.sites)):
        if clinic.only_organs[t, organ]:
            asked = True
            found = found or not math.isnan(room.sites[organ].seen_day)
    return found or not asked


@kernel
def survive(survival):
    """Everything survives so far."""
    for organ in range(survival.shape[0]):
        for k in range(survival.shape[1]):
            left = survival[organ, k]
            left.awake = 1.0
            left.asleep = 1.0
            left.seen = 1.0
            left.beyond = 1.0


@kernel
def act(now, clinic, survival, t, hazard_days):
    """Multiply the day's survival by that of a treatment: of its hazard, if for 0 days or more."""
    if not clinic.responds[t]:
        return
    if not now.kills:
        now.kills = True
        survive(survival)
    treatment = clinic.treatments[t]
    for organ in range(survival.shape[0]):
        for k in range(survival.shape[1]):
            effect, left = clinic.effects[t, organ, k], survival[organ, k]
            stays = effect.survival
            if hazard_days >= 0.0:
                stays = math.exp(-effect.hazard_per_day * hazard_days)
            if treatment.seen_only:
                left.seen *= stays
                continue
            left.awake *= stays
            if not treatment.spares_dormant:
                left.asleep *= stays


@inlined
def start(now, clinic, room, t, seen):
    """A treatment that waits begins if it is due and suits; whether it does."""
    treatment, it = clinic.treatments[t], room.treated[t]
    organ = max(treatment.trigger, 0)
    due = due_day(
        treatment.trigger, treatment.delay_days, now.diagnosis_day, now.relapse_day,
        room.sites[organ].seen_day,
    )  # fmt: skip
    if not now.day >= due:
        if due > now.day:  # else it waits for an event
            now.ask_again_day = min(now.ask_again_day, due)
        return False
    it.status = OVER
    if not suits(now, clinic, room, t):
        return False
    it.status = ON
    it.cycles = 0
    it.start_day = now.day
    it.smallest_cells = seen
    if not treatment.removes:
        note(now, room.events, _START, treatment.organ, t)
    return True


@inlined
def give_cycles(now, clinic, room, t):
    """Give all cycles that fall into this step."""
    treatment, it = clinic.treatments[t], room.treated[t]
    while cycle_due(now.day, it.start_day, it.cycles, treatment.cycles, treatment.interval_days):
        if treatment.removes:
            note(now, room.events, _SURGERY, treatment.organ, t)
        elif it.cycles > 0:
            note(now, room.events, _CYCLE, treatment.organ, t)
        act(now, clinic, room.survival, t, -1.0)
        take_nodes(clinic, room, t)
        it.cycles += 1


@inlined
def end(now, clinic, room, t, seen):
    """A treatment ends at progression, or when it is complete; else note when it is due again."""
    treatment, it = clinic.treatments[t], room.treated[t]
    if completed(now.day, it.start_day, treatment.duration_days, it.cycles, treatment.cycles):
        it.status = OVER
    if it.status == ON:
        if it.cycles < treatment.cycles:
            again = it.start_day + it.cycles * treatment.interval_days - ROUNDING_DAYS
            now.ask_again_day = min(now.ask_again_day, again)
        if treatment.duration_days > 0.0:
            again = it.start_day + treatment.duration_days - ROUNDING_DAYS
            now.ask_again_day = min(now.ask_again_day, again)
        now.watched = now.watched or treatment.to_progression or treatment.by_hazard
        if clinic.responds[t]:
            now.regime |= treatment.regime
    elif not treatment.removes and (treatment.cycles > 1 or treatment.duration_days > 0.0):
        note(now, room.events, _END, treatment.organ, t)


@kernel
def prescribe(now, clinic, room):
    """Start, repeat and end treatments; work out what survives this day.

    Fills in the regime of the next step, whether anything kills, the day from which this must be
    asked again if nothing new is seen (infinite: not at all), and whether as long as anything lives
    it must be asked on every day.
    """
    now.regime, now.kills, now.ask_again_day, now.watched = 0, False, np.inf, False
    seen = seen_cells(now, room)
    for organ in range(len(room.sites)):
        room.sites[organ].taken_from = room.sites[organ].taken_to = 0
    for t in range(len(room.treated)):
        treatment, it = clinic.treatments[t], room.treated[t]
        if it.status == OVER:
            continue
        if it.status == WAITING:
            if not start(now, clinic, room, t, seen):
                continue
        elif treatment.by_hazard:
            days = hazard_days(now.day, clinic.rules.dt_days, it.start_day, treatment.duration_days)
            act(now, clinic, room.survival, t, days)
        it.smallest_cells = min(it.smallest_cells, seen)
        worse = progressed(now.day, it.start_day, seen, it.smallest_cells)
        if treatment.to_progression and now.visit and worse:
            it.status = OVER
        else:
            give_cycles(now, clinic, room, t)
        end(now, clinic, room, t, seen)


@kernel
def thin_colonies(rng, now, macro_cells, room):
    """What treatment leaves of the colonies: each cell stays with its survival."""
    kept, tally = 0, room.tally
    for a in range(now.n_alive):
        i = room.alive[a]
        colony, cells = room.colonies[i], room.cells[i]
        organ, before, left = colony.organ, colony.size, 0
        day = now.diagnosis_day if i == 0 else colony.detected_day
        site = room.sites[organ]
        taken = site.taken_from < colony.node <= site.taken_to
        for k in range(len(cells)):
            survival = room.survival[organ, k]
            p = survival.awake
            if not math.isnan(day):
                p *= survival.seen
            if taken:
                p = 0.0
            cells[k] = binomial(rng, cells[k], p)
            left += cells[k]
        if left < before:
            colony.size = left
            stage, after = stage_of(i, before, macro_cells), stage_of(i, left, macro_cells)
            tally[stage, organ, REMOVED] += before - left
            if left == 0:
                colony.extinct_day = now.day
                continue
            if after != stage:
                tally[stage, organ, LEFT] += left
                tally[after, organ, ENTERED] += left
        room.alive[kept] = i
        kept += 1
    now.n_alive = kept


@merged
def treat(rng, rng_doomed, now, law, clinic, room, everything):
    """Treatment that is due acts; what it changes holds from the next step on."""
    if len(room.treated) == 0:
        return
    marrow = clinic.rules.marrow_organ >= 0
    now.watched = now.watched and (everything or marrow or now.n_alive > 0 or now.n_units > 0)
    if not (now.day >= now.ask_again_day or now.watched or now.news):
        return
    before = now.regime
    prescribe(now, clinic, room)
    if now.regime != before:
        now.other_law = True
    if now.kills:
        thin_colonies(rng, now, clinic.rules.macro_cells, room)
        thin_destined(rng, now, law, room.survival, room.units, room.tally)
        if everything:
            thin_doomed(rng_doomed, law, room.survival, room.pools, room.tally)
        if marrow:
            thin_marrow(clinic.rules, room)
        add_up(now, room)
