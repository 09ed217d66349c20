"""The axilla and the primary at diagnosis: node counts, sizes, doubling times."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from metasim.law.growth import law_number, net_growth
from metasim.law.sizes import sphere_cells
from metasim.targets.quantities.estimate import Estimate
from metasim.targets.quantities.registry import Parameters, quantity
from metasim.targets.sample import NotSimulated, Sample


class Nodes(Parameters):
    """How many nodes, among whom."""

    at_least: int = 1
    """Fewest positive nodes (with a deposit above 0.2 mm)."""
    at_most: int | None = None
    """Most of them; unset: any number."""
    among: Literal["all", "positive"] = "all"
    """All patients, or those with a positive node."""


class Percentile(Parameters):
    """Which quantile."""

    percentile: Annotated[float, Field(gt=0, lt=100)] = 50.0
    """Percent of patients below it."""


@quantity("nodes_percent", "%", Nodes)
def nodes_percent(sample: Sample, of: Nodes) -> Estimate:
    """Share of patients with so many positive lymph nodes."""
    nodes = sample.column("nodes_positive").dropna()
    if of.among == "positive":
        nodes = nodes[nodes > 0]
    most = np.inf if of.at_most is None else of.at_most
    return Estimate.percent(int(nodes.between(of.at_least, most).sum()), len(nodes))


@quantity("nodes_mean", "nodes")
def nodes_mean(sample: Sample, of: Parameters) -> Estimate:
    """Mean number of positive nodes among node-positive patients."""
    nodes = sample.column("nodes_positive").dropna()
    return Estimate.mean(nodes[nodes > 0])


@quantity("diameter_quantile_mm", "mm", Percentile)
def diameter_quantile_mm(sample: Sample, of: Percentile) -> Estimate:
    """Quantile of the primary's diameter at diagnosis."""
    return Estimate.quantile(sample.column("diameter_mm").dropna(), of.percentile / 100)


@quantity("doubling_time_days", "days")
def doubling_time_days(sample: Sample, of: Parameters) -> Estimate:
    """Mean volume doubling time of the primary, ln 2 over its growth rate at diagnosis."""
    sample.column("diameter_mm")
    times = []
    for place, run in enumerate(sample.runs):
        mine = sample.patients[sample.patients.index // 10**9 == place]
        growth, clinic = run.scenario["growth"], run.scenario.get("clinic", {})
        cells = sphere_cells(mine["diameter_mm"].to_numpy(), clinic.get("cells_per_cm3", 1e9))
        constants = [
            mine.get(f"growth.{key}", np.full(len(mine), growth.get(key, np.nan)))
            for key in ("rho_per_day", "capacity_cells", "power_exponent")
        ]
        law = law_number(growth["law"])
        rows = zip(cells, *constants, strict=True)
        rates = np.array([net_growth(law, n, rho, k, p, True, np.inf) for n, rho, k, p in rows])
        times.append(np.log(2) / rates[rates > 0])
    if not times:
        raise NotSimulated("no run")
    return Estimate.mean(np.concatenate(times))
