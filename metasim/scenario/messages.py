"""Validation of a tree of values, with mistakes in plain words instead of pydantic's."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import ValidationError

from metasim.errors import Mistake
from metasim.scenario.keys import Key, Path, closest, find, join, nearest, shown
from metasim.scenario.schema import Scenario

_KEY = "[key]"  # how pydantic marks a mistake in the name of a key


def validate(tree: dict[str, Any]) -> tuple[Scenario | None, list[tuple[Path, Mistake]]]:
    """The scenario of a tree, or None and what is wrong with single values, with their paths."""
    try:
        return Scenario.model_validate(tree), []
    except ValidationError as error:
        mistakes: dict[Path, Mistake] = {}
        for item in error.errors(include_url=False):
            path, mistake = _mistake(item["type"], item["loc"], tree)
            mistakes.setdefault(path, mistake)  # one for all members of a union
        if {("gates",), ("rates",), ("growth",)} <= mistakes.keys():  # it starts from nothing
            mistakes = {path: said for path, said in mistakes.items() if len(path) > 1}
            message = 'is missing: a file starts from the catalogue, by extends = "breast"'
            mistakes[("extends",)] = Mistake("extends", message)
        return None, list(mistakes.items())


def _mistake(fault: str, loc: Path, tree: dict[str, Any]) -> tuple[Path, Mistake]:
    if fault == "missing":
        wanted = find(loc)
        hint = f"give {wanted.allowed()}" if wanted is not None and not wanted.is_table else ""
        return loc, Mistake(join(loc), "is required and not given", hint)
    path, value = _existing(tree, loc)
    if fault == "extra_forbidden" or _KEY in loc:
        return path, _unknown(path)
    key = find(path)
    if len(path) == 2 and path[0] == "patients":
        name = join(path[1:])
        message = f"[patients] takes a distribution, not {shown(value)}"
        hint = f'such as "{name}" = {{ lognormal = {{ median = ..., sigma = ... }} }}; '
        return path, Mistake(join(path), message, hint + f"the same for all: {name} = ...")
    if key is None:  # a value where a table of the user's own names belongs
        return path, _unknown(path)
    hint = ""
    if isinstance(value, str) and (choice := closest(value, key.choices)):
        hint = f'did you mean "{choice}"?'
    elif isinstance(value, dict) and path == ("treatment",):
        hint = "each is a [[treatment]], in double brackets; one value of one is treatment.0.KEY"
    return path, Mistake(join(path), f"must be {key.allowed()}, not {shown(value)}", hint)


def _existing(tree: Any, loc: Path) -> tuple[Path, Any]:
    """The part of an error's location that is a path of the tree, and the value there."""
    path: Path = ()
    for part in loc:
        inside = (isinstance(tree, dict) and part in tree) or (
            isinstance(tree, list) and isinstance(part, int) and part < len(tree)
        )
        if not inside:
            break
        path, tree = (*path, part), tree[part]
    return path, tree


def _unknown(path: Path) -> Mistake:
    parent, name = find(path[:-1]), str(path[-1])
    if parent is not None and not parent.names:
        message = "is not a name: a letter, then letters, digits, _ or -"
        return Mistake(join(path), message)
    hint = nearest(name, parent.names if parent else [])
    if not hint.startswith("did") and (places := [p for p in _places() if p[-1] == name]):
        hint = f"did you mean {' or '.join(join(place) for place in places[:2])}?"
    return Mistake(join(path), "there is no such key", hint)


@cache
def _places() -> tuple[Path, ...]:
    """All key paths of the schema, with NAME for names of the user's choice."""

    def walk(key: Key, path: Path) -> Iterator[Path]:
        for name in key.names or (["NAME"] if key.is_table else []):
            child = key.child(name)
            assert child is not None
            yield (*path, name)
            yield from walk(child, (*path, name))

    return tuple(walk(Key(Scenario), ()))
