"""A patient's course in the colony engine: the steps of `docs/model`, in their order."""

import math

import numpy as np

from metasim.engines.colonies.growing import (
    begin_colony,
    depart,
    found_colonies,
    live,
    stage_of,
)
from metasim.engines.colonies.kernel import inlined, kernel, merged
from metasim.engines.colonies.packing import biology_of_patient, clinic_of_patient
from metasim.engines.colonies.sampling import begin_inflow, clear_marrow, close_inflow
from metasim.engines.colonies.seeing import die, see_events
from metasim.engines.colonies.state import (
    CELLS,
    NO_ROOM_FOR_DAYS,
    OK,
    OVER,
    STOPPED,
    WAITING,
)
from metasim.engines.colonies.treating import treat
from metasim.engines.colonies.units import count_units, doomed_leave, move_destined, move_doomed
from metasim.engines.record import DEATH_NONE
from metasim.law import clinic as rule
from metasim.law import detection

other_death_day = inlined(rule.other_death_day)
symptom_hazard = inlined(detection.symptom_hazard)


@merged
def simulate(k, biology, clinics, room, rng, rng_doomed, everything, stop):
    """The k-th patient of a chunk, step by step, until death or the end of the follow-up.

    Args:
        k: place in the chunk.
        biology: the law of the chunk.
        clinics: the course of the chunk.
        room: where the patient's state stands.
        rng: draws all that metastases depend on, the same whatever is recorded.
        rng_doomed: draws the units that found nothing, where everything is recorded.
        everything: record counts and stage tallies on the recorded days.
        stop: (1,) when it is not 0, the patient is left unfinished.
    """
    clinic = clinic_of_patient(clinics, k)
    now, dt = room.now[0], clinic.rules.dt_days
    begin(rng, now, biology_of_patient(biology, 0, k), clinic, room)
    while now.status == OK:
        law = biology_of_patient(biology, now.regime, k)
        if now.step > 0:
            now.day = now.step * dt
            move_units(rng, rng_doomed, now, law, dt, room, everything)
            live_and_shed(rng, rng_doomed, now, law, clinic, room, everything)
            if now.status != OK:
                break
            found_colonies(rng, now, law, clinic, room)
            if now.status != OK:
                break
        see_events(rng, now, law, clinic, room)
        treat(rng, rng_doomed, now, law, clinic, room, everything)
        die(now, clinic, room)
        now.over = now.step >= now.last_step or now.death_cause != DEATH_NONE
        if everything:
            record(now, law, clinic.rules, room)
        if now.over:
            break
        if not everything and not later_aspirates(clinic):
            pass_over(now, clinic.rules, room)
        now.step += 1
        if stop[0] != 0:
            now.status = STOPPED


@inlined
def later_aspirates(clinic):
    """Whether the marrow is looked at after the diagnosis: no day of it may be passed over."""
    return clinic.rules.tests_on_visits and clinic.rules.marrow_organ >= 0


@kernel
def begin(rng, now, law, clinic, room):
    """A patient on day 0: the primary, and nothing else."""
    clear(now, room)
    rules, primary, size = clinic.rules, room.colonies[0], 0
    for k in range(len(room.kinds)):
        room.cells[0, k] = clinic.initial_cells[k]
        size += clinic.initial_cells[k]
    begin_colony(primary, rules.primary_organ, size, 0.0, now.step)
    primary.node = 0
    primary.parent = 0
    primary.route = -1
    primary.vascularised = (
        math.isinf(law.rates.angiogenesis_per_day) or size > law.rates.onset_cells
    )
    room.alive[0] = 0
    now.n_colonies = 1
    now.n_alive = 1
    for t in range(len(room.treated)):
        if not clinic.offered[t]:
            room.treated[t].status = OVER
    now.last_step = rules.undiagnosed_steps if rules.from_diagnosis else rules.follow_steps
    now.visit = rules.follow_up_days == 0.0
    now.gap_destined = rng.standard_exponential()
    now.gap_doomed = rng.standard_exponential()
    now.screening_day = np.inf
    if not math.isinf(rules.screening_interval_days):
        now.screening_day = rng.random() * rules.screening_interval_days
    now.other_death_day = now.symptom_clock = np.inf
    if rules.other_death_per_day > 0.0:
        now.other_death_day = other_death_day(
            rng.standard_exponential(), rules.other_death_per_day, rules.other_death_growth_per_day
        )
    if rules.symptom_per_day_per_cell > 0.0:
        now.symptom_clock = rng.standard_exponential()


@kernel
def clear(now, room):
    """Nothing has happened yet; the room holds nothing of another patient."""
    now.status, now.step, now.day, now.over = OK, 0, 0.0, False
    now.relapses = now.news = now.kills = now.watched = False
    now.n_colonizing, now.next_due, now.other_law = 0, np.inf, False
    now.n_units = now.n_moved = now.n_departed = now.n_events = now.n_recorded = now.regime = 0
    now.diagnosis_day = now.relapse_day = now.death_day = now.next_visit_day = np.nan
    now.stage_t = now.stage_n = now.stage_m = now.missed_day = np.nan
    now.diameter_mm = now.detection = now.lead_time_days = np.nan
    now.nodes_positive = now.nodes_micro = now.nodes_itc = -1
    now.ask_again_day = 0.0
    clear_marrow(room)
    now.death_cause = DEATH_NONE
    for t in range(len(room.treated)):
        room.treated[t].status = WAITING
    for s in range(len(room.felt)):
        room.felt[s] = False
    n_places, n_organs, n_kinds, n_classes = room.pools.shape
    for organ in range(n_organs):
        site = room.sites[organ]
        site.seen_day = site.nodes_day = np.nan
        site.nodes_taken = 0
        for stage in range(room.tally.shape[0]):
            for column in range(room.tally.shape[2]):
                room.tally[stage, organ, column] = 0
        for k in range(n_kinds):
            for c in range(n_classes):
                for stage in range(room.leaving.shape[3]):
                    room.leaving[organ, k, c, stage] = 0
                for place in range(n_places):
                    pool = room.pools[place, organ, k, c]
                    pool.units = 0
                    pool.turned = 0
                    pool.landed = 0


