"""Finished results split into groups of patients: by subtype, receptors, stage, detection."""

from difflib import get_close_matches
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from metasim.checked import checked
from metasim.errors import OptionError
from metasim.results.store import Results
from metasim.results.tables import TABLES_AT, schema_of
from metasim.results.tally import tally

MOST_GROUPS: Final = 12
"""Groups that tables and figures can show; a column of more values is refused."""

_NEVER: Final = ("patient", "diagnosis_day", "first_distant_day", "death_day", "end_day")


@checked()
def split(results: Results, by: str) -> dict[str, Results]:
    """Groups of patients as results of their own.

    Args:
        results: a finished run, recorded at level metastases or more.
        by: column of the patients table with few values, such as "subtype", "er_positive",
            "stage_n" or "detection". Patients without a value are in no group.

    Returns:
        Name of the group -> its results, in the order of names or numbers.

    Raises:
        OptionError: there is no such column, or it has too many values or none.
        ResultsError: metastases were not recorded.

    Example:
        >>> results = ms.run(ms.load("luminal_a", {"run.patients": 20}))
        >>> [len(group.patients) for group in ms.split(results, "subtype").values()]
        [20]
    """
    results.arrow("metastases")  # says so where it was not recorded
    column, order = _column(results, by)
    values = _values(column, by, order)
    named = {_name(by, value): pc.fill_null(pc.equal(column, pa.scalar(value)), False)
             for value in values}  # fmt: skip
    patients = results.arrow("patients").to_table(columns=["patient"])["patient"]
    return {name: _part(results, name, patients.filter(mask)) for name, mask in named.items()}


def left_out(results: Results, by: str) -> int:
    """How many patients have no value in a column and so are in no group."""
    return int(_column(results, by)[0].null_count)


def _column(results: Results, by: str) -> tuple[pa.ChunkedArray, list[str]]:
    """A column of the patients table, names as text; and the order of the names."""
    table = results.arrow("patients")
    names = [name for name in table.schema.names if name not in _NEVER]
    if by not in names:
        near = get_close_matches(by, names, n=1)
        plain = [name for name in names if "." not in name]
        hint = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(plain)}"
        raise OptionError(f'--by {by}: no column "{by[:60]}" to split by ({hint})')
    column = table.to_table(columns=[by])[by]
    if not pa.types.is_dictionary(column.type):
        return column, []
    parts = column.unify_dictionaries().chunks
    order = parts[0].dictionary.to_pylist() if parts else []
    return pc.cast(column, pa.string()), order


def _values(column: pa.ChunkedArray, by: str, order: list[str]) -> list[Any]:
    """The values of a column: names in their order, true before false, numbers ascending."""
    found = [value for value in pc.unique(column).to_pylist() if value is not None]
    if not found:
        raise OptionError(f"--by {by}: no patient has a value there")
    if len(found) > MOST_GROUPS:
        raise OptionError(
            f"--by {by}: it has {len(found):,} different values; at most {MOST_GROUPS} make groups"
        )
    if order:
        return [name for name in order if name in found]
    return sorted(found, reverse=isinstance(found[0], bool))


def _name(by: str, value: Any) -> str:
    """What a group is called."""
    if isinstance(value, bool):
        return by if value else f"not {by}"
    return value if isinstance(value, str) else f"{by} {value:g}"


def _part(results: Results, name: str, patients: pa.ChunkedArray) -> Results:
    """The results of some patients."""
    mine = ds.field("patient").isin(patients.combine_chunks())
    tables = {
        table: results.arrow(table).to_table(filter=mine) for table in TABLES_AT[results.record]
    }
    about = results.description
    description = about.model_copy(
        update={"patients": len(patients), "group": name, "title": f"{about.title}: {name}"}
    )
    tables["summary"] = tally(tables["metastases"], tables["patients"], description)
    tables["failures"] = schema_of("failures").empty_table()
    rows = {table: content.num_rows for table, content in tables.items()}
    provenance = {**results.provenance, "patients": len(patients), "rows": rows}
    return Results(results.scenario_toml, provenance, tables, description)
