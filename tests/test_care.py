"""Standard care as data: how its rules join a plan, who gets what, and what is refused."""

import numpy as np
import pandas as pd
import pytest

import metasim as ms
from metasim.engines import cells, colonies
from metasim.law.eligibility import ANY, Amounts, Classes, Conditions, eligible
from metasim.parameters import course
from metasim.parameters.course import course_of
from metasim.parameters.eligibility import offered_to, responding_to
from metasim.parameters.exposure import changing_of, regime_bits
from metasim.parameters.rates import law_of
from metasim.scenario.catalogue import SHIPPED, Catalogue
from metasim.scenario.draws import draw_parameters
from metasim.scenario.explicit import describe, explicit_toml
from metasim.scenario.tumours import RECEPTORS
from metasim.terms import STAGES_N, STAGES_T, Detection, Event
from tests import twin
from tests.significance import holds, share_p

AGED = {
    "clinic.age_years": 60.0, "soil.axillary_nodes.nodes": 20,
    "soil.axillary_nodes.node_pass_prob": 0.5,
}  # fmt: skip


def kinds(scenario):
    return [(t.kind, t.care) for t in scenario.treatment]


def own(scenario):
    return [t.kind for t in scenario.treatment if t.care is None]


@pytest.fixture(scope="module")
def modern():
    return ms.load("luminal_a_surgery", {**AGED, "care": "2020s"})


def test_rules_of_care_come_before_the_scenarios_own_treatments(modern):
    plain = ms.load("luminal_a_surgery", AGED)
    found = kinds(modern)
    assert found[-1] == ("surgery", None)
    assert {care for _, care in found[:-1]} == {"2020s"}
    assert modern.treatment[-1] == plain.treatment[0]
    rows = {row.key: row for row in describe(modern)}
    assert rows["treatment.0.kind"].layer == "catalogue care/2020s"
    assert rows["treatment.0.residual_fraction"].layer == "catalogue treatments/surgery"
    assert rows[f"treatment.{len(found) - 1}.kind"].layer == "luminal_a_surgery.toml"


def test_another_care_takes_the_place_of_the_rules_only(modern):
    late = {f"treatment.{len(modern.treatment) - 1}.delay_days": 7.0}
    changed = modern.replace(late)
    for name in ("1980s", "2000s"):
        other = changed.replace({"care": name})
        assert {care for _, care in kinds(other)} == {name, None}
        assert own(other) == ["surgery"]
        assert other.treatment[-1].delay_days == 7.0
        assert other.replace({"care": "2020s"}) == changed
    assert changed.replace({"care": None}) == ms.load(
        "luminal_a_surgery", {**AGED, "treatment.0.delay_days": 7.0}
    )
    assert modern.replace({"treatment": ()}).replace({"care": "none"}).treatment == ()


def test_a_file_changes_care_or_treatments_of_what_it_extends(tmp_path, modern):
    base, leaf = tmp_path / "base.toml", tmp_path / "leaf.toml"
    base.write_text(
        'extends = "luminal_a_surgery"\ncare = "2020s"\n[clinic]\nage_years = 60.0\n'
        "[soil.axillary_nodes]\nnodes = 20\nnode_pass_prob = 0.5\n"
        '[[treatment]]\nkind = "antioxidants"\n'
    )
    assert kinds(ms.load(base))[:-1] == kinds(modern)[:-1]
    assert own(ms.load(base)) == ["antioxidants"]
    leaf.write_text('extends = "base"\n[[treatment]]\nkind = "chemotherapy"\n')
    assert kinds(ms.load(leaf))[:-1] == kinds(modern)[:-1]
    assert own(ms.load(leaf)) == ["chemotherapy"]
    leaf.write_text('extends = "base"\ncare = "none"\n')
    assert kinds(ms.load(leaf)) == [("antioxidants", None)]
    leaf.write_text('extends = "base"\n[treatment.0]\ndelay_days = 3.0\n')
    assert ms.load(leaf).treatment[0].delay_days == 3.0
    few = ms.load(base, {"treatment.0.given_fraction": 0.5})
    assert few.treatment[0].given_fraction == 0.5
    assert few.treatment[0].care == "2020s"


