"""What the schema says about a key path: type, unit, allowed values, names that stand beside it."""

import re
import sys
import types
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from itertools import islice
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from metasim.scenario.fields import FIXED, OTHER, Concerns, Varies
from metasim.scenario.schema import Scenario

Path = tuple[str | int, ...]
"""A key path as its parts. What stands under ``patients`` is one part, itself a dotted path; so is
what a treatment changes."""

_MOST_COMPARED = 60  # characters of names that are compared with each other
_MOST_NAMES = 500  # names that one is compared with
_WORDS = {"ge": "of at least", "gt": "above", "le": "of at most", "lt": "below"}


@dataclass(frozen=True)
class Key:
    """One key of the schema.

    Attributes:
        type: its type, without annotations and without None.
        description: what it means.
        unit: unit of a number, empty if it is dimensionless.
        optional: it may be unset.
        limits: allowed range of a number, by "ge", "gt", "le", "lt".
        pattern: regular expression of a text.
        varies: what its number, or those below it, may do between patients and under treatment.
        concerns: what its number, or those below it, are about.
    """

    type: Any
    description: str = ""
    unit: str = ""
    optional: bool = False
    limits: dict[str, float] = field(default_factory=dict)
    pattern: str = ""
    varies: Varies = FIXED
    concerns: Concerns = OTHER

    @property
    def is_number(self) -> bool:
        """Whether it holds a plain number."""
        return self.type in (int, float)

    @property
    def is_table(self) -> bool:
        """Whether it holds a table of further keys."""
        return get_origin(self.type) is dict or _is_model(self.type)

    def child(self, name: str | int) -> "Key | None":
        """The key of that name below this one, or None if there is no such key."""
        if _is_model(self.type):
            if name not in self.type.model_fields:
                return None
            hint = _hints(self.type)[str(name)]
            description = self.type.model_fields[name].description or ""
            return _key(hint, description, self.type.varies, self.type.concerns)
        if get_origin(self.type) is dict:
            names = self.names
            if names and name not in names:
                return None
            return _key(get_args(self.type)[1], "", self.varies, self.concerns)
        if get_origin(self.type) in (tuple, list) and isinstance(name, int):
            return _key(get_args(self.type)[0])
        return None

    @property
    def names(self) -> list[str]:
        """Names that are allowed below it; empty if any name is, or none."""
        if _is_model(self.type):
            return list(self.type.model_fields)
        if get_origin(self.type) is dict and get_origin(get_args(self.type)[0]) is Literal:
            return list(get_args(get_args(self.type)[0]))
        return []

    @property
    def choices(self) -> list[str]:
        """Texts that are allowed; empty if it is not a choice between texts."""
        parts = get_args(self.type) if get_origin(self.type) is Union else (self.type,)
        return [name for part in parts if get_origin(part) is Literal for name in get_args(part)]

    def allowed(self) -> str:
        """What it may hold, in words: "a number from 0 to 1"."""
        return _allowed(self) + (' (or "none")' if self.optional else "")


@cache
def _hints(model: type[BaseModel]) -> dict[str, Any]:
    return get_type_hints(model, include_extras=True)


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)


def _key(
    hint: Any, description: str = "", varies: Varies = FIXED, concerns: Concerns = OTHER
) -> Key:
    unit, pattern, optional = "", "", False
    limits: dict[str, float] = {}
    while get_origin(hint) in (Annotated, types.UnionType, Union):
        if get_origin(hint) is not Annotated:
            parts = [part for part in get_args(hint) if part is not type(None)]
            optional = optional or len(parts) < len(get_args(hint))
            if len(parts) > 1:
                hint = Union[tuple(parts)]  # noqa: UP007 - built at run time
                break
            hint = parts[0]
            continue
        hint, *extras = get_args(hint)
        for info in extras:
            varies = info if isinstance(info, Varies) else varies
            concerns = info if isinstance(info, Concerns) else concerns
            if isinstance(info, FieldInfo):
                extra = info.json_schema_extra
                unit = str(extra.get("unit", "")) if isinstance(extra, dict) else unit
                for item in info.metadata:
                    limits |= {w: getattr(item, w) for w in _WORDS if hasattr(item, w)}
                    pattern = getattr(item, "pattern", None) or pattern
    return Key(hint, description, unit, optional, limits, pattern, varies, concerns)


def _allowed(key: Key) -> str:
    made_of = get_origin(key.type)
    if key.is_table:
        return "a table"
    if key.type in (int, float):
        word = "a whole number" if key.type is int else "a number"
        return word + _range(key.limits) + (f" ({key.unit})" if key.unit else "")
    if made_of is Literal:
        return " or ".join(f'"{name}"' for name in get_args(key.type))
    if made_of is Union:
        return " or ".join(_allowed(_key(part)) for part in get_args(key.type))
    if key.type is bool:
        return "true or false"
    if made_of is tuple and not _is_model(_key(get_args(key.type)[0]).type):
        return f"a list of {len(get_args(key.type))} numbers"
    if made_of is list:
        inside = _key(get_args(key.type)[0])
        if inside.type is str:
            return "a list of names"
        names = " or of names" if get_origin(inside.type) is Union else ""
        return "a list of numbers" + _range(inside.limits) + names
    if made_of is tuple:
        return "a list of tables"
    if key.pattern.endswith(".+$"):
        return f'"{key.pattern[1:-3]}..."'
    first = "a letter or digit" if key.pattern.startswith("^[A-Za-z0-9]") else "a letter"
    return f"a name ({first}, then letters, digits, _ or -)" if key.pattern else "text"


