"""A chunk of patients as one call of compiled code.

The compiled call works on arrays that belong to it alone and holds no lock of Python's, so any
number of threads may simulate chunks at once.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from metasim.engines.colonies.kernel import entry, ready
from metasim.engines.colonies.nodes import nodes_removed
from metasim.engines.colonies.packing import biology_of, clinic_of, row
from metasim.engines.colonies.patient import simulate as simulate_patient
from metasim.engines.colonies.state import (
    MOST_CELLS,
    NO_ROOM,
    NO_ROOM_FOR_DAYS,
    NO_ROOM_FOR_EVENTS,
    OK,
    STOPPED,
    TOO_MANY_CELLS,
    TOO_MANY_COLONIES,
    Room,
    room_for,
)
from metasim.engines.colonies.streams import Streams, Words, set_state, state_of, streams_of
from metasim.engines.memory import most_bytes
from metasim.engines.record import ChunkRecord, PatientRecord, empty, record_of
from metasim.errors import LimitError
from metasim.law.arrays import Course, Ints, Law

_ROOM = 2048  # colonies, and units, of a patient that there is room for at first

DONE = np.dtype(
    [
        ("first", np.int64),  # place of the first patient among those of the law
        ("patients", np.int64),
        ("colonies", np.int64),
        ("events", np.int64),
        ("days", np.int64),
        ("status", np.int64),  # OK, or why the next patient could not be finished
    ]
)
"""How far a chunk has come: patients, and rows of them."""


class Outcome(NamedTuple):
    """What became of the patients of a chunk."""

    record: ChunkRecord  # of those that came to their ends
    good: Ints  # places in the chunk of these
    failures: dict[int, str]  # place in the chunk -> what happened
    finished: int  # patients from the first on; fewer than asked for if it was stopped


@entry
def _simulate_patients(done, biology, clinics, out, room, streams, everything, stop):
    """Patients from the first that is not done; until the last, or one that needs more room."""
    at = done[0]
    at.status = OK
    while at.patients < len(out.patients):
        k = at.patients
        if stop[0] != 0:
            at.status = STOPPED
            return
        if len(out.events) - at.events < row(clinics.rules, at.first + k).most_events:
            at.status = NO_ROOM_FOR_EVENTS
            return
        if at.colonies == len(out.colonies):
            at.status = NO_ROOM
            return
        for word in range(4):
            streams.now[word] = streams.of_patients[k, word]
            if everything:
                streams.now_doomed[word] = streams.of_patients_doomed[k, word]
        here = Room(
            room.now, out.colonies[at.colonies :], out.cells[at.colonies :], room.alive, room.units,
            room.departed, room.leaving, room.pools, room.tally, room.sites, room.nodes,
            room.kinds, room.survival, room.treated, room.felt, out.events[at.events :],
            out.recorded_days[at.days :], out.metastases[at.days :], out.organ_cells[at.days :],
            out.tallies[at.days :],
        )  # fmt: skip
        simulate_patient(
            at.first + k, biology, clinics, here, streams.rng, streams.rng_doomed, everything, stop
        )
        now, patient = room.now[0], out.patients[k]
        if now.status >= STOPPED:
            at.status = now.status
            return
        patient.end_day = now.day
        patient.status = now.status
        if now.status == OK:
            patient.diagnosis_day = now.diagnosis_day
            patient.death_day = now.death_day
            patient.death_cause = now.death_cause
            patient.stage_t = now.stage_t
            patient.stage_n = now.stage_n
            patient.stage_m = now.stage_m
            patient.diameter_mm = now.diameter_mm
            patient.detection = now.detection
            patient.lead_time_days = now.lead_time_days
            patient.nodes_positive = now.nodes_positive
            patient.nodes_micro = now.nodes_micro
            patient.nodes_itc = now.nodes_itc
            patient.nodes_removed = nodes_removed(clinics.organs, at.first + k, room.sites)
            patient.n_colonies = now.n_colonies
            patient.n_events = now.n_events
            patient.n_recorded = now.n_recorded
            at.colonies += now.n_colonies
            at.events += now.n_events
            at.days += now.n_recorded
        at.patients += 1


class Chunk:
    """Some patients made ready to be drawn; `draw` is safe in any thread.

    Args:
        law: the law arrays of the patients.
        course: the course arrays of the patients.
    """

    def __init__(self, law: Law, course: Course) -> None:
        self.max_colonies = course.max_colonies
        self.biology, self.clinics = biology_of(law), clinic_of(course)
        self.organs, self.kinds = law.rho.shape[-2:]

    def draw(
        self, states: Words, states_doomed: Words | None = None, stop: Ints | None = None
    ) -> Outcome:
        """Simulate the patients, see `simulate_chunk`."""
        everything = states_doomed is not None
        if states_doomed is None:
            states_doomed = np.empty((0, 4), np.uint64)
        return self.draw_from(
            streams_of(states, states_doomed), everything, never() if stop is None else stop
        )

    def draw_from(self, streams: Streams, everything: bool, stop: Ints, first: int = 0) -> Outcome:
        """As `draw`, from generators made ready; those of the patient `first` stand first."""
        rows, done, patients = _ROOM, np.zeros(1, DONE), len(streams.of_patients)
        done["first"] = first
        most_events = int(self.clinics.rules["most_events"].max())
        out = empty(
            patients, rows + 4 * patients, most_events + 8 * patients,
            64 * patients if everything else 0, self.organs, self.kinds,
        )  # fmt: skip
        room = self._room(out, rows)
        arguments = (done, self.biology, self.clinics, out, room, streams, everything, stop)
        simulate = ready(_simulate_patients, *arguments)
        while True:
            simulate(done, self.biology, self.clinics, out, room, streams, everything, stop)
            status = int(done["status"][0])
            if status == NO_ROOM:  # the patient at hand once more from the start
                rows *= 4
                out = _enlarged(out, colonies=max(len(out.colonies), rows))
                room = self._room(out, rows)
            elif status == NO_ROOM_FOR_EVENTS:
                out = _enlarged(out, events=len(out.events) + most_events)
            elif status == NO_ROOM_FOR_DAYS:
                out = _enlarged(out, days=64 + len(out.recorded_days))
            else:
                return self._outcome(out, done[0])

    def _room(self, out: ChunkRecord, rows: int) -> Room:
        clinics = self.clinics
        classes, n_treatments = self.biology.clusters.shape[-1], len(clinics.treatments)
        symptoms, nodes = clinics.symptoms.shape[-1], int(clinics.organs["nodes"].max())
        return room_for(out, rows, classes, n_treatments, symptoms, nodes)

    def _outcome(self, out: ChunkRecord, done: Any) -> Outcome:
        finished = int(done["patients"])
        patients = out.patients[:finished]
        failures = {
            int(k): self._message(patients[k]) for k in np.flatnonzero(patients["status"] != OK)
        }
        good = np.flatnonzero(patients["status"] == OK)
        colonies, events, days = (int(done[name]) for name in ("colonies", "events", "days"))
        record = ChunkRecord(
            patients[good], out.colonies[:colonies], out.cells[:colonies], out.events[:events],
            out.recorded_days[:days], out.metastases[:days], out.organ_cells[:days],
            out.tallies[:days],
        )  # fmt: skip
        return Outcome(record, good, failures, finished)

    def _message(self, patient: Any) -> str:
        when = f"day {patient['end_day']:g}"
        if patient["status"] == TOO_MANY_COLONIES:
            return (
                f"{when}: more than {self.max_colonies} colonies, or cells about to found "
                f"one, in one patient; raise run.max_colonies, or lower the odds or the invasion "
                f"rate"
            )
        assert patient["status"] == TOO_MANY_CELLS
        return (
            f"{when}: a colony outgrew {MOST_CELLS:g} cells; give growth a capacity, or "
            f"the clinic a lethal burden"
        )


def never() -> Ints:
    """A flag that nobody raises."""
    return np.zeros(1, np.int64)


def _enlarged(out: ChunkRecord, colonies: int = 0, events: int = 0, days: int = 0) -> ChunkRecord:
    """With room for so many more rows, the rows in their places.

    Raises:
        LimitError: the machine has no memory for that.
    """
    more = {"colonies": colonies, "cells": colonies, "events": events}
    size = {
        name: (1 + more.get(name, days if name != "patients" else 0) / max(1, len(array)))
        * array.nbytes
        for name, array in out._asdict().items()
    }
    if 2.0 * sum(size.values()) > most_bytes():
        raise LimitError(
            f"the histories of {len(out.patients)} patients take {sum(size.values()) / 2**30:.1f} "
            f"GiB: lower run.max_colonies or the invasion rate, or raise run.record_every_days"
        )
    wider = empty(
        len(out.patients), len(out.colonies) + colonies, len(out.events) + events,
        len(out.recorded_days) + days, *out.organ_cells.shape[1:],
    )  # fmt: skip
    for old, new in zip(out, wider, strict=True):
        new[: len(old)] = old
    return wider


def simulate_chunk(
    law: Law,
    course: Course,
    states: Words,
    states_doomed: Words | None = None,
    stop: Ints | None = None,
) -> Outcome:
    """Simulate the patients of a chunk in one call that lets other threads run.

    Safe in threads: every call has its own generators and memory, and reads its arguments only.

    Args:
        law: the law arrays of P patients.
        course: the course arrays of the patients.
        states: (P, 4) state of each patient's PCG64, as `metasim.runner.streams.states` gives it:
            draws everything that metastases depend on, the same whatever is recorded.
        states_doomed: of the streams that draw the units that found nothing; given, counts and
            stage tallies are recorded on the recorded days.
        stop: (1,) flag; once another thread sets it to another value than 0, the call returns
            within a step of a patient, with the patients that are finished.

    Returns:
        The record of the patients that came to their ends, and what happened to the others: more
        colonies than `course.max_colonies`, or a colony above 1e15 cells.

    Raises:
        LimitError: the histories of the patients do not fit into memory.
    """
    return Chunk(law, course).draw(states, states_doomed, stop)


Draw = Callable[[int, np.random.Generator, np.random.Generator, bool], PatientRecord]
"""(place in the chunk, rng, rng_doomed, everything) -> the patient drawn from the step law."""


def prepare(law: Law, course: Course) -> Draw:
    """The engine made ready to draw single patients of a chunk, each from generators of its own.

    Returns:
        A function that draws one patient and leaves the generators as if it had drawn from them.
        It raises LimitError where `simulate_chunk` notes a failure.
    """
    whole = Chunk(law, course)

    def draw(
        k: int, rng: np.random.Generator, rng_doomed: np.random.Generator, everything: bool
    ) -> PatientRecord:
        both = (rng, rng_doomed)
        streams = streams_of(*(state_of(stream)[None] for stream in both))
        outcome = whole.draw_from(streams, everything, never(), k)
        for given, used in zip(both, streams[:2], strict=True):
            if given is rng or everything:
                set_state(given, state_of(used))
        for message in outcome.failures.values():
            raise LimitError(message)
        return record_of(outcome.record, 0)

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
