"""Which layer wins, and where each value is said to come from."""

import numpy as np
import pytest

from metasim.errors import ScenarioError
from metasim.scenario.explicit import describe
from metasim.scenario.load import load
from metasim.scenario.treatment import Treatment

RHO = "growth.rho_per_day"


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_later_files_win_and_tables_merge(write):
    write("base.toml", 'extends = "breast"\n[soil.bone]\nniche = 0.1\nhypoxia = 0.2')
    leaf = write("leaf.toml", 'extends = "base.toml"\n[soil.bone]\nniche = 0.3')
    bone = load(leaf, {"soil.bone.oxidants": 0.4}).soil["bone"]
    assert (bone.niche, bone.hypoxia, bone.oxidants) == (0.3, 0.2, 0.4)
    assert bone.label == "Bone"


def test_named_entries_come_before_the_own_keys_of_their_file(write):
    text = '[seed]\nsubtype = "triple_negative"\nproteolysis = 0.11\n[soil.bone]\nniche = 0.12'
    scenario = load(write("a.toml", f'extends = "breast"\norgans = "fine"\n{text}'))
    plain = load("triple_negative_surgery").seed
    assert scenario.seed.proteolysis == 0.11
    assert scenario.seed.receptors == plain.receptors
    assert scenario.soil["bone"].niche == 0.12
    assert "kidneys" in scenario.soil


def test_organs_replace_the_graph_and_what_was_said_of_it(write):
    text = 'extends = "breast"\n[soil.bone]\nniche = 0.1\n[patients]\n'
    path = write("a.toml", text + '"soil.bone.hypoxia" = {uniform = {low = 0, high = 1}}')
    assert "soil.bone.hypoxia" in load(path).patients
    fine = load(path, {"organs": "fine"})
    assert "other" in fine.vessels["blood"]
    assert "liver" not in fine.vessels["blood"]["other"]
    assert fine.soil["bone"].niche == load("breast").soil["bone"].niche
    assert "soil.bone.hypoxia" not in fine.patients


def test_subtype_given_on_the_command_line():
    assert load("luminal_a_surgery", {"seed.subtype": "triple_negative"}).seed == (
        load("triple_negative_surgery").seed
    )


def test_a_later_fixed_value_takes_a_distribution_away(write):
    assert RHO in load("breast").patients
    for fixed in (
        load("breast", {RHO: 0.002}),
        load("breast").replace({RHO: 0.002}),
        load(write("a.toml", 'extends = "breast"\n[growth]\nrho_per_day = 0.002')),
    ):
        assert RHO not in fixed.patients
        assert fixed.growth.rho_per_day == 0.002
        assert "clinic.diagnosis_diameter_mm" in fixed.patients
    kept = load(write("b.toml", 'extends = "breast"\n[growth]\n'))
    assert RHO in kept.patients


def test_a_later_distribution_wins_over_a_fixed_value(write):
    drawn = '"growth.rho_per_day" = { uniform = { low = 0.1, high = 0.2 } }'
    write("base.toml", 'extends = "breast"\n[growth]\nrho_per_day = 0.002')
    for head in ('extends = "base.toml"', 'extends = "breast"\ngrowth.rho_per_day = 0.3'):
        distribution = load(write("leaf.toml", f"{head}\n[patients]\n{drawn}")).patients[RHO]
        assert distribution.uniform.high == 0.2
        assert distribution.lognormal is None


def test_distributions_may_be_quoted_or_nested(write):
    shape = "{ uniform = { low = 0.1, high = 0.2 } }"
    quoted = f'extends = "breast"\n[patients]\n"growth.rho_per_day" = {shape}'
    nested = f'extends = "breast"\n[patients.growth]\nrho_per_day = {shape}'
    dotted = f'extends = "breast"\n[patients]\ngrowth.rho_per_day = {{ value = {shape} }}'
    a, b, c = (load(write("a.toml", text)) for text in (quoted, nested, dotted))
    assert a == b == c
    override = {f"patients.{RHO}": {"uniform": {"low": 0.1, "high": 0.2}}}
    assert load("breast", override).patients == a.patients


def test_none_takes_away(write):
    text = 'extends = "luminal_a_surgery"\npatients = "none"\ntreatment = "none"\n'
    scenario = load(write("a.toml", f'{text}[clinic]\nlethal_cells = "none"\n[run]\n'
                          'follow_from = "start"\n[seed]\nclusters.cluster = "none"'))  # fmt: skip
    assert scenario.patients == {}
    assert scenario.treatment == ()
    assert scenario.clinic.lethal_cells is None
    assert scenario.seed.clusters == {}
    assert load("breast").replace({"clinic.lethal_cells": None}).clinic.lethal_cells is None


def test_lists_are_replaced_whole(write):
    surgery = '[[treatment]]\nkind = "surgery"\norgan = "breast"\nstart = 10.0'
    scenario = load(write("a.toml", f'extends = "luminal_a_surgery"\n{surgery}'))
    assert [treatment.start for treatment in scenario.treatment] == [10.0]
    assert load("untreated").treatment == ()


