"""Both engines are one model: the whole proof (`make verify`).

With 2,800 to 5,600 patients of the cell engine per scenario, and three times as many of the colony
engine, a shift of 5 % in the mean of any headline observable (metastases, primary size, entries
into each stage) is found with a power of at least 90 %, at a family-wise error of 1 % over all
scenarios and observables. Every run asserts that power from the spread that it saw.
"""

import os
import subprocess
import sys

import pytest

from metasim.engines import cells, colonies
from tests import twin
from tests.twin_faults import FAULTS

pytestmark = pytest.mark.verify

PATIENTS = 4_800
LEVEL = twin.FAMILY_WISE / len(twin.SCENARIOS)
# where patients differ less, or more, fewer or more have the same power
NEEDS = dict.fromkeys(("exponential", "logistic", "power_dt_week", "clusters"), 2_800)
NEEDS["resection"] = 5_600


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


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = FAULTS[name]
    fault.code(monkeypatch)
    a, names = twin.sample(fault.scenario, fault.simulate, 500, 11, fault.law)
    b, _ = twin.sample(fault.scenario, colonies.simulate, 1_500, 12)
    assert twin.compare(a, b, names).p <= LEVEL


SMALL_CLASSES = """
import metasim.terms as terms
terms.MICRO_CELLS, terms.MACRO_CELLS = 4, 12
from metasim.engines import cells, colonies
from tests import twin
for name in ("secondary_seeding", "resection", "clusters"):
    a, names = twin.sample(name, cells.simulate, 500, 21)
    b, _ = twin.sample(name, colonies.simulate, 1500, 22)
    i = names.index("macrometastasis: entered")
    assert a[:, i].sum() > 100, "no macrometastases to compare"
    verdict = twin.compare(a, b, names)
    assert verdict.p > 0.001, (name, verdict)
"""


def test_size_classes_agree(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Micro- and macrometastases: an agent each is too much, so the classes are made small."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", SMALL_CLASSES], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
