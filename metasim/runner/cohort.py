"""A cohort of virtual patients: from a scenario to results."""

import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from metasim.engines.record import PatientRecord
from metasim.errors import LimitError, RunInterrupted
from metasim.law.course import Course, course_of, symptoms_of
from metasim.law.rates import Law, Laws
from metasim.results.store import Results
from metasim.results.writers import FolderWriter, MemoryWriter
from metasim.runner import streams
from metasim.runner.assemble import Names, chunk_tables
from metasim.runner.progress import reporting
from metasim.scenario.draws import draw_parameters
from metasim.scenario.explicit import explicit_toml
from metasim.scenario.schema import Scenario
from metasim.terms import treatment_names

CHUNK = 128
"""Patients per chunk: what an interrupted run may lose, and what memory holds at once."""

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
class Cohort:
    """The patients of a scenario, each addressed by its number.

    Attributes:
        scenario: what is asked.
        engine_options: keyword arguments for the engine's `simulate`.
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

    def _options(self) -> dict[str, Any]:
        return {
            "max_cells": self.scenario.run.max_cells,
            "names": (self.names.organs, self.names.phenotypes),
            **dict(self.engine_options),
        }

    def chunk(self, first: int, count: int) -> dict[str, Any]:
        """Tables of patients first ... first + count - 1, by name."""
        drawn = draw_parameters(self.scenario, first, count)
        records = list(self.records(first, count, drawn))
        return chunk_tables(records, first, drawn, self.names, self.level)

    def records(self, first: int, count: int, drawn: dict[str, Any]) -> Iterator[PatientRecord]:
        """Simulate consecutive patients.

        Raises:
            LimitError: a patient outgrew a limit; names the patient.
        """
        law, course = self.laws.of(drawn), course_of(self.scenario, drawn)
        draw = engine(self.scenario.run.engine, law, course, self._options())
        rng_seed = self.scenario.run.rng_seed
        everything = self.level == "everything"
        for k in range(count):
            try:
                rng = streams.generator(rng_seed, first + k, streams.COURSE)
                # only what is recorded with everything needs the second stream
                other = rng
                if everything:
                    other = streams.generator(rng_seed, first + k, streams.DOOMED)
                yield draw(k, rng, other, everything)
            except LimitError as error:
                error.args = (f"patient {first + k}, {error}",)
                raise


def run(
    scenario: Scenario,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool = True,
    **engine_options: Any,
) -> Results:
    """Simulate a scenario's patients.

    Args:
        scenario: from `metasim.load`.
        output: results folder to write; None keeps the results in memory.
        overwrite: replace an existing results folder.
        resume: go on with a run into `output` that was stopped.
        progress: show progress on standard error.
        **engine_options: for the engine, e.g. `cell_class` of the cell engine.

    Returns:
        The results; the same scenario gives the same tables, bit for bit.

    Raises:
        ResultsError: the folder exists, or cannot be written.
        LimitError: a patient outgrew `run.max_cells` or `run.max_colonies`.
        RunInterrupted: Ctrl-C, with how far the run came.
    """
    cohort = Cohort(scenario, tuple(engine_options.items()))
    patients = scenario.run.patients
    start, wall = datetime.now(UTC), time.perf_counter()
    with _writer(cohort, output, overwrite, resume) as writer:
        finished = writer.finished_chunks()
        chunks = range(-(-patients // CHUNK))
        done = sum(min(CHUNK, patients - CHUNK * i) for i in finished)
        try:
            with reporting(patients, done, progress) as report:
                for index in chunks:
                    if index in finished:
                        continue
                    first = index * CHUNK
                    count = min(CHUNK, patients - first)
                    writer.write_chunk(index, cohort.chunk(first, count))
                    done += count
                    report(done)
        except KeyboardInterrupt:
            kept = "; they are kept, --resume goes on from there" if output and done else ""
            raise RunInterrupted(f"stopped after {done:,} of {patients:,} patients{kept}") from None
        return writer.finish(_provenance(scenario, start, time.perf_counter() - wall))


def _writer(
    cohort: Cohort, output: str | Path | None, overwrite: bool, resume: bool
) -> AbstractContextManager[FolderWriter | MemoryWriter]:
    text = explicit_toml(cohort.scenario)
    if output is None:
        return nullcontext(MemoryWriter(text, record=cohort.level))
    from metasim import __version__

    return FolderWriter(
        output,
        text,
        record=cohort.level,
        identity={"metasim": __version__, "chunk": CHUNK},
        overwrite=overwrite,
        resume=resume,
    )


def _provenance(scenario: Scenario, start: datetime, wall_seconds: float) -> dict[str, Any]:
    from importlib.metadata import version

    from metasim import __version__

    kib = 1 if sys.platform != "darwin" else 1024  # ru_maxrss is in KiB, on macOS in bytes
    return {
        "metasim": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in ("numpy", "numba", "mesa", "pyarrow")},
        "platform": platform.platform(),
        "command": sys.argv,
        "rng_seed": scenario.run.rng_seed,
        "started": start.isoformat(timespec="seconds"),
        "wall_seconds": round(wall_seconds, 3),
        "peak_memory_mib": round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / kib, 1
        ),
    }
