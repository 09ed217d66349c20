"""Tests of blood, plasma and marrow: closed forms in both engines; their counts as statistics."""

import numpy as np
import pytest
from scipy import stats

import metasim as ms
from metasim.engines import colonies
from metasim.law.sampling import sleepers
from metasim.parameters.rates import law_of
from metasim.terms import Event
from tests import twin
from tests.significance import caught, counts_p, holds
from tests.test_clinic import ENGINES, records, steady

CELLS, LEAVING, DEATH, ARREST = 150, 0.009, 0.08, 0.25
PASSES = 0.8 * 0.8  # odds of 4 at both gates
CARRIED = (1.0 - DEATH) * (1.0 - ARREST)
ARRESTED = (1.0 - DEATH) * ARREST / (1.0 - CARRIED)
WASHED = 0.2 / 0.7
VISITS = 8.0
SEEN = {"diagnosis_diameter_mm": 0.01, "follow_up_days": VISITS}
EVERYWHERE = {"multiplier": {"arrest": 1.0, "colonization": 1.0}, "lymph_fraction": 0.0}


def sampled(tests, days=24, **changes):
    """A primary of 150 cells, found on day 0; any bed arrests one unit in four."""
    base = {
        "clinic": SEEN,
        "gates": {"arrest": {"base_odds": ARREST / (1.0 - ARREST)}},
        "soil": {organ: EVERYWHERE for organ in twin.ORGANS},
        "rates": {"invasion_per_day": LEAVING, "invasion_reference_cells": float(CELLS)},
        "tests": tests,
    }
    return steady(CELLS, days, **twin._merged(base, changes))


def expected(record, event):
    events = record.events[record.events["event"] == event]
    return dict(zip(events["day"], events["value"], strict=True))


BLOOD = {"blood_ml": 10.0, "blood_litres": 2.0, "ctc_recovery_fraction": 0.5,
         "bed_transit_days": 0.3}  # fmt: skip


@ENGINES
def test_a_blood_sample_holds_what_the_closed_form_says(engine):
    (record,) = records(sampled(BLOOD), engine, 1)
    beds = 1.0 / (1.0 - CARRIED) / (1.0 - WASHED * ARRESTED)
    mean = CELLS * LEAVING * PASSES * beds * 0.3 * 10.0 / 2000.0 * 0.5
    assert expected(record, Event.CTC) == pytest.approx({0.0: mean}, rel=1e-6)


@ENGINES
def test_the_cells_of_clusters_count(engine):
    large = {"size_cells": 8, "share_fraction": 0.4, "death_prob_per_pass": 0.0,
             "arrest_odds_factor": 3.0}  # fmt: skip
    still = {"rates": {"washout_per_day": 0.0}}
    (plain,), (mixed,) = (
        records(sampled(BLOOD, seed={"clusters": clusters}, **still), engine, 1)
        for clusters in ({}, {"large": large})
    )
    ratio = expected(mixed, Event.CTC)[0.0] / expected(plain, Event.CTC)[0.0]
    assert ratio == pytest.approx(0.6 + 0.4 * 2.0 * (1.0 - CARRIED), rel=1e-6)


SURGERY = {"kind": "surgery", "organ": "breast", "start": 9.0, "residual_fraction": 0.0}
MARROW = {"aspirate_fraction": 0.01, "marrow_organ": "liver", "on_visits": True}
ASLEEP = {"washout_per_day": 0.0, "invasion_per_day": 1e-7, **twin.DORMANCY}
TO_LIVER = CARRIED * 0.9 * (1.0 - DEATH) * ARREST / (1.0 - CARRIED**2)  # every other bed: the lung
INFLOW = CELLS * 1e-7 * PASSES * TO_LIVER * 0.8


def marrow(days, killed_on=np.inf):
    """Dormant and active cells on a day, 90 % of the dormant ones killed on another."""
    dormancy, wakes, dies = twin.DORMANCY.values()
    off = 0.6 + dormancy
    share, leaves = dormancy / off, dies + wakes * 0.6 / off

    def asleep(t):
        full = share * INFLOW / leaves
        if t <= killed_on:
            return full * -np.expm1(-leaves * t)
        left = 0.1 * asleep(killed_on)
        return full + (left - full) * np.exp(-leaves * (t - killed_on))

    return asleep(days) + (INFLOW * (days > 0) + wakes * asleep(days)) / off


@ENGINES
@pytest.mark.parametrize("kill", [None, {"spares_dormant": True}, {}])
def test_the_marrow_fills_as_the_closed_form_says(engine, kill):
    drug = {
        "kind": "drug",
        "start": 8.0,
        "log_kill": float(np.log(10.0)),
        "penetrance": {"breast": 0.0},
    }
    given = [] if kill is None else [{**drug, **kill}]
    asked = sampled(MARROW, rates=ASLEEP, treatment=given)
    (record,) = records(asked, engine, 1)
    when = 8.0 if kill == {} else np.inf
    wanted = {day: 0.01 * marrow(day, when) for day in (0.0, 8.0, 16.0, 24.0)}
    assert expected(record, Event.DTC) == pytest.approx(wanted, rel=1e-4)
    assert kill != {} or wanted[16.0] < 0.01 * 0.9 * marrow(16.0)


