"""Growth of a colony (section 4 of docs/model): net rate g(N), exact birth-death step, cumulants.

All functions hold for plain numbers and can be compiled as they stand; both engines and the closed
forms use these same ones. A growth law is a function and a row of `LAWS`, both here and nowhere
else; the scenario key `growth.law`, its description and both engines derive from the row.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

Rate = Callable[[float, float, float, float], float]
"""Net growth rate, per day, from cells N, rho, capacity K and power exponent p."""


def exponential(cells: float, rho: float, capacity: float, power_exponent: float) -> float:
    """Equation 4.1 (exponential growth): rho."""
    return rho


def logistic(cells: float, rho: float, capacity: float, power_exponent: float) -> float:
    """Equation 4.2 (logistic growth): rho (1 - N/K)."""
    return rho * (1.0 - cells / capacity)


def gompertz(cells: float, rho: float, capacity: float, power_exponent: float) -> float:
    """Equation 4.3 (Gompertz growth): rho ln(K/N)."""
    return rho * math.log(capacity / cells)


def power(cells: float, rho: float, capacity: float, power_exponent: float) -> float:
    """Equation 4.4 (power law of growth): rho N^(p-1)."""
    return float(rho * cells ** (power_exponent - 1.0))


class GrowthLaw(NamedTuple):
    """A row of the table.

    Attributes:
        name: what `growth.law` calls it.
        rate: net growth rate of a colony with vessels.
        formula: the same in words, for the description of the key.
        needs: keys of the scenario that it reads besides `growth.rho_per_day`.
    """

    name: str
    rate: Rate
    formula: str
    needs: tuple[str, ...] = ()


LAWS: Final = (
    GrowthLaw("exponential", exponential, "rho"),
    GrowthLaw("logistic", logistic, "rho (1-N/K)", ("capacity_cells",)),
    GrowthLaw("gompertz", gompertz, "rho ln(K/N)", ("capacity_cells",)),
    GrowthLaw("power", power, "rho N^(p-1)", ("power_exponent",)),
)
"""All growth laws; engines know them by their place here."""


def law_number(name: str) -> int:
    """The place of a growth law in `LAWS`."""
    return [law.name for law in LAWS].index(name)


def net_growth_of(compiled: Callable[[Rate], Rate]) -> Callable[..., float]:
    """`net_growth`, with the growth laws compiled into it.

    Args:
        compiled: turns a function into one that compiled code can call.
    """
    choose = _no_law
    for number in reversed(range(len(LAWS))):
        choose = _either(number, compiled(LAWS[number].rate), compiled(choose))  # type: ignore
    rate_of = compiled(choose)  # type: ignore[arg-type]

    def net_growth(
        law: int,
        cells: float,
        rho: float,
        capacity: float,
        power_exponent: float,
        vascularised: bool,
        avascular_cells: float,
    ) -> float:
        """Net growth rate g(N) of a colony, per day (Equation 4.5, avascular colony).

        A colony without vessels is held at its avascular size by a factor (1 - N/N_avascular) on
        any growth law: below that size it grows as if vascularised (section 9 of docs/model says
        why this replaces K).

        Args:
            law: its place in `LAWS`.
            cells: colony size N >= 1.
            rho: rate constant, 1/day (power law: cells^(1-p)/day).
            capacity: K, cells.
            power_exponent: p.
            vascularised: whether the angiogenic switch has happened.
            avascular_cells: size at which a colony without vessels stops growing.
        """
        rate = rate_of(law, cells, rho, capacity, power_exponent)  # type: ignore
        if not vascularised and rate > 0.0:
            rate *= 1.0 - cells / avascular_cells
        return rate

    return net_growth


def _no_law(law: int, cells: float, rho: float, capacity: float, power_exponent: float) -> float:
    return math.nan


def _either(number: int, rate: Rate, other: Callable[..., float]) -> Callable[..., float]:
    """The growth rate by a law's number: this law's, or else the others'."""

    def choose(law: int, cells: float, rho: float, capacity: float, power_exponent: float) -> float:
        if law == number:
            return rate(cells, rho, capacity, power_exponent)
        return other(law, cells, rho, capacity, power_exponent)

    return choose


