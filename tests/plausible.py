"""What the shipped scenarios are held against: registry incidence, sites at relapse.

Run `python -m tests.plausible [patients]` to print the comparison.
"""

import sys
from collections.abc import Mapping

import numpy as np
import pandas as pd

import metasim as ms
from metasim.results.survival import kaplan_meier
from metasim.terms import DAYS_PER_MONTH

INCIDENCE = {5: 8.4, 10: 13.1}
"""Percent with distant metastasis within so many years (Munich registry, M0 at diagnosis)."""

SITES = {
    "luminal_a_surgery": {"bone": 66.2, "lung": 30.2, "liver": 24.5, "brain": 10.1},
    "luminal_b_surgery": {"bone": 53.9, "lung": 30.6, "liver": 33.5, "brain": 15.1},
    "her2_enriched_surgery": {"bone": 38.9, "lung": 35.2, "liver": 40.1, "brain": 25.3},
    "triple_negative_surgery": {"bone": 45.1, "lung": 41.4, "liver": 27.5, "brain": 23.1},
}
"""Percent of relapsed patients with the site, PMC5040895 (1350 relapses)."""

SURVIVAL = {"bone": 31, "lung": 20, "liver": 19, "brain": 11}
"""Median months of survival with a single metastatic site (Malone 2021, quoting Chen et al.)."""


def outcome(name: str, patients: int, rng_seed: int = 1) -> tuple[dict[int, float], pd.Series]:
    """Percent with distant metastasis by year, and percent of the relapsed with each site."""
    scenario = ms.load(name).replace(
        {"run.patients": patients, "run.record": "metastases", "run.rng_seed": rng_seed}
    )
    results = ms.run(scenario, progress=False)
    table = results.patients
    years = (table["first_distant_day"] - table["diagnosis_day"]) / 365.25
    at_risk = ~(years <= 0)
    incidence = {y: 100 * (years[at_risk] <= y).mean() for y in INCIDENCE}
    distant = [o for o, soil in results.scenario["soil"].items() if soil["site"] == "distant"]
    seen = results.metastases[results.metastases["detected_day"].notna()]
    seen = seen[seen["organ"].isin(distant)]
    sites = seen.drop_duplicates(["patient", "organ"])["organ"].value_counts()
    return incidence, 100 * sites / seen["patient"].nunique()


def survival(
    patients: int, rng_seed: int = 1, changes: Mapping[str, float] | None = None
) -> dict[str, tuple[float, float]]:
    """Median months after first relapse in an organ, and its standard error; subtypes pooled.

    Args:
        patients: of each subtype.
        rng_seed: of the runs.
        changes: key path -> value (a planted fault).
    """
    tables = []
    for name in SITES:
        asked = {"run.patients": patients, "run.record": "patients", "run.rng_seed": rng_seed}
        tables.append(ms.run(ms.load(name).replace(asked | dict(changes or {})), progress=False))
    table = pd.concat([run.patients for run in tables]).dropna(subset="first_distant_day")
    until = np.fmin(table["death_day"], table["end_day"]) - table["first_distant_day"]
    out = {}
    for organ in SURVIVAL:
        mine = table["first_distant_organ"] == organ
        curve = kaplan_meier(until[mine] / DAYS_PER_MONTH, table.loc[mine, "death_day"].notna())
        median, low, high = curve.median()
        out[organ] = median, (high - low) / (2 * 1.96)
    return out


if __name__ == "__main__":
    for name, published in SITES.items():
        incidence, sites = outcome(name, int(sys.argv[1]) if len(sys.argv) > 1 else 4000)
        years = ", ".join(f"{y} years {p:.1f} % ({INCIDENCE[y]})" for y, p in incidence.items())
        rows = ", ".join(f"{o} {sites[o]:.0f} ({p:.0f})" for o, p in published.items())
        print(f"{name}: {years}; of the relapsed: {rows}")
    months = survival(int(sys.argv[1]) if len(sys.argv) > 1 else 4000).items()
    rows = ", ".join(f"{o} {m:.1f} +- {e:.1f} ({SURVIVAL[o]})" for o, (m, e) in months)
    print(f"median months after first relapse, all subtypes: {rows}")
