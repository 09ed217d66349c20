"""What tests find: drawn around what the engines expect, from streams of their own."""

import numpy as np

from metasim.engines.record import ChunkRecord, Ints
from metasim.law.sampling import counts
from metasim.runner import streams
from metasim.terms import Event

STREAMS = {streams.TESTS: (Event.CTC, Event.DTC), streams.PLASMA: (Event.CTDNA,)}
"""Purpose of a stream -> the tests that it draws; DNA has its own, so that cells found are the
same with and without it."""


def with_counts(record: ChunkRecord, patients: Ints, rng_seed: int) -> ChunkRecord:
    """A record in which tests hold what was counted, not what is expected.

    The streams are the tests' alone: a patient's course is the same whether tests are made or not.

    Args:
        record: of P patients.
        patients: (P,) their numbers.
        rng_seed: of the run.
    """
    events = record.events.copy()
    owner = np.repeat(patients, record.patients["n_events"])
    for purpose, tests in STREAMS.items():
        rows = np.flatnonzero(np.isin(events["event"], tests))
        for patient, mine in _by_patient(owner, rows):
            rng = streams.generator(rng_seed, patient, purpose)
            events["value"][mine] = counts(rng, events["value"][mine])
    return record._replace(events=events)


def _by_patient(owner: Ints, rows: Ints) -> list[tuple[int, Ints]]:
    if not len(rows):
        return []
    starts = np.flatnonzero(np.diff(owner[rows], prepend=owner[rows][0] - 1))
    return [(int(owner[part[0]]), part) for part in np.split(rows, starts[1:])]
