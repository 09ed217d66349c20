"""A results folder appears whole or not at all.

While it is being made, its parts lie in a hidden folder: `.NAME.partial` beside it, or, where the
user gave a folder that exists (empty, a mount point, a link, the working directory, older results),
`.metasim.partial` inside that one, which itself is never renamed or replaced:

    lock                            held by the run that writes
    fingerprint.json                what has to be the same for a run to be resumed
    parts/TABLE-0000001.parquet     one per table and chunk, each renamed into place when whole
    whole/                          the folder being assembled, then renamed to NAME, or, file by
                                    file, into it, provenance.json last
    replaced/                       with `overwrite`: the old files, until the new ones stand
    swap.json                       names of the new files, while they are moved
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from metasim.errors import ResultsError
from metasim.results.description import Description
from metasim.results.door import CHECKSUMS, checksums_of
from metasim.results.locks import Lock, locked

FORMAT: Final = "metasim results"
SWEEP_FORMAT: Final = "metasim sweep"
FORMATS: Final = {FORMAT: "the results of a run", SWEEP_FORMAT: "a sweep"}
"""What each format of a folder is called in messages."""
FORMAT_VERSION: Final = 1
"""Newest version of either format; older ones can be read."""

_INSIDE: Final = ".metasim.partial"
_LONGEST_NAME: Final = 200  # bytes; a file system takes 255
_OF_NOBODY: Final = frozenset({_INSIDE, "lost+found", ".DS_Store", "Thumbs.db", "desktop.ini"})
"""Entries of a folder that counts as empty."""
_OURS: Final = frozenset(
    ["scenario.toml", "provenance.json", "figures", "cohort.csv", "report.html"]
    + [f"{name}.{kind}" for name in ("sweep", "sensitivity") for kind in ("parquet", "csv")]
)
"""Entries of a results folder besides its tables; all others are the user's own."""


class PartialFolder:
    """The hidden folder of results to be; locked while the context is open.

    Args:
        folder: the results folder to be.
        overwrite: replace existing results, discard a stopped run.
        resume: keep what a stopped run left.

    Attributes:
        folder: absolute path of the results folder to be.
        path: the hidden folder.
        keep: leave the hidden folder in place if the context ends without `publish`.

    Raises:
        ResultsError: on entering, if the folder exists, is being written by another run, cannot
            be written, or a stopped run was kept that is neither resumed nor discarded.
    """

    def __init__(self, folder: str | Path, *, overwrite: bool, resume: bool = False) -> None:
        self.folder = Path(folder).absolute()
        self.path = partial_path(self.folder)
        self.keep = False
        self._place = Path(os.path.realpath(self.folder))
        self._overwrite = overwrite
        self._resume = resume
        self._lock: Lock

    def __enter__(self) -> Self:
        with plain_errors(self.folder):
            self._check_target()
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = locked(self.path / "lock", self.folder)
            try:
                self._settle()
            except BaseException:
                self._lock.release()
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
        self._lock.release()
        if not self.keep and os.name == "nt":  # where a lock that is held cannot be removed
            shutil.rmtree(self.path, ignore_errors=True)

    def publish(self, fill: Callable[[Path], object]) -> None:
        """Let `fill` write all files into a new folder, then rename that, or them, into place.

        Raises:
            ResultsError: the disk is full or cannot be written; older results stay as they were.
        """
        exists = self._place.is_dir()
        stage = self._place / _INSIDE if exists else self.path  # on the disk of the results
        whole = stage / "whole"
        with plain_errors(self.folder):
            shutil.rmtree(whole, ignore_errors=True)
            whole.mkdir(parents=True)
            fill(whole)
            self._check_target()
            if not self._place.is_dir():
                os.rename(whole, self._place)
            else:
                self._move_in(stage)
        if stage != self.path:
            shutil.rmtree(stage, ignore_errors=True)
        self.keep = False

    def _move_in(self, stage: Path) -> None:
        """Move the new files into the folder, and the old ones out; all of them, or none."""
        new = _provenance_last(path.name for path in (stage / "whole").iterdir())
        shutil.rmtree(stage / "replaced", ignore_errors=True)
        (stage / "replaced").mkdir()
        (stage / "swap.json").write_text(json.dumps(new), encoding="utf-8")
        try:
            for name in _provenance_last(_ours(self._place))[::-1]:
                os.rename(self._place / name, stage / "replaced" / name)
            for name in new:
                os.rename(stage / "whole" / name, self._place / name)
            (stage / "swap.json").unlink()
        except BaseException:
            self._move_back(stage)
            raise

    def _move_back(self, stage: Path) -> None:
        """Undo a replacement that stopped half-way."""
        swap, whole, replaced = stage / "swap.json", stage / "whole", stage / "replaced"
        if not swap.is_file():
            return
        with suppress(ValueError):  # stopped while it was written: nothing is moved yet
            for name in json.loads(swap.read_text(encoding="utf-8"))[::-1]:
                if (self._place / name).exists() and not (whole / name).exists():
                    os.rename(self._place / name, whole / name)
            for name in _provenance_last(path.name for path in replaced.iterdir()):
                os.rename(replaced / name, self._place / name)
        swap.unlink()

    def _check_target(self) -> None:
        if not os.path.lexists(self._place) or _is_empty(self._place):
            return
        ours = (self._place / "provenance.json").is_file()
        if not ours and (self._place / _INSIDE / "swap.json").is_file():
            return  # was replaced half-way; `_settle` mends that
        if not ours:
            raise ResultsError(
                f"{self.folder} exists, is not a results folder of metasim and is not overwritten; "
                "choose another folder with --output"
            )
        if not self._overwrite:
            raise ResultsError(
                f"{self.folder} exists; choose another folder with --output, or --overwrite it"
            )

    def _settle(self) -> None:
        """Mend or clear what an earlier run left."""
        for stage in {self.path, self._place / _INSIDE}:
            self._move_back(stage)
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
            elif not entry.name.startswith("lock"):
                entry.unlink()


