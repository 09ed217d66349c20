"""Targets from a CSV: a row each, with columns `of.NAME` and `where.NAME` for what is a table."""

import csv
import re
from pathlib import Path
from typing import Any, Final

from metasim.errors import Mistake
from metasim.targets.schema import Target

_PLAIN: Final = tuple(name for name in Target.model_fields if name not in ("of", "where", "versus"))
_NUMBERS: Final = ("value", "low", "high", "events", "total", "x")
_LIMITS: Final = {">": "above", ">=": "at_least", "<=": "up_to", "<": "below"}
_LIMIT: Final = re.compile(r"(>=|<=|>|<)\s*([-+\d.eE]+)")


def table_of(path: Path) -> dict[str, Any]:
    """A CSV of targets as the table of a targets file.

    Columns are the keys of a target; `of.KEY` are parameters of its quantity, `where.COLUMN` the
    conditions ("TN", "luminal_a|luminal_b", "true", ">20 <=30"), `versus` names a cohort and
    `scenario` says what simulates the cohort. Empty cells are not given.

    Args:
        path: the file.

    Raises:
        TargetsError: it cannot be read, or has a column that is not known.
    """
    from metasim.targets.load import TargetsError

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except FileNotFoundError:
        raise TargetsError(str(path), [Mistake("", "there is no such targets file")]) from None
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise TargetsError(str(path), [Mistake("", f"cannot be read as CSV: {error}")]) from None
    names = list(rows[0]) if rows else []
    if wrong := [n for n in names if not _is_known(n)]:
        from metasim.scenario.keys import nearest

        known = (*_PLAIN, "scenario", "versus")
        said = [Mistake(str(n), "there is no such column", nearest(str(n), known)) for n in wrong]
        raise TargetsError(str(path), said)
    if ragged := [i for i, row in enumerate(rows, 2) if None in row or None in row.values()]:
        message = f"line {ragged[0]} does not have the columns of the first line"
        raise TargetsError(str(path), [Mistake("", message)])
    cohorts: dict[str, dict[str, Any]] = {}
    targets = []
    for number, row in enumerate(rows, 1):
        given = {name: text.strip() for name, text in row.items() if text.strip()}
        scenario = given.pop("scenario", None)
        cohort = given.setdefault("cohort", "all")
        cohorts.setdefault(cohort, {})
        if scenario is not None:
            cohorts[cohort]["scenario"] = scenario
        targets.append(_target({"id": str(number), **given}))
    return {"title": path.stem, "cohorts": cohorts, "targets": targets}


def _is_known(name: str | None) -> bool:
    return name is not None and (
        name in (*_PLAIN, "scenario", "versus") or name.partition(".")[0] in ("of", "where")
    )


def _target(given: dict[str, str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, text in given.items():
        table, dot, key = name.partition(".")
        if dot:
            value = _condition(text) if table == "where" else _value(text)
            out.setdefault(table, {})[key] = value
        else:
            out[name] = _value(text) if name in _NUMBERS else text
    return out


def _condition(text: str) -> Any:
    if limits := _LIMIT.findall(text):
        return {_LIMITS[sign]: _value(number) for sign, number in limits}
    parts = [_value(part.strip()) for part in text.split("|")]
    return parts[0] if len(parts) == 1 else parts


def _value(text: str) -> Any:
    """A cell as a truth value, a number or text."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
