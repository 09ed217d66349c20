"""Scenario files: finding them by name, reading them, following their chain of `extends`."""

import os
import re
import stat
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from metasim.errors import Mistake, ScenarioError
from metasim.scenario import catalogue
from metasim.scenario.keys import closest, nearest, shown
from metasim.scenario.text import MOST_BYTES, excess, parse

MOST_FILES = 32
"""Files of a chain of `extends`."""
_MOST_ALIKE = 500  # files of a folder that are looked through for a name like a missing one
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_\-]*")


class File(NamedTuple):
    """A file that was read.

    Attributes:
        name: how messages and origins call it.
        path: where it lies.
        table: what it holds.
    """

    name: str
    path: Path
    table: dict[str, Any]

    @property
    def is_ours(self) -> bool:
        """Whether it comes with metasim: a catalogue entry or a shipped scenario."""
        return {catalogue.FOLDER, catalogue.shipped_folder()} & {
            *self.path.resolve().parents
        } != set()


def locate(source: str | Path) -> Path:
    """The file behind a path, or the name of a shipped or catalogue scenario.

    Raises:
        ScenarioError: there is no such name, or it is empty.
    """
    if not str(source).strip():
        message = "is no scenario: give a file, or the name of a shipped one (metasim list)"
        raise ScenarioError(shown(str(source)), [Mistake("", message)])
    if isinstance(source, str) and _NAME.fullmatch(source):
        for kind in ("shipped", "scenarios"):
            if found := catalogue.path_of(kind, source):
                return found
        if not _is_file(Path(source)):
            known = [*catalogue.names("shipped"), *catalogue.names("scenarios")]
            message = "no scenario of this name is shipped; a file is given by its path, with .toml"
            raise ScenarioError(source, [Mistake("", message, nearest(source, known))])
    return Path(source)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def read(path: Path, name: str) -> File:
    """Read one file.

    Args:
        path: where it lies.
        name: what errors call it.

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
    return File(_label(path), path, table)


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
        kind = os.fstat(handle).st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISFIFO(kind):
            raise ValueError("it is a device, not a file")
        if stat.S_ISFIFO(kind) and hasattr(os, "set_blocking"):
            os.set_blocking(handle, True)
        return stream.read(MOST_BYTES + 1)


def _alike(path: Path) -> str:
    """A hint: the file beside a missing one, or the shipped scenario, that is called most alike."""
    try:
        files = [p.name for p in islice(path.parent.glob("*.toml"), _MOST_ALIKE)]
    except (OSError, ValueError):  # a name that no folder can have
        files = []
    known = {name: name for name in catalogue.names("shipped")}
    known |= {Path(name).stem: name for name in files}
    found = closest(path.stem, known)
    return f'did you mean "{known[found]}"?' if found else ""


def chain(source: str | Path) -> list[File]:
    """The file and all that it extends, the one that extends nothing first.

    Raises:
        ScenarioError: a file cannot be read, or the chain loops.
    """
    files = [read(locate(source), str(source))]
    while (parent := files[0].table.get("extends")) is not None:
        names = " -> ".join(file.name for file in reversed(files))
        if not isinstance(parent, str):
            message = f"must be a catalogue entry or a file, not {shown(parent)}"
            raise ScenarioError(files[0].name, [Mistake("extends", message)])
        path = _parent(files[0].path, parent)
        if path is None:
            beside = islice(files[0].path.parent.glob("*.toml"), _MOST_ALIKE)
            known = [*catalogue.names("scenarios"), *catalogue.names("shipped")]
            known += [p.name for p in beside]
            message = f'"{parent}" is neither in the catalogue nor a file beside this one'
            if len(files) > 1:
                message += f" (chain: {names} -> {parent})"
            raise ScenarioError(str(source), [Mistake("extends", message, nearest(parent, known))])
        if any(path.samefile(file.path) for file in files):
            message = f"the files extend each other in a loop: {names} -> {parent}"
            raise ScenarioError(str(source), [Mistake("extends", message)])
        if len(files) == MOST_FILES:
            message = f"more than {MOST_FILES} files extend each other: {names[:200]} ..."
            raise ScenarioError(str(source), [Mistake("extends", message)])
        files.insert(0, read(path, _label(path)))
    return files


def _parent(child: Path, name: str) -> Path | None:
    """The file that `child` extends: a catalogue or shipped scenario, or a file beside it."""
    for kind in ("scenarios", "shipped"):
        if found := catalogue.path_of(kind, name):
            return found
    candidates = (child.parent / name, child.parent / f"{name}.toml")
    return next((path for path in candidates if _is_file(path)), None)


def _label(path: Path) -> str:
    if catalogue.FOLDER in path.parents:
        return f"catalogue {path.relative_to(catalogue.FOLDER).with_suffix('').as_posix()}"
    return path.name
