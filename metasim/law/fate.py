"""Whether a unit that leaves its colony will ever found another: destined or doomed.

Units (single cells or clusters) are independent of each other, so the fate of each may be drawn
first and its path afterwards, conditioned on that fate (a Doob h-transform): exactly the law of
MODEL section 5, but only the few destined units need be followed one by one, with their
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

Array = NDArray[np.float64]


def _ratio(part: Array, whole: Array) -> Array:
    """Share part / whole where whole > 0, else 0, kept within [0, 1] against rounding."""
    part, whole = np.broadcast_arrays(part, whole)
    out = np.zeros(part.shape)
    np.divide(part, whole, out=out, where=whole > 0)
    return np.clip(out, 0.0, 1.0)


class Exits(NamedTuple):
    """What a unit does when it leaves a stage, before gates: shares of its exit rates."""

    extravasation: Array  # (P, 1, 1, 1) arrested: tries the vessel wall; else washed on
    colonization: Array  # (P, O, 1) active: tries to found a colony; else falls dormant
    reawakening: Array  # (P, O, 1) dormant: reawakens; else dies


def exits(
    extravasation: Array,
    washout: Array,
    colonization: Array,
    dormancy: Array,
    reawakening: Array,
    dormant_death: Array,
) -> Exits:
    """Shares of competing exit rates (all 1/day): (P,) each, dormancy and reawakening (P, O)."""
    return Exits(
        _ratio(extravasation, extravasation + washout)[:, None, None, None],
        _ratio(colonization[:, None], colonization[:, None] + dormancy)[..., None],
        _ratio(reawakening, reawakening + dormant_death[:, None])[..., None],
    )


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


class Success(NamedTuple):
    """The best chance of ever founding a colony, by where the unit is."""

    invaded: Array  # (P, O, K, C)
    arrested: Array  # (P, O, K, C)
    active: Array  # (P, O, K)
    dormant: Array  # (P, O, K)


def success(regimes: Sequence[Passage]) -> Success:
    """Solve the cascade's absorbing Markov chain, with the best regime in every state."""
    # active <-> dormant: a loop entered with probability (1 - colonization share) * reawakening
    waking = _most([r.exit.reawakening for r in regimes])
    active = _most(
        [
            _ratio(
                r.exit.colonization * r.gates.colonization,
                1.0 - (1.0 - r.exit.colonization) * waking,
            )
            for r in regimes
        ]
    )
    arrested = _arrested(regimes, active)
    invaded = _most(
        [r.gates.intravasation[..., None] * _entering(r, arrested).sum((-2, -1)) for r in regimes]
    )
    return Success(invaded, arrested, active, waking * active)


def _most(arrays: Sequence[Array]) -> Array:
    out = arrays[0]
    for array in arrays[1:]:
        out = np.maximum(out, array)
    return np.clip(out, 0.0, 1.0)


def _arrested(regimes: Sequence[Passage], active: Array) -> Array:
    """(P, O, K, C) best chance of an arrested unit: policy iteration over the regimes."""
    crossing, chain = [], []
    # where nothing crosses the wall the chain may never absorb; success is 0 there
    crosses = _most([r.exit.extravasation for r in regimes])[..., None] > 0
    for r in regimes:
        there = r.destination.sum(axis=-2)  # (P, O, K, C, O)
        cross = (r.exit.extravasation * (r.gates.extravasation * active)[..., None])[..., None]
        wash = np.where(crosses, (1.0 - r.exit.extravasation)[..., None] * there, 0.0)
        cross, wash = np.broadcast_arrays(cross, wash)
        crossing.append(np.moveaxis(cross[..., 0], 1, -1))  # (P, K, C, O)
        chain.append(np.moveaxis(wash, 1, -2))  # (P, K, C, O, O)
    right, links = np.stack(_alike(crossing)), np.stack(_alike(chain))
    choice = right.argmax(axis=0)
    for _ in range(100):  # each round improves some state; a few suffice
        best = np.take_along_axis(right, choice[None], 0)[0]
        link = np.take_along_axis(links, choice[None, ..., None], 0)[0]
        chance = np.linalg.solve(np.eye(link.shape[-1]) - link, best[..., None])[..., 0]
        offers = right + (links @ chance[..., None])[..., 0]
        if (offers.max(axis=0) <= chance * (1.0 + 1e-13)).all():
            break
        choice = offers.argmax(axis=0)
    return np.clip(np.moveaxis(chance, -1, 1), 0.0, 1.0)


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
    """Step probabilities of destined units, given the chances over all regimes."""
    gates, exit_, _ = regime
    arrivals = _entering(regime, chance.arrested)
    arrivals = arrivals.reshape(*arrivals.shape[:4], -1)
    enters = arrivals.sum(axis=-1)
    landing = np.cumsum(arrivals, axis=-1)
    crossing = exit_.extravasation * (gates.extravasation * chance.active)[..., None]
    return Destined(
        gates.invasion[..., None] * chance.invaded,
        _ratio(gates.intravasation[..., None] * enters, chance.invaded),
        _ratio(landing, landing[..., -1:]),
        _ratio(crossing, chance.arrested),
        _ratio((1.0 - exit_.extravasation) * enters, chance.arrested),
        _ratio(exit_.colonization * gates.colonization, chance.active),
        _ratio((1.0 - exit_.colonization) * chance.dormant, chance.active),
        _ratio(exit_.reawakening * chance.active, chance.dormant),
    )


def doomed(regime: Passage, chance: Success) -> Doomed:
    """Step probabilities of doomed units, given the chances over all regimes."""
    gates, exit_, destination = regime
    enters = _entering(regime, chance.arrested).sum(axis=(-2, -1))
    invasion, intravasation = gates.invasion[..., None], gates.intravasation[..., None]
    cross, wash = exit_.extravasation * gates.extravasation[..., None], 1.0 - exit_.extravasation
    found, sleep = exit_.colonization * gates.colonization, 1.0 - exit_.colonization
    active, wake = chance.active[..., None], exit_.reawakening
    stays = 1.0 - cross * active - wash * enters
    rests = 1.0 - found - sleep * chance.dormant
    fails = 1.0 - np.moveaxis(chance.arrested, 1, -1)[:, None]
    return Doomed(
        _ratio(invasion * (1.0 - chance.invaded), 1.0 - invasion * chance.invaded),
        _ratio(intravasation * (1.0 - enters), 1.0 - intravasation * enters),
        _ratio(destination.sum(axis=-2) * fails, (1.0 - enters)[..., None]),
        _ratio(cross * (1.0 - active), stays),
        _ratio(wash * (1.0 - enters), stays),
        _ratio(sleep * (1.0 - chance.dormant), rests),
        _ratio(wake * (1.0 - chance.active), 1.0 - wake * chance.active),
    )
