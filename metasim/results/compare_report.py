"""A comparison for the reader: tables in the terminal, CSV files."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from metasim.errors import ResultsError
from metasim.results.compare import Comparison
from metasim.results.folder import plain_errors
from metasim.results.summary import PLURALS, short
from metasim.results.tally import ANY_DISTANT
from metasim.terminal.table import FittingTable

_FILE: Final = "comparison.json"
_ABOUT: Final = ("labels", "titles", "paired", "counted", "since", "patients", "precision", "notes")
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def letter(comparison: Comparison, run: str) -> str:
    """Short name of a run: A for the first, then B, C ... Z, AA, AB ..."""
    place, name = comparison.labels.index(run), ""
    while place >= 0:
        place, last = divmod(place, len(LETTERS))
        name, place = LETTERS[last] + name, place - 1
    return name


def introduction(comparison: Comparison) -> list[str]:
    """Which runs, which patients, and what to know: a sentence each."""
    lines = [
        f"{letter(comparison, label)}  {label}" + (f": {title}" if title != label else "")
        for label, title in zip(comparison.labels, comparison.titles, strict=True)
    ]
    numbers = " and ".join(f"{number:,}" for number in dict.fromkeys(comparison.patients))
    if comparison.paired:
        lines.append(f"The same {numbers} virtual patients in each: differences are paired.")
    else:
        lines.append(f"{numbers} virtual patients, compared as independent groups.")
    lines.append(f"Counted: {PLURALS[comparison.counted]}. Intervals: 95 %.")
    if comparison.paired:
        lines.append("gain: how many times more patients it would take without pairs.")
    lines.append(
        f"for ±{100 * comparison.precision:g} %: patients of each run that narrow the interval of "
        "B - A to that."
    )
    return [*lines, *comparison.notes]


def render(comparison: Comparison) -> Iterator[FittingTable]:
    """Tables for the terminal, of any width: for each run but the first, three."""
    for run in comparison.labels[1:]:
        yield _shares(comparison, run)
        yield _numbers(comparison, run)
        yield _ratios(comparison, run)


def save_tables(
    comparison: Comparison, folder: str | Path, command: Sequence[str] = ()
) -> list[Path]:
    """Write differences.csv and ratios.csv, columns as in `Comparison`, and the rest of it.

    Args:
        comparison: what is saved; `open_comparison` opens it again.
        folder: where to.
        command: the command line that made it.

    Raises:
        ResultsError: the folder cannot be written.
    """
    target = Path(folder)
    tables = {"differences.csv": comparison.differences, "ratios.csv": comparison.ratios}
    about = {name: getattr(comparison, name) for name in _ABOUT}
    with plain_errors(target):
        target.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            table.to_csv(target / name, index=False)
        text = json.dumps({**about, "command": list(command)}, indent=2) + "\n"
        (target / _FILE).write_text(text, encoding="utf-8")
    return [target / name for name in tables]


def open_comparison(folder: str | Path) -> Comparison:
    """A comparison that `save_tables` wrote.

    Raises:
        ResultsError: a file is missing or damaged.
    """
    import pandas as pd

    place = Path(folder)
    known, tables = comparison_about(place), {}
    for name, due in (("differences", {"measure", "organ", "run", "low"}),
                      ("ratios", {"outcome", "run", "hazard_low"})):  # fmt: skip
        path = place / f"{name}.csv"
        try:
            tables[name] = pd.read_csv(path, dtype={"run": str}, keep_default_na=True)
        except FileNotFoundError:
            raise ResultsError(f"{path}: missing") from None
        except (OSError, ValueError) as error:
            raise ResultsError(f"{path}: damaged ({str(error).splitlines()[0]})") from error
        if lacking := sorted(due - set(tables[name])):
            raise ResultsError(f"{path}: column {lacking[0]!r} is missing")
    fields: dict[str, Any] = {
        name: tuple(known[name]) if isinstance(known[name], list) else known[name]
        for name in _ABOUT
    }
    return Comparison(**fields, differences=tables["differences"], ratios=tables["ratios"])


def comparison_about(folder: Path) -> dict[str, Any]:
    """What comparison.json says: labels, titles, notes, the command.

    Raises:
        ResultsError: it is missing or damaged.
    """
    path = folder / _FILE
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(known, dict) or not set(_ABOUT) <= set(known):
            raise ValueError("not what metasim compare writes")
        if not all(isinstance(known[k], list) for k in ("labels", "titles", "patients", "notes")):
            raise ValueError("a list is due")
        if len(known["labels"]) < 2 or known["counted"] not in PLURALS:
            raise ValueError("not a comparison")
    except FileNotFoundError:
        said = "missing; metasim compare --output writes it (earlier versions did not)"
        raise ResultsError(f"{path}: {said}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ResultsError(f"{path}: damaged ({error})") from error
    return known


def _rows(comparison: Comparison, measure: str, run: str) -> list[dict[Any, Any]]:
    frame = comparison.differences
    return frame[(frame["measure"] == measure) & (frame["run"] == run)].to_dict("records")


def _shares(comparison: Comparison, run: str) -> FittingTable:
    one, other = "A", letter(comparison, run)
    needed = f"for ±{100 * comparison.precision:g} %"
    columns = ["% with at least one", one, other, f"{other} - {one} (points)"]
    table = FittingTable(f"{other} against {one}", [*columns, *_gain(comparison), needed])
    rows = _rows(comparison, "share", run)
    for number, row in enumerate(rows):
        a, b, d, low, high = (100 * row[k] for k in ("first", "other", "difference", "low", "high"))
        cells = [f"{a:.1f}", f"{b:.1f}", f"{d:+.1f} ({low:+.1f} to {high:+.1f})"]
        cells += [_times(row["gain"])] if comparison.paired else []
        many = row["patients_needed"] or np.nan  # where no pair differs there is no telling
        last = number + 1 < len(rows) and rows[number + 1]["organ"] == ANY_DISTANT
        table.add_row(row["label"], *cells, "-" if np.isnan(many) else f"{many:,.0f}",
                      end_section=last)  # fmt: skip
    return table


def _numbers(comparison: Comparison, run: str) -> FittingTable:
    one, other = "A", letter(comparison, run)
    columns = ["metastases per patient", one, other, f"{other} - {one}", *_gain(comparison)]
    table = FittingTable("", columns)
    for row in _rows(comparison, "number", run):
        d, low, high = (_signed(row[key]) for key in ("difference", "low", "high"))
        cells = [_number(row["first"]), _number(row["other"]), f"{d} ({low} to {high})"]
        cells += [_times(row["gain"])] if comparison.paired else []
        table.add_row(row["label"], *cells)
    return table


def _ratios(comparison: Comparison, run: str) -> FittingTable:
    one, other = "A", letter(comparison, run)
    columns = ["recurrence, death: events", one, other, f"hazard ratio {other}/{one}", "rate ratio"]
    table = FittingTable("", columns)
    frame = comparison.ratios
    for row in frame[frame["run"] == run].to_dict("records"):
        hazard, rate = (ratio_text(row, kind) for kind in ("hazard", "rate"))
        table.add_row(row["outcome"], f"{row['events_first']:,}", f"{row['events_other']:,}",
                      hazard, rate)  # fmt: skip
    return table


def _gain(comparison: Comparison) -> list[str]:
    return ["gain"] if comparison.paired else []


def _times(gain: float) -> str:
    return "-" if np.isnan(gain) else f"{gain:.1f}x"


def _number(value: float) -> str:
    return "-" if np.isnan(value) else "0" if value == 0 else short(value)


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{_number(abs(value))}" if value else _number(value)


def ratio_text(row: dict[Any, Any], kind: str = "hazard") -> str:
    """A ratio with its interval, of a row of `Comparison.ratios`."""
    value, low, high = (row[f"{kind}_{key}"] for key in ("ratio", "low", "high"))
    if np.isnan(value):
        return "cannot be told"
    if np.isnan(low):
        return f"{value:g} (no interval)"
    return f"{_ratio(value)} ({_ratio(low)}-{_ratio(high)})"


def _ratio(value: float) -> str:
    """Two decimals, or two digits where these would hide the number."""
    return f"{value:.2f}" if 0.095 <= value < 1000 else f"{value:.2g}"
