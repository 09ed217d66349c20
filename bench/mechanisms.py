"""What each mechanism of the population bought: its score without one, the other values kept."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.table import Table

from bench.report import Report
from metasim.runner.executors import Processes, cores
from metasim.targets.further import with_further
from metasim.targets.load import read_targets
from metasim.targets.score import AGREES, DIFFERS, FAILS, Score, scores
from metasim.targets.simulate import plan, samples_of, simulate_cohorts

TARGETS: Final = "population"
PATIENTS: Final = 3000
MOST: Final = 16.0
"""What a target counts at most: as one that lies 4 off."""
_DATA: Final = Path(__file__).with_suffix(".toml")


def mechanisms() -> dict[str, dict[str, Any]]:
    """Name of a mechanism -> the values that take it away; first the whole law."""
    listed = tomllib.loads(_DATA.read_text(encoding="utf-8"))["mechanisms"]
    return {"all of them": {}, **{one["name"]: one["without"] for one in listed}}


def judged(values: Mapping[str, Any], patients: int = PATIENTS) -> list[Score]:
    """The targets of the population and those that it is fitted with, without a mechanism."""
    targets = with_further(read_targets(TARGETS))
    made = plan(targets)
    scenarios = {c: [one.replace(values) for one in some] for c, some in made.scenarios.items()}
    runs = simulate_cohorts(scenarios, dict.fromkeys(scenarios, patients))
    return scores(targets, samples_of(targets, runs), made.missing)


def row(found: list[Score]) -> tuple[int, int, int, int, float]:
    """How many targets agree, differ, fail and cannot be told, and the sum of squared scores."""
    counts = [sum(s.verdict == said for s in found) for said in (AGREES, DIFFERS, FAILS)]
    squares = [min(s.z**2, MOST) if s.judged else MOST for s in found]
    return counts[0], counts[1], counts[2], len(found) - sum(counts), float(np.sum(squares))


def run(report: Report, patients: int = PATIENTS) -> None:
    """A row per mechanism."""
    report.section(f"mechanisms of {TARGETS}: {patients:,} women of each cohort, not fitted again")
    pool = Processes(cores())
    asked = mechanisms()
    futures = {name: pool.submit(judged, values, patients) for name, values in asked.items()}
    table = Table(box=None, pad_edge=False)
    table.add_column("without", max_width=62)
    for head in ("agree", "differ", "fail", "not told", "score", "more"):
        table.add_column(head, justify="right")
    whole = np.nan
    for name, future in futures.items():
        *counts, score = row(future.result())
        whole = score if not asked[name] else whole
        said = "nothing: all of them" if not asked[name] else name
        table.add_row(said, *map(str, counts), f"{score:.0f}", f"{score - whole:+.0f}")
    pool.close(kill=False)
    report.console.print(table)
    report.note(f"score: sum over the targets of z squared, {MOST:g} at most each and if not told")
