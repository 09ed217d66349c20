"""The catalogue: organ graphs, soils, subtypes, treatments, pairs and base scenarios as TOML data.

Every value of a catalogue file may be annotated with a status and a source, as
`{ value = 0.9, status = "derived", source = "mueller2001", note = "..." }`; a bare value is
"assumed" in metasim's own files and "user" in those of others. A source is a key of sources.toml.

Entries are looked for in several folders (`Place`), in this order: a folder `catalogue` beside the
file that names them; those of METASIM_CATALOGUE; metasim's own; those of installed packages. Files
of metasim's own name metasim's own entries, whatever else there is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from metasim.errors import MetasimError
from metasim.scenario.catalogue.places import (
    BESIDE,
    SHIPPED,
    Found,
    Place,
    is_ours,
    near,
    of_packages,
    warn,
)
from metasim.scenario.catalogue.sections import RUNNABLE, SECTIONS, Section

__all__ = [
    "BESIDE",
    "RUNNABLE",
    "SCENARIOS",
    "SECTIONS",
    "SHIPPED",
    "Catalogue",
    "DefinedTwice",
    "Found",
    "Place",
    "Section",
    "around",
    "is_ours",
    "of_file",
]

SCENARIOS = (RUNNABLE, "scenarios")
"""Sections whose entries can be run, or extended."""


class DefinedTwice(MetasimError):
    """A name that several installed packages define, so that none holds."""


@dataclass(frozen=True)
class Catalogue:
    """The catalogues that one file may name entries of.

    Attributes:
        near: those that come before metasim's own, the first of them first.
    """

    near: tuple[Place, ...] = ()

    def places(self) -> list[Place]:
        """All of them, in the order in which they are looked through."""
        return [*self.near, SHIPPED, *of_packages()]

    def names(self, *sections: str) -> list[str]:
        """Names of all entries of some sections, each once."""
        every = (n for place in self.places() for s in sections for n in place.names(s))
        return [*dict.fromkeys(every)]

    def find(self, name: str, *sections: str) -> Found | None:
        """The entry of that name in the first of several sections that has it.

        The catalogue that is looked through first wins, and a `MetasimWarning` names the others.
        Installed packages come last, and without a warning, so that installing one changes nothing.

        Raises:
            DefinedTwice: only installed packages have it, and several do.
        """
        found = [*_all(name, sections, (*self.near, SHIPPED))]
        if found:
            if others := " and ".join(one.label for one in found[1:]):
                warn(f'"{name}" is defined twice: {found[0].label} holds, not {others}')
            return found[0]
        packaged = [*_all(name, sections, of_packages())]
        if len(packaged) > 1:
            where = " and ".join(one.label for one in packaged)
            raise DefinedTwice(f'"{name}" is defined twice, by {where}')
        return packaged[0] if packaged else None

    def misplaced(self, name: str, section: str) -> str:
        """A hint: a file of that name where it is not looked for; empty: there is none."""
        for place in self.near:
            for path in (*place.folder.glob("*.toml"), *place.folder.glob("*/*.toml")):
                if path.stem == name and path.parent != place.section(section):
                    at = path.relative_to(place.folder.parent).as_posix()
                    return f"{at} is not looked at: move it to {place.folder.name}/{section}"
        return ""


def around(*folders: Path) -> Catalogue:
    """The catalogue with these folders, as far as they exist, and those of METASIM_CATALOGUE.

    Raises:
        OptionError: METASIM_CATALOGUE names a folder that does not exist.
    """
    return Catalogue(near(*folders))


def of_file(path: Path) -> Catalogue:
    """The catalogue that a scenario file names entries of.

    Raises:
        OptionError: METASIM_CATALOGUE names a folder that does not exist.
    """
    if is_ours(path):
        return Catalogue()
    inside = path.parent.name in SECTIONS and path.parent.parent.name == BESIDE
    return around(path.parent / BESIDE, *([path.parent.parent] if inside else []))


def _all(name: str, sections: tuple[str, ...], places: tuple[Place, ...]) -> Iterator[Found]:
    for place in places:
        if found := next(filter(None, (place.find(section, name) for section in sections)), None):
            yield found
