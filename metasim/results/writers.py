"""Where a run puts its chunks of patients: a folder (resumable, constant memory) or memory."""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import pyarrow as pa
import pyarrow.parquet as pq

from metasim.errors import ResultsError
from metasim.results.folder import PartialFolder, plain_errors, rows_of, stamp, write_texts
from metasim.results.store import Results, open_results
from metasim.results.tables import TABLES_AT, conform
from metasim.results.tally import merge, tally

_ROWS_PER_GROUP = 1 << 18


class Writer(Protocol):
    """What a run needs of either writer."""

    def finished_chunks(self) -> frozenset[int]:
        """Indices of the chunks that are complete, those of a resumed run included."""

    def write_chunk(self, index: int, tables: Mapping[str, pa.Table]) -> None:
        """Take one chunk of patients.

        Args:
            index: position of the chunk; rows end up in order of chunks.
            tables: the tables of the recording level, and always `patients` and `metastases`:
                these are counted for the summary at every level.
        """

    def finish(self, provenance: Mapping[str, Any]) -> Results:
        """Put the chunks together; `provenance` is saved, with format, level and row counts."""


class MemoryWriter:
    """Keeps a run's tables in memory.

    Args:
        scenario_toml: the fully explicit scenario.
        record: recording level, one of `metasim.terms.RECORD_LEVELS`.
    """

    def __init__(self, scenario_toml: str, *, record: str) -> None:
        self._toml = scenario_toml
        self._scenario = tomllib.loads(scenario_toml)
        self._record = record
        self._chunks: dict[int, dict[str, pa.Table]] = {}

    def finished_chunks(self) -> frozenset[int]:
        """Indices of the chunks written so far."""
        return frozenset(self._chunks)

    def write_chunk(self, index: int, tables: Mapping[str, pa.Table]) -> None:
        """Take one chunk, see `Writer.write_chunk`."""
        self._chunks[index] = _kept(tables, self._scenario, self._record)

    def finish(self, provenance: Mapping[str, Any]) -> Results:
        """The results of all chunks."""
        chunks = [self._chunks[index] for index in sorted(self._chunks)]
        tables = {
            name: pa.concat_tables(chunk[name] for chunk in chunks).unify_dictionaries()
            for name in TABLES_AT[self._record]
        }
        tables["summary"] = merge(chunk["summary"] for chunk in chunks)
        rows = {name: table.num_rows for name, table in tables.items()}
        return Results(self._toml, stamp(provenance, self._record, rows), tables)


