"""What samples of blood, plasma and marrow hold on average (section 14 of docs/model).

Tests look at what is on its way, so nothing of the patient's course depends on them: what they
count is drawn around an expectation that follows from the colonies of the day.

P patients (or 1), O organs, K phenotypes, C cluster classes.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metasim.law.fate import Passage

Array = NDArray[np.float64]

FOREVER = 1e-9
"""Share of units that end at each bed at least: those that nothing stops are not carried round for
more than 1e9 beds."""


def beds_met(hop: Array, arrest: Array, death_per_pass: Array) -> Array:
    """Beds that a unit meets by blood until it is arrested or destroyed (Equation 14.1, beds met).

    Args:
        hop: (1 or P, 2 O, 2 O) from `metasim.law.vessels.hop_matrix`.
        arrest: (P, O, K, C) probability of arrest at a bed, if not destroyed there.
        death_per_pass: (P, C) probability of being destroyed at each bed.

    Returns:
        (P, 2 O, K, C) mean number, by the state (route * O + organ) that it leaves.
    """
    n = arrest.shape[1]
    carried = (1.0 - death_per_pass)[:, None, None, :] * (1.0 - arrest) * (1.0 - FOREVER)
    carried = np.moveaxis(carried, 1, -1)  # (P, K, C, O)
    moves = hop[:, None, None] * np.concatenate([carried, carried], axis=-1)[..., None, :]
    by_blood = hop[..., :n].sum(axis=-1)[:, None, None, :, None]
    met = np.linalg.solve(np.eye(2 * n) - moves, np.broadcast_to(by_blood, (*moves.shape[:-1], 1)))
    return np.asarray(np.moveaxis(met[..., 0], -1, 1))


class Yield(NamedTuple):
    """What comes of a cell that leaves its colony, on average, before it founds another."""

    beds: Array  # (P, O, K) beds met in the blood
    marrow: Array  # (P, O, K) times that it crosses the vessel wall of the marrow


def yields(
    passage: Passage, beds: Array, lymph: Array, cluster_share: Array, marrow: int | None
) -> Yield:
    """What comes of a cell that leaves its colony (Equation 14.2, yield).

    Args:
        passage: how units pass.
        beds: from `beds_met`.
        lymph: (P, O) share of the units that leave an organ by lymph.
        cluster_share: (P, C) share of the leaving cells.
        marrow: organ that holds the marrow; None: there is none.
    """
    n = lymph.shape[1]
    share = lymph[:, :, None, None]
    start = (1.0 - share) * beds[:, :n] + share * beds[:, n:]  # (P, O, K, C)
    there = np.moveaxis(passage.destination.sum(axis=-2), 1, -2)  # (P, K, C, O, O)
    ends = [np.moveaxis(start, 1, -1)]
    if marrow is not None:
        crossing = passage.exit.extravasation * passage.gates.extravasation[..., None]
        crossing = crossing[:, marrow]  # (P, K, 1)
        ends.append(there[..., marrow] * crossing[..., None])
    right = np.stack(np.broadcast_arrays(*ends), axis=-1)
    chain = np.eye(n) - there * passage.exit.washout[..., None] * (1.0 - FOREVER)
    total = np.moveaxis(np.linalg.solve(chain, right), -2, 1)  # (P, O, K, C, 1 or 2)
    of_cell = (total * cluster_share[:, None, None, :, None]).sum(axis=3)
    gates = (passage.gates.invasion * passage.gates.intravasation)[..., None]
    out = gates * of_cell
    return Yield(out[..., 0], out[..., 1] if marrow is not None else np.zeros_like(out[..., 0]))


class Marrow(NamedTuple):
    """What becomes of a cell that has crossed into the marrow, (P,) each."""

    sleeps: Array  # share that falls asleep
    leaves_per_day: Array  # rate at which sleepers leave for good
    wakes_per_day: Array  # rate at which they reawaken
    active_days: Array  # mean time awake, until asleep or off


def marrow_of(colonization: Array, dormancy: Array, reawakening: Array, death: Array) -> Marrow:
    """Rates of the dormant cells of the marrow (Equation 14.5, sleepers).

    Args:
        colonization: (P,) rate at which an active cell tries to found a colony, 1/day.
        dormancy: (P,) rate at which it falls asleep, 1/day.
        reawakening: (P,) rate at which a sleeper wakes, 1/day.
        death: (P,) rate at which it dies, 1/day.
    """
    off = np.maximum(colonization + dormancy, 1e-300)
    sleeps = dormancy / off
    return Marrow(sleeps, death + reawakening * (1.0 - sleeps), reawakening, 1.0 / off)


def sample_days(bed_days: Array, blood_ml: float, blood_litres: Array, recovery: Array) -> Array:
    """Circulating cells found in a sample per bed that cells meet in a day (Equation 14.3, sample).

    Args:
        bed_days: time from one bed to the next.
        blood_ml: volume of the sample.
        blood_litres: volume of all blood.
        recovery: share of the cells of a sample that the assay finds.
    """
    return bed_days * (blood_ml / (1000.0 * blood_litres)) * recovery


def circulating(cells: float, leaving_per_day: float, beds: float, days: float) -> float:
    """Mean number of a colony's cells found in a blood sample (Equation 14.4, circulating cells).

    Args:
        cells: of a phenotype in the colony.
        leaving_per_day: rate at which each leaves.
        beds: that one meets which has left, see `yields`.
        days: from `sample_days`.
    """
    return cells * leaving_per_day * beds * days


def sleepers(
    asleep: float, inflow_per_day: float, sleeps: float, leaves_per_day: float, days: float
) -> float:
    """Dormant cells of the marrow some days later, at a steady inflow (Equation 14.6, pool).

    Args:
        asleep: cells at the start.
        inflow_per_day: cells that cross into the marrow.
        sleeps: see `Marrow`, as the next.
        leaves_per_day: rate.
        days: time.
    """
    left = leaves_per_day * days
    if left < 1e-12:
        return asleep + sleeps * inflow_per_day * days
    gone = -math.expm1(-left)
    return asleep * (1.0 - gone) + sleeps * inflow_per_day / leaves_per_day * gone


def disseminated(
    asleep: float, inflow_per_day: float, wakes_per_day: float, active_days: float
) -> float:
    """Dormant and active cells of the marrow (Equation 14.7, disseminated cells).

    Args:
        asleep: dormant cells.
        inflow_per_day: cells that cross into the marrow.
        wakes_per_day: see `Marrow`, as the next.
        active_days: mean time awake.
    """
    return asleep + (inflow_per_day + wakes_per_day * asleep) * active_days


def plasma_days(
    half_life_days: Array,
    released: Array,
    plasma_ml: float,
    plasma_litres: Array,
    recovery: Array,
) -> Array:
    """Mutant copies found in a sample per cell that dies in a day (Equation 14.8, fragments).

    The half-life is short against the time in which a tumour changes, so that the plasma is at
    the steady state of the day. All arrays (P,); the result too, in copies per death and day.

    Args:
        half_life_days: of tumour DNA in the plasma.
        released: mutant copies that reach the plasma per cell that dies.
        plasma_ml: volume of the sample.
        plasma_litres: volume of all plasma.
        recovery: share of the copies of a sample that the assay finds.
    """
    mean_life_days = half_life_days / math.log(2.0)
    return released * mean_life_days * (plasma_ml / (1000.0 * plasma_litres)) * recovery


def tumour_dna(cells: float, death_per_day: float, days: float) -> float:
    """Mean number of a colony's mutant copies found in a sample (Equation 14.9, tumour DNA).

    Args:
        cells: of a phenotype in the colony.
        death_per_day: turnover: rate at which each dies.
        days: from `plasma_days`.
    """
    return cells * death_per_day * days


def counts(rng: np.random.Generator, expected: Sequence[float] | Array) -> Array:
    """What tests find, (n,): Poisson around what is expected (Equation 14.10, count)."""
    return rng.poisson(np.minimum(expected, 1e15)).astype(np.float64)
