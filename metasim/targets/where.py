"""`where`: which patients a target speaks of."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from metasim.errors import Mistake
from metasim.scenario.keys import nearest
from metasim.targets.schema import Condition, Span

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: Final = (
    "subtype",
    "er_positive",
    "her2_positive",
    "age_years",
    "diameter_mm",
    "detection",
    "lead_time_days",
    "nodes_positive",
    "nodes_micro",
    "nodes_itc",
    "nodes_removed",
    "care",
    "stage_t",
    "stage_n",
    "stage_m",
    "first_distant_organ",
    "death_cause",
    "relapse_years",
    "diagnosis_years",
)
"""What patients can be selected by, besides the key path of any drawn parameter. `relapse_years`
is from the origin to the first distant metastasis, `diagnosis_years` from day 0 to diagnosis."""


def mistakes_in_where(where: Mapping[str, Condition], at: str) -> Iterator[Mistake]:
    """Names and conditions that cannot be."""
    for name, condition in where.items():
        if name not in COLUMNS and "." not in name:
            yield Mistake(f"{at}.{name}", "patients have no such column", nearest(name, COLUMNS))
        if isinstance(condition, list) and not condition:
            yield Mistake(f"{at}.{name}", "an empty list leaves nobody")
        if isinstance(condition, Span):
            given = condition.model_dump(exclude_none=True)
            if not given:
                yield Mistake(f"{at}.{name}", "give above, at_least, up_to or below")
            lows = [v for k, v in given.items() if k in ("above", "at_least")]
            highs = [v for k, v in given.items() if k in ("up_to", "below")]
            if lows and highs and max(lows) > min(highs):
                yield Mistake(f"{at}.{name}", f"nothing lies above {max(lows):g} and below it")


def matches(column: "pd.Series[Any]", condition: Condition) -> "pd.Series[bool]":
    """Which rows fulfil a condition; missing values never do.

    Args:
        column: values, one per patient.
        condition: what they have to be.
    """
    if isinstance(condition, list):
        return column.isin(condition)
    if not isinstance(condition, Span):
        return (column == condition) & column.notna()
    numbers, out = column.astype(float), column.notna()
    for name, number in condition.model_dump(exclude_none=True).items():
        out &= {
            "above": numbers > number,
            "at_least": numbers >= number,
            "up_to": numbers <= number,
            "below": numbers < number,
        }[name]
    return out


def spoken(where: Mapping[str, Condition]) -> str:
    """Conditions in words, for scorecards; empty: everybody."""
    words = {"above": ">", "at_least": ">=", "up_to": "<=", "below": "<"}
    parts = []
    for name, condition in where.items():
        if isinstance(condition, Span):
            limits = condition.model_dump(exclude_none=True).items()
            parts += [f"{name} {words[k]} {v:g}" for k, v in limits]
        elif isinstance(condition, list):
            parts.append(f"{name} {' or '.join(map(str, condition))}")
        else:
            said = str(condition).lower() if isinstance(condition, bool) else condition
            parts.append(f"{name} {said}")
    return ", ".join(parts)
