"""The published work that values rest on: `sources.toml` of every catalogue."""

from functools import cache
from pathlib import Path
from typing import Any

from metasim.errors import Mistake, ScenarioError
from metasim.scenario.catalogue import SHIPPED, Catalogue, Place
from metasim.scenario.files import read
from metasim.scenario.keys import nearest, shown

_FILE = "sources.toml"
_IDENTIFIERS = {"doi": "doi:", "pmid": "PMID ", "pmcid": ""}
_KEYS = ("citation", *_IDENTIFIERS, "evidence")


def sources(place: Place = SHIPPED) -> dict[str, dict[str, str]]:
    """Key -> citation, doi, pmid, pmcid (where known) and evidence file of a catalogue's sources.

    Raises:
        ScenarioError: the file cannot be read.
    """
    path = place.folder / _FILE
    return _read(path, path.stat().st_mtime_ns) if path.is_file() else {}


@cache
def _read(path: Path, _: int) -> dict[str, Any]:
    return read(path, _label(path)).table


def cite(catalogue: Catalogue, source: str) -> str:
    """A source in full; what is not a key of any sources.toml is given as it stands."""
    entry = next(filter(None, (_entry(place, source) for place in catalogue.places())), None)
    if entry is None:
        return source
    where = [f"{label}{entry[key]}" for key, label in _IDENTIFIERS.items() if key in entry]
    return f"{source}: {', '.join([entry['citation'], *where])}"


def _entry(place: Place, source: str) -> dict[str, str] | None:
    try:
        entry = sources(place).get(source)
    except ScenarioError:  # said where a scenario is loaded
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("citation"), str) else None


def mistakes_of_sources(catalogue: Catalogue) -> list[tuple[str, list[Mistake]]]:
    """What is wrong with the sources of users' catalogues: their files, each with its mistakes."""
    out = []
    for place in catalogue.near:
        label = _label(place.folder / _FILE)
        try:
            found = [m for key, entry in sources(place).items() for m in _wrong(key, entry)]
        except ScenarioError as error:
            found = error.mistakes
        if found:
            out.append((label, found))
    return out


def _wrong(key: str, entry: Any) -> list[Mistake]:
    if not isinstance(entry, dict):
        return [Mistake(key, f"must be a table with a citation, not {shown(entry)}")]
    out = []
    if "citation" not in entry:
        out.append(Mistake(f"{key}.citation", "is required and not given", "give the work in full"))
    for name, value in entry.items():
        if name not in _KEYS:
            out.append(Mistake(f"{key}.{name}", "there is no such key", nearest(name, _KEYS)))
        elif not isinstance(value, str):
            out.append(Mistake(f"{key}.{name}", f"must be text, not {shown(value)}"))
    return out


def _label(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
