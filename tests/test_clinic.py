"""The clinical course against facts that are worked out here, in both engines.

A cohort is recorded on every step, so that what a visit, a rule or a burden must lead to follows
from the records themselves; the rest are steady primaries of a known size.
"""

import math
from functools import cache

import numpy as np
import pytest

import metasim as ms
from metasim.engines import cells, colonies
from metasim.engines.record import DEATH_NONE, DEATH_OTHER, DEATH_TOTAL
from metasim.parameters.course import course_of
from metasim.parameters.rates import law_of
from metasim.terms import Event, Gate, Tally
from tests import twin
from tests.significance import caught, counts_p, holds, share_p

ENGINES = pytest.mark.parametrize("engine", [colonies, cells], ids=["colonies", "cells"])
NODES, LUNG, LIVER = 1, 2, 3
DT, VISITS = 4.0, 8.0


def records(asked, engine, patients):
    streams = [[np.random.default_rng((seed, i)) for i in range(2)] for seed in range(patients)]
    return list(twin.records_of(engine, law_of(asked), course_of(asked), streams))


def steady(size, days, **changes):
    """A primary of some cells in which nothing happens."""
    still = {"rho_per_day": 0.0, "turnover_per_day": 0.0}
    base = {
        "run": {"years": days / 365.25, "dt_days": 1.0, "record_every_days": days},
        "rates": {"invasion_per_day": 0.0},
        "growth": still,
        "primary": {"initial_cells": size},
    }
    return twin.scenario(**twin._merged(base, changes))


# a cohort: treatments that do nothing tell when they would have been given

STARTS = ("diagnosis", "relapse", "relapse in liver", "relapse in nodes")
DAY, LEAST, MOST = 48.0, 20.0, 40.0
LETHAL, LETHAL_LIVER, COUGH, LUMP = 620.0, 30.0, 20.0, 250.0


def marker(start, **only_if):
    return {"kind": "marker", "start": start, "log_kill": 0.0, "only_if": only_if}


RULES = (
    {"organ": ["lung"]},
    {"organ": ["lung", "nodes"]},
    {"burden_cells": {"min": LEAST, "max": MOST}},
)
REMOVAL = {
    "kind": "metastasectomy", "organ": "lung", "start": DAY, "residual_fraction": 0.0,
    "seen_only": True,
}  # fmt: skip


def cohort_scenario(*more):
    return twin.scenario(
        run={"years": 76 / 365.25, "dt_days": DT, "record_every_days": DT},
        growth={"law": "logistic", "rho_per_day": 0.07, "capacity_cells": 300.0},
        rates={"invasion_per_day": 0.02},
        primary={"initial_cells": 120},
        clinic={
            "diagnosis_diameter_mm": 3.0, "cells_per_cm3": 17_000.0, "follow_up_days": VISITS,
            "micro_cells": 2.0, "macro_cells": 4.0, "lethal_cells": LETHAL,
        },
        soil={
            "breast": {"lymph_fraction": 0.7, "symptoms": {"lump": LUMP}},
            "nodes": {"growth_factor": 1.6, "multiplier": {"arrest": 5.0}},
            "lung": {"detection_cells": 5.0, "symptoms": {"cough": COUGH}},
            "liver": {
                "growth_factor": 1.5, "detection_cells": 6.0, "lethal_cells": LETHAL_LIVER,
                "multiplier": {"arrest": 1.0, "colonization": 1.0},
            },
        },
        treatment=[*map(marker, STARTS), *(marker(DAY, **rule) for rule in RULES), *more],
    )  # fmt: skip


@cache
def cohort(engine, *, treated=False):
    patients = 400 if engine is colonies else 70
    return records(cohort_scenario(*[REMOVAL] * treated), engine, patients)


def days_of(record, event, organ=None, which=None):
    rows = record.events[record.events["event"] == event]
    for column, wanted in (("organ", organ), ("which", which)):
        if wanted is not None:
            rows = rows[rows[column] == wanted]
    return rows["day"].tolist()


def burdens(record):
    """(days, organs and then all) cells of colonies."""
    by_organ = record.organ_cells.sum(axis=2)
    return np.column_stack([by_organ, by_organ.sum(axis=1)])


def first(days):
    return [min(days)] if days else []


@ENGINES
def test_n_counts_nodal_metastases_and_m_those_seen(engine):
    found = []
    for record in cohort(engine):
        if math.isnan(record.diagnosis_day):
            assert np.isnan(record.staging).all()
            continue
        now = record.recorded_days.tolist().index(record.diagnosis_day)
        nodes = record.metastases[now, NODES]
        micro, macro = nodes["micro"], nodes["macro"]
        n = 0 if micro + macro == 0 else 1
        if macro > 0:
            n = 2 if macro <= 3 else 3 if macro <= 9 else 4
        distant = days_of(record, Event.RELAPSE, LUNG) + days_of(record, Event.RELAPSE, LIVER)
        m = any(day <= record.diagnosis_day for day in distant)
        assert record.staging[1:] == (n, m)
        found.append((n, m))
    assert {n for n, _ in found} >= {0, 1, 2, 3}
    assert {m for _, m in found} == {False, True}


