"""Finished results: in memory after a run from Python, or opened from a folder."""

import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds

from metasim.checked import checked
from metasim.errors import ResultsError
from metasim.results.description import Description
from metasim.results.door import (
    CHECKSUMS,
    Wanted,
    check_table,
    expect,
    read_about,
    read_description,
)
from metasim.results.folder import (
    FORMAT,
    FORMAT_VERSION,
    FORMATS,
    PartialFolder,
    partial_path,
    plain_errors,
    write_texts,
)
from metasim.results.parts import write_rows
from metasim.results.tables import ALWAYS, TABLES_AT, schema_of
from metasim.results.tally import ANY_DISTANT
from metasim.results.values import check_links

if TYPE_CHECKING:
    import pandas as pd
    import xarray


class Results:
    """What came out of a run.

    Attributes:
        scenario: the fully explicit scenario, as plain dicts.
        provenance: versions, command, rng_seed, start, wall time, recording level, rows.
        title: one line for tables and figures.
        description: what tables and figures know of the run, frozen, every default filled in.
        organs: keys of the organs, in the order of tables and figures.

    Example:
        >>> results = ms.run(ms.load("luminal_a", {"run.patients": 20}))
        >>> results.label("bone"), len(results.summary) == len(results.organs) + 1
        ('Bone', True)
    """

    def __init__(
        self,
        scenario: str | Mapping[str, Any],
        provenance: Mapping[str, Any],
        tables: Mapping[str, pa.Table] | Path,
        description: Description | None = None,
    ) -> None:
        self._text = scenario if isinstance(scenario, str) else ""
        self.scenario: dict[str, Any] = (
            tomllib.loads(scenario) if isinstance(scenario, str) else dict(scenario)
        )
        self.provenance = dict(provenance)
        self.description = description or Description.of(self.scenario)
        self.title = self.description.title
        self.organs = [organ.key for organ in self.description.organs]
        self._tables = tables

    def __repr__(self) -> str:
        patients, record = self.description.patients, self.record
        return f"<Results of {patients:,} patients, {record} recorded: {self.title or 'untitled'}>"

    @property
    def scenario_toml(self) -> str:
        """The scenario as text, as saved."""
        return self._text

    @property
    def record(self) -> str:
        """Recording level, one of `metasim.terms.RECORD_LEVELS`."""
        return str(self.provenance["record"])

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
        return self.description.micro_cells, self.description.macro_cells

    def label(self, organ: str) -> str:
        """Name of an organ on figures and in printed tables."""
        return self.description.by_key[organ].label

    def arrow(self, name: str) -> ds.Dataset:
        """A table as a pyarrow dataset, to filter without reading the whole.

        Raises:
            ResultsError: the table was not recorded.
        """
        record = self.record
        recorded = (*ALWAYS, *TABLES_AT[record])
        if name not in recorded:
            needed = next((level for level in TABLES_AT if name in TABLES_AT[level]), None)
            if needed is None:
                raise ResultsError(f"there is no table {name!r}, only {', '.join(recorded)}")
            raise ResultsError(
                f"the table {name!r} was not recorded (the level was {record!r}); "
                f"run again with --record {needed}"
            )
        if not isinstance(self._tables, Path):
            return ds.dataset(self._tables[name])
        path = self._tables / f"{name}.parquet"
        try:
            return ds.dataset(path)
        except (pa.ArrowInvalid, OSError) as error:  # it was whole when the folder was opened
            raise ResultsError(f"{path}: cannot be read any more ({error})") from error

    def to_xarray(self) -> "xarray.Dataset":
        """The tables as arrays with named axes, see `metasim.results.exchange.to_xarray`.

        Raises:
            OptionError: xarray is not installed.
            ResultsError: only the summary was recorded, or the arrays would be too large.
        """
        from metasim.results.exchange import to_xarray

        return to_xarray(self)

    def _repr_html_(self) -> str:
        from metasim.results.exchange import html

        return html(self)

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


@checked()
def open_results(folder: str | Path) -> Results:
    """Open a results folder; tables are read when first used.

    Args:
        folder: of a run, as `run` or `Results.save` wrote it.

    Raises:
        ResultsError: the folder is missing, half-written, of another program or a newer version,
            or one of its files is damaged: names the file, and the key or column.

    Example:
        >>> results = ms.run(ms.load("luminal_a", {"run.patients": 20}))
        >>> folder = results.save("results/few")
        >>> ms.open_results(folder).provenance["rng_seed"]
        1
    """
    path = Path(folder)
    if not path.is_dir():
        stopped = partial_path(path.absolute()).exists()
        hint = "; a stopped run lies beside it, --resume goes on with it" if stopped else ""
        raise ResultsError(f"{path}: no such results folder{hint}")
    if (path / "fingerprint.json").exists():
        raise ResultsError(f"{path}: parts of a stopped run; go on with it by --resume")
    if not (path / "provenance.json").is_file() and partial_path(path.absolute()).exists():
        raise ResultsError(
            f"{path}: not a results folder of metasim (provenance.json is missing); "
            "a stopped run lies in it, --resume goes on with it"
        )
    with plain_errors(path):
        about = read_about(path, FORMATS, FORMAT, FORMAT_VERSION)
        text, description = read_description(path, about)
        _check_tables(path, about, description)
    return Results(text, about, path.absolute(), description)


def _check_tables(folder: Path, about: Mapping[str, Any], description: Description) -> None:
    path = folder / "provenance.json"
    record = expect(about, "record", str, path)
    if record not in TABLES_AT:
        raise ResultsError(f"{path}: 'record' is {record!r}; one of {', '.join(TABLES_AT)} is due")
    rows = expect(about, "rows", dict, path)
    for key in ("patients", CHECKSUMS):
        if key in about:
            expect(about, key, dict if key == CHECKSUMS else int, path)
    organs = {organ.key for organ in description.organs}
    for name in (*TABLES_AT[record], *ALWAYS):
        number = expect(rows, name, int, path)
        known = organs | {ANY_DISTANT} if name == "summary" else organs
        others = ("treatment",) if name == "events" and description.treatments else ()
        wanted = Wanted(schema_of(name), number, others)
        check_table(folder / f"{name}.parquet", wanted, about, known)
    if CHECKSUMS not in about:
        check_links(folder, TABLES_AT[record])
