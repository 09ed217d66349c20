"""A cohort of virtual patients: from a scenario to results."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from metasim.checked import checked
from metasim.errors import OptionError
from metasim.results.parts import Span
from metasim.results.store import Results, open_results
from metasim.results.writers import FolderWriter, MemoryWriter, Writer
from metasim.runner.dispatch import versions
from metasim.runner.job import Way, carry_out, failures_of
from metasim.runner.patients import Cohort, record_level
from metasim.runner.precision import FIRST_ROUND, Precision, parse
from metasim.runner.progress import Observer
from metasim.scenario.explicit import explicit_toml
from metasim.scenario.schema import Scenario

__all__ = ["Cohort", "record_level", "run"]


ENGINE_OPTIONS: Final = ("cell_class", "history", "max_cells")
"""Options of the cell engine."""


@checked(lambda: ENGINE_OPTIONS)
def run(
    scenario: Scenario,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool | Observer = True,
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
        progress: show progress on standard error; or what is told of it, an `Observer` of
            `metasim.runner.progress`.
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
    way = Way(
        output=output, overwrite=overwrite, resume=resume, progress=progress, workers=workers,
        executor=executor, scheduler=scheduler, chunk=chunk, prepare=prepare,
    )  # fmt: skip
    way.check(scenario.run.engine)
    if engine_options and scenario.run.engine != "cells":
        raise OptionError(f'{next(iter(engine_options))} is for engine = "cells"')
    plan = _planned(scenario, patient, until)
    return carry_out(_Run(plan, Cohort(plan.scenario, tuple(engine_options.items())), way), way)


@dataclass(frozen=True)
class _Plan:
    """What to run.

    Attributes:
        scenario: the scenario, its recording level settled if `until` changes the patients.
        patients: numbers of the patients; with `precision`, those of the first round.
        precision: run more of them until this is reached.
        alone: one patient was asked for.
    """

    scenario: Scenario
    patients: Span
    precision: Precision | None = None
    alone: bool = False

    @cached_property
    def text(self) -> str:
        """The scenario written out."""
        return explicit_toml(self.scenario)


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
    return _Plan(scenario, Span(patient, 1), alone=True)


def _text(plan: _Plan, patients: Span) -> str:
    """The scenario to save: running it again gives the same patients."""
    if plan.precision is None:
        return plan.text
    return explicit_toml(plan.scenario.replace({"run.patients": patients.size}))


class _Run:
    """The job of a run, see `metasim.runner.job.Job`."""

    def __init__(self, plan: _Plan, cohort: Cohort, way: Way) -> None:
        self.scenario = plan.scenario
        self.level = cohort.level
        self.into = _writer(cohort, plan, way)
        self._plan = plan
        self._cohort = cohort

    def numbers(self) -> Span:
        """The patients."""
        return self._plan.patients

    def compute(self, store: Writer) -> "_Chunks":
        """What a worker does."""
        return _Chunks(self._cohort, store.pack)

    def next_round(self, store: Writer, done: Span, note: Callable[[str], None]) -> Span | None:
        """More patients until the precision asked for is reached."""
        precision = self._plan.precision
        if precision is None:
            return None
        about = {"record": "summary", "rows": {}}
        so_far = Results(_text(self._plan, done), about, {"summary": store.tally()})
        ratio = precision.reached(so_far)
        note(f"{done.size:,} patients: the interval is {ratio:.2f} times as wide as asked")
        return None if ratio <= 1 else Span(0, precision.next_round(done.size, ratio))

    def all_failed(self, numbers: Span, first: str) -> str:
        """What to say if no patient succeeded."""
        return first if self._alone else f"all {numbers.size:,} patients failed, first {first}"

    def about(self) -> dict[str, Any]:
        """What provenance says of this run."""
        if self._plan.precision is not None:
            return {"until": self._plan.precision.text}
        if self._alone:
            patient = self._plan.patients.first
            again = f"metasim run scenario.toml --patient {patient}"
            return {"patient": patient, "run_again": again}
        return {}

    def finish(self, store: Writer, numbers: Span, about: dict[str, Any]) -> Results:
        """The results."""
        return store.finish({**about, "patients": numbers.size}, _text(self._plan, numbers))

    def opened(self, folder: Path) -> Results:
        """The results of a finished run."""
        return open_results(folder)

    @property
    def _alone(self) -> bool:
        return self._plan.alone


@dataclass(frozen=True)
class _Chunks:
    """What a worker does: simulate a chunk of patients and pack its tables."""

    cohort: Cohort
    pack: Callable[[Mapping[str, pa.Table]], Any]

    def __call__(self, first: int, count: int) -> tuple[Any, list[str]]:
        tables = self.cohort.chunk(first, count)
        return self.pack(tables), failures_of(tables["failures"].to_pylist())


def _writer(
    cohort: Cohort, plan: _Plan, way: Way
) -> AbstractContextManager[FolderWriter | MemoryWriter]:
    text = plan.text
    if way.output is None:
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
        way.output,
        text,
        record=cohort.level,
        identity=identity,
        overwrite=way.overwrite,
        resume=way.resume,
    )
