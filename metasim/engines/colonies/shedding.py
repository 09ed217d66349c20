"""Units leave a colony over its border."""

import numpy as np

from metasim.engines.colonies.draws import binomial, leaving_hazard, leaving_prob, successes
from metasim.engines.colonies.kernel import inlined
from metasim.engines.colonies.state import (
    ENTERED,
    INVASION,
    LEFT,
    NO_ROOM,
    OK,
    TOO_MANY_COLONIES,
)
from metasim.law import growth

_FEW = 10.0  # expected draws below which gaps are quicker than a binomial

border_rate = inlined(growth.border_rate)


@inlined
def shed(rng, now, law, days, who, size, most, room):
    """Units leave a colony over its border; the cells that went.

    Of n cells of a phenotype floor(n share / size) clusters of each class stand ready at the
    border (Equation 5.3); the others go singly. All of them leave with the same hazard.

    Args:
        rng: the patient's stream.
        now: the patient.
        law: of the patient.
        days: that the colony lives.
        who: colony, organ, stage.
        size: cells of the colony when these began, which set the hazard.
        most: destined units that may leave before it is too many.
        room: of the patient.
    """
    i, organ, stage = who
    rates = law.rates
    hazard = days * border_rate(
        rates.invasion_per_day, float(size), rates.invasion_reference_cells, rates.border_exponent
    )
    leave = leaving_prob(hazard)
    cells, clusters = room.cells[i], law.clusters
    gone = 0
    for k in range(len(cells)):
        present = cells[k]
        singles = present
        for c in range(len(clusters) - 1, -1, -1):
            in_unit = clusters[c].cells
            ready = singles
            if c > 0:
                ready = np.int64(present * clusters[c].share / in_unit)
                singles -= ready * in_unit
            if ready == 0:
                continue
            at = (organ, k, c, i, stage)
            out = shed_units(rng, now, law, hazard, leave, ready, at, most, room) * in_unit
            if out > 0:
                cells[k] -= out
                gone += out
                room.tally[stage, organ, LEFT] += out
    return gone


@inlined
def shed_units(rng, now, law, hazard, leave, ready, at, most, room):
    """Of the units of a kind that stand ready at a border, some leave; how many.

    Args:
        rng: the patient's stream.
        now: the patient.
        law: of the patient.
        hazard: of leaving in these days.
        leave: its probability.
        ready: units.
        at: organ, phenotype, cluster class, colony, stage.
        most: destined units that may leave before it is too many.
        room: of the patient.
    """
    organ, k, c, i, stage = at
    # leaving as destined, else as doomed: two hazards that add up to `hazard`
    chosen = leave * law.fates[organ, k, c].leaving
    chosen_hazard = leaving_hazard(chosen)
    other_hazard = max(0.0, hazard - chosen_hazard)
    destined, now.gap_destined = successes(rng, now.gap_destined, ready, chosen_hazard, most)
    ready -= destined
    if ready * other_hazard < _FEW:
        doomed, now.gap_doomed = successes(rng, now.gap_doomed, ready, other_hazard, ready)
    else:
        doomed = binomial(rng, ready, (leave - chosen) / max(1.0 - chosen, 1e-300))
    if doomed > 0:
        room.leaving[organ, k, c, stage] += doomed
    if destined > 0:
        set_out(now, law, (organ, k, c, i), destined, room)
        if destined > most and now.status == OK:
            now.status = TOO_MANY_COLONIES
    return destined + doomed


@inlined
def set_out(now, law, at, destined, room):
    """Note destined units that leave: `at` is their organ, phenotype, cluster class and colony."""
    organ, k, c, i = at
    if now.n_departed == len(room.departed):
        now.status = NO_ROOM
        return
    departed = room.departed[now.n_departed]
    departed.organ = organ
    departed.phenotype = k
    departed.cluster = c
    departed.parent = i
    departed.units = destined
    now.n_departed += 1
    room.tally[INVASION, organ, ENTERED] += destined * law.clusters[c].cells
