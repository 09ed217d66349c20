"""Where catalogues lie: beside a scenario, in METASIM_CATALOGUE, in installed packages."""

import os
import re
import warnings
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from metasim.errors import MetasimWarning, OptionError
from metasim.scenario.catalogue.sections import FOLDER, RUNNABLE, shipped_folder

BESIDE: Final = "catalogue"
"""The folder beside a scenario file."""
VARIABLE: Final = "METASIM_CATALOGUE"
"""The environment variable that lists further folders."""
GROUP: Final = "metasim.catalogue"
"""The group of entry points by which installed packages bring a catalogue."""
STEM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]*")
"""Names of files; that of standard care may begin with a digit."""


class Found(NamedTuple):
    """An entry that was found.

    Attributes:
        path: its file.
        place: the catalogue that it is of.
        section: where in that.
        label: how messages and origins call it.
    """

    path: Path
    place: "Place"
    section: str
    label: str


@dataclass(frozen=True)
class Place:
    """One folder with a catalogue in it.

    Attributes:
        folder: the folder.
        origin: how `metasim list` calls it.
        package: the installed package that brings it; empty: none does.
        everywhere: it is of METASIM_CATALOGUE.
    """

    folder: Path
    origin: str
    package: str = ""
    everywhere: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether it ships with metasim."""
        return self.folder == FOLDER

    def section(self, section: str) -> Path:
        """The folder of a section."""
        if section == RUNNABLE and self.is_ours:
            return shipped_folder()
        return self.folder / section

    def names(self, section: str) -> list[str]:
        """Names of the entries of a section."""
        stems = sorted(path.stem for path in self.section(section).glob("*.toml"))
        return [stem for stem in stems if STEM.fullmatch(stem)]

    def label(self, section: str, name: str) -> str:
        """How messages and origins call an entry."""
        if section == RUNNABLE:
            return f"{name}.toml"
        if self.is_ours or self.package:
            return f"{self.package or 'catalogue'} {section}/{name}"
        return f"{self.folder.name}/{section}/{name}.toml"

    def find(self, section: str, name: str) -> Found | None:
        """The entry of that name, or None; upper and lower case differ on every system."""
        if name not in self.names(section):
            return None
        path = self.section(section) / f"{name}.toml"
        return Found(path, self, section, self.label(section, name))


SHIPPED: Final = Place(FOLDER, "metasim")
"""The catalogue that ships with metasim."""


def is_ours(path: Path) -> bool:
    """Whether a file comes with metasim: a catalogue entry or a shipped scenario."""
    return bool({FOLDER, shipped_folder()} & {*path.resolve().parents})


def near(*folders: Path) -> tuple[Place, ...]:
    """The catalogues in these folders, as far as they exist, and those of METASIM_CATALOGUE.

    Raises:
        OptionError: METASIM_CATALOGUE names a folder that does not exist.
    """
    found = [Place(f.absolute(), f.as_posix()) for f in folders if f.is_dir()]
    for part in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        if not Path(part).is_dir():
            raise OptionError(f"{VARIABLE}: there is no folder {part}")
        found.append(Place(Path(part).absolute(), f"{part} ({VARIABLE})", everywhere=True))
    once: dict[Path, Place] = {}
    for place in found:
        once.setdefault(place.folder.resolve(), place)
    once.pop(FOLDER, None)
    return tuple(once.values())


@cache
def of_packages() -> tuple[Place, ...]:
    """The catalogues of installed packages, by name; one that fails is left out with a warning."""
    found = sorted(entry_points(group=GROUP), key=lambda one: (one.name, one.value))
    return tuple(place for place in map(_of_package, found) if place is not None)


def _of_package(point: EntryPoint) -> Place | None:
    try:
        given = point.load()  # a package, or the path of a folder
        folder = Path(given.__path__[0] if isinstance(given, ModuleType) else os.fspath(given))
        if not folder.is_dir():
            raise FileNotFoundError(f"there is no folder {folder}")
    except Exception as error:  # of a stranger's code
        said = f"{type(error).__name__}: {error}"
        warn(f"the catalogue of the installed package {point.name} is left out ({said})")
        return None
    return Place(folder.resolve(), f"package {point.name}", f"package {point.name}")


def warn(message: str) -> None:
    """Warn of something that metasim goes on without."""
    warnings.warn(message, MetasimWarning, stacklevel=2)
