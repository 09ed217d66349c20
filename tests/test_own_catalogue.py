"""Catalogues of users: where names are looked for, mistakes in them, files to start from."""

import os
import shutil
import warnings

import pytest
from typer.testing import CliRunner

import metasim as ms
from metasim.cli import app
from metasim.errors import MetasimWarning, OptionError, ScenarioError
from metasim.law.vessels import diverted
from metasim.scenario.catalogue import BESIDE, around, places
from metasim.scenario.explicit import cited, describe, explicit_toml
from metasim.scenario.listing import entries
from metasim.scenario.load import load
from metasim.scenario.templates import SECTION_OF

SUBTYPE = 'title = "T"\n[seed]\nproteolysis = {}\n'


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder that one is in, with no catalogue anywhere; writes files below it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("METASIM_CATALOGUE", raising=False)

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def install(here, monkeypatch, tmp_path):
    """Installs a package with a catalogue that has subtypes of these names."""
    monkeypatch.syspath_prepend(tmp_path / "site")

    def install(package, *names, value=None):
        here(f"site/{package}/__init__.py", "")
        for i, name in enumerate(names):
            here(f"site/{package}/subtypes/{name}.toml", SUBTYPE.format(0.8 + i / 100))
        about = f"site/{package}-1.0.dist-info/"
        here(f"{about}METADATA", f"Name: {package}\nVersion: 1.0\n")
        here(f"{about}entry_points.txt", f"[metasim.catalogue]\n{package} = {value or package}\n")
        places.of_packages.cache_clear()

    yield install
    places.of_packages.cache_clear()


def mine(here, text, folder=""):
    return here(f"{folder}mine.toml", f'extends = "luminal_a_surgery"\n{text}')


def mistakes_of(path, overrides=None):
    with pytest.raises(ScenarioError) as caught:
        load(path, overrides)
    return {mistake.key: str(mistake) for mistake in caught.value.mistakes}


# where names are looked for


def test_the_nearest_catalogue_wins_and_says_so(here, install, monkeypatch, tmp_path):
    path = mine(here, '[seed]\nsubtype = "fast"', "study/")
    install("lab_a", "fast", "luminal_a_surgery")
    assert load(path).seed.proteolysis == 0.8
    for number, folder in ((0.2, "second"), (0.1, "first")):
        here(f"{folder}/subtypes/fast.toml", SUBTYPE.format(number))
    listed = [str(tmp_path / name) for name in ("first", "second")]
    monkeypatch.setenv("METASIM_CATALOGUE", os.pathsep.join(listed))
    with pytest.warns(MetasimWarning, match=r"twice: first/subtypes/fast\.toml holds, not second"):
        assert load(path).seed.proteolysis == 0.1
    here("study/catalogue/subtypes/fast.toml", SUBTYPE.format(0.05))
    with pytest.warns(MetasimWarning, match=r"catalogue/subtypes/fast\.toml holds, not first"):
        assert load(path).seed.proteolysis == 0.05


