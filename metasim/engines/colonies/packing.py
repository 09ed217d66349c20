"""The law and the course of a chunk of patients as the compiled engine reads them.

What is read together lies together: one row with named columns per patient, organ, phenotype or
cluster class. Leading axes are the different ones among the regimes, and patients P, of length 1
where all are alike; `biology_of_patient` and `clinic_of_patient` cut out one patient in one regime.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from metasim.engines.colonies.kernel import merged
from metasim.engines.record import Rows
from metasim.law.arrays import Array, Course, Flags, Ints, Law
from metasim.law.eligibility import Conditions

_T = TypeVar("_T")
_WHOLE, _REAL, _FLAG = np.int64, np.float64, np.bool_

RATES = np.dtype(
    [
        ("growth_law", _WHOLE),
        ("power_exponent", _REAL),
        ("avascular_cells", _REAL),
        ("onset_cells", _REAL),
        ("angiogenesis_per_day", _REAL),
        ("invasion_per_day", _REAL),
        ("invasion_reference_cells", _REAL),
        ("border_exponent", _REAL),
        ("marrow_sleeps", _REAL),
        ("marrow_leaves_per_day", _REAL),
        ("marrow_wakes_per_day", _REAL),
        ("marrow_active_days", _REAL),
    ]
)
GROWTH = np.dtype(
    [
        ("rho", _REAL),
        ("death", _REAL),
        ("capacity", _REAL),
        ("circulating_beds", _REAL),
        ("marrow_crossings", _REAL),
    ]
)
CLUSTER = np.dtype([("cells", _WHOLE), ("share", _REAL)])
# chances of destined units (what is missing to 1 is doomed from here on), then of doomed ones
# (what is missing to 1 dies): the fields of `metasim.law.fate.Destined` and `Doomed`
DESTINED = ("leaving", "entering", "crossing", "washing", "founding", "sleeping", "waking")
DOOMED = ("invading", "intravasating", "crossing", "washing", "sleeping", "waking")
FATES = np.dtype(
    [
        *((name, _REAL) for name in DESTINED),
        *((f"doomed_{name}", _REAL) for name in DOOMED),
    ]
)
RULES = np.dtype(
    [
        ("dt_days", _REAL),
        ("follow_steps", _WHOLE),
        ("from_diagnosis", _FLAG),
        ("undiagnosed_steps", _WHOLE),
        ("small_cells", _REAL),
        ("small_steps", _WHOLE),
        ("record_every_days", _REAL),
        ("max_colonies", _WHOLE),
        ("micro_cells", _REAL),
        ("macro_cells", _REAL),
        ("pathology_cells", _REAL),
        ("primary_organ", _WHOLE),
        ("cells_per_cm3", _REAL),
        ("diagnosis_cells", _REAL),
        ("symptom_per_day_per_cell", _REAL),
        ("t2_cells", _REAL),
        ("t3_cells", _REAL),
        ("screening_interval_days", _REAL),
        ("screening_from_years", _REAL),
        ("screening_to_years", _REAL),
        ("screening_half_cells", _REAL),
        ("screening_slope", _REAL),
        ("follow_up_days", _REAL),
        ("restaging", _FLAG),
        ("blood_tested", _FLAG),
        ("sample_days", _REAL),
        ("marrow_organ", _WHOLE),  # -1: no aspirates
        ("aspirate_fraction", _REAL),
        ("plasma_tested", _FLAG),
        ("plasma_days", _REAL),
        ("tests_on_visits", _FLAG),
        ("age_years", _REAL),
        ("other_death_per_day", _REAL),
        ("other_death_growth_per_day", _REAL),
        ("lethal_total_cells", _REAL),
        ("quiet_cells", _REAL),  # outside the primary's organ, what is below is not felt, nor kills
        ("most_events", _WHOLE),
    ],
    align=True,
)
ORGAN = np.dtype(
    [
        ("detection_cells", _REAL),
        ("restaging_cells", _REAL),
        ("lethal_cells", _REAL),
        ("nodes", _WHOLE),
        ("node_pass_prob", _REAL),
        ("node_cells", _REAL),
        ("distant", _FLAG),
        ("regional", _FLAG),
    ],
    align=True,
)
SYMPTOM = np.dtype([("organ", _WHOLE), ("cells", _REAL)])
TREATMENT = np.dtype(
    [
        ("trigger", _WHOLE),
        ("organ", _WHOLE),
        ("cycles", _WHOLE),
        ("nodes", _WHOLE),
        ("regime", _WHOLE),
        ("delay_days", _REAL),
        ("interval_days", _REAL),
        ("duration_days", _REAL),
        ("to_progression", _FLAG),
        ("removes", _FLAG),
        ("seen_only", _FLAG),
        ("spares_dormant", _FLAG),
        ("by_hazard", _FLAG),
    ],
    align=True,
)
EFFECT = np.dtype([("survival", _REAL), ("hazard_per_day", _REAL)])


class Biology(NamedTuple):
    """What grows and moves; (D, P, ...), or without these axes for one patient in one regime.

    D are the different ones among the R regimes: most treatments change a few arrays only.
    """

    rates: Rows  # () RATES
    growth: Rows  # (O, K) GROWTH
    mutation: Array  # (K, K)
    clusters: Rows  # (C,) CLUSTER
    exits: Array  # (4, O) exit rate per day by `state.Place`
    fates: Rows  # (O, K, C) FATES
    landing: Array  # (O, K, C, 2 O) of destined units, cumulative over route * O + organ
    landing_doomed: Array  # (O, K, C, O)
    place: Ints  # (R, 8) which of the different arrays, in this order, a regime has


class Clinic(NamedTuple):
    """What happens around the cells; arrays of patients have a leading axis P."""

    rules: Rows  # () RULES
    organs: Rows  # (O,) ORGAN
    symptoms: Rows  # (S,) SYMPTOM
    initial_cells: Ints  # (K,) of the primary
    treatments: Rows  # (T,) TREATMENT, of all patients, as the next three
    effects: Rows  # (T, O, K) EFFECT
    only_organs: Flags  # (T, O)
    only_if: Conditions
    offered: Flags  # (T,)
    responds: Flags  # (T,)


def biology_of(law: Law) -> Biology:
    """The law of a chunk, packed."""
    each = law.regimes
    parts = (
        _packed(each, RATES, 0, lambda r: {name: getattr(r, name) for name in RATES.names or ()}),
        _packed(each, GROWTH, 2, lambda r: {name: getattr(r, name) for name in GROWTH.names or ()}),
        _stacked([r.mutation for r in each]),
        _packed(each, CLUSTER, 1, lambda r: {"cells": r.cluster_cells, "share": r.cluster_share}),
        _exits(each),
        _packed(each, FATES, 3, _fates),
        _stacked([r.destined.landing for r in each]),
        _stacked([r.doomed.landing for r in each]),
    )
    places = np.stack([place for _, place in parts], axis=1)
    return Biology._make([*(array for array, _ in parts), places])


def _fates(law: Law) -> dict[str, Array]:
    yes = {name: getattr(law.destined, name) for name in DESTINED}
    return yes | {f"doomed_{name}": getattr(law.doomed, name) for name in DOOMED}


def _exits(each: tuple[Law, ...]) -> tuple[Array, Ints]:
    made: dict[int, Array] = {}  # regimes in which units move alike share their arrays
    for law in each:
        rates = (
            law.intravasation_per_day,
            law.extravasation_per_day + law.washout_per_day,
            law.colonization_per_day + law.dormancy_per_day,
            law.reawakening_per_day + law.dormant_death_per_day,
        )
        made.setdefault(
            id(law.dormancy_per_day),
            np.stack(np.broadcast_arrays(*rates, law.lymph)[:4], axis=1),
        )
    return _stacked([made[id(law.dormancy_per_day)] for law in each])


def _packed(
    each: tuple[Law, ...], dtype: np.dtype[Any], axes: int, take: Callable[[Law], Mapping[str, Any]]
) -> tuple[Rows, Ints]:
    """Arrays of all regimes as one of rows, (D, P, ...) with so many axes behind, and places.

    Arrays with fewer axes hold for all entries of those they lack.
    """
    parts, place = _different([take(law) for law in each], lambda part: [*part.values()])
    columns = [{name: _fitted(array, axes) for name, array in part.items()} for part in parts]
    shape = np.broadcast_shapes(*(a.shape for part in columns for a in part.values()))
    out = np.zeros((len(parts), *shape), dtype)
    for regime, part in enumerate(columns):
        for name, array in part.items():
            out[name][regime] = array
    return out, place


def _different(parts: list[_T], arrays: Callable[[_T], list[Array]]) -> tuple[list[_T], Ints]:
    """Those of the regimes' parts that are made of other arrays, and which of them each has."""
    keys = [tuple(map(id, arrays(part))) for part in parts]
    first = list(dict.fromkeys(keys))
    return [parts[keys.index(key)] for key in first], np.array([first.index(key) for key in keys])


