"""What the patients table tells of patients besides their course: subtype, receptors, age, care."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from metasim.scenario.mixture import SUBTYPE
from metasim.scenario.schema import Scenario
from metasim.scenario.subtypes import is_drawn, plain_value, subtypes_of
from metasim.scenario.tumours import RECEPTORS
from metasim.terms import DAYS_PER_YEAR

Array = NDArray[np.float64]

AGE: Final = "clinic.age_years"


def told_of(scenario: Scenario, drawn: Mapping[str, Array], diagnosis_day: Array) -> dict[str, Any]:
    """Columns of the patients table that come from the scenario and not from the course.

    Args:
        scenario: what was asked.
        drawn: key path -> (P,) values, as `metasim.scenario.draws.draw_parameters` gives.
        diagnosis_day: (P,) NaN: never diagnosed.

    Returns:
        Name -> (P,) values: `subtype`, a column for each of `RECEPTORS`, `age_years` (at
        diagnosis), `care`, then the parameters that are drawn, by key path.
    """
    count = len(diagnosis_day)
    names = subtypes_of(scenario)
    which = drawn.get(SUBTYPE, np.zeros(count)).astype(np.int32)
    out: dict[str, Any] = {
        "subtype": pa.DictionaryArray.from_arrays(
            pa.array(which, mask=np.full(count, not names)), pa.array(names, pa.string())
        )
    }
    for name in RECEPTORS:
        flags, unknown = _of_each(scenario, drawn, f"seed.{name}", count)
        out[name] = pa.array(flags > 0, mask=unknown)
    age, unknown = _of_each(scenario, drawn, AGE, count)
    at_diagnosis = age + diagnosis_day / DAYS_PER_YEAR
    out["age_years"] = pa.array(at_diagnosis, mask=unknown | np.isnan(at_diagnosis))
    care = [scenario.care or ""]
    out["care"] = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(count, np.int32), mask=np.full(count, scenario.care is None)),
        pa.array(care, pa.string()),
    )
    own = {path for path in scenario.patients if path != SUBTYPE and is_drawn(scenario, path)}
    return out | {path: values for path, values in drawn.items() if path in own}


def _of_each(
    scenario: Scenario, drawn: Mapping[str, Array], path: str, count: int
) -> tuple[Array, NDArray[np.bool_]]:
    """Each patient's value of a key, and whether it is unset."""
    value = drawn.get(path)
    if value is None:
        plain = plain_value(scenario, path)
        value = np.full(count, np.nan if plain is None else float(plain))
    return value, np.isnan(value)