@ENGINES
def test_surgery_leaves_what_sleeps_in_the_marrow(engine):
    surgery = [{**SURGERY, "start": 8.0}]
    (record,) = records(sampled({**MARROW, **BLOOD}, rates=ASLEEP, treatment=surgery), engine, 1)
    found, blood = expected(record, Event.DTC), expected(record, Event.CTC)
    assert list(found) == list(blood) == [0.0, 8.0, 16.0, 24.0]
    assert blood[0.0] == pytest.approx(blood[8.0]) and blood[8.0] > 0.0 == blood[16.0]
    dormancy, wakes, dies = twin.DORMANCY.values()
    leaves = dies + wakes * 0.6 / (0.6 + dormancy)
    assert found[24.0] / found[16.0] == pytest.approx(np.exp(-8.0 * leaves))


def test_two_halves_of_a_step_are_a_step():
    half = sleepers(sleepers(3.0, 2.0, 0.7, 0.05, 2.0), 2.0, 0.7, 0.05, 2.0)
    assert half == pytest.approx(sleepers(3.0, 2.0, 0.7, 0.05, 4.0), rel=1e-14)
    assert sleepers(3.0, 2.0, 0.7, 1e-15, 4.0) == pytest.approx(3.0 + 0.7 * 2.0 * 4.0)


def test_what_nothing_stops_is_many_and_finite():
    asked = twin.scenario(
        gates={"arrest": {"base_odds": 0.0}}, circulation={"death_prob_per_pass": 0.0},
        clinic=SEEN, tests=BLOOD,
    )  # fmt: skip
    beds = law_of(asked).circulating_beds
    assert np.isfinite(beds).all() and (beds > 1e8 * PASSES).all()


PLASMA = {"plasma_ml": 5.0, "plasma_litres": 2.0, "ctdna_recovery_fraction": 0.25,
          "ctdna_half_life_days": 0.2, "ctdna_copies_per_cell": 3.0,
          "ctdna_released_fraction": 0.5}  # fmt: skip
DYING = 0.08  # of the cells of the primary, per day


def copies(cells, half_life_days=0.2):
    """Mutant copies that a sample holds on average: production over clearance, by hand."""
    in_plasma = cells * DYING * 3.0 * 0.5 / (np.log(2.0) / half_life_days)
    return in_plasma * 5.0 / 2000.0 * 0.25


@ENGINES
def test_plasma_holds_what_dying_cells_release_and_blood_has_not_cleared(engine):
    dying = {"growth": {"turnover_per_day": DYING, "rho_per_day": DYING}}
    (record,) = records(sampled(PLASMA, **dying), engine, 1)
    found = expected(record, Event.CTDNA)
    assert found == pytest.approx({0.0: copies(CELLS)}, rel=1e-9)
    assert found[0.0] != pytest.approx(copies(CELLS, np.log(2.0)), rel=0.1)  # a mean life of a day


@ENGINES
def test_tumour_dna_comes_from_the_cells_of_all_colonies(engine):
    """At the turnover of their place and phenotype, those of the primary until it is removed."""
    asked = sampled(
        {**PLASMA, "on_visits": True},
        run={"dt_days": 4.0, "record_every_days": 4.0},
        growth={"turnover_per_day": DYING, "rho_per_day": 0.05},
        rates={"invasion_per_day": 0.02},
        seed={
            "phenotypes": {
                "one": {"initial_fraction": 0.6},
                "other": {"initial_fraction": 0.4, "turnover_factor": 0.5},
            }
        },
        treatment=[{**SURGERY, "start": 12.0}],
    )
    slower = np.outer([1.0, 1.0, 0.8, 1.0], [1.0, 0.5])  # of lung, and of the other phenotype
    with_metastases = 0
    for record in records(asked, engine, 3):
        cells = dict(zip(record.recorded_days, record.organ_cells, strict=True))
        wanted = {day: copies((cells[day] * slower).sum()) for day in (0.0, 8.0, 16.0, 24.0)}
        assert expected(record, Event.CTDNA) == pytest.approx(wanted, rel=1e-9)
        assert wanted[8.0] > 5.0 * wanted[16.0]
        with_metastases += wanted[16.0] > 0.0
    assert with_metastases > 1


# counts


def run_of(tests, **changes):
    asked = sampled(tests, **{"run": {"patients": 400, "record": "metastases"}, **changes})
    return ms.run(asked, progress=False)


MANY = {**BLOOD, "bed_transit_days": 300.0}


