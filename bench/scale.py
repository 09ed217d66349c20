"""Cohorts at scale: what a million patients take, what workers and Dask add.

To try it with fewer: python -m bench scale --patients 20000
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any, NamedTuple, Self

import metasim as ms
from bench.report import Report
from metasim.results.parts import Span
from metasim.results.writers import FolderWriter
from metasim.runner.dispatch import Dispatcher, Todo
from metasim.runner.executors import Dask, Executor, Processes, Threads
from metasim.runner.patients import Cohort
from metasim.scenario.explicit import explicit_toml
from metasim.scenario.schema import Scenario
from metasim.terms import MOST_AT_ONCE

MILLION = 1_000_000

_SECONDS = 65.0  # for a million
_MEMORY_MIB = 700.0
_SECONDS_BETWEEN_SAMPLES = 0.2
_ROUNDS = 7  # of each comparison: the machine's own speed changes from one to the next
_FEWEST = 8_000  # patients on which workers are compared: some seconds
_ADDITIONS = 20_000_000  # a second's worth

_RUN = """
import sys, tempfile
import metasim as ms
asked = ms.load("luminal_a_surgery", {"run.patients": int(sys.argv[1]), "run.record": "patients"})
with tempfile.TemporaryDirectory() as folder:
    done = ms.run(asked, output=folder + "/out", progress=False, workers=2)
    print(len(done.patients) + len(done.failures))
"""


def luminal(patients: int, **changes: object) -> Scenario:
    """The scenario of the benchmark at level patients."""
    return ms.load(
        "luminal_a_surgery", {"run.patients": patients, "run.record": "patients"} | changes
    )


class Crew:
    """An executor with every worker warm, timed on one cohort; a context manager that ends it.

    Args:
        executor: where.
        patients: of the cohort.
        size: patients per chunk; None: as in a run.
    """

    def __init__(self, executor: Executor, patients: int, size: int | None = None) -> None:
        self.asked = luminal(patients)
        self._executor = executor
        self._patients = patients
        self._size = size
        self._text = explicit_toml(self.asked)
        pack = FolderWriter("never", self._text, record="patients").pack
        self._dispatcher = Dispatcher(_Chunks(Cohort(self.asked), pack), executor)

    def __enter__(self) -> Self:
        warm: set[str] = set()
        while len(warm) < self._executor.slots():  # the first to start may do all that is small
            some = self._dispatcher.complete(Todo(Span(0, 64), most=16))
            warm |= {done.worker for done in some}
        return self

    def __exit__(self, *_: object) -> None:
        self._dispatcher.__exit__()

    def rate(self) -> float:
        """Patients per second, their parts written to a folder."""
        todo = Todo(Span(0, self._patients), most=MOST_AT_ONCE["metastases"], size=self._size)
        with (
            tempfile.TemporaryDirectory() as folder,
            FolderWriter(folder + "/out", self._text, record="patients") as writer,
        ):
            start = time.perf_counter()
            for done in self._dispatcher.complete(todo):
                writer.write_chunk(done.span, done.result)
            return self._patients / (time.perf_counter() - start)

    def plain_rate(self) -> float:
        """What the machine itself has to give: loops of plain additions a second."""
        slots = self._executor.slots()
        start = time.perf_counter()
        for future in [self._executor.submit(_add, _ADDITIONS) for _ in range(slots)]:
            future.result()
        return slots / (time.perf_counter() - start)


class _Chunks:
    """Simulates and packs, as a run's workers do."""

    def __init__(self, cohort: Cohort, pack: Callable[[Any], Any]) -> None:
        self.cohort = cohort
        self.pack = pack

    def __call__(self, first: int, count: int) -> object:
        return self.pack(self.cohort.chunk(first, count))


def _add(times: int) -> int:
    total = 0
    for k in range(times):
        total += k
    return total


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
    report.section("cohorts: luminal_a_surgery, 15 years, weekly steps, surgery, level patients")
    whole = watched(patients)
    limit = _SECONDS * patients / MILLION
    report.line(f"{patients:,} patients, 2 workers, the whole command", whole.seconds, "s", limit)
    report.line("the same against the goal", whole.seconds, "s", limit / 2)
    report.line("peak memory of all its processes together", whole.memory_mib, "MiB", _MEMORY_MIB)
    report.note(f"(with shared pages counted in every process {whole.counted_twice_mib:,.0f} MiB)")
    some = max(_FEWEST, patients // 20)
    with (
        Crew(Threads(1), some) as one,
        Crew(Threads(2), some) as two,
        Crew(Processes(1), some) as adds,
        Crew(Processes(2), some) as add,
    ):
        paces, rounds, plain = zip(
            *[(*_turns(one, two), add.plain_rate() / adds.plain_rate()) for _ in range(_ROUNDS)],
            strict=True,
        )
    report.line(f"two workers, in the speed of one ({some:,} patients)", median(rounds), "x", 1.9,
                more_is_better=True)  # fmt: skip
    report.line("of what this machine gives two processes that only add",
                median(rounds) / median(plain), "x", 0.95, more_is_better=True)  # fmt: skip
    report.note(f"(workers {_spoken(rounds)})")
    report.note(f"(additions {_spoken(plain)})")
    size = max(64, int(1.5 * median(paces)))
    several = max(some, 4 * size)
    with (
        dask() as address,
        Crew(_on(address), several, size) as cluster,
        Crew(Threads(2), several, size) as local,
    ):
        rounds = tuple(1 / _turns(local, cluster)[1] for _ in range(_ROUNDS // 2))
    report.line(f"Dask, chunks of {size:,}, in the time of local workers", median(rounds), "x",
                1.1)  # fmt: skip
    report.note(f"({_spoken(rounds)})")


def _turns(one: Crew, other: Crew) -> tuple[float, float]:
    """The speed of the one, and of the other in that of the one just before and after."""
    before, between, after = one.rate(), other.rate(), one.rate()
    pace = (before + after) / 2
    return pace, between / pace


def _spoken(ratios: Sequence[float]) -> str:
    return ", ".join(f"{ratio:.2f}" for ratio in sorted(ratios)) + f"; median {median(ratios):.2f}"
