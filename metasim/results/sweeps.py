"""What came out of a sweep: one row per point, organ and class of metastases, as a tidy table.

sweep.parquet, sweep.csv   the table
failures.parquet           patients that failed, by point
scenario.toml              the scenario that was varied, fully explicit
provenance.json            versions, command, the keys that vary, times
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from metasim.checked import checked
from metasim.errors import ResultsError
from metasim.results.description import Description
from metasim.results.door import (
    Wanted,
    check_table,
    expect,
    read_about,
    read_description,
    rows_of,
)
from metasim.results.folder import (
    FORMAT_VERSION,
    FORMATS,
    SWEEP_FORMAT,
    plain_errors,
    write_texts,
)
from metasim.results.parts import PartsFolder, join_parts, read_part, write_rows
from metasim.results.statistics import mean_interval, wilson_interval
from metasim.results.store import Results
from metasim.results.summary import COUNTS
from metasim.results.tables import FAILURES, SUMMARY
from metasim.results.tally import ANY_DISTANT

if TYPE_CHECKING:
    import pandas as pd

POINT: Final = pa.field("point", pa.int64())
TALLIES: Final = pa.schema([POINT, *SUMMARY])
"""Tallies by point: what a chunk of a sweep hands in; points ascend."""
POINT_FAILURES: Final = pa.schema([POINT, *FAILURES])
PARTS: Final = ("failures", "tallies")
_TABLE: Final = pa.schema(
    [
        ("organ", pa.string()),
        ("counted", pa.string()),
        ("patients", pa.int64()),
        *((name, pa.float64()) for name in COUNTS),
    ]
)

_ROWS_AT_ONCE: Final = 1 << 20
_GROUP: Final = ["point", "organ", "counted"]


class Points(Protocol):
    """What varies in a sweep."""

    @property
    def keys(self) -> Sequence[str]:
        """Key paths."""

    @property
    def values(self) -> np.ndarray:
        """(P, len(keys)) values at each point; a name by its place in `names`."""

    @property
    def names(self) -> Mapping[str, Sequence[object]]:
        """Names that the values of a key stand for, of keys that take names only."""

    @property
    def scales(self) -> Mapping[str, str]:
        """The word "log" for keys whose values lie evenly in their logarithm."""


class Sweep:
    """A finished sweep.

    Attributes:
        folder: where it lies.
        provenance: versions, command, `keys`, `design`, times.
        base: the scenario that was varied, as results without tables: names and colours of organs.

    Example:
        >>> base = ms.load("luminal_a", {"run.patients": 20})
        >>> ms.sweep(base, {"soil.bone.niche": (0.0, 1.0, 1.0)}).keys
        ['soil.bone.niche']
    """

    def __init__(self, folder: Path, scenario_toml: str, provenance: Mapping[str, Any]) -> None:
        self.folder = folder
        self.provenance = dict(provenance)
        self.base = Results(scenario_toml, {"record": "summary"}, {})

    def __repr__(self) -> str:
        return f"<Sweep of {self.provenance['points']:,} points over {', '.join(self.keys)}>"

    @property
    def keys(self) -> list[str]:
        """Key paths that vary: columns of the table."""
        return list(self.provenance["keys"])

    def scale(self, key: str) -> str:
        """How a key is drawn: "names", "log" or "linear"."""
        if self.table[key].dtype.kind not in "fiu":
            return "names"
        return str(self.provenance.get("scales", {}).get(key, "linear"))

    @cached_property
    def table(self) -> "pd.DataFrame":
        """Tidy: a row per point, organ (and all distant ones) and class of metastases.

        Columns: point, a column per key, organ, counted, patients, and share_with and
        metastases_per_patient with their 95 % intervals, as in the summary of a run.
        """
        frame: pd.DataFrame = pq.read_table(self.folder / "sweep.parquet").to_pandas()
        return frame

    @cached_property
    def failures(self) -> "pd.DataFrame":
        """One row per patient that failed: point, patient, error."""
        frame: pd.DataFrame = pq.read_table(self.folder / "failures.parquet").to_pandas()
        return frame

    def counted(self, wanted: str = "auto") -> str:
        """The class to show: for "auto", the highest that 1 % of patients reach somewhere."""
        if wanted != "auto":
            return wanted
        most = self.table.groupby("counted")["share_with"].max()
        order = ("detected", "macro", "micro", "founded")
        return next((name for name in order if most.get(name, 0) >= 0.01), "founded")

    def rows(self, counted: str = "auto") -> "pd.DataFrame":
        """The rows of one class of metastases."""
        return self.table[self.table["counted"] == self.counted(counted)]


def is_sweep(folder: Path) -> bool:
    """Whether a folder says that it is a sweep."""
    try:
        about = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        return bool(about["format"] == SWEEP_FORMAT)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


@checked()
def open_sweep(folder: str | Path) -> Sweep:
    """Open a finished sweep.

    Args:
        folder: of a sweep, as `sweep` wrote it.

    Raises:
        ResultsError: it is missing, no sweep, of a newer version, or one of its files is damaged:
            names the file, and the key or column.

    Example:
        >>> base = ms.load("luminal_a", {"run.patients": 20})
        >>> swept = ms.sweep(base, {"soil.bone.niche": (0.0, 1.0, 1.0)}, output="swept")
        >>> ms.open_sweep("swept").keys
        ['soil.bone.niche']
    """
    path = Path(folder).absolute()
    if not path.is_dir():
        raise ResultsError(f"{folder}: no such sweep")
    with plain_errors(path):
        about = read_about(path, FORMATS, SWEEP_FORMAT, FORMAT_VERSION)
        text, description = read_description(path, about)
        _check_tables(path, about, description)
        return Sweep(path, text, about)


def _check_tables(folder: Path, about: Mapping[str, Any], description: Description) -> None:
    saying = folder / "provenance.json"
    expect(about, "design", str, saying)
    expect(about, "points", int, saying)
    failures = expect(about, "failures", int, saying)
    keys = expect(about, "keys", list, saying)
    if not keys or not all(isinstance(key, str) for key in keys):
        raise ResultsError(f"{saying}: 'keys' is {keys!r}; a list of key paths is due")
    organs = {ANY_DISTANT, *(organ.key for organ in description.organs)}
    schema = pa.schema([POINT, *_TABLE])
    check_table(folder / "sweep.parquet", Wanted(schema, None, keys), about, organs)
    check_table(folder / "failures.parquet", Wanted(POINT_FAILURES, failures), about, organs)
    if rows_of(folder / "sweep.parquet") == 0:
        raise ResultsError(f"{folder / 'sweep.parquet'}: holds no row")


def publish_sweep(
    parts: PartsFolder,
    scenario_toml: str,
    provenance: Mapping[str, Any],
    points: Points,
) -> Sweep:
    """Put the finished parts of a sweep together.

    Args:
        parts: with all chunks written, tables `PARTS`.
        scenario_toml: the scenario that was varied.
        provenance: what to save beside it.
        points: what varies, and how.

    Raises:
        ResultsError: the disk is full or cannot be written; the parts are kept.
    """
    about = {
        **provenance,
        "format": SWEEP_FORMAT,
        "format_version": FORMAT_VERSION,
        "keys": list(points.keys),
        "points": len(points.values),
    }
    about |= {"scales": dict(points.scales)} if points.scales else {}
    about["fingerprint"] = parts.fingerprint

    def fill(whole: Path) -> None:
        about["failures"] = join_parts(parts.paths("failures"), whole / "failures.parquet")
        tables = (
            _with_keys(table, points) for table in _by_point(map(read_part, parts.paths("tallies")))
        )
        first = next(tables)
        target = whole / "sweep.parquet"
        write_rows(first.schema, (t for some in ([first], tables) for t in some), target)
        with pyarrow.csv.CSVWriter(whole / "sweep.csv", first.schema) as csv:
            for batch in pq.ParquetFile(target).iter_batches():
                csv.write_batch(batch)
        write_texts(whole, scenario_toml, about)

    parts.publish(fill)
    return open_sweep(parts.folder)


def _by_point(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Rows of whole points, some points at a time; a point may lie in several parts."""
    waiting: list[pa.Table] = []
    for part in parts:
        waiting.append(part)
        if sum(table.num_rows for table in waiting) < _ROWS_AT_ONCE:
            continue
        held = pa.concat_tables(waiting)
        points = held["point"].to_numpy()
        begun = int(np.searchsorted(points, points[-1]))  # the last point may go on
        if begun:
            yield _numbers(held.slice(0, begun))
        waiting = [held.slice(begun)]
    yield _numbers(pa.concat_tables(waiting))


