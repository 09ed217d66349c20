"""The colony engine: the step law of MODEL section 5 for groups of identical cells, with numba.

A step, in this order (rates are evaluated at its start and held):

1. units (cells or clusters) that have left their colony take at most one stage;
2. each colony grows by the exact birth-death law, changes phenotype, may switch on angiogenesis,
   and sheds units over its border (these move from the next step on);
3. units that colonized found colonies, which grow from the next step on;
4. clinical events are read off: sizes reached, diagnosis, relapse, symptoms; then treatment that
   is due acts, and what it changes holds from the next step on;
5. death by burden or other causes; recording.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metasim.engines.colonies import units as u
from metasim.engines.colonies.growing import (
    MOST_CELLS,
    NO_ROOM,
    OK,
    TOO_MANY_CELLS,
    TOO_MANY_COLONIES,
    growing_of,
    stage_of,
    step_colonies,
)
from metasim.engines.colonies.kernel import allocating, compiled, inlined, kernel, plain, ready
from metasim.engines.colonies.treating import (
    found_by_screening,
    note,
    other_death_day,
    prescribe,
    prescriptions_of,
    see,
    seen_cells,
    stages_of,
    thin_colonies,
    thin_units,
)
from metasim.engines.record import DEATH_NONE, DEATH_OTHER, DEATH_TOTAL, PatientRecord
from metasim.errors import LimitError
from metasim.law.arrays import Array, Course, Ints, Law
from metasim.terms import Event, Stage, Tally

__all__ = ["compiled", "prepare", "simulate"]

_ROOM = 2048  # colonies that there is room for at first
_DIAGNOSIS, _RELAPSE, _SYMPTOM, _DEATH = np.array(
    [Event.DIAGNOSIS, Event.RELAPSE, Event.SYMPTOM, Event.DEATH]
)  # numpy's integers, as in `units`
_N_STAGES, _N_TALLIES = len(Stage), len(Tally)


@kernel
def _close(tally, tallies, recorded):
    """Put the tally by as that of a recorded day, and start it anew."""
    for stage in range(tally.shape[0]):
        for organ in range(tally.shape[1]):
            for column in range(tally.shape[2]):
                tallies[recorded, stage, organ, column] = tally[stage, organ, column]
                tally[stage, organ, column] = 0


@kernel
def _count_colonies(micro_cells, macro_cells, origin, cells, sizes, alive, n_alive, counts, tally):
    """Metastases by class and cells of an organ, and the cells of the stages."""
    for a in range(n_alive):
        i = alive[a]
        organ, size = origin[i, 1], sizes[i]
        for k in range(cells.shape[1]):
            counts[organ, 3 + k] += cells[i, k]
        tally[stage_of(i, size, macro_cells), organ, u.CELLS] += size
        if i > 0:
            counts[organ, 0 if size < micro_cells else 1 if size <= macro_cells else 2] += 1


@inlined
def _add_up(origin, sizes, alive, n_alive, burden):
    """Fill the cells of each organ, then of all."""
    last = len(burden) - 1
    for organ in range(last + 1):
        burden[organ] = 0.0
    for a in range(n_alive):
        i = alive[a]
        burden[origin[i, 1]] += sizes[i]
        burden[last] += sizes[i]


class Room(NamedTuple):
    """Where a patient's colonies and units stand while it is simulated; n rows each."""

    origin: Ints  # (n, 4) as in PatientRecord, also `cells` and `days`
    cells: Ints  # (n, K)
    sizes: Ints  # cells of all phenotypes
    days: Array  # (n, 5)
    vessels: NDArray[np.bool_]  # whether vascularised
    alive: Ints  # rows of the living colonies
    units: Ints  # (n, 6) place, organ, phenotype, cluster class, parent, route
    clocks: Array  # of the units
    departed: Ints  # (n, 5) see `step_colonies`


def room_for(n: int, n_kinds: int) -> Room:
    """Room for n colonies of so many phenotypes, and for as many units on their way."""
    whole = np.int64
    return Room(
        np.empty((n, 4), whole), np.empty((n, n_kinds), whole), np.empty(n, whole),
        np.empty((n, 5)), np.empty(n, np.bool_), np.empty(n, whole), np.empty((n, 6), whole),
        np.empty(n), np.empty((n, 5), whole),
    )  # fmt: skip


