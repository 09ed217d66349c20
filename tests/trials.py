"""The published trials that drug effects are calibrated to, simulated as `metasim compare` does.

Run `python -m tests.trials [patients]` to print the comparison.
"""

import sys
from dataclasses import dataclass, field
from functools import cache

import pandas as pd

import metasim as ms
from metasim.results.compare import compare

PATIENTS = 20_000
RNG_SEEDS = (31, 32, 33)


@dataclass(frozen=True)
class Trial:
    """Published ratios of rates, treated to untreated.

    Attributes:
        untreated: the scenario of the other arm.
        outcome: that the drug's effect was fitted to; the simulated interval lies within the
            published one.
        published: in words.
        low: end of the published interval, as `high`.
        weaker: planted fault: what makes the treatment too weak to reproduce it.
        stronger: and too strong.
        also: other outcomes, not fitted; the simulated ratio lies within their interval.
    """

    untreated: str
    outcome: str
    published: str
    low: float
    high: float
    weaker: dict[str, float]
    stronger: dict[str, float]
    also: dict[str, tuple[float, float]] = field(default_factory=dict)


TRIALS = {
    "trastuzumab": Trial(
        "her2_enriched_surgery", "recurrence anywhere", "0.66 (0.62-0.71)", 0.62, 0.71,
        {"hazard_per_day": 0.0106}, {"hazard_per_day": 0.05}, {"death": (0.61, 0.73)},
    ),
    "bisphosphonate": Trial(
        "luminal_a_surgery", "in bone", "0.83 (0.73-0.94)", 0.73, 0.94,
        {"duration_days": 183.0}, {"change.soil.bone.growth_factor": 0.1},
        {"distant metastasis": (0.85, 0.99)},
    ),
    "bisphosphonate_postmenopausal": Trial(
        "luminal_a_surgery", "in bone", "0.72 (0.60-0.86)", 0.60, 0.86,
        {"duration_days": 365.0}, {"hazard_per_day": 0.01}, {"distant metastasis": (0.74, 0.92)},
    ),
    "chemotherapy": Trial(
        "triple_negative_surgery", "recurrence anywhere", "0.73 under 50 years, 0.82 from 50 to 69",
        0.73, 0.82, {"cycles": 2}, {"cycles": 20},
    ),
    "endocrine": Trial(
        "luminal_a_surgery", "death", "0.69, without an interval; 0.03 are allowed", 0.66, 0.72,
        {"duration_days": 730.5}, {"duration_days": 3652.5},
    ),
}  # fmt: skip
"""Scenario -> trial. EBCTCG 2021, 2015 (all women, post-menopausal women), 2008, 2005; intervals
of 95 %, for chemotherapy the two published ratios."""


def ratios(
    name: str, patients: int, rng_seed: int, fault: dict[str, float] | None = None
) -> pd.DataFrame:
    """The comparison's ratios of a trial (hazard_ratio, hazard_low, hazard_high ...) by outcome.

    Args:
        name: of the treated scenario.
        patients: virtual patients, the same in both arms.
        rng_seed: of the runs.
        fault: other values of the drug, the second treatment.
    """
    planted = {f"treatment.1.{key}": value for key, value in (fault or {}).items()}
    runs = [
        untreated(TRIALS[name].untreated, patients, rng_seed),
        ms.run(ms.load(name, {**_shared(patients, rng_seed), **planted}), progress=False),
    ]
    return compare(runs, ["untreated", "treated"]).ratios.set_index("outcome")


@cache
def untreated(name: str, patients: int, rng_seed: int) -> ms.Results:
    """The other arm, which several trials and their faults have in common."""
    return ms.run(ms.load(name, _shared(patients, rng_seed)), progress=False)


def _shared(patients: int, rng_seed: int) -> dict[str, object]:
    return {"run.patients": patients, "run.rng_seed": rng_seed, "run.record": "metastases"}


def inside(table: pd.DataFrame, trial: Trial) -> bool:
    """Whether the simulated ratios agree with the published ones."""
    fitted = table.loc[trial.outcome]
    others = all(
        low < table.loc[outcome, "hazard_ratio"] < high
        for outcome, (low, high) in trial.also.items()
    )
    return bool(trial.low < fitted["hazard_low"] and fitted["hazard_high"] < trial.high and others)


def _spoken(row: pd.Series) -> str:
    ends = (row[f"hazard_{end}"] for end in ("ratio", "low", "high"))
    return "{:.3f} ({:.3f}-{:.3f})".format(*ends)


if __name__ == "__main__":
    patients = int(sys.argv[1]) if len(sys.argv) > 1 else PATIENTS
    for name, trial in TRIALS.items():
        print(f"{name}, {trial.outcome}: published {trial.published}")
        for rng_seed in RNG_SEEDS:
            table = ratios(name, patients, rng_seed)
            said = [f"{outcome} {_spoken(table.loc[outcome])}" for outcome in trial.also]
            fitted = _spoken(table.loc[trial.outcome])
            print(f"  rng_seed {rng_seed}: {', '.join([fitted, *said])}", flush=True)