@ENGINES
def test_relapse_is_seen_at_visits_only(engine):
    later = 0
    for record in cohort(engine):
        for organ in range(len(twin.ORGANS)):
            here = record.colonies["detected_day"][1:][record.colonies["organ"][1:] == organ]
            assert days_of(record, Event.RELAPSE, organ) == first(here[np.isfinite(here)].tolist())
        since = record.colonies["detected_day"][1:] - record.diagnosis_day
        since = since[np.isfinite(since)]
        assert (since >= 0).all() and (since % VISITS == 0).all()
        later += (since > 0).sum()
        if math.isnan(record.diagnosis_day):
            assert np.isnan(record.colonies["detected_day"][1:]).all()
    assert later > 20


@ENGINES
def test_a_symptom_is_felt_when_the_burden_passes_its_threshold(engine):
    felt = [0, 0]
    for record in cohort(engine):
        for s, (organ, threshold) in enumerate(((0, LUMP), (LUNG, COUGH))):
            past = burdens(record)[:, organ] >= threshold
            days = days_of(record, Event.SYMPTOM, organ, s)
            assert days == first(record.recorded_days[past].tolist())
            felt[s] += len(days)
    assert min(felt) > 0 and felt[1] < len(cohort(engine))


@ENGINES
def test_death_comes_with_a_lethal_burden(engine):
    causes = set()
    lethal = np.array([np.inf, np.inf, np.inf, LETHAL_LIVER, LETHAL])
    for record in cohort(engine):
        past = burdens(record) >= lethal
        assert not past[:-1].any()
        causes.add(record.death_cause)
        if not past[-1].any():
            assert record.death_cause == DEATH_NONE and math.isnan(record.death_day)
            continue
        assert record.death_cause == (LIVER if past[-1, LIVER] else DEATH_TOTAL)
        assert record.death_day == record.end_day == record.recorded_days[-1]
    assert causes == {DEATH_NONE, LIVER, DEATH_TOTAL}


@ENGINES
def test_treatment_follows_its_event(engine):
    found = np.zeros(len(STARTS))
    for record in cohort(engine):
        seen = [days_of(record, Event.RELAPSE, organ) for organ in range(len(twin.ORGANS))]
        expected = (
            days_of(record, Event.DIAGNOSIS), first(seen[LUNG] + seen[LIVER]), seen[LIVER],
            seen[NODES],
        )  # fmt: skip
        given = [days_of(record, Event.TREATMENT_START, which=t) for t in range(len(STARTS))]
        assert given == list(expected)
        found += [len(days) for days in given]
    assert (found > 0).all() and (found[1:] < len(cohort(engine))).all()


@ENGINES
def test_only_those_who_meet_the_condition_are_treated(engine):
    given = []
    for record in cohort(engine):
        if record.end_day < DAY:
            continue
        now = record.recorded_days.tolist().index(DAY)
        seen = {o for o in (LUNG, NODES) for day in days_of(record, Event.RELAPSE, o) if day <= DAY}
        burden = record.tallies[now, 5:, :, Tally.CELLS].sum()
        expected = [LUNG in seen, len(seen) > 0, bool(LEAST <= burden <= MOST)]
        starts = [days_of(record, Event.TREATMENT_START, which=len(STARTS) + i) for i in range(3)]
        assert starts == [[DAY] * yes for yes in expected]
        given.append((*expected, burden > MOST))
    share = np.mean(given, axis=0)
    assert (share > 0.05).all() and (share[:3] < 0.95).all() and share[0] < share[1]


@ENGINES
def test_what_is_not_seen_is_left(engine):
    removed, left = 0, 0
    for plain, record in zip(cohort(engine), cohort(engine, treated=True), strict=True):
        if plain.end_day < DAY:
            continue
        # the same patient up to that day
        before = plain.colonies["founded_day"] <= DAY
        n = before.sum()
        for name in ("parent", "organ", "route", "founders", "founded_day"):
            assert (plain.colonies[name][:n] == record.colonies[name][:n]).all()
        gone, seen = record.colonies["extinct_day"][:n], record.colonies["detected_day"][:n] <= DAY
        had_gone = plain.colonies["extinct_day"][:n] <= DAY
        treated = seen & (record.colonies["organ"][:n] == LUNG) & ~had_gone
        treated[0] = False
        assert ((gone <= DAY) == (had_gone | treated)).all()
        of_units = record.tallies[:, [1, 2, 3, 4], :, Tally.REMOVED]
        assert of_units.sum() == 0
        removed += treated.sum()
        left += (~treated & ~had_gone & (record.colonies["organ"][:n] == LUNG)).sum()
    assert removed > 5 and left > 20


