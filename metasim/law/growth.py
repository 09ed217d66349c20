"""Growth of a colony (MODEL section 4): the net rate g(N) and the exact birth-death step.

`net_growth` and `birth_death` are written so that they hold for scalars and for arrays and can be
compiled as they stand; both engines and the closed forms use these same functions.
"""

import math

EXPONENTIAL, LOGISTIC, GOMPERTZ = 0, 1, 2  # metasim.terms.GrowthLaw; else: power


def net_growth(
    law: int,
    cells: float,
    rho: float,
    capacity: float,
    power_exponent: float,
    vascularised: bool,
    avascular_cells: float,
) -> float:
    """Net growth rate g(N) of a colony, per day.

    exponential rho; logistic rho (1 - N/K); Gompertz rho ln(K/N); power rho N^(p-1). A colony
    without vessels is held at its avascular size by a factor (1 - N/N_avascular) on any of them:
    below that size it grows as if vascularised (docs/model.md says why this replaces K).

    Args:
        law: `metasim.terms.GrowthLaw`.
        cells: colony size N >= 1.
        rho: rate constant, 1/day (power law: cells^(1-p)/day).
        capacity: K, cells.
        power_exponent: p.
        vascularised: whether the angiogenic switch has happened.
        avascular_cells: size at which a colony without vessels stops growing.
    """
    if law == EXPONENTIAL:
        rate = rho
    elif law == LOGISTIC:
        rate = rho * (1.0 - cells / capacity)
    elif law == GOMPERTZ:
        rate = rho * math.log(capacity / cells)
    else:
        rate = rho * cells ** (power_exponent - 1.0)
    if not vascularised and rate > 0.0:
        rate *= 1.0 - cells / avascular_cells
    return rate


def birth_death(birth: float, death: float, dt: float) -> tuple[float, float]:
    """Alpha and beta of the linear birth-death process over dt (MODEL section 5).

    One cell has no descendants after dt with probability alpha; otherwise their number is
    geometric: P(k) = (1 - beta) beta^(k-1). Source: Kendall 1948 as restated in MODEL section 5.

    Args:
        birth: division rate b >= 0, 1/day.
        death: death rate d >= 0, 1/day.
        dt: days.
    """
    x = (birth - death) * dt
    if abs(x) < 1e-9:  # b = d to rounding: the limit of the general form
        both = birth * dt / (1.0 + birth * dt)
        return both, both
    if x > 0:  # scaled by e^-x so that no exponential overflows
        e = -math.expm1(-x)
        denominator = birth - death * math.exp(-x)
    else:
        e = -math.expm1(x)
        denominator = death - birth * math.exp(x)
    return death * e / denominator, birth * e / denominator


def moments(alpha: float, beta: float) -> tuple[float, float, float]:
    """Mean, variance and third cumulant of one cell's descendants, from alpha and beta."""
    live = 1.0 - alpha
    rest = 1.0 - beta
    mean = live / rest
    f2 = 2.0 * live * beta / (rest * rest)
    f3 = 6.0 * live * beta * beta / (rest * rest * rest)
    second = f2 + mean
    third = f3 + 3.0 * f2 + mean
    variance = second - mean * mean
    cumulant = third - 3.0 * second * mean + 2.0 * mean * mean * mean
    return mean, variance, cumulant


def border_rate(
    invasion_per_day: float, cells: float, reference_cells: float, exponent: float
) -> float:
    """Invasion rate per cell at the border of a colony: r (N/N_ref)^(phi-1), 1/day."""
    return invasion_per_day * (cells / reference_cells) ** (exponent - 1.0)
