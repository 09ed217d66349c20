"""Both engines are one model: the part of the proof that runs in every `make test`.

110 patients of the cell engine against 440 of the colony engine per scenario; family-wise error of
1 % over all scenarios and observables. `tests/verify/test_twin_full.py` has the power for 5 %.
"""

from functools import cache

import numpy as np
import pytest

from metasim.engines import cells, colonies
from tests import twin
from tests.twin_faults import CLINICAL, FAULTS, LATE

PATIENTS = 110
PERMUTATIONS = 2_000  # the smallest p is then half the level
LEVEL = twin.FAMILY_WISE / len(twin.SCENARIOS)


@cache
def of_colonies(name: str, patients: int) -> tuple[np.ndarray, list[str]]:
    return twin.sample(name, colonies.simulate, patients, rng_seed=2)


@pytest.mark.parametrize("name", twin.SCENARIOS)
def test_engines_agree(name: str) -> None:
    a, names = twin.sample(name, cells.simulate, PATIENTS, rng_seed=1)
    b, _ = of_colonies(name, 4 * PATIENTS)
    verdict = twin.compare(a, b, names, permutations=PERMUTATIONS, level=LEVEL)
    assert verdict.tests > 300
    assert verdict.p > LEVEL, verdict


ALL = FAULTS | CLINICAL
DEAR = {*LATE, *(name for name, fault in ALL.items() if fault.needs > 1)}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.verify] * (name in DEAR)) for name in ALL]
)
def test_planted_fault_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most show among a third of the patients; then the whole number is not drawn.

    Those that need the whole number, or more, are planted in `make verify`.
    """
    fault = ALL[name]
    fault.code(monkeypatch)
    b, _ = of_colonies(fault.scenario, 4 * PATIENTS)
    whole = PATIENTS * fault.needs
    for patients, rng_seed in ((whole // 3, 3), (whole, 1)):
        a, names = twin.sample(fault.scenario, fault.simulate, patients, rng_seed, fault.law)
        verdict = twin.compare(a, b, names, permutations=PERMUTATIONS, level=LEVEL)
        if verdict.p <= LEVEL:
            return
    raise AssertionError(verdict)


def test_comparison_is_calibrated() -> None:
    """Under the hypothesis the p-value is uniform: of one engine against itself."""
    b, names = of_colonies("exponential", 4 * PATIENTS)
    parts = np.array_split(np.random.default_rng(5).permutation(b), 12)
    p = [
        twin.compare(parts[i], parts[j], names, permutations=200).p
        for i in range(12) for j in range(i)
    ]  # fmt: skip
    assert 0.35 < np.mean(p) < 0.65
    assert np.mean(np.array(p) < 0.1) < 0.3