# steady primaries


@ENGINES
@pytest.mark.parametrize(
    ("cells_per_cm3", "size", "t"),
    # spheres of 20 mm and 50 mm have 4.189 and 65.45 cm3
    [(10.0, 41, 1), (10.0, 42, 2), (10.0, 654, 2), (10.0, 655, 3), (2.0, 130, 2), (2.0, 131, 3)],
)
def test_t_is_cut_at_20_and_50_mm(engine, cells_per_cm3, size, t):
    clinic = {"diagnosis_diameter_mm": 5.0, "cells_per_cm3": cells_per_cm3}
    (record,) = records(steady(size, 1, clinic=clinic), engine, 1)
    assert record.diagnosis_day == 0.0
    assert record.staging == (t, 0, 0)


@ENGINES
def test_screening_finds_what_its_sensitivity_says(engine):
    interval, patients = 6.0, 1500 if engine is colonies else 400

    def p_value(half, slope, size, visits, other=1.0):
        clinic = {"screening_interval_days": interval, "screening_half_mm": half * other,
                  "screening_slope": slope, "cells_per_cm3": 10.0}  # fmt: skip
        asked = steady(size, visits * interval, clinic=clinic)
        mm = 20.0 * (3.0 * size / 10.0 / (4.0 * math.pi)) ** (1 / 3)
        missed = 1.0 - 1.0 / (1.0 + (half / mm) ** slope)
        found = sum(r.diagnosis_day <= visits * interval for r in records(asked, engine, patients))
        return share_p(found, patients, 1.0 - missed**visits)

    # 10 cells have 12.4 mm, 40 have 19.7 mm
    for half, slope, size, visits in ((10.0, 3.0, 10, 1), (25.0, 2.0, 40, 1), (25.0, 2.0, 10, 3)):
        assert holds(p_value(half, slope, size, visits))
    assert caught(p_value(25.0, 3.0, 40, 1, other=0.8))


@ENGINES
def test_other_causes_kill_by_gompertz(engine):
    years, dt, patients = 40.0, 365.25, 2500 if engine is colonies else 400
    hazard, growth, age = 3e-5, 0.1, 58.0

    def p_value(true_age):
        clinic = {"age_years": age, "other_death_per_year": hazard,
                  "other_death_growth_per_year": growth}  # fmt: skip
        run = {"dt_days": dt, "record_every_days": 1e5}
        asked = steady(1, years * 365.25, clinic=clinic, run=run)
        found = records(asked, engine, patients)
        assert {r.death_cause for r in found} == {DEATH_NONE, DEATH_OTHER}
        died = [r.death_day / dt for r in found if r.death_cause == DEATH_OTHER]
        edges = np.arange(0.0, years + 1.0, 4.0)  # a death is booked at the end of its year
        observed = np.histogram(died, edges + 0.5)[0]
        risk = np.expm1(growth * edges) * hazard * np.exp(growth * true_age) / growth
        alive = np.exp(-risk)
        return counts_p([*observed, patients - len(died)], [*-np.diff(alive), alive[-1]])

    assert holds(p_value(age))
    assert caught(p_value(age + 3.0))


@ENGINES
@pytest.mark.parametrize(
    ("ends", "given"),
    [({"max": 62.0}, True), ({"max": 61.9}, False), ({"min": 62.0}, True), ({"min": 62.1}, False),
     ({"min": 60.0, "max": 61.0}, False), ({"min": 61.0, "max": 63.0}, True)],
)  # fmt: skip
def test_age_is_that_of_the_day(engine, ends, given):
    drug = {"kind": "drug", "start": 730.5, "log_kill": 99.0, "only_if": {"age_years": ends}}
    run = {"dt_days": 182.625, "record_every_days": 1e5}
    asked = steady(5, 1461, run=run, clinic={"age_years": 60.0}, treatment=[drug])
    (record,) = records(asked, engine, 1)
    assert days_of(record, Event.TREATMENT_START) == [730.5] * given
    assert record.cells.sum() == (0 if given else 5)


@ENGINES
def test_each_drug_meets_its_own_resistance(engine):
    size, patients = 1200, 300 if engine is colonies else 25
    kinds = {
        "neither": {},
        "one": {"resistance": {"x": 0.75}},
        "both": {"resistance": {"x": 0.5, "y": 0.25}},
    }
    phenotypes = {name: {"initial_fraction": 1 / 3, **kind} for name, kind in kinds.items()}
    drugs = [
        {"kind": d, "drug": d, "start": 3.0, "log_kill": k} for d, k in (("x", 1.2), ("y", 0.8))
    ]
    asked = steady(size, 6, seed={"phenotypes": phenotypes}, treatment=drugs)
    left = sum(record.cells[0] for record in records(asked, engine, patients))
    n = size // 3 * patients

    def p_values(log_kills):
        return [share_p(k, n, math.exp(-kill)) for k, kill in zip(left, log_kills, strict=True)]

    expected = [1.2 + 0.8, 1.2 * 0.25 + 0.8, 1.2 * 0.5 + 0.8 * 0.75]
    assert all(holds(p) for p in p_values(expected))
    assert caught(p_values([0, 0, 1.2 * 0.5 + 0.8])[2])


