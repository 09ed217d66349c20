"""Whether a unit that leaves its colony will ever found another: destined or doomed.

Units (single cells or clusters) are independent of each other, so the fate of each may be drawn
first and its path afterwards, conditioned on that fate (a Doob h-transform): exactly the law of
section 5 of docs/model, but only the few destined units need be followed one by one, with their
parent; the many doomed ones are identical and are drawn as groups. `success` gives the probability
h of ever founding a colony, `destined` and `doomed` the step probabilities given that fate.

Treatments that change the law make several regimes, and nobody knows in advance which will hold. h
is then the best chance over all orders of regimes, so that h(s) >= sum_s' p_r(s, s') h(s') in each
regime r. A unit in s is destined with probability h(s); one that leaves s in regime r stays
destined on its way to s' with probability p_r(s, s') h(s') / h(s), and else is doomed from here
on. Mixed, the two are again the plain law, step by step, whatever the regimes: doomed units leave s
for s' with probability p_r(s, s') (1 - h(s')) / (1 - sum p_r h). With one regime h is the chance
itself, and nobody who is destined is ever doomed.

Shapes: P patients (or 1), O organs, K phenotypes, C cluster classes; routes blood, lymph.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metasim.law.absorbing import absorbed

Array = NDArray[np.float64]


def _ratio(part: Array, whole: Array) -> Array:
    """Share part / whole where whole > 0, else 0, kept within [0, 1] against rounding."""
    part, whole = np.broadcast_arrays(part, whole)
    out = np.zeros(part.shape)
    np.divide(part, whole, out=out, where=whole > 0)
    return np.clip(out, 0.0, 1.0)


MOST_PER_DAY = 1e300
"""Rates are held at this, so that no sum of them overflows."""

LEAST = 1e-300
"""A chance below this is 0: of numbers that small no digits are left."""


class Exits(NamedTuple):
    """What a unit does when it leaves a stage, before gates: shares of its exit rates.

    Both shares of a stage are kept, as 1 - share has no digits where the share is almost 1. Where
    both rates are 0 a unit never leaves, and both shares are 0.
    """

    extravasation: Array  # (P, 1, 1, 1) arrested: tries the vessel wall
    colonization: Array  # (P, O, 1) active: tries to found a colony
    reawakening: Array  # (P, O, 1) dormant: reawakens
    washout: Array  # (P, 1, 1, 1) arrested: is washed on
    dormancy: Array  # (P, O, 1) active: falls dormant
    death: Array  # (P, O, 1) dormant: dies


def exits(
    extravasation: Array,
    washout: Array,
    colonization: Array,
    dormancy: Array,
    reawakening: Array,
    dormant_death: Array,
) -> Exits:
    """Shares of competing exit rates (Equation 5.2, which exit).

    Args:
        extravasation: (P,) 1/day, as all others.
        washout: (P,).
        colonization: (P,).
        dormancy: (P, O).
        reawakening: (P, O).
        dormant_death: (P,).
    """
    cross, wash = _shares(extravasation, washout)
    found, sleep = _shares(colonization[:, None], dormancy)
    wake, die = _shares(reawakening, dormant_death[:, None])
    walls = (slice(None), None, None, None)
    return Exits(
        cross[walls], found[..., None], wake[..., None],
        wash[walls], sleep[..., None], die[..., None],
    )  # fmt: skip


def _shares(one: Array, other: Array) -> tuple[Array, Array]:
    one, other = np.minimum(one, MOST_PER_DAY), np.minimum(other, MOST_PER_DAY)
    return _ratio(one, one + other), _ratio(other, one + other)


class Gates(NamedTuple):
    """Gate probabilities for a unit in an organ, (P, O, K) each."""

    invasion: Array
    intravasation: Array
    extravasation: Array
    colonization: Array


class Passage(NamedTuple):
    """The passage of units in one regime."""

    gates: Gates
    exit: Exits
    destination: Array  # (P, O, K, C, 2, O) a unit that leaves an organ goes by that route and is
    # arrested at that organ (last two indices)
    destroyed: Array  # (P, O, K, C) a unit that leaves an organ is destroyed in transit


class Success(NamedTuple):
    """The best chance of ever founding a colony, by where the unit is."""

    invaded: Array  # (P, O, K, C)
    arrested: Array  # (P, O, K, C)
    active: Array  # (P, O, K)
    dormant: Array  # (P, O, K)


def success(regimes: Sequence[Passage]) -> Success:
    """The best chance of ever founding a colony, by where a unit is (Equation 7.1, success).

    The cascade is an absorbing Markov chain, with the best regime in every state.
    """
    # active <-> dormant: a loop that ends by founding, failing the gate, or dying asleep
    waking = _most([r.exit.reawakening for r in regimes])
    dying = np.minimum.reduce(_alike([r.exit.death for r in regimes]))
    active = _most(
        [
            _ratio(
                r.exit.colonization * r.gates.colonization,
                r.exit.colonization + r.exit.dormancy * dying,
            )
            for r in regimes
        ]
    )
    arrested = _arrested(regimes, active)
    invaded = _most(
        [r.gates.intravasation[..., None] * _entering(r, arrested).sum((-2, -1)) for r in regimes]
    )
    return Success(invaded, arrested, active, _most([waking * active]))


def _most(arrays: Sequence[Array]) -> Array:
    out = np.minimum(np.maximum.reduce(_alike(arrays)), 1.0)
    return np.where(out < LEAST, 0.0, out)


def _arrested(regimes: Sequence[Passage], active: Array) -> Array:
    """(P, O, K, C) best chance of an arrested unit (Equation 7.2), by policy iteration."""
    crossing, failing, chain = [], [], []
    for r in regimes:
        there = r.destination.sum(axis=-2)  # (P, O, K, C, O)
        succeeds = (r.gates.extravasation * active)[..., None]
        cross = r.exit.extravasation * succeeds
        wash = r.exit.washout[..., None] * there
        fail = r.exit.extravasation * (1.0 - succeeds) + r.exit.washout * r.destroyed
        cross, fail = np.broadcast_arrays(cross, fail)
        crossing.append(np.moveaxis(cross, 1, -1))  # (P, K, C, O)
        failing.append(np.moveaxis(fail, 1, -1))
        chain.append(np.moveaxis(wash, 1, -2))  # (P, K, C, O, O)
    right, lost, links = (np.stack(_alike(parts)) for parts in (crossing, failing, chain))
    shape = np.broadcast_shapes(right.shape, links.shape[:-1])
    right, lost = np.broadcast_to(right, shape), np.broadcast_to(lost, shape)
    links = np.broadcast_to(links, (*shape, shape[-1]))
    choice = right.argmax(axis=0)
    for _ in range(100):  # each round improves some state; a few suffice
        best, fails = (np.take_along_axis(part, choice[None], 0)[0] for part in (right, lost))
        link = np.take_along_axis(links, choice[None, ..., None], 0)[0]
        chance = absorbed(link, best[..., None], fails)[..., 0]
        offers = right + (links @ chance[..., None])[..., 0]
        if (offers.max(axis=0) <= chance * (1.0 + 1e-13)).all():
            break
        choice = offers.argmax(axis=0)
    return _most([np.moveaxis(chance, -1, 1)])


def _alike(arrays: Sequence[Array]) -> list[Array]:
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    return [np.broadcast_to(array, shape) for array in arrays]


def _entering(regime: Passage, arrested: Array) -> Array:
    """(P, O, K, C, 2, O) goes by that route, is arrested there, and will succeed from there."""
    return np.asarray(regime.destination * np.moveaxis(arrested, 1, -1)[:, None, :, :, None, :])


class Destined(NamedTuple):
    """How a destined unit moves in a regime; what is missing to 1 is doomed from here on."""

    leaving: Array  # (P, O, K, C) a unit that leaves its colony is destined
    entering: Array  # (P, O, K, C) an invaded unit enters the flow at its exit
    landing: Array  # (P, O, K, C, 2 O) cumulative over route * O + organ of arrest
    crossing: Array  # (P, O, K, C) an arrested unit crosses the wall at its exit
    washing: Array  # (P, O, K, C) an arrested unit is washed on at its exit
    founding: Array  # (P, O, K) an active unit founds at its exit
    sleeping: Array  # (P, O, K) an active unit falls dormant at its exit
    waking: Array  # (P, O, K) a dormant unit reawakens at its exit


class Doomed(NamedTuple):
    """How a doomed unit moves in a regime; what is missing to 1 dies."""

    invading: Array  # (P, O, K, C) passes the invasion gate
    intravasating: Array  # (P, O, K, C) passes the intravasation gate
    landing: Array  # (P, O, K, C, O) is arrested there rather than destroyed in transit
    crossing: Array  # (P, O, K, C) arrested: crosses the wall
    washing: Array  # (P, O, K, C) arrested: is washed on
    sleeping: Array  # (P, O, K) active: falls dormant
    waking: Array  # (P, O, K) dormant: reawakens


def destined(regime: Passage, chance: Success) -> Destined:
    """Step probabilities of destined units, given the chances (Equation 7.3, destined)."""
    gates, exit_ = regime.gates, regime.exit
    arrivals = _entering(regime, chance.arrested)
    arrivals = arrivals.reshape(*arrivals.shape[:4], -1)
    enters = arrivals.sum(axis=-1)
    landing = arrivals.copy()
    for bed in range(1, landing.shape[-1]):  # np.cumsum is slow along so short an axis
        landing[..., bed] += landing[..., bed - 1]
    crossing = exit_.extravasation * (gates.extravasation * chance.active)[..., None]
    return Destined(
        gates.invasion[..., None] * chance.invaded,
        _ratio(gates.intravasation[..., None] * enters, chance.invaded),
        _ratio(landing, landing[..., -1:]),
        _ratio(crossing, chance.arrested),
        _ratio(exit_.washout * enters, chance.arrested),
        _ratio(exit_.colonization * gates.colonization, chance.active),
        _ratio(exit_.dormancy * chance.dormant, chance.active),
        _ratio(exit_.reawakening * chance.active, chance.dormant),
    )


def doomed(regime: Passage, chance: Success) -> Doomed:
    """Step probabilities of doomed units, given the chances (Equation 7.4, doomed).

    What a doomed unit may do is summed, not taken from 1: so shares of the whole stay shares.
    """
    gates, exit_, destination = regime.gates, regime.exit, regime.destination
    enters = np.minimum(_entering(regime, chance.arrested).sum(axis=(-2, -1)), 1.0)
    invasion, intravasation = gates.invasion[..., None], gates.intravasation[..., None]
    invades = invasion * (1.0 - chance.invaded)
    intravasates = intravasation * (1.0 - enters)
    arrives = destination.sum(axis=-2) * (1.0 - np.moveaxis(chance.arrested, 1, -1)[:, None])
    lands = arrives.sum(axis=-1) + regime.destroyed
    active, passes = chance.active[..., None], gates.extravasation[..., None]
    crosses = exit_.extravasation * passes * (1.0 - active)
    washes = exit_.washout * (1.0 - enters)
    stays = crosses + washes + exit_.extravasation * (1.0 - passes)
    sleeps = exit_.dormancy * (1.0 - chance.dormant)
    rests = sleeps + exit_.colonization * (1.0 - gates.colonization)
    wakes = exit_.reawakening * (1.0 - chance.active)
    return Doomed(
        _ratio(invades, invades + (1.0 - invasion)),
        _ratio(intravasates, intravasates + (1.0 - intravasation)),
        _ratio(arrives, lands[..., None]),
        _ratio(crosses, stays),
        _ratio(washes, stays),
        _ratio(sleeps, rests),
        _ratio(wakes, wakes + exit_.death),
    )


def none_doomed(regime: Passage, chance: Success) -> Doomed:
    """As `doomed`, for who follows no doomed unit: none goes on, in an array for all patients."""
    organs = chance.active.shape[1]
    unit = np.zeros((1, *chance.invaded.shape[1:]))
    active = np.zeros((1, *chance.active.shape[1:]))
    landing = np.zeros((*unit.shape, organs))
    return Doomed(unit, unit, landing, unit, unit, active, active)
