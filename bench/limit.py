"""The limit: the time that a run takes, in the time of drawing its random variates and no more.

The engine's source runs uncompiled, in a process of its own, on a generator that writes down every
draw with its arguments; the same draws are then replayed in compiled loops, kind by kind, on the
same generator. Those patients are the
first of the chunk that is timed. Alone: python -m bench limit
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import metasim as ms
from bench.report import Report
from bench.uncompiled import uncompiled
from metasim.engines.colonies import Chunk, chunk
from metasim.engines.colonies import streams as of_engine
from metasim.parameters.course import course_of
from metasim.runner import streams
from metasim.runner.patients import Cohort
from metasim.scenario.draws import draw_parameters
from metasim.scenario.schema import Scenario

Draws = dict[str, NDArray[np.float64]]
"""Kind -> (n, 2) arguments of each draw, 0 where it has none."""

COUNTED = {"luminal_a_surgery": 128, "untreated": 64}
"""Scenarios, and of how many patients the draws are counted (some 0.2 s each)."""
_TIMED = 2048  # patients of a chunk, as runs hand them out
_GOAL = 2.0
_OVERHEAD = 15.0
_ROUNDS = 5

_DRAW: dict[str, Callable[..., float]] = {
    "random": lambda rng, at: rng.random(),
    "standard_exponential": lambda rng, at: rng.standard_exponential(),
    "standard_normal": lambda rng, at: rng.standard_normal(),
    "standard_gamma": lambda rng, at: rng.standard_gamma(at[0]),
    "poisson": lambda rng, at: rng.poisson(at[0]),
    "binomial": lambda rng, at: rng.binomial(np.int64(at[0]), at[1]),
}


class Recorder:
    """A generator that writes down what is drawn from it, and with which arguments."""

    def __init__(self, rng: np.random.Generator, drawn: dict[str, list[tuple[float, float]]]):
        self._rng, self._drawn = rng, drawn
        self.bit_generator = rng.bit_generator

    def __getattr__(self, kind: str) -> Callable[..., Any]:
        method, drawn = getattr(self._rng, kind), self._drawn[kind]

        def draw(*arguments: float) -> Any:
            drawn.append((*arguments, 0.0, 0.0)[:2])
            return method(*arguments)

        return draw


def scenario(name: str, patients: int) -> Scenario:
    """A scenario of `COUNTED` at level patients."""
    changes: dict[str, object] = {"run.patients": patients, "run.record": "patients"}
    if name == "untreated":
        changes["run.follow_from"] = "start"  # as in `bench.colony`
    return ms.load(name, changes)


def record(name: str, patients: int, to: Path) -> None:
    """Run the patients uncompiled and save their draws, and their metastases for comparison."""
    drawn: dict[str, list[tuple[float, float]]] = {kind: [] for kind in _DRAW}
    generator = of_engine.generator
    of_engine.generator = lambda: Recorder(generator(), drawn)  # type: ignore
    chunk.ready = uncompiled  # type: ignore
    found = Cohort(scenario(name, patients)).chunk(0, patients)
    if failures := found["failures"].to_pylist():
        raise RuntimeError(f"{name}: {failures[0]}")
    metastases = found["metastases"].num_rows
    tables = {kind: np.array(rows).reshape(-1, 2) for kind, rows in drawn.items()}
    np.savez(to, metastases=metastases, **tables)


def draws_of(name: str, patients: int) -> tuple[Draws, int]:
    """All draws of the first patients of a scenario, and how many metastases they had."""
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "draws.npz"
        command = [sys.executable, "-m", "bench.limit", name, str(patients), str(to)]
        subprocess.run(command, check=True, env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
                       cwd=Path(__file__).parents[1])  # fmt: skip
        saved = np.load(to)
        return {kind: saved[kind] for kind in _DRAW}, int(saved["metastases"])


def _spoken(kind: str) -> str:
    return "uniform" if kind == "random" else kind.removeprefix("standard_")


def least_seconds(works: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Least processor time of each, in rounds: what slows the machine slows all of them."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(1 + _ROUNDS):
        for name, work in works.items():
            start = time.process_time()
            work()
            times[name].append(time.process_time() - start)
    return {name: min(took[1:]) for name, took in times.items()}  # the first round compiles


def replays(draws: Draws) -> dict[str, Callable[[], object]]:
    """By kind: what makes all draws of it again, in a compiled loop."""
    import numba

    def compiled(kind: str, arguments: NDArray[np.float64]) -> Callable[[], object]:
        draw = numba.njit(_DRAW[kind])

        @numba.njit
        def loop(rng: Any, arguments: Any) -> float:
            total = 0.0
            for i in range(len(arguments)):
                total += draw(rng, arguments[i])
            return total

        return lambda: loop(streams.generator(1, 0, streams.COURSE), arguments)

    return {kind: compiled(kind, rows) for kind, rows in draws.items() if len(rows)}


def stages(cohort: Cohort, patients: int) -> dict[str, Callable[[], object]]:
    """What a worker does with a chunk of patients, each entry up to some point."""
    asked = cohort.scenario
    drawn = draw_parameters(asked, 0, patients)
    law, course = cohort.laws.of(drawn), course_of(asked, drawn)
    idle = Chunk(law, course._replace(undiagnosed_steps=0, follow_steps=0))
    all_steps = Chunk(law, course)

    def states() -> NDArray[np.uint64]:
        return streams.states(asked.run.rng_seed, 0, patients, streams.COURSE)

    return {
        "generators": states,
        "calls": lambda: idle.draw(states()),
        "steps": lambda: all_steps.draw(states()),
        "all": lambda: cohort.chunk(0, patients),
    }


def run(report: Report) -> None:
    """Time over limit, for a treated and an untreated cohort, and where the time goes."""
    report.section("the limit: drawing the same random variates and nothing else (one core)")
    for name, patients in COUNTED.items():
        draws, metastases = draws_of(name, patients)
        cohort = Cohort(scenario(name, patients))
        if cohort.chunk(0, patients)["metastases"].num_rows != metastases:
            report.note("the uncompiled engine drew other patients: the counts are not exact")
        took = least_seconds(replays(draws) | stages(cohort, _TIMED))
        us = {
            what: 1e6 * seconds / (patients if what in draws else _TIMED)
            for what, seconds in took.items()
        }
        limit = sum(us[kind] for kind in draws if kind in us)
        kinds = (f"{len(rows) / patients:,.0f} {_spoken(kind)} ({1e9 * took[kind] / len(rows):.0f})"
                 for kind, rows in draws.items() if kind in took)  # fmt: skip
        report.note(f"{name}, draws a patient (ns each): {', '.join(kinds)}")
        report.note(
            f"us a patient: {limit:.0f} to draw them, {us['all']:.0f} to simulate, of which "
            f"{us['generators']:.1f} to seed it, {us['calls'] - us['generators']:.1f} to call the "
            f"engine for no step, {us['steps'] - us['calls']:.0f} for its steps, "
            f"{us['all'] - us['steps']:.1f} for law and tables"
        )
        report.line(
            f"{name}: overhead of a patient", us["all"] - us["steps"] + us["calls"], "us", _OVERHEAD
        )
        report.line(f"{name}: time of a patient / limit", us["all"] / limit, "x", _GOAL)


if __name__ == "__main__":
    record(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
