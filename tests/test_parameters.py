"""From a scenario to the arrays of the law: nothing that is asked is silently ignored."""

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest

import metasim as ms
from metasim.errors import ScenarioError
from metasim.parameters import unread
from metasim.parameters.course import course_of
from metasim.parameters.lookup import Parameters, path_of
from metasim.parameters.passage import passage_of
from metasim.parameters.rates import Laws, law_of
from metasim.scenario.fields import CHANGED, FIXED, PASSAGE
from metasim.scenario.keys import find, leaves, split
from metasim.scenario.schema import Scenario

PACKAGE = Path(ms.__file__).parent
RICH = {  # every optional key set and no number at a limit, so that each key can be felt
    "growth": {"law": "gompertz"},
    "angiogenesis": {"per_day": 0.02},
    "rates": {"washout_per_day": 0.3, "dormancy_per_day": 0.4, "reawakening_per_day": 0.01,
              "dormant_death_per_day": 0.02},
    "clinic": {"diagnosis_diameter_mm": 20.0, "screening_interval_days": 700.0,
               "follow_up_days": 90.0, "lethal_cells": 1e12, "age_years": 60.0,
               "other_death_per_year": 1e-5},
    "seed": {
        "clusters": {"few": {"size_cells": 4, "share_fraction": 0.1, "death_prob_per_pass": 0.3,
                             "arrest_odds_factor": 2.0}},
        "phenotypes": {
            "a": {"initial_fraction": 0.6, "becomes": {"b": 1e-3}, "growth_factor": 0.9,
                  "turnover_factor": 0.9, "receptors": {"CXCR4": 0.4}},
            "b": {"initial_fraction": 0.4, "proteolysis": 0.2, "barrier_crossing": 0.2,
                  "hypoxia_tolerance": 0.2, "antioxidant_capacity": 0.2, "immune_evasion": 0.2,
                  "niche_response": 0.2},
        },
    },
    "soil": {"bone": {"capacity_cells": 1e11}},
    "patients": "none",
    "treatment": "none",
}  # fmt: skip


@pytest.fixture(scope="module")
def rich():
    asked = ms.load("luminal_a_surgery").replace(RICH)
    weights = {f"gates.{g}.weights.{f}": 0.3 for g in asked.gates.__class__.model_fields
               for f in ("chemotaxis", "adhesion", "basement_membrane", "endothelial_barrier",
                         "hypoxia", "oxidants", "immune_surveillance", "niche")}  # fmt: skip
    levels = {
        f"soil.{o}.{f}": 0.45
        for o, soil in asked.soil.items()
        for f in ("basement_membrane", "endothelial_barrier", "hypoxia", "oxidants",
                  "immune_surveillance", "niche")
        if getattr(soil, f) in (0.0, 1.0)
    }  # fmt: skip
    return asked.replace(weights | levels)


def numbers(scenario):
    """Every key of a scenario that holds a number, and those that could, by the schema."""
    for path, _ in leaves(scenario.model_dump()):
        twin = path[0] == "soil" and path[1] not in ("breast", "bone")  # organs are alike
        if not twin and find(path) is not None and find(path).is_number:
            yield ".".join(str(part) for part in path)


def differ(a, b):
    """Whether two sets of arrays differ anywhere."""
    if isinstance(a, tuple):
        return any(differ(x, y) for x, y in zip(a, b, strict=True))
    return not np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)


def another(path, value):
    """A value that a key may hold, a little off the one it has."""
    key = find(split(path))
    if value is None:
        value = 1e10 if key.unit == "cells" else 0.5
    new = value * 0.9 if value else 0.05
    return float(round(new)) if key.type is int else new


def value_at(scenario, path):
    part = scenario.model_dump()
    for name in split(path):
        part = part[name]
    return part


