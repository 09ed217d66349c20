"""Results in the forms of other tools: xarray, and a notebook's page."""

from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from metasim.errors import OptionError, ResultsError
from metasim.results.store import Results
from metasim.results.summary import PLURALS, said_never_given
from metasim.results.tables import TABLES_AT
from metasim.results.tally import CLASSES

if TYPE_CHECKING:
    import pandas as pd
    import xarray

_UNITS: Final = {"_day": "days since day 0", "_cells": "cells", "cells": "cells"}
_MOST_NUMBERS: Final = 500_000_000
_BY_DAY: Final = ("patient", "day", "organ")


def to_xarray(results: Results) -> "xarray.Dataset":
    """The tables of a run as arrays with named axes.

    Variables by patient: all columns of the patients table. By patient, organ and class
    ("counted": founded, micro, macro, detected), where metastases are recorded: `metastases`
    (number) and `first_day` (of the first; nan if there is none). By patient, recorded day and
    organ, where everything is recorded: the columns of the counts table, nan after the patient's
    last day. Each has the attribute `units` if it has a unit, and the dataset `title`.

    Args:
        results: a finished run, recorded at level patients or more.

    Raises:
        OptionError: xarray is not installed.
        ResultsError: only the summary was recorded, or the arrays would have more than 5e8
            numbers.
    """
    try:
        import xarray
    except ImportError as error:
        raise OptionError(
            "to_xarray needs the package xarray, which is not installed: pip install xarray"
        ) from error
    recorded = TABLES_AT[results.record]
    if "patients" not in recorded:
        raise ResultsError("only the summary was recorded; run again with --record patients")
    patients = results.patients.set_index("patient")
    out: dict[str, Any] = {str(name): _column(patients[name], ("patient",)) for name in patients}
    coordinates: dict[str, Any] = {"patient": patients.index.to_numpy(), "organ": results.organs}
    if "metastases" in recorded:
        coordinates["counted"] = list(CLASSES)
        out |= _metastases(results, patients.index)
    if "counts" in recorded:
        days = np.unique(results.counts["day"])
        _check_size(len(patients) * len(days) * len(results.organs))
        coordinates["day"] = ("day", days, {"units": "days since day 0"})
        out |= _counts(results, patients.index, days)
    about = {"title": results.title, "follow_from": results.description.follow_from}
    return xarray.Dataset(out, coordinates, about)


def html(results: Results) -> str:
    """What a notebook shows of a run: its title and the summary, all text as it stands."""
    summary = results.summary
    about = summary.attrs
    title = escape(results.title or "Results")
    lines = [f"{about['patients']:,} patients, {results.record} recorded"]
    lines.append(f"counted: {PLURALS[about['counted']]}, since {about['since']}")
    lines += [f"{about['failed']:,} failed and are left out"] if about["failed"] else []
    lines += map(said_never_given, about["never_given"])
    heads = ("organ", "patients with at least one (%)", "metastases per patient", "first (months)")
    rows = "".join(_row(row) for row in summary.to_dict("records"))
    return (
        f"<div><b>{title}</b><br>{escape('; '.join(lines))}"
        f"<table><thead><tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr></thead>"
        f"<tbody>{rows}</tbody></table>95&nbsp;% intervals; first: median and quartiles</div>"
    )


def _row(row: dict[Any, Any]) -> str:
    ends = {
        ".1f": [100 * row[f"share_{end}"] for end in ("with", "low", "high")],
        ".3g": [row[f"metastases_{end}"] for end in ("per_patient", "low", "high")],
        ".0f": [row[f"first_{end}_months"] for end in ("median", "q1", "q3")],
    }
    numbers = [_three(three, form) for form, three in ends.items()]
    local = " (local)" if row["site"] == "primary" else ""
    cells = "".join(f"<td>{number}</td>" for number in numbers)
    return f"<tr><th>{escape(row['label'])}{local}</th>{cells}</tr>"


def _three(three: list[float], form: str) -> str:
    value, low, high = three
    return "-" if np.isnan(value) else f"{value:{form}} ({low:{form}} to {high:{form}})"


def _column(values: "pd.Series[Any]", axes: tuple[str, ...]) -> tuple[Any, ...]:
    """A column as a variable: numbers stay numbers, names become text with None for missing."""
    unit = next((said for end, said in _UNITS.items() if str(values.name).endswith(end)), None)
    numeric = values.dtype.kind in "biuf"
    array = values.to_numpy() if numeric else values.astype(object).where(values.notna(), None)
    return axes, np.asarray(array), {"units": unit} if unit else {}


def _metastases(results: Results, patients: "pd.Index[Any]") -> dict[str, Any]:
    import pandas as pd

    shape = len(patients), len(results.organs), len(CLASSES)
    _check_size(int(np.prod(shape)))
    number, first = np.zeros(shape, np.int64), np.full(shape, np.inf)
    table = results.metastases
    row = patients.get_indexer(pd.Index(table["patient"]))
    organ = table["organ"].cat.codes.to_numpy()
    for k, counted in enumerate(CLASSES):
        day = table[f"{counted}_day"].to_numpy()
        reached = ~np.isnan(day)
        place = row[reached], organ[reached], np.full(reached.sum(), k)
        np.add.at(number, place, 1)
        np.minimum.at(first, place, day[reached])
    first[np.isinf(first)] = np.nan
    axes = ("patient", "organ", "counted")
    return {
        "metastases": (axes, number),
        "first_day": (axes, first, {"units": "days since day 0"}),
    }


def _counts(results: Results, patients: "pd.Index[Any]", days: Any) -> dict[str, Any]:
    import pandas as pd

    table = results.counts
    place = (
        patients.get_indexer(pd.Index(table["patient"])),
        np.searchsorted(days, table["day"]),
        table["organ"].cat.codes.to_numpy(),
    )
    out = {}
    for name in [column for column in table if column not in _BY_DAY]:
        array = np.full((len(patients), len(days), len(results.organs)), np.nan)
        array[place] = table[name]
        unit = {"units": "cells"} if str(name).startswith("cells") else {}
        key = "cells_of_organ" if name == "cells" else str(name)
        out[key] = (_BY_DAY, array, unit)
    return out


def _check_size(numbers: int) -> None:
    if numbers > _MOST_NUMBERS:
        raise ResultsError(
            f"the arrays would have {numbers:.2g} numbers in each variable; take fewer patients, "
            "or read the tables with results.arrow(NAME)"
        )
