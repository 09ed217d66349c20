"""The catalogue and the shipped scenarios: sources, explicit form, JSON Schema."""

import tomllib

import jsonschema
import pytest

from metasim.scenario.catalogue import RUNNABLE, SECTIONS, SHIPPED, Catalogue
from metasim.scenario.explicit import (
    cited,
    describe,
    explicit_toml,
    json_schema,
    print_description,
)
from metasim.scenario.layers import layer
from metasim.scenario.listing import entries
from metasim.scenario.load import load
from metasim.scenario.origin import STATUSES
from metasim.scenario.sources import sources

FILES = [(section, name) for section in (*SECTIONS, RUNNABLE) for name in SHIPPED.names(section)]
TO_RUN = SHIPPED.names(RUNNABLE)
SCENARIOS = [*TO_RUN, *SHIPPED.names("scenarios")]


def table(section, name):
    own = tomllib.loads(SHIPPED.find(section, name).path.read_text("utf-8"))
    if section != "treatments":
        return own
    title = own.pop("title")
    return {"title": title, "treatment": [{"kind": name, **own}]}


def test_everything_promised_is_there():
    assert set(SHIPPED.names("organs")) == {"default", "fine"}
    subtypes = {"luminal_a", "luminal_b", "her2_enriched", "triple_negative"}
    assert set(SHIPPED.names("subtypes")) == subtypes
    assert subtypes | {
        "untreated", "flow_only", "seed_and_soil", "soft_bone", "growth_only", "few_cells", "emt",
    } <= set(TO_RUN)  # fmt: skip
    for entry in entries():
        assert entry.title, entry.name
        assert len(entry.comment) > 20, entry.name


@pytest.mark.parametrize(("section", "name"), FILES)
def test_sources(section, name):
    """measured and derived have a source that is listed; assumed has none; the rest is said."""
    found = layer(name, table(section, name), "assumed")
    assert not found.mistakes
    for key, origin in found.origins.items():
        assert origin.status in STATUSES[:4], key
        assert not origin.source or origin.source in sources(), key
        if origin.status in ("measured", "derived"):
            assert origin.source, key
        if origin.status == "assumed":
            assert not origin.source, key


def test_sources_are_complete_and_used():
    used = {
        origin.source
        for section, name in FILES
        for origin in layer(name, table(section, name), "assumed").origins.values()
    }
    for key, source in sources().items():
        assert source["citation"], key
        assert source["evidence"].endswith(".csv"), key
        assert set(source) <= {"citation", "evidence", "doi", "pmid", "pmcid"}, key
        assert key in used, key


def test_subtypes_leave_nothing_of_each_other_behind():
    seeds = [layer(n, table("subtypes", n), "assumed").values for n in SHIPPED.names("subtypes")]
    assert all(seed.keys() == seeds[0].keys() for seed in seeds)


@pytest.mark.parametrize("name", SCENARIOS)
def test_explicit_round_trip(tmp_path, name):
    scenario = load(name)
    path = tmp_path / "scenario.toml"
    path.write_text(explicit_toml(scenario), encoding="utf-8")
    again = load(path)
    assert again == scenario
    assert repr(again.model_dump()) == repr(scenario.model_dump())  # order and every bit too
    assert tomllib.loads(explicit_toml(again)) == tomllib.loads(explicit_toml(scenario))


def test_explicit_needs_no_catalogue(tmp_path, monkeypatch):
    scenario = load(
        "soft_bone",
        {"run.rng_seed": 2**62, "title": 'a "b" \\ \t\x7f é', "soil.bone.niche": 0.1 + 0.2},
    )
    path = tmp_path / "scenario.toml"
    path.write_text(explicit_toml(scenario), encoding="utf-8")
    monkeypatch.setattr(Catalogue, "find", lambda *names: None)
    assert load(path) == scenario


def test_explicit_comments_say_where_values_come_from():
    text = explicit_toml(load("soft_bone", {"growth.turnover_per_day": 0.04}))
    for line in (
        "turnover_per_day = 0.04  # 1/day; --set; user",
        "lethal_cells = 1e12  # cells; catalogue scenarios/breast; measured; norton1988",
        "colonization = 2.0  # soft_bone.toml; assumed",
        "max_cells = 200000  # cells; default; assumed",
    ):
        assert line in text.splitlines()


def test_rows_say_everything_of_a_value():
    scenario = load("luminal_a_surgery", {"run.years": 3.0})
    rows = {row.key: row for row in describe(scenario)}
    brain = rows["soil.brain.endothelial_barrier"]
    assert brain == (
        "soil.brain.endothelial_barrier", "1.0", "", "catalogue organs/default", "derived",
        "bos2009", "the blood-brain barrier", False,
    )  # fmt: skip
    assert rows["run.years"][1:5] == ("3.0", "years", "--set", "user")
    assert rows["growth.rho_per_day"].drawn
    assert rows["patients.growth.rho_per_day"].unit == "1/day"
    assert rows["run.undiagnosed_years"].layer == "default"
    assert sum("10.1038/nature08021" in text for text in cited(scenario, describe(scenario))) == 1


