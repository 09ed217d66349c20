"""Both engines side by side: scenarios, observables, and one exact test of equal distribution.

For a scenario both engines simulate patients; every patient is turned into a row of observables.
Under the hypothesis that the engines draw the same law the rows are exchangeable, so the largest
standardised difference over all observables has an exact permutation distribution (Westfall and
Young's max-T). Observables enter with their mean and with the shares of patients above each of
their quantiles, so that shapes are compared, too. One number per scenario comes out: a p-value that
is right whatever the observables are and however they depend on each other.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from scipy import stats

from metasim.engines import colonies
from metasim.engines.colonies.chunk import Chunk, never
from metasim.engines.colonies.streams import state_of, streams_of
from metasim.engines.record import DEATH_OTHER, PatientRecord, record_of
from metasim.law.arrays import Course, Law
from metasim.parameters.course import course_of
from metasim.parameters.rates import law_of
from metasim.scenario.schema import Scenario
from metasim.terms import TESTS, Detection, Event, Stage, Tally

FAMILY_WISE = 0.01
PERMUTATIONS, BLOCK = 5_000, 100
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
ORGANS = ("breast", "nodes", "lung", "liver")
Simulate = Callable[..., PatientRecord]
Pairs = Sequence[Sequence[np.random.Generator]]
"""The generators of each patient: of what metastases depend on, and of what founds nothing."""


def scenario(**changes: Any) -> Scenario:
    """A small cascade: 150 cells in the breast, every stage reached within months.

    Args:
        changes: values that differ, by part of the scenario; tables are merged.
    """
    blood = {
        "arteries": {"breast": 0.05, "nodes": 0.05, "liver": 0.9},
        "lung": {"arteries": 1.0},
        "liver": {"lung": 1.0},
        "breast": {"lung": 1.0},
        "nodes": {"lung": 1.0},
    }
    plain: dict[str, Any] = {
        "run": {"years": 0.2, "dt_days": 2.0, "record_every_days": 30.0},
        "seed": {},
        "gates": {
            "invasion": {"base_odds": 4.0},
            "intravasation": {"base_odds": 4.0},
            "arrest": {"base_odds": 0.3},
            "extravasation": {"base_odds": 4.0},
            "colonization": {"base_odds": 1.5},
        },
        "rates": {
            "invasion_per_day": 0.009,
            "invasion_reference_cells": 100.0,
            "intravasation_per_day": 0.7,
            "extravasation_per_day": 0.5,
            "washout_per_day": 0.2,
            "colonization_per_day": 0.6,
        },
        "circulation": {"death_prob_per_pass": 0.08},
        # small size classes: a macrometastasis of 4.2e6 agents would be too much
        "clinic": {"micro_cells": 4.0, "macro_cells": 12.0},
        "growth": {"law": "exponential", "rho_per_day": 0.01, "turnover_per_day": 0.04},
        "primary": {"organ": "breast", "initial_cells": 150},
        "soil": {
            "breast": {"lymph_fraction": 0.4, "site": "primary", "detection_cells": 20.0},
            "nodes": {"lymph_fraction": 0.2, "site": "regional", "detection_cells": 5.0},
            "lung": {"growth_factor": 1.5, "turnover_factor": 0.8, "detection_cells": 5.0},
            "liver": {"multiplier": {"arrest": 0.5, "colonization": 0.7}, "detection_cells": 8.0},
        },
        "vessels": {"blood": blood, "lymph": {"breast": {"nodes": 1.0}, "nodes": {"lung": 1.0}}},
    }
    return Scenario.model_validate(_merged(plain, changes))


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


CLUSTERS = {
    "small": {
        "size_cells": 3, "share_fraction": 0.3, "death_prob_per_pass": 0.15,
        "arrest_odds_factor": 4.0,
    },
    "large": {
        "size_cells": 8, "share_fraction": 0.4, "death_prob_per_pass": 0.05,
        "arrest_odds_factor": 20.0,
    },
}  # fmt: skip
DORMANCY = {
    "dormancy_per_day": 0.5, "reawakening_per_day": 0.05, "dormant_death_per_day": 0.03,
}  # fmt: skip

SCENARIOS: dict[str, Scenario] = {
    "exponential": scenario(),
    "logistic": scenario(growth={"law": "logistic", "rho_per_day": 0.03, "capacity_cells": 250.0}),
    "gompertz_dt_half": scenario(
        run={"dt_days": 0.5, "years": 0.12},
        growth={"law": "gompertz", "rho_per_day": 0.01, "capacity_cells": 400.0},
    ),
    "power_dt_week": scenario(
        run={"dt_days": 7.0, "years": 0.3},
        growth={"law": "power", "rho_per_day": 0.05, "power_exponent": 0.7},
    ),
    "clusters": scenario(seed={"clusters": CLUSTERS}, primary={"initial_cells": 300}),
    "dormancy": scenario(
        rates=DORMANCY, soil={"lung": {"dormancy_factor": 3.0, "reawakening_factor": 0.5}}
    ),
    "mutation": scenario(
        seed={
            "phenotypes": {
                "epithelial": {"initial_fraction": 0.8, "becomes": {"mesenchymal": 0.3}},
                "mesenchymal": {
                    "initial_fraction": 0.2,
                    "growth_factor": 0.5,
                    "proteolysis": 0.8,
                    "becomes": {"epithelial": 0.1, "resistant": 0.2},
                },
                "resistant": {"turnover_factor": 0.5},
            },
            "clusters": {"small": CLUSTERS["small"]},
        },
        gates={"invasion": {"weights": {"basement_membrane": -2.0}}},
        soil={"breast": {"basement_membrane": 0.9}},
    ),
    "secondary_seeding": scenario(
        run={"years": 0.3},
        rates={"invasion_per_day": 0.02, "border_exponent": 0.5, "invasion_reference_cells": 20.0},
        growth={"law": "gompertz", "rho_per_day": 0.02, "capacity_cells": 150.0},
        angiogenesis={"avascular_cells": 25.0, "onset_cells": 8.0, "per_day": 0.02},
        primary={"initial_cells": 60},
    ),
    "long_steps": scenario(
        run={"years": 0.3, "small_cells": 12.0, "small_steps": 4},
        rates={"invasion_per_day": 0.02, "border_exponent": 0.5, "invasion_reference_cells": 20.0},
        growth={"law": "gompertz", "rho_per_day": 0.02, "capacity_cells": 150.0},
        angiogenesis={"avascular_cells": 25.0, "onset_cells": 8.0, "per_day": 0.02},
        seed={"clusters": {"small": CLUSTERS["small"]}},
        primary={"initial_cells": 60},
        clinic={"follow_up_days": 10.0, "diagnosis_diameter_mm": 1.0, "cells_per_cm3": 16_000.0},
        tests={
            "blood_ml": 50.0, "bed_transit_days": 0.2, "aspirate_fraction": 0.05,
            "marrow_organ": "liver", "on_visits": True,
        },
        treatment=[{"kind": "taxane", "start": 70.0, "log_kill": 1.0}],
    ),
    "resection": scenario(
        growth={"law": "logistic", "rho_per_day": 0.07, "capacity_cells": 260.0},
        rates={"invasion_per_day": 0.015},
        primary={"initial_cells": 120},
        run={
            "dt_days": 4.0, "follow_from": "diagnosis", "undiagnosed_years": 0.23, "years": 0.1,
        },
        clinic={
            "screening_interval_days": 26.0, "screening_slope": 12.0, "follow_up_days": 8.0,
            "micro_cells": 1.0, "macro_cells": 3.0, "lethal_cells": 590.0, "age_years": 1.0,
            "other_death_per_year": 6e-18, "other_death_growth_per_year": 35.0,
        },
        treatment=[
            {
                "kind": "surgery", "organ": "breast", "start": "diagnosis", "delay_days": 5.0,
                "residual_fraction": 0.5,
            },
            {
                "kind": "metastasectomy", "organ": "lung", "start": "relapse in lung",
                "delay_days": 4.0, "seen_only": True, "residual_fraction": 0.1,
            },
            {
                "kind": "late", "organ": "nodes", "start": 48.0, "residual_fraction": 0.2,
                "only_if": {"organ": ["nodes"], "age_years": {"max": 1.13}},
            },
        ],
        soil={
            "breast": {"lymph_fraction": 0.9},
            "nodes": {"growth_factor": 1.7, "turnover_factor": 0.4, "multiplier": {"arrest": 9.0}},
            "lung": {"detection_cells": 7.0, "multiplier": {"colonization": 0.6}},
            "liver": {
                "growth_factor": 1.4, "detection_cells": 5.0, "lethal_cells": 30.0,
                "multiplier": {"arrest": 1.0, "colonization": 1.0},
            },
        },
    ),
    "chemotherapy": scenario(
        run={"dt_days": 4.0, "years": 0.24},
        rates=DORMANCY,
        growth={"rho_per_day": 0.03},
        seed={
            "phenotypes": {
                "sensitive": {"initial_fraction": 0.7, "becomes": {"resistant": 0.1}},
                "resistant": {"initial_fraction": 0.2, "resistance": {"taxane": 0.9}},
                "double": {
                    "initial_fraction": 0.1,
                    "resistance": {"taxane": 0.6, "platin": 0.9, "hormone": 0.8},
                },
            },
            "clusters": {"small": CLUSTERS["small"]},
        },
        primary={"initial_cells": 150},
        clinic={"follow_up_days": 4.0, "diagnosis_diameter_mm": 3.0, "cells_per_cm3": 16_000.0},
        soil={
            "breast": {"symptoms": {"lump": 250.0}},
            "lung": {
                "growth_factor": 3.0, "detection_cells": 4.0,
                "symptoms": {"cough": 9.0, "pain": 18.0},
            },
        },
        treatment=[
            {
                "kind": "taxane", "start": 30.0, "cycles": 3, "interval_days": 7.0, "log_kill": 0.5,
                "drug": "taxane", "penetrance": {"liver": 0.1}, "spares_dormant": True,
            },
            {
                "kind": "radiotherapy", "organ": "breast", "start": "diagnosis", "delay_days": 15.0,
                "dose_gray": 4.0, "fractions": 2, "alpha_per_gray": 0.1, "beta_per_gray2": 0.02,
            },
            {"kind": "salvage", "start": "relapse", "hazard_per_day": 0.04, "drug": "platin",
             "stop": "progression", "only_if": {"burden_cells": {"min": 7.0}}},
            {
                "kind": "endocrine", "start": "diagnosis", "duration_days": 25.0,
                "drug": "hormone", "change": {"growth.rho_per_day": 0.3},
                "penetrance": {"liver": 0.5},
            },
        ],
    ),
    "changing": scenario(
        rates={**DORMANCY, "invasion_per_day": 0.02},
        run={"years": 0.25},
        soil={"lung": {"niche": 0.9}, "liver": {"niche": 0.5}},
        gates={"colonization": {"base_odds": 0.4, "weights": {"niche": 3.0}}},
        clinic={
            "screening_interval_days": 10.0, "screening_half_mm": 2.5, "screening_slope": 3.0,
            "cells_per_cm3": 16_000.0, "age_years": 80.0, "other_death_per_year": 2e-4,
        },
        treatment=[
            {
                "kind": "bone_drug", "start": 10.0, "duration_days": 30.0,
                "change": {"soil.*.niche": 0.2, "rates.intravasation_per_day": 0.4},
            },
            {
                "kind": "endocrine", "start": "diagnosis", "duration_days": 40.0,
                "change": {"growth.rho_per_day": 0.0, "gates.extravasation.base_odds": 0.3},
                "penetrance": {"liver": 0.5},
            },
            {
                "kind": "waking", "start": 30.0, "duration_days": 20.0,
                "change": {"rates.reawakening_per_day": 6.0, "rates.dormant_death_per_day": 0.0,
                           "rates.washout_per_day": 0.1},
            },
            {"kind": "palliative", "start": "relapse", "stop": "progression",
             "change": {"growth.turnover_per_day": 2.0}},
        ],
    ),
    "detection": scenario(
        growth={"rho_per_day": 0.05},
        rates={"invasion_per_day": 0.015},
        primary={"initial_cells": 40},
        clinic={
            "cells_per_cm3": 16_000.0, "symptom_per_day_per_cm3": 0.7, "age_years": 50.0,
            "screening_interval_days": 20.0, "screening_half_mm": 4.5, "follow_up_days": 8.0,
            "screening_from_years": 50.03, "screening_to_years": 50.1, "restaging": True,
        },
        soil={
            "lung": {"restaging_cells": 4.0, "symptoms": {"cough": 25.0}},
            "liver": {
                "growth_factor": 1.3, "detection_cells": 12.0, "restaging_cells": 3.0,
                "multiplier": {"arrest": 1.0, "colonization": 1.0},
            },
        },
    ),
    "nodes": scenario(
        run={"dt_days": 4.0, "years": 0.21},
        growth={"rho_per_day": 0.03},
        rates={"invasion_per_day": 0.014},
        clinic={
            "diagnosis_diameter_mm": 3.0, "cells_per_cm3": 22_000.0, "micro_cells": 2.0,
            "pathology_cells": 3.0, "macro_cells": 5.0,
        },
        soil={
            "breast": {"lymph_fraction": 0.9},
            "nodes": {
                "nodes": 5, "node_pass_prob": 0.5, "node_cells": 4.0, "lymph_fraction": 0.3,
                "growth_factor": 2.5, "turnover_factor": 0.3, "multiplier": {"arrest": 9.0},
            },
        },
        treatment=[
            {"kind": "sentinel", "organ": "nodes", "start": "diagnosis", "delay_days": 4.0,
             "nodes": 2},
            {"kind": "surgery", "organ": "nodes", "start": 68.0, "residual_fraction": 0.4},
        ],
    ),
    "tests": scenario(
        run={"dt_days": 4.0, "years": 0.2},
        rates={**DORMANCY, "invasion_per_day": 0.014},
        growth={"rho_per_day": 0.03},
        seed={"clusters": {"small": CLUSTERS["small"]}},
        clinic={
            "diagnosis_diameter_mm": 2.75, "cells_per_cm3": 16_000.0, "follow_up_days": 8.0,
        },
        tests={
            "blood_ml": 50.0, "bed_transit_days": 0.2, "aspirate_fraction": 0.05,
            "marrow_organ": "liver", "on_visits": True, "plasma_ml": 20.0,
            "ctdna_half_life_days": 0.1, "ctdna_released_fraction": 0.5,
        },
        treatment=[
            {"kind": "surgery", "organ": "breast", "start": "diagnosis", "delay_days": 8.0,
             "residual_fraction": 0.2},
            {"kind": "chemotherapy", "start": "diagnosis", "delay_days": 24.0, "log_kill": 2.0},
        ],
    ),
    "patients_differ": scenario(seed={"clusters": {"small": CLUSTERS["small"]}}),
    "care": scenario(
        clinic={"diagnosis_diameter_mm": 2.7, "cells_per_cm3": 16_000.0},
        patients={"seed.subtype": {"choice": {"values": ["one", "other"], "weights": [0.5, 0.5]}}},
        treatment=[
            {"kind": "hormone", "start": "diagnosis", "log_kill": 0.8,
             "only_if": {"subtype": ["one"]}},
            {
                "kind": "antibody", "start": "diagnosis", "delay_days": 6.0,
                "hazard_per_day": 0.03, "given_fraction": 0.7,
                "only_if": {"subtype": ["other"], "nodes_positive": {"min": 1}},
            },
        ],
    ),
}  # fmt: skip


def drawn(name: str, rng: np.random.Generator, patients: int) -> dict[str, np.ndarray]:
    """What differs between the patients of a scenario."""
    if name == "resection":  # the same cells are another diameter: T1 to T3
        per_cm3 = 15.0 * rng.lognormal(0.0, 2.0, patients)
        return {
            "clinic.cells_per_cm3": per_cm3,
            "clinic.screening_half_mm": 10.0 * np.cbrt(6.0 / np.pi * 240.0 / per_cm3),
            "clinic.age_years": rng.uniform(0.97, 1.03, patients),
        }
    if name == "care":
        other = rng.random(patients) < 0.5  # of the two subtypes the one that grows faster
        rho = np.where(other, 0.015, 0.005)
        return {"seed.subtype": other.astype(float), "growth.rho_per_day": rho}
    if name != "patients_differ":
        return {}
    return {
        "growth.rho_per_day": 0.01 * rng.lognormal(0.0, 0.2, patients),
        "rates.invasion_per_day": 0.009 * rng.lognormal(0.0, 0.2, patients),
        "soil.liver.multiplier.colonization": rng.uniform(0.2, 2.0, patients),
        "primary.initial_cells": rng.integers(100, 200, patients).astype(float),
    }


def sample(
    name: str,
    simulate: Simulate,
    patients: int,
    rng_seed: int,
    change: Callable[[Law], Law] = lambda law: law,
) -> tuple[np.ndarray, list[str]]:
    """Observables of some patients of a scenario: (patients, observables), and their names.

    Args:
        name: of the scenario.
        simulate: of an engine.
        patients: number of them.
        rng_seed: of the sample.
        change: what to make of the law that the engine reads (a planted fault).
    """
    asked = SCENARIOS[name]
    root = np.random.SeedSequence(rng_seed)
    values = drawn(name, np.random.default_rng(root), patients)
    law, course = law_of(asked, values), course_of(asked, values, 10_000 * rng_seed, patients)
    pairs = [
        tuple(np.random.Generator(np.random.PCG64(s)) for s in child.spawn(2))
        for child in root.spawn(patients)
    ]
    if simulate is colonies.simulate:
        records = of_colonies(law, course, pairs)
    else:
        records = (
            simulate(change(law.patient(k)), course.patient(k), *pair, True)
            for k, pair in enumerate(pairs)
        )
    rows, names = [], []
    for record in records:
        check_books(record)
        names, row = observables(record)
        rows.append(row)
    return np.array(rows), names


def records_of(
    engine: ModuleType, law: Law, course: Course, pairs: Pairs, everything: bool = True
) -> Iterator[PatientRecord]:
    """The patients of a chunk as an engine draws them, one from each pair of generators."""
    if engine is colonies:
        return of_colonies(law, course, pairs, everything)
    return (
        engine.simulate(law.patient(k), course.patient(k), *pair, everything)
        for k, pair in enumerate(pairs)
    )


def of_colonies(
    law: Law, course: Course, pairs: Pairs, everything: bool = True
) -> Iterator[PatientRecord]:
    """As `colonies.simulate` of each patient, in a few calls of compiled code."""
    made = Chunk(law, course)
    for first in range(0, len(pairs), 1000):
        both = zip(*pairs[first : first + 1000], strict=True)
        words = (np.array([state_of(rng) for rng in rngs]) for rngs in both)
        outcome = made.draw_from(streams_of(*words), everything, never(), first)
        assert not outcome.failures, outcome.failures
        for k in range(outcome.finished):
            yield record_of(outcome.record, k)


def check_books(record: PatientRecord) -> None:
    """Every cell is accounted for, in each organ and stage and between all recorded days."""
    t = record.tallies
    before = np.zeros_like(t[:, :, :, Tally.CELLS])
    before[1:] = t[:-1, :, :, Tally.CELLS]
    primary = record.colonies[0]
    before[0, 0, primary["organ"]] = primary["founders"]
    flow = t[..., Tally.ENTERED] + t[..., Tally.NET_GROWTH] - t[..., Tally.LEFT]
    assert (t[..., Tally.CELLS] == before + flow - t[..., Tally.REMOVED]).all()
    assert (t[..., [Tally.CELLS, Tally.ENTERED, Tally.LEFT, Tally.DIED, Tally.REMOVED]] >= 0).all()
    in_colonies = t[..., Tally.CELLS][:, [0, 5, 6]].sum(axis=1)
    assert (in_colonies == record.organ_cells.sum(axis=-1)).all()


NEVER = 1e9
EVENTS = {event: event.label for event in Event}
_FLOWS = [tally.name.lower() for tally in list(Tally)[Tally.CELLS + 1 :]]
NAMES = [f"{organ}: cells in {stage.label} ({when})" for when in ("middle", "end")
         for stage in Stage for organ in ORGANS]  # fmt: skip
NAMES += [f"{stage.label}: {flow}" for stage in Stage for flow in _FLOWS]
NAMES += [f"{organ}: {s.label}: {flow}" for s in Stage for organ in ORGANS for flow in _FLOWS]
"""Of the cells in each stage and organ, and of what went through them."""


def observables(record: PatientRecord) -> tuple[list[str], np.ndarray]:
    """Everything that is recorded of one patient, as numbers."""
    out: dict[str, float] = {
        "diagnosis day": record.diagnosis_day,
        "death day": record.death_day,
        "death cause": record.death_cause,
        "last day": record.end_day,
    }
    met, events = record.colonies[1:], record.events
    out["metastases"] = len(met)
    out["extinct"] = np.isfinite(met["extinct_day"]).sum()
    out["extinct day, sum"] = np.nansum(met["extinct_day"])
    out["founded day, sum"] = met["founded_day"].sum()
    out["founders, sum"] = met["founders"].sum()
    out["founders, largest"] = met["founders"].max(initial=0)
    out["by lymph"] = (met["route"] == 1).sum()
    out["seeded by metastases"] = (met["parent"] > 0).sum()
    out["generations"] = _generations(record.colonies["parent"])
    out["seeded elsewhere"] = (met["organ"] != record.colonies["organ"][met["parent"]]).sum()
    out["primary extinct day"] = record.colonies["extinct_day"][0]
    for o, organ in enumerate(ORGANS):
        here = met["organ"] == o
        out[f"{organ}: metastases"] = here.sum()
        for what in ("founded", "micro", "macro", "detected", "extinct"):
            first = met[f"{what}_day"][here]
            out[f"{organ}: first {what} day"] = np.fmin.reduce(first, initial=NEVER)
            out[f"{organ}: {what}"] = np.isfinite(first).sum()
        seen = events[(events["event"] == Event.RELAPSE) & (events["organ"] == o)]
        out[f"{organ}: relapse day"] = seen["day"][0] if len(seen) else NEVER
    for event, label in EVENTS.items():
        when = events["day"][events["event"] == event]
        out[f"{label} events"] = len(when)
        out[f"{label}: day, sum"] = when.sum()
        out[f"{label}: first day"] = when.min(initial=NEVER)
    for test in TESTS:
        found = events["value"][events["event"] == test]
        out[f"{test.label}: expected"] = found[0] if len(found) else 0.0
        out[f"{test.label}: expected last"] = found[-1] if len(found) else 0.0
        out[f"{test.label}: expected, sum"] = found.sum()
    for s in range(3):
        felt = (events["event"] == Event.SYMPTOM) & (events["which"] == s)
        out[f"symptom {s}: day"] = events["day"][felt].min(initial=NEVER)
    for cause in range(DEATH_OTHER, len(ORGANS)):
        out[f"death by cause {cause}: day"] = (
            record.death_day if record.death_cause == cause else NEVER
        )
    for k, n in enumerate(record.cells.sum(axis=0)):
        out[f"cells of phenotype {k}"] = n
        out[f"metastases with phenotype {k}"] = (record.cells[1:, k] > 0).sum()
    for name in ("positive", "micro", "itc", "removed"):
        out[f"nodes {name}"] = record.patient[f"nodes_{name}"]
    for node in range(1, 6):
        here = record.colonies["node"] == node
        out[f"node {node}: metastases"] = here.sum()
        out[f"node {node}: cells"] = record.cells[here].sum()
    out["primary cells"] = record.cells[0].sum()
    out["largest metastasis"] = record.cells[1:].sum(axis=1).max(initial=0)
    days = (len(record.recorded_days) // 2, -1)
    for when, which in zip(("middle", "end"), days, strict=True):
        for o, organ in enumerate(ORGANS):
            for name in ("isolated", "micro", "macro"):
                out[f"{organ}: {name} ({when})"] = record.metastases[name][which, o]
            for k, n in enumerate(record.organ_cells[which, o]):
                out[f"{organ}: cells of phenotype {k} ({when})"] = n
    for name, stage in zip("TNM", record.staging, strict=True):
        out[f"stage {name}"] = stage
        for value in range(5):  # N goes up to 4
            out[f"stage {name} is {value}"] = stage == value
    out["diameter"], out["lead time"] = (
        record.patient[n] for n in ("diameter_mm", "lead_time_days")
    )
    for way in Detection:
        out[f"found by {way.label}"] = record.patient["detection"] == way
    for t in range(4):
        of_it = events[events["which"] == t]
        for event in (Event.SURGERY, Event.TREATMENT_START, Event.CYCLE, Event.TREATMENT_END):
            out[f"{EVENTS[event]} {t}: day, sum"] = of_it["day"][of_it["event"] == event].sum()
        start, end = (out[f"treatment_{what} {t}: day, sum"] for what in ("start", "end"))
        out[f"treatment {t}: days"] = end - start if end > 0 else NEVER
    funnel = record.tallies.sum(axis=0)[:, :, Tally.CELLS + 1 :]
    cells = record.tallies[list(days), :, :, Tally.CELLS]
    parts = (list(out.values()), cells.ravel(), funnel.sum(axis=1).ravel(), funnel.ravel())
    values = np.concatenate(parts, dtype=float)
    return [*out, *NAMES], np.where(np.isnan(values), NEVER, values)


def _generations(parents: np.ndarray) -> int:
    depth = [0]
    for parent in parents[1:]:
        depth.append(depth[parent] + 1)
    return max(depth)


@dataclass(frozen=True)
class Verdict:
    """Outcome of a comparison; `p` is family-wise over all observables of the scenario."""

    p: float
    worst: str
    size: float
    """Largest standardised difference."""
    tests: int
    """Columns compared."""


def compare(
    a: np.ndarray,
    b: np.ndarray,
    names: list[str],
    rng_seed: int = 0,
    permutations: int = PERMUTATIONS,
    level: float = 1.0,
) -> Verdict:
    """Whether two samples of patients come from one distribution (max-T permutation test).

    Args:
        a: observables of one engine's patients, (patients, observables).
        b: those of the other's.
        names: of the observables.
        rng_seed: of the permutations.
        permutations: number of them, a multiple of `BLOCK`.
        level: once p is above it for certain, no more permutations are drawn: p is then at least
            what is said.
    """
    both = np.concatenate([a, b])
    # a mean of days is that of those who got there; who did is in the quantiles' columns
    there = np.where(both < NEVER, both, 0.0)
    reached = np.maximum((both < NEVER).sum(axis=0), 1)
    columns = [np.where(both < NEVER, both, there.sum(axis=0) / reached).astype(np.float32)]
    labels = list(names)
    for q in QUANTILES:
        cut = np.quantile(both, q, axis=0, method="lower")
        columns.append((both > cut).astype(np.float32))
        labels += [f"{name} above its {q:.0%} quantile" for name in names]
    x = np.concatenate(columns, axis=1)
    varies = np.ptp(x, axis=0) > 0
    x, labels = x[:, varies], [label for label, v in zip(labels, varies, strict=True) if v]
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    x, kept = np.unique(x, axis=1, return_index=True)  # a column that comes twice is one test
    n, n_a = len(x), len(a)
    scale = np.sqrt(n / (n_a * (n - n_a)))
    observed = np.abs(x[:n_a].sum(axis=0)) * scale
    rng = np.random.default_rng(rng_seed)
    beaten = 0
    for _ in range(permutations // BLOCK):
        pick = rng.permuted(np.tile(np.arange(n) < n_a, (BLOCK, 1)), axis=1).astype(np.float32)
        beaten += int((np.abs(pick @ x).max(axis=1) * scale >= observed.max()).sum())
        if (1 + beaten) / (1 + permutations) > level:
            break
    worst = int(observed.argmax())
    p = (1 + beaten) / (1 + permutations)
    return Verdict(p, labels[kept[worst]], float(observed[worst]), x.shape[1])


HEADLINES = ("metastases", "primary cells", "invasion: entered", "circulation: entered",
             "arrest: entered", "extravasation: entered")  # fmt: skip


def detectable_shift(a: np.ndarray, b: np.ndarray, names: list[str], tests: int) -> float:
    """Relative shift of a headline's mean that is found with a power of 90 %, the largest of all.

    Args:
        a: observables of one engine.
        b: those of the other.
        names: of the observables.
        tests: columns compared (Bonferroni over them asks for more than max-T does).
    """
    level = FAMILY_WISE / len(SCENARIOS)
    z = stats.norm.isf(level / tests / 2) + stats.norm.isf(0.1)
    i = [names.index(name) for name in HEADLINES]
    error = np.sqrt(a[:, i].var(axis=0) / len(a) + b[:, i].var(axis=0) / len(b))
    return float((z * error / b[:, i].mean(axis=0)).max())
