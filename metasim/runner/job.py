"""A job: numbers to compute in chunks, resumable, and what becomes of them.

`metasim.run` and `metasim.sweep` are jobs; a sensitivity study is a sweep, a comparison some runs.
All are carried out, stopped and resumed here, in one way.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from metasim.errors import LimitError, OptionError
from metasim.results.parts import PartsFolder, Span
from metasim.runner import executors
from metasim.runner.dispatch import Compute, Dispatcher, Todo
from metasim.runner.progress import Observer, Reporter, reporting, stoppable
from metasim.runner.provenance import provenance
from metasim.scenario.schema import Scenario
from metasim.terms import MOST_AT_ONCE

Out = TypeVar("Out")
Out_co = TypeVar("Out_co", covariant=True)


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a job is carried out; that leaves no trace in what comes out. As for `metasim.run`."""

    output: str | Path | None = None
    overwrite: bool = False
    resume: bool = False
    progress: bool | Observer = True
    workers: int | None = None
    executor: str | None = None
    scheduler: str | None = None
    chunk: int | None = None
    prepare: Callable[[Scenario], object] | None = None

    def check(self, engine: str) -> None:
        """Check what can be checked before a job is made.

        Raises:
            OptionError: one of these is not allowed.
        """
        executors.check(self.executor, self.workers, self.scheduler, engine)
        if self.chunk is not None and self.chunk < 1:
            raise OptionError(f"chunk = {self.chunk}: at least 1 patient is needed")


class Store(Protocol):
    """Where chunks go: a folder or memory."""

    def finished(self) -> list[Span]:
        """The chunks that are complete, those of a resumed job included."""

    def write_chunk(self, span: Span, packed: Any) -> None:
        """Take a chunk."""

    def discard(self) -> None:
        """The job is not worth keeping."""


class Job(Protocol[Out_co]):
    """What is to be computed, and what becomes of it.

    Attributes:
        scenario: what is run; its engine computes.
        into: context manager of the store; a `PartsFolder` can be resumed.
        level: recording level.
    """

    scenario: Scenario
    into: AbstractContextManager[Any]
    level: str

    def numbers(self) -> Span:
        """What to compute, for a job in rounds: in the first one."""

    def compute(self, store: Any) -> Compute:
        """What a worker does with a chunk; returns what the store takes, and its failures."""

    def next_round(self, store: Any, done: Span, note: Callable[[str], None]) -> Span | None:
        """What to compute besides; None: that was all.

        Raises:
            OptionError: there is no way on.
        """

    def all_failed(self, numbers: Span, first: str) -> str:
        """What to say if nothing succeeded.

        Args:
            numbers: that were computed.
            first: what befell the first of them.
        """

    def about(self) -> dict[str, Any]:
        """What provenance says of this job."""

    def finish(self, store: Any, numbers: Span, about: dict[str, Any]) -> Out_co:
        """Put the chunks together."""

    def opened(self, folder: Path) -> Out_co:
        """What is finished already."""


@dataclass
class _Work(Generic[Out]):
    """A job under way."""

    job: Job[Out]
    way: Way
    store: Store
    report: Reporter
    dispatcher: Dispatcher
    first_failure: str = ""
    numbers: Span = field(default=Span(0, 0))

    def complete(self) -> None:
        """Compute what is missing, round by round."""
        todo: Span | None = self.job.numbers()
        while todo is not None:
            self.numbers = todo
            self.report.total = todo.size
            self._round(todo)
            try:
                todo = self.job.next_round(self.store, todo, self.report.note)
            except OptionError:
                self.store.discard()  # there is nothing to go on to
                raise

    def _round(self, numbers: Span) -> None:
        most = MOST_AT_ONCE[self.job.level]
        todo = Todo(numbers, self.store.finished(), most=most, size=self.way.chunk)
        for done in self.dispatcher.complete(todo):
            packed, failures = done.result
            self.store.write_chunk(done.span, packed)
            self.report(done.worker, done.span.size, len(failures), done.seconds)
            self.first_failure = self.first_failure or next(iter(failures), "")

    def refuse_nothing(self) -> None:
        """Refuse results of which there is nothing.

        Raises:
            LimitError: everything failed.
        """
        if self.report.failures == self.numbers.size:
            self.store.discard()
            raise LimitError(self.job.all_failed(self.numbers, self.first_failure))


def carry_out(job: Job[Out], way: Way) -> Out:
    """Carry out a job, or go on with it.

    Raises:
        ResultsError: the folder exists, or cannot be written.
        OptionError: the scheduler cannot be reached.
        LimitError: everything failed.
        RunInterrupted: Ctrl-C, with how far it came.
    """
    started, wall = datetime.now(UTC), time.perf_counter()
    into, engine = job.into, job.scenario.run.engine
    if isinstance(into, PartsFolder) and into.complete():
        with reporting(job.numbers().size, 0, way.progress) as report:
            report.note("already complete")
        return job.opened(into.folder)
    if way.prepare is not None:
        _refuse(into, way.scheduler)
        way.prepare(job.scenario)
    with into as store:
        done = sum(span.size for span in store.finished())
        if engine == "colonies" and way.scheduler is None:
            _compile_first(job, store, way)
        with reporting(job.numbers().size, done, way.progress) as report:
            if remark := executors.remark(way.workers):
                report.note(remark)
            chosen = executors.choose(way.executor, way.workers, way.scheduler, engine)
            with (
                stoppable(report, way.output is not None, way.overwrite),
                Dispatcher(job.compute(store), chosen, report.note, engine) as dispatcher,
            ):
                work = _Work(job, way, store, report, dispatcher)
                work.complete()
        work.refuse_nothing()
        about = provenance(job.scenario, started, time.perf_counter() - wall)
        about |= {"executor": dispatcher.executor.name, "workers": len(dispatcher.workers)}
        with stoppable(report, way.output is not None, way.overwrite):
            return job.finish(store, work.numbers, about | job.about())


def _compile_first(job: Job[Out], store: Store, way: Way) -> None:
    """On the first run of all, compile the engine before anyone measures a pace, and say so."""
    from metasim.engines.colonies import COMPILING, compiled

    if compiled():
        return
    with reporting(job.numbers().size, 0, way.progress) as report, stoppable(report, False, False):
        report.note(COMPILING)
        job.compute(store)(job.numbers().first, 1)  # whatever becomes of this patient


def _refuse(into: AbstractContextManager[object], scheduler: str | None) -> None:
    """Open what a job writes into, and close it, and reach the scheduler: refuses now, not later.

    Raises:
        ResultsError: it cannot be written, or resumed.
        OptionError: the scheduler cannot be reached.
    """
    with into:
        pass
    if scheduler is not None:
        executors.reach(scheduler)


def failures_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Rows of the table of failures in words."""
    return [f"patient {row['patient']}, {row['error']}" for row in rows]