def test_every_key_that_may_be_drawn_is_felt(rich):
    """Over all keys of the schema: the arrays differ, or the key is refused with a message."""
    law, course = law_of(rich), course_of(rich)
    felt, refused = set(), set()
    for path in numbers(rich):
        if path.startswith("vessels."):  # alone, a share says nothing: shares are scaled to 1
            continue
        value = another(path, value_at(rich, path))
        if find(split(path)).varies is FIXED:
            with pytest.raises(ScenarioError, match="same for every patient"):
                rich.replace({"patients": {path: {"choice": {"values": [value]}}}})
            refused.add(path)
            continue
        try:
            rich.replace({"patients": {path: {"choice": {"values": [value]}}}})
        except ScenarioError as error:
            message = str(error)
            assert "has no effect" in message or "no outflow by lymph" in message, path
            refused.add(path)
            continue
        drawn = {path: np.array([value])}
        assert differ((law, course), (law_of(rich, drawn), course_of(rich, drawn))), path
        felt.add(path)
    assert {"clinic.macro_cells", "clinic.micro_cells", "run.dt_days", "growth.power_exponent",
            "seed.clusters.few.size_cells"} <= refused  # fmt: skip
    assert {"rates.washout_per_day", "soil.bone.niche", "clinic.age_years", "growth.rho_per_day",
            "gates.arrest.weights.niche", "seed.niche_response"} <= felt  # fmt: skip
    assert len(felt) > 120


def test_what_concerns_the_passage_of_units_is_what_its_tables_are_read_from(rich):
    """On this rests how much memory a run is said to take."""
    asked = {path for path in numbers(rich) if find(split(path)).varies is not FIXED}
    get = Parameters(rich, {})
    passage_of(get)
    declared = {path for path in asked if find(split(path)).concerns is PASSAGE}
    assert declared == asked & get.read
    assert {"soil.bone.niche", "vessels.blood.arteries.bone", "gates.arrest.base_odds"} <= declared


def test_drawn_shares_of_the_flow_are_felt(rich):
    route, source = "blood", "arteries"
    drawn = {f"vessels.{route}.{source}.{to}": np.array([0.2]) for to in ("bone", "brain")}
    assert differ(law_of(rich), law_of(rich, drawn))


def test_every_key_that_may_be_changed_is_felt(rich):
    plain = law_of(rich)
    felt, refused = set(), set()
    for path in numbers(rich):
        drug = {"kind": "drug", "start": 1.0, "change": {path: 0.9}}
        may = find(split(path)).varies is CHANGED
        try:
            asked = rich.replace({"treatment": [drug]})
        except ScenarioError as error:
            message = str(error)
            assert "that a treatment can change" in message or (may and "has no effect" in message)
            refused.add(path)
            continue
        assert may, path
        (changed,) = law_of(asked).changed
        zero = value_at(rich, path) == 0  # a factor on nothing changes nothing, and is right to
        assert zero or differ(plain, changed), path
        felt.add(path)
    assert {"clinic.age_years", "soil.bone.detection_cells", "vessels.blood.arteries.bone",
            "seed.phenotypes.a.initial_fraction", "primary.initial_cells"} <= refused  # fmt: skip
    assert {"angiogenesis.per_day", "rates.washout_per_day", "soil.bone.multiplier.arrest"} <= felt
    assert len(felt) > 100


@pytest.mark.parametrize(
    ("patients", "treatment", "says"),
    [
        ("clinic.macro_cells", "", "same for every patient"),
        ("clinic.micro_cells", "", "same for every patient"),
        ("clinic.screening_slope", "", "while clinic.screening_interval_days is unset"),
        ("clinic.other_death_growth_per_year", "", "while clinic.other_death_per_year is unset"),
        ("angiogenesis.onset_cells", "", "while angiogenesis.per_day is unset"),
        ("growth.power_exponent", "", 'growth.law = "gompertz" does not read it'),
        ("", "angiogenesis.per_day", "is unset"),
        ("", "angiogenesis.avascular_cells", "while angiogenesis.per_day is unset"),
        ("", "growth.power_exponent", "does not read it"),
        ("", "clinic.macro_cells", "nothing that a treatment can change"),
    ],
)
def test_what_would_have_no_effect_is_refused(patients, treatment, says):
    asked = ms.load("luminal_a_surgery").replace(
        {"angiogenesis.per_day": "none", "patients": "none"}
    )
    values = {"choice": {"values": [1.5]}}
    change = {"kind": "drug", "start": 1.0, "change": {treatment: 0.5}}
    key = {"patients": {patients: values}} if patients else {"treatment": [change]}
    with pytest.raises(ScenarioError) as error:
        asked.replace(key)
    assert says in str(error.value) and (patients or treatment) in str(error.value)


