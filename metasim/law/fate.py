"""Whether a unit that leaves its colony will ever found another: destined or doomed.

Units (single cells or clusters) are independent of each other, so the fate of each may be drawn
first and its path afterwards, conditioned on that fate (a Doob h-transform): exactly the law of
MODEL section 5, but only the few destined units need be followed one by one, with their
parent; the many doomed ones are identical and are drawn as groups. `success` gives the probability
of ever founding a colony, `destined` and `doomed` the step probabilities given that fate.

Shapes: P patients (or 1), O organs, K phenotypes, C cluster classes; routes blood, lymph.
"""

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


class Success(NamedTuple):
    """Probability of ever founding a colony, by where the unit is."""

    leaving: Array  # (P, O, K, C) leaves its colony, invasion gate still ahead
    invaded: Array  # (P, O, K, C)
    entering: Array  # (P, O, K, C) enters blood or lymph of the organ
    arrested: Array  # (P, O, K, C)
    active: Array  # (P, O, K)
    dormant: Array  # (P, O, K)


def success(gates: Gates, exit_: Exits, destination: Array) -> Success:
    """Solve the linear system of the cascade's absorbing Markov chain.

    Args:
        gates: gate probabilities.
        exit_: shares of the exit rates.
        destination: (P, O, K, C, 2, O) probability that a unit that leaves an organ (second
            index) goes by that route and is arrested at that organ (last two indices).
    """
    # active <-> dormant: a loop entered with probability (1 - colonization share) * reawakening
    loop = (1.0 - exit_.colonization) * exit_.reawakening
    active = _ratio(exit_.colonization * gates.colonization, 1.0 - loop)
    dormant = exit_.reawakening * active
    to_organ = destination.sum(axis=-2)  # (P, O, K, C, O)
    crossing = exit_.extravasation * (gates.extravasation * active)[..., None]
    crossing = np.broadcast_to(crossing, np.broadcast_shapes(crossing.shape, to_organ.shape[:-1]))
    washed = (1.0 - exit_.extravasation)[..., None] * to_organ
    # where nothing crosses the wall the chain may never absorb; success is 0 there
    chain = np.where(exit_.extravasation[..., None] > 0, washed, 0.0)
    chain = np.moveaxis(chain, 1, -2)  # (P, K, C, O, O)
    right = np.moveaxis(crossing, 1, -1)[..., None]
    solved = np.linalg.solve(np.eye(chain.shape[-1]) - chain, right)[..., 0]
    arrested = np.clip(np.moveaxis(solved, -1, 1), 0.0, 1.0)
    landing = np.moveaxis(arrested, 1, -1)[:, None]  # (P, 1, K, C, O)
    entering = np.clip((to_organ * landing).sum(axis=-1), 0.0, 1.0)
    invaded = gates.intravasation[..., None] * entering
    leaving = gates.invasion[..., None] * invaded
    return Success(leaving, invaded, entering, arrested, active, dormant)


class Destined(NamedTuple):
    """How a unit moves, given that it will found a colony."""

    leaving: Array  # (P, O, K, C) a leaving unit is destined
    landing: Array  # (P, O, K, C, 2 O) cumulative over route * O + organ of arrest
    crossing: Array  # (P, O, K, C) an arrested unit crosses the wall at its exit; else washed on
    founding: Array  # (P, O, K) an active unit founds at its exit; else falls dormant


class Doomed(NamedTuple):
    """How a unit moves, given that it will never found a colony; what is missing to 1 dies."""

    invading: Array  # (P, O, K, C) passes the invasion gate
    intravasating: Array  # (P, O, K, C) passes the intravasation gate
    landing: Array  # (P, O, K, C, O) is arrested there rather than destroyed in transit
    crossing: Array  # (P, O, K, C) arrested: crosses the wall
    washing: Array  # (P, O, K, C) arrested: is washed on
    sleeping: Array  # (P, O, K) active: falls dormant
    waking: Array  # (P, O, K) dormant: reawakens


def destined(gates: Gates, exit_: Exits, destination: Array, chance: Success) -> Destined:
    """Step probabilities given success; arguments as for `success`, and its result."""
    landing_chance = np.moveaxis(chance.arrested, 1, -1)[:, None, :, :, None, :]
    landing = np.cumsum(
        (destination * landing_chance).reshape(*_lead(destination, chance), -1), axis=-1
    )
    landing = _ratio(landing, landing[..., -1:])
    crossing = exit_.extravasation * (gates.extravasation * chance.active)[..., None]
    founding = exit_.colonization * gates.colonization
    return Destined(
        chance.leaving,
        landing,
        _ratio(crossing, chance.arrested),
        _ratio(founding, chance.active),
    )


def _lead(destination: Array, chance: Success) -> tuple[int, ...]:
    """Leading shape (P, O, K, C) of the product of destination and landing chances."""
    patients = max(destination.shape[0], chance.arrested.shape[0])
    return (patients, *destination.shape[1:4])


def doomed(gates: Gates, exit_: Exits, destination: Array, chance: Success) -> Doomed:
    """Step probabilities given failure; arguments as for `success`, and its result."""
    to_organ = destination.sum(axis=-2)
    fails = 1.0 - np.moveaxis(chance.arrested, 1, -1)[:, None]
    cross = exit_.extravasation * (gates.extravasation * (1.0 - chance.active))[..., None]
    wash = (1.0 - exit_.extravasation) * (1.0 - chance.entering)
    sleep = (1.0 - exit_.colonization) * (1.0 - chance.dormant)
    return Doomed(
        _ratio(gates.invasion[..., None] * (1.0 - chance.invaded), 1.0 - chance.leaving),
        _ratio(gates.intravasation[..., None] * (1.0 - chance.entering), 1.0 - chance.invaded),
        _ratio(to_organ * fails, (1.0 - chance.entering)[..., None]),
        _ratio(cross, 1.0 - chance.arrested),
        _ratio(wash, 1.0 - chance.arrested),
        _ratio(sleep, 1.0 - chance.active),
        _ratio(exit_.reawakening * (1.0 - chance.active), 1.0 - chance.dormant),
    )
