"""What values belong into the tables: checked at the door where no checksum vouches for them."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from metasim.errors import ResultsError
from metasim.results.tables import NULLABLE
from metasim.terms import Stage

if TYPE_CHECKING:
    import pandas as pd

_KNOWN = {
    "stage": {stage.label for stage in Stage},
    "counted": {"founded", "micro", "macro", "detected"},
}
_ABOUT_PATIENTS = ("metastases", "events", "counts", "stages")


def check_values(path: Path, table: pa.Table, due: set[str], organs: set[str]) -> None:
    """Refuse missing, infinite and negative values and unknown names, column by column.

    Args:
        path: of the table's file; its name says which table it is.
        table: some rows of it.
        due: columns that every such table has; others may have missing values.
        organs: what may stand in columns of organs.

    Raises:
        ResultsError: names file and column.
    """
    table.validate(full=True)
    for name, column in zip(table.column_names, table.columns, strict=True):
        where = f"{path}: column {name!r}"
        kind = column.type
        if column.null_count and name in due.difference(NULLABLE.get(path.stem, ())):
            raise ResultsError(f"{where} has no value in {column.null_count:,} rows")
        if pa.types.is_floating(kind):
            if strange := pc.sum(pc.invert(pc.is_finite(column))).as_py():
                raise ResultsError(f"{where} has {strange:,} numbers that are not finite")
        elif pa.types.is_integer(kind) and name != "net_growth":
            least = pc.min(column).as_py()
            if least is not None and least < 0:
                raise ResultsError(f"{where} has negative numbers ({least:,})")
        elif allowed := organs if name in ("organ", "first_distant_organ") else _KNOWN.get(name):
            found = set(pc.unique(column.cast(pa.string())).to_pylist()) - {None}
            if strangers := found - allowed:
                raise ResultsError(f"{where}: the run has no {name} {min(strangers)!r}")


def check_links(folder: Path, names: Iterable[str]) -> None:
    """Refuse tables that do not belong together: rows of unknown patients, orphaned metastases.

    Args:
        folder: with tables that have passed `check_values`.
        names: the tables.

    Raises:
        ResultsError: names file and column.
    """
    recorded = set(names)
    if "patients" not in recorded:
        return
    path = folder / "patients.parquet"
    patients = pq.read_table(path, columns=["patient"])["patient"]
    if pc.count_distinct(patients).as_py() != len(patients):
        raise ResultsError(f"{path}: column 'patient' has a patient twice")
    for name in _ABOUT_PATIENTS:
        if name in recorded:
            path = folder / f"{name}.parquet"
            owners = pq.read_table(path, columns=["patient"])["patient"]
            if not pc.all(pc.is_in(owners, value_set=patients.combine_chunks())).as_py() and owners:
                raise ResultsError(f"{path}: column 'patient' has one that patients.parquet lacks")
    if "metastases" in recorded:
        path = folder / "metastases.parquet"
        columns = ["patient", "metastasis", "parent"]
        _check_parents(path, pq.read_table(path, columns=columns).to_pandas())


def _check_parents(path: Path, table: "pd.DataFrame") -> None:
    if table.duplicated(["patient", "metastasis"]).any() or (table["metastasis"] < 1).any():
        raise ResultsError(f"{path}: column 'metastasis' has no number from 1 on for each")
    child = table[table["parent"] != 0]
    known: Any = table.set_index(["patient", "metastasis"]).index
    orphan = ~child.set_index(["patient", "parent"]).index.isin(known)
    if orphan.any() or (child["parent"] >= child["metastasis"]).any():
        raise ResultsError(f"{path}: column 'parent' has one that the patient lacks")
