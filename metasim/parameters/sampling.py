"""Tests of blood, plasma and marrow: what they find on average, as arrays of law and course."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metasim.law import sampling
from metasim.law.fate import Passage
from metasim.parameters.lookup import Parameters

Array = NDArray[np.float64]

OFF = {
    "circulating_beds": np.zeros((1, 1, 1)),
    "marrow_crossings": np.zeros((1, 1, 1)),
    **{f"marrow_{name}": np.zeros((1, 1)) for name in sampling.Marrow._fields},
}
"""Fields of the law without tests."""


def tested(get: Parameters) -> bool:
    """Whether a test is asked for that looks for cells on their way."""
    tests = get.scenario.tests
    return tests.blood_ml is not None or tests.aspirate_fraction is not None


def yields_of(
    get: Parameters, passage: Passage, beds: Array, lymph: Array, cluster_share: Array
) -> dict[str, Any]:
    """Fields of the law that say what tests find.

    Args:
        get: of a regime in which something is `tested`.
        passage: how units pass.
        beds: from `metasim.law.sampling.beds_met`.
        lymph: (P, O) share of the units that leave an organ by lymph.
        cluster_share: (P, C) share of the leaving cells.
    """
    tests = get.scenario.tests
    marrow = None
    if tests.aspirate_fraction is not None:
        marrow = get.organs.index(tests.marrow_organ)
    of_cell = sampling.yields(passage, beds, lymph, cluster_share, marrow)
    fields = {**OFF, "circulating_beds": of_cell.beds, "marrow_crossings": of_cell.marrow}
    if marrow is None:
        return fields
    fate = sampling.marrow_of(
        get.number(lambda s: s.rates.colonization_per_day),
        get.number(lambda s: s.rates.dormancy_per_day)
        * get.of_organs(lambda soil: soil.dormancy_factor)[:, marrow],
        get.number(lambda s: s.rates.reawakening_per_day)
        * get.of_organs(lambda soil: soil.reawakening_factor)[:, marrow],
        get.number(lambda s: s.rates.dormant_death_per_day),
    )
    return fields | {f"marrow_{name}": rate[:, None] for name, rate in fate._asdict().items()}


def course_of_tests(get: Parameters) -> dict[str, Any]:
    """Fields of the course that say what is tested, and when."""
    tests = get.scenario.tests
    share = sampling.sample_days(
        get.number(lambda s: s.tests.bed_transit_days),
        tests.blood_ml or 0.0,
        get.number(lambda s: s.tests.blood_litres),
        get.number(lambda s: s.tests.ctc_recovery_fraction),
    )
    dna = sampling.plasma_days(
        get.number(lambda s: s.tests.ctdna_half_life_days),
        get.number(lambda s: s.tests.ctdna_copies_per_cell)
        * get.number(lambda s: s.tests.ctdna_released_fraction),
        tests.plasma_ml or 0.0,
        get.number(lambda s: s.tests.plasma_litres),
        get.number(lambda s: s.tests.ctdna_recovery_fraction),
    )
    aspirated = tests.aspirate_fraction is not None
    return {
        "blood_tested": tests.blood_ml is not None,
        "sample_days": share[:, None],
        "marrow_organ": get.organs.index(tests.marrow_organ) if aspirated else -1,
        "aspirate_fraction": tests.aspirate_fraction or 0.0,
        "plasma_tested": tests.plasma_ml is not None,
        "plasma_days": dna[:, None],
        "tests_on_visits": tests.on_visits,
    }
