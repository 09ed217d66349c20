"""Sensitivity indices, kept beside the sweep that they come from."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from metasim.errors import ResultsError
from metasim.results.folder import plain_errors
from metasim.results.sweeps import Sweep, open_sweep

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Sensitivity:
    """A finished sensitivity study.

    Attributes:
        sweep: the points it rests on.
        table: a row per organ and key: index (Morris: mean absolute elementary effect over the
            whole range of the key; Sobol: total index), half_width of its 95 % interval, and
            mean_effect and spread (Morris) or first_order (Sobol).
    """

    sweep: Sweep
    table: "pd.DataFrame"

    @property
    def method(self) -> str:
        """How it was made: "morris" or "sobol"."""
        return str(self.sweep.provenance["design"])


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
    return Sensitivity(sweep, table)


def open_sensitivity(folder: str | Path) -> Sensitivity:
    """Open a finished study.

    Raises:
        ResultsError: there is none in the folder.
    """
    import pandas as pd

    sweep = open_sweep(folder)
    path = sweep.folder / "sensitivity.parquet"
    if not path.is_file():
        raise ResultsError(f"{folder}: a sweep, but no sensitivity study")
    return Sensitivity(sweep, pd.read_parquet(path))
