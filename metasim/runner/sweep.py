"""A sweep: the same virtual patients at many points of a scenario's parameters.

Patient k has the same drawn parameters and random streams at every point (common random numbers):
points differ by what the parameters do, and by chance only from where they first changed a course.
All patients of all points stand in one row, point after
point; chunks of that row are computed like chunks of a cohort: anywhere, in any order, resumable.
"""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from metasim.checked import checked
from metasim.errors import MetasimError, OptionError
from metasim.results.parts import DIGEST, PartsFolder, Span, encoded
from metasim.results.sweeps import PARTS, POINT_FAILURES, TALLIES, Sweep, open_sweep, publish_sweep
from metasim.results.tables import FAILURES, SUMMARY
from metasim.results.tally import tally
from metasim.runner.design import Design, check_points, design
from metasim.runner.dispatch import versions
from metasim.runner.job import Way, carry_out, failures_of
from metasim.runner.patients import Cohort
from metasim.runner.progress import Observer
from metasim.runner.vary import Vary, vary_of
from metasim.scenario.explicit import explicit_toml
from metasim.scenario.schema import Scenario


@checked()
def sweep(
    scenario: Scenario,
    vary: Mapping[str, Any] | Sequence[Vary] | Design,
    *,
    sampler: str = "grid",
    points: int | None = None,
    many: bool = False,
    output: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool | Observer = True,
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
        sampler: "grid" (all combinations), "lhs" (Latin hypercube) or "sobol".
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
    way = Way(
        output=output, overwrite=overwrite, resume=resume, progress=progress, workers=workers,
        executor=executor, scheduler=scheduler, chunk=chunk, prepare=prepare,
    )  # fmt: skip
    way.check(scenario.run.engine)
    if isinstance(vary, Design):
        plan = vary
        check_points(scenario, plan)
    else:
        plan = design(scenario, vary_of(vary), sampler, points, many=many)
    return carry_out(_Sweep(scenario.replace({"run.record": "summary"}), plan, way), way)


class _Sweep:
    """The job of a sweep, see `metasim.runner.job.Job`: all patients of all points in one row."""

    level = "summary"

    def __init__(self, base: Scenario, plan: Design, way: Way) -> None:
        self.scenario = base
        self._plan = plan
        self._text = explicit_toml(base)
        print_of = {**(plan.asked or {"design": plan.sampler}), DIGEST: _digest(plan)}
        matter = ("metasim", "numpy", "scipy", "numba", "mesa")
        print_of |= {name: versions()[name] for name in matter} | {"scenario": self._text}
        folder = _passing_folder() if way.output is None else way.output
        self.into: AbstractContextManager[Any] = PartsFolder(
            folder, PARTS, print_of, overwrite=way.overwrite, resume=way.resume
        )

    def numbers(self) -> Span:
        """The patients of all points."""
        return Span(0, len(self._plan.values) * self.scenario.run.patients)

    def compute(self, store: PartsFolder) -> "_Chunks":
        """What a worker does."""
        return _Chunks(self.scenario, self._plan)

    def next_round(self, store: PartsFolder, done: Span, note: Callable[[str], None]) -> None:
        """There is one round."""

    def all_failed(self, numbers: Span, first: str) -> str:
        """What to say if no patient of any point succeeded."""
        return f"all patients of all points failed, first at {first}"

    def about(self) -> dict[str, Any]:
        """What provenance says of this sweep."""
        return {"design": self._plan.sampler}

    def finish(self, store: PartsFolder, numbers: Span, about: dict[str, Any]) -> Sweep:
        """The finished sweep."""
        return publish_sweep(store, self._text, about, self._plan)

    def opened(self, folder: Path) -> Sweep:
        """The sweep that was finished before."""
        return open_sweep(folder)


def _passing_folder() -> Path:
    """A folder that goes with the Python session.

    Raises:
        OptionError: there is no place for it.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="metasim-"))
    except OSError as error:
        raise OptionError(f"a sweep without `output` needs a temporary folder: {error}") from None
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "sweep"


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
        said = [
            f"{self.plan.spoken(row['point'])}: {failures_of([row])[0]}"
            for row in all_failed.slice(0, 1).to_pylist()
        ]
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
