"""Lymph nodes in a chain: where founders settle in the cell engine."""

from typing import TYPE_CHECKING

import numpy as np

from metasim.law.nodes import node_of

if TYPE_CHECKING:
    from metasim.engines.cells.cascade import Cascade


def settle(model: "Cascade", organ: int) -> int:
    """The node in which a founder settles today; 0 where an organ has none."""
    course = model.course
    nodes = int(course.nodes[organ])
    if nodes == 0:
        return 0
    burden = np.zeros(nodes)
    for colony in model.alive:
        if colony.organ == organ and colony.node > 0:
            burden[colony.node - 1] += colony.size
    return node_of(
        model.uniform(),
        course.node_pass_prob[organ],
        nodes,
        model.nodes_taken[organ],
        burden.tolist(),
        course.node_cells[organ],
    )
