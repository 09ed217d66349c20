"""Cohorts at scale: what workers, Dask and a million patients cost, and how cost grows.

A million patients are extrapolated from a smaller run; python -m bench scale --full runs them too.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

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
FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "cost.png"

_MEMORY = """
import sys, tempfile
import metasim as ms
asked = ms.load("luminal_a", {"run.patients": int(sys.argv[1]), "run.record": "patients"})
with tempfile.TemporaryDirectory() as folder:
    ms.run(asked, output=folder + "/out", progress=False, workers=2, executor="processes")
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


def peak_memory(patients: int) -> float:
    """Peak of the memory of all processes of a run together, MiB (shared pages count twice)."""
    import psutil

    run = psutil.Popen([sys.executable, "-c", _MEMORY, str(patients)])
    peak = 0.0
    while run.poll() is None:
        try:
            family = [run, *run.children(recursive=True)]
            peak = max(peak, sum(p.memory_info().rss for p in family) / 2**20)
        except psutil.Error:
            pass  # one of them has just ended
        time.sleep(0.1)
    assert run.returncode == 0
    return peak


def seconds(scenario: Scenario) -> float:
    """Processor time of a run in this process, the least of three."""
    times = []
    for _ in range(3):
        start = time.process_time()
        ms.run(scenario, progress=False, executor="serial")
        times.append(time.process_time() - start)
    return min(times)


def _with_colonies(factor: float) -> Scenario:
    rate_per_day = ms.load("luminal_a").rates.invasion_per_day
    return luminal(256, **{"rates.invasion_per_day": factor * rate_per_day})


def _with_organs(count: int) -> Scenario:
    """A star of organs around the breast, as many as asked for."""
    names = [f"organ{i}" for i in range(count - 1)]
    share = {name: 1.0 / len(names) for name in names}
    vessels: dict[str, dict[str, dict[str, float]]] = {"blood": {"breast": {"pool": 1.0}}}
    vessels["blood"] |= {name: {"pool": 1.0} for name in names}
    vessels["blood"]["pool"] = share
    base = ms.load("luminal_a").model_dump(exclude_none=True)
    base["soil"] = {"breast": {**base["soil"]["breast"], "lymph_fraction": 0.0}} | {
        name: {**base["soil"]["lung"], "position": (0.0, 0.5)} for name in names
    }
    base["run"] |= {"patients": 256, "record": "patients"}
    base["vessels"] = vessels
    return Scenario.model_validate(base)


def _with_phenotypes(count: int) -> Scenario:
    names = [f"kind{i}" for i in range(count)]
    change = 1e-4 / max(count - 1, 1)
    kinds = {
        name: {
            "initial_fraction": 1.0 / count,
            "becomes": {other: change for other in names if other != name},
        }
        for name in names
    }
    return luminal(256, **{"seed.phenotypes": kinds})


GROWTH: dict[str, tuple[list[float], Callable[[float], Scenario]]] = {
    "patients": ([250, 500, 1000, 2000], lambda n: luminal(int(n))),
    "shedding (colonies)": ([1, 2, 4, 8], _with_colonies),
    "organs": ([3, 6, 12, 24], lambda n: _with_organs(int(n))),
    "phenotypes": ([1, 2, 4, 8], lambda n: _with_phenotypes(int(n))),
    "steps (1/dt)": (
        [1 / 14, 1 / 7, 2 / 7, 4 / 7],
        lambda s: luminal(256, **{"run.dt_days": 1 / s}),
    ),
}
"""What is varied, over which values, and the scenario at each."""


def costs() -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
    """By what is varied: its values, the time at each relative to the first, fitted exponent."""
    out = {}
    for name, (values, scenario_at) in GROWTH.items():
        seconds(scenario_at(values[0]))  # loads what has to be loaded
        took = np.array([seconds(scenario_at(value)) for value in values])
        x = np.array(values) / values[0]
        out[name] = x, took / took[0], float(np.polyfit(np.log(x), np.log(took), 1)[0])
    return out


def draw(found: dict[str, tuple[np.ndarray, np.ndarray, float]]) -> None:
    """One figure of how cost grows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 5), layout="constrained")
    ax = figure.add_subplot()
    for name, (x, took, exponent) in found.items():
        ax.loglog(x, took, "o-", label=f"{name}: exponent {exponent:.2f}")
    ax.loglog([1, 8], [1, 8], color="#BBBBBB", linestyle=":", label="in proportion")
    ax.set_xlabel("times as many")
    ax.set_ylabel("times the processor time")
    ax.set_title("How the cost of a run grows", loc="left")
    ax.legend(frameon=False)
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURE, dpi=120)


def _dask(size: int, patients: int) -> float:
    """Rate on a scheduler and two workers on this machine."""
    from tests import faults

    with faults.cluster(2) as (address, _):
        time.sleep(3.0)
        executor = Dask(address)
        while executor.slots() < 2:
            time.sleep(0.1)
        return rate(executor, patients, size)


def run(report: Report) -> None:
    """The figures of cohorts at scale."""
    patients = 8_000
    report.section("cohorts: luminal_a, 15 years, weekly steps, surgery, level patients")
    one, two = rate(Processes(1), patients), rate(Processes(2), patients)
    report.line("two workers, in the speed of one", two / one, "x", 1.9, more_is_better=True)
    report.line(f"1,000,000 patients, 2 workers, extrapolated from {patients:,}",
                MILLION / two, "s", 200.0)  # fmt: skip
    report.line("the same against the goal", MILLION / two, "s", 100.0)
    size = max(64, int(1.5 * one))
    local = rate(Processes(2), patients, size)
    report.line(f"Dask, chunks of {size:,}, in the time of local processes",
                local / _dask(size, patients), "x", 1.1)  # fmt: skip
    few, many = peak_memory(40_000), peak_memory(120_000)
    report.line("memory of all processes, 120,000 patients", many, "MiB", 1_536.0)
    slope = max(0.0, many - few) / 80_000
    report.line("the same, extrapolated to 1,000,000", many + slope * MILLION, "MiB", 1_536.0)
    found = costs()
    for name, (_, _, exponent) in found.items():
        report.line(f"exponent of the cost in {name}", exponent, "", 1.1)
    draw(found)
    report.note(f"figure {FIGURE}")


def full(report: Report) -> None:
    """A million patients, not extrapolated, with the memory they take."""
    report.section("1,000,000 luminal_a patients, level patients, 2 workers")
    start = time.perf_counter()
    memory = peak_memory(MILLION)
    report.line("wall time", time.perf_counter() - start, "s", 200.0)
    report.line("memory of all processes together", memory, "MiB", 1_536.0)
