"""The catalogue: every value of the shipped data, with unit, status and source."""

import tomllib
from typing import Any

from as_markdown import code, table

from metasim.scenario.catalogue import SHIPPED, Catalogue
from metasim.scenario.keys import find, join, leaves, shown, split
from metasim.scenario.listing import entries
from metasim.scenario.sources import cite, sources

INTRODUCTION = """# Catalogue

Everything here is data that ships with metasim, written out from its files. A value is *measured* or
*derived* if published work gives it, *calibrated* if it was fitted (see {doc}`../calibration`), and
*assumed* if nothing better is known. {doc}`../howto/own_catalogue` says how to add to it.

"""
TITLES = {  # section -> heading, the key that names an entry, where its keys stand
    "subtypes": ("Subtypes", "seed.subtype", "seed."),
    "treatments": ("Treatments", "treatment.kind", "treatment.0."),
    "care": ("Standard care", "care", ""),
    "scenarios": ("Base scenario", "extends", ""),
}
Rows = list[tuple[str, str, str, str, str]]


def page() -> str:
    """The whole page."""
    return INTRODUCTION + _organs() + "".join(map(_section, TITLES)) + _sources()


def _read(section: str, name: str) -> dict[str, Any]:
    found = SHIPPED.find(section, name)
    assert found is not None
    return tomllib.loads(found.path.read_text("utf-8"))


def _heading(section: str, name: str) -> str:
    entry = next(e for e in entries() if (e.section, e.name) == (section, name))
    return f"### {entry.title}: `{name}`\n\n{entry.comment}\n\n"


def _section(section: str) -> str:
    title, key, prefix = TITLES[section]
    out = f"## {title}\n\nChosen by `{key}`.\n\n"
    for name in SHIPPED.names(section):
        values = {k: v for k, v in _read(section, name).items() if k != "title"}
        inside = values.get("seed", values) if section == "subtypes" else values
        out += _heading(section, name)
        out += _care(inside) if section == "care" else _table(_rows(inside, prefix))
    return out


def _care(values: dict[str, Any]) -> str:
    """The rules of a care, a line each: what, where, when, for whom, for how many of them."""
    rules = []
    for rule in values["treatment"]:
        plain = {join(path): value for path, value in leaves(_plain(rule))}
        who = [
            f"{k.removeprefix('only_if.')} {shown(v)}" for k, v in plain.items() if "only_if" in k
        ]
        rest = {k: v for k, v in plain.items() if "only_if" not in k and k not in _IN_COLUMNS}
        how = [f"{key} {shown(value)}" for key, value in rest.items()]
        said = [_note(rule, path).get("note", "") for path, _ in leaves(_plain(rule))]
        what = " of ".join(filter(None, (plain["kind"], plain.get("organ", ""))))
        share = f"{plain.get('given_fraction', 1.0):.0%}"
        notes = "; ".join(dict.fromkeys(filter(None, said)))
        rules.append((what, ", ".join(how), ", ".join(who), share, notes))
    return table(("treatment", "how", "only if", "share", "note"), rules)


_IN_COLUMNS = ("kind", "organ", "given_fraction")


def _organs() -> str:
    out = "## Organs\n\nChosen by `organs`.\n\n"
    for name in SHIPPED.names("organs"):
        values = _read("organs", name)
        out += _heading("organs", name)
        for organ, soil in values.get("soil", {}).items():
            label = soil.get("label", organ)
            out += f"#### {label} (`{organ}`) in `{name}`\n\n"
            out += _table(_rows(soil, f"soil.{organ}."))
        rest = {k: v for k, v in values.items() if k not in ("soil", "title")}
        out += f"#### Vessels and the rest of `{name}`\n\n" + _table(_rows(rest, ""))
    return out


def _rows(values: dict[str, Any], prefix: str) -> Rows:
    """Key, value, unit, status and source of every value, annotated or bare."""
    out: Rows = []
    for path, value in leaves(_plain(values)):
        key = find(split(prefix + join(path)))
        said = _note(values, path)
        where = "; ".join(filter(None, (said.get("source", ""), said.get("note", ""))))
        unit = key.unit if key is not None else ""
        out.append((code(join(path)), _shown(value), unit, said.get("status", "assumed"), where))
    return out


def _shown(value: Any) -> str:
    """A value as in a scenario file, large and small numbers in short: 2.1e10."""
    short = f"{value:.6g}" if isinstance(value, float) else ""
    if "e" not in short or float(short) != value:
        return shown(value)
    return short.replace("e+", "e").replace("e0", "e").replace("e-0", "e-")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return (
            _plain(value["value"])
            if "value" in value
            else {k: _plain(v) for k, v in value.items() if k not in ("status", "source", "note")}
        )
    return value


def _note(values: Any, path: tuple[str | int, ...]) -> dict[str, str]:
    """What is said of a value, by itself or by the nearest table around it."""
    said: dict[str, str] = {}
    for part in path:
        values = values.get(part, {}) if isinstance(values, dict) else {}
        if isinstance(values, dict):
            said |= {k: str(values[k]) for k in ("status", "source", "note") if k in values}
    return said


def _table(rows: Rows) -> str:
    return table(("key", "value", "unit", "status", "source and note"), rows)


def _sources() -> str:
    lines = (f"- {cite(Catalogue(), name)}\n" for name in sorted(sources()))
    return "## Sources\n\n" + "".join(lines)