@pytest.mark.parametrize("name", SHIPPED.names("care"))
def test_a_saved_scenario_holds_the_rules(tmp_path, monkeypatch, name):
    asked = ms.load("luminal_a_surgery", {**AGED, "care": name})
    path = tmp_path / "saved.toml"
    path.write_text(explicit_toml(asked))
    with monkeypatch.context() as no_catalogue:
        no_catalogue.setattr(Catalogue, "find", lambda *names: None)
        again = ms.load(path)
    assert again == asked
    assert again.replace({"care": None}) == ms.load("luminal_a_surgery", AGED)


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('care = "2010s"', "care", ['no standard care "2010s"', '"2020s"']),
        ('care = "1980s"', "care", ["go by age", "clinic.age_years"]),
        ('care = "2020s"\nclinic.age_years = 60.0', "care",
         ["single nodes of axillary_nodes", "soil.axillary_nodes.nodes"]),
        ('[[treatment]]\nkind = "endocrine"\nonly_if.stage_n = ["N0"]\n'
         'only_if.nodes_positive.min = 1', "treatment.0.only_if.nodes_positive", ["contradicts"]),
        ('[[treatment]]\nkind = "endocrine"\nonly_if.stage_t = ["T3", "T2"]\n'
         'only_if.diameter_mm.max = 15.0', "treatment.0.only_if.diameter_mm", ["contradicts"]),
        ('[[treatment]]\nkind = "endocrine"\nonly_if.detection = ["scan"]',
         "treatment.0.only_if.detection.0", ['"screening"', '"scan"']),
        ('care = "1980s"\nclinic.age_years = 60.0\nclinic.diagnosis_diameter_mm = "none"\n'
         'run.follow_from = "start"\ntreatment = "none"',
         "care", ['"diagnosis" never comes']),
        ('[[treatment]]\nkind = "surgery"\norgan = "breast"\ncare = "2020s"',
         "treatment.0.care", ["set by metasim"]),
        ('[[treatment]]\nkind = "endocrine"\nonly_if.stage_n = ["N4"]',
         "treatment.0.only_if.stage_n.0", ['"N0" or "N1mi"', '"N4"']),
        ('[[treatment]]\nkind = "endocrine"\nonly_if.stage_t = []',
         "treatment.0.only_if.stage_t", ["empty", "nobody"]),
        ('[[treatment]]\nkind = "chemotherapy"\nonly_if.subtype = ["triple_negative"]',
         "treatment.0.only_if.subtype", ["nobody has such a tumour", "luminal_a"]),
        ('[[treatment]]\nkind = "chemotherapy"\nonly_if.her2_positive = true',
         "treatment.0.only_if.her2_positive", ["nobody has such a tumour", "luminal_a"]),
        ('[[treatment]]\nkind = "chemotherapy"\nonly_if.er_positive = false\n'
         'only_if.subtype = ["luminal_b", "luminal_a"]',
         "treatment.0.only_if.er_positive", ["contradicts", "luminal_b or luminal_a"]),
        ('patients."seed.subtype".choice.values = ["luminal_a", "luminal_b"]\n'
         '[[treatment]]\nkind = "chemotherapy"\nonly_if.er_positive = false',
         "treatment.0.only_if.er_positive", ["nobody", "luminal_a or luminal_b"]),
        ('[[treatment]]\nkind = "endocrine"\ngiven_fraction = 1.5',
         "treatment.0.given_fraction", ["from 0 to 1"]),
    ],
)  # fmt: skip
def test_rules_that_can_never_apply_are_refused(tmp_path, text, key, words):
    path = tmp_path / "plan.toml"
    path.write_text(f'extends = "luminal_a_surgery"\n{text}')
    with pytest.raises(ms.ScenarioError) as error:
        ms.load(path)
    found = {mistake.key: str(mistake) for mistake in error.value.mistakes}
    assert list(found) == [key], found
    assert all(word in found[key] for word in words), found


