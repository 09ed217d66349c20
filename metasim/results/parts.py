"""The parts of an unfinished results folder: written in any order, kept for a resumed run.

A chunk is a span of consecutive numbers (of patients, or of a sweep's patients one point after
the other). Its parts, one per table, are renamed into place; the one of the last table comes last
and says that the chunk is complete. A part is a Parquet file and behind it the checksum of its
bytes: a resumed run computes again what is damaged. How a run was cut into chunks leaves no trace
in the folder, and a resumed run may cut what is missing differently.
"""

import json
import os
import tomllib
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from metasim.errors import ResultsError
from metasim.results.folder import PartialFolder, plain_errors

ROWS_PER_GROUP: Final = 1 << 18
_CHECKSUM_BYTES: Final = 4
DIGEST: Final = "values"
"""Key of a fingerprint that stands for what is too long to be written out."""


class Span(NamedTuple):
    """`size` consecutive numbers from `first` on."""

    first: int
    size: int


class PartsFolder:
    """A results folder that is being filled; use it as a context manager.

    An exception (or Ctrl-C) inside the `with` keeps the finished chunks for `resume=True`.

    Args:
        folder: the results folder to be.
        tables: names of the tables of every chunk, in the order in which they are written.
        fingerprint: what must be the same to resume; "scenario" holds TOML, the rest is plain.
        overwrite: replace an existing results folder, or discard a stopped run.
        resume: go on with a stopped run where it stood, if there is one.

    Raises:
        ResultsError: on entering, if the folder exists, is being written by another run, cannot
            be written, or holds a stopped run of another fingerprint.
    """

    def __init__(
        self,
        folder: str | Path,
        tables: Sequence[str],
        fingerprint: Mapping[str, str | int],
        *,
        overwrite: bool = False,
        resume: bool = False,
    ) -> None:
        self._partial = PartialFolder(folder, overwrite=overwrite, resume=resume)
        self._parts = self._partial.path / "parts"
        self._tables = tuple(tables)
        self._fingerprint = dict(fingerprint)
        self._overwrite = overwrite
        self._resume = resume
        self._finished: set[Span] = set()

    @property
    def folder(self) -> Path:
        """Absolute path of the results folder to be."""
        return self._partial.folder

    @property
    def fingerprint(self) -> dict[str, str | int]:
        """What must be the same to resume, but for the scenario: goes into the provenance."""
        return {key: value for key, value in self._fingerprint.items() if key != "scenario"}

    def complete(self) -> bool:
        """Whether a run is to be resumed that is finished already.

        Raises:
            ResultsError: a finished run of another fingerprint lies there, not to be replaced.
        """
        about, scenario = self.folder / "provenance.json", self.folder / "scenario.toml"
        if not (self._resume and about.is_file() and scenario.is_file()):
            return False
        with plain_errors(self.folder):
            try:
                saved = json.loads(about.read_text(encoding="utf-8"))["fingerprint"]
                saved["scenario"] = scenario.read_text(encoding="utf-8")
                differing = self._differing(saved)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                return False  # not ours, or damaged
        if differing and not self._overwrite:
            raise ResultsError(
                f"{self.folder} exists, of a finished run that differs in {differing}; choose "
                "another folder with --output, or --overwrite it"
            )
        return not differing

    def __enter__(self) -> Self:
        self._partial.__enter__()
        try:
            with plain_errors(self._partial.path):
                self._start()
        except BaseException:
            self._partial.keep = (self._partial.path / "fingerprint.json").exists()
            self._partial.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._partial.__exit__(kind, error, trace)

    def finished(self) -> list[Span]:
        """The chunks that are complete, in order, those of a resumed run included."""
        return sorted(self._finished)

    def write_chunk(self, span: Span, packed: Mapping[str, bytes]) -> None:
        """Write the parts of one chunk: a Parquet file for each table.

        Raises:
            ResultsError: the disk is full or cannot be written.
        """
        for name in self._tables:
            path = self.part(name, span)
            unfinished = path.with_suffix(".tmp")
            with plain_errors(path):
                unfinished.write_bytes(packed[name] + _checksum(packed[name], path.name))
                os.replace(unfinished, path)
        self._finished.add(span)
        self._partial.keep = True

    def discard(self) -> None:
        """Keep nothing when the context ends."""
        self._partial.keep = False

    def publish(self, fill: Callable[[Path], object]) -> None:
        """Let `fill` write all files into a new folder, then rename that into place.

        Raises:
            ResultsError: the disk is full or cannot be written; the parts are kept.
        """
        self._partial.publish(fill)

    def part(self, name: str, span: Span) -> Path:
        """File of a table of a chunk."""
        return self._parts / f"{name}-{span.first:012d}-{span.size}.parquet"

    def paths(self, name: str) -> list[Path]:
        """A table's parts, in order."""
        return [self.part(name, span) for span in self.finished()]

    def _start(self) -> None:
        saved = self._partial.path / "fingerprint.json"
        if saved.exists():
            try:
                self._check_fingerprint(json.loads(saved.read_text(encoding="utf-8")))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise ResultsError(
                    f"{saved}: damaged; the stopped run cannot be resumed, --overwrite discards it"
                ) from error
            self._finished = self._whole_chunks()
            self._partial.keep = bool(self._finished)
            return
        self._parts.mkdir()
        unfinished = saved.with_suffix(".tmp")
        unfinished.write_text(json.dumps(self._fingerprint), encoding="utf-8")
        os.replace(unfinished, saved)

    def _check_fingerprint(self, saved: dict[str, Any]) -> None:
        if differing := self._differing(saved):
            raise ResultsError(
                f"{self.folder}: cannot resume, the stopped run differs in {differing}"
            )

    def _differing(self, saved: Mapping[str, Any]) -> str:
        """How many keys of a fingerprint are others, and which; empty: none."""
        old, new = _keys_of(saved), _keys_of(self._fingerprint)
        differing = {
            key: f"{key} was {old.get(key, 'unset')!r}, is {new.get(key, 'unset')!r}"
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
        }
        if DIGEST in differing:  # tells a reader nothing that the others do not
            del differing[DIGEST]
            differing = differing or {DIGEST: DIGEST}
        several = list(differing.values())
        shown = "; ".join(several[:5]) + ("; ..." if len(several) > 5 else "")
        keys = "key" if len(several) == 1 else "keys"
        return f"{len(several)} {keys}: {shown}" if several else ""

    def _whole_chunks(self) -> set[Span]:
        """Chunks all of whose parts are sound; all other files are deleted."""
        found: dict[Span, set[str]] = {}
        for path in self._parts.iterdir():
            try:
                name, first, size = path.name.removesuffix(".parquet").rsplit("-", 2)
                span = Span(int(first), int(size))
                _sound(path)
                found.setdefault(span, set()).add(name)
            except (ResultsError, ValueError):
                path.unlink()
        whole = {span for span, names in found.items() if names >= set(self._tables)}
        for span in found.keys() - whole:
            for name in found[span]:
                self.part(name, span).unlink()
        return whole


