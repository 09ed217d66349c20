"""The cell engine against the plainest Mesa model of as many agents, in one run.

The plainest model does what no agent-based model on Mesa does without: `agents.do`, one random draw
per agent. Alone: python -m bench cells
"""

import gc
import time
import tracemalloc
from statistics import median

import mesa

from bench.report import Report
from metasim.engines.cells import CascadeModel
from metasim.engines.cells.model import release
from metasim.parameters.course import course_of
from metasim.parameters.rates import law_of
from metasim.scenario.schema import Scenario


class PlainAgent(mesa.Agent):
    """Draws one random number a step."""

    def step(self) -> None:
        """One draw."""
        self.value = self.random.random()


class PlainModel(mesa.Model):
    """As many agents as asked for, `agents.do` every step."""

    def __init__(self, n: int) -> None:
        super().__init__(rng=1)
        PlainAgent.create_agents(self, n)

    def step(self) -> None:
        """Every agent's step."""
        self.agents.do("step")


def scenario(cells: int) -> Scenario:
    """A tumour that keeps its size: each cell divides and dies at 0.02 a day, steps of a day."""
    gate = {"base_odds": 1.0}
    names = ("invasion", "intravasation", "arrest", "extravasation", "colonization")
    return Scenario.model_validate(
        {
            "run": {"years": 1.0, "dt_days": 1.0},
            "seed": {},
            "gates": dict.fromkeys(names, gate),
            "rates": {"invasion_per_day": 1e-5, "invasion_reference_cells": 1e5},
            "circulation": {"death_prob_per_pass": 0.1},
            "growth": {"law": "exponential", "rho_per_day": 0.0, "turnover_per_day": 0.02},
            "primary": {"organ": "breast", "initial_cells": cells},
            "soil": {"breast": {}, "lung": {}},
            "vessels": {"blood": {"breast": {"lung": 1.0}, "lung": {"breast": 1.0}}},
        }
    )


def cell_model(cells: int) -> CascadeModel:
    """The cell engine's model of that tumour."""
    asked = scenario(cells)
    law, course = law_of(asked).patient(0), course_of(asked).patient(0)
    return CascadeModel(law, course, list(asked.soil), ["seed"], 1, collect=False)


def seconds_per_agent_step(model: mesa.Model, steps: int) -> float:
    """Time of some steps per agent, with the agents' creation left out."""
    start, agent_steps = time.perf_counter(), 0
    for _ in range(steps):
        agent_steps += len(model.agents)
        model.step()
    release(model)
    return (time.perf_counter() - start) / agent_steps


def memory_per_cell(cells: int) -> float:
    """Bytes of a model per cell."""
    cell_model(10)  # whatever is loaded once
    gc.collect()
    tracemalloc.start()
    model = cell_model(cells)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    release(model)
    return size / cells


def run(report: Report) -> None:
    """The cell engine's figures."""
    report.section("cell engine: agent-steps against the plainest Mesa model, memory")
    for n, steps in ((10_000, 50), (100_000, 10)):
        plain = median(seconds_per_agent_step(PlainModel(n), steps) for _ in range(3))
        cells = median(seconds_per_agent_step(cell_model(n), steps) for _ in range(3))
        report.line(f"{n:,} cells, per agent-step (limit: plain Mesa)", cells * 1e6, "us",
                    plain * 1e6)  # fmt: skip
    start = time.perf_counter()
    seconds_per_agent_step(cell_model(100_000), 100)
    report.line("100,000 cells, created and run for 100 steps", time.perf_counter() - start,
                "s", 15.0)  # fmt: skip
    report.line("memory per cell", memory_per_cell(50_000), "bytes", 1_500.0)


if __name__ == "__main__":
    run(Report())
