"""A results folder appears whole or not at all.

While it is being made, its parts lie in a hidden sibling, `.NAME.partial`:

    lock                            held (flock) by the run that writes
    fingerprint.json                what has to be the same for a run to be resumed
    parts/TABLE-0000001.parquet     one per table and chunk, each renamed into place when whole
    whole/                          the folder being assembled, then renamed to NAME
    replaced/                       with `overwrite`: the old folder, until the new one stands
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from metasim.errors import ResultsError

FORMAT: Final = "metasim results"
FORMAT_VERSION: Final = 1


class PartialFolder:
    """The hidden sibling of a results folder to be; locked while the context is open.

    Args:
        folder: the results folder to be.
        overwrite: replace an existing results folder, discard a stopped run.
        resume: keep what a stopped run left.

    Attributes:
        folder: absolute path of the results folder to be.
        path: the hidden sibling.
        keep: leave the sibling in place if the context ends without `publish`.

    Raises:
        ResultsError: on entering, if the folder exists, is being written by another run, cannot
            be written, or a stopped run was kept that is neither resumed nor discarded.
    """

    def __init__(self, folder: str | Path, *, overwrite: bool, resume: bool = False) -> None:
        self.folder = Path(folder).absolute()
        self.path = partial_path(self.folder)
        self.keep = False
        self._overwrite = overwrite
        self._resume = resume

    def __enter__(self) -> Self:
        with plain_errors(self.folder):
            self._check_target()
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(self.path / "lock", self.folder)
            try:
                self._settle()
            except BaseException:
                self._lock.close()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.keep:
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()

    def publish(self, fill: Callable[[Path], object]) -> None:
        """Let `fill` write all files into a new folder, then rename that into place.

        Raises:
            ResultsError: the disk is full or cannot be written; an old folder stays as it was.
        """
        whole, replaced = self.path / "whole", self.path / "replaced"
        with plain_errors(self.folder):
            shutil.rmtree(whole, ignore_errors=True)
            whole.mkdir()
            fill(whole)
            self._check_target()
            try:
                if self.folder.exists():
                    os.rename(self.folder, replaced)
                os.rename(whole, self.folder)
            finally:
                self._put_back(replaced)
        self.keep = False

    def _check_target(self) -> None:
        if not self.folder.exists() or _is_empty(self.folder):
            return
        if not self._overwrite:
            raise ResultsError(
                f"{self.folder} exists; choose another folder with --output, or --overwrite it"
            )
        if not (self.folder / "provenance.json").is_file():
            raise ResultsError(
                f"{self.folder} is not a results folder of metasim and is not overwritten"
            )

    def _put_back(self, replaced: Path) -> None:
        """Undo a replacement that stopped half-way."""
        if replaced.exists() and not self.folder.exists():
            os.rename(replaced, self.folder)

    def _settle(self) -> None:
        """Mend or clear what an earlier run left."""
        self._put_back(self.path / "replaced")
        self._check_target()
        begun = (self.path / "fingerprint.json").exists()
        if begun and any(self.path.glob("parts/*.parquet")):
            if self._resume:
                return
            if not self._overwrite:
                raise ResultsError(
                    f"{self.folder}: a stopped run was kept; go on with it (--resume) or "
                    "discard it (--overwrite)"
                )
        for entry in self.path.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name != "lock":
                entry.unlink()


def rows_of(path: Path) -> int:
    """Rows of a Parquet file by its footer, which is written last.

    Raises:
        ResultsError: the file is damaged or truncated.
    """
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise ResultsError(f"{path}: damaged or truncated") from error


def partial_path(folder: Path) -> Path:
    """The hidden sibling in which a run keeps its parts."""
    return folder.with_name(f".{folder.name}.partial")


def stamp(provenance: Mapping[str, Any], record: str, rows: Mapping[str, int]) -> dict[str, Any]:
    """Provenance with what a reader checks: format, level, rows of each table."""
    mark = {"format": FORMAT, "format_version": FORMAT_VERSION, "record": record}
    return {**provenance, **mark, "rows": dict(rows)}


def write_texts(folder: Path, scenario_toml: str, provenance: Mapping[str, Any]) -> None:
    """Write scenario.toml and provenance.json."""
    (folder / "scenario.toml").write_text(scenario_toml, encoding="utf-8")
    text = json.dumps(provenance, indent=2) + "\n"
    (folder / "provenance.json").write_text(text, encoding="utf-8")


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn an error of the operating system into one message with the path and the reason."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ResultsError(f"{error.filename or path}: {reason}") from error


def _lock(path: Path, folder: Path) -> IO[str]:
    """Take the lock; the kernel frees it however the run ends."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A run that has just ended may have removed the file that we opened.
        held = os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        held = False
    if not held:
        file.close()
        raise ResultsError(f"{folder} is being written by another run")
    return file


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
