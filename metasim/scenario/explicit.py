"""The scenario in full: as a TOML file that stands alone, and as rows that say where it is from."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import tomlkit

from metasim.scenario.correlations import NAME
from metasim.scenario.file_schema import json_schema
from metasim.scenario.keys import find, is_list_of_tables, join, leaves, split
from metasim.scenario.origin import DEFAULT, Origin
from metasim.scenario.schema import Scenario
from metasim.scenario.sources import cite
from metasim.scenario.subtypes import mixture_words
from metasim.terminal import cells, console, fold, pad, plain

__all__ = [
    "Row",
    "cited",
    "describe",
    "explicit_toml",
    "json_schema",
    "print_description",
    "toml_value",
]

_HEADER = (
    "# A complete scenario, written by metasim: reading it applies no catalogue and no default,",
    "# so it gives the same results whatever those become. Each comment says: unit; where the",
    "# value came from; status; source.",
)


_VALUE_WIDTH = 32  # leaves 80 columns room for status and the catalogue's longest name


class Row(NamedTuple):
    """One value of a scenario.

    Attributes:
        key: dotted key path.
        value: the value as TOML.
        unit: its unit; empty: dimensionless, or no number.
        layer: file, catalogue entry or option that gave it, or "default".
        status: one of `metasim.scenario.origin.STATUSES`.
        source: key of the catalogue's sources, or a citation; empty: none.
        note: a remark.
        drawn: it differs between patients, so that this value is not used.
    """

    key: str
    value: str
    unit: str
    layer: str
    status: str
    source: str
    note: str
    drawn: bool


def describe(scenario: Scenario) -> list[Row]:
    """Every value that is set, in the order of the schema."""
    return [
        _row(scenario, join(path), value)
        for path, value in leaves(scenario.model_dump(exclude_none=True))
        if value != {}
    ]


def cited(scenario: Scenario, rows: list[Row]) -> list[str]:
    """The sources that values of a scenario rest on, in full, each once."""
    keys = {key for row in rows for key in row.source.split("; ") if key}
    return [cite(scenario._catalogue, key) for key in sorted(keys)]


def print_description(scenario: Scenario, key: str = "") -> None:
    """Print the values whose key begins with `key`, table by table, then their sources in full."""
    screen = console(soft_wrap=True)

    def folded(text: str, style: str = "", indent: str = "    ") -> None:
        for line in fold(plain(text, lines=False), screen.width, indent, "    "):
            screen.print(line, style=style)

    if (mixed := mixture_words(scenario)) and not key:
        folded(f"Mixes subtypes: {mixed}. What differs between them stands under [patients].")
    rows = [row for row in describe(scenario) if row.key.startswith(key)]
    tables: dict[str, list[Row]] = {}
    for row in rows:
        tables.setdefault(join(split(row.key)[:-1]), []).append(row)
    for table, inside in tables.items():
        screen.print(f"\n[{plain(table, lines=False)}]" if table else "", style="bold")
        for row in inside:
            drawn = "(drawn per patient)" if row.drawn else ""
            value = f"{split(row.key)[-1]} = {' '.join(filter(None, (row.value, row.unit, drawn)))}"
            value = plain(value, lines=False)
            if cells(value) > _VALUE_WIDTH:
                folded(value, indent="")
                value = ""
            screen.print(f"{pad(value, _VALUE_WIDTH)} {row.status:<10} {plain(row.layer)}")
            folded("; ".join(filter(None, (row.source, row.note))), "dim")
    if sources := cited(scenario, rows):
        screen.print("\nPlease cite", style="bold")
        for source in sources:
            folded(source, indent="")


def explicit_toml(scenario: Scenario) -> str:
    """The whole scenario as TOML; loading it gives an equal scenario, bit for bit."""
    lines = [*_HEADER, "explicit = true"]
    lines += _lines(scenario, (), scenario.model_dump(exclude_none=True))
    return "\n".join(lines) + "\n"


def _row(scenario: Scenario, path: str, value: Any) -> Row:
    key = find(split(path))
    parts = split(path)
    if key is not None and parts[0] == "patients":  # in the unit of what is drawn
        key = find(split(str(parts[1])))
    origin = scenario._origins.get(path, Origin(DEFAULT, "assumed"))
    unit = key.unit if key is not None else ""
    return Row(path, toml_value(value), unit, *origin, drawn=path in scenario.patients)


def _lines(scenario: Scenario, path: tuple[str | int, ...], tree: dict[str, Any]) -> Iterator[str]:
    """The values of a table, then its tables, depth first."""
    inline = path == ("patients",)
    tables = {k: v for k, v in tree.items() if _is_table(v) and not inline}
    for name, value in tree.items():
        if name not in tables:
            row = _row(scenario, join((*path, name)), value)
            said = [row.unit, row.layer, row.status, row.source]
            yield f"{_name(name)} = {row.value}  # {'; '.join(part for part in said if part)}"
    for name, value in tables.items():
        if name == NAME and not value:
            continue
        inside = ("patients", *path, name) if (*path, name)[0] == NAME else (*path, name)
        header = ".".join(_name(part) for part in inside if isinstance(part, str))
        if isinstance(value, dict):
            if not value or name == "patients" or not all(map(_is_table, value.values())):
                yield f"\n[{header}]"
            yield from _lines(scenario, (*path, name), value)
            continue
        for i, item in enumerate(value):
            yield f"\n[[{header}]]"
            yield from _lines(scenario, (*path, name, i), item)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or is_list_of_tables(value)


def _name(name: str) -> str:
    return tomlkit.key(name).as_string()


def toml_value(value: Any) -> str:
    """A value on one line of TOML."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_name(k)} = {toml_value(v)}' for k, v in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    if isinstance(value, float) and "e" in (short := f"{value:.6g}") and float(short) == value:
        return short.replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")
    return str(tomlkit.item(value).as_string())
