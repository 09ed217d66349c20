"""Runs whose patients have draws of a posterior: what the uncertain parameters add to intervals.

Patients of one draw share its parameters, so their mean differs from that of other draws. The
variance between draws is what is not known of the parameters, and no number of patients lowers it.
An interval holds it by being worked out as of fewer patients: as many as would give the variance
of the mean that chance and parameters have together.
"""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike

from metasim.results.outcomes import followed_patients
from metasim.results.store import Results
from metasim.results.tables import TABLES_AT
from metasim.results.tally import ANY_DISTANT

if TYPE_CHECKING:
    import pandas as pd

DRAW: Final = "draw"
"""Column of the patients table: which draw of the posterior a patient has."""


def draws_of(results: Results) -> "pd.Series[int] | None":
    """The draw of each followed patient, by patient; None: the run has no draws.

    Nor has it any here if neither patients nor metastases were recorded, as intervals then cannot
    be told apart by draws.
    """
    drawn = results.description.drawn.values()
    with_draws = any(isinstance(d, dict) and d.get("draws") for d in drawn)
    if not with_draws or "metastases" not in TABLES_AT[results.record]:
        return None
    table = results.patients.set_index("patient")[DRAW]
    return table.loc[followed_patients(results).index]


def numbers_of(results: Results, counted: str) -> "pd.DataFrame":
    """Metastases of a class by patient (index) and organ (columns), then any distant organ."""
    patients = followed_patients(results)
    seen = results.metastases.dropna(subset=f"{counted}_day")
    table = seen.groupby(["organ", "patient"], observed=False).size().unstack("organ", fill_value=0)
    local_last = [organ.key for organ in results.description.local_last]
    table = table.reindex(index=patients.index, columns=local_last, fill_value=0)
    table.columns = local_last
    distant = results.description.keys_at("distant")
    return table.assign(**{ANY_DISTANT: table[distant].sum(axis=1)}).astype(int)


def between_draws(values: ArrayLike, draw: ArrayLike) -> float:
    """Variance between draws of the mean of a draw's patients, by one-way analysis of variance.

    Args:
        values: one per patient, shape (n,).
        draw: the draw of each, shape (n,).

    Returns:
        At least 0; 0 also where no draw has two patients, so that it cannot be told.
    """
    x, place = np.asarray(values, float), np.unique(np.asarray(draw), return_inverse=True)[1]
    size = np.bincount(place).astype(float)
    n, groups = len(x), len(size)
    if groups < 2 or n <= groups:
        return 0.0
    means = np.bincount(place, x) / size
    between = (size * (means - x.mean()) ** 2).sum() / (groups - 1)
    within = ((x - means[place]) ** 2).sum() / (n - groups)
    each = (n - (size**2).sum() / n) / (groups - 1)
    return float(max(between - within, 0.0) / each)


def share_left(values: ArrayLike, draw: "pd.Series[Any] | None") -> float:
    """By how much the patients count less for a mean, as their parameters are uncertain: 0 to 1.

    Args:
        values: one per patient, shape (n,).
        draw: the draw of each; None: the parameters are certain.
    """
    x = np.asarray(values, float)
    if draw is None or not len(x):
        return 1.0
    chance = x.var() / len(x)
    total = chance + between_draws(x, draw)
    return float(chance / total) if total > 0 else 1.0
