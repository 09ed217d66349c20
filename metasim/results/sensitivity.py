"""Sensitivity indices, kept beside the sweep that they come from."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from metasim.checked import checked
from metasim.errors import ResultsError
from metasim.results.door import Wanted, check_table
from metasim.results.folder import add_checksums, plain_errors
from metasim.results.sweeps import Sweep, open_sweep
from metasim.results.tally import ANY_DISTANT

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

FALSE_DISCOVERIES: Final = 0.05
"""Share of the keys said to stand out that may do so by chance."""

_TABLE: Final = pa.schema(
    [
        ("organ", pa.string()),
        ("counted", pa.string()),
        ("key", pa.string()),
        *((name, pa.float64()) for name in ("index", "half_width", "p_chance")),
        ("clear", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Sensitivity:
    """A finished sensitivity study.

    Attributes:
        sweep: the points it rests on.
        table: a row per organ and key: index (Morris: mean absolute elementary effect over the
            whole range of the key; Sobol: total index), half_width of its 95 % interval, p_chance
            (see `chance`), clear (see `stands_out`), and mean_effect and spread (Morris) or
            first_order (Sobol).

    Example:
        >>> base = ms.load("luminal_a", {"run.patients": 20})
        >>> ms.sensitivity(base, {"soil.bone.niche": (0.0, 1.0)}, size=2).method
        'morris'
    """

    sweep: Sweep
    table: "pd.DataFrame"

    @property
    def method(self) -> str:
        """How it was made: "morris" or "sobol"."""
        return str(self.sweep.provenance["design"])


def chance(outcomes: Array, errors: Array) -> Array:
    """Probability that keys without any effect make outcomes differ as much as they do.

    Chi-squared of the differences between points that differ in one key, against the errors of
    both; too large rather than too small, because the same patients at every point make chance
    differ less. Differences of unequal errors are matched in mean and variance (Satterthwaite).

    Args:
        outcomes: (keys, pairs, 2) at the two points of each pair.
        errors: (keys, pairs, 2) their standard errors, above 0.

    Returns:
        (keys,) probabilities.
    """
    from scipy.stats import chi2

    differences = np.diff(outcomes)[..., 0] ** 2
    variances = (errors**2).sum(axis=-1)
    sums = variances.sum(axis=-1)
    freedom = sums**2 / (variances**2).sum(axis=-1)
    return np.asarray(chi2.sf(differences.sum(axis=-1) / sums * freedom, freedom))


def stands_out(table: "pd.DataFrame") -> "pd.DataFrame":
    """The table with `clear`: beyond chance, and the interval of the index does not reach 0.

    Of an organ's keys beyond chance, some 5 % at most are there by chance (Benjamini and Hochberg's
    false discovery rate).
    """
    from scipy.stats import false_discovery_control

    rate = table.groupby("organ")["p_chance"].transform(false_discovery_control)
    beyond = rate <= FALSE_DISCOVERIES
    return table.assign(clear=beyond & (table["index"] > table["half_width"]))


def save_sensitivity(sweep: Sweep, table: "pd.DataFrame") -> Sensitivity:
    """Write sensitivity.parquet and sensitivity.csv into the sweep's folder.

    Raises:
        ResultsError: the disk is full or cannot be written.
    """
    with plain_errors(sweep.folder):
        for name, write in (("csv", table.to_csv), ("parquet", table.to_parquet)):
            unfinished = sweep.folder / f".sensitivity.{name}"
            write(unfinished, index=False)
            os.replace(unfinished, sweep.folder / f"sensitivity.{name}")
        add_checksums(sweep.folder, ("sensitivity.csv", "sensitivity.parquet"))
    return Sensitivity(sweep, table)


@checked()
def open_sensitivity(folder: str | Path) -> Sensitivity:
    """Open a finished study.

    Args:
        folder: of a study, as `sensitivity` wrote it.

    Raises:
        ResultsError: there is none in the folder.

    Example:
        >>> base = ms.load("luminal_a", {"run.patients": 20})
        >>> study = ms.sensitivity(base, {"soil.bone.niche": (0.0, 1.0)}, size=2, output="bone")
        >>> ms.open_sensitivity("bone").method
        'morris'
    """
    found = open_study(folder)
    if not isinstance(found, Sensitivity):
        raise ResultsError(f"{folder}: a sweep, but no sensitivity study")
    return found


def open_study(folder: str | Path) -> Sweep | Sensitivity:
    """Open a finished sweep, as a sensitivity study if it is one.

    Raises:
        ResultsError: it is missing, damaged, or no sweep.
    """
    import pandas as pd

    sweep = open_sweep(folder)
    path = sweep.folder / "sensitivity.parquet"
    if not path.is_file():
        return sweep
    with plain_errors(path):
        wanted = Wanted(_TABLE, None)
        organs = {ANY_DISTANT, *sweep.base.organs}
        check_table(path, wanted, sweep.provenance, organs)
        table = pd.read_parquet(path)
    if missing := set(sweep.keys) ^ set(table["key"]):
        raise ResultsError(f"{path}: column 'key' does not fit the keys that vary: {min(missing)}")
    if table.duplicated(["organ", "key"]).any():
        raise ResultsError(f"{path}: columns 'organ' and 'key' hold a pair twice")
    return Sensitivity(sweep, table)
