"""Several subtypes in one cohort, keys that go together, and what the patients table tells."""

import numpy as np
import pytest
from scipy import stats

from metasim.errors import OptionError, ScenarioError
from metasim.law import copula
from metasim.parameters.passage import kinds_of
from metasim.parameters.rates import Laws
from metasim.runner.patients import Cohort
from metasim.scenario import draws
from metasim.scenario.catalogue import Catalogue
from metasim.scenario.draws import draw_parameters
from metasim.scenario.explicit import explicit_toml
from metasim.scenario.load import load
from metasim.scenario.subtypes import is_drawn, subtypes_of
from metasim.targets.fit.free import changes_of

RHO, SHED, SIZE = "growth.rho_per_day", "rates.invasion_per_day", "clinic.diagnosis_diameter_mm"
SHARES = {"luminal_a": 0.6, "her2_enriched": 0.15, "triple_negative": 0.25}
DRAWN = {"choice": {"values": [*SHARES], "weights": [*SHARES.values()]}}
MIX = {"patients.seed.subtype": DRAWN}
FAST = {"lognormal": {"median": 0.004, "sigma": 0.2}}
BY = {"luminal_a": {"lognormal": {"median": 0.001, "sigma": 0.5}}, "triple_negative": FAST}


LEVEL = {"uniform": {"low": 0.1, "high": 0.6}}


def mixture(**more):
    return load("luminal_a_surgery", MIX | {path.replace("__", "."): v for path, v in more.items()})


def ranks(values, one=RHO, other=SHED):
    return stats.spearmanr(values[one], values[other]).statistic


def test_every_patient_has_the_values_of_its_subtype():
    scenario = mixture()
    assert subtypes_of(scenario) == [*SHARES] and scenario.seed.subtype is None
    drawn = draw_parameters(scenario, 0, 20_000)
    which = drawn["seed.subtype"].astype(int)
    found = np.bincount(which, minlength=3)
    assert stats.chisquare(found, 20_000 * np.array([*SHARES.values()])).pvalue > 0.001
    assert stats.chisquare(found, 20_000 * np.array([0.58, 0.17, 0.25])).pvalue < 0.001
    for place, name in enumerate(SHARES):
        alone = load("luminal_a_surgery", {"seed.subtype": name}).seed
        mine = which == place
        assert set(drawn["seed.receptors.EGFR"][mine]) == {alone.receptors["EGFR"]}
        assert set(drawn["seed.barrier_crossing"][mine]) == {alone.barrier_crossing}
        assert set(drawn["seed.er_positive"][mine]) == {float(alone.er_positive)}


def test_distributions_by_subtype_keep_the_patients_of_one_subtype():
    scenario = mixture(**{"growth.rho_per_day": 0.003, f"patients.{RHO}": {"by_subtype": BY}})
    drawn = draw_parameters(scenario, 0, 4000)
    which, rho = drawn["seed.subtype"], drawn[RHO]
    assert stats.kstest(rho[which == 2], stats.lognorm(0.2, scale=0.004).cdf).pvalue > 0.001
    assert stats.kstest(rho[which == 0], stats.lognorm(0.5, scale=0.001).cdf).pvalue > 0.001
    assert set(rho[which == 1]) == {0.003}  # nothing is said of it: the plain value
    for place, name in ((0, "luminal_a"), (2, "triple_negative")):
        one = scenario.replace({"seed.subtype": name})
        assert np.array_equal(
            draw_parameters(one, 0, 4000)[RHO][which == place], rho[which == place]
        )


def test_a_factor_by_subtype_multiplies_what_is_drawn():
    plain = mixture(**{f"patients.{RHO}": FAST})
    factors = {"factor_by_subtype": {"luminal_a": 0.5, "triple_negative": 2.0}}
    drawn = draw_parameters(mixture(**{f"patients.{RHO}": FAST | factors}), 0, 200)
    by = np.array([0.5, 1.0, 2.0])[drawn["seed.subtype"].astype(int)]
    assert np.array_equal(drawn[RHO], by * draw_parameters(plain, 0, 200)[RHO])
    one = mixture(**{f"patients.{RHO}": FAST | factors}).replace({"seed.subtype": "luminal_a"})
    mine = draw_parameters(one, 0, 200)[RHO]
    assert np.array_equal(mine, 0.5 * draw_parameters(plain, 0, 200)[RHO])
    freed = f"patients.{RHO}.factor_by_subtype.triple_negative"
    moved = changes_of(one, {freed: 3.0})[f"patients.{RHO}"]
    assert moved["factor_by_subtype"] == {"luminal_a": 0.5, "triple_negative": 3.0}