def _numbers(tallies: pa.Table) -> pa.Table:
    """Tallies of whole points as shares and means with intervals."""
    frame = tallies.to_pandas()
    number, weight = frame["metastases"], frame["patients"]
    sums = (
        frame[_GROUP]
        .assign(
            patients=weight,
            having=weight * (number > 0),
            total=number * weight,
            squares=number.astype(float) ** 2 * weight,
        )
        .groupby(_GROUP, sort=False)
        .sum()
        .reset_index()
    )
    sums = sums[sums["patients"] > 0]
    n = sums["patients"]
    columns = (
        sums["having"] / n,
        *wilson_interval(sums["having"], n),
        sums["total"] / n,
        *mean_interval(sums["total"], sums["squares"], n),
    )
    out = sums[[*_GROUP, "patients"]].assign(**dict(zip(COUNTS, columns, strict=True)))
    return pa.Table.from_pandas(out, preserve_index=False).replace_schema_metadata(None)


def _with_keys(table: pa.Table, points: Points) -> pa.Table:
    here = points.values[table["point"].to_numpy()]
    for place, key in enumerate(points.keys):
        column: Any = here[:, place]
        if key in points.names:
            names = [str(name).lower() if isinstance(name, bool) else str(name)
                     for name in points.names[key]]  # fmt: skip
            column = pa.array([names[int(number)] for number in column], pa.string())
        table = table.add_column(1 + place, key, pa.array(column))
    return table
