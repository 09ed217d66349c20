"""Who gets a treatment that is due: the conditions of a plan, and what is known of a patient.

Pure functions of numbers, as in `metasim.law.clinic`: both engines use them, the colony engine
compiled. What is not known of a patient is NaN.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


class Amounts(NamedTuple):
    """What is known of a patient in numbers, on the day; conditions on it are ranges."""

    burden_cells: float  # of all metastases
    age_years: float
    nodes_positive: float  # at diagnosis, as the next
    diameter_mm: float  # of the primary


class Classes(NamedTuple):
    """What is known of a patient as one of a few classes, by its number; conditions are sets."""

    stage_t: float  # at diagnosis, as `metasim.law.clinic` numbers the stages; so the next two
    stage_n: float
    stage_m: float
    detection: float  # `metasim.terms.Detection`


ANY = -1
"""A set of classes that holds all of them, and the unknown."""


class Conditions(NamedTuple):
    """Who gets each of T treatments; the second axes are those of `Amounts` and `Classes`."""

    least: Array  # (T, A) -inf: no least; with no most either, what is not known will do
    most: Array  # (T, A) inf: no most
    sets: Ints  # (T, C) bit i stands for the class of number i; or ANY


def eligible(amounts: Amounts, classes: Classes, asked: Conditions, t: int) -> bool:
    """Whether a patient meets all conditions of the t-th treatment (Equation 6.5, eligibility).

    Args:
        amounts: what is known of the patient on the day on which it is due, in numbers.
        classes: and in classes.
        asked: the conditions of all treatments.
        t: which of them.
    """
    for i in range(len(amounts)):
        least, most = asked.least[t, i], asked.most[t, i]
        open_ended = least == -math.inf and most == math.inf
        if not (open_ended or least <= amounts[i] <= most):
            return False
    for i in range(len(classes)):
        number, wanted = classes[i], asked.sets[t, i]
        if wanted != ANY and (math.isnan(number) or (wanted >> int(number)) & 1 == 0):
            return False
    return True
