"""A fit of 10 keys to 40 targets in 4 cohorts of 5,000 patients: the quick layer, and its price."""

import cProfile
import pstats
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.report import Report
from metasim.runner.executors import Processes, cores
from metasim.targets.fit.command import _problem
from metasim.targets.fit.free import FreeKey, parse_free
from metasim.targets.fit.journal import Journal
from metasim.targets.fit.problem import Problem
from metasim.targets.fit.run import run_fit
from metasim.targets.load import Targets, parse_targets

SUBTYPES: Final = ("luminal_a", "luminal_b", "her2_enriched", "triple_negative")
ORGANS: Final = ("bone", "lung", "liver", "brain", "other")
PATIENTS: Final = 5000
KEYS: Final = (
    *(f"soil.{organ}.niche=0.05:0.95" for organ in ("bone", "lung", "liver")),
    *(f"soil.{organ}.endothelial_barrier=0.1:0.9" for organ in ("bone", "lung", "liver", "brain")),
    "gates.colonization.base_odds=0.002:0.02:log",
    "seed.receptors.CXCR4=0.1:1",
    "patients.growth.rho_per_day.lognormal.median=0.0008:0.0016:log",
)


def targets(values: dict[str, float] | None = None) -> Targets:
    """Ten figures of each cohort: where metastases are seen first and ever, incidence, survival."""
    rows: list[dict[str, Any]] = []
    for cohort in SUBTYPES:
        figures: list[tuple[str, dict[str, Any]]] = [
            *(("site_percent", {"organ": organ, "when": "ever"}) for organ in ORGANS),
            *(("site_percent", {"organ": organ, "when": "first"}) for organ in ORGANS[:2]),
            *(("incidence_percent", {"outcome": "distant", "years": y}) for y in (5, 10)),
            ("several_sites_percent", {"when": "first"}),
        ]
        for quantity, of in figures:
            name = f"{cohort}-{len(rows)}"
            value = (values or {}).get(name, 20.0)
            rows.append({"id": name, "cohort": cohort, "quantity": quantity, "of": of,
                         "value": value, "total": 400})  # fmt: skip
    cohorts = {cohort: {"scenario": cohort} for cohort in SUBTYPES}
    return parse_targets({"cohorts": cohorts, "targets": rows})


def problem(patients: int = PATIENTS) -> Problem:
    """The targets are what the middle of the priors gives for keys moved a little."""
    keys: tuple[FreeKey, ...] = tuple(parse_free(key) for key in KEYS)
    plain = _problem(targets(), "luminal_a", keys, None, patients)
    values, _ = plain.simulated(np.linspace(0.35, 0.65, len(keys)), own_patients=True)
    made = {t.id: float(np.clip(v, 1, 99)) for t, v in zip(plain.targets, values, strict=True)}
    return _problem(targets(made), "luminal_a", keys, None, patients)


def outside_share(asked: Problem) -> float:
    """Share of a point's time that is not spent in the engine."""
    profile = cProfile.Profile()
    asked.simulated(np.full(len(KEYS), 0.5))
    profile.enable()
    asked.simulated(np.full(len(KEYS), 0.51))
    profile.disable()
    found: Any = pstats.Stats(profile)
    inside = sum(row[3] for name, row in found.stats.items() if name[2] == "simulate_chunk"
                 or (name[2] == "interruptible" and "interrupts" in name[0]))  # fmt: skip
    return 1 - float(inside / found.total_tt)


def run(report: Report) -> None:
    """Quick layer, points a second, share of time outside the engine."""
    report.section(f"fit: {len(KEYS)} keys, 40 targets, 4 cohorts of {PATIENTS:,} patients")
    asked = problem()
    report.line("share of a point outside the engine", 100 * outside_share(asked), "%", 20.0)
    pool = Processes(cores())
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "simulations.jsonl", asked.fingerprint)
        started = time.perf_counter()
        fit = run_fit(asked, journal, pool, draws=0)
        seconds = time.perf_counter() - started
    pool.close(kill=True)
    report.line(f"quick layer, {fit.simulated} points", seconds, "s", 900.0)
    report.note(f"  {fit.simulated / seconds:.2f} points a second, "
                f"{4 * PATIENTS * fit.simulated / seconds:,.0f} patients a second")  # fmt: skip
    z = asked.z(fit.best_values, fit.best_errors)
    report.note(f"  sum of z squared {np.nansum(z**2):.1f} over {len(z)} targets at the end")
