"""The JSON Schema of a scenario file, by which editors complete and check it."""

from typing import Any

from metasim.scenario.catalogue import SCENARIOS, SHIPPED
from metasim.scenario.distributions import FORMS
from metasim.scenario.fields import REMOVED
from metasim.scenario.origin import STATUSES
from metasim.scenario.schema import Scenario

_DISTRIBUTIONS = (
    *("Distribution", "Spread", "Lognormal", "Normal", "Uniform", "Choice", "Each", "Draws"),
)
_PASSED_ON = ("description", "default")
_ANNOTATION: dict[str, Any] = {
    "value": {},
    "status": {"enum": list(STATUSES)},
    "source": {"type": "string"},
    "note": {"type": "string"},
}


def json_schema() -> dict[str, Any]:
    """Schema (draft 2020-12) of the file that a user writes.

    Unlike the explicit scenario, a file says only what differs: every key is optional, may be
    annotated with status and source, and may be "none".
    """
    whole = Scenario.model_json_schema()
    parts = {
        name: part if name in _DISTRIBUTIONS else _as_written(part)
        for name, part in whole.pop("$defs").items()
    }
    schema = _as_written(whole)
    properties = schema["properties"]
    properties["extends"] = {
        "type": "string",
        "description": "What this file starts from: a catalogue entry or a file beside this one.",
        "examples": [name for section in reversed(SCENARIOS) for name in SHIPPED.names(section)],
    }
    properties["explicit"] = {
        "type": "boolean",
        "description": "The file is complete: nothing of the catalogue is applied.",
    }
    properties["organs"]["examples"] = SHIPPED.names("organs")
    properties["care"]["examples"] = SHIPPED.names("care")
    parts["Seed"]["properties"]["subtype"]["examples"] = SHIPPED.names("subtypes")
    correlation = properties.pop("correlation")
    properties["patients"] = {
        "anyOf": [{"$ref": "#/$defs/Drawn"}, {"const": REMOVED}],
        "description": properties["patients"]["description"],
    }
    parts["Drawn"] = {
        "type": "object",
        "propertyNames": {"not": {"enum": [*FORMS, "draws"]}},
        "properties": {
            "table": {
                "type": "string",
                "description": "CSV file beside this one: a row a patient, key paths as columns.",
            },
            "correlation": correlation,
        },
        "additionalProperties": {
            "anyOf": [
                *_written({"$ref": "#/$defs/Distribution"}),
                {"$ref": "#/$defs/Drawn"},
                {"const": REMOVED},
            ]
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "metasim scenario",
        "$defs": parts,
    }


def _as_written(table: dict[str, Any]) -> dict[str, Any]:
    """The schema of a table of which a file need not give everything."""
    out = {key: value for key, value in table.items() if key not in ("required", "title")}
    if "properties" in table:
        out["properties"] = {name: _value(part) for name, part in table["properties"].items()}
        out["properties"] |= _ANNOTATION  # of the table as a whole
    if "patternProperties" in table:
        values = table["patternProperties"].items()
        out["patternProperties"] = {pattern: _value(part) for pattern, part in values}
        out["additionalProperties"] = False
    elif isinstance(table.get("additionalProperties"), dict):
        out["additionalProperties"] = _value(table["additionalProperties"])
    if table.get("type") == "object":  # not anyOf, so that editors find mistakes inside
        out |= {"type": ["object", "string"], "pattern": f"^{REMOVED}$"}
    return out


def _value(part: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value: plain, annotated, or "none"; its description stays outside."""
    said = {key: part[key] for key in _PASSED_ON if part.get(key) is not None}
    plain = {key: value for key, value in part.items() if key not in (*_PASSED_ON, "title")}
    if {"type": "null"} in plain.get("anyOf", []):
        plain = next(part for part in plain["anyOf"] if part != {"type": "null"})
    if "$ref" in plain or plain.get("type") == "object":
        said.pop("default", None)
        return _as_written(plain) | said
    return {"anyOf": [*_written(plain), {"const": REMOVED}], **said}


def _written(plain: dict[str, Any]) -> list[dict[str, Any]]:
    """A value as it is, and annotated."""
    annotated = {
        "type": "object",
        "properties": {**_ANNOTATION, "value": plain},
        "required": ["value"],
        "additionalProperties": False,
    }
    return [plain, annotated]
