"""Layers of a scenario: plain values with their origins, and how later layers win over earlier."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from metasim.errors import Mistake
from metasim.scenario.correlations import correlations_apart, drop_correlations
from metasim.scenario.fields import REMOVED
from metasim.scenario.keys import Path, find, is_list_of_tables, join, leaves, nearest, shown, split
from metasim.scenario.origin import STATUSES, Origin

_ANNOTATION = {"value", "status", "source", "note"}
_MAX_DEPTH = 12


@dataclass
class Layer:
    """One layer of values; what its paths begin with is worked out once, when first asked for.

    Attributes:
        name: the file, catalogue entry or option it comes from.
        values: path -> value; distributions under ("patients", dotted path).
        origins: dotted path -> origin.
        replaces: top-level tables that it replaces as a whole.
        mistakes: what is wrong with the annotations.
        is_whole: it holds a whole scenario, to which no catalogue is applied.
    """

    name: str
    values: dict[Path, Any] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    replaces: tuple[str, ...] = ()
    mistakes: list[Mistake] = field(default_factory=list)
    is_whole: bool = False

    @cached_property
    def _below(self) -> dict[Path, list[Path]]:
        """Path -> the paths of values that begin with it."""
        out: dict[Path, list[Path]] = {}
        for path in self.values:
            for length in range(1, len(path) + 1):
                out.setdefault(path[:length], []).append(path)
        return out

    def sets(self, path: Path) -> list[Path]:
        """The values that stand at, below or above a path."""
        above = (path[:length] for length in range(1, len(path)))
        return [p for p in above if self.values.get(p, {}) != {}] + [
            p for p in self._below.get(path, []) if p in self.values
        ]


def layer(
    name: str, table: Mapping[str, Any], status: str, replaces: tuple[str, ...] = ()
) -> Layer:
    """The layer of a table as TOML gives it, its annotated values unwrapped.

    Args:
        name: the file, catalogue entry or option.
        table: nested tables.
        status: status of values that are not annotated.
        replaces: top-level tables that it replaces as a whole.
    """
    out = Layer(name, replaces=replaces)
    plain = _unwrap(correlations_apart(table, out), (), Origin(name, status), out)
    out.values = {
        split(join(path)) if path[:1] == ("treatment",) else path: value  # numbers as numbers
        for path, value in leaves(plain, into_lists=False)
    }
    return out


def _unwrap(value: Any, path: Path, origin: Origin, out: Layer) -> Any:
    """The plain value at a path, its origins booked."""
    if len(path) > _MAX_DEPTH:
        return None  # far below any key of the schema: refused there
    if path and isinstance(value, dict) and "value" in value and value.keys() <= _ANNOTATION:
        origin = _annotation(value, path, origin, out)
        value = value["value"]
    if path == ("patients",) and isinstance(value, dict):
        flat = _flat_patients(value)
        return {key: _unwrap(item, ("patients", key), origin, out) for key, item in flat.items()}
    if isinstance(value, dict) and not (len(path) == 2 and path[0] == "patients"):
        return {key: _unwrap(item, (*path, key), origin, out) for key, item in value.items()}
    if is_list_of_tables(value):
        return [_unwrap(item, (*path, i), origin, out) for i, item in enumerate(value)]
    out.origins[join(path)] = origin
    return value


def _flat_patients(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted path -> distribution, from quoted paths and from nested tables alike."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        path = f"{prefix}{name}"
        key = find(split(path))
        if isinstance(value, dict) and key and key.is_table and path.count(".") < _MAX_DEPTH:
            flat |= _flat_patients(value, f"{path}.")
        else:
            flat[path] = value
    return flat


def _annotation(value: dict[str, Any], path: Path, origin: Origin, out: Layer) -> Origin:
    status, source, note = (value.get(k, d) for k, d in
                            (("status", origin.status), ("source", ""), ("note", "")))  # fmt: skip

    def wrong(message: str, hint: str = "") -> None:
        out.mistakes.append(Mistake(join(path), message, hint))

    if status not in STATUSES:
        wrong(f"status is {shown(status)}; allowed are {', '.join(STATUSES)}",
              nearest(str(status)[:60], STATUSES))  # fmt: skip
    elif not isinstance(source, str) or not isinstance(note, str):
        wrong("source and note must be text")
    elif status in ("measured", "derived") and not source:
        wrong(f'status is "{status}" but no source is given')
    elif status == "assumed" and source:
        wrong(f'status is "assumed", so it has no source ("{source[:60]}")')
    else:
        return Origin(origin.layer, status, source, note)
    return origin


def merge(layers: list[Layer]) -> tuple[dict[str, Any], dict[str, Origin]]:
    """One tree of values, and dotted path -> origin, from layers of which later ones win.

    A fixed value takes away a distribution that an earlier layer gives the same key.
    """
    tree: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for part in layers:
        for table in part.replaces:
            tree.pop(table, None)
            _forget(table, tree, origins)
        drawn = tree.get("patients")
        inside = _by_table(drawn) if isinstance(drawn, dict) and drawn else {}
        for path, value in part.values.items():
            if inside and path[0] != "patients" and value != {}:
                for key in inside.get(join(path), ()):
                    tree["patients"].pop(key, None)
                    origins.pop(f"patients.{key}", None)
                    drop_correlations(tree, key)
            elif path[0] == "patients" and len(path) < 3 and value == REMOVED:
                drop_correlations(tree, *map(str, path[1:]))
        for path, value in part.values.items():
            put(tree, path, copy.deepcopy(value))  # of which a later layer may change a part
        origins |= part.origins
    kept = {join(path) for path, _ in leaves(tree)}
    return tree, {path: origin for path, origin in origins.items() if path in kept}


def place_in_lists(layers: list[Layer]) -> None:
    """Refuse values of single treatments (`treatment.0.start`) that no earlier layer lists.

    They become mistakes of their layer. So does a new `kind`: its catalogue entry would not follow.
    """
    listed: list[Any] = []
    for own in layers:
        value = own.values.get(("treatment",))
        listed = value if isinstance(value, list) else [] if value == REMOVED else listed
        for path in [p for p in own.values if p[:1] == ("treatment",) and p[1:]]:
            number, key = path[1], join(path)
            if not isinstance(number, int):
                continue  # refused as a table that should be a list
            if number >= len(listed):
                names = [f"treatment.{i} ({_kind(item)})" for i, item in enumerate(listed)]
                hint = f"there are {', '.join(names)}" if names else "the scenario has no treatment"
                own.mistakes.append(Mistake(key, f"there is no treatment {number}", hint))
            elif len(path) == 2:
                own.mistakes.append(Mistake(key, "is a treatment; give one of its values", ""))
            elif path[2] == "kind":
                hint = "its values come from the catalogue; list the treatments anew"
                own.mistakes.append(Mistake(key, "cannot be changed alone", hint))
            else:
                continue
            del own.values[path]
            own.origins.pop(key, None)


def place_in_distributions(layers: list[Layer]) -> None:
    """Refuse parameters (`patients.KEY.lognormal.sigma`) of what no earlier layer draws.

    They become mistakes of their layer.
    """
    drawn: set[str] = set()
    for own in layers:
        drawn |= {str(p[1]) for p in own.values if p[0] == "patients" and len(p) == 2}
        inside = [p for p in own.values if p[0] == "patients" and len(p) > 2 and p[2] != "draws"]
        for path in [path for path in inside if path[1] not in drawn]:
            message = "is not drawn, so that it has no distribution of which to change a part"
            hint = nearest(str(path[1]), drawn)
            own.mistakes.append(Mistake(f"patients.{path[1]}", message, hint))
            del own.values[path]


def _kind(item: object) -> str:
    return str(item.get("kind", "of no kind")) if isinstance(item, dict) else "not a table"


def _by_table(drawn: dict[str, Any]) -> dict[str, list[str]]:
    """Each key, and each table above it -> the drawn keys there."""
    out: dict[str, list[str]] = {}
    for key in drawn:
        parts = key.split(".")
        for length in range(1, len(parts) + 1):
            out.setdefault(".".join(parts[:length]), []).append(key)
    return out


def _forget(path: str, tree: dict[str, Any], origins: dict[str, Origin]) -> None:
    """Take away the distributions of a key or table."""
    drawn = tree.get("patients")
    if not isinstance(drawn, dict):
        return
    for key in list(drawn):
        if key == path or key.startswith(f"{path}."):
            del drawn[key]
            drop_correlations(tree, key)
            origins.pop(f"patients.{key}", None)


def put(tree: Any, path: Path, value: Any) -> None:
    """Put a value at a path of a tree; `REMOVED` takes away what stands there."""
    *tables, name = path
    for part, following in zip(tables, path[1:], strict=True):
        below = tree.get(part) if isinstance(tree, dict) else tree[part]
        in_list = is_list_of_tables(below) and isinstance(following, int)
        if not isinstance(below, dict) and not in_list:
            below = {}
            tree[part] = below
        tree = below
    if value == REMOVED:
        tree.pop(name, None)
    elif value != {}:
        tree[name] = value
    elif not isinstance(tree.get(name), dict):
        tree[name] = {}