def test_description_as_printed(capsys):
    print_description(load("luminal_a_surgery"), "soil.brain.endothelial_barrier")
    text = " ".join(capsys.readouterr().out.split())
    assert "[soil.brain] endothelial_barrier = 1.0 derived catalogue organs/default" in text
    assert "bos2009; the blood-brain barrier" in text
    assert "doi:10.1038/nature08021" in text
    assert "Norton" not in text
    print_description(load("luminal_a_surgery"), "growth.rho")
    assert "0.000898 1/day (drawn per patient" in " ".join(capsys.readouterr().out.split())


def test_catalogue_entries():
    listed = {(entry.one, entry.name): entry.text for entry in entries()}
    assert "order of the organs" in listed["scenario", "luminal_a_surgery"]
    assert {one for one, _ in listed} == {
        "scenario", "base scenario", "organ graph", "subtype", "treatment", "standard care",
    }  # fmt: skip


def test_flow_only_differs_from_its_rival_in_the_soil_alone():
    flow, soil = load("flow_only"), load("seed_and_soil")
    matters = {"basement_membrane", "endothelial_barrier", "hypoxia", "oxidants", "niche",
               "immune_surveillance", "ligands", "multiplier", "growth_factor", "turnover_factor",
               "dormancy_factor", "reawakening_factor", "capacity_cells"}  # fmt: skip
    organs = [organ.model_dump(include=matters) for organ in flow.soil.values()]
    assert all(organ == organs[0] for organ in organs)
    assert flow.model_dump(exclude={"soil", "title"}) == soil.model_dump(exclude={"soil", "title"})


def test_soft_bone_differs_in_one_value():
    soft, hard = (
        {row.key: row.value for row in describe(load(name))}
        for name in ("soft_bone", "luminal_a_surgery")
    )
    different = {key for key in soft if soft[key] != hard[key]}
    assert different == {"title", "soil.bone.multiplier.colonization"}


def test_blood_flow_is_that_of_the_evidence():
    default, fine = load("breast"), load("breast", {"organs": "fine"})
    for scenario in (default, fine):
        arteries = scenario.vessels["blood"]["arteries"]
        assert (arteries["brain"], arteries["liver"], arteries["bone"]) == (0.12, 0.065, 0.05)
    into_liver = (
        default.vessels["blood"]["arteries"]["other"] * (default.vessels["blood"]["other"]["liver"])
    )
    assert into_liver == pytest.approx(0.21, abs=1e-6)
    portal = ("gut", "stomach", "spleen", "pancreas")
    assert all(fine.vessels["blood"][organ] == {"liver": 1.0} for organ in portal)
    assert sum(fine.vessels["blood"]["arteries"][o] for o in portal) == pytest.approx(0.21)


@pytest.mark.parametrize("organs", ["default", "fine"])
def test_nobody_dies_of_what_cannot_be_seen_or_felt(organs):
    for soil in load("breast", {"organs": organs}).soil.values():
        if soil.lethal_cells is not None:
            assert soil.lethal_cells > 5 * soil.detection_cells
            assert soil.symptoms
            assert all(soil.detection_cells < n < soil.lethal_cells for n in soil.symptoms.values())


@pytest.fixture(scope="module")
def checker():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(("section", "name"), FILES)
def test_json_schema_accepts_our_files(checker, section, name):
    checker.validate(table(section, name))


def test_json_schema_accepts_explicit_files(checker):
    checker.validate(tomllib.loads(explicit_toml(load("emt"))))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[soil.bone]\nnich = 0.5", "$.soil.bone"),
        ("[soil.bone]\nniche = 1.5", "$.soil.bone.niche"),
        ("[soil.bone]\nniche = {value = 1.5}", "$.soil.bone.niche"),
        ("[soil.bone]\nniche = {value = 0.5, status = 'guess'}", "$.soil.bone.niche"),
        ("[gates.arrest.weights]\nadhesive = 1.0", "$.gates.arrest.weights"),
        ("[run]\nengine = 'celss'", "$.run.engine"),
        ("[patients]\n'growth.rho_per_day' = {lognormal = {median = 1.0}}", "$.patients"),
        ("[patients]\ngrowth.rho_per_day = {lognormal = {median = 1.0}}", "$.patients"),
        ("extends = 3", "$.extends"),
    ],
)
def test_json_schema_refuses(checker, text, path):
    assert path in [error.json_path for error in checker.iter_errors(tomllib.loads(text))]


def test_json_schema_describes_every_value():
    schema = json_schema()
    tables = [schema, *(part for name, part in schema["$defs"].items() if name != "Drawn")]
    for part in tables:
        for key, value in part["properties"].items():
            if key not in ("value", "status", "source", "note"):
                below = schema["$defs"].get(value.get("$ref", "").rpartition("/")[2], {})
                assert value.get("description") or below.get("description"), key
