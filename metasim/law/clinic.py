"""The rules of the clinic: what is seen, how it is staged, what is due, when it ends, what kills.

Pure functions of numbers, as in `metasim.law.growth`: both engines use them, the colony engine
compiled. Days of what has not happened are NaN; a comparison with NaN is false.
"""

import math

import numpy as np

from metasim.law.arrays import ON_DAY, ON_DIAGNOSIS, ON_RELAPSE, PROGRESSION

ROUNDING_DAYS = 1e-9
"""By so much early a day counts as reached: sums of steps and of intervals round differently."""

_MOST_VISITS = 1e15  # floats count up to 9e15


# what is seen


def next_visit(day: float, first_day: float, interval_days: float) -> float:
    """Day of the first visit after a day (Equation 8.3): at first_day + n * interval_days.

    Args:
        day: not before `first_day`.
        first_day: the first visit.
        interval_days: > 0, however short.
    """
    visits = min(np.floor((day - first_day) / interval_days) + 1.0, _MOST_VISITS)
    # the division may round otherwise than the product that it stands for
    if day >= first_day + visits * interval_days:
        visits += 1.0
    elif not day >= first_day + (visits - 1.0) * interval_days:
        visits -= 1.0
    return float(first_day + visits * interval_days)


def screening_sensitivity(cells: float, half_cells: float, slope: float) -> float:
    """Probability that a screening visit finds a primary (Equation 8.2, screening).

    The log-odds are linear in the logarithm of its size.

    Args:
        cells: of the primary.
        half_cells: size found half the time.
        slope: of the log-odds in the logarithm of the cells.
    """
    if cells <= 0:
        return 0.0
    return float(1.0 / (1.0 + (half_cells / cells) ** slope))


# how it is staged (AJCC)


def stage_t(cells: float, t2_cells: float, t3_cells: float) -> int:
    """T of a primary: 1, 2 above the one size, 3 above the other."""
    if cells > t3_cells:
        return 3
    return 2 if cells > t2_cells else 1


# what is due


def due_day(
    trigger: int, delay_days: float, diagnosis_day: float, relapse_day: float, seen_day: float
) -> float:
    """Day from which a treatment is due; NaN or infinite: it waits for an event.

    Args:
        trigger: ON_DAY, ON_DIAGNOSIS, ON_RELAPSE, or the index of an organ.
        delay_days: from the trigger.
        diagnosis_day: NaN: not yet.
        relapse_day: first distant metastasis seen; NaN: not yet.
        seen_day: first metastasis seen in that organ; NaN: not yet.
    """
    if trigger == ON_DAY:
        return delay_days
    if trigger == ON_DIAGNOSIS:
        return delay_days + diagnosis_day
    if trigger == ON_RELAPSE:
        return delay_days + relapse_day
    return delay_days + seen_day


def cycle_due(day: float, start_day: float, given: int, cycles: int, interval_days: float) -> bool:
    """Whether the next cycle is due; all that fall into one step are given."""
    return given < cycles and day >= start_day + given * interval_days - ROUNDING_DAYS


def hazard_days(day: float, dt_days: float, start_day: float, duration_days: float) -> float:
    """Days of the last step on which a hazard was given (Equation 6.3, days of a hazard)."""
    return min(dt_days, start_day + duration_days - (day - dt_days))


# when it ends


def progressed(day: float, start_day: float, seen_cells: float, smallest_cells: float) -> bool:
    """Whether the metastases seen have progressed since a start (Equation 8.4; RECIST).

    Args:
        day: today.
        start_day: of the treatment.
        seen_cells: of the metastases seen.
        smallest_cells: smallest of these burdens since the start; 0: none was seen.
    """
    return day > start_day and seen_cells > 0 and seen_cells >= PROGRESSION * smallest_cells


def completed(day: float, start_day: float, duration_days: float, given: int, cycles: int) -> bool:
    """Whether all cycles are given and the duration is over."""
    return given >= cycles and day >= start_day + duration_days - ROUNDING_DAYS


# what kills


def other_death_day(exponential: float, hazard_per_day: float, growth_per_day: float) -> float:
    """Day of death from other causes, at a Gompertz hazard (Equation 8.5).

    Args:
        exponential: a standard exponential variate.
        hazard_per_day: on day 0; 0: nobody dies of other causes.
        growth_per_day: of the logarithm of the hazard, > 0.
    """
    if hazard_per_day <= 0.0:
        return math.inf
    return math.log1p(exponential * growth_per_day / hazard_per_day) / growth_per_day
