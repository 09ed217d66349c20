"""The scenario reference: every key of the schema."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from as_markdown import code, table
from pydantic_core import PydanticUndefined

from metasim.scenario.keys import Key, find, shown
from metasim.scenario.schema import Scenario

INTRODUCTION = """# Scenario reference

This page lists every key that a scenario file may have, with its meaning, its unit, its default, and the type and
bounds that are checked. A file says only what differs from the scenario that it `extends`. Names in
capitals stand for names of your choice or of the catalogue, such as an organ; `N` counts treatments
from 0. `"none"` unsets an optional value. [Your editor](../howto/editor_shell_notebook.md) can complete these keys for you.

Three more keys concern the file itself: `extends` (what it starts from), `explicit` (nothing of the
catalogue is applied) and, beside any value, the annotations `status`, `source` and `note`.

"""
NAMES = {"soil": "ORGAN", "vessels": "ROUTE", "receptors": "RECEPTOR", "ligands": "LIGAND",
         "phenotypes": "PHENOTYPE", "clusters": "CLUSTER", "symptoms": "SYMPTOM", "pairs": "PAIR",
         "patients": "KEY", "by_subtype": "SUBTYPE", "factor_by_subtype": "SUBTYPE",
         "resistance": "DRUG", "becomes": "PHENOTYPE", "weights": "FACTOR",
         "penetrance": "ORGAN", "change": "KEY", "treatment": "N"}  # fmt: skip


def page() -> str:
    """The whole page: a section for each table of a scenario."""
    sections: dict[str, list[tuple[str, str, str, str]]] = {"": []}
    for path, key, default in keys(Key(Scenario)):
        if path.startswith("correlation."):  # which files give within patients
            key = _described(key, find(("correlation",)) or key)
            path = "patients.correlation.KEY.KEY"
        head = path.partition(".")[0] if "." in path else ""
        row = (code(path), key.description, key.allowed(), default)
        sections.setdefault(head, []).append(row)
    out = INTRODUCTION
    for head, rows in sections.items():
        about = Key(Scenario).child(head) if head else None
        out += f"## {head or 'The scenario'}\n\n{about.description if about else ''}\n\n"
        out += table(("key", "meaning", "allowed", "default"), rows)
    return out


def keys(key: Key, path: str = "") -> Iterator[tuple[str, Key, str]]:
    """Path, key and default of every value that the schema knows, depth first."""
    for name, child in _children(key, path):
        inside = f"{path}.{name}".lstrip(".")
        below = list(keys(child, inside))
        if below:
            yield from below
        else:
            yield inside, child, _default(key, name)


def _children(key: Key, path: str) -> Iterator[tuple[str, Key]]:
    if get_origin(key.type) is dict:
        name = NAMES.get(path.rpartition(".")[2], "NAME")
        value = key.child(key.names[0] if key.names else "x")
        if value is not None:
            about = value if value.is_table or value.description else _described(value, key)
            yield name, about
    elif key.is_table:
        for name in key.names:
            child = key.child(name)
            assert child is not None
            yield name, child
    elif get_origin(key.type) is tuple and get_args(key.type)[-1] is Ellipsis:
        child = key.child(0)
        if child is not None and child.is_table:
            yield "N", child


def _described(value: Key, around: Key) -> Key:
    return Key(value.type, around.description, value.unit, value.optional, value.limits,
               value.pattern)  # fmt: skip


def _default(key: Key, name: str) -> str:
    fields: Any = getattr(key.type, "model_fields", {})
    if name not in fields:
        return ""
    if fields[name].is_required():
        return "to be given"
    value = fields[name].get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None:
        return "unset"
    return code(shown(value)) if value != () else "none"
