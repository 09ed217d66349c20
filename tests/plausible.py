"""What the shipped scenarios are held against: registry incidence, sites at relapse.

Run `python -m tests.plausible [patients]` to print the comparison.
"""

import sys

import pandas as pd

import metasim as ms

INCIDENCE = {5: 8.4, 10: 13.1}
"""Percent with distant metastasis within so many years (Munich registry, M0 at diagnosis)."""

SITES = {
    "luminal_a": {"bone": 66.2, "lung": 30.2, "liver": 24.5, "brain": 10.1},
    "luminal_b": {"bone": 53.9, "lung": 30.6, "liver": 33.5, "brain": 15.1},
    "her2_enriched": {"bone": 38.9, "lung": 35.2, "liver": 40.1, "brain": 25.3},
    "triple_negative": {"bone": 45.1, "lung": 41.4, "liver": 27.5, "brain": 23.1},
}
"""Percent of relapsed patients with the site, PMC5040895 (1350 relapses)."""


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


if __name__ == "__main__":
    for name, published in SITES.items():
        incidence, sites = outcome(name, int(sys.argv[1]) if len(sys.argv) > 1 else 4000)
        years = ", ".join(f"{y} years {p:.1f} % ({INCIDENCE[y]})" for y, p in incidence.items())
        rows = ", ".join(f"{o} {sites[o]:.0f} ({p:.0f})" for o, p in published.items())
        print(f"{name}: {years}; of the relapsed: {rows}")
