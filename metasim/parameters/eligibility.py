"""Who may get each treatment: the conditions of a plan, and to whom it is offered at all.

Subtype and chance do not change in the course of a patient: they are settled here, before an
engine draws.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from metasim.law.eligibility import ANY, Amounts, Classes, Conditions
from metasim.scenario.draws import uniform
from metasim.scenario.schema import Scenario
from metasim.scenario.treatment import Between, Condition
from metasim.scenario.tumours import suits
from metasim.terms import STAGES_M, STAGES_N, STAGES_T, Detection

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_NUMBERS = {
    "stage_t": STAGES_T,
    "stage_n": STAGES_N,
    "stage_m": STAGES_M,
    "detection": {way.label: int(way) for way in Detection},
}
"""Condition -> name of a class -> its number."""


def conditions_of(scenario: Scenario) -> Conditions:
    """The conditions of a scenario's treatments, in their order."""
    asked = [t.only_if or Condition() for t in scenario.treatment]
    ends = [[_ends(getattr(c, name)) for name in Amounts._fields] for c in asked]
    sets = [[_set(name, getattr(c, name)) for name in Classes._fields] for c in asked]
    bounds = np.array(ends, dtype=np.float64).reshape(len(asked), len(Amounts._fields), 2)
    return Conditions(
        np.ascontiguousarray(bounds[..., 0]),
        np.ascontiguousarray(bounds[..., 1]),
        np.array(sets, dtype=np.int64).reshape(len(asked), len(Classes._fields)),
    )


def _ends(between: Between | None) -> tuple[float, float]:
    low = between.min if between else None
    high = between.max if between else None
    return (-math.inf if low is None else low), (math.inf if high is None else high)


def _set(name: str, labels: list[str] | None) -> int:
    if labels is None:
        return ANY
    return sum(1 << number for label, number in _NUMBERS[name].items() if label in labels)


def offered_to(
    scenario: Scenario, drawn: Mapping[str, Array], first: int = 0, count: int = 1
) -> Flags:
    """Which treatments some patients may get, by what does not change in their course.

    Args:
        scenario: what is asked.
        drawn: key path -> (count,) drawn values of these patients.
        first: number of the first patient.
        count: number of patients.

    Returns:
        (count, T), or (1, T) where all patients are alike.
    """
    columns = [
        suits(scenario, t.only_if, drawn)
        & _chosen(scenario, f"treatment.{place}.given_fraction", t.given_fraction, first, count)
        for place, t in enumerate(scenario.treatment)
    ]
    return _table(columns)


def responding_to(scenario: Scenario, first: int = 0, count: int = 1) -> Flags:
    """Which treatments act on the tumours of some patients.

    A tumour responds to all treatments of a kind or, where their shares are equal, to none.

    Args:
        scenario: what is asked.
        first: number of the first patient.
        count: number of patients.

    Returns:
        (count, T), or (1, T) where all patients are alike.
    """
    return _table(
        [
            _chosen(scenario, f"responding.{t.kind}", t.responding_fraction, first, count)
            for t in scenario.treatment
        ]
    )


def _table(columns: list[Flags]) -> Flags:
    """Columns of a length or of 1, side by side."""
    width = max((len(column) for column in columns), default=1)
    out = np.empty((width, len(columns)), np.bool_)
    for place, column in enumerate(columns):
        out[:, place] = column
    return out


def _chosen(scenario: Scenario, address: str, share: float, first: int, count: int) -> Flags:
    """(1,) or (count,): who is among a share of the patients, by chance."""
    if share >= 1.0:
        return np.ones(1, np.bool_)
    drawn = uniform(scenario.run.rng_seed, address, first, count)
    return np.asarray(drawn < share)
