"""Tiny, huge and zero odds, rates and probabilities: every number of the law stays one."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metasim as ms
from metasim.errors import ScenarioError
from metasim.law import fate, vessels
from metasim.law.absorbing import absorbed
from metasim.parameters.rates import law_of
from metasim.scenario.keys import find, split

PROBABILITIES = st.sampled_from([0.0, 5e-324, 1e-300, 1e-20, 1e-12, 0.3, 1 - 1e-16, 1.0])
AMOUNTS = st.sampled_from([0.0, 5e-324, 1e-300, 1e-20, 1e-6, 1.0, 1e6, 1e20, 1e300, 1.7e308])
FACTORS = st.sampled_from([0.0, 5e-324, 1e-300, 1e-20, 1e-6, 1.0, 1e6, 1e12])
WEIGHTS = st.sampled_from([-1.7e308, -1e20, -3.0, 0.0, 3.0, 1e20, 1.7e308])
RATES = ("extravasation", "washout", "colonization", "dormancy", "reawakening", "dormant_death")


def probabilities_of(law):
    """Every probability of the law, and the sums of those that exclude each other."""
    yes, no = law.destined, law.doomed
    singles = [getattr(law, f"gate_{gate}") for gate in ms.load("few_cells").gates.model_fields_set]
    sums = [yes.crossing + yes.washing, yes.founding + yes.sleeping, no.landing.sum(axis=-1),
            no.crossing + no.washing]  # fmt: skip
    return [*singles, *yes, *no, *sums]


def check(law):
    for regime in law.regimes:
        for part in probabilities_of(regime):
            assert np.isfinite(part).all()
            assert (part >= 0.0).all() and (part <= 1.0 + 1e-12).all()


def inside(path, value):
    """The value, or what of its key's bounds is nearest."""
    limits = find(split(path)).limits
    return min(max(value, limits.get("ge", -math.inf)), limits.get("le", math.inf))


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_every_probability_stays_one(data):
    base = ms.load("few_cells")
    asked = {"circulation.death_prob_per_pass": data.draw(PROBABILITIES)}
    for name in RATES:
        asked[f"rates.{name}_per_day"] = data.draw(AMOUNTS)
    for gate in ("invasion", "intravasation", "arrest", "extravasation", "colonization"):
        asked[f"gates.{gate}.base_odds"] = data.draw(AMOUNTS)
        asked[f"gates.{gate}.weights.niche"] = data.draw(WEIGHTS)
        asked[f"gates.{gate}.weights.hypoxia"] = data.draw(WEIGHTS)
        asked[f"soil.{next(reversed(base.soil))}.multiplier.{gate}"] = data.draw(AMOUNTS)
    asked = {path: inside(path, value) for path, value in asked.items()}
    changes = {f"rates.{data.draw(st.sampled_from(RATES))}_per_day": data.draw(FACTORS),
               "gates.arrest.base_odds": data.draw(FACTORS)}  # fmt: skip
    drug = {"kind": "drug", "start": 1.0, "change": changes}
    try:
        scenario = base.replace(asked | {"treatment": [drug, drug | {"start": 2.0}]})
    except ScenarioError as error:
        assert "a cell would circulate for ever" in str(error)
        return
    check(law_of(scenario))


@pytest.mark.parametrize("death", [1e-300, 1e-20, 1e-16, 1.0])
def test_a_walk_that_hardly_ends_is_no_singular_matrix(death):
    check(law_of(ms.load("growth_only").replace({"circulation.death_prob_per_pass": death})))


def ring(arrest, death):
    """Two organs in a ring: the walk is a geometric series with a closed form."""
    hop = np.zeros((1, 4, 4))
    hop[0, 0, 1] = hop[0, 1, 0] = 1.0
    beds = np.array(arrest)[None, :, None, None]
    return vessels.walk_matrix(hop, beds, np.array([[death]]))


@pytest.mark.parametrize("scale", [0.1, 1e-8, 1e-16, 1e-20, 1e-100, 1e-290])
def test_near_endless_walks_are_exact(scale):
    """Arrest and death so rare that 1 - p is 1: their ratio still decides."""
    walk, lost = ring([3 * scale, 0.0], scale)
    p, q = 3 * scale * (1 - scale), scale
    first = p / (p + 2 * q - q * (p + q) + 0.0)  # meets organ 0 in every second pass
    assert walk[0, 1, 0, 0, 0] == pytest.approx(first, rel=max(1e-12, 3 * scale), abs=0)
    assert walk[0, :2].sum(axis=-1) + lost[0, :2] == pytest.approx(1.0, rel=1e-14)
    if scale < 1e-7:
        assert walk[0, 1, 0, 0, 0] == pytest.approx(3 / 5, rel=1e-6)


def test_a_walk_that_never_ends_arrests_nobody():
    walk, lost = ring([0.0, 0.0], 0.0)
    assert not walk.any() and not lost[0, :2].any()
    assert (lost[0, 2:] == 1.0).all()  # nothing leads on by lymph


def test_a_dormant_cell_that_hardly_ever_founds_or_dies():
    """Sleeping and waking for ever, but for chances of 1e-20: their ratio decides."""
    one = np.ones(1)
    exit_ = fate.exits(one, one, 1e-20 * one, np.ones((1, 1)), np.ones((1, 1)), 3e-20 * one)
    gate = np.full((1, 1, 1), 0.8)
    nowhere = np.zeros((1, 1, 1, 1, 2, 1))
    passage = fate.Passage(fate.Gates(*[gate] * 4), exit_, nowhere, np.ones((1, 1, 1, 1)))
    assert fate.success([passage]).active.item() == pytest.approx(0.8 / 4)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_absorbed_solves_the_linear_equations(rng_seed, n):
    rng = np.random.default_rng(rng_seed)
    rows = rng.dirichlet(np.ones(n + 3), size=n)
    got = absorbed(rows[:, :n], rows[:, n:-1], rows[:, -1])
    expected = np.linalg.solve(np.eye(n) - rows[:, :n], rows[:, n:-1])
    assert got == pytest.approx(expected, rel=1e-10)
    assert not math.isclose(got[0, 0], absorbed(rows[:, :n], rows[:, n:-1], rows[:, -1] * 2)[0, 0])
