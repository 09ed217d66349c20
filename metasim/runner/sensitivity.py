"""Which soil property drives which organ: global sensitivity, by Morris' or Sobol's method.

Morris' elementary effects rank many parameters with few points; Sobol's indices share out the
variance, first-order and total, at many more. SALib (extra `sensitivity`) makes the points and the
indices, a sweep computes what lies between. The same virtual patients are run at every point, but
once a parameter has changed a patient's course the draws that follow differ. Chance therefore adds
to every index: a parameter of no effect has one above 0 too, and its interval need not reach 0. So
each is also held against what chance alone does (`metasim.results.sensitivity.chance`).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from metasim.checked import checked, keywords
from metasim.errors import OptionError, ScenarioError
from metasim.results.sensitivity import Sensitivity, chance, save_sensitivity, stands_out
from metasim.results.statistics import z
from metasim.runner.design import (
    check,
    check_points,
    designed,
    refuse_too_many,
    varying,
)
from metasim.runner.sweep import sweep
from metasim.runner.vary import Range, Vary, vary_of
from metasim.scenario.biology import Soil
from metasim.scenario.keys import find, split
from metasim.scenario.schema import Scenario
from metasim.terms import install_line

if TYPE_CHECKING:
    import pandas as pd

METHODS: Final = {"morris": 10, "sobol": 64}
"""Methods, and how many trajectories or base points they take unless told."""
QUANTITIES: Final = ("metastases_per_patient", "share_with")
_INTERVALS: Final = {"metastases_per_patient": "metastases", "share_with": "share"}

_CLINICAL: Final = ("detection_cells", "lethal_cells", "capacity_cells")


@checked(lambda: keywords(sweep) - {"vary", "sampler", "points"})
def sensitivity(
    scenario: Scenario,
    ranges: Sequence[Vary] | Mapping[str, Any] = (),
    *,
    method: str = "morris",
    size: int | None = None,
    quantity: str = "metastases_per_patient",
    many: bool = False,
    **options: Any,
) -> Sensitivity:
    """Sensitivity of each organ's metastases to some parameters.

    Args:
        scenario: the base; `run.patients` at each point.
        ranges: what varies and how far, as for `metasim.sweep` but no lists; empty: `soil_ranges`.
        method: "morris" or "sobol".
        size: trajectories (Morris), or base points, a power of 2 (Sobol).
        quantity: "metastases_per_patient" or "share_with" (of patients).
        many: more than a million points are meant.
        **options: output, overwrite, resume, progress, workers, executor, scheduler, chunk,
            prepare: as for `metasim.sweep`.

    Raises:
        OptionError: an option or range is not allowed, or SALib is not installed.
        ScenarioError: a key is unknown, or the scenario refuses a value.
        ResultsError: the folder exists, or cannot be written.

    Example:
        >>> base = ms.load("luminal_a", {"run.patients": 20})
        >>> ranges = {"soil.bone.niche": (0.0, 1.0), "soil.lung.niche": (0.0, 1.0)}
        >>> study = ms.sensitivity(base, ranges, size=2, output="study")
        >>> sorted(study.table["key"].unique())
        ['soil.bone.niche', 'soil.lung.niche']
    """
    if method not in METHODS:
        raise OptionError(f"--method {method}: unknown; choose from {', '.join(METHODS)}")
    if quantity not in QUANTITIES:
        raise OptionError(f"--quantity {quantity}: unknown; choose from {', '.join(QUANTITIES)}")
    size = METHODS[method] if size is None else size
    if size < 2 or (method == "sobol" and size & (size - 1)):
        wanted = "a power of 2" if method == "sobol" else "at least 2"
        raise OptionError(f"--size {size}: {method} needs {wanted}")
    asked_for = vary_of(ranges) or soil_ranges(scenario)
    if lists := [one.key for one in asked_for if not isinstance(one, Range)]:
        raise OptionError(f"--vary {lists[0]}: sensitivity takes a range, LOW:HIGH, not a list")
    spans = [one for one in asked_for if isinstance(one, Range)]
    check(scenario, spans)
    _check_ends(scenario, spans)
    if flat := [one.key for one in spans if one.low == one.high]:
        raise OptionError(f"--vary {flat[0]}: the range is empty")
    count = size * (len(spans) + (1 if method == "morris" else 2))
    refuse_too_many(count, many)
    try:
        import SALib  # noqa: F401 - asked for before an hour of simulation, not after
    except ImportError:
        raise OptionError(f"sensitivity needs SALib: {install_line('sensitivity')}") from None
    problem: dict[str, Any] = {
        "num_vars": len(spans),
        "names": [one.key for one in spans],
        "bounds": [[0.0, 1.0] if one.log else [one.low, one.high] for one in spans],
    }
    points = _sample(problem, method, size, scenario.run.rng_seed)
    asked = {"--method": method, "--size": str(size)} | varying(spans)
    values = [one.at(points[:, k]) if one.log else points[:, k] for k, one in enumerate(spans)]
    done = sweep(scenario, designed(spans, np.stack(values, 1), method, asked), **options)
    pairs = _pairs(method, points)
    tables = []
    for organ, part in done.rows().groupby("organ", sort=False):
        if len(part) < len(points):
            continue
        y = part[quantity].to_numpy()
        low, high = (part[f"{_INTERVALS[quantity]}_{end}"].to_numpy() for end in ("low", "high"))
        p_chance = chance(y[pairs], ((high - low) / 2 / z(0.95))[pairs])
        table = _indices(problem, method, points, y, scenario.run.rng_seed)
        tables.append(table.assign(p_chance=p_chance, organ=organ, counted=done.counted(),
                                   quantity=quantity))  # fmt: skip
    import pandas as pd

    return save_sensitivity(done, stands_out(pd.concat(tables, ignore_index=True)))


def _check_ends(scenario: Scenario, ranges: Sequence[Range]) -> None:
    """Check the ends of each range by themselves: points come close to them.

    Raises:
        ScenarioError: the scenario refuses one.
    """
    for one in ranges:
        values = np.array([[one.low], [one.high]])
        check_points(scenario, designed([one], values, "ends", {}))


def soil_ranges(scenario: Scenario) -> list[Range]:
    """All soil parameters that can vary: levels and shares from 0 to 1, factors half to double."""
    out = []
    for organ, soil in scenario.soil.items():
        names = [name for name in Soil.model_fields if name not in _CLINICAL]
        names += [f"ligands.{name}" for name in soil.ligands]
        names += [f"multiplier.{name}" for name in type(soil.multiplier).model_fields]
        for name in names:
            path = f"soil.{organ}.{name}"
            key = find(split(path))
            if key is None or not key.is_number:
                continue
            value: Any = soil
            for part in name.split("."):
                value = value[part] if isinstance(value, dict) else getattr(value, part)
            if value is None:
                continue
            low, high = (0.0, 1.0) if key.limits.get("le") == 1 else (value / 2, value * 2)
            if high > low and _allowed(scenario, path, high):
                out.append(Range(path, low, high))
    return out


def _allowed(scenario: Scenario, path: str, value: float) -> bool:
    """Whether the scenario takes a value: no lymph from an organ without lymph vessels."""
    try:
        scenario.replace({path: value})
    except ScenarioError:
        return False
    return True


def _sample(problem: dict[str, Any], method: str, size: int, rng_seed: int) -> np.ndarray:
    if method == "morris":
        from SALib.sample import morris

        return np.asarray(morris.sample(problem, size, seed=rng_seed))
    from SALib.sample import sobol

    return np.asarray(sobol.sample(problem, size, calc_second_order=False, seed=rng_seed))


def _pairs(method: str, points: np.ndarray) -> np.ndarray:
    """Rows of the points that differ in one key only: (keys, pairs, 2)."""
    keys = points.shape[1]
    if method == "morris":  # each trajectory changes every key once, from row to row
        starts = np.arange(0, len(points), keys + 1)
        out = np.empty((keys, len(starts), 2), np.int64)
        for t, start in enumerate(starts):
            moved = np.abs(np.diff(points[start : start + keys + 1], axis=0)) > 0
            first = start + moved.argmax(axis=0)
            out[:, t] = np.stack([first, first + 1], axis=1)
        return out
    starts = np.arange(0, len(points), keys + 2)  # a point, the same with each key changed, another
    return np.stack(np.broadcast_arrays(starts, starts + np.arange(1, keys + 1)[:, None]), axis=-1)


def _indices(
    problem: dict[str, Any], method: str, points: np.ndarray, y: np.ndarray, rng_seed: int
) -> "pd.DataFrame":
    """A row per parameter: index, its 95 % half width, and what else the method tells."""
    import pandas as pd

    names = {"key": problem["names"]}
    if method == "morris":
        from SALib.analyze import morris

        found = morris.analyze(problem, points, y, seed=rng_seed)
        said = {"index": "mu_star", "half_width": "mu_star_conf", "mean_effect": "mu",
                "spread": "sigma"}  # fmt: skip
        return pd.DataFrame({**names, **{column: found[key] for column, key in said.items()}})
    from SALib.analyze import sobol

    if not np.ptp(y):  # nothing varies: no variance to share out
        zero = np.zeros(len(problem["names"]))
        return pd.DataFrame({**names, "index": zero, "half_width": zero, "first_order": zero})
    found = sobol.analyze(problem, y, calc_second_order=False, seed=rng_seed)
    return pd.DataFrame({**names, "index": found["ST"], "half_width": found["ST_conf"],
                         "first_order": found["S1"]})  # fmt: skip