def test_one_value_of_a_treatment_changes_alone(write):
    base = load("bisphosphonate")
    surgery, drug = base.treatment
    changes = {"treatment.1.delay_days": 400.0, "treatment.1.change.soil.bone.niche": 0.4}
    later = load("bisphosphonate", changes)
    assert later.treatment[0] == surgery
    assert later.treatment[1] == drug.model_copy(
        update={"delay_days": 400.0, "change": {**drug.change, "soil.bone.niche": 0.4}}
    )
    assert later._origins["treatment.1.delay_days"].layer == "--set"
    from_catalogue = later._origins["treatment.1.duration_days"].layer
    assert from_catalogue == "catalogue treatments/bisphosphonate"
    assert base.replace(changes).treatment == later.treatment
    assert base.treatment == (surgery, drug)
    text = """extends = "bisphosphonate"
        [treatment.1]
        delay_days = 400.0
        change.soil.bone.niche = 0.4
        """
    assert load(write("later.toml", text)).treatment == later.treatment
    assert base.replace({"treatment.1.duration_days": None}).treatment[1].duration_days is None
    both = base.replace({"treatment": (surgery,), "treatment.0.delay_days": 90.0})
    assert [t.delay_days for t in both.treatment] == [90.0]


def test_annotated_values_are_unwrapped_and_their_origin_kept(write):
    noted = '{ value = 0.5, status = "derived", source = "mueller2001", note = "half" }'
    whole = '{ value = { arrest = 3.0 }, status = "calibrated" }'
    scenario = load(
        write("a.toml", f'extends = "breast"\n[soil.bone]\nniche = {noted}\nmultiplier = {whole}\n'
              "hypoxia = 0.25"), {"soil.bone.oxidants": 0.1})  # fmt: skip
    origins = scenario._origins
    assert scenario.soil["bone"].niche == 0.5
    assert scenario.soil["bone"].multiplier.arrest == 3.0
    assert origins["soil.bone.niche"] == ("a.toml", "derived", "mueller2001", "half")
    assert origins["soil.bone.multiplier.arrest"] == ("a.toml", "calibrated", "", "")
    assert origins["soil.bone.hypoxia"] == ("a.toml", "user", "", "")
    assert origins["soil.bone.oxidants"] == ("--set", "user", "", "")
    assert origins["soil.bone.endothelial_barrier"][:3] == (
        "catalogue organs/default", "derived", "bos2009",
    )  # fmt: skip
    assert origins["seed.proteolysis"].layer == "catalogue subtypes/luminal_a"
    assert origins["growth.law"].layer == "catalogue scenarios/breast"


def test_replace_keeps_origins_and_leaves_the_original_alone():
    base = load("luminal_a_surgery")
    soft = base.replace({"soil.bone.niche": np.float64(0.5), "run.patients": np.int64(7)})
    assert base.soil["bone"].niche == 0.9
    assert (soft.soil["bone"].niche, soft.run.patients) == (0.5, 7)
    assert soft._origins["soil.bone.niche"] == ("replace", "user", "", "")
    assert soft._origins["growth.law"] == base._origins["growth.law"]
    assert base.replace({}) == base != soft
    assert list(soft.soil) == list(base.soil)


def test_replace_takes_tables_parts_and_later_values():
    surgery = Treatment(kind="surgery", organ="liver", start=5.0, residual_fraction=0.0)
    scenario = load("breast").replace(
        {"soil.bone": {"niche": 0.5}, "treatment": (surgery,), "soil.bone.niche": 0.6}
    )
    assert scenario.soil["bone"].niche == 0.6
    assert scenario.soil["bone"].label == "Bone"
    assert scenario.treatment == (surgery,)
    with pytest.raises(ScenarioError, match=r"replace: soil\.bone\.niche: .* not 2"):
        scenario.replace({"soil.bone.niche": 2})


def test_names_are_found_from_any_folder(write, tmp_path, monkeypatch):
    write("mine.toml", 'extends = "luminal_a_surgery"')
    write("luminal_a_surgery.toml", 'extends = "luminal_a_surgery"\ntitle = "my own"')
    monkeypatch.chdir(tmp_path)
    assert load("mine.toml").treatment == load("luminal_a_surgery").treatment
    assert load("luminal_a_surgery").title != "my own"
    assert load("luminal_a_surgery.toml").title == "my own"


def test_notebooks_show_what_is_asked_and_every_value_with_its_origin(write):
    own = write("a.toml", 'extends = "trastuzumab"\ntitle = "<i>& $x$"\n[soil.bone]\nniche = 0.123')
    scenario = load(own, {"run.patients": 1234})
    page = scenario._repr_html_()
    asked = "1,234 patients with subtype her2_enriched; followed for 15 years from diagnosis"
    assert f"<b>&lt;i&gt;&amp; $x$</b><br>{asked}; rng_seed 1; organs: Breast, " in page
    assert "treatments: surgery, trastuzumab; differing between patients: growth.rho_per" in page
    rows = describe(scenario)
    assert page.count("<tr>") == len(rows) + page.count("<summary>")
    assert f"{len(rows)} values: " in page
    own = "<td>soil.bone.niche</td><td>0.123</td><td></td><td>user</td><td>a.toml</td>"
    assert own in page
    assert "<td>1/day</td><td>calibrated</td>" in page and "(drawn per patient)" in page
    many = scenario.replace({"patients": {RHO: {"each": {"values": [0.001] * 1234}}}})
    assert len(many._repr_html_()) < len(page) + 500
    assert "patients with subtype" not in load("growth_only")._repr_html_()