def test_a_part_of_a_distribution_can_be_given():
    own = FAST | {"factor_by_subtype": {"luminal_a": 0.5}}
    base = mixture(**{f"patients.{RHO}": own, f"patients.correlation.{RHO}": {SHED: 0.4}})
    sigma, factor = f"patients.{RHO}.lognormal.sigma", f"patients.{RHO}.factor_by_subtype"
    moved = base.replace({sigma: 0.3, f"{factor}.triple_negative": 2.0}).patients[RHO]
    assert (moved.lognormal.median, moved.lognormal.sigma) == (0.004, 0.3)
    assert moved.factor_by_subtype == {"luminal_a": 0.5, "triple_negative": 2.0}
    plain = base.replace({factor: "none"})
    assert plain.patients[RHO].factor_by_subtype is None
    assert plain.correlation == base.correlation  # it is still drawn
    for key, said in (("patients.growth.rho_per_dya.lognormal.sigma", f'did you mean "{RHO}"'),
                      (f"patients.{RHO}.lognormal.sgima", 'did you mean "sigma"'),
                      (f"patients.{RHO}.normal.sd", "mean")):  # fmt: skip
        with pytest.raises(ScenarioError) as caught:
            base.replace({key: 0.5})
        assert said in str(caught.value) and len(caught.value.mistakes) == 1


def test_a_catalogue_entry_brings_distributions_of_its_own(tmp_path, monkeypatch):
    for name, text in {
        "slow": "[seed]\nproteolysis = 0.1\n[patients]\n'growth.rho_per_day' = "
        "{ value = { lognormal = { median = 0.001, sigma = 0.1 } }, status = 'calibrated',"
        " source = 'norton1988' }",
        "quick": "[seed]\nproteolysis = 0.1\n[growth]\nrho_per_day = 0.005",
    }.items():
        path = tmp_path / "catalogue" / "subtypes" / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    mixed = {"patients.seed.subtype": {"choice": {"values": ["slow", "quick"]}}}
    scenario = load("breast", mixed)
    assert scenario.seed.proteolysis == 0.1 and "seed.proteolysis" not in scenario.patients
    assert scenario.growth.rho_per_day == 0.005
    assert scenario._origins[f"patients.{RHO}"][1:3] == ("user", "norton1988")
    drawn = draw_parameters(scenario, 0, 50)
    assert set(drawn[RHO][drawn["seed.subtype"] == 1]) == {0.005}
    assert len({*drawn[RHO][drawn["seed.subtype"] == 0]}) > 10
    again = scenario.replace({RHO: 0.002})  # the scenario wins over its subtypes
    assert RHO not in again.patients and again.growth.rho_per_day == 0.002


def test_explicit_files_need_no_catalogue(tmp_path, monkeypatch):
    scenario = mixture(patients__correlation={RHO: {SHED: 0.4, SIZE: -0.2}})
    path = tmp_path / "scenario.toml"
    path.write_text(explicit_toml(scenario))
    monkeypatch.setattr(Catalogue, "find", lambda *names: None)
    again = load(path)
    assert again == scenario and repr(again.model_dump()) == repr(scenario.model_dump())


@pytest.mark.parametrize("rho", [-0.8, 0.4, 0.95])
def test_ranks_correlate_as_asked(rho, monkeypatch):
    asked = mixture(patients__correlation={SHED: {RHO: rho}})
    n, z = 40_000, 4.0
    error = z * (1 - rho**2) / np.sqrt(n)  # larger than that of Spearman's estimate
    values = draw_parameters(asked, 0, n)
    assert abs(ranks(values) - rho) < error
    plain = draw_parameters(mixture(), 0, n)
    assert abs(ranks(plain)) < z / np.sqrt(n)
    assert np.array_equal(values[SIZE], plain[SIZE])  # it correlates with none
    assert np.allclose(values[RHO], plain[RHO], rtol=1e-9)
    assert stats.ks_2samp(values[SHED], plain[SHED]).pvalue > 0.001
    monkeypatch.setattr(draws, "normal_correlation", lambda rank: rank)
    if abs(rho) < 0.9:
        assert abs(ranks(draw_parameters(asked, 0, n)) - rho) > error / z
    monkeypatch.setattr(draws, "correlated", lambda u, root: u)  # correlation ignored
    assert abs(ranks(draw_parameters(asked, 0, n)) - rho) > error


def test_chunks_do_not_matter_to_what_goes_together():
    asked = mixture(patients__correlation={SHED: {RHO: 0.6, SIZE: 0.3}, RHO: {SIZE: -0.2}})
    whole = draw_parameters(asked, 5, 40)
    for first, count in ((5, 1), (6, 13), (19, 26)):
        for path, values in draw_parameters(asked, first, count).items():
            assert np.array_equal(values, whole[path][first - 5 : first - 5 + count]), path