def test_counts_are_poisson_and_leave_the_course_alone():
    results = run_of(MANY)
    found = results.events.query("event == 'ctc'")["value"].to_numpy().astype(int)
    mean = expected(records(sampled(MANY), colonies, 1)[0], Event.CTC)[0.0]
    assert 1.0 < mean < 9.0
    seen = np.bincount(found, minlength=30)
    assert holds(counts_p(seen, stats.poisson.pmf(np.arange(30), mean)))
    assert caught(counts_p(seen, stats.poisson.pmf(np.arange(30), 1.3 * mean)))
    assert (results.patients["ctc_positive"] == (found >= 1)).all()
    plain, mine = run_of({}), ["ctc_positive"]
    assert plain.patients.drop(columns=mine).equals(results.patients.drop(columns=mine))
    assert plain.patients["ctc_positive"].isna().all()
    assert results.patients["ctdna_positive"].isna().all()
    assert results.patients["dtc_positive"].isna().all()
    assert plain.metastases.equals(results.metastases)
    rest = results.events.query("event != 'ctc'").drop(columns="value").reset_index(drop=True)
    assert rest.equals(plain.events.drop(columns="value"))


def test_copies_found_are_poisson_and_leave_the_cells_found_alone():
    both = {**MANY, **PLASMA, "ctdna_copies_per_cell": 1500.0}
    dying = {"growth": {"turnover_per_day": DYING}}
    results, without = run_of(both, **dying), run_of(MANY, **dying)
    found = {
        test: results.events.query(f"event == '{test}'")["value"].to_numpy().astype(int)
        for test in ("ctc", "ctdna")
    }
    mean = 500.0 * copies(CELLS)
    assert 0.5 < mean < 9.0
    seen = np.bincount(found["ctdna"], minlength=30)
    assert holds(counts_p(seen, stats.poisson.pmf(np.arange(30), mean)))
    assert caught(counts_p(seen, stats.poisson.pmf(np.arange(30), mean * np.log(2.0))))
    assert (results.patients["ctdna_positive"] == (found["ctdna"] >= 1)).all()
    assert (without.events.query("event == 'ctc'")["value"] == found["ctc"]).all()
    assert abs(np.corrcoef(found["ctc"], found["ctdna"])[0, 1]) < 0.2
    assert results.metastases.equals(without.metastases)


@pytest.mark.parametrize("also", [{**MARROW, "aspirate_fraction": 1.0}, {"on_visits": True}])
def test_a_count_is_a_patients_own_whatever_is_recorded(also):
    tests, few = {**MANY, **also}, {"patients": 30}  # nothing may be left that lives: visits go on
    runs = [
        run_of(tests, run={**few, "record": level}, treatment=[SURGERY])
        for level in ("patients", "everything")
    ]
    alone = ms.run(sampled(tests, run=few, treatment=[SURGERY]), patient=7, progress=False)
    whole, other = (r.events.query("event in ('ctc', 'dtc')").reset_index(drop=True) for r in runs)
    assert whole.equals(other) and whole["value"].nunique() > 3
    assert (whole.query("event == 'ctc'").groupby("patient").size() == 4).all()
    mine = whole[whole["patient"] == 7]["value"].tolist()
    assert mine == alone.events.query("event in ('ctc', 'dtc')")["value"].tolist()


@pytest.mark.parametrize(
    ("tests", "clinic", "said"),
    [
        (BLOOD, {}, "tests.blood_ml: tests are made from diagnosis on, which never comes"),
        ({"on_visits": True}, SEEN, "tests.on_visits: does nothing: no test is made"),
        ({**BLOOD, "on_visits": True}, {"diagnosis_diameter_mm": 2.0}, "there are no visits"),
        (
            {**MARROW, "marrow_organ": "bones"},
            SEEN,
            'tests.marrow_organ: there is no organ "bones"',
        ),
        ({"blood_ml": 0.0}, SEEN, "tests.blood_ml"),
        ({"plasma_ml": 0.0}, SEEN, "tests.plasma_ml"),
        ({**PLASMA, "ctdna_half_life_days": 0.0}, SEEN, "tests.ctdna_half_life_days"),
        (PLASMA, {}, "tests.plasma_ml: tests are made from diagnosis on, which never comes"),
        ({"blod_ml": 7.5}, SEEN, "blood_ml"),
    ],
)
def test_tests_that_make_no_sense_are_refused(tests, clinic, said):
    changes = {f"tests.{key}": value for key, value in tests.items()}
    small = ms.load("few_cells")
    cleared = {f"clinic.{key}": None for key in ("diagnosis_diameter_mm", "follow_up_days")}
    with pytest.raises(ms.ScenarioError) as error:
        small.replace({**cleared, **{f"clinic.{k}": v for k, v in clinic.items()}, **changes})
    assert said in str(error.value)


def test_plasma_of_a_tumour_in_which_no_cell_dies_is_refused():
    changes = {"growth.turnover_per_day": 0.0, "tests.plasma_ml": 4.0}
    with pytest.raises(ms.ScenarioError, match=r"tests.plasma_ml: finds nothing: no tumour cell"):
        ms.load("luminal_a").replace(changes)


def test_a_half_life_of_dna_that_nothing_reads_is_not_drawn():
    drawn = {"tests.ctdna_half_life_days": {"uniform": {"low": 0.01, "high": 0.1}}}
    with pytest.raises(ms.ScenarioError, match=r"has no effect while tests\.plasma_ml is unset"):
        ms.load("luminal_a").replace({f"patients.{key}": how for key, how in drawn.items()})
