"""What a treatment leaves as it is before it begins (docs/model/drawing.md)."""

import pytest

import metasim as ms
from metasim.runner.patients import Cohort

BEGINS, PATIENTS = 5000.0, 12


def before(change):
    """Metastases that were founded before a treatment of that change begins."""
    base = ms.load("untreated", {"run.patients": PATIENTS, "run.record": "patients"})
    late = {"kind": "late", "start": BEGINS, "change": change}
    plan = base.replace({"treatment": [late] if change else []})
    found = Cohort(plan).chunk(0, PATIENTS)["metastases"].to_pandas()
    found = found[found["founded_day"] < BEGINS]
    return found[["patient", "founded_day", "organ", "parent"]].to_numpy().tolist()


@pytest.mark.parametrize(
    "change",
    [
        {"gates.colonization.base_odds": 0.3},
        {"rates.washout_per_day": 2.0},
        {"growth.rho_per_day": 0.5},
    ],
    ids=str,
)
def test_what_lowers_chances_leaves_the_years_before_it(change):
    assert len(before({})) > 100
    assert before(change) == before({})


def test_what_raises_chances_draws_them_anew():
    assert before({"gates.colonization.base_odds": 2.0}) != before({})
