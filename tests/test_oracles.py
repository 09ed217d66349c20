"""Exact oracles (section 11 of docs/model) through the public interface: one scenario file each.

Each check is run twice: on the scenario as it stands, where it must pass, and with a planted
fault in the scenario or the law, where the same check must fail.
"""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import metasim as ms
from metasim.law import closed_forms
from metasim.parameters.course import course_of
from metasim.parameters.rates import law_of
from tests.significance import caught, counts_p, holds, mean_p, share_p, variance_p

ORACLES = Path(__file__).parent / "oracles"
FEWER = pytest.mark.parametrize("fewer", [4, pytest.param(1, marks=pytest.mark.verify)])
"""A quarter of the patients; all of them in `make verify`."""


def load(name, **changes):
    scenario = ms.load(ORACLES / f"{name}.toml")
    return scenario.replace({k.replace("__", "."): v for k, v in changes.items()})


def load_fewer(name, fewer, **changes):
    """As `load`, with one in so many of its patients."""
    scenario = load(name, **changes)
    return scenario.replace({"run.patients": scenario.run.patients // fewer})


def run(scenario):
    return ms.run(scenario, progress=False)


def days_of(scenario):
    course = course_of(scenario)
    return course.follow_steps * course.dt_days


@pytest.mark.parametrize("initial", [1, 100, 10**6, 10**12])
@pytest.mark.parametrize(("rho", "turnover"), [(0.01, 0.04), (0.0, 0.03)])
def test_1_growth_law(initial, rho, turnover):
    scenario = load(
        "growth", primary__initial_cells=initial, growth__rho_per_day=rho,
        growth__turnover_per_day=turnover,
    )  # fmt: skip
    birth, death, days = turnover + rho, turnover, days_of(scenario)
    mean = closed_forms.growth_mean(initial, birth, death, days)
    variance = closed_forms.growth_variance(initial, birth, death, days)

    def p_values(scenario):
        cells = run(scenario).patients["primary_cells"].to_numpy(dtype=float)
        return mean_p(cells, mean, variance**0.5), variance_p(cells - mean, variance)

    assert all(holds(p) for p in p_values(scenario))
    wrong = scenario.replace({"growth.rho_per_day": rho + 0.004})
    assert any(caught(p) for p in p_values(wrong))


@pytest.mark.parametrize("dt", [0.5, 7.305, 365.25])
def test_1_growth_has_no_discretisation_error(dt):
    scenario = load("growth", run__dt_days=dt, primary__initial_cells=3)
    days = days_of(scenario)
    cells = run(scenario).patients["primary_cells"].to_numpy(dtype=float)
    assert holds(mean_p(cells, closed_forms.growth_mean(3, 0.05, 0.04, days)))
    assert holds(share_p((cells == 0).sum(), 4000, closed_forms.extinction(0.05, 0.04, days) ** 3))


def test_2_extinction():
    scenario = load("growth", primary__initial_cells=1)
    expected = closed_forms.extinction(0.05, 0.04, days_of(scenario))

    def p_value(scenario):
        cells = run(scenario).patients["primary_cells"]
        return share_p((cells == 0).sum(), len(cells), expected)

    assert holds(p_value(scenario))
    assert caught(p_value(scenario.replace({"growth.turnover_per_day": 0.032})))
    # ever: long after, d/b
    late = run(scenario.replace({"run.years": 4.0})).patients["primary_cells"]
    assert holds(share_p((late == 0).sum(), len(late), closed_forms.extinction_ever(0.05, 0.04)))


def test_3_reaching_a_size_before_extinction():
    scenario = load("reaches")
    expected = closed_forms.reaches(200, 0.25, 0.24)

    def p_value(scenario):
        table = run(scenario).metastases
        settled = table[table["extinct_day"].notna() | table["micro_day"].notna()]
        early = settled[settled["founded_day"] < 60]  # the others may not be settled yet
        undecided = (table["founded_day"] < 60).sum() - len(early)
        assert undecided < 0.01 * len(early)
        return share_p(early["micro_day"].notna().sum(), len(early), expected)

    assert holds(p_value(scenario))
    assert caught(p_value(scenario.replace({"growth.turnover_per_day": 0.12})))


@FEWER
def test_4_metastases_alive_are_poisson(fewer):
    scenario = load_fewer(
        "arrivals", fewer, growth__turnover_per_day=0.02, soil__breast__turnover_factor=0.0
    )
    birth, death = 0.04, 0.02
    lag = 3 * scenario.run.dt_days
    expected = closed_forms.metastases_alive(
        2e-7, 200_000, 0.01, birth, death, days_of(scenario) - lag
    )

    def p_values(scenario):
        results = run(scenario)
        table = results.metastases
        alive = table[table["extinct_day"].isna()].groupby("patient").size()
        number = alive.reindex(range(scenario.run.patients), fill_value=0).to_numpy()
        classes = np.bincount(number)
        return mean_p(number, expected, expected**0.5), counts_p(
            classes, stats.poisson(expected).pmf(np.arange(len(classes)))
        )

    assert all(holds(p) for p in p_values(scenario))
    wrong = scenario.replace({"rates.border_exponent": 1.01})
    assert any(caught(p) for p in p_values(wrong))


def test_5_never_relapse_after_resection():
    scenario = load("resection", soil__breast__turnover_factor=0.0, growth__turnover_per_day=0.03)
    birth, death = 0.05, 0.03

    def p_value(scenario):
        results = run(scenario)
        table = results.metastases
        relapsed = table[table["extinct_day"].isna()]["patient"].nunique()
        first = course_of(scenario)
        # the primary is seen at a step: it has grown for up to dt past the size
        cells = float(first.diagnosis_cells[0, 0]) * np.exp(0.02 * scenario.run.dt_days / 2)
        expected = 1 - closed_forms.never_relapse(2e-9, cells, 0.02, birth, death)
        return share_p(relapsed, len(results.patients), expected)

    assert holds(p_value(scenario))
    assert caught(p_value(scenario.replace({"soil.lung.turnover_factor": 0.7})))


@FEWER
def test_6_metastases_seed_metastases(fewer):
    scenario = load_fewer("secondary", fewer)
    days = days_of(scenario)
    growth, emission = 0.05, 0.02
    # units are on their way for three steps; while away they do not grow
    lag = 3 * scenario.run.dt_days
    late = closed_forms.iwata_colonies(growth, emission, 1.0, days)
    expected = late * np.exp(-(growth + emission) * lag) * (1 - emission * lag)

    def p_value(scenario):
        number = run(scenario).metastases.groupby("patient").size()
        number = number.reindex(range(scenario.run.patients), fill_value=0)
        return mean_p(number, expected)

    assert holds(p_value(scenario))
    assert caught(p_value(scenario.replace({"rates.border_exponent": 0.9})))
    assert caught(p_value(scenario.replace({"soil.lung.growth_factor": 0.8})))


def expected_organs(law):
    """Where units of each class are arrested, cross and found, by plain matrix algebra."""
    organs, classes = 5, 2
    p = law.patient(0)
    founding = 1.5 / 2.0
    again = (1 - founding) * 0.2 / 0.5
    settle = founding * p.gate_colonization[:, 0] / (1 - again)
    cross = 2.0 / 3.0 * p.gate_extravasation[:, 0]
    out = np.zeros((classes, organs))
    for c in range(classes):
        arrest = np.tile(p.gate_arrest[:, 0, c], 2)
        alive = 1 - p.death_per_pass[c]
        q = p.hop * (alive * (1 - arrest))
        r = (p.hop * (alive * arrest)).reshape(10, 2, organs).sum(1)
        walk = np.linalg.inv(np.eye(10) - q) @ r
        share = np.stack([1 - p.lymph, p.lymph])
        to = np.einsum("ro,roj->oj", share, walk.reshape(2, organs, organs))
        stay = np.linalg.inv(np.eye(organs) - to / 3.0)
        out[c] = to[0] @ stay * cross * settle
    return out


@FEWER
def test_8_the_walk_on_the_organ_graph(fewer):
    scenario = load_fewer("walk", fewer)
    expected = expected_organs(law_of(scenario))

    def p_values(scenario):
        table = run(scenario).metastases
        for c, founders in enumerate((1, 4)):
            organs = table[table["founders"] == founders]["organ"].value_counts()
            yield counts_p(organs.reindex(list(scenario.soil)), expected[c])

    assert all(holds(p) for p in p_values(scenario))
    swapped = scenario.replace(
        {"vessels.blood.arteries.gut": 0.3, "vessels.blood.arteries.liver": 0.6}
    )
    assert all(caught(p) for p in p_values(swapped))


@FEWER
def test_8_fates_are_in_proportion_to_rates_and_odds(fewer):
    scenario = load_fewer("walk", fewer, seed__clusters__cluster__share_fraction=0.0)
    law = law_of(scenario).patient(0)
    organ = list(scenario.soil).index("liver")

    def p_values(scenario):
        stages = run(scenario).stages.groupby(["stage", "organ"], observed=True).sum()
        invaded = stages.loc[("invasion", "breast")]
        yield share_p(invaded["died"], invaded["left"], 0.8)
        arrested = stages.loc[("arrest", "liver")]
        crossing = law.gate_extravasation[organ, 0]
        yield share_p(arrested["died"], arrested["left"], 2 / 3 * (1 - crossing))
        crossed = stages.loc[("extravasation", "liver")]
        # active: founds 3/8, dies 3/8, sleeps 1/4; asleep: wakes 2/5, dies 3/5
        founds = 0.375 / (1 - 0.25 * 0.4)
        yield share_p(crossed["left"] - crossed["died"], crossed["left"], founds)

    assert all(holds(p) for p in p_values(scenario))
    wrong = {
        "gates.intravasation.base_odds": 0.26,
        "rates.washout_per_day": 1.2,
        "rates.dormant_death_per_day": 0.6,
    }
    assert all(caught(p) for p in p_values(scenario.replace(wrong)))
