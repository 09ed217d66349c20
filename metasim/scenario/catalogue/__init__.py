"""The catalogue: organ graphs, seed subtypes and base scenarios as TOML data, with their sources.

Every value of a catalogue file may be annotated with a status and a source, as
`{ value = 0.9, status = "derived", source = "mueller2001", note = "..." }`; a bare value is
"assumed". A source is a key of sources.toml.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent
_PACKAGE = FOLDER.parents[1]
KINDS = ("scenarios", "organs", "subtypes", "treatments", "care")


class Entry(NamedTuple):
    """One entry of `metasim list`.

    Attributes:
        kind: "scenario" (shipped, to be run), "base" (to be extended), "organs", "subtype",
            "treatment" or "care".
        name: what it is called in a file or on the command line.
        title: one line.
        comment: the first comment of its file: what to look at.
    """

    kind: str
    name: str
    title: str
    comment: str


def shipped_folder() -> Path:
    """Where the scenarios shipped with metasim lie: in the package, or beside it in a checkout."""
    packaged = _PACKAGE / "scenarios"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "scenarios"


def names(kind: str) -> list[str]:
    """Names of the catalogue files of one of `KINDS`, or of the "shipped" scenarios."""
    folder = shipped_folder() if kind == "shipped" else FOLDER / kind
    return sorted(path.stem for path in folder.glob("*.toml"))


def path_of(kind: str, name: str) -> Path | None:
    """The file of that name, or None if there is none."""
    folder = shipped_folder() if kind == "shipped" else FOLDER / kind
    return folder / f"{name}.toml" if name in names(kind) else None


@cache
def sources() -> dict[str, dict[str, str]]:
    """Key -> citation, doi, pmid, pmcid (where known) and evidence file of every source."""
    return tomllib.loads((FOLDER / "sources.toml").read_text("utf-8"))


@cache
def drugs() -> frozenset[str]:
    """Drugs of the catalogue's treatments."""
    tables = (path_of("treatments", name) for name in names("treatments"))
    found = (tomllib.loads(path.read_text("utf-8")).get("drug") for path in tables if path)
    return frozenset(drug for drug in found if drug)


def cite(source: str) -> str:
    """A source in full; what is not a key of sources.toml is given as it stands."""
    entry = sources().get(source)
    if entry is None:
        return source
    where = [f"{label}{entry[key]}" for key, label in _IDENTIFIERS if key in entry]
    return f"{source}: {', '.join([entry['citation'], *where])}"


_IDENTIFIERS = (("doi", "doi:"), ("pmid", "PMID "), ("pmcid", ""))


def entries() -> list[Entry]:
    """The whole catalogue and the shipped scenarios."""
    kinds = (("shipped", "scenario"), ("scenarios", "base"), ("organs", "organs"),
             ("subtypes", "subtype"), ("treatments", "treatment"), ("care", "care"))  # fmt: skip
    return [_entry(label, kind, name) for kind, label in kinds for name in names(kind)]


def _entry(label: str, kind: str, name: str) -> Entry:
    path = path_of(kind, name)
    assert path is not None
    text = path.read_text("utf-8")
    comment = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.lstrip("# "))
    return Entry(label, name, str(tomllib.loads(text).get("title", "")), " ".join(comment))