def test_three_keys_with_a_singular_matrix():
    root = copula.mixing(np.ones((3, 3)))
    assert root is not None and np.allclose(root @ root.T, 1.0)
    assert copula.mixing(np.array([[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]])) is None
    assert copula.mixing(np.array([[1, 1, 0.0], [1, 1, 0.5], [0.0, 0.5, 1]])) is None


def test_a_later_layer_changes_correlations_either_way_round():
    asked = mixture(patients__correlation={SHED: {RHO: 0.6}})
    changed = asked.replace({f"patients.correlation.{RHO}.{SHED}": 0.1})
    assert changed.correlation == {RHO: {SHED: 0.1}}
    assert asked.replace({RHO: 0.001}).correlation == {}  # no longer drawn
    assert asked.replace({"patients": None}).correlation == {}
    assert changes_of(asked, {f"patients.correlation.{RHO}.{SHED}": 0.2}) == {
        f"patients.correlation.{RHO}.{SHED}": 0.2
    }


def test_the_fit_frees_what_a_subtype_has():
    asked = mixture(**{f"patients.{RHO}": {"by_subtype": BY}})
    free = f"patients.{RHO}.by_subtype.luminal_a.lognormal.median"
    niche = "patients.seed.niche_response.by_subtype.triple_negative"
    moved = asked.replace(changes_of(asked, {free: 0.002, niche: 0.5}))
    inside = moved.patients[RHO].by_subtype
    assert inside["luminal_a"].lognormal.median == 0.002
    assert inside["triple_negative"].lognormal.median == 0.004
    assert moved.patients["seed.niche_response"].by_subtype["triple_negative"] == 0.5
    with pytest.raises(OptionError, match=r"by_subtype\.luminal_a\.lognormal\.median"):
        changes_of(asked, {RHO: 0.1})
    with pytest.raises(OptionError, match="is not drawn from"):
        changes_of(asked, {f"patients.{RHO}.by_subtype.luminal_b.lognormal.median": 0.1})


def choice(*values, **weights):
    return {"patients.seed.subtype": {"choice": {"values": [*values], **weights}}}


CONTRADICTION = {RHO: {SHED: 0.9, SIZE: 0.9}, SHED: {SIZE: -0.9}}
BOTH_WAYS = {RHO: {SHED: 0.9}, SHED: {RHO: 0.8}}
PAIR = f"patients.correlation.{RHO}"
NICHE = "patients.soil.bone.niche"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (choice("luminal_a", "luminal_b", weights=[0.7, 0.2]), "sum to 0.9; they must sum to 1"),
        (choice("luminal_a", "luminal_b", weights=[1.0, 0.0]), "luminal_b is 0; it must be above"),
        (choice("luminal_a", "luminl_b"), 'no subtype "luminl_b" (in --set; did you mean'),
        (choice("luminal_a", "luminal_a"), '"luminal_a" is given twice'),
        (choice(1.0, 2.0), "between names of subtypes, not 1"),
        ({"patients.seed.subtype": {"uniform": {"low": 0, "high": 1}}}, "a choice between names"),
        ({NICHE: {"choice": {"values": ["high"]}}}, 'between numbers, not "high"'),
        ({NICHE: {"by_subtype": {"luminal_a": 2.0}}}, "a subtype has 2; it takes a number from 0"),
        ({NICHE: {"by_subtype": {"luminal_x": 0.2}}}, 'no subtype "luminal_x"'),
        ({NICHE: {"by_subtype": {}}}, "at least one subtype"),
        ({NICHE: {"by_subtype": {"luminal_a": {}}}}, "luminal_a: exactly one of lognormal"),
        ({NICHE: {"by_subtype": {"luminal_a": {"normal": {"mean": 0, "sd": 1}}}}}, "add low and"),
        ({"patients.clinic.age_years": {"by_subtype": {"luminal_a": 60}}}, "says nothing of"),
        ({NICHE: LEVEL | {"factor_by_subtype": {"luminal_x": 0.2}}}, 'no subtype "luminal_x"'),
        ({NICHE: LEVEL | {"factor_by_subtype": {"luminal_a": 2.0}}}, "it can leave what the key"),
        ({NICHE: LEVEL | {"factor_by_subtype": {"luminal_a": 0}}}, "above 0, not 0"),
        ({NICHE: {"by_subtype": {"luminal_a": 0.2}, "factor_by_subtype": {"luminal_a": 0.2}}},
         "by_subtype says every value"),
        ({PAIR: {"rates.washout_per_day": 0.3}}, "rates.washout_per_day is not drawn"),
        ({PAIR: {"rates.invasion_per_dya": 0.3}}, 'did you mean "rates.invasion_per_day"'),
        ({PAIR: {"seed.subtype": 0.3}}, "is a name, which has no rank"),
        ({PAIR: {"seed.proteolysis": 0.3}}, "is not drawn: each subtype has one value"),
        ({PAIR: {SHED: 1.2}}, "must be a number from -1 to 1, not 1.2"),
        ({PAIR: {RHO: 0.2}}, "goes with itself"),
        ({PAIR: 0.3}, "takes a correlation with another key"),
        ({"patients.correlation": CONTRADICTION}, "not positive semi-definite"),
        ({"patients.correlation": BOTH_WAYS}, "is given twice, with different values"),
        ({"patients.correlation": 3}, "takes a correlation with another key"),
        ({f"correlation.{RHO}": {SHED: 0.2}}, "did you mean patients.correlation?"),
        ({f"patients.{RHO}": {"each": {"values": [0.001] * 9}}, "run.patients": 9,
          PAIR: {SHED: 0.2}}, "comes from a table of patients"),
    ],
)  # fmt: skip
def test_mistakes_are_said_once_and_plainly(changes, said):
    with pytest.raises(ScenarioError) as caught:
        load("luminal_a_surgery", MIX | changes)
    assert said in str(caught.value)
    assert len(caught.value.mistakes) == 1