class FolderWriter:
    """Streams chunks into a results folder; use it as a context manager.

    An exception (or Ctrl-C) inside the `with` keeps the finished chunks for `resume=True`.

    Args:
        folder: the results folder to be.
        scenario_toml: the fully explicit scenario, saved with the results.
        record: recording level, one of `metasim.terms.RECORD_LEVELS`.
        identity: what else must be the same to resume (version, chunk size ...).
        overwrite: replace an existing results folder, or discard a stopped run.
        resume: go on with a stopped run where it stood, if there is one.

    Raises:
        ResultsError: on entering, if the folder exists, is being written by another run, cannot
            be written, or holds a stopped run of another scenario.
    """

    def __init__(
        self,
        folder: str | Path,
        scenario_toml: str,
        *,
        record: str,
        identity: Mapping[str, str | int] | None = None,
        overwrite: bool = False,
        resume: bool = False,
    ) -> None:
        self._partial = PartialFolder(folder, overwrite=overwrite, resume=resume)
        self._parts = self._partial.path / "parts"
        self._toml = scenario_toml
        self._scenario = tomllib.loads(scenario_toml)
        self._record = record
        self._fingerprint = {"record": record, **(identity or {}), "scenario": scenario_toml}
        self._finished: set[int] = set()

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

    def finished_chunks(self) -> frozenset[int]:
        """Indices of the chunks that are complete, those of a resumed run included."""
        return frozenset(self._finished)

    def write_chunk(self, index: int, tables: Mapping[str, pa.Table]) -> None:
        """Write one chunk, see `Writer.write_chunk`.

        Raises:
            ResultsError: the disk is full or cannot be written.
        """
        for name, table in _kept(tables, self._scenario, self._record).items():
            path = self._part(name, index)
            unfinished = path.with_suffix(".tmp")
            with plain_errors(path):
                pq.write_table(table, unfinished, compression="zstd")
                os.replace(unfinished, path)
        self._finished.add(index)
        self._partial.keep = True

    def finish(self, provenance: Mapping[str, Any]) -> Results:
        """Assemble the folder from the chunks, put it in place and open it.

        Raises:
            ResultsError: the disk is full or cannot be written; the parts are kept.
        """

        def fill(whole: Path) -> None:
            rows = {name: self._assemble(name, whole) for name in TABLES_AT[self._record]}
            summary = merge(pq.read_table(path) for path in self._paths("summary"))
            pq.write_table(summary, whole / "summary.parquet", compression="zstd")
            rows["summary"] = summary.num_rows
            write_texts(whole, self._toml, stamp(provenance, self._record, rows))

        self._partial.publish(fill)
        return open_results(self._partial.folder)

    def _start(self) -> None:
        saved = self._partial.path / "fingerprint.json"
        if saved.exists():
            self._check_fingerprint(json.loads(saved.read_text(encoding="utf-8")))
            self._finished = self._whole_chunks()
            self._partial.keep = bool(self._finished)
            return
        self._parts.mkdir()
        unfinished = saved.with_suffix(".tmp")
        unfinished.write_text(json.dumps(self._fingerprint), encoding="utf-8")
        os.replace(unfinished, saved)

    def _check_fingerprint(self, saved: dict[str, Any]) -> None:
        old, new = _keys_of(saved), _keys_of(self._fingerprint)
        differing = [
            f"{key} was {old.get(key, 'unset')!r}, is {new.get(key, 'unset')!r}"
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
        ]
        if differing:
            shown = "; ".join(differing[:5]) + ("; ..." if len(differing) > 5 else "")
            keys = "key" if len(differing) == 1 else "keys"
            raise ResultsError(
                f"{self._partial.folder}: cannot resume, the stopped run differs in "
                f"{len(differing)} {keys}: {shown}"
            )

    def _part(self, name: str, index: int) -> Path:
        return self._parts / f"{name}-{index:07d}.parquet"

    def _paths(self, name: str) -> list[Path]:
        return [self._part(name, index) for index in sorted(self._finished)]

    def _whole_chunks(self) -> set[int]:
        """Chunks all of whose parts end in a readable footer; broken parts are deleted."""
        for path in self._parts.iterdir():
            try:
                rows_of(path)
            except ResultsError:
                path.unlink()
        names = ("summary", *TABLES_AT[self._record])
        indices = {int(path.stem.split("-")[1]) for path in self._parts.glob("summary-*.parquet")}
        return {i for i in indices if all(self._part(name, i).exists() for name in names)}

    def _assemble(self, name: str, whole: Path) -> int:
        paths = self._paths(name)
        schema = pq.read_schema(paths[0])
        rows = 0
        with pq.ParquetWriter(whole / f"{name}.parquet", schema, compression="zstd") as writer:
            for table in _joined(paths):
                writer.write_table(table, row_group_size=_ROWS_PER_GROUP)
                rows += table.num_rows
        return rows


def _kept(
    tables: Mapping[str, pa.Table], scenario: Mapping[str, Any], record: str
) -> dict[str, pa.Table]:
    """Tables of the recording level, and last the summary: where it stands, all are complete."""
    kept = {name: conform(name, tables[name]) for name in TABLES_AT[record]}
    return {**kept, "summary": tally(tables["metastases"], tables["patients"], scenario)}


def _joined(paths: list[Path]) -> Iterator[pa.Table]:
    """Consecutive parts joined to row groups of a useful size."""
    waiting: list[pa.Table] = []
    for path in paths:
        waiting.append(pq.read_table(path))
        if path == paths[-1] or sum(table.num_rows for table in waiting) >= _ROWS_PER_GROUP:
            yield pa.concat_tables(waiting).unify_dictionaries()
            waiting = []


def _keys_of(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """A fingerprint as a flat mapping, the scenario's keys by their dotted paths."""
    rest = {key: value for key, value in fingerprint.items() if key != "scenario"}
    return rest | dict(_leaves(tomllib.loads(fingerprint["scenario"]), ""))


def _leaves(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
