"""How the primary is found, against closed forms and facts worked out here, in both engines."""

import math

import numpy as np
import pytest

import metasim as ms
from metasim.engines import colonies
from metasim.law import closed_forms
from metasim.law.detection import lead_time_days, symptom_hazard
from metasim.law.growth import law_number
from metasim.law.sizes import sphere_mm
from metasim.terms import Detection
from tests.significance import caught, counts_p, holds, share_p
from tests.test_clinic import ENGINES, records, steady

SYMPTOM, SCREENING, INTERVAL = Detection
INITIAL, RHO, DENSITY, HAZARD, DT = 10**6, 0.01, 1e9, 0.02, 20.0


def growing(patients=2500, **clinic):
    """Primaries that double every 69 days, so large that chance hardly matters."""
    base = {"symptom_per_day_per_cm3": HAZARD, "cells_per_cm3": DENSITY}
    growth = {"law": "exponential", "rho_per_day": RHO, "turnover_per_day": 0.0}
    run = {"years": 4.0, "dt_days": DT, "record_every_days": 1e6}
    asked = steady(INITIAL, 1461.0, clinic=base | clinic, growth=growth, run=run)
    return records(asked, colonies, patients)


def of(found, name):
    return np.array([record.patient[name] for record in found])


def days_p(days, hazard=HAZARD):
    """p-value of days of diagnosis, by the closed form."""
    ends = np.arange(0.0, 1461.0 + DT, DT)
    size = INITIAL * np.exp(RHO * ends)
    free = np.array(
        [closed_forms.free_of_symptoms(INITIAL, n, hazard / DENSITY, RHO) for n in size]
    )
    observed = np.histogram(days, ends + 0.5)[0]  # it is noticed at the end of a step
    assert len(days) == observed.sum() and free[-1] < 1e-6
    return counts_p(observed, -np.diff(free))


def test_size_at_diagnosis_follows_the_hazard_by_volume():
    found = growing()
    days, diameters = of(found, "diagnosis_day"), of(found, "diameter_mm")
    assert (of(found, "detection") == SYMPTOM).all() and np.isnan(of(found, "lead_time_days")).all()
    assert holds(days_p(days))
    assert caught(days_p(days, hazard=1.2 * HAZARD))
    # what growth by chance adds to the mean is small
    assert diameters == pytest.approx(sphere_mm(of_primary(found), DENSITY), rel=0.01)


def of_primary(found):
    return np.array([INITIAL * math.exp(RHO * r.diagnosis_day) for r in found])


def test_lead_time_is_what_screening_gains():
    found = growing(screening_interval_days=365.25, screening_half_mm=8.0)
    screened = of(found, "detection") == SCREENING
    lead = of(found, "lead_time_days")
    assert 0.2 < screened.mean() < 0.9
    assert (np.isnan(lead) == ~screened).all() and (lead[screened] > 0.0).all()
    assert holds(days_p(of(found, "diagnosis_day") + np.nan_to_num(lead)))
    assert caught(days_p(of(found, "diagnosis_day") + 0.7 * np.nan_to_num(lead)))


@ENGINES
def test_symptoms_of_a_steady_primary_come_at_one_rate(engine):
    patients, per_day = 1500 if engine is colonies else 400, 0.05

    def p_value(true_per_day):
        clinic = {"symptom_per_day_per_cm3": true_per_day / 0.05, "cells_per_cm3": 1000.0}
        found = records(steady(50, 12, clinic=clinic), engine, patients)
        days = of(found, "diagnosis_day")
        assert not (days == 0.0).any()
        free = np.exp(-per_day * np.arange(13))
        counts = np.bincount(np.nan_to_num(days, nan=13).astype(int), minlength=14)[1:]
        return counts_p(counts, [*-np.diff(free), free[-1]])

    assert holds(p_value(per_day))
    assert caught(p_value(2.0 * per_day))


