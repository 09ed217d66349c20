"""Both engines are one model: the whole proof (`make verify`).

With 2,800 to 10,400 patients of the cell engine per scenario, and three times as many of the colony
engine, a shift of 5 % in the mean of any headline observable (metastases, primary size, entries
into each stage) is found with a power of at least 90 %, at a family-wise error of 1 % over all
scenarios and observables. Every run asserts that power from the spread that it saw.
"""

from functools import cache

import numpy as np
import pytest

from metasim.engines import cells, colonies
from tests import twin
from tests.twin_faults import FAULTS

pytestmark = pytest.mark.verify

PATIENTS = 4_800
LEVEL = twin.FAMILY_WISE / len(twin.SCENARIOS)
# where patients differ less, or more, fewer or more have the same power
NEEDS = dict.fromkeys(("exponential", "logistic", "power_dt_week", "clusters", "nodes"), 2_800)
NEEDS |= dict.fromkeys(("resection", "chemotherapy"), 4_200) | {"changing": 10_400, "care": 7_000}


@pytest.mark.parametrize("name", twin.SCENARIOS)
def test_engines_agree(name: str) -> None:
    patients = NEEDS.get(name, PATIENTS)
    a, names = twin.sample(name, cells.simulate, patients, rng_seed=11)
    b, _ = twin.sample(name, colonies.simulate, 3 * patients, rng_seed=12)
    verdict = twin.compare(a, b, names)
    shift = twin.detectable_shift(a, b, names, verdict.tests)
    print(f"{name}: p = {verdict.p:.4f}, {verdict.tests} tests, finds {shift:.1%}, {verdict.worst}")
    assert shift <= 0.05
    assert verdict.p > LEVEL, verdict


@cache
def of_colonies(name: str) -> np.ndarray:
    """The colony engine's patients that several faults are held against."""
    return twin.sample(name, colonies.simulate, 1_500, 12)[0]


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = FAULTS[name]
    fault.code(monkeypatch)
    a, names = twin.sample(fault.scenario, fault.simulate, 500, 11, fault.law)
    b = of_colonies(fault.scenario)
    assert twin.compare(a, b, names).p <= LEVEL
