"""Patients of draws: `[patients] draws = "posterior.parquet"`, as `metasim fit` leaves it.

Each patient has the keys of one draw, taken by the draws' weights. The draws become distributions
with `draws`, so that a saved scenario holds them and needs no file beside it.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np

from metasim.errors import Mistake
from metasim.scenario.closed import REFUSED, is_closed
from metasim.scenario.correlations import NAME
from metasim.scenario.distributions import PARAMETRIC, parted
from metasim.scenario.keys import shown, split
from metasim.scenario.layers import Layer
from metasim.scenario.origin import Origin
from metasim.scenario.schema import Draws

PLACE: Final = ("patients", "draws")
WEIGHT: Final = "weight"
BESIDE: Final = (WEIGHT, "distance")
"""Columns that are no key."""
SIMULATED: Final = "target."
"""How columns of simulated targets begin, which are no keys either."""

_CORRELATION: Final = f"patients.{NAME}."
_MOST_NUMBERS: Final = 20_000  # what a saved scenario can hold
_FACTORS: Final = "factor_by_subtype"
_PARAMETERS: Final = tuple(n for n in Draws.model_fields if n not in ("weights", "value", _FACTORS))


def draws_layers(own: Layer, folder: Path) -> list[Layer]:
    """The posterior that a layer names, as a layer above it.

    Args:
        own: the layer; the name is taken from it.
        folder: from which a relative path leads on.
    """
    name = own.values.pop(PLACE, None)
    if name is None:
        return []
    if not isinstance(name, str):
        said = f"takes the path of a file, not {shown(name)}"
        own.mistakes.append(Mistake(".".join(PLACE), said))
        return []
    out = Layer(name)
    try:
        columns, weights = read_draws(folder / name)
    except ValueError as error:
        own.mistakes.append(Mistake("", f"draws {name}: {error}"))
        return [out]
    for column, values in columns.items():
        if column.startswith(_CORRELATION):  # of patients together, so that none can have its own
            pair = sorted(map(str, split(column)[1:]))
            out.values[(NAME, *pair)] = float(np.average(values, weights=weights))
            continue
        key, way = _key_of(column)
        drawn: dict[tuple[str, ...], Any] = {("weights",): weights, way: values}
        for part, numbers in drawn.items():  # beside the distribution that stands there
            out.values[("patients", key, "draws", *part)] = numbers
        out.origins[f"patients.{key}"] = Origin(name, "calibrated", note="draws of a posterior")
    return [out]


def read_draws(path: Path) -> tuple[dict[str, list[float]], list[float]]:
    """The free keys of a posterior, each with a value per draw, and the draws' weights.

    Args:
        path: of the file that `metasim fit` calls posterior.parquet. Draws without weight are left
            out, and so are keys of a single cohort (`COHORT:KEY`).

    Raises:
        ValueError: it cannot be read or is no posterior; says why.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if is_closed():
        raise ValueError(REFUSED)
    try:
        with path.open("rb") as file:
            table = pq.read_table(file)
    except (OSError, ValueError, pa.ArrowException) as error:
        why = getattr(error, "strerror", None) or str(error).partition(". ")[0]
        hint = "give the posterior.parquet that metasim fit leaves"
        raise ValueError(f"cannot be read as Parquet ({why}); {hint}") from None
    names = [n for n in table.column_names if n not in BESIDE and not n.startswith(SIMULATED)]
    keys = [name for name in names if ":" not in name]
    if WEIGHT not in table.column_names:
        raise ValueError("has no column weight, so it is no posterior; give the one of metasim fit")
    if not keys:
        said = f"only keys of single cohorts ({', '.join(names)})" if names else "no free key"
        raise ValueError(f"has {said}, so there is nothing to draw")
    found: dict[str, Any] = {}
    for name in (WEIGHT, *keys):
        try:
            found[name] = table[name].cast(pa.float64()).to_numpy()
        except (pa.ArrowException, ValueError):
            raise ValueError(f"column {name} does not hold numbers") from None
        if not np.isfinite(found[name]).all():
            raise ValueError(f"column {name} has cells without a number")
    weight = found.pop(WEIGHT)
    if not len(weight) or weight.min() < 0 or not weight.max() > 0:
        raise ValueError("its weights have to be at least 0, and not all 0")
    kept = weight > 0
    if kept.sum() * (1 + len(keys)) > _MOST_NUMBERS:
        most = _MOST_NUMBERS // (1 + len(keys))
        message = f"has {kept.sum():,} draws; of {len(keys)} keys at most {most:,} can be used"
        raise ValueError(f"{message}: fit with fewer --draws")
    return {name: values[kept].tolist() for name, values in found.items()}, weight[kept].tolist()


def _key_of(column: str) -> tuple[str, tuple[str, ...]]:
    """Key and what of it is drawn: its value, a parameter of its distribution, or a factor."""
    key, way = parted(column.removeprefix("patients."))
    if column.startswith("patients.") and len(way) == 2:
        if way[0] == _FACTORS:
            return key, way
        if way[1] in _PARAMETERS and way[0] in PARAMETRIC:
            return key, way[1:]
    return column, ("value",)
