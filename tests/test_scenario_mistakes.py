"""Every mistake of a scenario file gets one clear message, and all of them at once."""

import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metasim.errors import OptionError, ScenarioError
from metasim.scenario import keys, messages
from metasim.scenario.load import Given, load, parse_override
from metasim.scenario.treatment import Treatment


@pytest.fixture
def mistakes(tmp_path):
    """The mistakes of a file with this text: (key, whole message)."""

    def find(text, **overrides):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        with pytest.raises(ScenarioError) as caught:
            load(path, overrides)
        assert caught.value.source == str(path)
        assert str(path) in str(caught.value)
        return [(mistake.key, str(mistake)) for mistake in caught.value.mistakes]

    return find


SINGLE = [
    # unknown keys, at any depth
    ("rho_per_day = 1.0", "rho_per_day", ["no such key", "growth.rho_per_day"]),
    ("value = 1.0", "value", ["no such key"]),
    ("[grwth]\nrho_per_day = 1.0", "grwth", ["no such key", '"growth"']),
    ("[soil.bone]\nnich = 0.5", "soil.bone.nich", ["no such key", '"niche"']),
    ("[soil.bone.multiplier]\ncolonisation = 2", "soil.bone.multiplier.colonisation",
     ["no such key", '"colonization"']),
    ("[soil.bonne]\nniche = 0.5", "soil.bonne", ["unknown organ", '"bone"']),
    ("[gates.arrest.weights]\nadhesive = 1", "gates.arrest.weights.adhesive", ['"adhesion"']),
    ("[vessels.bloood]\nlung.veins = 1", "vessels.bloood", ["no such key", '"blood"']),
    ("[soil.bone.ligands]\n1x = 0.5", "soil.bone.ligands.1x", ["not a name"]),
    ("[soil.'my bone']\nniche = 0.5", "soil.my bone", ["not a name"]),
    # wrong types
    ("[soil.bone]\nniche = 'high'", "soil.bone.niche", ["number from 0 to 1", '"high"']),
    ("[soil.bone]\nniche = true", "soil.bone.niche", ["number from 0 to 1", "not true"]),
    ("[soil.bone]\nniche = 1979-05-27", "soil.bone.niche", ["not 1979-05-27"]),
    ("[soil.bone]\nniche = [0.5]", "soil.bone.niche", ["not [0.5]"]),
    ("[soil.bone]\nmultiplier = 2.0", "soil.bone.multiplier", ["must be a table, not 2.0"]),
    ("[soil]\nbone = 1", "soil.bone", ["must be a table, not 1"]),
    ("[soil.bone]\nposition = [1, 2, 3]", "soil.bone.position", ["a list of 2 numbers"]),
    ("[soil.bone]\nposition = ['a', 2]", "soil.bone.position.0", ["must be a number", '"a"']),
    ("[soil.bone]\nlabel = 3", "soil.bone.label", ["must be text, not 3"]),
    ("[run]\npatients = 2.5", "run.patients", ["whole number from 1 to 100,000,000", "2.5"]),
    ("[run]\nengine = 'celss'", "run.engine", ['"colonies" or "cells"', 'mean "cells"']),
    ("[run]\nrecord = 'all'", "run.record", ['"summary" or', '(or "none")']),
    ("treatment = 3", "treatment", ["a list of tables, not 3"]),
    ("[treatment]\nkind = 'surgery'", "treatment", ["not a table", "[[treatment]]"]),
    # values out of range
    ("[soil.bone]\nniche = 1.5", "soil.bone.niche", ["number from 0 to 1, not 1.5"]),
    ("[seed]\nproteolysis = -0.1", "seed.proteolysis", ["number from 0 to 1, not -0.1"]),
    ("[growth]\nrho_per_day = nan", "growth.rho_per_day", ["to 1e+06 (1/day), not nan"]),
    ("[growth]\nrho_per_day = inf", "growth.rho_per_day", ["not inf"]),
    ("[growth]\nrho_per_day = 1" + "0" * 400, "growth.rho_per_day", ["1000", "..."]),
    ("[primary]\ninitial_cells = 0", "primary.initial_cells", ["(cells), not 0"]),
    ("[run]\npatients = 0", "run.patients", ["from 1", "not 0"]),
    ("[run]\nyears = -1.0", "run.years", ["above 0 and of at most 1e+09 (years), not -1.0"]),
    ("[run]\nyears = 1e9", "run.dt_days", ["more than 1,000,000 steps of 7 days"]),
    ("[run]\ndt_days = 1e-6", "run.dt_days", ["more than 1,000,000 steps of 1e-06 days"]),
    ("[run]\nsmall_steps = 4", "run.small_steps", ["no effect", "give run.small_cells"]),
    ("[run]\nyears = 0.01", "run.dt_days", ["7 days", "longer than the run (3.6525 days)"]),
    # the organ graph
    ("[vessels.blood.arteries]\nbone = 0.5", "vessels.blood.arteries", ["sum to 1.45"]),
    ("[vessels.lymph]\nbreast.axillary_nodes = 0.5", "vessels.lymph.breast", ["sum to 0.5"]),
    ("[vessels.blood.liver]\nviens = 1\nveins = 0", "vessels.blood.liver.viens", ['"veins"']),
    ("[vessels.blood.bonne]\nveins = 1.0", "vessels.blood.bonne", ["no organ", '"bone"']),
    ("[vessels.lymph.veins]\naxillary_nodes = 1.0", "vessels.lymph.veins", ["not by both"]),
    ("[soil.bone]\nlymph_fraction = 0.1", "vessels.lymph.bone", ["no outflow by lymph"]),
    ("[vessels.blood]\nbone = 'none'", "vessels.blood.bone", ["no outflow by blood"]),
    ("[soil.skin]\n[vessels.blood.skin]\nveins = 1.0", "soil.skin", ["add it to [vessels]"]),
    ("[soil.skin]\n[vessels.blood]\nskin.veins = 1.0\narteries.skin = 0.0", "soil.skin",
     ["no vessel leads from breast to this organ"]),
    ("[vessels.blood]\nbone = {veins = 0.0, pool = 1.0}\npool = {pool = 1.0}", "vessels.blood.pool",
     ["never comes to an organ"]),
    ("[circulation]\ndeath_prob_per_pass = 0.0\n[gates.arrest]\nbase_odds = 0.0",
     "circulation.death_prob_per_pass", ["circulate for ever"]),
    # names that stand for something else
    ("[primary]\norgan = 'brest'", "primary.organ", ['"brest"', 'mean "breast"']),
    ("[[treatment]]\nkind = 'surgery'\norgan = 'lungs'\nstart = 3.0", "treatment.0.organ",
     ['"lungs"', 'mean "lung"']),
    ("[pairs.x]\nligand = 'CXCL13'\nreceptor = 'CXCR4'\nfactor = 'chemotaxis'",
     "pairs.x.ligand", ['"CXCL13"', '"CXCL12"']),
    ("[pairs.x]\nligand = 'CXCL12'\nreceptor = 'CXR4'\nfactor = 'chemotaxis'",
     "pairs.x.receptor", ['"CXR4"', '"CXCR4"']),
    ("[seed.receptors]\nCXR4 = 0.5", "seed.receptors.CXR4", ["no pair", '"CXCR4"']),
    ("[soil.bone.ligands]\nCXCL21 = 0.5", "soil.bone.ligands.CXCL21", ["no pair", '"CCL21"']),
    ("[seed]\nsubtype = 'lumina_a'", "seed.subtype", ['"lumina_a"', '"luminal_a"']),
    ("[seed]\nsubtype = 'HER2'", "seed.subtype", ['no subtype "HER2"', 'mean "her2_enriched"']),
    ("organs = 'fien'", "organs", ['"fien"', '"fine"']),
    # shares and phenotypes
    ("[seed.clusters.cluster]\nshare_fraction = 0.7\n[seed.clusters.big]\nsize_cells = 20\n"
     "share_fraction = 0.7\ndeath_prob_per_pass = 0.1", "seed.clusters", ["sum to 1.4"]),
    ("[seed.clusters.big]\nsize_cells = 20\nshare_fraction = 0.1",
     "seed.clusters.big.death_prob_per_pass", ["required and not given"]),
    ("[seed.phenotypes.E]\ninitial_fraction = 0.5", "seed.phenotypes", ["sum to 0.5", "to 1"]),
    ("[seed.phenotypes.E]\ninitial_fraction = 1.0\nbecomes.F = 0.1",
     "seed.phenotypes.E.becomes.F", ['no phenotype "F"']),
    ("[seed.phenotypes.E]\ninitial_fraction = 1.0\nbecomes.E = 0.1",
     "seed.phenotypes.E.becomes.E", ["cannot become itself"]),
    # distributions
    ("[patients]\n'growth.rho_per_day' = 0.1", "patients.growth.rho_per_day",
     ["takes a distribution, not 0.1", "the same for all: growth.rho_per_day"]),
    ("[patients]\n'growth.rho' = {uniform = {low = 0, high = 1}}", "patients.growth.rho",
     ["no key", 'mean "rho_per_day"']),
    ("[patients]\n'soil.bonne.niche' = {uniform = {low = 0, high = 1}}",
     "patients.soil.bonne.niche", ['soil has no "bonne"', '"bone"']),
    ("[patients.soil.bonne]\nniche = {uniform = {low = 0, high = 1}}",
     "patients.soil.bonne.niche", ['soil has no "bonne"', '"bone"']),
    ("[patients]\n'growth.law' = {uniform = {low = 0, high = 1}}", "patients.growth.law",
     ["not a number"]),
    ("[patients]\n'run.years' = {uniform = {low = 1, high = 2}}", "patients.run.years",
     ["same for every patient"]),
    ("[patients]\n'soil.bone.niche' = {normal = {mean = 0.5, sd = 0.1}}",
     "patients.soil.bone.niche", ["number from 0 to 1", "add low and high"]),
    ("[patients]\n'soil.bone.niche' = {lognormal = {median = 0.5, sigma = 0.1}}",
     "patients.soil.bone.niche", ["number from 0 to 1", "add high"]),
    ("[patients]\n'soil.bone.niche' = {choice = {values = [0.5, 2.0]}}",
     "patients.soil.bone.niche", ["it can leave"]),
    ("[patients]\n'soil.bone.niche' = {}", "patients.soil.bone.niche", ["exactly one of"]),
    ("[patients]\n'soil.bone.niche' = {uniform = {low = 0, high = 1}, choice = {values = [1]}}",
     "patients.soil.bone.niche", ["uniform and choice"]),
    ("[patients]\n'soil.bone.niche' = {uniform = {low = 0.5, high = 0.5}}",
     "patients.soil.bone.niche", ["low (0.5) must be below high (0.5)"]),
    ("[patients]\n'soil.bone.niche' = {choice = {values = [0.1], weights = [1, 2]}}",
     "patients.soil.bone.niche", ["1 values but 2 weights"]),
    ("[patients]\n'soil.bone.niche' = {choice = {values = [0.1], weights = [0]}}",
     "patients.soil.bone.niche", ["not all be 0"]),
    ("[patients]\n'soil.bone.niche' = {normal = {mean = 0, sd = 0.1, high = 1, high_sds = 2}}",
     "patients.soil.bone.niche", ["high and high_sds both say where it ends", "one of them"]),
    ("[patients]\n'soil.bone.niche' = {normal = {mean = 0.5, sd = 0.1, low = 0.7, high_sds = 1}}",
     "patients.soil.bone.niche", ["low (0.7) must be below high (0.6)"]),
    ("[patients]\n'soil.bone.niche' = {normal = {mean = 0.5, sd = 0.1, low_sds = 2, high_sds = 9}}",
     "patients.soil.bone.niche", ["it can leave", "add high"]),
    ("[patients]\n'soil.bone.niche' = {lognormal = {median = 0.1, sigma = 0.1, hihg = 1}}",
     "patients.soil.bone.niche.lognormal.hihg", ["no such key", '"high"']),
    # the clinic
    ("[clinic]\ndiagnosis_diameter_mm = 'none'\n[run]\nfollow_from = 'diagnosis'",
     "run.follow_from", ["never comes", "give clinic.diagnosis_diameter_mm"]),
    ("[clinic]\ndiagnosis_diameter_mm = 'none'\n[[treatment]]\nkind = 'surgery'\n"
     "organ = 'breast'\nstart = 'diagnosis'", "treatment.0.start", ["never comes"]),
    ("[clinic]\nscreening_from_years = 50.0", "clinic.screening_from_years",
     ["nobody is screened", "give clinic.screening_interval_days"]),
    ("[clinic]\nscreening_to_years = 70.0\nscreening_interval_days = 730.0",
     "clinic.screening_to_years", ["needs clinic.age_years"]),
    ("[clinic]\nage_years = 40.0\nscreening_interval_days = 730.0\nscreening_from_years = 70.0\n"
     "screening_to_years = 50.0", "clinic.screening_from_years", ["nobody would be screened"]),
    # annotations
    ("[growth]\nrho_per_day = {value = 0.1, status = 'guessed'}", "growth.rho_per_day",
     ['"guessed"', "measured, derived"]),
    ("[growth]\nrho_per_day = {value = 0.1, status = 'measured'}", "growth.rho_per_day",
     ["no source"]),
    ("[growth]\nrho_per_day = {value = 0.1, status = 'assumed', source = 'me'}",
     "growth.rho_per_day", ["has no source"]),
    ("explicit = 3", "explicit", ["true or false"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "key", "fragments"), SINGLE, ids=[key for _, key, _ in SINGLE])
def test_message(mistakes, text, key, fragments):
    head = "" if text.startswith(("[", "organs")) else f"{text}\n"
    body = "" if head else text
    found = dict(mistakes(f'{head}extends = "breast"\n{body}\n'))
    assert list(found) == [key]
    for fragment in fragments:
        assert fragment in found[key]


@pytest.mark.parametrize(
    ("text", "key", "fragments"),
    [
        ("treatment.1.start = 3", "treatment.1.start", ["no treatment 1", "treatment.0 (surgery)"]),
        ("treatment.0.kind = 'other'", "treatment.0.kind", ["cannot be changed alone"]),
        ("treatment.0 = 3", "treatment.0", ["give one of its values"]),
        ("treatment.0.organ = 'brest'", "treatment.0.organ", ["no organ", '"breast"']),
        ("treatment.0.strat = 3", "treatment.0.strat", ["no such key", '"start"']),
        ("treatment.0.change.seed.x = 2", "treatment.0.change.seed.x", ["no such key"]),
    ],
)
def test_message_of_a_single_treatment(mistakes, text, key, fragments):
    (found,) = mistakes(f'{text}\nextends = "luminal_a_surgery"')
    assert found[0] == key
    for fragment in fragments:
        assert fragment in found[1]


def test_all_at_once_in_one_file(mistakes):
    found = dict(
        mistakes(
            'extends = "breast"\ntitel = "x"\n[soil.bone]\nniche = 2.0\nnich = 1.0\n'
            "[vessels.blood.arteries]\nbone = 0.5\n[seed.receptors]\nCXR4 = 0.5\n"
            "[patients]\n'soil.bone.niche' = {choice = {values = []}}\n[run]\nyears = -1.0"
        )
    )
    assert set(found) == {
        "titel", "soil.bone.niche", "soil.bone.nich", "vessels.blood.arteries",
        "seed.receptors.CXR4", "patients.soil.bone.niche", "run.years",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", 'title = "mine"', "[soil.bone]\nniche = 0.5"])
def test_nothing_given_is_one_mistake_that_points_to_the_base(mistakes, text):
    [(key, message)] = mistakes(text)
    assert key == "extends"
    assert 'extends = "breast"' in message


def test_mistake_of_another_layer_names_it(mistakes, tmp_path):
    (tmp_path / "base.toml").write_text('extends = "breast"\n[growth]\nrho_per_day = -1.0')
    [(key, message)] = mistakes('extends = "base.toml"')
    assert key == "growth.rho_per_day"
    assert "(in base.toml" in message
    [(key, message)] = mistakes('extends = "breast"', **{"soil.bonne.niche": 0.5})
    assert key == "soil.bonne"
    assert message.endswith('(in --set; did you mean "bone"?)')
    given = {"run.patients": Given(-5, "--patients"), "run.engine": Given("cels", "--engine")}
    [(_, patients), (_, engine)] = mistakes('extends = "breast"', **given)
    assert patients.endswith("not -5 (in --patients)")
    assert engine.endswith('not "cels" (in --engine; did you mean "cells"?)')


def test_mistakes_of_treatments_do_not_hide_each_other(mistakes):
    found = dict(
        mistakes(
            'extends = "breast"\n[[treatment]]\nkind = "surgery"\norgan = "brest"\n'
            'start = "diagnosed"\nonly_if.organ = [1, 2]\n'
            '[[treatment]]\nkind = "chemoterapy"\ncycles = -2\n'
        )
    )
    assert set(found) == {
        "treatment.0.organ", "treatment.0.start", "treatment.0.only_if.organ.0",
        "treatment.0.only_if.organ.1", "treatment.1", "treatment.1.cycles", "treatment.1.start",
    }  # fmt: skip
    assert '"relapse in ..."' in found["treatment.1.start"]
    assert '"chemotherapy"' in found["treatment.1"]


@pytest.mark.parametrize(
    ("content", "fragments"),
    [
        (b"a = 1\nb = = 2\n", ["not TOML", "line 2", "column 5"]),
        (b"a = 1\n# caf\xe9\n", ["not UTF-8", "0xe9", "line 2"]),
        (b"# " + b"x" * 3_000_000, ["3.0 MB", "at most 1 MB"]),
        (b"a = " + b"[" * 100_000, ["nested too deeply"]),
        (b"a = 1\na = 2\n", ["not TOML"]),
        (b"a = " + b"9" * 10_000, ["not TOML"]),
    ],
)
def test_file_that_is_no_scenario(tmp_path, content, fragments):
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        load(path)
    for fragment in fragments:
        assert fragment in str(caught.value)


HOSTILE = [
    (".".join("a" * 500) + " = 1", "a key has more than 32 parts"),
    ("a." * 300_000 + "a = 1", "a key has more than 32 parts"),
    ("x = " + "{a=" * 300 + "1" + "}" * 300, "nested too deeply"),
    ("[soil.bone]\nniche = " + "[" * 90 + "]" * 90, "nested too deeply"),
    ("[run]\npatients = " + "9" * 5000, "a whole number has more than 4,300 digits"),
    ("[run]\npatients = " + "9" * 400, "run.patients: a number is too large"),
    ("[run]\nrng_seed = 18446744073709551616", "run.rng_seed: must be a whole number"),
    ("[growth]\nrho_per_day = 0x" + "f" * 400_000, "growth.rho_per_day: a number is too large"),
    ("treatment." + "9" * 5000 + ".start = 1", "its name has 5,000 characters"),
    ("treatment." + "9" * 150 + ".start = 1", "the scenario has no treatment"),
    ("[primary]\norgan = '" + "b" * 500_000 + "'", "the text has 500,000 characters"),
    ("treatment = [" + "{}," * 9000 + "]", "treatment: the list has 9,000 values; at most 100"),
    ("[soil.bone]\nniche = 'a\\nb\\u001b[31m'".replace("'", '"'), 'not "a\\nb\\x1b[31m"'),
    ("a = 1\n\0", "not TOML"),
    ("\n".join(f"k{i} = 1" for i in range(20_000)), "has more than 10,000 values"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), HOSTILE, ids=[said for _, said in HOSTILE])
def test_hostile_text_is_a_mistake_of_one_line(mistakes, text, said):
    [(_, message)] = mistakes(f'extends = "breast"\n{text}')
    assert said in message
    assert len(message) < 500
    assert message.isprintable()


MANY = [
    "\n".join(f"k{i} = 1" for i in range(9000)),
    "\n".join(f"soil.bone.nich{i}.x = 2.0" for i in range(3000)),
    "\n".join(f"[soil.o{i}]\nniche = 0.1" for i in range(4000)),
    "[seed.receptors]\n" + "\n".join(f"R{i} = 0.5" for i in range(9000)),
    "[patients]\n'soil.bone.niche'.each.values = [" + "'a'," * 9000 + "]",
]


@pytest.mark.parametrize("text", MANY, ids=["keys", "tables", "organs", "names", "list"])
def test_many_mistakes_are_found_in_linear_time_and_twenty_are_listed(tmp_path, text):
    """Each took from 5 s to minutes while names, layers or hints were searched anew for each."""
    path = tmp_path / "x.toml"
    path.write_text(f'extends = "breast"\n{text}')
    start = time.process_time()
    with pytest.raises(ScenarioError) as caught:
        load(path)
    lines = str(caught.value).splitlines()
    assert time.process_time() - start < 8  # 0.3 to 1.2 s
    assert len(caught.value.mistakes) >= 3000
    assert len(lines) == 22
    assert lines[-1].strip() == f"... and {len(caught.value.mistakes) - 20:,} more"


def test_hints_are_looked_for_in_the_mistakes_that_are_listed_only(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(keys, "get_close_matches", lambda name, *_, **__: calls.append(name) or [])
    path = tmp_path / "x.toml"
    path.write_text('extends = "breast"\n' + "\n".join(f"soil.bone.k{i} = 1" for i in range(500)))
    with pytest.raises(ScenarioError):
        load(path)
    assert 20 <= len(calls) <= 40


def test_hostile_changes_from_python():
    deep, around = [], {}
    for _ in range(5000):
        deep = [deep]
    around["a"] = around
    for key, value in {"soil.bone.niche": deep, "soil.bone": around, "run.patients": 10**400,
                       "a" * 5000: 1, ".".join("a" * 5000): 1, 3: 4, "": 1, ".": 1,
                       "patients." + "x." * 3000: 1}.items():  # fmt: skip
        with pytest.raises(ScenarioError) as caught:
            load("breast", {key: value})
        assert len(str(caught.value).splitlines()) == 1


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xef\xbb\xbf" + b'extends = "breast"')
    assert load(path) == load("breast")


def test_whole_numbers_may_be_written_as_floats(tmp_path):
    path = tmp_path / "x.toml"
    text = 'extends = "luminal_a_surgery"\n[run]\npatients = 1e3\nrng_seed = 7.0\n[primary]\n'
    path.write_text(text + "initial_cells = 1e6\n[seed.clusters.cluster]\nsize_cells = 6.0\n")
    scenario = load(path, {"treatment.0.cycles": 1.0, "run.max_colonies": 1e4})
    found = (scenario.run.patients, scenario.run.rng_seed, scenario.primary.initial_cells,
             scenario.seed.clusters["cluster"].size_cells, scenario.treatment[0].cycles,
             scenario.run.max_colonies)  # fmt: skip
    assert found == (1000, 7, 1_000_000, 6, 1, 10_000)
    assert {type(value) for value in found} == {int}
    assert scenario.replace({"run.patients": 2e2}).run.patients == 200
    for wrong in (1.5, 1e-3, float("inf"), float("nan"), True, "1e3"):
        with pytest.raises(ScenarioError, match="must be a whole number"):
            scenario.replace({"run.patients": wrong})


@pytest.mark.parametrize(("text", "value"), [
    (".5", 0.5), ("5.", 5.0), ("+.5", 0.5), ("-.5e-3", -5e-4), ("1e3", 1e3), ("1_000", 1000),
    ("+5", 5), ("1.e3", 1e3), (" .5 ", 0.5), (".", "."), ("1__0.", "1__0."), ("a.5", "a.5"),
])  # fmt: skip
def test_numbers_of_the_command_line(text, value):
    assert parse_override(f"soil.bone.niche={text}") == ("soil.bone.niche", value)


def test_a_text_that_looks_like_a_number_stays_one_where_a_text_belongs():
    assert parse_override("title=.5") == ("title", ".5")


@pytest.mark.parametrize("text", ["inf", "nan", "-inf", "1e400"])
def test_no_number_is_infinite(text):
    with pytest.raises(ScenarioError, match="must be a number"):
        load("breast", dict([parse_override(f"growth.rho_per_day={text}")]))


@pytest.mark.unix
def test_devices_sockets_and_pipes_without_a_writer(tmp_path):
    for device in ("/dev/zero", "/dev/null"):
        with pytest.raises(ScenarioError, match="it is a device, not a file"):
            load(device)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ScenarioError, match="is missing"):
        load(tmp_path / "pipe")
    with pytest.raises(ScenarioError, match="no scenario of this name"):
        load("a" * 5000)
    with pytest.raises(ScenarioError, match="name too long"):
        load(f"{'a' * 5000}.toml")


def test_a_chain_of_too_many_files(tmp_path):
    for i in range(40):
        (tmp_path / f"f{i}.toml").write_text(f'extends = "f{i + 1}.toml"')
    with pytest.raises(ScenarioError, match="more than 32 files extend each other"):
        load(tmp_path / "f0.toml")


@pytest.mark.unix
def test_missing_and_unreadable_files(tmp_path):
    (tmp_path / "mine.toml").write_text('extends = "breast"')
    with pytest.raises(ScenarioError, match=r'no such file.*"mine\.toml"'):
        load(tmp_path / "mein.toml")
    for absent in ("luminal_a.toml", "scenarios/luminal_a.toml", "Luminal A"):
        with pytest.raises(ScenarioError, match=r'no such file \(did you mean "luminal_a"\?\)'):
            load(tmp_path / absent)
    with pytest.raises(ScenarioError, match=r"no such file$"):  # not that of any other .toml
        load(tmp_path / "untouched_by_it.toml")
    with pytest.raises(ScenarioError, match=r'"": is no scenario.*metasim list'):
        load("")
    with pytest.raises(ScenarioError, match="is a folder"):
        load(tmp_path)
    with pytest.raises(ScenarioError, match=r'no scenario of this name.*"luminal_a"'):
        load("luminal_aa")
    with pytest.raises(ScenarioError, match="cannot be read"):
        load("a\0b.toml")
    if os.geteuid() != 0:
        (tmp_path / "mine.toml").chmod(0)
        with pytest.raises(ScenarioError, match="cannot be read: Permission denied"):
            load(tmp_path / "mine.toml")


def test_extends_that_fails(tmp_path):
    for name, parent in (("a", "b.toml"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{name}.toml").write_text(f'extends = "{parent}"')
    with pytest.raises(ScenarioError, match=r"loop: .*a\.toml -> b\.toml -> c\.toml -> a"):
        load(tmp_path / "a.toml")
    (tmp_path / "c.toml").write_text('extends = "brest"')
    with pytest.raises(ScenarioError, match=r'"brest" is neither.*c\.toml -> brest.*"breast"'):
        load(tmp_path / "a.toml")
    (tmp_path / "c.toml").write_text("extends = 3")
    with pytest.raises(ScenarioError, match="catalogue entry or a file, not 3"):
        load(tmp_path / "c.toml")
    (tmp_path / "c.toml").write_text('explicit = true\nextends = "breast"')
    with pytest.raises(ScenarioError, match="cannot extend another"):
        load(tmp_path / "c.toml")


def test_override_text():
    parse = parse_override
    key = "soil.bone.multiplier.colonization"
    assert parse(f"{key}=2") == (key, 2)
    assert parse("run.engine=cells") == ("run.engine", "cells")
    assert parse("run.engine='cells'") == ("run.engine", "cells")
    assert parse("treatment=[]") == ("treatment", [])
    drawn = parse('patients."growth.rho_per_day"={uniform={low=0, high=1}}')
    assert drawn == ("patients.growth.rho_per_day", {"uniform": {"low": 0, "high": 1}})
    assert parse("title=a = b") == ("title", "a = b")
    assert parse("title=1\nx = 2") == ("title", "1\nx = 2")
    for text in ("soil.bone.niche", "=3", ""):
        with pytest.raises(OptionError, match="KEY=VALUE"):
            parse(text)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(10**300, 10**310) | st.floats()
    | st.text(max_size=8) | st.sampled_from(["none", "diagnosis", "luminal_b", "fine", "bone"])
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["value", "status", "uniform", "low", "high", "kind", "organ", "niche"])
        | st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
KNOWN = sorted({keys.join(path) for path, _ in keys.leaves(load("emt").model_dump())})


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(KNOWN) | st.text(max_size=12), JUNK, max_size=4))
def test_junk_never_raises_anything_else(changes):
    try:
        load("emt", changes)
    except ScenarioError as error:
        assert error.mistakes
        assert str(error)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_junk_files_never_raise_anything_else(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "junk.toml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        load(path)
    assert caught.value.mistakes
    assert str(caught.value)


TWO = "[patients]\n'soil.bone.detection_cells' = {uniform = {low = 1e6, high = 1e7}}\n"
CONTRADICTIONS = [
    ("[clinic]\nmicro_cells = 1e7", "clinic.micro_cells", ["above clinic.macro_cells (4200000)"]),
    ("[soil.bone]\ndetection_cells = 100.0", "clinic.micro_cells",
     ["above soil.bone.detection_cells (100)", "no micrometastasis yet"]),
    ("[angiogenesis]\nonset_cells = 2e6", "angiogenesis.onset_cells", ["avascular_cells"]),
    ("[soil.bone]\nlethal_cells = 1e8\nsymptoms = 'none'", "soil.bone.detection_cells",
     ["above soil.bone.lethal_cells (100000000)", "kill before imaging sees one"]),
    ("[soil.bone]\nlethal_cells = 1e10", "soil.bone.symptoms.pathological_fracture",
     ["nobody would live to feel it"]),
    ("[clinic]\nlethal_cells = 1e6\ndiagnosis_diameter_mm = 1.0\n[patients]\n"
     "'clinic.diagnosis_diameter_mm' = 'none'", "primary.initial_cells", ["kill on day 0"]),
    ("[soil.breast]\nlethal_cells = 1e6\ndetection_cells = 1e5", "primary.initial_cells",
     ["soil.breast.lethal_cells is 1000000"]),
    ("[run]\nfollow_from = 'diagnosis'\n[growth]\ncapacity_cells = 1e7\n[clinic]\n"
     "diagnosis_diameter_mm = 20.0\n", "clinic.diagnosis_diameter_mm", ["above the capacity"]),
    ("[clinic]\ndiagnosis_diameter_mm = 'none'\nfollow_up_days = 90.0", "clinic.follow_up_days",
     ["diagnosis, which never comes"]),
    ("[growth]\nrho_per_day = -0.001", "growth.rho_per_day",
     ["only the exponential law may decline", '"gompertz"']),
    ("[growth]\nlaw = 'exponential'\nrho_per_day = -0.05", "growth.rho_per_day",
     ["would decline at 0.05", "die at 0.03"]),
    ("[[treatment]]\nkind = 'x'\nstart = 1.0\nlog_kill = 1.0\nalpha_per_gray = 0.3",
     "treatment.0.alpha_per_gray", ["nothing without dose_gray"]),
    ("[clinic]\nage_years = 40.0\n[[treatment]]\nkind = 'x'\nstart = 1.0\nlog_kill = 1.0\n"
     "only_if.age_years.min = 60.0", "treatment.0.only_if.age_years", ["55 at the end"]),
    ("[vessels.blood.liver]\nveins = 1.0\nlung = 1e-300", "vessels.blood.liver.lung",
     ["too small to matter"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "key", "fragments"), CONTRADICTIONS)
def test_contradictions_are_one_message_each(mistakes, text, key, fragments):
    [(found, message)] = mistakes(f'extends = "breast"\n{text}\n')
    assert found == key
    for fragment in fragments:
        assert fragment in message


def test_what_is_drawn_contradicts_only_if_it_does_for_all():
    low = {"patients.soil.bone.detection_cells": {"uniform": {"low": 10.0, "high": 1e6}}}
    load("breast", low)
    with pytest.raises(ScenarioError, match="no micrometastasis yet"):
        load("breast", {"patients.soil.bone.detection_cells": {"uniform": {"low": 10, "high": 20}}})


def test_a_colony_may_decline_by_the_exponential_law():
    changes = {"growth.law": "exponential", "growth.turnover_per_day": 0.11,
               "patients.growth.rho_per_day": None}  # fmt: skip
    assert load("breast", changes | {"growth.rho_per_day": -0.01}).growth.rho_per_day == -0.01
    drawn = {"uniform": {"low": -0.05, "high": 0.01}}
    load("breast", changes | {"patients.growth.rho_per_day": drawn})


HUGE = [
    ({"run.undiagnosed_years": 1e22}, "run.undiagnosed_years"),
    ({"run.undiagnosed_years": 1.7e308}, "run.undiagnosed_years"),
    ({"run.max_colonies": 18446744073709551616}, "run.max_colonies"),
    ({"run.max_cells": 9e15}, "run.max_cells"),
    ({"run.engine": "cells", "primary.initial_cells": 2_000_000_000}, "primary.initial_cells"),
    ({"clinic.follow_up_days": 1e-9}, "clinic.follow_up_days"),
    ({"clinic.follow_up_days": 1e-300}, "clinic.follow_up_days"),
    ({"clinic.screening_interval_days": 1e-300}, "clinic.screening_interval_days"),
    ({"run.record_every_days": 1e-9}, "run.record_every_days"),
    ({"treatment.0.interval_days": 1e-9}, "treatment.0.interval_days"),
    ({"run.record": "everything", "run.dt_days": 0.03, "run.record_every_days": 0.03},
     "run.record_every_days"),
    ({"growth.turnover_per_day": 1e5}, "growth.turnover_per_day"),
    ({"soil.bone.turnover_factor": 1e6}, "soil.bone.turnover_factor"),
    ({"growth.rho_per_day": 1e5, "growth.law": "exponential"}, "growth.rho_per_day"),
    ({"growth.law": "power", "growth.power_exponent": 2.0, "growth.rho_per_day": 1.0},
     "growth.rho_per_day"),
    ({"run.engine": "cells", "primary.initial_cells": 1000, "gates.arrest.base_odds": 0.0,
      "circulation.death_prob_per_pass": 1e-20}, "circulation.death_prob_per_pass"),
    ({"gates.arrest.weights.adhesion": 1e300}, "gates.arrest.weights.adhesion"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "key"), HUGE)
def test_what_a_run_cannot_carry_is_refused_with_the_key_that_makes_it_so(changes, key):
    with pytest.raises(ScenarioError) as caught:
        load("luminal_a_surgery", changes)
    assert key in [mistake.key for mistake in caught.value.mistakes]
    assert len(caught.value.mistakes) <= 2


def test_a_factor_of_a_phenotype_that_makes_cells_die_too_often():
    with pytest.raises(
        ScenarioError, match=r"seed\.phenotypes\.epithelial\.turnover_factor: a cell"
    ):
        load("emt", {"seed.phenotypes.epithelial.turnover_factor": 1e6})


def test_every_number_that_may_be_drawn_or_changed_is_bounded():
    """An unbounded key could overflow: every number of the schema but a distribution's own."""
    found = [(path, keys.find(path)) for path in messages._places() if path[0] != "patients"]
    found += [((name,), keys.Key(Treatment).child(name)) for name in Treatment.model_fields]
    numbers = [
        (path, key.limits.keys()) for path, key in found if key is not None and key.is_number
    ]
    assert len(numbers) > 100
    for path, limits in numbers:
        assert {"le", "lt"} & limits and {"ge", "gt"} & limits, path
