"""A cohort of virtual patients: from a scenario to results."""

import platform
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from metasim.checked import checked
from metasim.errors import LimitError, OptionError
from metasim.results.parts import PartsFolder, Span
from metasim.results.store import Results, open_results
from metasim.results.writers import FolderWriter, MemoryWriter, Writer
from metasim.runner import executors
from metasim.runner.dispatch import Dispatcher, Todo, versions
from metasim.runner.patients import Cohort, record_level
from metasim.runner.precision import FIRST_ROUND, Precision, parse
from metasim.runner.progress import Reporter, reporting, stoppable
from metasim.scenario.explicit import explicit_toml
from metasim.scenario.schema import Scenario

__all__ = ["Cohort", "record_level", "run"]

ENGINE_OPTIONS: Final = ("cell_class", "history", "max_cells")
"""Options of the cell engine."""
MOST_AT_ONCE: Final = {"everything": 128}
"""Patients that a chunk may have at most, by recording level: what memory holds at once."""
MOST_AT_ONCE_ELSE: Final = 4096


@checked(lambda: ENGINE_OPTIONS)
def run(
    scenario: Scenario,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool = True,
    workers: int | None = None,
    executor: str | None = None,
    scheduler: str | None = None,
    patient: int | None = None,
    until: str | None = None,
    chunk: int | None = None,
    prepare: Callable[[Scenario], object] | None = None,
    **engine_options: Any,
) -> Results:
    """Simulate a scenario's patients.

    The tables depend on the scenario alone: not on executor, workers, chunks or their order.

    Args:
        scenario: from `metasim.load`.
        output: results folder to write; None keeps the results in memory.
        overwrite: replace an existing results folder.
        resume: go on with a run into `output` that was stopped; if it is finished, that is all.
        progress: show progress on standard error.
        workers: local workers, threads or, for the cell engine, processes; None: as many as there
            are cores, once the run's pace shows that they pay.
        executor: "serial", "threads", "processes" or "dask"; None: by engine, `workers` and
            `scheduler`.
        scheduler: address of a Dask scheduler, `tcp://host:8786`; its workers compute.
        patient: only this one of the scenario's patients, from 0; the same as among all.
        until: run as many patients as an interval takes to become so narrow, instead of
            `run.patients`: "bone.share +- 0.5%", see `metasim.runner.precision`.
        chunk: patients per chunk; None: what takes about a second.
        prepare: called with the scenario once nothing is left to refuse, before the first patient.
        **engine_options: for the engine, e.g. `cell_class` of the cell engine.

    Returns:
        The results; the same scenario gives the same tables, bit for bit. Patients that failed are
        in `failures` and in no other table.

    Raises:
        ResultsError: the folder exists, or cannot be written.
        OptionError: an option is not allowed, or the scheduler cannot be reached.
        LimitError: every patient outgrew a limit such as `run.max_colonies`.
        RunInterrupted: Ctrl-C, with how far the run came.

    Example:
        >>> results = ms.run(ms.load("luminal_a", {"run.patients": 20}))
        >>> len(results.patients)
        20
    """
    started, wall = datetime.now(UTC), time.perf_counter()
    executors.check(executor, workers, scheduler, scenario.run.engine)
    if engine_options and scenario.run.engine != "cells":
        raise OptionError(f'{next(iter(engine_options))} is for engine = "cells"')
    plan = _planned(scenario, patient, until)
    if chunk is not None and chunk < 1:
        raise OptionError(f"chunk = {chunk}: at least 1 patient is needed")
    cohort = Cohort(plan.scenario, tuple(engine_options.items()))
    into = _writer(cohort, plan, output, overwrite, resume)
    if isinstance(into, FolderWriter) and is_complete(into, progress):
        return open_results(into.folder)
    if prepare is not None:
        refuse(into, scheduler)
        prepare(plan.scenario)
    with into as writer:
        done = sum(span.size for span in writer.finished())
        with reporting(plan.patients.size, done, progress) as report:
            if remark := executors.remark(workers):
                report.note(remark)
            with (
                stoppable(report, output is not None, overwrite),
                Dispatcher(
                    _Chunks(cohort, writer.pack),
                    executors.choose(executor, workers, scheduler, scenario.run.engine),
                    report.note,
                    scenario.run.engine,
                ) as dispatcher,
            ):
                rounds = _Rounds(cohort.level, writer, report, dispatcher, chunk)
                patients = rounds.complete(plan)
        about = provenance(scenario, started, time.perf_counter() - wall)
        about |= {"executor": dispatcher.executor.name, "workers": len(dispatcher.workers)}
        if patient is not None:
            about["patient"] = patient
            about["run_again"] = f"metasim run scenario.toml --patient {patient}"
        if until is not None:
            about["until"] = until
        if report.failures == patients.size:
            writer.discard()
            which = "" if patient is not None else f"all {patients.size:,} patients failed, first "
            raise LimitError(which + rounds.first_failure)
        with stoppable(report, output is not None, overwrite):
            return writer.finish({**about, "patients": patients.size}, _text(plan, patients))


@dataclass(frozen=True)
class _Plan:
    """What to run.

    Attributes:
        scenario: the scenario, its recording level settled if `until` changes the patients.
        patients: numbers of the patients; with `precision`, those of the first round.
        precision: run more of them until this is reached.
    """

    scenario: Scenario
    patients: Span
    precision: Precision | None = None

    @cached_property
    def text(self) -> str:
        """The scenario written out."""
        return explicit_toml(self.scenario)


def is_complete(into: PartsFolder, progress: bool) -> bool:
    """Whether a run is to be resumed that is finished already; says so with `progress`.

    Raises:
        ResultsError: another finished run lies there.
    """
    complete = into.complete()
    if complete and progress:
        print("already complete", file=sys.stderr)
    return complete


