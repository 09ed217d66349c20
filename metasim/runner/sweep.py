"""A sweep: the same virtual patients at many points of a scenario's parameters.

Patient k has the same drawn parameters and random streams at every point (common random numbers):
points differ by what the parameters do, and by chance only from where they first changed a course.
All patients of all points stand in one row, point after
point; chunks of that row are computed like chunks of a cohort: anywhere, in any order, resumable.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from metasim.checked import checked
from metasim.errors import LimitError, MetasimError, OptionError
from metasim.results.parts import DIGEST, PartsFolder, Span, encoded
from metasim.results.sweeps import PARTS, POINT_FAILURES, TALLIES, Sweep, open_sweep, publish_sweep
from metasim.results.tables import FAILURES, SUMMARY
from metasim.results.tally import tally
from metasim.runner import executors
from metasim.runner.cohort import MOST_AT_ONCE_ELSE, is_complete, provenance, refuse
from metasim.runner.design import Design, check_points, design
from metasim.runner.dispatch import Dispatcher, Todo, versions
from metasim.runner.patients import Cohort
from metasim.runner.progress import reporting, stoppable
from metasim.runner.vary import Vary, vary_of
from metasim.scenario.explicit import explicit_toml
from metasim.scenario.schema import Scenario


@checked()
def sweep(
    scenario: Scenario,
    vary: Mapping[str, Any] | Sequence[Vary] | Design,
    *,
    kind: str = "grid",
    points: int | None = None,
    many: bool = False,
    output: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool = True,
    workers: int | None = None,
    executor: str | None = None,
    scheduler: str | None = None,
    chunk: int | None = None,
    prepare: Callable[[Scenario], object] | None = None,
) -> Sweep:
    """Run a scenario at many points.

    Args:
        scenario: the base; each point has its `run.patients` and `run.rng_seed`. A key that is
            drawn for each patient is fixed where it varies.
        vary: key path -> (low, high, step), or (low, high) for a sample, a list of values, or a
            text as after the `=` of `--vary` ("1e-3:10:5@log"); or a finished design.
        kind: "grid" (all combinations), "lhs" (Latin hypercube) or "sobol".
        points: number of points of a sample.
        many: more than a million points are meant.
        output: folder to write; None: a temporary one, which goes with the Python session.
        overwrite: replace an existing folder.
        resume: go on with a sweep into `output` that was stopped; if it is finished, that is all.
        progress: show progress on standard error.
        workers: as for `metasim.run`, like the three below.
        executor: where chunks are computed.
        scheduler: address of a Dask scheduler.
        chunk: patients per chunk.
        prepare: called with the scenario once nothing is left to refuse, before the first patient.

    Raises:
        OptionError: an option or range is not allowed.
        ScenarioError: a key is unknown, or the scenario refuses some of the points.
        ResultsError: the folder exists, or cannot be written.
        LimitError: all patients of all points failed.
        RunInterrupted: Ctrl-C, with how far the sweep came.

    Example:
        >>> base = ms.load("luminal_a", {"run.patients": 20})
        >>> swept = ms.sweep(base, {"soil.bone.niche": (0.0, 1.0, 0.5)})
        >>> swept.table["soil.bone.niche"].unique().tolist()
        [0.0, 0.5, 1.0]
    """
    started, wall = datetime.now(UTC), time.perf_counter()
    executors.check(executor, workers, scheduler, scenario.run.engine)
    if isinstance(vary, Design):
        plan = vary
        check_points(scenario, plan)
    else:
        plan = design(scenario, vary_of(vary), kind, points, many=many)
    base = scenario.replace({"run.record": "summary"})
    text = explicit_toml(base)
    whole_row = Span(0, len(plan.values) * base.run.patients)
    print_of = {**(plan.asked or {"design": plan.kind}), DIGEST: _digest(plan)}
    print_of |= {name: versions()[name] for name in ("metasim", "numpy", "scipy", "numba", "mesa")}
    folder = Path(tempfile.mkdtemp(prefix="metasim-")) / "sweep" if output is None else output
    into = PartsFolder(
        folder, PARTS, {**print_of, "scenario": text}, overwrite=overwrite, resume=resume
    )
    if is_complete(into, progress):
        return open_sweep(into.folder)
    if prepare is not None:
        refuse(into, scheduler)
        prepare(base)
    with into as parts:
        done = sum(span.size for span in parts.finished())
        with reporting(whole_row.size, done, progress) as report:
            if remark := executors.remark(workers):
                report.note(remark)
            with (
                stoppable(report, output is not None, overwrite),
                Dispatcher(
                    _Chunks(base, plan),
                    executors.choose(executor, workers, scheduler, scenario.run.engine),
                    report.note,
                    scenario.run.engine,
                ) as dispatcher,
            ):
                first_failure = ""
                todo = Todo(whole_row, parts.finished(), most=MOST_AT_ONCE_ELSE, size=chunk)
                for finished in dispatcher.complete(todo):
                    packed, failures = finished.result
                    parts.write_chunk(finished.span, packed)
                    report(finished.worker, finished.span.size, len(failures), finished.seconds)
                    first_failure = first_failure or next(iter(failures), "")
        if report.failures == whole_row.size:
            parts.discard()
            raise LimitError(f"all patients of all points failed, first at {first_failure}")
        about = provenance(base, started, time.perf_counter() - wall)
        about |= {"executor": dispatcher.executor.name, "design": plan.kind}
        with stoppable(report, output is not None, overwrite):
            out = publish_sweep(parts, text, about, plan)
    if output is None:
        import atexit

        atexit.register(shutil.rmtree, out.folder.parent, ignore_errors=True)
    return out


@dataclass(frozen=True)
class _Chunks:
    """What a worker does: simulate some patients of some points and count their metastases."""

    base: Scenario
    plan: Design

    def __call__(self, first: int, count: int) -> tuple[dict[str, bytes], list[str]]:
        patients, end, plain = self.base.run.patients, first + count, self.base.model_dump()
        tallies, failures = [TALLIES.empty_table()], [POINT_FAILURES.empty_table()]
        while first < end:
            point, patient = divmod(first, patients)
            here = min(patients - patient, end - first)
            counted, failed = self._point(point, Span(patient, here), plain)
            tallies.append(_at(point, counted))
            failures.append(_at(point, failed))
            first += here
        all_failed = pa.concat_tables(failures)
        packed = {"tallies": encoded(pa.concat_tables(tallies)), "failures": encoded(all_failed)}
        said = [f"{self.plan.spoken(row['point'])}: patient {row['patient']}, {row['error']}"
                for row in all_failed.slice(0, 1).to_pylist()]  # fmt: skip
        return packed, said * all_failed.num_rows

    def _point(
        self, point: int, patients: Span, plain: Mapping[str, Any]
    ) -> tuple[pa.Table, pa.Table]:
        """Tally and failures of some patients of a point; one that breaks fails for all of them."""
        try:
            tables = _cohort(self, point).chunk(*patients)
            return tally(tables["metastases"], tables["patients"], plain), tables["failures"]
        except OptionError:
            raise
        except Exception as error:
            what = error if isinstance(error, MetasimError) else f"{type(error).__name__}: {error}"
            numbers = range(patients.first, patients.first + patients.size)
            rows = [{"patient": patient, "error": str(what)} for patient in numbers]
            return SUMMARY.empty_table(), pa.Table.from_pylist(rows, FAILURES)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


@lru_cache(maxsize=2)
def _cohort(chunks: _Chunks, point: int) -> Cohort:
    """The patients of a point; a large point is cut into several chunks."""
    return Cohort(chunks.base.replace(chunks.plan.changes(point)))


def _at(point: int, table: pa.Table) -> pa.Table:
    """A table with the column `point` before its others."""
    return table.add_column(0, "point", pa.array([point] * table.num_rows, pa.int64()))


def _digest(plan: Design) -> str:
    from hashlib import sha256

    said = " ".join([*plan.keys, *map(repr, sorted(plan.names.items()))])
    return sha256(said.encode() + plan.values.tobytes()).hexdigest()
