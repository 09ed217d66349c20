"""Patients from a table: `[patients] table = "cohort.csv"`, a row a patient, a column a key.

The values become distributions of the form `each`, so that a saved scenario holds them and needs no
table beside it.
"""

import csv
import io
import math
from pathlib import Path
from typing import Final

from metasim.errors import Mistake
from metasim.scenario.closed import REFUSED, is_closed
from metasim.scenario.keys import shown
from metasim.scenario.text import MOST_BYTES, MOST_LISTED

PLACE: Final = ("patients", "table")
_NUMBER: Final = "patient"
_MOST_TOLD: Final = 10


def read_table(path: Path) -> tuple[dict[str, list[float]], list[Mistake]]:
    """The columns of a CSV file, and what is wrong with it.

    Args:
        path: of the file: UTF-8, commas between values, key paths in the first line. A column
            `patient` may number the rows, from 0 on.

    Returns:
        Key path -> a value per patient; empty if there are mistakes. Whether the keys exist, and
        may have these values, is not checked here.
    """
    if is_closed():
        return {}, [Mistake("", f"a table of patients is a file: {REFUSED}")]
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return {}, [Mistake("", f"the table of patients {path} cannot be read: {reason}")]
    if len(data) > MOST_BYTES:
        return {}, [Mistake("", "a table of patients has at most 1 MB")]
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        return {}, [Mistake("", f"is not CSV in UTF-8: {error}")]
    lines = [(number, row) for number, row in enumerate(rows, 1) if row]
    if len(lines) < 2:
        return {}, [Mistake("", "needs a line of key paths and a line for each patient")]
    if len(lines) - 1 > MOST_LISTED:
        found = f"has {len(lines) - 1:,} patients"
        return {}, [Mistake("", f"{found}; a table has at most {MOST_LISTED:,}")]
    mistakes = [*_head_mistakes([name.strip() for name in lines[0][1]])]
    columns: dict[str, list[float]] = {name.strip(): [] for name in lines[0][1]}
    for number, row in lines[1:]:
        mistakes += _read_row(row, number, columns)
    numbers = columns.pop(_NUMBER, [])
    if not mistakes and numbers not in ([], list(range(len(lines) - 1))):
        mistakes = [Mistake(_NUMBER, "numbers the rows 0, 1, 2 ... in their order, or is left out")]
    if mistakes:
        more = len(mistakes) - _MOST_TOLD
        rest = [Mistake("", f"and {more:,} more mistakes")] if more > 0 else []
        return {}, mistakes[:_MOST_TOLD] + rest
    return columns, []


def _head_mistakes(names: list[str]) -> list[Mistake]:
    out = [Mistake("", f"column {k + 1} has no name") for k, name in enumerate(names) if not name]
    twice = dict.fromkeys(name for name in names if name and names.count(name) > 1)
    return out + [Mistake(name[:200], "is a column twice") for name in twice]


def _read_row(row: list[str], line: int, columns: dict[str, list[float]]) -> list[Mistake]:
    """Append a row to the columns; returns what is wrong with it."""
    if len(row) != len(columns):
        message = f"line {line} has {len(row)} values, the first line {len(columns)}"
        return [Mistake("", message)]
    out = []
    for (name, values), text in zip(columns.items(), row, strict=True):
        text = text.strip()
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        values.append(value)
        if not text:
            out.append(Mistake(name[:200], f"line {line}: a value is missing"))
        elif not math.isfinite(value):
            out.append(Mistake(name[:200], f"line {line}: {shown(text)} is not a number"))
    return out
