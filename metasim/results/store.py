"""Finished results: in memory after a run from Python, or opened from a folder."""

import json
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds

from metasim.errors import ResultsError
from metasim.results.folder import (
    FORMAT,
    FORMAT_VERSION,
    PartialFolder,
    partial_path,
    plain_errors,
    rows_of,
    write_texts,
)
from metasim.results.parts import write_rows
from metasim.results.tables import ALWAYS, TABLES_AT
from metasim.terms import MACRO_CELLS, MICRO_CELLS

if TYPE_CHECKING:
    import pandas as pd


class Results:
    """What came out of a run.

    Attributes:
        scenario: the fully explicit scenario, as plain dicts.
        scenario_toml: the same as text, as saved.
        provenance: versions, command, rng_seed, start, wall time, recording level, rows.
        title: one line for tables and figures.
        organs: keys of the organs, in the order of tables and figures.
    """

    def __init__(
        self,
        scenario_toml: str,
        provenance: Mapping[str, Any],
        tables: Mapping[str, pa.Table] | Path,
    ) -> None:
        self.scenario_toml = scenario_toml
        self.scenario: dict[str, Any] = tomllib.loads(scenario_toml)
        self.provenance = dict(provenance)
        self.title: str = self.scenario.get("title", "")
        self.organs = list(self.scenario["soil"])
        self._tables = tables

    def __repr__(self) -> str:
        patients, record = self.scenario["run"]["patients"], self.provenance["record"]
        return f"<Results of {patients:,} patients, {record} recorded: {self.title or 'untitled'}>"

    @cached_property
    def metastases(self) -> "pd.DataFrame":
        """One row per metastasis; days are nan where it did not happen."""
        return self._frame("metastases")

    @cached_property
    def counts(self) -> "pd.DataFrame":
        """Metastases and cells by patient, recorded day and organ."""
        return self._frame("counts")

    @cached_property
    def stages(self) -> "pd.DataFrame":
        """Cells in, into and out of each stage by patient, recorded day and organ."""
        return self._frame("stages")

    @cached_property
    def patients(self) -> "pd.DataFrame":
        """One row per patient: drawn parameters and clinical course."""
        return self._frame("patients")

    @cached_property
    def events(self) -> "pd.DataFrame":
        """One row per clinical event."""
        return self._frame("events")

    @cached_property
    def failures(self) -> "pd.DataFrame":
        """One row per patient that could not be simulated to the end: patient, error."""
        return self._frame("failures")

    @cached_property
    def summary(self) -> "pd.DataFrame":
        """One row per organ, see `metasim.results.summary.summarise`."""
        from metasim.results.summary import summarise  # loads pandas

        return summarise(self)

    @property
    def tally(self) -> pa.Table:
        """Sufficient statistics of the summary, see `metasim.results.tally`."""
        return self._read("summary")

    @property
    def size_classes(self) -> tuple[float, float]:
        """Least size of a micrometastasis and largest of one, in cells."""
        clinic = self.scenario.get("clinic", {})
        return clinic.get("micro_cells", MICRO_CELLS), clinic.get("macro_cells", MACRO_CELLS)

    def label(self, organ: str) -> str:
        """Name of an organ on figures and in printed tables."""
        label: str = self.scenario["soil"][organ].get("label", "")
        return label or organ.replace("_", " ")

    def arrow(self, name: str) -> ds.Dataset:
        """A table as a pyarrow dataset, to filter without reading the whole.

        Raises:
            ResultsError: the table was not recorded.
        """
        record = self.provenance["record"]
        recorded = (*ALWAYS, *TABLES_AT[record])
        if name not in recorded:
            needed = next((level for level in TABLES_AT if name in TABLES_AT[level]), None)
            if needed is None:
                raise ResultsError(f"there is no table {name!r}, only {', '.join(recorded)}")
            raise ResultsError(
                f"the table {name!r} was not recorded (the level was {record!r}); "
                f"run again with --record {needed}"
            )
        if isinstance(self._tables, Path):
            return ds.dataset(self._tables / f"{name}.parquet")
        return ds.dataset(self._tables[name])

    def save(self, folder: str | Path, overwrite: bool = False) -> Path:
        """Save into a results folder, which appears whole or not at all.

        Raises:
            ResultsError: the folder exists (unless `overwrite`) or cannot be written.
        """
        with PartialFolder(folder, overwrite=overwrite) as partial:
            partial.publish(self._write)
        return Path(folder)

    def _write(self, folder: Path) -> None:
        for name in self.provenance["rows"]:
            table = self.arrow(name)
            batches = (pa.Table.from_batches([batch]) for batch in table.to_batches())
            write_rows(table.schema, batches, folder / f"{name}.parquet")
        write_texts(folder, self.scenario_toml, self.provenance)

    def _read(self, name: str) -> pa.Table:
        try:
            return self.arrow(name).to_table()
        except (pa.ArrowInvalid, OSError) as error:
            raise ResultsError(f"the table {name!r} cannot be read: {error}") from error

    def _frame(self, name: str) -> "pd.DataFrame":
        frame: pd.DataFrame = self._read(name).to_pandas()
        if "organ" in frame:
            frame["organ"] = frame["organ"].cat.set_categories(self.organs)
        return frame


def open_results(folder: str | Path) -> Results:
    """Open a results folder; tables are read when first used.

    Raises:
        ResultsError: the folder is missing, half-written, of another program or version, or one
            of its tables is damaged.
    """
    path = Path(folder)
    if not path.is_dir():
        stopped = partial_path(path.absolute()).exists()
        hint = "; a stopped run lies beside it, --resume goes on with it" if stopped else ""
        raise ResultsError(f"{path}: no such results folder{hint}")
    if (path / "fingerprint.json").exists():
        raise ResultsError(f"{path}: parts of a stopped run; go on with it by --resume")
    for needed in ("provenance.json", "scenario.toml"):
        if not (path / needed).is_file():
            stopped = partial_path(path.absolute()).exists()
            hint = "; a stopped run lies in it, --resume goes on with it" if stopped else ""
            raise ResultsError(
                f"{path}: not a results folder of metasim ({needed} is missing){hint}"
            )
    with plain_errors(path):
        provenance = _provenance(path / "provenance.json")
        _check_tables(path, provenance["rows"])
        try:
            return Results(
                (path / "scenario.toml").read_text(encoding="utf-8"), provenance, path.absolute()
            )
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
            raise ResultsError(f"{path / 'scenario.toml'}: damaged ({error})") from error


def _provenance(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ResultsError(f"{path}: damaged ({error})") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ResultsError(f"{path.parent}: not a results folder of metasim")
    version = found.get("format_version")
    if version != FORMAT_VERSION:
        raise ResultsError(
            f"{path.parent}: written in format {version}; this metasim reads format "
            f"{FORMAT_VERSION}: run its scenario.toml again"
        )
    return found


def _check_tables(folder: Path, rows: Mapping[str, int]) -> None:
    for name, expected in rows.items():
        path = folder / f"{name}.parquet"
        if not path.is_file():
            raise ResultsError(f"{path}: missing")
        found = rows_of(path)
        if found != expected:
            raise ResultsError(f"{path}: holds {found:,} rows instead of {expected:,}")
