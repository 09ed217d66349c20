"""`--by`: finished results split into groups of patients."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

import metasim as ms
from metasim.cli import app
from metasim.errors import OptionError, ResultsError
from metasim.results.pairing import are_paired
from metasim.results.tally import merge
from metasim.scenario.catalogue import around
from metasim.scenario.listing import entries

SHARES = {"luminal_b": 0.5, "luminal_a": 0.3, "triple_negative": 0.2}
MIX = {"patients.seed.subtype": {"choice": {"values": [*SHARES], "weights": [*SHARES.values()]}}}
FEW = MIX | {"run.patients": 60, "run.record": "metastases"}


@pytest.fixture(scope="module")
def results():
    return ms.run(ms.load("luminal_a_surgery", FEW))


@pytest.fixture(scope="module")
def folder(results, tmp_path_factory):
    return results.save(tmp_path_factory.mktemp("split") / "mixed")


def cli(*words):
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "80"})


@pytest.mark.parametrize("by", ["subtype", "er_positive", "stage_t"])
def test_groups_are_the_whole_and_no_patient_twice(results, by):
    groups = ms.split(results, by)
    assert len(groups) > 1
    for table in ("patients", "metastases", "events"):
        whole, parts = getattr(results, table), [getattr(g, table) for g in groups.values()]
        mine = whole["patient"].isin(results.patients.dropna(subset=by)["patient"])
        together = pd.concat(parts).sort_index()
        assert sorted(together["patient"]) == sorted(whole.loc[mine, "patient"])
        assert all(len(part) for part in parts)
    if by == "subtype":
        assert list(groups) == [*SHARES]  # the order of the scenario
        assert merge([group.tally for group in groups.values()]).equals(results.tally)
    for group in groups.values():
        assert group.patients[by].nunique() == 1
        assert group.summary.attrs["patients"] == len(group.patients) == group.description.patients
        assert group.summary.attrs["failed"] == group.summary.attrs["left_out"] == 0


def test_groups_of_one_size_are_no_pairs(results):
    groups = list(ms.split(results, "subtype").values())
    same = [one.description.model_copy(update={"patients": 9}) for one in groups[:2]]
    for group, description in zip(groups, same, strict=False):
        group.description = description
    assert not are_paired(groups[:2], ["a", "b"], [])


def test_plans_are_paired_within_a_group(results):
    better = ms.run(ms.load("luminal_a_surgery", FEW | {"soil.bone.niche": 0.1}))
    one, other = (ms.split(run, "er_positive")["not er_positive"] for run in (results, better))
    assert ms.compare([one, other], ["as it is", "poor bone"]).paired
    other = ms.split(better, "er_positive")["er_positive"]
    assert not ms.compare([one, other], ["ER-", "ER+"]).paired


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("subtpe", 'did you mean "subtype"?'),
        ("xyz", "there are "),
        ("growth.rho_per_day", "60 different values; at most 12 make groups"),
        ("age_years", "no patient has a value there"),
        ("patient", 'no column "patient"'),
    ],
)
def test_what_cannot_split_is_refused(results, folder, by, said):
    with pytest.raises(OptionError) as caught:
        ms.split(results, by)
    assert said in str(caught.value)
    done = cli("plot", folder, "--by", by)
    assert done.exit_code == 2 and "Traceback" not in done.output


def test_a_summary_alone_cannot_be_split():
    done = ms.run(ms.load("luminal_a_surgery", FEW | {"run.record": "patients", "run.patients": 4}))
    with pytest.raises(ResultsError, match="--record metastases"):
        ms.split(done, "subtype")


def test_the_commands_take_by(folder, tmp_path):
    shown = cli("show", folder, "--by", "subtype")
    assert shown.exit_code == 0, shown.output
    places = [shown.output.index(name) for name in SHARES]
    assert places == sorted(places) and shown.output.count("any distant organ") == 3
    assert cli("show", folder).output.count("any distant organ") == 1
    drawn = cli("plot", folder, "--by", "er_positive", "--figure", "hazard",
                "--figure", "organ_counts", "--output", tmp_path)  # fmt: skip
    assert drawn.exit_code == 0, drawn.output
    assert {path.stem for path in tmp_path.iterdir()} == {
        "hazard_by_er_positive", "organ_counts_er_positive", "organ_counts_not_er_positive",
    }  # fmt: skip
    compared = cli("compare", folder, "--by", "subtype")
    assert compared.exit_code == 0, compared.output
    assert "C  triple_negative" in compared.output and "independent groups" in compared.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "luminal_a", "--by", "subtype"), "give its folder"),
        (("show", "FOLDER", "--key", "soil"), "are for scenarios"),
        (("compare", "FOLDER"), "at least two"),
        (("compare", "FOLDER", "--by", "her2_positive"), "there are no two groups"),
    ],
)
def test_what_by_cannot_do(folder, words, said):
    done = cli(*(folder if word == "FOLDER" else word for word in words))
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_list_and_show_say_that_a_scenario_mixes(tmp_path):
    text = (
        'title = "Mixed"\nextends = "luminal_a_surgery"\n[patients]\n"seed.subtype" = { choice = '
    )
    text += f"{{ values = {json.dumps([*SHARES])}, weights = [0.5, 0.3, 0.2] }} }}\n"
    path = tmp_path / "mixed.toml"
    path.write_text(text)
    said = "Mixes subtypes: luminal_b 50 %, luminal_a 30 %, triple_negative 20 %."
    assert said in " ".join(cli("show", path).output.split())
    assert "Mixes" not in cli("show", "luminal_a").output
    beside = tmp_path / "catalogue" / "scenarios"
    beside.mkdir(parents=True)
    path.rename(beside / "mixed.toml")
    assert said in " ".join(entry.text for entry in entries(around(tmp_path / "catalogue")))
