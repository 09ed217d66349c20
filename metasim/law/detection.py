"""How a primary comes to diagnosis: symptoms, screening, and what screening gains.

Pure functions of numbers, as in `metasim.law.clinic`: both engines use them, the colony engine
compiled. Days of what has not happened are NaN; a comparison with NaN is false.
"""

import math
from collections.abc import Callable
from typing import Any, Final

from metasim.law.growth import birth_rate, net_growth_of
from metasim.terms import DAYS_PER_YEAR, Detection

LONGEST_LEAD_DAYS: Final = 100 * DAYS_PER_YEAR
"""A primary that would not have been found by then counts as never found."""

_MOST_STEPS = 100_000  # of a forecast, however short they are
_SYMPTOM, _SCREENING, _INTERVAL = (int(way) for way in Detection)


def symptom_hazard(before: float, after: float, per_day_per_cell: float, dt_days: float) -> float:
    """Hazard of symptoms of the primary over a step (Equation 8.6, symptoms of the primary).

    Proportional to its volume, and exact if it grows exponentially from the one size to the other.

    Args:
        before: its cells at the start of the step.
        after: at the end.
        per_day_per_cell: hazard of a cell.
        dt_days: length of the step.
    """
    mean = 0.5 * (before + after)
    # where both are nearly the same the logarithm loses digits, and the mean is as good
    if before > 0.0 and after > 0.0 and abs(after - before) > 1e-4 * before:
        mean = (after - before) / math.log(after / before)
    return per_day_per_cell * mean * dt_days


def screening_offered(age_years: float, from_years: float, to_years: float) -> bool:
    """Whether women of an age are screened: from the one birthday to the other."""
    return from_years <= age_years <= to_years


def detection_mode(felt: bool, day: float, missed_day: float, interval_days: float) -> int:
    """The way of detection as a number of `metasim.terms.Detection`.

    Args:
        felt: by symptoms or a diameter of diagnosis, whatever a visit of the day finds.
        day: of the diagnosis.
        missed_day: last screening visit that missed the primary; NaN: none.
        interval_days: between visits.
    """
    if not felt:
        return _SCREENING
    return _INTERVAL if day <= missed_day + interval_days else _SYMPTOM


def lead_time_of(compiled: Callable[[Any], Any]) -> Callable[..., float]:
    """`lead_time_days`, with the growth laws compiled into it.

    Args:
        compiled: turns a function into one that compiled code can call.
    """
    net_growth = compiled(net_growth_of(compiled))
    birth, hazard = compiled(birth_rate), compiled(symptom_hazard)

    def lead_time_days(
        cells: Any,
        rho: Any,
        death: Any,
        growth: tuple[int, float, float, bool, float],
        clock: tuple[float, float, float],
        dt_days: float,
    ) -> float:
        """Days until a primary would have been found without screening (Equation 8.7, lead time).

        Its phenotypes grow on by their mean, step by step at the rates of the start of each step,
        and neither change, shed nor are treated. NaN: never, or not in `LONGEST_LEAD_DAYS`.

        Args:
            cells: (K,) today, by phenotype; overwritten.
            rho: (K,) rate constant of growth.
            death: (K,) turnover.
            growth: place of the growth law in `metasim.law.growth.LAWS`, capacity, power exponent,
                whether there are vessels, and the size that a colony without them keeps.
            clock: hazard of symptoms that is left to go through, hazard per day and cell, and the
                size at which the primary is diagnosed anyway; infinite, 0, infinite: none.
            dt_days: length of a step.
        """
        law, capacity, power_exponent, vascularised, avascular_cells = growth
        left, per_day_per_cell, diagnosis_cells = clock
        if per_day_per_cell <= 0.0 and math.isinf(diagnosis_cells):
            return math.nan
        size = 0.0
        for k in range(len(cells)):
            size += cells[k]
        step = 0
        while size > 0.0 and step < _MOST_STEPS and step * dt_days < LONGEST_LEAD_DAYS:
            step += 1
            after = 0.0
            for k in range(len(cells)):
                net = net_growth(
                    law, size, rho[k], capacity, power_exponent, vascularised, avascular_cells
                )
                cells[k] *= math.exp((birth(death[k], net) - death[k]) * dt_days)
                after += cells[k]
            left -= hazard(size, after, per_day_per_cell, dt_days)
            size = after
            if left <= 0.0 or size >= diagnosis_cells:
                return step * dt_days
        return math.nan

    return lead_time_days


lead_time_days = lead_time_of(lambda function: function)
