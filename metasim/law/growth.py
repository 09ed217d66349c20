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


def birth_rate(death: float, net: float) -> float:
    """Division rate b of a cell, 1/day: b = d + g, and never below 0.

    Args:
        death: turnover d, 1/day.
        net: net growth rate g, 1/day; a colony whose g falls below -d shrinks at the rate d.
    """
    return max(0.0, death + net)


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
    if x > 0.0:  # scaled by e^-x so that no exponential overflows
        e = -math.expm1(-x)
        scale = e / (birth - death * (1.0 - e))
    else:
        e = -math.expm1(x)
        scale = e / (death - birth * (1.0 - e))
    return death * scale, birth * scale


def cumulants(alpha: float, beta: float) -> tuple[float, float, float, float, float]:
    """First five cumulants of one cell's descendants: mean, variance, third to fifth.

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
    """Invasion rate per cell at the border of a colony: r (N/N_ref)^(phi-1), 1/day."""
    # exp of log: twice as quick as a power
    return invasion_per_day * math.exp((exponent - 1.0) * math.log(cells / reference_cells))
