"""What a notebook shows of a scenario: what is asked in one line, and every value to unfold."""

from collections import Counter
from html import escape
from itertools import groupby
from typing import Final

from metasim.scenario.explicit import Row, describe
from metasim.scenario.keys import split
from metasim.scenario.origin import STATUSES
from metasim.scenario.schema import Scenario

_HEADS: Final = ("key", "value", "unit", "status", "from", "source")
_LONGEST_VALUE: Final = 100  # a table of patients gives thousands of numbers


def html(scenario: Scenario) -> str:
    """The title, what is asked, and the values, table by table; all text as it stands.

    Args:
        scenario: from `metasim.load`.
    """
    rows = describe(scenario)
    counted = Counter(row.status for row in rows)
    statuses = ", ".join(f"{counted[name]} {name}" for name in STATUSES if counted[name])
    tables = groupby(rows, key=lambda row: (split(row.key)[:-1] or ("scenario",))[0])
    return (
        f"<div><b>{escape(scenario.title or 'Scenario')}</b><br>{escape(_asked(scenario))}<br>"
        f"{len(rows)} values: {statuses}"
        f"{''.join(_table(str(name), list(inside)) for name, inside in tables)}</div>"
    )


def _asked(scenario: Scenario) -> str:
    run = scenario.run
    subtype = scenario.seed.subtype
    said = [
        f"{run.patients:,} patients" + (f" with subtype {subtype}" if subtype else ""),
        f"followed for {run.years:g} years from {run.follow_from}",
        f"rng_seed {run.rng_seed}",
        f"organs: {', '.join(organ.label or key for key, organ in scenario.soil.items())}",
    ]
    if scenario.treatment:
        said.append(f"treatments: {', '.join(one.kind for one in scenario.treatment)}")
    if scenario.patients:
        said.append(f"differing between patients: {', '.join(scenario.patients)}")
    return "; ".join(said)


def _table(name: str, rows: list[Row]) -> str:
    heads = "".join(f"<th>{head}</th>" for head in _HEADS)
    return (
        f"<details><summary>{escape(name)} ({len(rows)})</summary><table><thead><tr>{heads}</tr>"
        f"</thead><tbody>{''.join(map(_row, rows))}</tbody></table></details>"
    )


def _row(row: Row) -> str:
    value = row.value
    if len(value) > _LONGEST_VALUE:
        value = f"{value[:_LONGEST_VALUE]} ..."
    if row.drawn:
        value += " (drawn per patient)"
    source = "; ".join(filter(None, (row.source, row.note)))
    cells = (row.key, value, row.unit, row.status, row.layer, source)
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
