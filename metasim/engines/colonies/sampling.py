"""Tests of blood, plasma and marrow in the colony engine: what they are expected to find."""

import numpy as np

from metasim.engines.colonies.kernel import inlined, kernel
from metasim.law import growth
from metasim.law import sampling as rule
from metasim.terms import Event

_CTC, _DTC, _CTDNA = np.array(
    [Event.CTC, Event.DTC, Event.CTDNA]
)  # numpy's integers, as in `state`
_NONE = np.int64(-1)

border_rate = inlined(growth.border_rate)
circulating = inlined(rule.circulating)
tumour_dna = inlined(rule.tumour_dna)
sleepers = inlined(rule.sleepers)
disseminated = inlined(rule.disseminated)


@kernel
def clear_marrow(room):
    """Nothing sleeps in the marrow, and nothing comes in."""
    for k in range(len(room.kinds)):
        room.kinds[k].asleep = 0.0
        room.kinds[k].inflow = 0.0


@kernel
def begin_inflow(room):
    """A step begins: what comes into the marrow in it is not known yet."""
    for k in range(len(room.kinds)):
        room.kinds[k].inflow = 0.0


@kernel
def add_inflow(law, organ, size, cells, kinds):
    """Cells of a colony, of this size when the step began, that cross into the marrow per day."""
    rates = law.rates
    rate = border_rate(
        rates.invasion_per_day, float(size), rates.invasion_reference_cells, rates.border_exponent
    )
    for k in range(len(cells)):
        kinds[k].inflow += cells[k] * rate * law.growth[organ, k].marrow_crossings


@kernel
def close_inflow(law, rules, room):
    """The step is over: some of what came in fell asleep."""
    rates = law.rates
    for k in range(len(room.kinds)):
        kind = room.kinds[k]
        kind.asleep = sleepers(
            kind.asleep, kind.inflow, rates.marrow_sleeps, rates.marrow_leaves_per_day,
            rules.dt_days,
        )  # fmt: skip


@kernel
def in_blood(now, law, rules, room):
    """Tumour cells that a blood sample of today holds on average."""
    rates, found = law.rates, 0.0
    for a in range(now.n_alive):
        i = room.alive[a]
        organ, size = room.colonies[i].organ, room.colonies[i].size
        rate = border_rate(
            rates.invasion_per_day, float(size), rates.invasion_reference_cells,
            rates.border_exponent,
        )  # fmt: skip
        for k in range(len(room.kinds)):
            beds = law.growth[organ, k].circulating_beds
            found += circulating(float(room.cells[i, k]), rate, beds, rules.sample_days)
    return found


@kernel
def in_plasma(now, law, rules, room):
    """Mutant copies that a plasma sample of today holds on average."""
    found = 0.0
    for a in range(now.n_alive):
        i = room.alive[a]
        organ = room.colonies[i].organ
        for k in range(len(room.kinds)):
            death = law.growth[organ, k].death
            found += tumour_dna(float(room.cells[i, k]), death, rules.plasma_days)
    return found


@kernel
def in_marrow(law, rules, room):
    """Tumour cells that an aspirate of today holds on average."""
    rates, found = law.rates, 0.0
    for k in range(len(room.kinds)):
        kind = room.kinds[k]
        found += disseminated(
            kind.asleep, kind.inflow, rates.marrow_wakes_per_day, rates.marrow_active_days
        )
    return found * rules.aspirate_fraction


@kernel
def book_test(now, events, event, organ, value):
    """Book a test of today."""
    row = events[now.n_events]
    row.day = now.day
    row.event = event
    row.organ = organ
    row.which = _NONE
    row.value = value
    now.n_events += 1


@inlined
def make_tests(now, law, rules, room):
    """Tests at diagnosis and, where asked for, on visits after it."""
    if now.day == now.diagnosis_day or (
        rules.tests_on_visits and now.visit and now.day > now.diagnosis_day
    ):
        if rules.blood_tested:
            book_test(now, room.events, _CTC, _NONE, in_blood(now, law, rules, room))
        if rules.marrow_organ >= 0:
            organ = np.int64(rules.marrow_organ)
            book_test(now, room.events, _DTC, organ, in_marrow(law, rules, room))
        if rules.plasma_tested:
            book_test(now, room.events, _CTDNA, _NONE, in_plasma(now, law, rules, room))


@kernel
def thin_marrow(rules, room):
    """What treatment leaves of the dormant cells of the marrow."""
    for k in range(len(room.kinds)):
        room.kinds[k].asleep *= room.survival[rules.marrow_organ, k].asleep
