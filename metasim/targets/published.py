"""The uncertainty of a published figure, from its interval or from its counts."""

from typing import Final

from metasim.results.statistics import rate_interval, wilson_interval, z
from metasim.targets.schema import Target

_WIDTHS: Final = 2 * z(0.95)


def interval(target: Target, unit: str) -> tuple[float, float] | None:
    """The published 95 % interval, or the one its counts give; None: the figure has neither.

    A share is taken as binomial (Wilson), a rate in a year as Poisson (exact).

    Args:
        target: the published figure.
        unit: of its quantity.
    """
    if target.low is not None and target.high is not None:
        return target.low, target.high
    if target.total is None or unit not in ("%", "% per year"):
        return None
    events = target.value / 100 * target.total if target.events is None else target.events
    ends = (wilson_interval if unit == "%" else rate_interval)(events, target.total)
    low, high = (100 * float(end) for end in ends)
    return min(low, target.value), max(high, target.value)


def standard_error(target: Target, unit: str) -> float:
    """Half the width of the interval over 1.96; 0 without one."""
    ends = interval(target, unit)
    return 0.0 if ends is None else (ends[1] - ends[0]) / _WIDTHS
