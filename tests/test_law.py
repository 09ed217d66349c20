"""The law's pure functions: odds, the walk, fates, closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from metasim.law import closed_forms, fate, growth, odds, vessels
from metasim.law.factors import FACTORS
from metasim.terms import Gate

levels = st.floats(0, 1)


def test_odds_follow_the_formula():
    base, multiplier = np.array([[0.5]]), np.array([[[2.0, 1.0]]])
    weights = np.array([[[1.5, -2.0]]])
    factors = np.array([[[[0.2], [0.0]], [[0.5], [1.0]]]])
    got = odds.gate_odds(base, multiplier, odds.soil_effect(weights, factors))
    assert got[0, 0, :, 0] == pytest.approx(
        [0.5 * 2 * math.exp(1.5 * 0.2 - 2 * 0.5), 0.5 * math.exp(-2.0)]
    )
    assert odds.probability(np.array([0.0, 1.0, 3.0, 1e300])) == pytest.approx([0, 0.5, 0.75, 1])


@given(levels, levels, st.floats(0, 1), st.floats(-5, 5))
def test_a_factor_moves_the_odds_by_its_sign(low, high, trait, weight):
    low, high = sorted((low, high))
    level = np.array([[low, high]])
    factor = odds.answered_factor(level, np.array([[trait]]))[:, None]
    effect = odds.soil_effect(np.array([[[weight]]]), factor)
    got = odds.gate_odds(np.array([[1.0]]), np.ones((1, 1, 2)), effect)[0, 0, :, 0]
    assert (got[1] >= got[0]) == (weight * (high - low) * trait >= 0) or got[1] == got[0]


def brute_walk(hop, arrest, death, start, organs, passes=4000):
    """Arrest distribution by following the probability from bed to bed."""
    where = np.zeros(2 * organs)
    where[start] = 1.0
    arrested = np.zeros(organs)
    for _ in range(passes):
        met = where @ hop
        alive = met * (1 - death)
        a = np.tile(arrest, 2)
        arrested += (alive * a).reshape(2, organs).sum(axis=0)
        where = alive * (1 - a)
    return arrested


VESSELS = {
    "blood": {
        "lung": {"arteries": 1.0},
        "arteries": {"breast": 0.1, "liver": 0.2, "gut": 0.7},
        "breast": {"veins": 1.0},
        "gut": {"liver": 1.0},
        "liver": {"veins": 1.0},
        "node": {"veins": 1.0},
        "veins": {"lung": 1.0},
    },
    "lymph": {"breast": {"node": 1.0}, "node": {"veins": 1.0}},
}
ORGANS = ["breast", "node", "lung", "liver", "gut"]


def test_hops_lead_through_junctions_and_the_portal_vein():
    hop = vessels.hop_matrix(ORGANS, VESSELS)
    blood = {name: i for i, name in enumerate(ORGANS)}
    lymph = {name: i + len(ORGANS) for i, name in enumerate(ORGANS)}
    assert hop[blood["lung"], blood["gut"]] == pytest.approx(0.7)
    assert hop[blood["gut"], blood["liver"]] == 1.0
    assert hop[blood["breast"], blood["lung"]] == 1.0
    assert hop[lymph["breast"], lymph["node"]] == 1.0
    assert hop[lymph["node"], blood["lung"]] == 1.0
    assert hop[lymph["liver"]].sum() == 0.0


@settings(max_examples=12, deadline=None)
@given(st.lists(st.floats(1e-3, 0.9), min_size=5, max_size=5), st.floats(0.01, 0.9))
def test_walk_is_the_absorbing_markov_chain(arrest, death):
    hop = vessels.hop_matrix(ORGANS, VESSELS)
    walk, lost = vessels.walk_matrix(
        hop[None], np.array(arrest)[None, :, None, None], np.array([[death]])
    )
    assert walk.sum(axis=-1) + lost == pytest.approx(1.0)
    for start in (0, 2, 5):
        expected = brute_walk(hop, np.array(arrest), death, start, 5)
        assert walk[0, start, 0, 0] == pytest.approx(expected, rel=1e-9, abs=1e-14)
    swapped = {**VESSELS, "blood": {**VESSELS["blood"], "arteries": {"gut": 0.1, "liver": 0.9}}}
    wrong = vessels.hop_matrix(ORGANS, swapped)
    assert brute_walk(wrong, np.array(arrest), death, 2, 5) != pytest.approx(
        walk[0, 2, 0, 0], rel=1e-9
    )


def some_fates(colonization=0.3, washout=0.5, rng_seed=3):
    rng = np.random.default_rng(rng_seed)
    shape = (1, 5, 1)
    gates = fate.Gates(
        *(rng.uniform(0.1, 0.9, shape) for _ in range(3)), np.full(shape, colonization)
    )
    one = np.ones(1)
    exit_ = fate.exits(
        one, washout * one, one, np.full((1, 5), 0.7), np.full((1, 5), 0.2), 0.3 * one
    )
    hop = vessels.hop_matrix(ORGANS, VESSELS)[None]
    walk, _ = vessels.walk_matrix(hop, rng.uniform(0.05, 0.5, (1, 5, 1, 2)), np.array([[0.3, 0.1]]))
    by_route = np.stack([walk[:, :5], walk[:, 5:]], axis=-2)
    lymph = np.array([0.4, 0.5, 0, 0, 0])
    destination = by_route * np.stack([1 - lymph, lymph], axis=-1)[None, :, None, None, :, None]
    return fate.Passage(gates, exit_, destination, 1 - destination.sum(axis=(-2, -1)))


def brute_success(gates, exit_, destination, rounds=500):
    """Success probabilities by iterating the cascade until nothing changes."""
    active = np.zeros((1, 5, 1))
    arrested = np.zeros((1, 5, 1, 2))
    to_organ = destination.sum(axis=-2)
    for _ in range(rounds):
        dormant = exit_.reawakening * active
        active = exit_.colonization * gates.colonization + (1 - exit_.colonization) * dormant
        entering = (to_organ * np.moveaxis(arrested, 1, -1)[:, None]).sum(-1)
        crossing = exit_.extravasation * (gates.extravasation * active)[..., None]
        arrested = crossing + (1 - exit_.extravasation) * entering
    return active, arrested, entering


def test_success_solves_the_cascade():
    regime = some_fates()
    chance = fate.success([regime])
    active, arrested, entering = brute_success(*regime[:3])
    assert chance.active == pytest.approx(active)
    assert chance.arrested == pytest.approx(arrested)
    assert chance.invaded == pytest.approx(regime.gates.intravasation[..., None] * entering)


def three_regimes():
    return [some_fates(), some_fates(0.9, 0.1, rng_seed=4), some_fates(0.05, 2.0, rng_seed=5)]


def chain_of(regime):
    """Plain one-step probabilities of a regime: places invaded, arrested, active, dormant, founds.

    (C, 4 O + 1, 4 O + 1), for the one phenotype.
    """
    gates, exit_, destination = (regime.gates, regime.exit, regime.destination.sum(-2)[0, :, 0])
    n, classes = destination.shape[0], destination.shape[1]
    step = np.zeros((classes, 4 * n + 1, 4 * n + 1))
    invaded, arrested, active, dormant = np.arange(4 * n).reshape(4, n)
    cross, found = np.ravel(exit_.extravasation), exit_.colonization[0, :, 0]
    wake = exit_.reawakening[0, :, 0]
    for o in range(n):
        for j in range(n):
            step[:, invaded[o], arrested[j]] = gates.intravasation[0, o, 0] * destination[o, :, j]
            step[:, arrested[o], arrested[j]] = (1 - cross) * destination[o, :, j]
        step[:, arrested[o], active[o]] = cross * gates.extravasation[0, o, 0]
        step[:, active[o], -1] = found[o] * gates.colonization[0, o, 0]
        step[:, active[o], dormant[o]] = 1 - found[o]
        step[:, dormant[o], active[o]] = wake[o]
    step[:, -1, -1] = 1.0
    return step


def test_the_chance_is_the_best_over_all_orders_of_regimes():
    regimes = three_regimes()
    chance = fate.success(regimes)
    steps = [chain_of(regime) for regime in regimes]
    best = np.zeros(steps[0].shape[:2])
    best[:, -1] = 1.0
    for _ in range(3000):  # value iteration
        best = np.max([(step @ best[..., None])[..., 0] for step in steps], axis=0)
    got = chances_by_place(chance)
    assert got == pytest.approx(best, abs=1e-12)
    alone = chances_by_place(fate.success(regimes[:1]))
    assert (got >= alone - 1e-15).all() and got.max() <= 1.0 and (got > alone + 0.01).any()


def chances_by_place(chance):
    invaded, arrested = chance.invaded[0, :, 0].T, chance.arrested[0, :, 0].T  # (C, O)
    rest = [np.broadcast_to(part[0, :, 0], invaded.shape) for part in chance[2:]]
    return np.concatenate([invaded, arrested, *rest, np.ones((len(invaded), 1))], axis=1)


@pytest.mark.parametrize("regime", range(3))
@pytest.mark.parametrize("regimes", [1, 3])
def test_destined_and_doomed_together_are_the_plain_law(regime, regimes):
    """The h-transform, in every regime; with several, the destined may be doomed on the way.

    P(s -> s') = h(s) P(s -> s', destined | destined)
    + [h(s) P(doomed on leaving s | destined) + 1 - h(s)] P(s -> s' | doomed).
    """
    several = three_regimes() if regimes == 3 else [three_regimes()[regime]]
    here = several[regime] if regimes == 3 else several[0]
    chance = fate.success(several)
    yes, no = fate.destined(here, chance), fate.doomed(here, chance)
    gates, exit_, destination, _ = here
    invaded, arrested, active, dormant = chance
    lost = {
        "invaded": invaded * (1 - yes.entering),
        "arrested": arrested * (1 - yes.crossing - yes.washing),
        "active": active * (1 - yes.founding - yes.sleeping),
        "dormant": dormant * (1 - yes.waking),
    }
    turned = {name: 1 - h + lost[name] for name, h in zip(lost, chance, strict=True)}
    landing = np.diff(yes.landing, axis=-1, prepend=0).reshape(1, 5, 1, 2, 2, 5).sum(-2)
    leaving = yes.leaving
    pairs = {
        "invading": (gates.invasion[..., None], leaving + (1 - leaving) * no.invading),
        "entering": (
            gates.intravasation[..., None] * destination.sum((-2, -1)),
            invaded * yes.entering
            + turned["invaded"] * no.intravasating * no.landing.sum(-1),
        ),
        "arriving": (
            (gates.intravasation[..., None, None] * destination.sum(-2)),
            (invaded * yes.entering)[..., None] * landing
            + (turned["invaded"] * no.intravasating)[..., None] * no.landing,
        ),
        "crossing": (
            exit_.extravasation * gates.extravasation[..., None],
            arrested * yes.crossing + turned["arrested"] * no.crossing,
        ),
        "washed on to": (
            ((1 - exit_.extravasation)[..., None] * destination.sum(-2)),
            (arrested * yes.washing)[..., None] * landing
            + (turned["arrested"] * no.washing)[..., None] * no.landing,
        ),
        "founding": (exit_.colonization * gates.colonization, active * yes.founding),
        "sleeping": (
            1 - exit_.colonization, active * yes.sleeping + turned["active"] * no.sleeping
        ),
        "waking": (exit_.reawakening, dormant * yes.waking + turned["dormant"] * no.waking),
    }  # fmt: skip
    for name, (plain, mixed) in pairs.items():
        assert mixed == pytest.approx(np.broadcast_to(plain, mixed.shape)), name
    if regimes == 1:
        assert all(abs(part).max() < 1e-12 for part in lost.values())
    else:
        assert max(part.max() for part in lost.values()) > 0.01


def test_certain_success_leaves_nobody_doomed():
    regime = some_fates()
    ones = np.ones((1, 5, 1))
    sure = fate.exits(*(np.ones(1), np.zeros(1), np.ones(1)), *(np.zeros((1, 5)),) * 2, np.zeros(1))
    there = regime.destination / regime.destination.sum(axis=(-2, -1), keepdims=True)
    regime = fate.Passage(fate.Gates(ones, ones, ones, ones), sure, there, np.zeros((1, 5, 1, 2)))
    chance = fate.success([regime])
    assert chance.invaded == pytest.approx(1.0)
    assert all(np.isfinite(part).all() for part in fate.doomed(regime, chance))


@pytest.mark.parametrize("law", [law.name for law in growth.LAWS])
def test_growth_laws(law):
    def g(cells, **other):
        values = {"capacity": 1e9, "power_exponent": 0.7, "vascularised": True, **other}
        return growth.net_growth(growth.law_number(law), cells, 0.02, avascular_cells=1e6, **values)

    expected = {
        "exponential": 0.02,
        "logistic": 0.02 * (1 - 1e-3),
        "gompertz": 0.02 * math.log(1e3),
        "power": 0.02 * 1e6**-0.3,
    }
    assert g(1e6) == pytest.approx(expected[law])
    assert g(1e6, vascularised=False) == 0.0
    assert g(10.0, vascularised=False) == pytest.approx(g(10.0), rel=1e-4)


def test_closed_forms_agree_with_integration():
    b, d, n0, g, rate, days = 0.06, 0.04, 1e6, 0.01, 1e-8, 300.0
    # oracle 1 from the moment equations
    assert closed_forms.growth_variance(5, b, d, days) == pytest.approx(
        integrate.quad(
            lambda s: 5 * (b + d) * math.exp((b - d) * s) * math.exp(2 * (b - d) * (days - s)),
            0,
            days,
        )[0]
    )
    # oracle 4 goes over into oracle 5's "never" once the primary is gone: survivors of all founders
    grown = n0 * math.exp(g * days)
    ever = rate * (grown - n0) / g * (1 - d / b)
    assert -math.log(closed_forms.never_relapse(rate, grown, g, b, d)) == pytest.approx(
        ever * grown / (grown - n0)
    )
    late = closed_forms.relapse_free(rate, grown, g, b, d, 1e6, 1e5)
    assert late == pytest.approx(closed_forms.never_relapse(rate, grown, g, b, d), rel=1e-6)
    # oracle 6 solves N' = m e^(a alpha t) + m (N * e^(a alpha .))'
    a, m, alpha = 0.05, 0.02, 0.6
    t = np.linspace(0, 60, 6001)
    n = np.array([closed_forms.iwata_colonies(a, m, alpha, x) for x in t])
    emission = m * np.exp(a * alpha * t)
    step = t[1] - t[0]
    rate_n = np.gradient(n, step)
    renewal = emission + np.convolve(rate_n, emission)[: len(t)] * step
    assert renewal[3000] == pytest.approx(rate_n[3000], rel=5e-3)


def test_every_gate_and_factor_has_its_place_in_the_vocabulary():
    assert len(Gate) == 5 and len(FACTORS) == 8