@ENGINES
def test_interval_cancers_are_missed_on_a_visit_and_felt_before_the_next(engine):
    interval, days, per_day = 6, 40, 0.08
    patients = 1500 if engine is colonies else 250
    stays = math.exp(-per_day)

    def ways(**more):
        clinic = {
            "symptom_per_day_per_cm3": per_day / 0.05, "cells_per_cm3": 1000.0, "age_years": 50.0,
            "screening_interval_days": float(interval), "screening_half_mm": 900.0,
            "screening_slope": 30.0, **more,
        }  # fmt: skip
        return of(records(steady(50, days, clinic=clinic), engine, patients), "detection")

    first = np.arange(1, interval + 1)  # day of the first visit, which sees nothing
    before = np.mean(1 - stays**first)
    found = ways()
    assert not (found == SCREENING).any()
    assert holds(share_p((found == SYMPTOM).sum(), patients, before))
    # screened once only: who is felt long after that is no interval cancer
    between = np.mean(stays**first) * (1 - stays**interval)
    once = ways(screening_to_years=50.0 + (interval + 0.5) / 365.25)
    assert holds(share_p((once == INTERVAL).sum(), patients, between))
    assert caught(share_p((found == INTERVAL).sum(), patients, between))
    never = ways(screening_from_years=51.0, screening_half_mm=0.01)
    assert not np.isin(never, [SCREENING, INTERVAL]).any() and (never == SYMPTOM).any()


def test_hazard_is_exact_for_exponential_growth_and_smooth():
    exact = 3e-9 * 1e6 * np.expm1(0.01 * 30.0) / 0.01
    assert symptom_hazard(1e6, 1e6 * math.exp(0.3), 3e-9, 30.0) == pytest.approx(exact, rel=1e-12)
    assert symptom_hazard(5.0, 5.0, 2.0, 3.0) == 30.0
    near = [symptom_hazard(1e6, 1e6 * (1 + e), 1e-6, 1.0) for e in (0.9e-4, 1.1e-4)]
    assert near == pytest.approx([1 + 0.45e-4, 1 + 0.55e-4], rel=1e-8)
    assert symptom_hazard(0.0, 0.0, 1.0, 1.0) == 0.0


def lead(sizes, rho=0.02, law="gompertz", capacity=1e12, clock=(1.0, 1e-9, math.inf), dt=7.0):
    growth = (law_number(law), capacity, 1.0, True, 1e6)
    sizes = np.array(sizes, dtype=float)
    return lead_time_days(sizes, np.full(len(sizes), rho), np.zeros(len(sizes)), growth, clock, dt)


def test_lead_time_of_a_growing_primary():
    # to a diameter: the days that the growth law takes, in whole steps
    days = math.log(math.log(1e12 / 1e8) / math.log(1e12 / 1e9)) / 0.02
    found = lead([1e8], clock=(math.inf, 0.0, 1e9), dt=0.1)
    assert found == pytest.approx(days, rel=0.01)
    assert lead([5e7, 5e7], clock=(math.inf, 0.0, 1e9), dt=0.1) == found
    # whatever comes first, and nothing that never comes
    assert found > lead([1e8], clock=(1e-3, 1e-9, 1e9), dt=0.1) > 0.0
    assert math.isnan(lead([1e8], clock=(math.inf, 0.0, math.inf)))
    assert math.isnan(lead([1e8], clock=(math.inf, 0.0, 1e13)))
    assert lead([1e8], rho=0.0, clock=(1.0, 1e-9, math.inf)) == 14.0  # a tenth a day


def test_the_table_of_patients_tells_how_they_were_found():
    asked = ms.load("luminal_a_surgery").replace(
        {
            "run.patients": 40, "run.record": "patients", "patients": None,
            "clinic.diagnosis_diameter_mm": None, "clinic.symptom_per_day_per_cm3": 1e-3,
            "clinic.screening_interval_days": 365.25,
        }
    )  # fmt: skip
    table = ms.run(asked, progress=False).patients
    ways = table.groupby("detection", observed=True)["lead_time_days"].count()
    assert set(ways.index) <= {"symptom", "screening", "interval"} and len(ways) > 1
    assert ways["screening"] == (table["detection"] == "screening").sum()
    assert table["lead_time_days"].notna().sum() == ways["screening"]
    assert ((table["diameter_mm"] > 20.0) == (table["stage_t"] != "T1")).all()