net_growth = net_growth_of(lambda function: function)


def lives(cells: float, small_cells: float, long_step_ends: bool) -> bool:
    """Whether a colony lives on a step (Equation 5.4, long step); else it rests.

    Args:
        cells: of the colony when it last lived, or after treatment.
        small_cells: a colony of fewer cells lives in long steps.
        long_step_ends: the number of the step is a multiple of the steps of a long one.
    """
    return long_step_ends or cells >= small_cells


def grown_at_rest(cells: float, birth: float, death: float, days: float) -> float:
    """Cells that a colony at rest would have by now, on average (Equation 5.5, size at rest).

    Args:
        cells: of one phenotype when the colony last lived, or after treatment.
        birth: division rate b, 1/day.
        death: death rate d, 1/day.
        days: for which it has rested; 0: it lives on this step.
    """
    return cells * math.exp((birth - death) * days) if days > 0.0 else cells


def birth_rate(death: float, net: float) -> float:
    """Division rate b of a cell, 1/day: d + g, never below 0 (Equation 4.6, division rate).

    Args:
        death: turnover d, 1/day.
        net: net growth rate g, 1/day; a colony whose g falls below -d shrinks at the rate d.
    """
    return max(0.0, death + net)


def birth_death(birth: float, death: float, dt: float) -> tuple[float, float]:
    """Alpha and beta of the linear birth-death process over dt (Equation 4.8).

    One cell has no descendants after dt with probability alpha; otherwise their number is
    geometric: P(k) = (1 - beta) beta^(k-1) (Equation 4.9). Source: Kendall 1948, Annals of
    Mathematical Statistics 19:1.

    Args:
        birth: division rate b >= 0, 1/day.
        death: death rate d >= 0, 1/day.
        dt: days.
    """
    x = (birth - death) * dt
    if abs(x) < 1e-9:  # b = d to rounding: the limit of the general form
        both = birth * dt / (1.0 + birth * dt)
        return both, both
    if x > 0.0:  # scaled by e^-x so that no exponential overflows
        e = -math.expm1(-x)
        scale = e / (birth - death * (1.0 - e))
    else:
        e = -math.expm1(x)
        scale = e / (death - birth * (1.0 - e))
    return death * scale, birth * scale


def cumulants(alpha: float, beta: float) -> tuple[float, float, float, float, float]:
    """First five cumulants of one cell's descendants (Equation 4.10): mean, variance, third ...

    Args:
        alpha: probability of none.
        beta: ratio of the geometric law of their number otherwise, < 1.
    """
    ratio = beta / (1.0 - beta)
    mean = (1.0 - alpha) / (1.0 - beta)
    # factorial moments, then moments about 0, then cumulants
    f2 = 2.0 * mean * ratio
    f3 = 3.0 * f2 * ratio
    f4 = 4.0 * f3 * ratio
    f5 = 5.0 * f4 * ratio
    m2 = f2 + mean
    m3 = f3 + 3.0 * f2 + mean
    m4 = f4 + 6.0 * f3 + 7.0 * f2 + mean
    m5 = f5 + 10.0 * f4 + 25.0 * f3 + 15.0 * f2 + mean
    square = mean * mean
    k2 = m2 - square
    k3 = m3 - mean * (3.0 * m2 - 2.0 * square)
    k4 = m4 - 4.0 * m3 * mean - 3.0 * m2 * m2 + square * (12.0 * m2 - 6.0 * square)
    k5 = (
        m5
        - 5.0 * m4 * mean
        - 10.0 * m3 * m2
        + square * (20.0 * m3 - 60.0 * m2 * mean + 24.0 * square * mean)
        + 30.0 * m2 * m2 * mean
    )
    return mean, k2, k3, k4, k5


def border_rate(
    invasion_per_day: float, cells: float, reference_cells: float, exponent: float
) -> float:
    """Invasion rate per cell, r (N/N_ref)^(phi-1), 1/day (Equation 4.12)."""
    # exp of log: twice as quick as a power
    return invasion_per_day * math.exp((exponent - 1.0) * math.log(cells / reference_cells))
