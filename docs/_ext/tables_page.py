"""The tables of a results folder: every column."""

from as_markdown import code, table

from metasim.results.columns import COLUMNS, ROWS
from metasim.results.tables import TABLES_AT

INTRODUCTION = """# Tables

A results folder holds these tables as Parquet files. A missing value is null. `patient` joins them all;
`patient` and `metastasis` together name a metastasis. Days count from day 0 of the patient's simulation.
{doc}`../howto/large_results` says how to open what does not fit into memory.

"""


def page() -> str:
    """The whole page: a section for each table."""
    return INTRODUCTION + "".join(map(_section, COLUMNS))


def _section(name: str) -> str:
    levels = [level for level, tables in TABLES_AT.items() if name in tables]
    when = ", ".join(map(code, levels)) if levels else "every level"
    rows = [(code(c.name), c.type, c.unit, c.meaning) for c in COLUMNS[name]]
    return f"## {name}\n\n{ROWS[name]} Written at: {when}.\n\n" + table(
        ("column", "type", "unit", "meaning"), rows
    )
