"""A configuration of MetaSpread (paper.md of its repository, table 1), written as a scenario.

388 cells, six in ten mesenchymal, double in 2 (mesenchymal) or 3 days. A cell in the blood survives
with probability 5e-4, a cluster with 2.5e-2. Three in four of the survivors come to the first
of two sites. What its grids add (movement, matrix, room) has no counterpart here.
"""

import math

import numpy as np
import pytest

import metasim as ms
from metasim.parameters.rates import law_of

METASPREAD = """
title = "MetaSpread's configuration"
[run]
patients = 300
years = 0.0137  # five days
dt_days = 1.0
[seed]
clusters.pair = { size_cells = 2, share_fraction = 0.1, death_prob_per_pass = 0.975 }
phenotypes.mesenchymal = { initial_fraction = 0.6 }
phenotypes.epithelial = { initial_fraction = 0.4, growth_factor = 0.6666666666666666 }
[gates]
invasion.base_odds = 1.0
intravasation.base_odds = 1.0
arrest.base_odds = 1e15    # who is not destroyed is held in the site that it comes to
extravasation.base_odds = 1.0
colonization.base_odds = 1.0
[rates]
invasion_per_day = 0.0
[circulation]
death_prob_per_pass = 0.9995
[growth]
law = "exponential"
rho_per_day = 0.34657359027997264  # ln 2 / 2 days
turnover_per_day = 0.0
[primary]
organ = "primary"
initial_cells = 388
[soil.primary]
label = "Primary"
site = "primary"
position = [0.0, 0.7]
[soil.first]
label = "First site"
position = [0.0, 0.5]
[soil.second]
label = "Second site"
position = [0.0, 0.3]
[vessels.blood]
primary = { blood = 1.0 }
first = { blood = 1.0 }
second = { blood = 1.0 }
blood = { first = 0.75, second = 0.25 }
"""


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "metaspread.toml"
    path.write_text(METASPREAD)
    return ms.load(path)


def test_survival_and_sites_are_those_that_were_asked(scenario):
    law = law_of(scenario).patient(0)
    # what enters the blood of the primary, by unit and site, from the walk on the graph
    from metasim.law.vessels import walk_matrix

    walks, destroyed = walk_matrix(law.hop[None], law.gate_arrest[None], law.death_per_pass[None])
    single, pair = walks[0, 0, 0]
    assert single == pytest.approx([0.0, 0.75 * 5e-4, 0.25 * 5e-4], rel=1e-9)
    assert pair == pytest.approx([0.0, 0.75 * 2.5e-2, 0.25 * 2.5e-2], rel=1e-9)
    assert destroyed[0, 0, 0] == pytest.approx([1 - 5e-4, 1 - 2.5e-2])


@pytest.mark.parametrize(("engine", "patients"), [("colonies", 300), ("cells", 8)])
def test_cells_double_in_two_and_in_three_days(scenario, engine, patients):
    asked = scenario.replace({"run.engine": engine, "run.patients": patients})
    results = ms.run(asked, progress=False, workers=1)
    last = results.counts[results.counts["day"] == results.counts["day"].max()]
    last = last[last["organ"].astype(str) == "primary"]
    days = float(last["day"].iloc[0])
    first = {"mesenchymal": 233, "epithelial": 155}  # 388 cells in whole numbers
    for name, doubling in (("mesenchymal", 2.0), ("epithelial", 3.0)):
        growth = math.log(2) / doubling
        mean = first[name] * math.exp(growth * days)
        variance = mean * (math.exp(growth * days) - 1.0)  # pure birth
        found = last[f"cells_{name}"].to_numpy()
        assert len(found) == patients
        assert abs(found.mean() - mean) < 4.0 * np.sqrt(variance / patients)
        slower = first[name] * math.exp(growth * days / 1.2)  # a doubling time a fifth longer
        assert abs(found.mean() - slower) > 4.0 * np.sqrt(variance / patients)