@merged
def move_units(rng, rng_doomed, now, law, dt, room, everything):
    """Units take at most one stage."""
    if now.n_units > 0:
        move_destined(rng, now, law, dt, room)
    if everything:
        move_doomed(rng_doomed, law, dt, room.pools, room.tally)
    now.n_moved = now.n_units


@merged
def live_and_shed(rng, rng_doomed, now, law, clinic, room, everything):
    """Colonies grow, change and shed."""
    rules = clinic.rules
    now.primary_before = room.colonies[0].size
    now.visit = rules.follow_up_days == 0.0 or now.day >= now.next_visit_day
    marrow = rules.marrow_organ >= 0
    if marrow:
        begin_inflow(room)
    if now.n_alive > 0:
        live_on(rng, rng_doomed, now, law, clinic, room, everything)
    if marrow:
        close_inflow(law, rules, room)


@inlined
def live_on(rng, rng_doomed, now, law, clinic, room, everything):
    """Some colonies are left: they live a step, and what leaves them sets out."""
    live(rng, now, law, clinic, room)
    if now.status != OK:
        return
    if everything:
        doomed_leave(rng_doomed, law, room.leaving, room.pools, room.tally)
    if now.n_departed > 0:
        depart(rng, now, law, clinic.rules, room)


@inlined
def pass_over(now, rules, room):
    """Steps on which nothing happens and nothing is drawn are not looked at one by one."""
    if now.n_alive == 0 and now.n_units == 0:
        skip(now, rules)
    elif now.n_alive == 0 or (rules.small_steps > 1 and now.burden < rules.small_cells):
        wait_through(now, rules, room)


@inlined
def wait_through(now, rules, room):
    """Where all colonies are at rest: on to what can happen before they live again."""
    undiagnosed = math.isnan(now.diagnosis_day)
    every_day = now.watched or now.other_law or rules.follow_up_days == 0.0
    if every_day or (undiagnosed and rules.marrow_organ >= 0):
        return
    until = min(now.ask_again_day, now.other_death_day, now.last_step * rules.dt_days)
    if now.next_visit_day < until:
        until = now.next_visit_day
    if undiagnosed and now.screening_day < until:
        until = now.screening_day
    step = math.floor(until / rules.dt_days)
    if now.n_units > 0:
        step = min(step, math.ceil(min(now.next_due, step)))
    if now.n_alive > 0:
        step = min(step, (now.step // rules.small_steps + 1) * rules.small_steps)
    passed, size = step - 1 - now.step, float(room.colonies[0].size)
    if passed <= 0:
        return
    if undiagnosed and rules.symptom_per_day_per_cell > 0.0:
        days = passed * rules.dt_days
        hazard = symptom_hazard(size, size, rules.symptom_per_day_per_cell, days)
        if now.symptom_clock <= 1.001 * hazard:  # the lump is noticed meanwhile
            return
        now.symptom_clock -= hazard
    now.step += passed


@inlined
def skip(now, rules):
    """Where nothing is left that lives: on to what can still happen."""
    dt = rules.dt_days
    until = min(now.ask_again_day, now.other_death_day, now.last_step * dt)
    if (rules.restaging or rules.tests_on_visits) and now.next_visit_day < until:
        until = now.next_visit_day
    now.step = max(now.step, np.int64(until / dt) - 1)


@kernel
def record(now, law, rules, room):
    """On a recorded day, counts by organ and the tally since the last one."""
    if not (now.over or now.day >= now.n_recorded * rules.record_every_days):
        return
    day = now.n_recorded
    if day == len(room.recorded_days):
        now.status = NO_ROOM_FOR_DAYS
        return
    count_colonies(now, rules, room, room.metastases[day], room.organ_cells[day])
    count_units(law, room.units, now.n_units, room.pools, room.tally)
    tally, tallies = room.tally, room.tallies[day]
    for stage in range(tally.shape[0]):
        for organ in range(tally.shape[1]):
            for column in range(tally.shape[2]):
                tallies[stage, organ, column] = tally[stage, organ, column]
                tally[stage, organ, column] = 0
    room.recorded_days[day] = now.day
    now.n_recorded += 1


@inlined
def count_colonies(now, rules, room, metastases, organ_cells):
    """Metastases by class and cells of an organ, and the cells of the stages."""
    for organ in range(len(metastases)):
        metastases[organ].isolated = 0
        metastases[organ].micro = 0
        metastases[organ].macro = 0
        for k in range(organ_cells.shape[1]):
            organ_cells[organ, k] = 0
    for a in range(now.n_alive):
        i = room.alive[a]
        organ, size = room.colonies[i].organ, room.colonies[i].size
        for k in range(organ_cells.shape[1]):
            organ_cells[organ, k] += room.cells[i, k]
        room.tally[stage_of(i, size, rules.macro_cells), organ, CELLS] += size
        here = metastases[organ]
        if i > 0 and size < rules.micro_cells:
            here.isolated += 1
        elif i > 0 and size <= rules.macro_cells:
            here.micro += 1
        elif i > 0:
            here.macro += 1