def test_by_subtype_needs_a_subtype():
    with pytest.raises(ScenarioError, match="needs a subtype"):
        load("breast", {"seed.subtype": None, NICHE: {"by_subtype": {"luminal_a": 0.3}}})
    with pytest.raises(ScenarioError, match="factor_by_subtype needs a subtype"):
        load("breast", {"seed.subtype": None, NICHE: LEVEL | {"factor_by_subtype": {"x": 0.3}}})


@pytest.mark.parametrize("engine", ["colonies", "cells"])
def test_the_patients_table_tells_subtype_receptors_and_age(engine):
    scenario = load(
        "few_cells",
        MIX | {"run.engine": engine, "run.record": "patients", "run.years": 0.05,
               "clinic.age_years": 55.0, "patients.rates.washout_per_day":
               {"by_subtype": {"her2_enriched": {"uniform": {"low": 0.1, "high": 0.2}}}}},
    )  # fmt: skip
    table = Cohort(scenario).chunk(0, 12)["patients"].to_pandas()
    drawn = draw_parameters(scenario, 0, 12)
    names = [[*SHARES][int(k)] for k in drawn["seed.subtype"]]
    assert table["subtype"].tolist() == names
    assert len({*names}) == 3
    assert table["er_positive"].tolist() == [name == "luminal_a" for name in names]
    assert table["her2_positive"].tolist() == [name == "her2_enriched" for name in names]
    age = 55.0 + table["diagnosis_day"] / 365.25
    assert np.array_equal(table["age_years"], age, equal_nan=True)
    assert [c for c in table if c.startswith(("seed.", "rates."))] == ["rates.washout_per_day"]
    assert not is_drawn(scenario, "seed.proteolysis")


def test_a_single_subtype_is_told_too():
    scenario = load("luminal_a_surgery", {"run.record": "patients", "run.years": 0.1})
    table = Cohort(scenario).chunk(0, 2)["patients"].to_pandas()
    assert table["subtype"].tolist() == ["luminal_a"] * 2
    assert table["er_positive"].tolist() == [True] * 2 and table["age_years"].isna().all()
    unnamed = scenario.replace({"seed.subtype": None, "seed.her2_positive": None})
    table = Cohort(unnamed).chunk(0, 2)["patients"]
    assert table["subtype"].null_count == table["her2_positive"].null_count == 2


def test_the_law_of_a_patient_does_not_depend_on_who_is_beside():
    more = {f"patients.{path}": {"uniform": {"low": 0.1, "high": 0.5}}
            for path in ("soil.breast.lymph_fraction", "rates.dormancy_per_day")}  # fmt: skip
    scenario = mixture(**more)
    laws = Laws(scenario)
    whole = laws.of(draw_parameters(scenario, 0, 30))
    kinds, kind = kinds_of(whole.gate_arrest)
    assert len(kinds) == 3 and np.array_equal(whole.gate_arrest[kinds][kind], whole.gate_arrest)
    for k in (0, 7, 29):
        alone = Laws(scenario).of(draw_parameters(scenario, k, 1)).patient(0)
        for one, other in zip(flat(alone), flat(whole.patient(k)), strict=True):
            assert np.array_equal(one, other)


def flat(law):
    """All arrays of a law."""
    for field in law:
        yield from flat(field) if isinstance(field, tuple) else [field]