def _range(limits: dict[str, float]) -> str:
    if {"ge", "le"} <= limits.keys():
        return f" from {_plain(limits['ge'])} to {_plain(limits['le'])}"
    return " and".join(f" {_WORDS[word]} {_plain(limit)}" for word, limit in limits.items())


def _plain(limit: float) -> str:
    return f"{limit:,}" if isinstance(limit, int) else f"{limit:g}"


def find(path: Path) -> Key | None:
    """The key at a path, or None if the schema knows no such key."""
    key: Key | None = Key(Scenario)
    for name in path:
        if key is None:
            return None
        key = key.child(name)
    return key


def split(path: str) -> Path:
    """A dotted path as its parts."""
    head, _, tail = path.partition(".")
    if head == "patients" and tail.partition(".")[0] == "correlation":
        return _pair(tail)
    if head == "patients" and tail:
        return (head, tail)
    parts = path.split(".")
    if head == "treatment" and parts[2:3] == ["change"]:
        parts[3:] = [".".join(parts[3:])] if parts[3:] else []
    return tuple(int(part) if _INDEX.fullmatch(part) else part for part in parts)


_INDEX = re.compile(r"[0-9]{1,1000}")  # Python reads no number of more than 4,300 digits


def join(path: Path) -> str:
    """The parts of a path as a dotted path."""
    inside = ("patients", *path) if path[:1] == ("correlation",) else path
    return ".".join(str(part) for part in inside)


def _pair(path: str) -> Path:
    """`correlation.KEY.KEY` as its parts: where it comes apart, both are keys that hold numbers."""
    head, _, rest = path.partition(".")
    parts = rest.split(".")
    for i in range(1, len(parts)):
        both = ".".join(parts[:i]), ".".join(parts[i:])
        if all((key := find(split(one))) is not None and key.is_number for one in both):
            return (head, *both)
    if find(split(rest)) is not None:
        return (head, rest)
    middle = len(parts) // 2 or 1  # no two keys: what there is, for a message
    return (head, *filter(None, (".".join(parts[:middle]), ".".join(parts[middle:]))))


def leaves(tree: object, path: Path = (), *, into_lists: bool = True) -> Iterator[tuple[Path, Any]]:
    """Path and value of every value of a nested dict.

    An empty table, a distribution under `patients` and a list of plain values are one value each;
    a list of tables is one if `into_lists` is false.
    """
    items: Iterable[tuple[Any, Any]]
    drawn = len(path) > 1 and path[0] == "patients"
    if isinstance(tree, dict) and (tree or not path) and not drawn:
        items = tree.items()
    elif into_lists and is_list_of_tables(tree):
        assert isinstance(tree, list | tuple)
        items = enumerate(tree)
    else:
        yield path, tree
        return
    for name, value in items:
        yield from leaves(value, (*path, name), into_lists=into_lists)


def is_list_of_tables(value: object) -> bool:
    """Whether a value is a list that holds tables, such as `[[treatment]]`."""
    return isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value)


_hints_left: ContextVar[int] = ContextVar("hints_left", default=sys.maxsize)


@contextmanager
def few_hints(most: int) -> Iterator[None]:
    """Within, only the first so many hints are looked for: each compares with every name."""
    before = _hints_left.set(most)
    try:
        yield
    finally:
        _hints_left.reset(before)


def closest(name: str, names: Iterable[str]) -> str | None:
    """The name that is most alike, or that begins with what was given; None: there is none."""
    if _hints_left.get() <= 0:
        return None
    _hints_left.set(_hints_left.get() - 1)
    name = name[:_MOST_COMPARED]
    known = {n.lower()[:_MOST_COMPARED]: n for n in islice(names, _MOST_NAMES)}
    found = get_close_matches(name.lower(), known, n=1)
    found += [n for n in known if len(name) > 1 and n.startswith(name.lower())]
    return known[found[0]] if found else None


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint: the name that is closest, or all of them if they are few and none is close."""
    known = list(names)
    if found := closest(name, known):
        return f'did you mean "{found}"?'
    return f"known: {', '.join(known)}" if 0 < len(known) <= 16 else ""


def shown(value: object) -> str:
    """A value as a message shows it: as in TOML, cut if it is long."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        items = ("[...]" if isinstance(item, list) else shown(item) for item in value[:10])
        text = f"[{', '.join(items)}]"
    elif isinstance(value, str):
        text = f'"{value[:60]}"'
    elif isinstance(value, int) and value.bit_length() > 10_000:
        text = f"a number of {value.bit_length()} bits"  # Python refuses to print it
    else:
        text = str(value)
    return text if len(text) <= 60 else text[:56] + " ..."
