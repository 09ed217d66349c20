"""Restaging against facts that follow from the records themselves, in both engines."""

from functools import cache

import numpy as np

from metasim.engines import colonies
from metasim.parameters.course import course_of
from metasim.parameters.rates import law_of
from metasim.terms import Event
from tests import twin
from tests.test_clinic import ENGINES, days_of, records

DT, VISITS, SEEN = 4.0, 8.0, 3
LUNG, LIVER = 2, 3


def scenario(restaging=True, invasion_per_day=0.02):
    """Metastases that restaging sees from 3 cells on, a visit from 9."""
    seen = {"detection_cells": 9.0, "restaging_cells": float(SEEN)}
    return twin.scenario(
        run={"years": 96 / 365.25, "dt_days": DT, "record_every_days": DT},
        rates={"invasion_per_day": invasion_per_day},
        growth={"rho_per_day": 0.045},
        primary={"initial_cells": 80},
        clinic={
            "cells_per_cm3": 17_000.0, "symptom_per_day_per_cm3": 1.0, "follow_up_days": VISITS,
            "restaging": restaging, "micro_cells": float(SEEN),
        },
        soil={
            "nodes": seen,
            "lung": {**seen, "symptoms": {"cough": 16.0}, "multiplier": {"arrest": 2.0}},
            "liver": {**seen, "growth_factor": 1.5, "multiplier": {"arrest": 1.0}},
        },
        treatment=[{"kind": "surgery", "organ": "breast", "start": "diagnosis",
                    "residual_fraction": 0.0}],
    )  # fmt: skip


@cache
def cohort(engine, *, restaging=True):
    return records(scenario(restaging), engine, 300 if engine is colonies else 60)


@ENGINES
def test_diagnosis_symptoms_and_relapses_lead_to_imaging(engine):
    reasons = np.zeros(3, int)
    for record in cohort(engine):
        why = [days_of(record, e) for e in (Event.DIAGNOSIS, Event.SYMPTOM, Event.RELAPSE)]
        diagnosis, coughs, relapses = map(set, why)
        assert days_of(record, Event.RESTAGING) == sorted(diagnosis | coughs | relapses)
        reasons += [
            bool(coughs & diagnosis),
            bool(coughs - diagnosis),
            bool(relapses - diagnosis - coughs),
        ]
        assert not why[1] or why[0][0] <= why[1][0]  # nobody coughs undiagnosed
        visits = np.array(days_of(record, Event.VISIT)) - record.diagnosis_day
        assert (visits == VISITS * np.arange(1, len(visits) + 1)).all()
        left = record.end_day - record.diagnosis_day
        assert np.isnan(left) or len(visits) == left // VISITS
    assert (reasons > 5).all()


@ENGINES
def test_restaging_sees_all_that_is_large_enough(engine):
    at_once = 0
    for record in cohort(engine):
        found = record.colonies[1:]
        for day in days_of(record, Event.RESTAGING):
            now = record.recorded_days.tolist().index(day)
            for organ in range(1, 4):
                here = found[found["organ"] == organ]
                large = record.metastases[now, organ]
                known = (here["detected_day"] <= day) & ~(here["extinct_day"] < day)
                assert known.sum() >= large["micro"] + large["macro"]
            at_once += (found["detected_day"] == day).sum() > 1
    alone = cohort(engine, restaging=False)
    before = sum(len(days_of(r, Event.RESTAGING) + days_of(r, Event.VISIT)) for r in alone)
    assert at_once > 10 and before == 0


@ENGINES
def test_the_stage_at_diagnosis_is_what_restaging_sees(engine):
    spread = []
    for record in cohort(engine):
        now = record.recorded_days.tolist().index(record.diagnosis_day)
        here = record.metastases[now, [LUNG, LIVER]]
        assert record.staging[2] == float((here["micro"] + here["macro"]).sum() > 0)
        spread.append(record.staging[2])
    before = np.nanmean([record.staging[2] for record in cohort(engine, restaging=False)])
    assert 0.9 > np.mean(spread) > before + 0.1


def test_visits_are_the_same_at_every_recording_level():
    asked = scenario(invasion_per_day=0.002)
    draw = colonies.prepare(law_of(asked), course_of(asked))
    empty = 0
    for k in range(120):
        streams = [[np.random.default_rng((k, i)) for i in range(2)] for _ in range(2)]
        whole, brief = (
            draw(0, *pair, level) for pair, level in zip(streams, (True, False), strict=True)
        )
        assert str(whole.events) == str(brief.events)  # a value that is missing is not itself
        empty += not np.isnan(brief.colonies["extinct_day"]).any()
    assert empty > 20  # where nothing lives, the engine passes over what cannot happen


def test_an_event_without_a_value_has_none():
    assert all(np.isnan(record.events["value"]).all() for record in cohort(colonies))
