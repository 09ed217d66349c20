"""Where a run puts its chunks of patients: a folder (resumable, constant memory) or memory.

A writer's `pack` is what a worker does to a chunk's tables before they travel: a plain function
that can be pickled, so that counting and compressing happen beside the simulation.
"""

import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from metasim.results.description import Description
from metasim.results.folder import stamp, write_texts
from metasim.results.parts import PartsFolder, Span, encoded, join_parts, read_part
from metasim.results.store import Results, open_results
from metasim.results.tables import ALWAYS, FAILURES, TABLES_AT, conform
from metasim.results.tally import merge, tally

Tables = Mapping[str, pa.Table]


class Writer(Protocol):
    """What a run needs of either writer."""

    @property
    def pack(self) -> Callable[[Tables], Any]:
        """Makes of a chunk's tables what `write_chunk` takes.

        It wants the tables of the recording level, and always `patients` and `metastases`: these
        are counted for the summary at every level. `failures` may be missing if there are none.
        """

    def finished(self) -> list[Span]:
        """The chunks that are complete, those of a resumed run included."""

    def write_chunk(self, span: Span, packed: Any) -> None:
        """Take one chunk of patients; rows end up in order of patients."""

    def tally(self) -> pa.Table:
        """The tally of all chunks so far."""

    def discard(self) -> None:
        """The run is not worth keeping."""

    def finish(self, provenance: Mapping[str, Any], scenario_toml: str | None = None) -> Results:
        """Put the chunks together.

        Args:
            provenance: saved, with format, level and row counts.
            scenario_toml: the scenario to save, if it is another than the one begun with.
        """


class MemoryWriter:
    """Keeps a run's tables in memory.

    Args:
        scenario_toml: the fully explicit scenario.
        record: recording level, one of `metasim.terms.RECORD_LEVELS`.
    """

    def __init__(self, scenario_toml: str, *, record: str) -> None:
        self._toml = scenario_toml
        self._record = record
        self._chunks: dict[Span, dict[str, pa.Table]] = {}

    @property
    def pack(self) -> Callable[[Tables], dict[str, pa.Table]]:
        """See `Writer.pack`."""
        return partial(kept, scenario_toml=self._toml, record=self._record)

    def finished(self) -> list[Span]:
        """The chunks written so far."""
        return sorted(self._chunks)

    def write_chunk(self, span: Span, packed: dict[str, pa.Table]) -> None:
        """Take one chunk, see `Writer.write_chunk`."""
        self._chunks[span] = packed

    def tally(self) -> pa.Table:
        """The tally of all chunks so far."""
        return merge(self._chunks[span]["summary"] for span in self.finished())

    def discard(self) -> None:
        """Nothing is kept anyway."""

    def finish(self, provenance: Mapping[str, Any], scenario_toml: str | None = None) -> Results:
        """The results of all chunks."""
        chunks = [self._chunks[span] for span in self.finished()]
        tables = {
            name: pa.concat_tables(chunk[name] for chunk in chunks).unify_dictionaries()
            for name in (*TABLES_AT[self._record], "failures")
        }
        tables["summary"] = self.tally()
        rows = {name: table.num_rows for name, table in tables.items()}
        text = scenario_toml or self._toml
        description = _described(text)
        about = stamp(provenance, self._record, rows, description)
        return Results(text, about, tables, description)


class FolderWriter(PartsFolder):
    """Streams chunks into a results folder; use it as a context manager.

    Args:
        folder: the results folder to be.
        scenario_toml: the fully explicit scenario, saved with the results.
        record: recording level, one of `metasim.terms.RECORD_LEVELS`.
        identity: what else must be the same to resume (version ...).
        overwrite: replace an existing results folder, or discard a stopped run.
        resume: go on with a stopped run where it stood, if there is one.

    Raises:
        ResultsError: on entering, see `PartsFolder`.
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
        super().__init__(
            folder,
            (*TABLES_AT[record], *ALWAYS),
            {"record": record, **(identity or {}), "scenario": scenario_toml},
            overwrite=overwrite,
            resume=resume,
        )
        self._toml = scenario_toml
        self._record = record

    @property
    def pack(self) -> Callable[[Tables], dict[str, bytes]]:
        """See `Writer.pack`."""
        return partial(_packed, scenario_toml=self._toml, record=self._record)

    def tally(self) -> pa.Table:
        """The tally of all chunks so far."""
        return merge(map(read_part, self.paths("summary")))

    def finish(self, provenance: Mapping[str, Any], scenario_toml: str | None = None) -> Results:
        """Assemble the folder from the chunks, put it in place and open it.

        Raises:
            ResultsError: the disk is full or cannot be written; the parts are kept.
        """

        def fill(whole: Path) -> None:
            rows = {
                name: join_parts(self.paths(name), whole / f"{name}.parquet")
                for name in (*TABLES_AT[self._record], "failures")
            }
            summary = self.tally()
            pq.write_table(summary, whole / "summary.parquet", compression="zstd")
            rows["summary"] = summary.num_rows
            text = scenario_toml or self._toml
            about = {**provenance, "fingerprint": self.fingerprint}
            description = _described(text)
            write_texts(whole, text, stamp(about, self._record, rows, description))

        self.publish(fill)
        return open_results(self.folder)


def kept(tables: Tables, scenario_toml: str, record: str) -> dict[str, pa.Table]:
    """Tables of the recording level, the failures and the summary of a chunk of patients."""
    return {
        **{name: conform(name, tables[name]) for name in TABLES_AT[record]},
        "failures": tables.get("failures", FAILURES.empty_table()),
        "summary": tally(tables["metastases"], tables["patients"], _described(scenario_toml)),
    }


def _packed(tables: Tables, scenario_toml: str, record: str) -> dict[str, bytes]:
    return {name: encoded(table) for name, table in kept(tables, scenario_toml, record).items()}


@lru_cache(maxsize=4)
def _described(scenario_toml: str) -> Description:
    return Description.of(tomllib.loads(scenario_toml))