def encoded(table: pa.Table) -> bytes:
    """A table as a Parquet file."""
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    return bytes(buffer.getvalue())


def read_part(path: Path) -> pa.Table:
    """The table of a part.

    Raises:
        ResultsError: it is damaged.
    """
    return pq.read_table(pa.BufferReader(_sound(path)))


def join_parts(paths: Sequence[Path], target: Path) -> int:
    """Join parts to one file; returns its number of rows.

    Raises:
        ResultsError: one of them is damaged.
    """
    return write_rows(read_part(paths[0]).schema, map(read_part, paths), target)


def write_rows(schema: pa.Schema, tables: Iterable[pa.Table], target: Path) -> int:
    """Write the rows of consecutive tables to a file that does not depend on where these end.

    Returns:
        The number of rows.
    """
    rows = 0
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for group in _regrouped(schema, tables):
            writer.write_table(group, row_group_size=ROWS_PER_GROUP)
            rows += group.num_rows
    return rows


def _regrouped(schema: pa.Schema, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of multiples of `ROWS_PER_GROUP`, the last one of what is left."""
    waiting: list[pa.Table] = [schema.empty_table()]
    for table in tables:
        waiting.append(table)
        if sum(held.num_rows for held in waiting) >= ROWS_PER_GROUP:
            whole = _one(waiting)
            end = whole.num_rows - whole.num_rows % ROWS_PER_GROUP
            yield whole.slice(0, end)
            waiting = [whole.slice(end)]
    yield _one(waiting)


def _one(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def _checksum(data: bytes | memoryview, name: str) -> bytes:
    """Of a part's bytes and its name: a part under the name of another is damaged too."""
    return zlib.crc32(data, zlib.crc32(name.encode())).to_bytes(_CHECKSUM_BYTES)


def _sound(path: Path) -> memoryview:
    """The Parquet file in a part.

    Raises:
        ResultsError: it is damaged.
    """
    data = memoryview(path.read_bytes())
    file, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if checksum != _checksum(file, path.name):
        raise ResultsError(f"{path}: damaged since it was written")
    return file


def _keys_of(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """A fingerprint as a flat mapping, the scenario's keys by their dotted paths."""
    keys = {key: value for key, value in fingerprint.items() if key != "scenario"}
    keys |= dict(_leaves(tomllib.loads(fingerprint["scenario"]), ""))
    if "until" in keys:
        del keys["run.patients"]  # are what that takes
    return keys


def _leaves(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
