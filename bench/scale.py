"""Cohorts at scale: what a million patients take, what workers and Dask add.

To try it with fewer: python -m bench scale --patients 20000
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

import metasim as ms
from bench.report import Report
from metasim.results.parts import Span
from metasim.results.writers import FolderWriter
from metasim.runner.cohort import MOST_AT_ONCE_ELSE
from metasim.runner.dispatch import Dispatcher, Todo
from metasim.runner.executors import Dask, Executor, Processes
from metasim.runner.patients import Cohort
from metasim.scenario.explicit import explicit_toml
from metasim.scenario.schema import Scenario

MILLION = 1_000_000

_SECONDS = 200.0  # for a million
_MEMORY_MIB = 1_536.0
_SECONDS_BETWEEN_SAMPLES = 0.2
_ROUNDS = 3
_FEWEST = 8_000  # patients on which workers are compared: some seconds

_RUN = """
import sys, tempfile
import metasim as ms
asked = ms.load("luminal_a", {"run.patients": int(sys.argv[1]), "run.record": "patients"})
with tempfile.TemporaryDirectory() as folder:
    done = ms.run(asked, output=folder + "/out", progress=False, workers=2)
    print(len(done.patients) + len(done.failures))
"""


def luminal(patients: int, **changes: object) -> Scenario:
    """The scenario of the benchmark at level patients."""
    return ms.load("luminal_a", {"run.patients": patients, "run.record": "patients"} | changes)


def rate(executor: Executor, patients: int, size: int | None = None) -> float:
    """Patients per second once the workers are warm, their parts written to a folder.

    Args:
        executor: where; closed at the end.
        patients: how many are timed.
        size: patients per chunk; None: as in a run.
    """
    warm = 64 * executor.slots()
    asked = luminal(warm + patients)
    with tempfile.TemporaryDirectory() as folder:
        writer = FolderWriter(folder + "/out", explicit_toml(asked), record="patients")
        chunks = _Chunks(Cohort(asked), writer)
        with writer, Dispatcher(chunks, executor) as dispatcher:
            for todo in (
                Todo(Span(0, warm), most=16),
                Todo(Span(warm, patients), most=MOST_AT_ONCE_ELSE, size=size),
            ):
                start = time.perf_counter()
                for done in dispatcher.complete(todo):
                    writer.write_chunk(done.span, done.result)
            return patients / (time.perf_counter() - start)


class _Chunks:
    """Simulates and packs, as a run's workers do."""

    def __init__(self, cohort: Cohort, writer: FolderWriter) -> None:
        self.cohort = cohort
        self.pack = writer.pack

    def __call__(self, first: int, count: int) -> object:
        return self.pack(self.cohort.chunk(first, count))


class Watched(NamedTuple):
    """What a run took.

    Attributes:
        seconds: wall time of the whole command.
        memory_mib: peak of the sum over all its processes, a page that n share counted 1/n each
            (where the system tells; else n times).
        counted_twice_mib: the same with shared pages counted in every process.
    """

    seconds: float
    memory_mib: float
    counted_twice_mib: float


def watched(patients: int) -> Watched:
    """A run into a folder with two workers, its process tree looked at while it runs."""
    import psutil

    start = time.perf_counter()
    run = psutil.Popen([sys.executable, "-c", _RUN, str(patients)], stdout=subprocess.PIPE)
    shared = resident = 0.0
    while run.poll() is None:
        try:
            family = [p.memory_full_info() for p in (run, *run.children(recursive=True))]
        except psutil.Error:
            continue  # one of them has just ended
        resident = max(resident, sum(info.rss for info in family) / 2**20)
        shared = max(shared, sum(getattr(info, "pss", info.rss) for info in family) / 2**20)
        time.sleep(_SECONDS_BETWEEN_SAMPLES)
    took = time.perf_counter() - start
    assert int(run.stdout.read()) == patients
    return Watched(took, shared, resident)


@contextmanager
def dask() -> Iterator[str]:
    """A scheduler and two workers on this machine: the address."""
    from tests import faults

    with faults.cluster(2) as (address, _):
        time.sleep(3.0)
        yield address


def _on(address: str) -> Dask:
    executor = Dask(address)
    while executor.slots() < 2:
        time.sleep(0.1)
    return executor


def run(report: Report, patients: int = MILLION) -> None:
    """The figures of cohorts at scale.

    Args:
        report: prints them.
        patients: of the large run; workers are compared on a twentieth, at least `_FEWEST`.
    """
    report.section("cohorts: luminal_a, 15 years, weekly steps, surgery, level patients")
    whole = watched(patients)
    limit = _SECONDS * patients / MILLION
    report.line(f"{patients:,} patients, 2 workers, the whole command", whole.seconds, "s", limit)
    report.line("the same against the goal", whole.seconds, "s", limit / 2)
    report.line("peak memory of all its processes together", whole.memory_mib, "MiB", _MEMORY_MIB)
    report.note(f"(with shared pages counted in every process {whole.counted_twice_mib:,.0f} MiB)")
    some = max(_FEWEST, patients // 20)
    rates = [(rate(Processes(1), some), rate(Processes(2), some)) for _ in range(_ROUNDS)]
    ratios = [two / one for one, two in rates]
    report.line(f"two workers, in the speed of one ({some:,} patients)", median(ratios), "x", 1.9,
                more_is_better=True)  # fmt: skip
    size = max(64, int(1.5 * median(one for one, _ in rates)))
    several = max(some, 8 * size)
    with dask() as address:
        times = [rate(Processes(2), several, size) / rate(_on(address), several, size)
                 for _ in range(_ROUNDS)]  # fmt: skip
    report.line(f"Dask, chunks of {size:,}, in the time of local processes", median(times), "x",
                1.1)  # fmt: skip
    report.note(f"({_ROUNDS} rounds each, medians; workers {_spoken(ratios)}, "
                f"Dask {_spoken(times)})")  # fmt: skip


def _spoken(ratios: list[float]) -> str:
    return ", ".join(f"{ratio:.2f}" for ratio in ratios)
