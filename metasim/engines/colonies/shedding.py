"""Units leave a colony over its border.

Hardly anything leaves a small colony, and most colonies are small. So the hazard of leaving is not
worked out for each of them: a bound that holds for all sizes of an octave picks candidates, and of
these some leave, by the hazard of the colony's own size (Equation 7.6, candidates).
"""

import numpy as np

from metasim.engines.colonies.draws import binomial, leaving_hazard, leaving_prob, successes
from metasim.engines.colonies.kernel import inlined, kernel
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
_FEW_CANDIDATES = 4.0  # expected, below which candidates are quicker than each kind by itself
_ABOVE = 1.0 + 1e-9  # a bound stays one, however it is rounded
_MANTISSA_BITS, _EXPONENT_OF_1 = 52, 1023  # of a floating-point number

border_rate = inlined(growth.border_rate)


@inlined
def forget_bounds(borders):
    """The hazards of leaving may be others from now on."""
    for octave in range(len(borders)):
        borders[octave] = -1.0


@inlined
def bound(law, size, borders):
    """A hazard of leaving per day that is exceeded by no colony of the size's octave."""
    octave = (np.float64(size).view(np.int64) >> _MANTISSA_BITS) - _EXPONENT_OF_1
    if borders[octave] < 0.0:
        fill_in_bound(law, octave, borders)
    return borders[octave]


@kernel
def fill_in_bound(law, octave, borders):
    """The hazard goes with a power of the size: it is largest at one end of the octave."""
    rates = law.rates
    for end in range(octave, octave + 2):
        rate = border_rate(
            rates.invasion_per_day, 2.0**end, rates.invasion_reference_cells, rates.border_exponent
        )
        borders[octave] = max(borders[octave], rate * _ABOVE)


@inlined
def shed(rng, now, law, days, who, size, after, most, room):
    """Units leave a colony over its border; the cells that went.

    Of n cells of a phenotype floor(n share / size) clusters of each class stand ready at the
    border (Equation 5.3); the others go singly. All of them leave with the same hazard.

    Args:
        rng: the patient's stream.
        now: the patient.
        law: of the patient.
        days: that the colony lives.
        who: colony, organ, stage.
        size: cells of the colony when the step began, which set the hazard.
        after: its cells now.
        most: destined units that may leave before it is too many.
        room: of the patient.
    """
    hazard = days * bound(law, size, room.borders)
    expected = after * hazard
    if expected <= now.gap_candidate:
        now.gap_candidate -= expected
        return 0
    if expected < _FEW_CANDIDATES:
        return shed_candidates(rng, now, law, days, who, size, after, hazard, room)
    return shed_each(rng, now, law, days, who, size, most, room)


@inlined
def shed_candidates(rng, now, law, days, who, size, cells, most_hazard, room):
    """As `shed`, of candidates with the hazard `most_hazard` (Equation 7.6, candidates)."""
    i, organ, stage = who
    hazard = hazard_of(law, days, size)
    leave, candidate = leaving_prob(hazard), leaving_prob(most_hazard)
    for k in range(len(room.kinds)):
        room.kinds[k].ready = room.cells[i, k]
    gone, seen = 0, 0
    while (cells - seen) * most_hazard > now.gap_candidate:
        seen += np.int64(now.gap_candidate / most_hazard) + 1
        now.gap_candidate = rng.standard_exponential()
        u = rng.random() * candidate
        if u >= leave:
            continue
        k, c = unit_at(law, seen - 1, room.kinds)
        if k < 0:
            continue
        in_unit = law.clusters[c].cells
        if u < leave * law.fates[organ, k, c].leaving:
            set_out(now, law, (organ, k, c, i), 1, room)
            if now.status != OK:
                return gone
        else:
            room.leaving[organ, k, c, stage] += 1
        room.cells[i, k] -= in_unit
        room.tally[stage, organ, LEFT] += in_unit
        gone += in_unit
    now.gap_candidate -= max(cells - seen, 0) * most_hazard
    return gone


@inlined
def unit_at(law, place, kinds):
    """Phenotype and cluster class of a unit by its place among the cells; -1: there is none.

    Units stand in a row, a phenotype's behind the one before; where clusters stand, they are fewer
    than the cells, and the row ends before the cells do.
    """
    clusters = law.clusters
    for k in range(len(kinds)):
        singles = kinds[k].ready
        for c in range(len(clusters) - 1, 0, -1):
            ready = np.int64(kinds[k].ready * clusters[c].share / clusters[c].cells)
            if place < ready:
                return k, c
            place -= ready
            singles -= ready * clusters[c].cells
        if place < singles:
            return k, 0
        place -= singles
    return -1, -1


@inlined
def hazard_of(law, days, size):
    """The hazard of leaving in some days, of every unit of a colony."""
    rates = law.rates
    return days * border_rate(
        rates.invasion_per_day, float(size), rates.invasion_reference_cells, rates.border_exponent
    )


@inlined
def shed_each(rng, now, law, days, who, size, most, room):
    """As `shed`, one kind of units after the other."""
    i, organ, stage = who
    hazard = hazard_of(law, days, size)
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