def _fitted(array: Any, axes: int) -> Any:
    """An array of patients with so many axes behind the first."""
    if array.dtype == _WHOLE:  # the same for every patient
        array = array[None]
    return array.reshape(array.shape[: 1 + axes] + (1,) * (1 + axes - array.ndim))


def _stacked(regimes: list[Array]) -> tuple[Array, Ints]:
    """The different arrays of all regimes side by side, and which of them each regime has."""
    different, place = _different(regimes, lambda array: [array])
    shape = np.broadcast_shapes(*(array.shape for array in different))
    stacked = np.stack([np.broadcast_to(array, shape) for array in different])
    return np.ascontiguousarray(stacked), place


def clinic_of(course: Course) -> Clinic:
    """The course of a chunk, packed."""
    plan = course.plan
    n_organs, n_symptoms = course.detection_cells.shape[-1], len(course.symptom_organ)
    n_treatments = len(plan.trigger)
    made = ("most_events", "quiet_cells")
    rules = {name: getattr(course, name) for name in RULES.names or () if name not in made}
    # diagnosis, death, a relapse in each organ; a treatment's start, cycles and end
    most_events = 2 + n_organs + n_symptoms + 2 * n_treatments + int(plan.cycles.sum())
    most_events = most_events + _most_seen(course)
    treatments = {
        name: getattr(plan, name) for name in TREATMENT.names or () if name != "by_hazard"
    }
    by_hazard = plan.hazard_per_day.any(axis=(1, 2))
    return Clinic(
        _columns(
            RULES,
            **{name: np.reshape(value, -1) for name, value in rules.items()},
            most_events=most_events,
            quiet_cells=_quiet_cells(course),
        ),
        _columns(ORGAN, **{name: getattr(course, name) for name in ORGAN.names or ()}),
        _columns(SYMPTOM, organ=course.symptom_organ, cells=course.symptom_cells),
        np.array(course.initial_cells, order="C"),
        _columns(TREATMENT, **treatments, by_hazard=by_hazard),
        _columns(EFFECT, survival=plan.survival, hazard_per_day=plan.hazard_per_day),
        np.array(plan.only_organs, order="C"),
        plan.only_if,
        np.array(course.offered, order="C"),
        np.array(course.responds, order="C"),
    )


