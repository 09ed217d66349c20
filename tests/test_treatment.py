"""Treatment against exact laws (section 6 of docs/model), in both engines, with planted faults."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import metasim as ms
from metasim.engines import cells, colonies
from metasim.law import closed_forms
from metasim.parameters.course import course_of
from metasim.parameters.rates import law_of
from tests import twin
from tests.significance import caught, counts_p, holds, mean_p, share_p

ORACLES = Path(__file__).parent / "oracles"


def load(name, **changes):
    scenario = ms.load(ORACLES / f"{name}.toml")
    return scenario.replace({k.replace("__", "."): v for k, v in changes.items()})


def records(scenario, engine, patients):
    rng_seeds = [(scenario.run.rng_seed, seed) for seed in range(patients)]
    streams = [[np.random.default_rng((*s, i)) for i in range(2)] for s in rng_seeds]
    return twin.records_of(engine, law_of(scenario), course_of(scenario), streams, False)


ENGINES = pytest.mark.parametrize(("engine", "patients"), [(colonies, 1500), (cells, 40)])


def survivors_p(engine, patients, treatment, probability, n=1000, **changes):
    """p-value of a goodness-of-fit test: survivors are Binomial(n, probability)."""
    scenario = load("treated", treatment=[treatment], primary__initial_cells=n, **changes)
    left = [record.cells.sum() for record in records(scenario, engine, patients)]
    law = stats.binom(n, probability)
    cuts = law.ppf(np.linspace(0, 1, 9)[1:-1])
    found = np.bincount(np.searchsorted(cuts, left), minlength=8)
    return counts_p(found, np.diff([0.0, *law.cdf(cuts), 1.0]))


@ENGINES
def test_a_kill_leaves_a_binomial_number(engine, patients):
    kill = {"kind": "drug", "start": 3.0, "log_kill": 1.2, "cycles": 2, "interval_days": 7.0}
    assert holds(survivors_p(engine, patients, kill, math.exp(-2.4)))
    assert caught(survivors_p(engine, patients, kill | {"cycles": 1}, math.exp(-2.4)))


@ENGINES
def test_a_hazard_kills_as_long_as_it_lasts(engine, patients):
    kill = {"kind": "drug", "start": 3.0, "hazard_per_day": 0.1, "duration_days": 10.0}
    assert holds(survivors_p(engine, patients, kill, math.exp(-1.0)))
    assert caught(survivors_p(engine, patients, kill | {"duration_days": 12.0}, math.exp(-1.0)))


@ENGINES
def test_a_long_step_kills_as_much_as_short_ones(engine, patients):
    weekly = {"run__dt_days": 7.0, "run__years": 35 / 365.25}
    days = {"kind": "drug", "start": 7.0, "log_kill": 0.2, "cycles": 9, "interval_days": 1.0}
    hazard = {"kind": "drug", "start": 7.0, "hazard_per_day": 0.1, "duration_days": 10.0}
    for kill, log_kill in ((days, 1.8), (hazard, 1.0)):
        for steps in ({}, weekly):
            p = survivors_p(engine, patients, kill, math.exp(-log_kill), **steps)
            assert holds(p)
    assert caught(survivors_p(engine, patients, hazard | {"duration_days": 14.0}, math.exp(-1.0),
                              **weekly))  # fmt: skip
    assert caught(survivors_p(engine, patients, days | {"cycles": 4}, math.exp(-1.8), **weekly))


@ENGINES
def test_radiotherapy_is_linear_quadratic(engine, patients):
    dose, n, alpha, beta = 10.0, 5, 0.1, 0.02
    kill = {
        "kind": "radiotherapy", "organ": "breast", "start": 3.0, "dose_gray": dose, "fractions": n,
        "alpha_per_gray": alpha, "beta_per_gray2": beta,
    }  # fmt: skip
    expected = math.exp(-alpha * dose - beta * dose**2 / n)
    assert holds(survivors_p(engine, patients, kill, expected))
    # n fractions are as many treatments with an nth of the dose each
    one = kill | {"dose_gray": dose / n, "fractions": 1, "cycles": n, "interval_days": 1.0}
    assert holds(survivors_p(engine, patients, one, expected))
    assert caught(survivors_p(engine, patients, kill | {"fractions": 1}, expected))


@ENGINES
def test_a_sanctuary_and_a_field(engine, patients):
    kill = {"kind": "drug", "start": 3.0, "log_kill": 2.0, "penetrance": {"breast": 0.25}}
    assert holds(survivors_p(engine, patients, kill, math.exp(-0.5)))
    elsewhere = load("treated", treatment=[kill | {"organ": "lung"}])
    assert all(record.cells.sum() == 1000 for record in records(elsewhere, engine, 20))


SMALL = {  # a primary of 600 cells, each of which can be an agent, and small metastases
    "run.engine": "cells", "run.patients": 160, "run.years": 0.6, "clinic.cells_per_cm3": 6e4,
    "primary.initial_cells": 12, "rates.invasion_per_day": 1e-4, "soil.lung.detection_cells": 50.0,
    "clinic.micro_cells": 20.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "other_growth"),
    [
        pytest.param({"run.years": 1.0}, 1.3, id="colonies"),
        pytest.param(SMALL, 0.5, id="cells", marks=pytest.mark.verify),
    ],
)
def test_5_relapse_after_resection(changes, other_growth):
    birth, death, growth = 0.05, 0.03, 0.02

    def p_value(scenario):
        results = ms.run(scenario, progress=False)
        primary = float(course_of(scenario).diagnosis_cells[0, 0])
        primary *= np.exp(growth * scenario.run.dt_days / 2)  # seen at a step
        days = results.patients["end_day"] - results.patients["diagnosis_day"]
        days = float(days.median())
        lag = 3 * scenario.run.dt_days  # units are on their way for three steps
        free = closed_forms.relapse_free(
            scenario.rates.invasion_per_day, primary, growth, birth, death,
            scenario.soil["lung"].detection_cells, days - lag - scenario.run.dt_days / 2,
        )  # fmt: skip
        patients = results.patients
        early = patients["first_distant_day"].notna().sum()
        return share_p(early, len(patients), 1 - free)

    scenario = load("relapse", **changes)
    assert holds(p_value(scenario))
    assert caught(p_value(scenario.replace({"soil.lung.growth_factor": other_growth})))


@pytest.mark.parametrize(
    ("engine", "patients"),
    [(colonies, 3000), pytest.param(cells, 150, marks=pytest.mark.verify)],
)
def test_7_a_resistant_cell_at_a_size(engine, patients):
    scenario = load("resistance")
    birth, death, u = 0.3, 0.1, 1e-3

    def p_value(scenario):
        found = [record for record in records(scenario, engine, patients)
                 if np.isfinite(record.diagnosis_day)]  # fmt: skip
        course = course_of(scenario)
        size = float(course.diagnosis_cells[0, 0])
        size *= np.exp(0.2 * scenario.run.dt_days / 2)  # seen at a step
        expected = closed_forms.resistant_at(size, u, birth, death)
        # those whose resistant line lives when the rest is killed
        gone = np.array([record.colonies["extinct_day"][0] for record in found])
        left = sum(~(gone <= [record.diagnosis_day for record in found]))
        return share_p(left, len(found), expected)

    assert holds(p_value(scenario))
    wrong = {"seed.phenotypes.sensitive.becomes.resistant": 4e-3}
    assert caught(p_value(scenario.replace(wrong)))


def test_change_holds_while_it_lasts():
    change = {"kind": "slow", "start": 10.0, "duration_days": 20.0}
    change["change"] = {"growth.rho_per_day": 0.5, "soil.*.growth_factor": 0.5}
    scenario = load("growth", run__years=50 / 365.25, run__dt_days=1.0, run__patients=800,
                    growth__turnover_per_day=0.0, treatment=[change])  # fmt: skip
    cells = ms.run(scenario, progress=False).patients["primary_cells"].to_numpy(float)
    expected = 100 * math.exp(0.01 * 30 + 0.0025 * 20)
    assert holds(mean_p(cells, expected))
    longer = scenario.replace({"treatment": [change | {"duration_days": 40.0}]})
    cells = ms.run(longer, progress=False).patients["primary_cells"].to_numpy(float)
    assert caught(mean_p(cells, expected))


def test_days_on_which_nothing_lives_are_skipped_unnoticed():
    plan = [
        {"kind": "surgery", "organ": "breast", "start": "diagnosis"},
        {"kind": "chemotherapy", "start": "diagnosis", "delay_days": 400.0},
        {"kind": "slow", "start": "diagnosis", "hazard_per_day": 1e-4, "stop": "progression"},
        {"kind": "late", "start": 5000.0, "log_kill": 1.0, "cycles": 3, "interval_days": 3.0},
    ]
    scenario = ms.load("luminal_a_surgery", {
        "run.patients": 150, "treatment": plan, "clinic.age_years": 60.0,
        "clinic.other_death_per_year": 4e-5, "clinic.follow_up_days": 182.625,
    })  # fmt: skip
    tables = []
    for level in ("everything", "patients"):  # with everything, no day is skipped
        done = ms.run(scenario.replace({"run.record": level}), progress=False)
        tables.append((done.patients, done.events))
    for whole, skipped in zip(*tables, strict=True):
        assert whole.equals(skipped)
    assert {"cycle", "treatment_end", "death"} <= set(whole["event"])
    assert (done.patients["death_cause"] == "other_cause").sum() > 10


BASE = 'extends = "luminal_a_surgery"\n'
SURGERY = '[[treatment]]\nkind = "surgery"\n'


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        (SURGERY + 'organ = "lungs"', "treatment.0.organ", ['no organ "lungs"', '"lung"']),
        (SURGERY, "treatment.0.organ", ["required"]),
        ('[[treatment]]\nkind = "surgary"\nstart = 1.0', "treatment.0", ["nothing", '"surgery"']),
        ('[[treatment]]\nkind = "radiotherapy"\norgan = "bone"\ndose_gray = -2.0',
         "treatment.0.dose_gray", ["from 0 to", "-2.0"]),
        ('[[treatment]]\nkind = "x"\nstart = 1.0\nchange."soil.bone.niche" = -1.0',
         "treatment.0.change.soil.bone.niche", ["from 0 to", "-1.0"]),
        ('[[treatment]]\nkind = "chemotherapy"\ncycles = 2000', "treatment.0.cycles",
         ["last cycle"]),
        ('[[treatment]]\nkind = "chemotherapy"\ncycles = 1000000', "treatment.0.cycles",
         ["10,000"]),
        ('[[treatment]]\nkind = "chemotherapy"\nstart = 1e7', "treatment.0.start", ["never comes"]),
        ('[[treatment]]\nkind = "chemotherapy"\nstart = "relapse in lungs"', "treatment.0.start",
         ['no organ "lungs"']),
        ('[[treatment]]\nkind = "chemotherapy"\nstart = "diagnosys"', "treatment.0.start",
         ['"diagnosis"']),
        ('[[treatment]]\nkind = "bisphosphonate"\nchange."soil.bone.nich" = 0.5',
         "treatment.0.change.soil.bone.nich", ['"niche"']),
        ('[[treatment]]\nkind = "x"\nstart = 0.0\nchange."run.years" = 0.5',
         "treatment.0.change.run.years", ["nothing that a treatment can change"]),
        ('[[treatment]]\nkind = "chemotherapy"\nonly_if.age_years.max = 70.0',
         "treatment.0.only_if.age_years", ["clinic.age_years"]),
        ('[[treatment]]\nkind = "chemotherapy"\nonly_if.burden_cells = {min = 9.0, max = 1.0}',
         "treatment.0.only_if.burden_cells", ["above max"]),
        ('[[treatment]]\nkind = "chemotherapy"\nonly_if.subtype = ["luminal"]',
         "treatment.0.only_if.subtype.0", ["no subtype"]),
        (2 * (SURGERY + 'organ = "breast"\n'), "treatment.1", ["same time as treatment.0"]),
        ('[[treatment]]\nkind = "radiotherapy"', "treatment.0.organ", ["irradiated"]),
        ('[[treatment]]\nkind = "endocrine"\nduration_days = 3.0', "treatment.0.duration_days",
         ["less than a step"]),
        ('[[treatment]]\nkind = "chemotherapy"\nonly_if.age_years.max = 40.0\n'
         "[clinic]\nage_years = 50.0", "treatment.0.only_if.age_years", ["all are 50"]),
        ('[[treatment]]\nkind = "chemotherapy"\nonly_if.burden_cells.min = 1e15',
         "treatment.0.only_if.burden_cells", ["cells kill"]),
        ("[clinic]\nother_death_per_year = 1e-4", "clinic.other_death_per_year", ["age_years"]),
        ('[[treatment]]\nkind = "chemotherapy"\nstart = "relapse"\ncycles = 6000\n'
         "interval_days = 1.0", "treatment.0.cycles", ["the run has 5478.75 days"]),
        ('[seed.phenotypes.a]\ninitial_fraction = 1.0\nresistance.cytotoxik = 1.0',
         "seed.phenotypes.a.resistance.cytotoxik", ["no treatment has the drug", '"cytotoxic"']),
    ],
)  # fmt: skip
def test_impossible_plans_are_refused(tmp_path, text, key, words):
    path = tmp_path / "plan.toml"
    path.write_text(BASE + text)
    with pytest.raises(ms.ScenarioError) as error:
        ms.load(path)
    found = {mistake.key: str(mistake) for mistake in error.value.mistakes}
    assert list(found) == [key]
    assert all(word in found[key] for word in words), found


def test_a_plan_that_never_fires_is_said():
    from metasim.results.summary import never_given

    plan = [
        {"kind": "surgery", "organ": "breast", "start": "diagnosis"},
        {
            "kind": "surgery",
            "organ": "brain",
            "start": 5.0,
            "only_if": {"burden_cells": {"min": 1e9}},
        },
        {"kind": "trastuzumab"},
    ]
    scenario = ms.load("luminal_a_surgery").replace({"run.patients": 20, "treatment": plan})
    results = ms.run(scenario, progress=False)
    assert never_given(results) == ["surgery of brain", "trastuzumab"]
    assert results.summary.attrs["never_given"] == never_given(results)
    none = ms.run(scenario.replace({"treatment": ()}), progress=False)
    notes = ms.compare([none, results], ["none", "mine"]).notes
    assert [note for note in notes if "never given" in note] == [
        "mine: treatment surgery of brain: never given to any patient.",
        "mine: treatment trastuzumab: never given to any patient.",
    ]
    assert set(results.events["treatment"].dropna()) == {"surgery of breast"}


@pytest.mark.parametrize("name", ["chemotherapy", "palliative", "surgery_early"])
def test_explicit_plans_load_again(tmp_path, name):
    from metasim.scenario.explicit import explicit_toml

    path = tmp_path / "explicit.toml"
    path.write_text(explicit_toml(ms.load(name)))
    assert ms.load(path) == ms.load(name)
