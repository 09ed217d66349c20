"""A soil factor, or a growth law, is one row of its table: added to a copy, it shows and acts."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import metasim as ms
from metasim.errors import ScenarioError
from metasim.law import factors, growth

PACKAGE = Path(ms.__file__).parent

STIFFNESS = '''
    Factor("stiffness", "stiffness of the matrix", Meeting.OPPOSED, {Gate.COLONIZATION: -1},
           "Stiff matrix that hinders arriving cells.", "softening", "Softens the matrix.",
           gates=(Gate.COLONIZATION,)),
'''  # fmt: skip
LINEAR = """
    GrowthLaw("linear", lambda cells, rho, capacity, power_exponent: rho / cells, "rho/N"),
"""

ASK = """
import contextlib, io, json, sys
from importlib import import_module
import numpy as np
import metasim as ms
from metasim.errors import ScenarioError
from metasim.parameters.course import course_of
from metasim.parameters.rates import law_of
from metasim.runner.sensitivity import soil_ranges
from metasim.scenario.explicit import json_schema, print_description

base = ms.load("few_cells").replace({"run.years": 0.3, "treatment": "none"})
level = {f"soil.{organ}.stiffness": 0.9 for organ in base.soil}
weight = {"gates.colonization.weights.stiffness": -2.0}
stiff = base.replace(level | weight)
soft = stiff.replace({"seed.softening": 1.0})

def odds(scenario):
    gate = law_of(scenario).gate_colonization
    return gate / (1 - gate)

def grown(scenario, engine):
    law, course = law_of(scenario).patient(0), course_of(scenario).patient(0)
    streams = [np.random.default_rng((7, i)) for i in range(2)]
    return int(engine.simulate(law, course, *streams, False).cells.sum())

def said(scenario):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        print_description(scenario)
    return out.getvalue()

try:
    base.replace({"gates.arrest.weights.stiffness": 1.0})
    refused = ""
except ScenarioError as error:
    refused = str(error)
linear = base.replace({
    "growth.law": "linear", "growth.rho_per_day": 1.0, "growth.turnover_per_day": 0.0,
    "rates.invasion_per_day": 0.0, "primary.initial_cells": 50, "run.dt_days": 1.0,
    "angiogenesis.per_day": "none", "patients": "none", "run.years": 100 / 365.25,
    "run.follow_from": "start",
})
parts = json_schema()["$defs"]
print(json.dumps({
    "effect": (odds(stiff) / odds(base)).ravel().tolist(),
    "answered": (odds(soft) / odds(base)).ravel().tolist(),
    "shown": "stiffness = 0.9" in said(stiff) and "softening = 1.0" in said(soft),
    "schema": [parts["Soil"]["properties"]["stiffness"]["description"],
               parts["Traits" if "Traits" in parts else "Seed"]["properties"]["softening"]
               ["description"], parts["Phenotype"]["properties"]["softening"]["description"],
               "linear" in json.dumps(parts["Growth"]), "rho/N" in json.dumps(parts["Growth"])],
    "sensitivity": any(r.key.endswith("stiffness") for r in soil_ranges(stiff)),
    "refused": refused,
    "linear": grown(linear, import_module(f"metasim.engines.{sys.argv[1]}")),
}))
"""


def extended_by(folder, engine):
    """What a copy of the package with one more row in each table says."""
    shutil.copytree(PACKAGE, folder / "metasim", ignore=shutil.ignore_patterns("__pycache__"))
    shipped = PACKAGE.parent / "scenarios"
    if shipped.exists():
        shutil.copytree(shipped, folder / "scenarios")
    for path, row in (("law/factors.py", STIFFNESS), ("law/growth.py", LINEAR)):
        file = folder / "metasim" / path
        text = file.read_text()
        end = text.index('\n)\n"""All ')
        file.write_text(text[:end] + row.rstrip() + text[end:])
    env = {**os.environ, "PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", ASK, engine], cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    return extended_by(tmp_path_factory.mktemp("copy"), "cells")


def a_cell_a_day_on_50(cells):
    return 150 - 5 * 10 < cells < 150 + 5 * 10  # Poisson


def test_a_factor_is_one_row_and_acts(extended):
    import math

    assert extended["effect"] == pytest.approx([math.exp(-2.0 * 0.9)] * len(extended["effect"]))
    assert extended["answered"] == pytest.approx([1.0] * len(extended["answered"]))


def test_a_factor_shows_wherever_factors_do(extended):
    assert extended["shown"] and extended["sensitivity"]
    assert extended["schema"][:3] == [
        "Stiff matrix that hinders arriving cells.", "Softens the matrix.",
        "As seed.softening; unset: the seed's.",
    ]  # fmt: skip
    assert '"stiffness" has no say at this gate' in extended["refused"]


def test_a_growth_law_is_one_row_and_acts(extended):
    assert extended["schema"][3:] == [True, True]
    assert a_cell_a_day_on_50(extended["linear"])


@pytest.mark.verify
def test_a_growth_law_acts_in_the_compiled_engine(tmp_path):
    assert a_cell_a_day_on_50(extended_by(tmp_path, "colonies")["linear"])


def test_a_growth_law_is_compiled_from_its_row(monkeypatch):
    from metasim.engines.colonies.kernel import inlined

    def linear(cells, rho, capacity, power_exponent):
        return rho / cells

    laws = (*growth.LAWS, growth.GrowthLaw("linear", linear, "rho/N"))
    monkeypatch.setattr(growth, "LAWS", laws)
    plain = growth.net_growth_of(lambda function: function)
    compiled = inlined(growth.net_growth_of(inlined))
    call = numba.njit(lambda law, n: compiled(law, n, 0.02, 1e9, 0.7, True, 1e6))
    for number in range(len(laws)):
        assert call(number, 1e3) == pytest.approx(plain(number, 1e3, 0.02, 1e9, 0.7, True, 1e6))
    assert call(4, 1e3) == pytest.approx(0.02 / 1e3)


def test_tables_agree_with_the_schema():
    asked = ms.load("luminal_a_surgery")
    for factor in factors.FACTORS:
        for gate in factor.gates:
            assert asked.replace({f"gates.{gate}.weights.{factor.name}": 0.5})
    for law in growth.LAWS:
        assert asked.replace({"growth.law": law.name}).growth.law == law.name
    with pytest.raises(ScenarioError):
        asked.replace({"growth.law": "linear"})
    assert growth.law_number("gompertz") == 2
