"""The patients of a scenario, each addressed by its number: from a span of them to tables."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from metasim.engines.record import ChunkRecord, Ints, PatientRecord, joined
from metasim.errors import LimitError, MetasimError
from metasim.law.arrays import Course, Law
from metasim.parameters.course import course_of, symptoms_of
from metasim.parameters.rates import Laws
from metasim.results.tables import FAILURES
from metasim.runner import streams
from metasim.runner.assemble import Names, chunk_tables
from metasim.runner.interrupts import flag, interruptible
from metasim.runner.sampling import with_counts
from metasim.runner.told import told_of
from metasim.scenario.draws import draw_numbers, draw_parameters
from metasim.scenario.schema import Scenario
from metasim.terms import treatment_names

EVERYTHING_UP_TO = 1000
"""Patients up to which everything is recorded unless the scenario says otherwise."""


def record_level(scenario: Scenario) -> str:
    """The recording level of a run: the scenario's, else by the number of patients."""
    if scenario.run.record is not None:
        return scenario.run.record
    return "everything" if scenario.run.patients <= EVERYTHING_UP_TO else "metastases"


@dataclass(frozen=True)
class Cohort:
    """The patients of a scenario.

    Attributes:
        scenario: what is asked.
        engine_options: keyword arguments for the cell engine's `simulate`.
    """

    scenario: Scenario
    engine_options: tuple[tuple[str, Any], ...] = ()

    @cached_property
    def level(self) -> str:
        """Recording level."""
        return record_level(self.scenario)

    @cached_property
    def laws(self) -> Laws:
        """The laws of the patients."""
        return Laws(self.scenario, doomed=self.level == "everything")

    @cached_property
    def names(self) -> Names:
        """Names behind the indices of the records."""
        soil = self.scenario.soil
        return Names(
            tuple(soil),
            tuple(self.scenario.seed.phenotypes) or ("tumour",),
            np.array([organ.site == "distant" for organ in soil.values()]),
            treatment_names((t.kind, t.organ) for t in self.scenario.treatment),
            tuple(name for _, name in symptoms_of(self.scenario)),
        )

    def chunk(self, first: int, count: int, stop: Ints | None = None) -> dict[str, pa.Table]:
        """Tables of patients first ... first + count - 1, by name; `failures` is one of them.

        Patients that failed are in that table only: those that outgrow a limit, or on whom the
        engine breaks. Safe in threads with the colony engine, which lets other threads run.

        Args:
            first: number of the first patient.
            count: number of patients.
            stop: (1,) flag that another thread may raise, for the colony engine; None: that of
                this thread, see `metasim.runner.interrupts`.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed, or `stop` raised.
            MetasimError: something is wrong for all patients (an option, a class of the user's).
        """
        drawn = draw_parameters(self.scenario, first, count)
        law = self.laws.of(drawn)
        course = course_of(self.scenario, drawn, first, count)
        simulate = self._colonies if self.scenario.run.engine == "colonies" else self._cells
        record, good, failures = simulate(law, course, first, count, stop)
        if course.tests:
            record = with_counts(record, first + good, self.scenario.run.rng_seed)
        mine = {path: values[good] for path, values in drawn.items()}
        told = told_of(self.scenario, mine, record.patients["diagnosis_day"])
        draws = self._draws(first, count)
        tables = chunk_tables(
            record,
            first + good,
            {**told, **{name: values[good] for name, values in draws.items()}},
            self.names,
            self.level,
        )
        rows = [{"patient": first + k, "error": failures[k]} for k in sorted(failures)]
        return {**tables, "failures": pa.Table.from_pylist(rows, FAILURES)}

    def _draws(self, first: int, count: int) -> dict[str, Ints]:
        """The column `draw`: which draw of the posterior each patient has, if there is one."""
        numbers = draw_numbers(self.scenario, first, count)
        return {} if numbers is None else {"draw": numbers}

    def _colonies(
        self, law: Law, course: Course, first: int, count: int, stop: Ints | None
    ) -> tuple[ChunkRecord, Ints, dict[int, str]]:
        """Record of the patients that came to their ends, their places, and what befell others."""
        from metasim.engines.colonies import simulate_chunk

        rng_seed = self.scenario.run.rng_seed
        states = streams.states(rng_seed, first, count, streams.COURSE)
        # only what is recorded with everything needs the second stream
        doomed = None
        if self.level == "everything":
            doomed = streams.states(rng_seed, first, count, streams.DOOMED)
        seen = flag() if stop is None else stop
        outcome = interruptible(lambda: simulate_chunk(law, course, states, doomed, seen), seen)
        if outcome.finished < count:
            raise KeyboardInterrupt
        return outcome.record, outcome.good, outcome.failures

    def _cells(
        self, law: Law, course: Course, first: int, count: int, stop: Ints | None = None
    ) -> tuple[ChunkRecord, Ints, dict[int, str]]:
        """As `_colonies`, with the cell engine."""
        from metasim.engines.cells import simulate

        everything, rng_seed = self.level == "everything", self.scenario.run.rng_seed
        options = {
            "max_cells": self.scenario.run.max_cells,
            "names": (self.names.organs, self.names.phenotypes),
            **dict(self.engine_options),
        }
        records: dict[int, PatientRecord] = {}
        failures: dict[int, str] = {}
        for k in range(count):
            rng = streams.generator(rng_seed, first + k, streams.COURSE)
            patient = law.patient(k), course.patient(k)
            try:
                records[k] = simulate(*patient, rng, None, everything, **options)
            except LimitError as error:
                failures[k] = str(error)
            except MetasimError:
                raise
            except Exception as error:
                failures[k] = f"{type(error).__name__}: {error}"
        shape = len(self.names.organs), len(self.names.phenotypes)
        return joined(list(records.values()), *shape), np.array(list(records), np.int64), failures
