"""Treatments of a layer, each completed by the catalogue entry that its kind names."""

from typing import Any

from metasim.scenario import catalogue
from metasim.scenario.fields import REMOVED
from metasim.scenario.files import read
from metasim.scenario.keys import is_list_of_tables
from metasim.scenario.layers import Layer, layer

_TABLES = ("change", "penetrance", "only_if")


def complete_treatments(own: Layer) -> None:
    """Put the catalogue's values under those that each `[[treatment]]` of a layer gives."""
    items = own.values.get(("treatment",))
    if not isinstance(items, list) or not is_list_of_tables(items):
        return
    own.values[("treatment",)] = [
        _completed(own, i, item) if isinstance(item, dict) else item for i, item in enumerate(items)
    ]


def _completed(own: Layer, i: int, item: dict[str, Any]) -> dict[str, Any]:
    base: dict[str, Any] = {}
    kind = item.get("kind")
    found = catalogue.path_of("treatments", kind) if isinstance(kind, str) else None
    if found is not None:
        file = read(found, f"catalogue treatments/{kind}")
        table = {key: value for key, value in file.table.items() if key != "title"}
        entry = layer(file.name, {"treatment": [table]}, "assumed")
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
