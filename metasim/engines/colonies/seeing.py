"""What the clinic sees in the colony engine: diagnosis, stage, relapses, symptoms, death."""

import math

import numpy as np

from metasim.engines.colonies.detecting import found_primary, note_finding
from metasim.engines.colonies.growing import see
from metasim.engines.colonies.kernel import inlined, kernel
from metasim.engines.colonies.nodes import count_nodes
from metasim.engines.colonies.sampling import make_tests
from metasim.engines.colonies.state import NONE
from metasim.engines.record import DEATH_NONE, DEATH_OTHER, DEATH_TOTAL
from metasim.law import clinic as rule
from metasim.terms import Event

_DIAGNOSIS, _RELAPSE, _SYMPTOM, _DEATH, _VISIT, _RESTAGING = np.array(
    [Event[name] for name in ("DIAGNOSIS", "RELAPSE", "SYMPTOM", "DEATH", "VISIT", "RESTAGING")]
)  # numpy's integers, as in `state`

next_visit = inlined(rule.next_visit)
stage_t = inlined(rule.stage_t)


@kernel
def note(now, events, event, organ, which):
    """Book an event of today."""
    row = events[now.n_events]
    row.day = now.day
    row.event = event
    row.organ = organ
    row.which = which
    row.value = np.nan
    now.n_events += 1


@kernel
def add_up(now, room):
    """Fill in the cells in colonies, of each organ and of all."""
    for organ in range(len(room.sites)):
        room.sites[organ].burden = 0.0
    now.burden = 0.0
    for a in range(now.n_alive):
        colony = room.colonies[room.alive[a]]
        room.sites[colony.organ].burden += colony.size
        now.burden += colony.size


@inlined
def diagnose(rng, now, law, clinic, room, felt):
    """The primary may be found; then imaging looks at every organ, and the stage is known.

    `felt`: an organ has symptoms that lead to it.
    """
    rules = clinic.rules
    if not math.isnan(now.diagnosis_day):
        return
    if not found_primary(rng, now, rules, room.colonies[0].size, felt):
        return
    note_finding(now, law, rules, room)
    now.diagnosis_day = now.day
    now.news = True
    note(now, room.events, _DIAGNOSIS, rules.primary_organ, NONE)
    if rules.from_diagnosis:
        now.last_step = now.step + rules.follow_steps
    if rules.follow_up_days > 0.0:  # the first visit
        now.visit = True
        look(now, clinic, room, rules.restaging)
    stage(now, law, clinic, room)


@kernel
def look(now, clinic, room, restaging):
    """Imaging, of a visit or of restaging, sees what is large enough and was not seen before."""
    for a in range(now.n_alive):
        i = room.alive[a]
        colony = room.colonies[i]
        organ = colony.organ
        if i > 0:
            visible = clinic.organs[organ].detection_cells
            if restaging:
                visible = clinic.organs[organ].restaging_cells
            see(now, colony, organ, colony.size, visible, room.sites)


@kernel
def stage(now, law, clinic, room):
    """Stage at diagnosis."""
    rules = clinic.rules
    now.stage_t = stage_t(float(room.colonies[0].size), rules.t2_cells, rules.t3_cells)
    count_nodes(now, law, clinic, room)
    now.stage_m = 0.0
    for organ in range(len(room.sites)):
        if clinic.organs[organ].distant and not math.isnan(room.sites[organ].seen_day):
            now.stage_m = 1.0


@inlined
def see_relapses(now, clinic, room):
    """The first metastasis that imaging sees in an organ is a relapse."""
    if not now.relapses:
        return
    now.relapses = False
    for organ in range(len(room.sites)):
        if room.sites[organ].seen_day == now.day:
            now.news = True
            note(now, room.events, _RELAPSE, organ, NONE)
            if clinic.organs[organ].distant and math.isnan(now.relapse_day):
                now.relapse_day = now.day


@inlined
def quiet(now, rules, room):
    """Whether metastases are too small to be felt or to kill, wherever they are."""
    return now.burden - room.sites[rules.primary_organ].burden < rules.quiet_cells


@inlined
def feel_symptoms(now, rules, symptoms, room):
    """Symptoms of organs whose burden has passed a threshold; whether there is a new one."""
    any_new = False
    if quiet(now, rules, room):
        return any_new
    for s in range(len(room.felt)):
        organ = symptoms[s].organ
        if not room.felt[s] and room.sites[organ].burden >= symptoms[s].cells:
            any_new = room.felt[s] = True
            note(now, room.events, _SYMPTOM, organ, s)
    return any_new


@inlined
def restage(now, clinic, room, felt):
    """Book a visit; diagnosis, a relapse found today, or a symptom leads to imaging."""
    if now.visit and now.day > now.diagnosis_day:
        note(now, room.events, _VISIT, NONE, NONE)
    if felt or now.relapses or now.day == now.diagnosis_day:
        note(now, room.events, _RESTAGING, NONE, NONE)
        look(now, clinic, room, True)
        now.visit = True


@inlined
def see_events(rng, now, law, clinic, room):
    """Diagnosis, relapses and symptoms of today."""
    add_up(now, room)
    now.news = False
    restaging, follow_up_days = clinic.rules.restaging, clinic.rules.follow_up_days
    felt = False
    if restaging:
        felt = feel_symptoms(now, clinic.rules, clinic.symptoms, room)
    diagnose(rng, now, law, clinic, room, felt)
    if follow_up_days > 0.0 and now.visit:
        now.next_visit_day = next_visit(now.day, now.diagnosis_day, follow_up_days)
    if restaging:
        restage(now, clinic, room, felt)
    see_relapses(now, clinic, room)
    if not restaging:
        feel_symptoms(now, clinic.rules, clinic.symptoms, room)
    make_tests(now, law, clinic.rules, room)


@inlined
def die(now, clinic, room):
    """Death by the burden of an organ, of all, or by other causes."""
    for organ in range(0 if quiet(now, clinic.rules, room) else len(room.sites)):
        lethal = room.sites[organ].burden >= clinic.organs[organ].lethal_cells
        if now.death_cause == DEATH_NONE and lethal:
            now.death_cause = organ
    if now.death_cause == DEATH_NONE and now.burden >= clinic.rules.lethal_total_cells:
        now.death_cause = DEATH_TOTAL
    if now.death_cause == DEATH_NONE and now.day >= now.other_death_day:
        now.death_cause = DEATH_OTHER
    if now.death_cause != DEATH_NONE:
        now.death_day = now.day
        note(now, room.events, _DEATH, max(now.death_cause, NONE), NONE)
