"""The patients of a scenario, each addressed by its number: from a span of them to tables."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from metasim.engines.record import PatientRecord
from metasim.errors import LimitError, MetasimError
from metasim.law.arrays import Course, Law
from metasim.parameters.course import course_of, symptoms_of
from metasim.parameters.rates import Laws
from metasim.results.tables import FAILURES
from metasim.runner import streams
from metasim.runner.assemble import Names, chunk_tables
from metasim.runner.interrupts import held
from metasim.scenario.draws import draw_parameters
from metasim.scenario.schema import Scenario
from metasim.terms import treatment_names

EVERYTHING_UP_TO = 1000
"""Patients up to which everything is recorded unless the scenario says otherwise."""

Draw = Callable[[int, np.random.Generator, np.random.Generator, bool], PatientRecord]


def engine(name: str, law: Law, course: Course, options: Mapping[str, Any]) -> Draw:
    """An engine made ready for a chunk of patients, imported when first asked for.

    Args:
        name: `colonies` or `cells`.
        law: the law arrays of the chunk.
        course: the course arrays of the chunk.
        options: keyword arguments for the cell engine's `simulate`.

    Returns:
        A function (place in the chunk, rng, rng_doomed, everything) -> record of that patient.
    """
    if name == "colonies":
        from metasim.engines.colonies import prepare

        return prepare(law, course)
    from metasim.engines.cells import simulate

    return lambda k, *rest: simulate(law.patient(k), course.patient(k), *rest, **options)


def record_level(scenario: Scenario) -> str:
    """The recording level of a run: the scenario's, else by the number of patients."""
    if scenario.run.record is not None:
        return scenario.run.record
    return "everything" if scenario.run.patients <= EVERYTHING_UP_TO else "metastases"


@dataclass(frozen=True)
class Failure:
    """A patient that could not be simulated to the end.

    Attributes:
        patient: its number.
        error: what happened, one sentence.
    """

    patient: int
    error: str


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
        return Laws(self.scenario)

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

    def chunk(self, first: int, count: int) -> dict[str, pa.Table]:
        """Tables of patients first ... first + count - 1, by name; `failures` is one of them.

        Patients that failed are in that table only.
        """
        drawn = draw_parameters(self.scenario, first, count)
        outcomes = list(self.records(first, count, drawn))
        failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
        records = [outcome for outcome in outcomes if isinstance(outcome, PatientRecord)]
        good = np.array([isinstance(outcome, PatientRecord) for outcome in outcomes])
        tables = chunk_tables(
            records,
            first + np.flatnonzero(good),
            {path: values[good] for path, values in drawn.items()},
            self.names,
            self.level,
        )
        rows = [{"patient": f.patient, "error": f.error} for f in failures]
        return {**tables, "failures": pa.Table.from_pylist(rows, FAILURES)}

    def records(
        self, first: int, count: int, drawn: dict[str, Any]
    ) -> Iterator[PatientRecord | Failure]:
        """Simulate consecutive patients, one outcome each.

        A patient that outgrows a limit, or on whom the engine breaks, is a failure. What is wrong
        for all of them (an option, a class of the user's own) ends the run.

        Raises:
            MetasimError: of that kind.
        """
        law, course = self.laws.of(drawn), course_of(self.scenario, drawn)
        draw = engine(self.scenario.run.engine, law, course, self._options())
        with held(self.scenario.run.engine == "colonies") as pause:
            for k in range(count):
                yield self._outcome(draw, k, first + k)
                pause()

    def _outcome(self, draw: Draw, k: int, patient: int) -> PatientRecord | Failure:
        everything, rng_seed = self.level == "everything", self.scenario.run.rng_seed
        rng = streams.generator(rng_seed, patient, streams.COURSE)
        # only what is recorded with everything needs the second stream
        other = streams.generator(rng_seed, patient, streams.DOOMED) if everything else rng
        try:
            return draw(k, rng, other, everything)
        except LimitError as error:
            return Failure(patient, str(error))
        except MetasimError:
            raise
        except Exception as error:
            return Failure(patient, f"{type(error).__name__}: {error}")

    def _options(self) -> dict[str, Any]:
        return {
            "max_cells": self.scenario.run.max_cells,
            "names": (self.names.organs, self.names.phenotypes),
            **dict(self.engine_options),
        }