def test_organs_that_care_needs_are_asked_for_once(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('extends = "breast"\ncare = "1980s"\nclinic.age_years = 60.0\n'
                    'soil.brain = "none"\nvessels.blood.brain = "none"\n'
                    "vessels.blood.arteries.brain = 0.0\n")  # fmt: skip
    with pytest.raises(ms.ScenarioError) as error:
        ms.load(path)
    found = [str(m) for m in error.value.mistakes if m.key.startswith(("care", "treatment"))]
    assert len(found) == 1
    assert 'organ "brain"' in found[0]


def test_eligibility_is_a_matter_of_ranges_and_sets():
    nobody = Amounts(*[np.nan] * len(Amounts._fields))
    stages = Classes(*[np.nan] * len(Classes._fields))
    width = len(Amounts._fields), len(Classes._fields)
    free = Conditions(np.full((1, width[0]), -np.inf), np.full((1, width[0]), np.inf),
                      np.full((1, width[1]), ANY))  # fmt: skip
    assert eligible(nobody, stages, free, 0)
    for i in range(width[0]):
        asked = free._replace(least=free.least.copy(), most=free.most.copy())
        asked.least[0, i] = 2.0
        for value, suits in ((1.9, False), (2.0, True), (np.nan, False)):
            amounts = nobody._replace(**{Amounts._fields[i]: value})
            assert eligible(amounts, stages, asked, 0) is suits
        asked.most[0, i] = 3.0
        for value, suits in ((3.0, True), (3.1, False)):
            amounts = nobody._replace(**{Amounts._fields[i]: value})
            assert eligible(amounts, stages, asked, 0) is suits
    for i in range(width[1]):
        asked = free._replace(sets=free.sets.copy())
        asked.sets[0, i] = 0b101
        for value, suits in ((0.0, True), (1.0, False), (2.0, True), (np.nan, False)):
            classes = stages._replace(**{Classes._fields[i]: value})
            assert eligible(nobody, classes, asked, 0) is suits


STAGED = [{"stage_t": [t]} for t in STAGES_T] + [{"stage_n": [n]} for n in STAGES_N]
STAGED += [{"nodes_positive": {"min": 1}}, {"nodes_positive": {"min": 2, "max": 3}}]
STAGED += [{"diameter_mm": {"max": 30.0}}, {"detection": ["screening"]}]
STAGED += [{"stage_m": ["M0"]}, {"stage_t": ["T1", "T3"], "stage_n": ["N0", "N2"]}]


@pytest.mark.parametrize(("engine", "patients"), [(colonies, 300), (cells, 40)])
def test_stage_at_diagnosis_decides_who_is_treated(engine, patients):
    base = twin.SCENARIOS["resection"].model_dump(exclude_none=True)
    markers = [
        {"kind": "marker", "start": start, "log_kill": 0.0, "only_if": rule}
        for start in ("diagnosis", 72.0)
        for rule in STAGED
    ]
    asked = ms.load("luminal_a_surgery").model_validate({**base, "treatment": markers})
    values = twin.drawn("resection", np.random.default_rng(1), patients)
    law, course = law_of(asked, values), course_of(asked, values)
    streams = [[np.random.default_rng((k, i)) for i in range(2)] for k in range(patients)]
    met = set()
    for record in twin.records_of(engine, law, course, streams, False):
        started = record.events[record.events["event"] == Event.TREATMENT_START]["which"]
        t, n, m = record.staging
        for i in range(len(STAGED)):
            rule = STAGED[i]
            suits = {
                "stage_t": [STAGES_T[x] for x in rule.get("stage_t", STAGES_T)],
                "stage_n": [STAGES_N[x] for x in rule.get("stage_n", STAGES_N)],
                "stage_m": [0] if "stage_m" in rule else [0, 1],
            }
            wanted = t in suits["stage_t"] and n in suits["stage_n"] and m in suits["stage_m"]
            for name in ("nodes_positive", "diameter_mm"):
                ends = rule.get(name, {})
                wanted &= ends.get("min", -9) <= record.patient[name] <= ends.get("max", 1e9)
            if "detection" in rule:
                wanted &= record.patient["detection"] == Detection.SCREENING
            wanted = bool(wanted and np.isfinite(record.diagnosis_day))
            assert (i in started) == wanted
            if not record.diagnosis_day <= 72.0 <= record.end_day:
                wanted = False  # on that day not diagnosed yet, or no longer followed
            assert (len(STAGED) + i in started) == wanted
            met |= {(i, bool(wanted))}
    assert len(met) >= len(STAGED) + 4  # many rules hold for some and not for others


def test_a_share_of_patients_is_the_same_however_they_are_run():
    some = {"kind": "chemotherapy", "given_fraction": 0.3}
    more = {"kind": "endocrine", "given_fraction": 0.3}
    asked = ms.load("luminal_a_surgery", {"treatment": [some, more, {"kind": "antioxidants"}]})
    whole = offered_to(asked, {}, 0, 4000)
    parts = [offered_to(asked, {}, first, 500) for first in range(0, 4000, 500)]
    assert (np.concatenate(parts) == whole).all()
    assert whole[:, 2].all()
    for column in (0, 1):
        assert holds(share_p(whole[:, column].sum(), 4000, 0.3))
    assert holds(share_p((whole[:, 0] & whole[:, 1]).sum(), 4000, 0.09))
    other = asked.replace({"run.rng_seed": 2})
    assert (offered_to(other, {}, 0, 4000)[:, 0] != whole[:, 0]).any()
    everybody = asked.replace({f"treatment.{i}.given_fraction": 1.0 for i in (0, 1)})
    assert offered_to(everybody, {}, 0, 4000).shape == (1, 3)


MIXED = {"patients.seed.subtype": {"choice": {
    "values": ["luminal_a", "luminal_b", "her2_enriched", "triple_negative"],
    "weights": [0.4, 0.2, 0.15, 0.25],
}}}  # fmt: skip


def test_each_subtype_is_offered_its_own_treatments():
    plan = [
        {"kind": "chemotherapy", "only_if": {"subtype": ["luminal_b", "triple_negative"]}},
        {"kind": "endocrine"},
        {"kind": "trastuzumab"},
        {"kind": "x", "start": 1.0, "log_kill": 1.0,
         "only_if": {"er_positive": False, "her2_positive": False}},
        {"kind": "antioxidants"},
    ]  # fmt: skip
    asked = ms.load("luminal_a_surgery", {**MIXED, "treatment": plan})
    drawn = draw_parameters(asked, 0, 400)
    offered = offered_to(asked, drawn, 0, 400)
    a, b, her2, none = (drawn["seed.subtype"] == place for place in range(4))
    for column, whom in enumerate((b | none, a | b, her2, none, a | ~a)):
        assert whom.any()
        assert (offered[:, column] == whom).all()
    for name, columns in (("luminal_a", [1, 4]), ("her2_enriched", [2, 4])):
        single = ms.load(f"{name}_surgery", {"treatment": [plan[1], plan[2], plan[4]]})
        found = offered_to(single, {}, 7, 3)
        assert found.tolist() == [[c in columns for c in (1, 2, 4)]]
    nothing = {f"seed.{name}": "none" for name in ("subtype", *RECEPTORS)}
    unknown = ms.load("luminal_a_surgery", nothing | {"treatment": plan[1:3]})
    assert not offered_to(unknown, {}, 0, 1).any()


def test_who_is_offered_a_treatment_gets_it_in_any_chunk():
    some = {"kind": "marker", "start": 10.0, "log_kill": 0.0, "given_fraction": 0.5}
    asked = ms.load(
        "luminal_a_surgery", {"run.patients": 40, "treatment": [some], "run.years": 1.0}
    )
    tables = [ms.run(asked, progress=False, chunk=n).events for n in (40, 7)]
    assert tables[0].equals(tables[1])
    treated = tables[0]["patient"][tables[0]["event"] == "treatment_start"]
    expected = np.flatnonzero(offered_to(asked, {}, 0, 40)[:, 0])
    assert sorted(treated) == list(expected)
    model = ms.model_of(ms.load("few_cells", {"run.patients": 40, "treatment": [some]}), 3)
    assert model.waiting_for == [0] * (3 in expected)


DRUG = {"kind": "drug", "hazard_per_day": 0.1, "change": {"growth.rho_per_day": 0.3}}
DRUGS = {
    "colonies": ("luminal_a_surgery", {"start": "diagnosis", "duration_days": 700.0}),
    "cells": ("few_cells", {"start": 20.0, "duration_days": 100.0}),
}


def courses(engine, share):
    """Metastases of some patients when a drug works in a share of them."""
    (name, when), patients = DRUGS[engine], 24 if engine == "colonies" else 6
    plan = [{**DRUG, **when, "responding_fraction": share}]
    asked = ms.load(name, {"run.patients": patients, "run.engine": engine, "treatment": plan})
    run = ms.run(asked.replace({"run.record": "metastases"}), progress=False)
    started = run.events.query("event == 'treatment_start'")["patient"].nunique()
    assert started > patients / 2  # it is given to all who are diagnosed, whether it works or not
    return run.metastases.drop(columns="metastasis", errors="ignore"), asked


def as_one_of(mixed, none, all_, responds):
    """Whether each patient has the course of the treated or of the untreated, as she responds."""
    expected = pd.concat([all_[responds[all_["patient"]]], none[~responds[none["patient"]]]])
    expected = expected.sort_values("patient", kind="stable").reset_index(drop=True)
    return mixed.reset_index(drop=True).equals(expected)


@pytest.mark.parametrize("engine", DRUGS)
def test_who_does_not_respond_has_the_course_of_who_got_nothing(engine, monkeypatch):
    none, nobody = courses(engine, 0.0)
    untreated = ms.run(nobody.replace({"treatment": []}), progress=False).metastases
    assert untreated.drop(columns="metastasis", errors="ignore").equals(none)
    all_, _ = courses(engine, 1.0)
    half, asked = courses(engine, 0.5)
    responds = responding_to(asked, 0, asked.run.patients)[:, 0]
    assert 0 < responds.sum() < len(responds)
    assert as_one_of(half, none, all_, responds)
    # planted fault: the share is ignored
    monkeypatch.setattr(course, "responding_to", lambda asked, first, count: np.ones((1, 1), bool))
    assert not as_one_of(courses(engine, 0.5)[0], none, all_, responds)


def test_a_tumour_responds_to_a_drug_whenever_it_is_given():
    once = {**DRUG, "start": "diagnosis", "responding_fraction": 0.4}
    plan = [
        once,
        {**once, "start": "relapse"},
        {**once, "kind": "other", "responding_fraction": 0.6},
    ]
    asked = ms.load("luminal_a_surgery", {"treatment": plan})
    responds = responding_to(asked, 0, 4000)
    assert (responds[:, 0] == responds[:, 1]).all()
    assert holds(share_p(responds[:, 0].sum(), 4000, 0.4))
    assert holds(share_p((responds[:, 0] & responds[:, 2]).sum(), 4000, 0.24))
    assert (responding_to(asked, 1000, 500) == responds[1000:1500]).all()


def test_treatments_that_are_one_drug_count_once():
    again = {"kind": "endocrine", "start": "relapse", "duration_days": "none"}
    other = {"kind": "endocrine", "start": "relapse in bone", "change": {"growth.rho_per_day": 0.7}}
    asked = ms.load("luminal_a_surgery", {"treatment": [{"kind": "endocrine"}, again, other]})
    assert len(changing_of(asked)) == 2
    assert regime_bits(asked) == [1, 1, 2]
    assert len(law_of(asked).regimes) == 4
    late = {"kind": "x", "change": {"growth.rho_per_day": 0.5}, "start": 1.0}
    growing = ms.load("growth_only", {"run.patients": 30, "run.years": 3.0, "treatment": [late]})
    twice = growing.replace({"treatment": [late, {**late, "start": 2.0}]})
    sizes = [ms.run(asked, progress=False).patients["primary_cells"] for asked in (growing, twice)]
    assert sizes[0].equals(sizes[1])


def test_the_patients_table_says_the_care():
    asked = ms.load(
        "luminal_a_surgery", {"run.patients": 3, "run.years": 1.0, "care": "1980s", **AGED}
    )
    table = ms.run(asked, progress=False).patients
    assert set(table["care"]) == {"1980s"}
    none = ms.run(asked.replace({"care": None}), progress=False).patients
    assert none["care"].isna().all()
