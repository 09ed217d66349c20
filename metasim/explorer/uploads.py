"""What is uploaded, a scenario or a results folder: checked as on the command line."""

import re
import tempfile
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from metasim.errors import OptionError, ResultsError, ScenarioError
from metasim.explorer.limits import MOST_UPLOAD_BYTES, MOST_UPLOAD_FILES, MOST_UPLOAD_VALUES
from metasim.explorer.sessions import Base
from metasim.results.store import Results, open_results
from metasim.results.tables import ALWAYS, TABLES_AT
from metasim.scenario.closed import catalogue_only
from metasim.scenario.load import load

_PART: Final = re.compile(r"[A-Za-z0-9_\-]+")
RESULT_FILES: Final = frozenset(
    ["provenance.json", "scenario.toml"]
    + [f"{table}.parquet" for table in {*ALWAYS, *(t for at in TABLES_AT.values() for t in at)}]
)
"""Files of a results folder that are taken."""


def scenario_of(data: bytes, name: str) -> Base:
    """The scenario of a file's bytes; it may extend what ships with metasim.

    Args:
        data: what the file holds.
        name: what it is called there; messages say it, nothing is opened by it.

    Raises:
        ScenarioError: with all mistakes at once.
    """
    stem = "_".join(_PART.findall(name.rpartition(".")[0] or name))[:60] or "scenario"
    called = f"{stem}.toml"
    with tempfile.TemporaryDirectory(prefix="metasim-explore-") as folder, catalogue_only():
        path = Path(folder) / called
        path.write_bytes(data)
        try:
            return Base(called, load(path), "upload")
        except ScenarioError as error:
            raise ScenarioError(called, error.mistakes) from None


def keep(data: bytes, name: str, folder: Path) -> None:
    """Keep a file of a results folder.

    Args:
        data: what it holds.
        name: one of `RESULT_FILES`.
        folder: where to.

    Raises:
        OptionError: the name is another, or it is too much.
    """
    if name not in RESULT_FILES:
        raise OptionError(f"{name[:60]}: not a file of a results folder of metasim")
    others = [path for path in folder.iterdir() if path.name != name]
    size = len(data) + sum(path.stat().st_size for path in others)
    if size > MOST_UPLOAD_BYTES or len(others) >= MOST_UPLOAD_FILES:
        raise OptionError(
            f"the results folder has more than {MOST_UPLOAD_BYTES // 1_000_000} MB; look at it "
            "with metasim plot, or metasim report"
        )
    (folder / name).write_bytes(data)


def results_of(folder: Path) -> Results:
    """The results whose files were kept, read into memory.

    Raises:
        ResultsError: they are damaged, too many, or not at level metastases.
    """
    values = 0
    for path in folder.glob("*.parquet"):
        try:
            about = pq.read_metadata(path)
            values += about.num_rows * about.num_columns
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ResultsError(f"{path.name}: damaged or truncated") from error
    if values > MOST_UPLOAD_VALUES:
        raise ResultsError(f"{values:,} values are more than {MOST_UPLOAD_VALUES:,}, the most here")
    try:
        found = open_results(folder)
        found.arrow("metastases")
        tables = {name: found.arrow(name).to_table() for name in found.provenance["rows"]}
    except ResultsError as error:
        raise ResultsError(
            str(error).replace(f"{folder}/", "").replace(str(folder), "folder")
        ) from None
    return Results(found.scenario_toml, found.provenance, tables, found.description)
