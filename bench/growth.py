"""How the cost of a run grows: with patients, colonies, organs, phenotypes, their changes, steps.

A run costs something however small it is, so the growth is fitted beyond that fixed cost.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

import metasim as ms
from bench.report import Report
from bench.scale import luminal
from metasim.results.plots.groups import GROUP_COLOURS
from metasim.scenario.schema import Scenario

Array = NDArray[np.float64]

FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "cost.png"
_ROUNDS = 5


def _with_colonies(factor: float) -> Scenario:
    rate_per_day = ms.load("luminal_a_surgery").rates.invasion_per_day
    return luminal(
        256, **{"rates.invasion_per_day": factor * rate_per_day, "run.record": "metastases"}
    )


def _with_organs(count: int) -> Scenario:
    """A star of organs around the breast, as many as asked for."""
    names = [f"organ{i}" for i in range(count - 1)]
    share = {name: 1.0 / len(names) for name in names}
    vessels: dict[str, dict[str, dict[str, float]]] = {"blood": {"breast": {"pool": 1.0}}}
    vessels["blood"] |= {name: {"pool": 1.0} for name in names}
    vessels["blood"]["pool"] = share
    base = ms.load("luminal_a_surgery").model_dump(exclude_none=True)
    base["soil"] = {"breast": {**base["soil"]["breast"], "lymph_fraction": 0.0}} | {
        name: {**base["soil"]["lung"], "position": (0.0, 0.5)} for name in names
    }
    base["run"] |= {"patients": 256, "record": "patients"}
    base["vessels"] = vessels
    return Scenario.model_validate(base)


def _with_phenotypes(count: int, changes: int = 1) -> Scenario:
    """So many phenotypes, each becoming the next ones in a ring."""
    names = [f"kind{i}" for i in range(count)]
    kinds = {
        name: {
            "initial_fraction": 1.0 / count,
            "becomes": {
                names[(i + j) % count]: 1e-4 / changes for j in range(1, changes + 1) if count > 1
            },
        }
        for i, name in enumerate(names)
    }
    return luminal(256, **{"seed.phenotypes": kinds})


COLONIES = "colony-steps"
GROWTH: dict[str, tuple[list[float], Callable[[float], Scenario]]] = {
    "patients": ([250, 500, 1000, 2000, 4000, 8000], lambda n: luminal(int(n))),
    COLONIES: ([0.25, 1, 2, 4, 8, 16], _with_colonies),
    "organs": ([3, 6, 12, 24, 48], lambda n: _with_organs(int(n))),
    "phenotypes": ([1, 2, 4, 8, 16], lambda n: _with_phenotypes(int(n))),
    "changes of phenotype": (
        [16, 32, 64, 128, 240],
        lambda n: _with_phenotypes(16, int(n) // 16),
    ),
    "steps (1/dt)": (
        [1 / 14, 1 / 7, 2 / 7, 4 / 7, 8 / 7],
        lambda s: luminal(256, **{"run.dt_days": 1 / s}),
    ),
}
"""What is varied, over which values, and the scenario at each; colonies by the rate of shedding."""


def colony_steps(done: ms.Results) -> float:
    """Steps that the metastases of a run lived through, and its primaries until diagnosis."""
    ends = done.patients.set_index("patient")["end_day"]
    rows = done.metastases
    lived = rows["extinct_day"].fillna(rows["patient"].map(ends)) - rows["founded_day"]
    primaries = done.patients["diagnosis_day"].fillna(done.patients["end_day"])
    return float(lived.sum() + primaries.sum()) / done.scenario["run"]["dt_days"]


class Growth(NamedTuple):
    """How cost grows with something: seconds = fixed + marginal * (amount / first amount)^exponent.

    Attributes:
        amount: what was varied.
        seconds: (as many) processor time, the least of some rounds.
        fixed: seconds that do not depend on the amount.
        marginal: seconds of the first amount.
        exponent: of the growth beyond what is fixed.
        error: standard error of the exponent.
    """

    amount: Array
    seconds: Array
    fixed: float
    marginal: float
    exponent: float
    error: float


def grown(fixed: float, marginal: float, exponent: float, times: Array) -> Array:
    """The law that is fitted."""
    return fixed + marginal * times**exponent


def fitted(amount: Array, seconds: Array) -> Growth:
    """Fit the fixed and the marginal cost, each time weighted by its inverse."""
    times = amount / amount[0]
    found, spread = curve_fit(
        lambda x, *law: grown(*law, x),
        times,
        seconds,
        p0=(0.3 * seconds[0], 0.7 * seconds[0], 1.0),
        sigma=seconds,
        bounds=([0, 0, 0], [np.inf, np.inf, 3]),
        x_scale=(seconds[0], seconds[0], 1.0),
    )
    return Growth(amount, seconds, *map(float, found), float(np.sqrt(spread[2, 2])))


def costs() -> dict[str, Growth]:
    """By what is varied: how the cost grows with it."""
    out = {}
    for name, (values, scenario_at) in GROWTH.items():
        scenarios = [scenario_at(value) for value in values]
        amount, times = np.array(values), np.full((_ROUNDS, len(values)), np.inf)
        ms.run(scenarios[0], progress=False, executor="serial")  # loads what has to be loaded
        for took in times:  # in rounds: what slows the machine slows all sizes
            for i, asked in enumerate(scenarios):
                start = time.process_time()
                done = ms.run(asked, progress=False, executor="serial")
                took[i] = time.process_time() - start
                if name == COLONIES:
                    amount[i] = colony_steps(done)
        out[name] = fitted(amount, times.min(axis=0))
    return out


def draw(found: dict[str, Growth]) -> None:
    """One figure of how cost grows: measured, and fitted."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 5), layout="constrained")
    ax = figure.add_subplot()
    most = max(growth.amount.max() / growth.amount[0] for growth in found.values())
    for ink, (name, growth) in zip(GROUP_COLOURS, found.items(), strict=False):
        times = growth.amount / growth.amount[0]
        fine = np.geomspace(1, times.max(), 100)
        law = growth.fixed, growth.marginal, growth.exponent
        label = f"{name}: {growth.exponent:.2f} ± {growth.error:.2f}"
        ax.loglog(fine, grown(*law, fine) / growth.seconds[0], color=ink, linewidth=1.2)
        ax.loglog(times, growth.seconds / growth.seconds[0], "o", color=ink, label=label)
    ax.loglog([1, most], [1, most], color="#BBBBBB", linestyle=":", label="in proportion")
    ax.set_xlabel("times as many")
    ax.set_ylabel("times the processor time")
    ax.set_title("How the cost of a run grows: fixed + marginal × amount^exponent", loc="left")
    ax.legend(frameon=False, title="exponent")
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURE, dpi=120)


def run(report: Report) -> None:
    """The exponents, and their figure."""
    report.section("how the cost of luminal_a_surgery grows (processor time, beyond what is fixed)")
    found = costs()
    for name, growth in found.items():
        report.line(f"exponent in {name} (+- {growth.error:.2f})", growth.exponent, "", 1.1)
    draw(found)
    report.note(f"figure {FIGURE}")