def refuse(into: AbstractContextManager[object], scheduler: str | None) -> None:
    """Open what a run writes into, and close it, and reach the scheduler: refuses now, not later.

    Raises:
        ResultsError: it cannot be written, or resumed.
        OptionError: the scheduler cannot be reached.
    """
    with into:
        pass
    if scheduler is not None:
        executors.reach(scheduler)


def _planned(scenario: Scenario, patient: int | None, until: str | None) -> _Plan:
    everybody = scenario.run.patients
    if until is not None:
        if patient is not None:
            raise OptionError("--patient and --until exclude each other")
        precision = parse(until, scenario.model_dump())
        level = scenario.run.record or "metastases"
        settled = scenario.replace({"run.record": level, "run.patients": FIRST_ROUND})
        return _Plan(settled, Span(0, FIRST_ROUND), precision)
    if patient is None:
        return _Plan(scenario, Span(0, everybody))
    if not 0 <= patient < everybody:
        raise OptionError(f"--patient {patient}: the run has patients 0 to {everybody - 1:,}")
    return _Plan(scenario, Span(patient, 1))


def _text(plan: _Plan, patients: Span) -> str:
    """The scenario to save: running it again gives the same patients."""
    if plan.precision is None:
        return plan.text
    return explicit_toml(plan.scenario.replace({"run.patients": patients.size}))


class _Rounds:
    """Computes the patients that are missing, round by round."""

    def __init__(
        self,
        level: str,
        writer: Writer,
        report: Reporter,
        dispatcher: Dispatcher,
        chunk: int | None,
    ) -> None:
        self.first_failure = ""
        self._most = MOST_AT_ONCE.get(level, MOST_AT_ONCE_ELSE)
        self._writer = writer
        self._report = report
        self._dispatcher = dispatcher
        self._chunk = chunk

    def complete(self, plan: _Plan) -> Span:
        """Complete the plan's patients; returns which these were in the end."""
        patients, precision = plan.patients, plan.precision
        while True:
            self._report.total = patients.size
            self._round(patients)
            if precision is None:
                return patients
            about = {"record": "summary", "rows": {}}
            so_far = Results(_text(plan, patients), about, {"summary": self._writer.tally()})
            ratio = precision.reached(so_far)
            self._report.note(
                f"{patients.size:,} patients: the interval is {ratio:.2f} times as wide as asked"
            )
            if ratio <= 1:
                return patients
            try:
                patients = Span(0, precision.next_round(patients.size, ratio))
            except OptionError:
                self._writer.discard()  # there is nothing to go on to
                raise

    def _round(self, patients: Span) -> None:
        todo = Todo(patients, self._writer.finished(), most=self._most, size=self._chunk)
        for done in self._dispatcher.complete(todo):
            packed, failures = done.result
            self._writer.write_chunk(done.span, packed)
            self._report(done.worker, done.span.size, len(failures), done.seconds)
            if failures and not self.first_failure:
                self.first_failure = failures[0]


@dataclass(frozen=True)
class _Chunks:
    """What a worker does: simulate a chunk of patients and pack its tables."""

    cohort: Cohort
    pack: Callable[[Mapping[str, pa.Table]], Any]

    def __call__(self, first: int, count: int) -> tuple[Any, list[str]]:
        tables = self.cohort.chunk(first, count)
        failures = tables["failures"].to_pylist()
        return self.pack(tables), [f"patient {row['patient']}, {row['error']}" for row in failures]


def _writer(
    cohort: Cohort,
    plan: _Plan,
    output: str | Path | None,
    overwrite: bool,
    resume: bool,
) -> AbstractContextManager[FolderWriter | MemoryWriter]:
    text = plan.text
    if output is None:
        return nullcontext(MemoryWriter(text, record=cohort.level))
    matter = ("metasim", "numpy", "scipy", "numba", "mesa")
    identity = {name: versions()[name] for name in matter}
    identity |= {name: getattr(value, "__qualname__", repr(value))
                 for name, value in cohort.engine_options}  # fmt: skip
    if plan.precision is not None:
        identity["until"] = plan.precision.text
    elif plan.patients.size < cohort.scenario.run.patients:
        identity["patient"] = str(plan.patients.first)
    return FolderWriter(
        output,
        text,
        record=cohort.level,
        identity=identity,
        overwrite=overwrite,
        resume=resume,
    )


def provenance(scenario: Scenario, started: datetime, wall_seconds: float) -> dict[str, Any]:
    """What a results folder says of its making: versions, command, times, memory."""
    here, children = peak_memory()
    return {
        **versions(),
        "platform": platform.platform(),
        "command": sys.argv,
        "rng_seed": scenario.run.rng_seed,
        "started": started.isoformat(timespec="seconds"),
        "wall_seconds": round(wall_seconds, 3),
        "peak_memory_mib": here,
        "peak_memory_mib_of_the_largest_child": children,
    }


def peak_memory() -> tuple[float | None, float | None]:
    """Most memory that this process, and the largest of its ended children, has held, in MiB.

    None where the system does not tell; on Windows it tells nothing of children.
    """
    try:
        import resource
    except ImportError:
        return _peak_by_psutil(), None
    unit = 2**10 if sys.platform != "darwin" else 2**20  # ru_maxrss is in KiB, on macOS in bytes
    here, children = (
        round(resource.getrusage(who).ru_maxrss / unit, 1)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return here, children


def _peak_by_psutil() -> float | None:
    try:
        import psutil
    except ImportError:
        return None
    held = psutil.Process().memory_info()
    most: int = getattr(held, "peak_wset", held.rss)
    return round(most / 2**20, 1)
