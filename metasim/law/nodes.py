"""Lymph nodes in a chain (section 13 of docs/model): who settles where, what counts, what is taken.

Pure functions of numbers, as in `metasim.law.clinic`. Nodes are numbered from 1, the sentinel; node
0 stands for a place that has none.
"""

from collections.abc import Sequence

NEGATIVE, ITC, MICRO, MACRO = range(4)
"""Classes of a node, by its largest deposit; a positive node is of one of the last two."""


def node_of(
    u: float,
    pass_prob: float,
    nodes: int,
    taken: int,
    burden_cells: Sequence[float],
    node_cells: float,
) -> int:
    """Number of the node in which a founder settles (Equation 13.1, passing a node).

    It comes to the first node that is still there, stays or is passed on to the next; a full node
    keeps nobody, the last keeps all.

    Args:
        u: uniform on [0, 1).
        pass_prob: probability of being passed on by a node that is not full.
        nodes: how many the chain has.
        taken: how many of the first were taken out.
        burden_cells: (at least `nodes`,) cells in each, the first first.
        node_cells: burden from which a node is full; infinite: never.
    """
    still_on = 1.0
    for node in range(taken + 1, nodes):
        if burden_cells[node - 1] < node_cells:
            still_on *= pass_prob
            if u >= still_on:
                return node
    return nodes


def node_class(
    largest_cells: float, pathology_cells: float, micro_cells: float, macro_cells: float
) -> int:
    """Class of a node by its largest deposit (AJCC): NEGATIVE, ITC, MICRO or MACRO.

    Args:
        largest_cells: of the deposit; 0: there is none.
        pathology_cells: smallest deposit that pathology finds, not below `micro_cells`; a
            micrometastasis that it overlooks leaves the node negative.
        micro_cells: smallest micrometastasis; isolated tumour cells (ITC) below.
        macro_cells: largest micrometastasis.
    """
    if largest_cells <= 0:
        return NEGATIVE
    if largest_cells < micro_cells:
        return ITC
    if largest_cells < pathology_cells:
        return NEGATIVE
    return MACRO if largest_cells > macro_cells else MICRO


def stage_n(micro: int, micro_by_node: int, macro: int) -> int:
    """N as 0 (N0), 1 (N1mi), 2 to 4 (N1 to N3).

    Up to 3 positive nodes are N1, up to 9 N2, if one of them is a macrometastasis. Where nodes are
    not counted one by one each macrometastasis stands for a node, and micrometastases beside it
    are not counted: they may lie in the same one.

    Args:
        micro: nodes, or metastases that stand for them, with micrometastases only.
        micro_by_node: those of them that were counted node by node.
        macro: nodes, or metastases that stand for them, with a macrometastasis.
    """
    if macro == 0:
        return 1 if micro > 0 else 0
    positive = macro + micro_by_node
    if positive > 9:
        return 4
    return 3 if positive > 3 else 2


def nodes_taken(taken: int, wanted: int, nodes: int) -> int:
    """Nodes that are out after an operation, the first of the chain.

    Args:
        taken: that were out before.
        wanted: that it takes; 0: all.
        nodes: how many the chain has.
    """
    return nodes if wanted == 0 else min(nodes, taken + wanted)


def beyond_prob(pass_prob: float, before: int, after: int, nodes: int) -> float:
    """Probability that a founder on its way is bound beyond the nodes taken (Equation 13.4).

    It has not settled yet; that each node passes it on independently makes those that are spared
    settle in the others as if they had known it from the start.

    Args:
        pass_prob: probability of being passed on by a node.
        before: nodes that were out before the operation.
        after: nodes that are out after it.
        nodes: how many the chain has.
    """
    if after == before:
        return 1.0
    return 0.0 if after >= nodes else float(pass_prob ** (after - before))
