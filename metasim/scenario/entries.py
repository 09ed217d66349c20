"""Entries of the catalogue that a layer names: their values, put below those of the layer itself.

An organ graph, a subtype and a standard care are named once, a soil by every organ that starts
from one, a pair likewise, and a treatment by its `kind` (`metasim.scenario.catalogue.sections`
lists them).
"""

import tomllib
from collections.abc import Iterator
from typing import Any

from metasim.errors import Mistake, ScenarioError
from metasim.scenario.care import mark_rules
from metasim.scenario.catalogue import SECTIONS, Catalogue, DefinedTwice, Found
from metasim.scenario.fields import REMOVED
from metasim.scenario.files import File, read
from metasim.scenario.keys import Path, is_list_of_tables, join, nearest, shown
from metasim.scenario.layers import Layer, layer
from metasim.scenario.mixture import SUBTYPE, mixed, names_drawn

_TABLES = ("change", "penetrance", "only_if")
_TREATMENTS = "treatments"


def named_layers(own: Layer, catalogue: Catalogue) -> list[Layer]:
    """The entries that a layer names, as layers below it; mistakes become those of the layer."""
    found = [_entry(own, catalogue, *named) for named in _named(own)]
    key = ("patients", SUBTYPE)
    drawn = {
        name: _entry(own, catalogue, "subtypes", key, name)
        for name in dict.fromkeys(names_drawn(own.values.get(key)))
    }
    entries = {name: entry for name, entry in drawn.items() if entry is not None}
    mixture = [mixed(entries)] if entries and len(entries) == len(drawn) else []
    return [*filter(None, found), *mixture]


def _named(own: Layer) -> Iterator[tuple[str, Path, str]]:
    """Section, key and name of the entries that a layer names, but for treatments."""
    for section, about in SECTIONS.items():
        if section in (_TREATMENTS, "scenarios"):
            continue
        for path, name in [*own.values.items()]:
            if about.is_named_by(path) and isinstance(name, str) and name != REMOVED:
                yield section, path, name


def _entry(own: Layer, catalogue: Catalogue, section: str, path: Path, name: str) -> Layer | None:
    """The layer of an entry; if there is none, or it cannot be read, `own` gets the mistake."""
    file = _file(own, catalogue, section, path, name)
    if file is None:
        return None
    table = {key: value for key, value in file.table.items() if key != "title"}
    for part in reversed(path[: len(SECTIONS[section].at)]):
        table = {str(part): table}
    entry = layer(file.name, table, _status(file), SECTIONS[section].replaces)
    _keep_to_its_tables(entry, section)
    if section == "care":
        complete_treatments(entry, catalogue)
        mark_rules(entry, name)
    return entry


def _file(own: Layer, catalogue: Catalogue, section: str, path: Path, name: str) -> File | None:
    key, one = join(path), SECTIONS[section].one
    try:
        found = catalogue.find(name, section)
        if found is not None:
            return read_entry(found)
        known = catalogue.names(section)
        hint = catalogue.misplaced(name, section) or nearest(name, known)
        wrong = Mistake(key, f"the catalogue has no {one} {shown(name)}", hint)
    except DefinedTwice as error:
        wrong = Mistake(key, str(error))
    except ScenarioError as error:
        own.mistakes += [Mistake(key, f"{error.source}: {mistake}") for mistake in error.mistakes]
        return None
    own.mistakes.append(wrong)
    return None


def read_entry(found: Found) -> File:
    """The file of an entry.

    Raises:
        ScenarioError: it cannot be read.
    """
    return read(found.path, found.label, found.label)


def _status(file: File) -> str:
    return "assumed" if file.is_ours else "user"


def _keep_to_its_tables(below: Layer, section: str) -> None:
    """Refuse what an entry gives beyond the tables of its section, and names of other entries."""
    about = SECTIONS[section]
    for path in [*below.values]:
        key = join(path)
        if about.tables and path[0] not in about.tables:
            message = f"is nothing that an entry of {section} gives"
            below.mistakes.append(Mistake(key, message, nearest(str(path[0]), about.tables)))
        elif any(other.is_named_by(path) for other in SECTIONS.values()):
            message = "an entry of the catalogue names no other: give its values"
            below.mistakes.append(Mistake(key, message))
        else:
            continue
        del below.values[path]
        below.origins.pop(key, None)


def complete_treatments(own: Layer, catalogue: Catalogue) -> None:
    """Put the catalogue's values under those that each `[[treatment]]` of a layer gives."""
    items = own.values.get(("treatment",))
    if not isinstance(items, list) or not is_list_of_tables(items):
        return
    own.values[("treatment",)] = [
        _completed(own, catalogue, i, item) if isinstance(item, dict) else item
        for i, item in enumerate(items)
    ]


def _completed(own: Layer, catalogue: Catalogue, i: int, item: dict[str, Any]) -> dict[str, Any]:
    base: dict[str, Any] = {}
    if (file := _treatment(own, catalogue, i, item.get("kind"))) is not None:
        table = {key: value for key, value in file.table.items() if key != "title"}
        entry = layer(file.name, {"treatment": [table]}, _status(file))
        own.mistakes += [
            Mistake(f"treatment.{i}.{m.key.removeprefix('treatment.0.')}", m.message, m.hint,
                    file.name)
            for m in entry.mistakes
        ]  # fmt: skip
        base = entry.values[("treatment",)][0]
        own.origins = {
            f"treatment.{i}.{path.removeprefix('treatment.0.')}": origin
            for path, origin in entry.origins.items()
        } | own.origins
    if "start" in item:  # another start takes the catalogue's delay from it away
        base.pop("delay_days", None)
    out = {**base, **item}
    for name in _TABLES:
        if isinstance(out.get(name), dict):
            below = base.get(name, {})
            out[name] = _kept({**_flat(name, below), **_flat(name, out[name])})
    return _kept(out)


def _treatment(own: Layer, catalogue: Catalogue, i: int, kind: object) -> File | None:
    """The catalogue's treatment of a kind; None: the kind is the scenario's own."""
    if not isinstance(kind, str):
        return None
    try:
        found = catalogue.find(kind, _TREATMENTS)
        return read_entry(found) if found is not None else None
    except DefinedTwice as error:
        own.mistakes.append(Mistake(f"treatment.{i}.kind", str(error)))
    except ScenarioError as error:
        own.mistakes += [
            Mistake(f"treatment.{i}.kind", f"{error.source}: {m}") for m in error.mistakes
        ]
    return None


def drugs(catalogue: Catalogue) -> frozenset[str]:
    """Drugs of the catalogue's treatments; of a file that cannot be read, none."""
    found = set()
    for place in catalogue.places():
        for name in place.names(_TREATMENTS):
            path = place.section(_TREATMENTS) / f"{name}.toml"
            try:
                found.add(tomllib.loads(path.read_text("utf-8")).get("drug"))
            except (OSError, ValueError, RecursionError):
                continue
    return frozenset(drug for drug in found if isinstance(drug, str) and drug)


def _flat(name: str, table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A table; key paths of `change` may be quoted or nested."""
    if name != "change":
        return table
    flat: dict[str, Any] = {}
    for key, value in table.items():
        path = f"{prefix}{key}"
        flat |= _flat(name, value, f"{path}.") if isinstance(value, dict) else {path: value}
    return flat


def _kept(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value != REMOVED}
