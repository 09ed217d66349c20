"""Lymph nodes in the colony engine: where founders settle, what pathology counts, what is taken."""

import numpy as np

from metasim.engines.colonies.kernel import inlined, kernel
from metasim.engines.colonies.rates import birth_of
from metasim.law import growth
from metasim.law import nodes as rule

node_of = inlined(rule.node_of)
node_class = inlined(rule.node_class)
stage_n = inlined(rule.stage_n)
nodes_taken = inlined(rule.nodes_taken)
beyond_prob = inlined(rule.beyond_prob)
grown_at_rest = inlined(growth.grown_at_rest)
_ITC, _MICRO = np.array([rule.ITC, rule.MICRO])  # numpy's integers, as in `state`


@kernel
def settle(rng, now, clinic, organ, founders, room):
    """The node in which a founder settles on this day; 0 where an organ has none."""
    here, site, burden = clinic.organs[organ], room.sites[organ], room.nodes[organ]
    if here.nodes == 0:
        return np.int64(0)
    if np.isfinite(here.node_cells) and site.nodes_day != now.day:
        site.nodes_day = now.day
        add_up_nodes(now, organ, room)
    node = node_of(
        rng.random(), here.node_pass_prob, here.nodes, site.nodes_taken, burden, here.node_cells
    )
    if np.isfinite(here.node_cells):
        burden[node - 1] += founders
    return node


@kernel
def add_up_nodes(now, organ, room):
    """Fill in the burden of each node of an organ."""
    burden = room.nodes[organ]
    burden[:] = 0.0
    for a in range(now.n_alive):
        colony = room.colonies[room.alive[a]]
        if colony.organ == organ and colony.node > 0:
            burden[colony.node - 1] += colony.size


@kernel
def size_today(now, law, rules, colony, cells):
    """Cells of a colony, were it not at rest."""
    organ, days = colony.organ, (now.step - colony.lived_step) * rules.dt_days
    size = 0.0
    for k in range(len(cells)):
        birth = birth_of(law, organ, k, colony.size, colony.vascularised)
        size += grown_at_rest(float(cells[k]), birth, law.growth[organ, k].death, days)
    return size


@kernel
def count_nodes(now, law, clinic, room):
    """Nodes of all regional organs by class, and N; where nodes are not told apart, colonies."""
    now.nodes_positive = now.nodes_micro = now.nodes_itc = 0
    largest = room.nodes
    largest[:] = 0.0
    for organ in range(len(room.sites)):
        room.sites[organ].nodes_day = np.nan  # these are no burdens
    for a in range(now.n_alive):
        i = room.alive[a]
        colony = room.colonies[i]
        organ, node = colony.organ, colony.node
        if i == 0 or not clinic.organs[organ].regional:
            continue
        size = size_today(now, law, clinic.rules, colony, room.cells[i])
        if node == 0:
            count(now, clinic.rules, size)
        else:
            largest[organ, node - 1] = max(largest[organ, node - 1], size)
    micro_before = now.nodes_micro
    for organ in range(len(room.sites)):
        for node in range(clinic.organs[organ].nodes):
            count(now, clinic.rules, largest[organ, node])
    micro_by_node = now.nodes_micro - micro_before
    macro = now.nodes_positive - now.nodes_micro
    now.stage_n = stage_n(now.nodes_micro, micro_by_node, macro)


@inlined
def count(now, rules, cells):
    """Count a node by its largest deposit, or a colony that stands for one."""
    found = node_class(cells, rules.pathology_cells, rules.micro_cells, rules.macro_cells)
    now.nodes_itc += found == _ITC
    now.nodes_micro += found == _MICRO
    now.nodes_positive += found >= _MICRO


@inlined
def take_nodes(clinic, room, t):
    """Surgery takes the nodes that it is meant to, the first of those that are still there."""
    treatment = clinic.treatments[t]
    organ = treatment.organ
    if not treatment.removes or treatment.seen_only or organ < 0:
        return
    here, site = clinic.organs[organ], room.sites[organ]
    before = site.nodes_taken
    site.nodes_taken = nodes_taken(before, treatment.nodes, here.nodes)
    if treatment.nodes == 0 or site.nodes_taken == before:
        return
    if site.taken_to == 0:
        site.taken_from = before
    site.taken_to = site.nodes_taken
    for k in range(room.survival.shape[1]):
        survival = room.survival[organ, k]
        survival.beyond *= beyond_prob(here.node_pass_prob, before, site.nodes_taken, here.nodes)


@inlined
def nodes_removed(organs, k, sites):
    """Nodes taken from the k-th patient of a chunk in all; -1 where no organ has any."""
    of_patient, nodes, taken = organs[k if len(organs) > 1 else 0], 0, 0
    for organ in range(len(sites)):
        nodes += of_patient[organ].nodes
        taken += sites[organ].nodes_taken
    return np.int64(taken if nodes > 0 else -1)
