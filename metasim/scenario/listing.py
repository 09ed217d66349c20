"""What `metasim list` says of the catalogue and the shipped scenarios."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from metasim.errors import ScenarioError
from metasim.scenario.catalogue import RUNNABLE, SECTIONS, SHIPPED, Catalogue, Found, Place
from metasim.scenario.catalogue.places import STEM
from metasim.scenario.entries import read_entry
from metasim.scenario.keys import shown
from metasim.scenario.mixture import SUBTYPE, names_drawn
from metasim.scenario.subtypes import shares_said


class Entry(NamedTuple):
    """One entry of `metasim list`.

    Attributes:
        section: where it lies, one of `metasim.scenario.catalogue.SECTIONS` or `RUNNABLE`.
        name: what it is called in a file or on the command line.
        title: one line.
        comment: the first comment of its file: what to look at.
        origin: the catalogue that it is of; "metasim" for what ships.
    """

    section: str
    name: str
    title: str
    comment: str
    origin: str

    @property
    def one(self) -> str:
        """What an entry of its section is called."""
        return "scenario" if self.section == RUNNABLE else SECTIONS[self.section].one

    @property
    def text(self) -> str:
        """Title and comment."""
        return " ".join(filter(None, (self.title and f"{self.title}.", self.comment)))


def entries(catalogue: Catalogue | None = None) -> list[Entry]:
    """The shipped scenarios and the catalogue, section by section.

    Args:
        catalogue: all of whose entries are listed; None: only what ships with metasim.
    """
    places = [SHIPPED] if catalogue is None else catalogue.places()
    return [
        entry
        for section in [RUNNABLE, *SECTIONS]
        for number, place in enumerate(places)
        for entry in _of_place(place, section, places[:number])
    ]


def _of_place(place: Place, section: str, before: list[Place]) -> Iterator[Entry]:
    if section == RUNNABLE and not place.is_ours:
        return
    for path in sorted(place.section(section).glob("*.toml")):
        name = path.stem
        if not STEM.fullmatch(name):
            said = f"{shown(name)} is not a name: a letter, then letters, digits, _ or -"
            yield Entry(section, name, "", f"cannot be used: {said}", place.origin)
            continue
        found = Found(path, place, section, place.label(section, name))
        title, comment = _said(found)
        if other := next((p for p in before if name in p.names(section)), None):
            comment = f"not used: {other.origin} comes before"
        yield Entry(section, name, title, comment, place.origin)


def _said(found: Found) -> tuple[str, str]:
    """Title and first comment of an entry's file."""
    try:
        table = read_entry(found).table
    except ScenarioError as error:
        return "", f"cannot be used: {'; '.join(map(str, error.mistakes))}"
    title, comment = str(table.get("title", "")), []
    for line in found.path.read_text("utf-8-sig").splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.lstrip("# "))
    return title, " ".join([*comment, *_mixed(table)])


def _mixed(table: Mapping[str, Any]) -> Iterator[str]:
    """Which subtypes a file mixes, in words, if it says so itself."""
    patients = table.get("patients")
    drawn: Any = patients.get(SUBTYPE) if isinstance(patients, dict) else None
    drawn = drawn.get("value", drawn) if isinstance(drawn, dict) else None
    if names := names_drawn(drawn):
        weights = drawn["choice"].get("weights")
        weights = weights if isinstance(weights, list) else None
        yield f"Mixes subtypes: {shares_said(names, weights)}."