@allocating
def _simulate(growing, chunk_moves, plan, course, k_patient, room, rng, rng_doomed, everything):
    moves = u.moves_of_patient(chunk_moves, 0, k_patient)
    initial_cells = u.row(course.initial_cells, k_patient)
    diagnosis_cells = u.row(course.diagnosis_cells, k_patient)[0]
    detection_cells = u.row(course.detection_cells, k_patient)
    lethal_cells = u.row(course.lethal_cells, k_patient)
    lethal_total_cells = u.row(course.lethal_total_cells, k_patient)[0]
    t2_cells = u.row(course.t2_cells, k_patient)[0]
    t3_cells = u.row(course.t3_cells, k_patient)[0]
    screening_days = u.row(course.screening_interval_days, k_patient)[0]
    screening_half = u.row(course.screening_half_cells, k_patient)[0]
    screening_slope = u.row(course.screening_slope, k_patient)[0]
    follow_up_days = u.row(course.follow_up_days, k_patient)[0]
    symptom_cells = u.row(course.symptom_cells, k_patient)
    age_years = u.row(course.age_years, k_patient)[0]
    other_hazard = u.row(course.other_death_per_day, k_patient)[0]
    other_growth = u.row(course.other_death_growth_per_day, k_patient)[0]
    _, onset_cells, switch_per_day = u.of_patient(growing.angiogenesis, 0, k_patient)
    micro_cells, macro_cells = course.micro_cells, course.macro_cells
    dt = course.dt_days
    _, _, n_organs, n_kinds, _ = growing.rates.shape
    n_classes = len(moves.cluster_cells)
    at_once = math.isinf(switch_per_day)

    # colonies, row 0 the primary
    origin, cells, sizes, days, vessels, alive, units, clocks, departed = room
    most = len(origin)
    alive[0] = sizes[0] = origin[0, 0] = 0
    for k in range(n_kinds):
        cells[0, k] = initial_cells[k]
        sizes[0] += cells[0, k]
    origin[0, 1] = course.primary_organ
    origin[0, 2] = -1
    origin[0, 3] = sizes[0]
    days[0] = np.nan
    days[0, 0] = 0.0
    vessels[0] = at_once or sizes[0] > onset_cells
    # numpy's integers: counters that begin as literals are compiled twice
    n_colonies, n_alive = np.int64(1), np.int64(1)

    # units on their way
    n_units = np.int64(0)
    pools = np.zeros((4, n_organs, n_kinds, n_classes), np.int64)
    turned = np.zeros(pools.shape, np.int64)
    landed = np.zeros(pools.shape, np.int64)
    gaps = np.zeros(2)
    gaps[0] = rng.standard_exponential()
    gaps[1] = rng.standard_exponential()
    leaving = np.zeros((n_organs, n_kinds, n_classes, _N_STAGES), np.int64)
    births = np.zeros(n_kinds)
    arrived = np.zeros(n_kinds, np.int64)
    burden = np.zeros(n_organs + 1)

    last_step = course.undiagnosed_steps if course.from_diagnosis else course.follow_steps
    longest = last_step + (course.follow_steps if course.from_diagnosis else 0)
    n_records = int(longest * dt / course.record_every_days) + 3 if everything else 0
    n_records = min(n_records, longest + 1)
    recorded_days = np.zeros(n_records)
    counts = np.zeros((n_records, n_organs, 3 + n_kinds), np.int64)
    tallies = np.zeros((n_records, _N_STAGES, n_organs, _N_TALLIES), np.int64)
    tally = np.zeros((_N_STAGES, n_organs, _N_TALLIES), np.int64)
    recorded = np.int64(0)
    events = np.zeros((plan.most_events + 3 + n_organs + len(symptom_cells), 4))
    n_events = np.int64(0)
    regime, ask_again, watched = np.int64(0), 0.0 if len(plan.marks) > 0 else np.inf, False
    treated = np.zeros(len(plan.marks), np.int64)
    clock = np.zeros((len(plan.marks), 3))
    survival = np.ones((3, n_organs, n_kinds))
    felt = np.zeros(len(symptom_cells), np.bool_)
    seen = np.full(n_organs, np.nan)
    staging = np.full(3, np.nan)
    visits = 0
    screened = np.inf if math.isinf(screening_days) else rng.random() * screening_days
    other_day = other_death_day(rng, other_hazard, other_growth)
    relapse_day, diagnosis_day, death_day, death_cause = np.nan, np.nan, np.nan, DEATH_NONE
    status = OK
    visit = follow_up_days == 0.0
    day = 0.0
    step = np.int64(0)
    while True:
        if step > 0:
            day = step * dt
            # 1 units take at most one stage
            if n_units > 0:
                n_units = u.move_destined(rng, moves, dt, units, clocks, n_units, tally, turned)
            if everything:
                u.move_doomed(rng_doomed, moves, dt, pools, landed, tally, turned)
            moved = n_units
            visit = follow_up_days == 0.0 or day >= diagnosis_day + visits * follow_up_days

            # 2 colonies grow, change and shed
            if n_alive > 0:
                n_alive, n_departed, status = step_colonies(
                    rng, growing, regime, k_patient, dt, day, visit, origin, cells, sizes, days,
                    vessels, alive, n_alive, gaps, tally, micro_cells, macro_cells,
                    detection_cells, seen, births, arrived, leaving, departed,
                )  # fmt: skip
                if status != OK:
                    break
                if everything:
                    u.doomed_leave(rng_doomed, moves, leaving, pools, tally)
                n_expected = n_units
                for group in range(n_departed):
                    n_expected += departed[group, 4]
                if n_expected > course.max_colonies:
                    status = TOO_MANY_COLONIES
                    break
                if n_expected > most:
                    status = NO_ROOM
                    break
                for group in range(n_departed):
                    for _ in range(departed[group, 4]):
                        units[n_units, 0] = u.INVADED
                        for column in range(4):
                            units[n_units, 1 + column] = departed[group, column]
                        clocks[n_units] = rng.standard_exponential()
                        n_units += 1

            # 3 units that colonized found colonies
            kept = 0
            for j in range(n_units):
                if j >= moved or units[j, 0] != u.COLONIZING:
                    if kept < j:
                        for column in range(6):
                            units[kept, column] = units[j, column]
                        clocks[kept] = clocks[j]
                    kept += 1
                    continue
                if n_colonies == course.max_colonies:
                    status = TOO_MANY_COLONIES
                    break
                if n_colonies == most:
                    status = NO_ROOM
                    break
                i = n_colonies
                organ, founders = units[j, 1], moves.cluster_cells[units[j, 3]]
                origin[i, 0] = units[j, 4]
                origin[i, 1] = organ
                origin[i, 2] = units[j, 5]
                origin[i, 3] = founders
                for k in range(n_kinds):
                    cells[i, k] = founders if k == units[j, 2] else 0
                sizes[i] = founders
                for event in range(5):
                    days[i, event] = np.nan
                days[i, 0] = day
                vessels[i] = at_once
                tally[stage_of(i, founders, macro_cells), organ, u.ENTERED] += founders
                alive[n_alive] = i
                n_colonies += 1
                n_alive += 1
                if founders >= micro_cells:
                    days[i, 1] = day
                if founders > macro_cells:
                    days[i, 2] = day
                if visit and founders >= detection_cells[organ]:
                    days[i, 3] = day
                    if math.isnan(seen[organ]):
                        seen[organ] = day
            if status != OK:
                break
            n_units = kept

        # 4 diagnosis, relapse and symptoms, then treatment that is due
        _add_up(origin, sizes, alive, n_alive, burden)
        found = sizes[0] >= diagnosis_cells
        if day >= screened and math.isnan(diagnosis_day):
            screened += screening_days
            found = found_by_screening(rng, sizes[0], screening_half, screening_slope) or found
        if math.isnan(diagnosis_day) and found:
            diagnosis_day = day
            n_events = note(events, n_events, day, _DIAGNOSIS, course.primary_organ, -1)
            if course.from_diagnosis:
                last_step = step + course.follow_steps
            if follow_up_days > 0.0:  # the first visit
                visit = True
                see(origin, sizes, days, alive, n_alive, detection_cells, seen, day)
            stages_of(
                staging, sizes[0], t2_cells, t3_cells, micro_cells, macro_cells, course.regional,
                course.distant, origin, sizes, seen, alive, n_alive,
            )  # fmt: skip
        if not math.isnan(diagnosis_day) and follow_up_days > 0.0:
            while day >= diagnosis_day + visits * follow_up_days:
                visits += 1
        news = diagnosis_day == day
        for organ in range(n_organs):
            if seen[organ] == day:
                news = True
                n_events = note(events, n_events, day, _RELAPSE, organ, -1)
                if course.distant[organ] and math.isnan(relapse_day):
                    relapse_day = day
        for s in range(len(felt)):
            organ = course.symptom_organ[s]
            if not felt[s] and burden[organ] >= symptom_cells[s]:
                felt[s] = True
                n_events = note(events, n_events, day, _SYMPTOM, organ, s)
        watched = watched and (everything or n_alive > 0 or n_units > 0)
        if day >= ask_again or watched or (news and len(plan.marks) > 0):
            before = regime
            in_sight = seen_cells(sizes, days, alive, n_alive)
            n_events, regime, kills, ask_again, watched = prescribe(
                plan.marks, plan.numbers, plan.effects, plan.only_organs, day, dt, age_years, visit,
                diagnosis_day, relapse_day, seen, burden[n_organs] - sizes[0], in_sight, treated,
                clock, survival, events, n_events,
            )  # fmt: skip
            if kills:
                n_alive = thin_colonies(
                    rng, survival, not math.isnan(diagnosis_day), macro_cells, origin, cells, sizes,
                    days, alive, n_alive, day, tally,
                )  # fmt: skip
                n_units = thin_units(
                    rng, rng_doomed, moves, survival, units, clocks, n_units, pools, tally
                )
                _add_up(origin, sizes, alive, n_alive, burden)
            if regime != before:
                moves = u.moves_of_patient(chunk_moves, regime, k_patient)

        # 5 death by burden or other causes; recording
        for organ in range(n_organs):
            if death_cause == DEATH_NONE and burden[organ] >= lethal_cells[organ]:
                death_cause = organ
        if death_cause == DEATH_NONE and burden[n_organs] >= lethal_total_cells:
            death_cause = DEATH_TOTAL
        if death_cause == DEATH_NONE and day >= other_day:
            death_cause = DEATH_OTHER
        if death_cause != DEATH_NONE:
            death_day = day
            n_events = note(events, n_events, day, _DEATH, max(death_cause, -1), -1)
        over = step >= last_step or death_cause != DEATH_NONE
        if everything and (over or day >= recorded * course.record_every_days):
            _count_colonies(
                micro_cells, macro_cells, origin, cells, sizes, alive, n_alive, counts[recorded],
                tally,
            )  # fmt: skip
            u.count_units(moves, units, n_units, pools, tally)
            _close(tally, tallies, recorded)
            recorded_days[recorded] = day
            recorded += 1
        if over:
            break
        if n_alive == 0 and n_units == 0 and not everything:  # on to what can still happen
            step = max(step, int(min(ask_again, other_day, last_step * dt) / dt) - 1)
        step += 1
    return (
        status,
        # copies: the room is for the next patient
        origin[:n_colonies].copy(),
        cells[:n_colonies].copy(),
        days[:n_colonies].copy(),
        recorded_days[:recorded],
        counts[:recorded],
        tallies[:recorded],
        events[:n_events],
        diagnosis_day,
        death_day,
        death_cause,
        day,
        staging,
    )


