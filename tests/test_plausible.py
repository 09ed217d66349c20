"""The shipped defaults are plausible from the first day (published numbers in tests.plausible)."""

import pytest

from tests import plausible


@pytest.mark.parametrize("name", plausible.SITES)
def test_distant_metastasis_within_a_factor_of_the_registry(name):
    incidence, _ = plausible.outcome(name, 1500)
    for year, published in plausible.INCIDENCE.items():
        assert published / 1.5 < incidence[year] < published * 1.5


def test_luminal_a_sites_come_in_the_published_order():
    _, sites = plausible.outcome("luminal_a_surgery", 3000)
    assert sites["bone"] > sites["lung"] > sites["brain"]
    assert sites["bone"] > sites["liver"] > sites["brain"]


def test_the_two_hypotheses_differ():
    """Blood flow alone favours the lung; seed and soil the bone."""
    _, flow = plausible.outcome("flow_only", 2000)
    _, soil = plausible.outcome("seed_and_soil", 2000)
    assert flow["lung"] > 3 * flow.get("bone", 0)
    assert soil["bone"] > 1.5 * soil["lung"]


def test_one_soft_soil_moves_its_organ_and_leaves_the_others():
    _, hard = plausible.outcome("luminal_a_surgery", 3000)
    incidence_hard, _ = plausible.outcome("luminal_a_surgery", 3000)
    incidence_soft, soft = plausible.outcome("soft_bone", 3000)
    assert soft["bone"] > hard["bone"]
    assert incidence_soft[10] > incidence_hard[10]


@pytest.mark.verify
@pytest.mark.parametrize("name", plausible.SITES)
def test_sites_at_relapse_are_those_of_the_subtype(name):
    """Within 7 points of the published share, of which some 2.5 are chance here and 2 there."""
    _, sites = plausible.outcome(name, 20_000, rng_seed=5)
    for organ, published in plausible.SITES[name].items():
        assert abs(sites[organ] - published) < 7
