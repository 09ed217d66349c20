"""How properties of patients go together: rank correlation, logistic and Cox regression."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from metasim.results.outcomes import Outcome
from metasim.results.statistics import z
from metasim.results.survival import Ratio
from metasim.targets.quantities.estimate import Estimate, known
from metasim.targets.quantities.registry import Parameters, quantity
from metasim.targets.sample import Sample

if TYPE_CHECKING:
    import pandas as pd

Scale = Literal["plain", "log2", "log2_plus_1"]


class Two(Parameters):
    """Two columns of the patients table."""

    x: str = "diameter_mm"
    """One column."""
    y: str = "nodes_positive"
    """The other."""


class Logistic(Parameters):
    """A logistic regression of node-positivity, or of another column being at least something."""

    outcome: str = "nodes_positive"
    """Column of the outcome."""
    at_least: float = 1.0
    """Values from here on count as having it."""
    predictor: str = "diameter_mm"
    """Column of the predictor."""
    scale: Scale = "log2"
    """Scale of the predictor."""
    at: Annotated[float, Field(gt=0)] = 20.0
    """Value of the predictor at which the log-odds are taken."""


class Cox(Parameters):
    """A Cox regression."""

    outcome: Outcome = "distant"
    """What is waited for."""
    predictor: str = "nodes_positive"
    """Column whose hazard ratio per unit is wanted."""
    scale: Scale = "log2_plus_1"
    """Scale of the predictor."""
    adjust: tuple[str, ...] = ("diameter_mm", "age_years")
    """Columns that the model holds besides."""


@quantity("rank_correlation", "correlation", Two, positive=False)
def rank_correlation(sample: Sample, of: Two) -> Estimate:
    """Spearman's rank correlation of two columns (interval by Bonett and Wright)."""
    from scipy.stats import spearmanr

    x, y = known(sample.column(of.x), sample.column(of.y))
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Estimate.unknown(len(x))
    r = float(spearmanr(x, y).statistic)
    half = z(0.95) * np.sqrt((1 + r * r / 2) / (len(x) - 3))
    at = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))
    return Estimate(r, float(np.tanh(at - half)), float(np.tanh(at + half)), len(x))


@quantity("logistic_log_odds", "log-odds", Logistic, positive=False)
def logistic_log_odds(sample: Sample, of: Logistic) -> Estimate:
    """Log-odds of the outcome at a value of the predictor, by logistic regression."""
    return _logistic(sample, of)[0]


@quantity("logistic_slope", "log-odds", Logistic, positive=False)
def logistic_slope(sample: Sample, of: Logistic) -> Estimate:
    """Log-odds of the outcome per unit of the predictor on its scale (log2: per doubling)."""
    return _logistic(sample, of)[1]


@quantity("cox_hazard_ratio", "ratio", Cox)
def cox_hazard_ratio(sample: Sample, of: Cox) -> Estimate:
    """Hazard ratio per unit of a column on its scale, adjusted for others (Cox, Efron's ties)."""
    import pandas as pd
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError

    times = sample.time_to(of.outcome)
    columns = {"x": _scaled(sample.column(of.predictor), of.scale)}
    columns |= {f"adjust_{name}": sample.column(name).astype(float) for name in of.adjust}
    table = pd.DataFrame(columns).reindex(times.index)
    table = table.assign(years=times["years"], event=times["cause"] == 1).dropna()
    if not table["event"].any() or table["x"].nunique() < 2:
        return Estimate.unknown(len(table))
    try:
        fit = CoxPHFitter().fit(table, "years", "event")
    except ConvergenceError:
        return Estimate.unknown(len(table))
    log, error = float(fit.params_["x"]), float(fit.standard_errors_["x"])
    ratio = Ratio.of_log(log, error, 0.95)
    return Estimate(ratio.value, ratio.low, ratio.high, len(table))


def _scaled(values: "pd.Series[Any] | NDArray[np.float64]", scale: Scale) -> Any:
    numbers = values.astype(float)
    if scale == "plain":
        return numbers
    return np.log2(numbers + (scale == "log2_plus_1"))


def _logistic(sample: Sample, of: Logistic) -> tuple[Estimate, Estimate]:
    """Maximum likelihood by Newton's method: log-odds at `of.at`, and slope."""
    y, x = known(sample.column(of.outcome), sample.column(of.predictor))
    had = (y >= of.at_least).astype(float)
    place = float(_scaled(np.array([of.at]), of.scale)[0])
    design = np.column_stack([np.ones(len(x)), _scaled(x, of.scale) - place])
    beta = np.zeros(2)
    for _ in range(50):
        odds = design @ beta
        share = 1 / (1 + np.exp(-np.clip(odds, -500, 500)))
        information = design.T @ (design * (share * (1 - share))[:, None])
        if not np.isfinite(information).all() or np.linalg.cond(information) > 1e12:
            return Estimate.unknown(len(x)), Estimate.unknown(len(x))
        step = np.linalg.solve(information, design.T @ (had - share))
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    else:
        return Estimate.unknown(len(x)), Estimate.unknown(len(x))
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    ends = [Estimate.around(float(b), float(e), len(x)) for b, e in zip(beta, errors, strict=True)]
    return ends[0], ends[1]
