"""The published trials that drug effects are calibrated to, simulated as `metasim compare` does.

Run `python -m tests.trials [patients]` to print the comparison.
"""

import sys
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

import metasim as ms
from metasim.results.compare import compare
from metasim.runner.comparison import open_or_run

PATIENTS = 20_000
RNG_SEEDS = (31, 32, 33)


@dataclass(frozen=True)
class Trial:
    """A published ratio of rates of recurrence, treated to untreated."""

    untreated: str
    outcome: str
    published: str
    low: float
    high: float
    weaker: dict[str, Any] = field(default_factory=dict)
    """A planted fault: what makes the treatment too weak to reproduce it."""


TRIALS = {
    "trastuzumab": Trial(
        "her2_enriched", "recurrence anywhere", "0.66 (0.62-0.71)", 0.62, 0.71,
        {"hazard_per_day": 0.0106},
    ),
    "bisphosphonate": Trial(
        "luminal_a", "in bone", "0.83 (0.73-0.94)", 0.73, 0.94, {"duration_days": 183.0}
    ),
    "bisphosphonate_postmenopausal": Trial(
        "luminal_a", "in bone", "0.72 (0.60-0.86)", 0.60, 0.86, {"duration_days": 365.0}
    ),
    "chemotherapy": Trial(
        "triple_negative", "recurrence anywhere", "0.73 under 50 years, 0.82 from 50 to 69",
        0.73, 0.82, {"cycles": 2},
    ),
}  # fmt: skip
"""Scenario -> trial. EBCTCG 2021, 2015 (all women, post-menopausal women), 2008; 95 % intervals,
for chemotherapy the two published ratios."""


def ratio(
    name: str, patients: int, rng_seed: int, weaker: dict[str, Any] | None = None
) -> pd.Series:
    """The row of the comparison's ratios for a trial (hazard_ratio, hazard_low, hazard_high ...).

    Args:
        name: of the treated scenario.
        patients: virtual patients, the same in both arms.
        rng_seed: of the runs.
        weaker: changes of the drug (a planted fault).
    """
    trial = TRIALS[name]
    shared = {"run.patients": patients, "run.rng_seed": rng_seed}
    if weaker is None:
        runs = open_or_run([trial.untreated, name], shared, progress=False)
    else:
        plan = [t.model_dump(exclude_unset=True) for t in ms.load(name).treatment]
        plan[1] |= weaker
        treated = ms.load(name).replace({"treatment": plan, "run.record": "metastases", **shared})
        runs = [*open_or_run([trial.untreated], shared, progress=False)]
        runs.append(ms.run(treated, progress=False))
    table = compare(runs, ["untreated", "treated"]).ratios.set_index("outcome")
    return table.loc[trial.outcome]


def inside(row: pd.Series, trial: Trial) -> bool:
    """Whether the simulated interval lies within the published one."""
    return bool(trial.low < row["hazard_low"] and row["hazard_high"] < trial.high)


if __name__ == "__main__":
    patients = int(sys.argv[1]) if len(sys.argv) > 1 else PATIENTS
    for name, trial in TRIALS.items():
        print(f"{name}, {trial.outcome}: published {trial.published}")
        for rng_seed in RNG_SEEDS:
            row = ratio(name, patients, rng_seed)
            interval = "{:.3f} ({:.3f}-{:.3f})".format(
                *(row[f"hazard_{end}"] for end in ("ratio", "low", "high"))
            )
            events = f"{row['events_first']:,} and {row['events_other']:,} events"
            print(f"  rng_seed {rng_seed}: {interval}, {events}", flush=True)