def test_a_seed_key_that_every_phenotype_replaces_is_refused(rich):
    own = {f"seed.phenotypes.{kind}.proteolysis": 0.3 for kind in ("a", "b")}
    drawn = {"patients": {"seed.proteolysis": {"uniform": {"low": 0.1, "high": 0.2}}}}
    with pytest.raises(ScenarioError, match="every phenotype has a value of its own"):
        rich.replace(own).replace(drawn)


def test_a_phenotype_is_not_drawn_to_become_itself(rich):
    path = "seed.phenotypes.a.becomes.a"
    with pytest.raises(ScenarioError, match="cannot become itself"):
        rich.replace({"patients": {path: {"choice": {"values": [0.1]}}}})


def test_what_no_reader_asks_for_stops_the_run(rich):
    """The backstop behind the schema: it rests on what has really been read."""
    key = "rates.washout_per_day"
    drawn = {"patients": {key: {"uniform": {"low": 0.1, "high": 0.2}}},
             "treatment": [{"kind": "drug", "start": 1.0, "change": {key: 0.5}}]}  # fmt: skip
    asked = rich.replace(drawn)
    with pytest.raises(ScenarioError) as error:
        unread.refuse_unread(asked, {}, {"rates.dormancy_per_day"})
    assert [m.key for m in error.value.mistakes] == [
        f"patients.{key}", f"treatment.0.change.{key}"
    ]  # fmt: skip
    unread.refuse_unread(asked, {}, {key})
    everything = {"treatment": [{"kind": "drug", "start": 1.0, "change": {"soil.*.niche": 0.5}}]}
    unread.refuse_unread(rich.replace(everything), {}, {"soil.bone.niche"})


def test_what_moves_no_units_is_worked_out_once_for_all_patients(rich):
    for key, once in (("growth.rho_per_day", True), ("rates.washout_per_day", False)):
        laws = Laws(rich.replace({"patients": {key: {"uniform": {"low": 0.1, "high": 0.2}}}}))
        first = laws.of({key: np.array([0.1, 0.2])})
        again = laws.of({key: np.array([0.15, 0.2])})
        assert (first.hop is again.hop) is once


def test_a_reader_names_the_key_it_reads():
    assert path_of(lambda s: s.rates.washout_per_day) == "rates.washout_per_day"
    get = Parameters(ms.load("luminal_a_surgery"), {"rates.washout_per_day": np.array([0.5, 0.7])})
    assert get.number(lambda s: s.rates.washout_per_day).tolist() == [0.5, 0.7]
    assert get.read == {"rates.washout_per_day"}
    with pytest.raises(AttributeError):
        get.number(lambda s: s.rates.wash_out_per_day)


@pytest.mark.parametrize("table", ["Rates", "Growth", "Angiogenesis", "Circulation", "Clinic"])
def test_a_search_for_a_key_finds_its_reader(table):
    """Every key of a table stands as an attribute where it is read, not glued from strings."""
    from metasim.scenario import schema

    parts = [ast.parse(path.read_text()) for path in (PACKAGE / "parameters").glob("*.py")]
    nodes = [node for part in parts for node in ast.walk(part)]
    read = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert set(getattr(schema, table).model_fields) <= read
    glued = [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    assert not [text for text in glued if text.startswith(f"{table.lower()}.")]


def test_the_schema_says_what_varies():
    assert find(split("rates.washout_per_day")).varies is CHANGED
    assert find(split("run.dt_days")).varies is FIXED
    assert find(split("seed.phenotypes.a.resistance.drug")).varies is FIXED
    assert inspect.isclass(Scenario) and Scenario.varies is FIXED
