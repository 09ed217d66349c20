"""Lymph nodes in the cell engine: what pathology counts, what surgery takes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from metasim.engines.cells.cascade import PLACES, Cascade
from metasim.law.growth import grown_at_rest
from metasim.law.nodes import (
    ITC,
    MACRO,
    MICRO,
    beyond_prob,
    node_class,
    nodes_taken,
    stage_n,
)

if TYPE_CHECKING:
    from metasim.engines.cells.cell import Colony
    from metasim.engines.cells.clinic import Clinic


@dataclass(frozen=True)
class NodeCounts:
    """Regional lymph nodes at diagnosis, and N as a number; -1: no diagnosis yet."""

    positive: int = -1
    micro: int = -1
    itc: int = -1
    n: float = np.nan


def count_nodes(model: Cascade) -> NodeCounts:
    """Nodes of all regional organs by class; where nodes are not told apart, colonies."""
    course = model.course
    alone: list[float] = []
    largest: dict[tuple[int, int], float] = {}
    for colony in model.alive:
        if colony.number == 0 or not course.regional[colony.organ]:
            continue
        size = _size_today(model, colony)
        if colony.node == 0:
            alone.append(size)
        else:
            place = colony.organ, colony.node
            largest[place] = max(largest.get(place, 0.0), size)
    sizes = course.pathology_cells, course.micro_cells, course.macro_cells
    of_colonies, of_nodes = (
        [node_class(cells, *sizes) for cells in deposits] for deposits in (alone, largest.values())
    )
    found = of_colonies + of_nodes
    micro, macro = found.count(MICRO), found.count(MACRO)
    n = stage_n(micro, of_nodes.count(MICRO), macro)
    return NodeCounts(micro + macro, micro, found.count(ITC), float(n))


def _size_today(model: Cascade, colony: "Colony") -> float:
    """Cells of a colony, were it not at rest."""
    days = (model.steps - colony.lived_step) * model.course.dt_days
    births = model.birth_rates(colony, colony.size)
    deaths = model.law.death[colony.organ]
    return sum(
        grown_at_rest(len(cells), birth, float(death), days)
        for cells, birth, death in zip(colony.cells, births, deaths, strict=True)
    )


def take_nodes(model: "Clinic", t: int) -> None:
    """Surgery takes the nodes that it is meant to, with all that is in them or bound for them."""
    course, plan = model.course, model.course.plan
    organ, wanted = int(plan.organ[t]), int(plan.nodes[t])
    if not plan.removes[t] or plan.seen_only[t] or organ < 0:
        return
    nodes, before = int(course.nodes[organ]), model.nodes_taken[organ]
    after = nodes_taken(before, wanted, nodes)
    model.nodes_taken[organ] = after
    if wanted == 0 or after == before:
        return
    nothing = np.zeros(plan.survival.shape[1:])
    for colony in model.alive:
        if colony.organ == organ and before < colony.node <= after:
            model.thin_colony(colony, nothing)
    beyond = nothing + beyond_prob(course.node_pass_prob[organ], before, after, nodes)
    for place, by_organ in zip(PLACES, model.waiting, strict=True):
        model.spare(by_organ[organ], place.stage, beyond)