def partial_path(folder: Path) -> Path:
    """The hidden folder in which a run keeps its parts: inside a folder that exists, or beside."""
    place = Path(os.path.realpath(folder))
    if place == place.parent:
        return place / _INSIDE
    name = place.name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = f"{name[:40]}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"
    beside = place.with_name(f".{name}.partial")
    begun = (beside / "fingerprint.json").exists()  # before the folder was made
    return place / _INSIDE if place.is_dir() and not begun else beside


def stamp(
    provenance: Mapping[str, Any], record: str, rows: Mapping[str, int], description: Description
) -> dict[str, Any]:
    """Provenance with what a reader needs and checks: format, level, rows of each table."""
    mark = {"format": FORMAT, "format_version": FORMAT_VERSION, "record": record}
    return {**provenance, **mark, "rows": dict(rows), "description": description.saved()}


def write_texts(folder: Path, scenario_toml: str, provenance: Mapping[str, Any]) -> None:
    """Write scenario.toml, then provenance.json with the checksums of all files of the folder."""
    (folder / "scenario.toml").write_text(scenario_toml, encoding="utf-8")
    names = {path.name for path in folder.iterdir() if path.is_file()} - {"provenance.json"}
    about = {**provenance, CHECKSUMS: checksums_of(folder, names)}
    (folder / "provenance.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def add_checksums(folder: Path, names: Iterable[str]) -> None:
    """Note files that were added to a finished folder in its provenance.json."""
    path = folder / "provenance.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    about[CHECKSUMS] = {**about.get(CHECKSUMS, {}), **checksums_of(folder, names)}
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    os.replace(unfinished, path)


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn an error of the operating system into one message with the path and the reason."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ResultsError(f"{error.filename or path}: {reason}") from error


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and all(entry.name in _OF_NOBODY for entry in folder.iterdir())


def _ours(folder: Path) -> list[str]:
    """Entries of a results folder that metasim wrote."""
    ours = set(_OURS)
    with suppress(OSError, ValueError, TypeError, KeyError):
        about = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        ours |= {f"{table}.parquet" for table in about.get("rows", ("failures",))}
    return sorted(path.name for path in folder.iterdir() if path.name in ours)


def _provenance_last(names: Iterable[str]) -> list[str]:
    """Names in order, the one last that makes a folder a results folder."""
    return sorted(names, key=lambda name: (name == "provenance.json", name))