def test_what_ships_means_the_same_whatever_else_there_is(here, install, monkeypatch, tmp_path):
    before = load("luminal_a_surgery")
    install("lab_a", "luminal_a_surgery")
    for folder in ("catalogue", "everywhere"):
        here(f"{folder}/subtypes/luminal_a.toml", SUBTYPE.format(0.9))
        here(f"{folder}/treatments/surgery.toml", "residual_fraction = 0.5\nstart = 3.0\n")
    monkeypatch.setenv("METASIM_CATALOGUE", str(tmp_path / "everywhere"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load("luminal_a_surgery") == before
        assert load(mine(here, "", "elsewhere/")) == before
    own = mine(here, '[seed]\nsubtype = "luminal_a"')
    with pytest.warns(MetasimWarning, match="not everywhere/.* and catalogue subtypes/luminal_a"):
        assert load(own).seed.proteolysis == 0.9


def test_two_packages_with_one_name_are_refused_and_a_broken_one_is_left_out(here, install):
    install("lab_a", "fast")
    install("lab_b", "fast", "slow")
    install("broken", value="broken.nowhere")
    with pytest.warns(MetasimWarning, match="package broken is left out .ModuleNotFoundError"):
        said = mistakes_of(mine(here, '[seed]\nsubtype = "fast"'))
    assert "twice, by package lab_a subtypes/fast and package lab_b" in said["seed.subtype"]
    slow = load(mine(here, '[seed]\nsubtype = "slow"'))
    assert slow._origins["seed.proteolysis"].layer == "package lab_b subtypes/slow"


def test_values_given_beside_a_file_find_both_catalogues(here):
    here("catalogue/subtypes/fast.toml", SUBTYPE.format(0.1))
    assert load("luminal_a_surgery", {"seed.subtype": "fast"}).seed.proteolysis == 0.1
    here("study/catalogue/subtypes/slow.toml", SUBTYPE.format(0.2))
    scenario = load(mine(here, "", "study/"))
    assert scenario.replace({"seed.subtype": "slow"}).seed.proteolysis == 0.2
    assert scenario.replace({"seed.subtype": "fast"}).seed.proteolysis == 0.1


def test_scenarios_of_a_catalogue_are_extended_and_run_by_name(here):
    here("catalogue/scenarios/ours.toml", 'extends = "luminal_a_surgery"\n[seed]\nsubtype = "fast"')
    here("catalogue/subtypes/fast.toml", SUBTYPE.format(0.1))
    for source in ("ours", here("mine.toml", 'extends = "ours"'), "catalogue/scenarios/ours.toml"):
        assert load(source).seed.proteolysis == 0.1


# what is said of them


def test_origin_status_and_source_are_shown(here):
    here("catalogue/sources.toml", '[ours]\ncitation = "Our cohort"\ndoi = "10.1/x"\n')
    here("catalogue/soils/skin.toml", 'title = "S"\nniche = 0.5\nhypoxia = {value = 0.2, '
         'status = "measured", source = "ours"}\n')  # fmt: skip
    text = '[soil.skin]\nentry = "skin"\ntakes_from = "other"\ntaken_fraction = 0.05'
    scenario = load(mine(here, text))
    rows = {row.key: row for row in describe(scenario)}
    assert rows["soil.skin.niche"][3:5] == ("catalogue/soils/skin.toml", "user")
    assert rows["soil.skin.hypoxia"][3:6] == ("catalogue/soils/skin.toml", "measured", "ours")
    assert rows["vessels.blood.arteries.skin"].note == "0.05 of what other would get"
    assert rows["vessels.blood.arteries.other"].note == "less what goes to skin"
    assert "ours: Our cohort, doi:10.1/x" in cited(scenario, [*rows.values()])


def test_standard_care_of_a_catalogue_is_given(here):
    text = "[[treatment]]\nkind = 'surgery'\norgan = 'breast'\ndelay_days = 7.0\n"
    here("catalogue/care/1990s.toml", text)
    scenario = load("luminal_a_surgery", {"care": "1990s", "treatment": "none"})
    assert [(t.kind, t.delay_days, t.care) for t in scenario.treatment] == [
        ("surgery", 7.0, "1990s")
    ]
    assert scenario._origins["treatment.0.delay_days"].layer == "catalogue/care/1990s.toml"


def test_list_names_origins_and_what_cannot_be_used(here, install):
    install("lab_a", "fast")
    here("catalogue/subtypes/fast.toml", "# Look at bone.\n" + SUBTYPE.format(0.1))
    here("catalogue/pairs/broken.toml", "ligand = ")
    here("catalogue/soils/my skin.toml", "niche = 0.1")
    found = {
        (e.one, e.name, e.origin): e.text for e in entries(around(here("x", "").parent / BESIDE))
    }
    own = next(origin for _, name, origin in found if name == "broken")
    assert found["subtype", "fast", own] == "T. Look at bone."
    assert found["subtype", "fast", "package lab_a"] == f"T. not used: {own} comes before"
    assert "cannot be used: is not TOML" in found["pair", "broken", own]
    assert '"my skin" is not a name' in found["soil", "my skin", own]
    assert found["subtype", "luminal_a", "metasim"].startswith("Luminal A.")
    printed = CliRunner().invoke(app, ["list"], env={"COLUMNS": "200"})
    assert printed.exit_code == 0 and "package lab_a" in printed.output


SKIN = '[soil.skin]\nentry = "skin"\ntakes_from = "other"\ntaken_fraction = 0.05\n'
WRONG = [
    ("soils/skin.toml", "nich = 0.5", SKIN, "soil.skin.nich", 'did you mean "niche"'),
    ("soils/skin.toml", "niche = 5", SKIN, "soil.skin.niche", "number from 0 to 1, not 5"),
    ("soils/skin.toml", "niche = {value = 0.1, status = 'measured'}", SKIN, "soil.skin.niche",
     "no source is given"),
    ("soils/skin.toml", "entry = 'other'", SKIN, "soil.skin.entry", "names no other"),
    ("organs/mice.toml", "[sead]\nniche = 1", "organs = 'mice'", "sead.niche",
     "nothing that an entry of organs gives"),
    ("subtypes/a.toml", "[sed]\nproteolysis = 1", "[seed]\nsubtype = 'a'", "sed.proteolysis",
     'did you mean "seed"'),
    ("subtypes/a.toml", "[seed]\nsubtype = 'b'", "[seed]\nsubtype = 'a'", "seed.subtype",
     "names no other"),
    ("pairs/p.toml", "ligand = 'CXCL12'\nreceptor = 'CXR4'\nfactor = 'chemotaxis'",
     "[pairs.p]\nentry = 'p'", "pairs.p.receptor", 'did you mean "CXCR4"'),
    ("treatments/t.toml", "start = 'diagnosis'\nhazard_per_dya = 1.0", "[[treatment]]\nkind = 't'",
     "treatment.0.hazard_per_dya", 'did you mean "hazard_per_day"'),
]  # fmt: skip


@pytest.mark.parametrize(("file", "text", "use", "key", "said"), WRONG)
def test_a_mistake_of_an_entry_names_its_file_key_and_way_on(here, file, text, use, key, said):
    here(f"catalogue/{file}", text)
    message = mistakes_of(mine(here, use))[key]
    assert said in message
    assert f"in catalogue/{file}" in message


def test_all_mistakes_of_all_files_at_once(here):
    here("catalogue/soils/skin.toml", "nich = 0.5\nniche = 5")
    here("catalogue/pairs/p.toml", "ligand = ")
    here("catalogue/sources.toml", "[ours]\ncitaton = 'x'\n[theirs]\ncitation = 3\n")
    text = SKIN + "[pairs.p]\nentry = 'p'\n[soil.bone]\nnich = 0.1\n[soil.eye]\nentry = 'eey'"
    found = mistakes_of(mine(here, text))
    assert {"soil.skin.nich", "soil.skin.niche", "pairs.p.entry", "ours.citaton", "ours.citation",
            "theirs.citation", "soil.bone.nich", "soil.eye.entry"} <= found.keys()  # fmt: skip
    assert "catalogue/pairs/p.toml: is not TOML" in found["pairs.p.entry"]
    assert 'did you mean "citation"' in found["ours.citaton"]
    assert "in catalogue/sources.toml" in found["theirs.citation"]


def test_a_name_that_is_nowhere_gets_the_nearest_or_the_file_that_lies_wrong(here):
    here("catalogue/subtypes/basal.toml", SUBTYPE.format(0.1))
    here("catalogue/subtype/fast.toml", SUBTYPE.format(0.1))
    here("catalogue/slow.toml", SUBTYPE.format(0.1))
    said = [mistakes_of("luminal_a", {"seed.subtype": n})["seed.subtype"]
            for n in ("bassal", "fast", "slow")]  # fmt: skip
    assert 'no subtype "bassal" (in --set; did you mean "basal"?)' in said[0]
    assert "catalogue/subtype/fast.toml is not looked at: move it to catalogue/subtypes" in said[1]
    assert "catalogue/slow.toml is not looked at" in said[2]


def test_a_folder_of_the_variable_has_to_exist(here, monkeypatch):
    monkeypatch.setenv("METASIM_CATALOGUE", "nowhere")
    with pytest.raises(OptionError, match="METASIM_CATALOGUE: there is no folder nowhere"):
        load(mine(here, ""))
    assert CliRunner().invoke(app, ["check", "mine.toml"]).exit_code == 2


# shares that are taken


def test_taking_a_share_is_writing_all_shares(here):
    text = "[soil.skin]\nlabel = 'Skin'\n{}[vessels.blood.skin]\nveins = 1.0\n"
    taking = load(mine(here, text.format("takes_from = 'other'\ntaken_fraction = 0.05\n")))
    arteries = "[vessels.blood.arteries]\nskin = 0.036715\nother = 0.697585\n"
    written = load(here("b.toml", 'extends = "luminal_a_surgery"\n' + text.format("") + arteries))
    assert taking.soil == written.soil
    for route, graph in written.vessels.items():
        for source, ends in graph.items():
            assert taking.vessels[route][source] == pytest.approx(ends, abs=1e-12)
    assert load("luminal_a_surgery").vessels["blood"]["other"] == taking.vessels["blood"]["other"]


def test_shares_taken_in_turn_sum_to_one_and_drain_as_what_they_are_taken_from():
    graph = {"blood": {"heart": {"gut": 0.6, "leg": 0.4}, "gut": {"heart": 1.0},
                       "leg": {"heart": 0.5, "gut": 0.5}}}  # fmt: skip
    out = diverted(graph, {"colon": ("gut", 0.25), "toe": ("leg", 0.5), "polyp": ("colon", 0.1)})
    assert out["blood"]["heart"] == pytest.approx(
        {"gut": 0.45, "colon": 0.135, "polyp": 0.015, "leg": 0.2, "toe": 0.2}
    )
    assert (
        out["blood"]["leg"]
        == out["blood"]["toe"]
        == pytest.approx({"heart": 0.5, "gut": 0.375, "colon": 0.1125, "polyp": 0.0125})
    )
    assert out["blood"]["polyp"] == out["blood"]["colon"] == {"heart": 1.0}
    assert graph["blood"]["heart"] == {"gut": 0.6, "leg": 0.4}


TAKING = [
    ("takes_from = 'othr'\ntaken_fraction = 0.1", "soil.skin.takes_from", 'did you mean "other"'),
    ("takes_from = 'skin'\ntaken_fraction = 0.1", "soil.skin.takes_from", "take from itself"),
    ("takes_from = 'other'", "soil.skin.taken_fraction", "is required"),
    ("taken_fraction = 0.1", "soil.skin.taken_fraction", "needs takes_from"),
    ("takes_from = 'other'\ntaken_fraction = 1.5", "soil.skin.taken_fraction", "from 0 to 1"),
    ("takes_from = 'other'\ntaken_fraction = 0.6\n[soil.eye]\ntakes_from = 'other'\n"
     "taken_fraction = 0.5", "soil.eye.taken_fraction", "sums to 1.1"),
    ("takes_from = 'eye'\ntaken_fraction = 0.1\n[soil.eye]\ntakes_from = 'skin'\n"
     "taken_fraction = 0.5", "soil.eye.takes_from", "take from itself"),
    ("takes_from = 'other'\ntaken_fraction = 0.1\n[vessels.blood.veins]\nskin = 0.0",
     "vessels.blood.veins.skin", "which takes its inflow from other"),
    ("takes_from = 'other'\ntaken_fraction = 0.1\n[patients]\n'vessels.blood.arteries.other' = "
     "{uniform = {low = 0.5, high = 0.6}}", "patients.vessels.blood.arteries.other", "be drawn"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "key", "said"), TAKING)
def test_mistakes_of_taking(here, text, key, said):
    assert said in mistakes_of(mine(here, f"[soil.skin]\n{text}"))[key]


# files to start from, and runs that remember


@pytest.mark.parametrize("what", SECTION_OF)
def test_new_writes_a_file_that_runs(here, what):
    run = CliRunner().invoke
    done = run(app, ["new", what, "mine"])
    assert done.exit_code == 0 and "metasim run mine.toml" in done.output
    args = ["run", "mine.toml", "--patients", "2", "--no-figures"]
    assert run(app, [*args, "--quiet"]).exit_code == 0
    if what != "scenario":
        file = f"catalogue/{SECTION_OF[what]}/mine.toml"
        layers = {row.layer for row in describe(load("mine.toml"))}
        assert file in layers
    assert run(app, ["new", what, "mine"]).exit_code == 2  # it exists
    shutil.rmtree("catalogue", ignore_errors=True)
    again = ["run", "results/mine/scenario.toml", "--output", "b", "--no-figures", "--quiet"]
    assert run(app, again).exit_code == 0
    assert ms.open_results("b").metastases.equals(ms.open_results("results/mine").metastases)


@pytest.mark.parametrize(
    ("what", "name", "said"),
    [
        ("subtyp", "x", 'did you mean "subtype"'),
        ("organ", "1x", "is not a name"),
        ("organ", "bone", "luminal_a_surgery has an organ of this name"),
        ("subtype", "luminal_a", "there is one of this name, catalogue subtypes/luminal_a"),
        ("scenario", "breast", "there is one of this name"),
    ],
)
def test_new_refuses(here, what, name, said, tmp_path):
    done = CliRunner().invoke(app, ["new", what, name], env={"COLUMNS": "300"})
    assert done.exit_code == 2 and said in done.output
    assert not [*tmp_path.rglob("*.toml")]


def test_a_saved_scenario_needs_no_catalogue(here):
    here("catalogue/subtypes/fast.toml", SUBTYPE.format(0.1))
    here(
        "catalogue/treatments/brew.toml", "start = 'diagnosis'\nhazard_per_day = 0.1\ndrug = 'tea'"
    )
    here("catalogue/soils/skin.toml", "niche = 0.5")
    text = SKIN + (
        "[seed.phenotypes.a]\ninitial_fraction = 1.0\nresistance.tea = 0.5\n"
        "[[treatment]]\nkind = 'bisphosphonate'\nonly_if.subtype = ['luminal_a', 'fast']\n"
    )
    scenario = load(mine(here, text))
    saved = here("elsewhere/saved.toml", explicit_toml(scenario))
    shutil.rmtree("catalogue")
    assert load(saved) == scenario
    assert load(saved).replace({"run.patients": 3}).run.patients == 3
    found = mistakes_of(saved, {"seed.phenotypes.a.resistance.coffee": 0.5})
    assert "no treatment has the drug" in found["seed.phenotypes.a.resistance.coffee"]
    assert mistakes_of("mine.toml").keys() == {
        "soil.skin.entry", "seed.phenotypes.a.resistance.tea", "treatment.0.only_if.subtype.1"
    }  # fmt: skip
