"""The knobs of a scenario: each key that a page may turn, with what the schema and its origin say.

Nothing is listed here by name that the schema can tell: a new factor, gate or key of an organ is a
knob as soon as it is a field.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from metasim.scenario.entries import read_entry
from metasim.scenario.explicit import Row, describe, toml_value
from metasim.scenario.keys import Key, find, split
from metasim.scenario.origin import DEFAULT
from metasim.scenario.schema import Scenario
from metasim.scenario.sources import cite
from metasim.scenario.treatment import RELAPSE_IN, Treatment

_GENERAL: Final = (
    "run.years", "run.rng_seed", "clinic.screening_interval_days", "clinic.follow_up_days",
    "primary.initial_cells", "growth.rho_per_day", "growth.turnover_per_day",
)  # fmt: skip
"""Keys beside the soil that a page shows, where the scenario gives them."""
_ENTRIES: Final = {"seed.subtype": "subtypes", "care": "care"}
"""Keys whose value is an entry of the catalogue, with the kind of entry; those that the schema does
not know, or of whose kind there is no entry, are not shown."""
_ALWAYS: Final = ("seed.subtype",)
"""Those of which a scenario is not rid by `none`."""
_TREATMENT: Final = (
    "delay_days", "cycles", "interval_days", "duration_days", "residual_fraction", "log_kill",
    "dose_gray", "fractions", "hazard_per_day",
)  # fmt: skip
_NOT_TURNED: Final = ("position",)
_FACTOR_RANGE: Final = (0.05, 20.0)
"""What a slider of a factor spans; any allowed value can be typed beside it."""
_AROUND: Final = 30.0
"""A slider of a size or rate spans its default divided, and multiplied, by this."""


def knobs_of(scenario: Scenario) -> dict[str, Any]:
    """What a page needs to show the knobs of a scenario.

    Returns:
        `organs`: a list of organ, label, site and groups of knobs; `general`: knobs; `entries`:
        keys with the names that they may hold; `treatments`: those of the scenario; `kinds`: those
        of the catalogue. Plain values for JSON.
    """
    rows = {row.key: row for row in describe(scenario)}
    organs = []
    for organ, soil in scenario.soil.items():
        groups = _groups(scenario, rows, organ)
        label = soil.label or organ.replace("_", " ")
        organs.append({"organ": organ, "label": label, "site": soil.site, "groups": groups})
    return {
        "title": scenario.title,
        "organs": organs,
        "general": [knob for key in _GENERAL if (knob := _knob(scenario, rows, key))],
        "entries": list(_entries(scenario, rows)),
        "treatments": treatments_of(scenario),
        "kinds": scenario._catalogue.names("treatments"),
        "starts": ["diagnosis", "relapse", *(f"{RELAPSE_IN}{organ}" for organ in scenario.soil)],
        "patients": scenario.run.patients,
    }


def treatments_of(scenario: Scenario) -> list[dict[str, Any]]:
    """The treatments of a scenario with their values as knobs, as plain values."""
    rows = {row.key: row for row in describe(scenario) if row.key.startswith("treatment.")}
    return [_treatment(scenario, rows, i) for i in range(len(scenario.treatment))]


def _groups(scenario: Scenario, rows: Mapping[str, Row], organ: str) -> list[dict[str, Any]]:
    """The knobs of an organ: levels, ligands, multipliers, sizes and the rest."""
    groups: dict[str, list[dict[str, Any]]] = {
        "levels": [], "multipliers of the odds": [], "ligands": [], "growth, sizes, flow": []
    }  # fmt: skip
    prefix = f"soil.{organ}."
    for key in rows:
        if not key.startswith(prefix) or key.removeprefix(prefix) in _NOT_TURNED:
            continue
        knob = _knob(scenario, rows, key)
        if knob is None:
            continue
        table = key.removeprefix(prefix).partition(".")
        if table[0] == "multiplier":
            group = "multipliers of the odds"
        elif table[0] == "ligands":
            group = "ligands"
        elif knob["high"] == 1 and not table[1] and knob["name"] != "lymph_fraction":
            group = "levels"
        else:
            group = "growth, sizes, flow"
        groups[group].append(knob)
    return [{"name": name, "knobs": knobs} for name, knobs in groups.items() if knobs]


def _knob(scenario: Scenario, rows: Mapping[str, Row], key: str) -> dict[str, Any] | None:
    """A number that can be turned; None: the scenario has no such number."""
    row, found = rows.get(key), find(split(key))
    if row is None or found is None or not found.is_number:
        return None
    value = float(row.value) if found.type is float else int(row.value)
    name = str(split(key)[-1])
    return {
        "key": key,
        "name": name,
        "label": name.replace("_", " "),
        "value": value,
        "whole": found.type is int,
        **_range(found, value),
        **_about(scenario, row, found),
        "drawn": toml_value(_plain(scenario.patients[key])) if row.drawn else "",
    }


def _plain(distribution: Any) -> Any:
    return distribution.model_dump(exclude_none=True)


def _about(scenario: Scenario, row: Row, key: Key) -> dict[str, str]:
    """What is said of a knob: meaning, unit, where its value comes from."""
    return {
        "unit": row.unit,
        "means": key.description,
        "allowed": key.allowed(),
        "status": row.status,
        "layer": row.layer,
        "source": cite(scenario._catalogue, row.source) if row.source else "",
        "note": row.note,
    }


def _range(key: Key, value: float) -> dict[str, Any]:
    """Bounds of a key, and what its slider spans: `scale` is "linear" or "log"."""
    low = key.limits.get("ge", key.limits.get("gt", -1e12))
    high = key.limits.get("le", key.limits.get("lt", 1e12))
    if key.type is int and not key.unit and high > 1e6:  # a name more than a size
        slider = {"scale": "none", "from": low, "to": high}
    elif high <= 1 and low >= 0:
        slider = {"scale": "linear", "from": low, "to": high}
    elif low == 0 and not key.unit:  # a factor: 1 is neutral
        begin, end = _FACTOR_RANGE
        slider = {"scale": "log", "from": min(begin, value or begin), "to": max(end, 2 * value)}
    elif low < 0 or not value:
        reach = 2 * abs(value) or 1.0
        slider = {"scale": "linear", "from": max(low, -reach), "to": min(high, reach)}
    elif key.type is int and key.unit == "":
        slider = {"scale": "linear", "from": max(low, 0), "to": min(high, max(100, 2 * value))}
    else:
        slider = {
            "scale": "log",
            "from": max(low, value / _AROUND),
            "to": min(high, value * _AROUND),
        }
    return {"low": low, "high": high, **slider}


def _entries(scenario: Scenario, rows: Mapping[str, Row]) -> Iterator[dict[str, Any]]:
    """The choices between entries of the catalogue."""
    for key, kind in _ENTRIES.items():
        found = find(split(key))
        names = scenario._catalogue.names(kind) if found is not None else []
        if found is None or not names:
            continue
        row = rows.get(key)
        value = row.value.strip('"') if row is not None else ""
        if value and key not in _ALWAYS:
            names = ["none", *names]
        yield {
            "key": key,
            "label": key.rpartition(".")[2],
            "value": value,
            "names": names if value in ("", *names) else [value, *names],
            "mixed": key in scenario.patients,
            "means": found.description,
            "status": row.status if row is not None else "",
            "layer": row.layer if row is not None else "",
        }


def _treatment(scenario: Scenario, rows: Mapping[str, Row], i: int) -> dict[str, Any]:
    """A treatment of the scenario: its values as knobs, and all of it in the shortest form."""
    treatment, knobs = scenario.treatment[i], []
    for name in (*_TREATMENT, *(f"change.{key}" for key in treatment.change)):
        key = f"treatment.{i}.{name}"
        row, found = rows.get(key), find(split(key))
        if row is None or found is None or (row.layer == DEFAULT and name != "delay_days"):
            continue
        value = float(row.value) if found.type is float else int(row.value)
        label = f"factor on {name[7:]}" if name.startswith("change.") else name.replace("_", " ")
        if name.startswith("change."):
            means = "Factor on this key while the treatment lasts."
            found = Key(found.type, means, found.unit, found.optional, found.limits)
        knobs.append({
            "key": key, "name": name, "label": label, "value": value, "drawn": "",
            "whole": found.type is int, **_range(found, value), **_about(scenario, row, found),
        })  # fmt: skip
    start = treatment.start
    return {
        "kind": treatment.kind,
        "organ": treatment.organ or "",
        "start": start,
        "knobs": knobs,
        "care": treatment.care or "",
        "short": short_treatment(treatment, scenario),
    }


def short_treatment(treatment: Treatment, scenario: Scenario) -> dict[str, Any]:
    """A treatment as a table that gives it again when the catalogue completes it.

    Of a rule of standard care, as a treatment of the scenario's own.
    """
    found = scenario._catalogue.find(treatment.kind, "treatments")
    entry = read_entry(found).table if found is not None else {}
    plain = treatment.model_dump(exclude_none=True, exclude={"care"})
    defaults = {name: f.default for name, f in Treatment.model_fields.items()}
    out = {
        name: value
        for name, value in plain.items()
        if name in entry or (value != defaults.get(name) and value != {})
    }
    # the catalogue gives what this one does not have
    out |= {name: "none" for name in entry if name not in plain and name != "title"}
    return out