# what the catalogue's treatments change

DERIVED = {"changed", "destined", "doomed", "growth_law", "cluster_cells"}


def odds_of(law):
    found = {gate: getattr(law, f"gate_{gate}")[0] for gate in Gate}
    found[Gate.ARREST] = found[Gate.ARREST][..., 0]
    return {gate: chance / (1.0 - chance) for gate, chance in found.items()}


def soil_effect(scenario, factor, trait, scale, organs):
    """Gate -> (O,) factor on the odds when the levels of a soil factor are scaled."""
    levels = np.array([getattr(soil, factor) for soil in scenario.soil.values()])
    here = np.array([organ in organs for organ in scenario.soil])
    shift = np.where(here, np.minimum(scale * levels, 1.0) - levels, 0.0) * trait
    weights = {gate: getattr(scenario.gates, gate).weights.get(factor, 0.0) for gate in Gate}
    return {gate: np.exp(weight * shift) for gate, weight in weights.items()}


CHANGES = {  # factors on the rates, and a soil factor: its name, share of it that meets, scale
    "endocrine": ({"rho": 0.5}, None),
    "cdk46_inhibitor": ({"rho": 0.5}, None),
    "antioxidants": ({}, ("oxidants", lambda seed: 1.0 - seed.antioxidant_capacity, 0.5)),
    "immunotherapy": ({}, ("immune_surveillance", lambda seed: 1.0 - seed.immune_evasion, 1.5)),
    "bisphosphonate": ({"rho": 0.64}, ("niche", lambda seed: seed.niche_response, 0.5)),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_treatment_changes_what_it_says_and_nothing_else(name):
    rates, soil = CHANGES[name]
    asked = ms.load("luminal_a_surgery").replace({"treatment": [{"kind": name}]})
    organs = ["bone"] if name == "bisphosphonate" else list(asked.soil)
    plain = law_of(asked)
    (changed,) = plain.changed
    here = np.array([organ in organs for organ in asked.soil])
    for field in set(plain._fields) - DERIVED - {f"gate_{gate}" for gate in Gate}:
        factor = 1.0
        if field in rates:
            factor = np.where(here, rates[field], 1.0)[:, None]
        before, after = getattr(plain, field), getattr(changed, field)
        assert np.allclose(after, before * factor, rtol=1e-12, atol=0.0, equal_nan=True), field
    effect = {gate: np.ones(len(here)) for gate in Gate}
    if soil:
        factor, trait, scale = soil
        effect = soil_effect(asked, factor, trait(asked.seed), scale, organs)
        assert any((shift != 1.0).any() for shift in effect.values())
    before, after = odds_of(plain), odds_of(changed)
    for gate in Gate:
        assert after[gate] == pytest.approx(before[gate] * effect[gate][:, None], rel=1e-9), gate


def test_a_change_meets_penetrance_and_resistance():
    asked = twin.SCENARIOS["chemotherapy"]
    plain = law_of(asked)
    (changed,) = plain.changed
    reach = np.array([1.0, 1.0, 1.0, 0.5])  # of the liver half
    feels = np.array([1.0, 1.0, 0.2])  # the third phenotype resists four fifths
    assert changed.rho / plain.rho == pytest.approx(0.3 ** (reach[:, None] * feels)[None])
    assert (changed.death == plain.death).all()


def test_a_change_of_soil_meets_penetrance():
    change = {"soil.*.growth_factor": 0.4, "soil.liver.turnover_factor": 3.0}
    drug = {"kind": "drug", "start": 1.0, "change": change, "penetrance": {"lung": 0.5, "liver": 0}}
    plain = law_of(twin.scenario(treatment=[drug]))
    (changed,) = plain.changed
    ratio = (changed.rho / plain.rho)[0, :, 0]
    assert ratio == pytest.approx([0.4, 0.4, 0.4**0.5, 1.0])
    assert (changed.death == plain.death).all()


@ENGINES
def test_a_colony_that_falls_two_classes_in_a_step_is_booked_where_it_stands(engine):
    limits = {"micro_cells": 4.0, "macro_cells": 4.0}
    asked = twin.scenario(clinic=limits, growth={"rho_per_day": 0.03}, run={"dt_days": 4.0})
    for record in records(asked, engine, 60):
        twin.check_books(record)
