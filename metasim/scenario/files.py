"""Scenario files: finding them by name, reading them, following their chain of `extends`."""

import os
import re
import stat
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from metasim.errors import Mistake, ScenarioError
from metasim.scenario.catalogue import (
    BESIDE,
    RUNNABLE,
    SCENARIOS,
    SHIPPED,
    Catalogue,
    DefinedTwice,
    Found,
    around,
    is_ours,
    of_file,
)
from metasim.scenario.closed import REFUSED, is_closed
from metasim.scenario.keys import closest, nearest, shown
from metasim.scenario.text import MOST_BYTES, excess, parse

MOST_FILES = 32
"""Files of a chain of `extends`."""
_MOST_ALIKE = 500  # files of a folder that are looked through for a name like a missing one
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_\-]*")


class File(NamedTuple):
    """A file that was read.

    Attributes:
        name: how messages and origins call it.
        path: where it lies.
        table: what it holds.
        catalogue: where the entries that it names are looked for.
    """

    name: str
    path: Path
    table: dict[str, Any]
    catalogue: Catalogue = Catalogue()

    @property
    def is_ours(self) -> bool:
        """Whether it comes with metasim: a catalogue entry or a shipped scenario."""
        return is_ours(self.path)


def locate(source: str | Path) -> Path:
    """The file behind a path, or the name of a shipped or catalogue scenario.

    Raises:
        ScenarioError: there is no such name, or it is empty.
        OptionError: METASIM_CATALOGUE names a folder that does not exist.
    """
    found = _located(source)
    return found.path if isinstance(found, Found) else found


def _located(source: str | Path) -> Found | Path:
    if not str(source).strip():
        message = "is no scenario: give a file, or the name of a shipped one (metasim list)"
        raise ScenarioError(shown(str(source)), [Mistake("", message)])
    if isinstance(source, str) and NAME.fullmatch(source):
        catalogue = around(Path(BESIDE))
        if found := _scenario(catalogue, source, source, ""):
            return found
        if not _is_file(Path(source)):
            known = catalogue.names(*SCENARIOS)
            message = "no scenario of this name is shipped; a file is given by its path, with .toml"
            raise ScenarioError(source, [Mistake("", message, nearest(source, known))])
    return Path(source)


def _scenario(catalogue: Catalogue, name: str, source: str, key: str) -> Found | None:
    """The catalogue's scenario of a name.

    Raises:
        ScenarioError: two installed packages define it; `source` and `key` say where it is asked.
    """
    try:
        return catalogue.find(name, *SCENARIOS)
    except DefinedTwice as error:
        raise ScenarioError(source, [Mistake(key, str(error))]) from None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def read(path: Path, name: str, label: str = "", catalogue: Catalogue | None = None) -> File:
    """Read one file.

    Args:
        path: where it lies.
        name: what errors call it.
        label: what its layer is called; empty: by the file's name.
        catalogue: where the entries that it names are looked for; None: by where it lies.

    Raises:
        ScenarioError: it is missing, unreadable, too large, not UTF-8 or not TOML.
    """

    def refuse(message: str, hint: str = "") -> ScenarioError:
        return ScenarioError(name, [Mistake("", message, hint)])

    try:
        if path.is_dir():
            raise refuse("is a folder, not a scenario file")
        data = _bytes(path)
    except FileNotFoundError:
        raise refuse("there is no such file", _alike(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise refuse(f"cannot be read: {reason}") from None
    if len(data) > MOST_BYTES:
        size = max(len(data), path.stat().st_size) / 1e6
        raise refuse(f"is {size:.1f} MB large; a scenario file has at most 1 MB")
    try:
        table = parse(data.decode("utf-8-sig"))  # some editors begin with a byte-order mark
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise refuse(f"is not UTF-8 text: byte 0x{data[error.start]:02x} in line {line}") from None
    except ValueError as error:
        raise refuse(f"is not TOML: {error}") from None
    if mistake := excess(table):
        raise ScenarioError(name, [mistake])
    return File(label or path.name, path, table, catalogue or of_file(path))


def _bytes(path: Path) -> bytes:
    """What a file holds, or one byte more than may be; of a pipe that nobody writes to, nothing.

    Raises:
        OSError: it cannot be read.
        ValueError: it is a device or a socket, or no path at all.
    """
    # Windows has the one flag and not the other, and no pipes by name
    flags = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(path, os.O_RDONLY | flags)
    with os.fdopen(handle, "rb") as stream:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
            raise ValueError("it is a device, not a file")
        if stat.S_ISFIFO(mode) and hasattr(os, "set_blocking"):
            os.set_blocking(handle, True)
        return stream.read(MOST_BYTES + 1)


def _alike(path: Path) -> str:
    """A hint: the file beside a missing one, or the shipped scenario, that is called most alike."""
    try:
        files = [p.name for p in islice(path.parent.glob("*.toml"), _MOST_ALIKE)]
    except (OSError, ValueError):  # a name that no folder can have
        files = []
    known = {name: name for name in SHIPPED.names(RUNNABLE)}
    known |= {Path(name).stem: name for name in files}
    found = closest(path.stem, known)
    return f'did you mean "{known[found]}"?' if found else ""


def chain(source: str | Path) -> list[File]:
    """The file and all that it extends, the one that extends nothing first.

    Raises:
        ScenarioError: a file cannot be read, or the chain loops.
        OptionError: METASIM_CATALOGUE names a folder that does not exist.
    """
    files = [_read(_located(source), str(source))]
    while (parent := files[0].table.get("extends")) is not None:
        names = " -> ".join(file.name for file in reversed(files))
        if not isinstance(parent, str):
            message = f"must be a catalogue entry or a file, not {shown(parent)}"
            raise ScenarioError(files[0].name, [Mistake("extends", message)])
        found = _parent(files[0], parent, str(source))
        if found is None and is_closed():
            known = files[0].catalogue.names(*SCENARIOS)
            message = f"{shown(parent)}: {REFUSED}"
            raise ScenarioError(str(source), [Mistake("extends", message, nearest(parent, known))])
        if found is None:
            beside = islice(files[0].path.parent.glob("*.toml"), _MOST_ALIKE)
            known = [*files[0].catalogue.names(*SCENARIOS), *(p.name for p in beside)]
            message = f'"{parent}" is neither in the catalogue nor a file beside this one'
            if len(files) > 1:
                message += f" (chain: {names} -> {parent})"
            raise ScenarioError(str(source), [Mistake("extends", message, nearest(parent, known))])
        path = found.path if isinstance(found, Found) else found
        if any(path.samefile(file.path) for file in files):
            message = f"the files extend each other in a loop: {names} -> {parent}"
            raise ScenarioError(str(source), [Mistake("extends", message)])
        if len(files) == MOST_FILES:
            message = f"more than {MOST_FILES} files extend each other: {names[:200]} ..."
            raise ScenarioError(str(source), [Mistake("extends", message)])
        files.insert(0, _read(found))
    return files


def _read(found: Found | Path, name: str = "") -> File:
    """Read a scenario; errors call it `name`, or as layers do."""
    if isinstance(found, Path):
        return read(found, name or found.name)
    catalogue = None if found.place.is_ours else around(found.place.folder)
    return read(found.path, name or found.label, found.label, catalogue)


def _parent(child: File, name: str, source: str) -> Found | Path | None:
    """What a file extends: a scenario of the catalogue, or a file beside it."""
    if found := _scenario(child.catalogue, name, source, "extends"):
        return found
    if is_closed():
        return None
    candidates = (child.path.parent / name, child.path.parent / f"{name}.toml")
    return next((path for path in candidates if _is_file(path)), None)