def _quiet_cells(course: Course) -> Array:
    """(1 or P,) least burden outside the primary's organ that is felt or kills an organ.

    0 where the primary can do either by the burden of its organ.
    """
    lethal, felt = course.lethal_cells, course.symptom_cells
    least = np.minimum(lethal.min(axis=1), felt.min(axis=1, initial=np.inf))
    felt_there = (course.symptom_organ == course.primary_organ).any()
    kills_there = np.isfinite(lethal[:, course.primary_organ])
    return np.where(kills_there | felt_there, 0.0, least)


def _most_seen(course: Course) -> Array:
    """(1 or P,) visits, restagings and tests of a patient at most."""
    follow_up_days = course.follow_up_days[:, 0]
    days = course.follow_steps * course.dt_days
    visits = np.asarray(days // np.maximum(follow_up_days, course.dt_days))
    seen = course.tests * (1.0 + course.tests_on_visits * (visits + 1.0))
    if course.restaging:
        organs_and_symptoms = course.detection_cells.shape[-1] + len(course.symptom_organ)
        seen = seen + visits + (2 + organs_and_symptoms)
    return np.asarray(seen)


def _columns(dtype: np.dtype[Any], **columns: Any) -> Rows:
    """A structured array of columns, broadcast against each other."""
    out = np.zeros(np.broadcast_shapes(*(np.shape(c) for c in columns.values())), dtype)
    for name, column in columns.items():
        out[name] = column
    return out


@merged
def row(array, k):
    """Row k of an array, or the only one: where all patients, or all regimes, are alike."""
    return array[k if len(array) > 1 else 0]


@merged
def biology_of_patient(chunk, regime, k):
    """The part of a regime and of the k-th patient of the chunk."""
    place = chunk.place[regime]
    return Biology(
        row(chunk.rates[place[0]], k),
        row(chunk.growth[place[1]], k),
        row(chunk.mutation[place[2]], k),
        row(chunk.clusters[place[3]], k),
        row(chunk.exits[place[4]], k),
        row(chunk.fates[place[5]], k),
        row(chunk.landing[place[6]], k),
        row(chunk.landing_doomed[place[7]], k),
        chunk.place,
    )


@merged
def clinic_of_patient(chunk, k):
    """The part of the k-th patient of the chunk."""
    return Clinic(
        row(chunk.rules, k),
        row(chunk.organs, k),
        row(chunk.symptoms, k),
        row(chunk.initial_cells, k),
        chunk.treatments,
        chunk.effects,
        chunk.only_organs,
        chunk.only_if,
        row(chunk.offered, k),
        row(chunk.responds, k),
    )