Draw = Callable[[int, np.random.Generator, np.random.Generator, bool], PatientRecord]
"""(place in the chunk, rng, rng_doomed, everything) -> the patient drawn from the step law."""


def prepare(law: Law, course: Course) -> Draw:
    """The engine made ready for a chunk of patients.

    Args:
        law: the law arrays of the chunk.
        course: the course arrays of the chunk.

    Returns:
        A function that draws one patient. Its `rng` draws everything that metastases depend on, the
        same whatever is recorded; `rng_doomed` draws the units that found nothing, and is
        used only with `everything`: counts and stage tallies on the recorded days. It raises
        LimitError for more colonies than `course.max_colonies`, or a colony above 1e15 cells.
    """
    growing, moves = plain(growing_of(law)), plain(u.moves_of(law))
    plan = plain(prescriptions_of(course.plan))
    # the engine reads a plan of its own
    around = plain(course._replace(plan=None))  # type: ignore[arg-type]
    n_kinds = law.rho.shape[-1]
    room = room_for(_ROOM, n_kinds)
    any_rng = np.random.default_rng()
    simulate_one = ready(_simulate, growing, moves, plan, around, 0, room, any_rng, any_rng, False)

    def draw(
        k: int, rng: np.random.Generator, rng_doomed: np.random.Generator, everything: bool
    ) -> PatientRecord:
        nonlocal room
        streams = [rng, rng_doomed] if everything else [rng]
        starts = [stream.bit_generator.state for stream in streams]
        while True:
            status, *record = simulate_one(
                growing, moves, plan, around, k, room, rng, rng_doomed, everything
            )
            if status != NO_ROOM:
                break
            room = room_for(8 * len(room.origin), n_kinds)  # and once more from the start
            for stream, start in zip(streams, starts, strict=True):
                stream.bit_generator.state = start
        drawn = PatientRecord(*record)
        when = f"day {drawn.end_day:g}"
        if status == TOO_MANY_COLONIES:
            raise LimitError(
                f"{when}: more than {course.max_colonies} colonies, or cells about to found "
                f"one, in one patient; raise run.max_colonies, or lower the odds or the invasion "
                f"rate"
            )
        if status == TOO_MANY_CELLS:
            raise LimitError(
                f"{when}: a colony outgrew {MOST_CELLS:g} cells; give growth a capacity, or "
                f"the clinic a lethal burden"
            )
        return drawn

    return draw


def simulate(
    law: Law,
    course: Course,
    rng: np.random.Generator,
    rng_doomed: np.random.Generator,
    everything: bool,
) -> PatientRecord:
    """One patient, from its own arrays (`Law.patient`, `Course.patient`), see `prepare`."""
    return prepare(law.chunk(), course.chunk())(0, rng, rng_doomed, everything)
