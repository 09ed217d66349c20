"""Properties that every run must have: conservation, monotone soil, no overflow, repeatability."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import metasim as ms
from metasim.engines.colonies import chunk
from metasim.parameters.rates import law_of
from metasim.terms import Stage, Tally
from tests.significance import LEVEL

SHIPPED = [
    "luminal_a_surgery", "luminal_b_surgery", "her2_enriched_surgery", "triple_negative_surgery",
    "untreated", "flow_only", "seed_and_soil", "soft_bone", "growth_only", "few_cells", "emt",
]  # fmt: skip


def run(scenario):
    return ms.run(scenario, progress=False)


def balance(stages):
    """cells - (before + entered + net growth - left - removed), by patient, organ and stage."""
    keys = ["patient", "organ", "stage"]
    flows = stages.groupby(keys, observed=True)[["entered", "net_growth", "left", "removed"]].sum()
    last = stages[stages["day"] == stages.groupby("patient")["day"].transform("max")]
    cells = last.set_index(keys)["cells"].reindex(flows.index, fill_value=0)
    return cells - (flows["entered"] + flows["net_growth"] - flows["left"] - flows["removed"])


def flows_between_stages(stages):
    """What leaves a stage alive must enter the next."""
    total = stages.groupby("stage", observed=True)[["entered", "left", "died"]].sum()
    total = total.reindex([s.label for s in Stage], fill_value=0)
    survived = total["left"] - total["died"]
    return total["entered"], survived


@pytest.mark.parametrize("name", SHIPPED)
def test_every_cell_is_accounted_for(name):
    """Oracle 9, in every shipped scenario."""
    scenario = ms.load(name).replace({"run.patients": 40, "run.record": "everything"})
    results = run(scenario)
    stages = results.stages
    initial = scenario.primary.initial_cells
    off = balance(stages)
    primary = off.index.get_level_values("stage") == Stage.PRIMARY_GROWTH.label
    assert (off[~primary] == 0).all()
    assert (off[primary] == initial).all()  # the cells of day 0 entered from nowhere
    counts = results.counts.groupby("patient")["cells"].min()
    assert (counts >= 0).all() and (stages[[t.name.lower() for t in Tally][:5]] >= 0).all().all()
    entered, survived = flows_between_stages(stages)
    assert entered["invasion"] + entered["circulation"] > 0 or name == "growth_only"
    # colonies (1, 6, 7) shed into 2; 2 and washed-out 4 enter 3; 3 enters 4; 4 enters 5 or 3
    colonies = (
        survived["primary_growth"] + survived["micrometastasis"] + survived["macrometastasis"]
    )
    changed_class = (
        entered["micrometastasis"] + entered["macrometastasis"] - survived["extravasation"]
    )
    assert colonies - changed_class == entered["invasion"]
    assert survived["circulation"] == entered["arrest"]
    washed = entered["circulation"] - survived["invasion"]
    assert survived["arrest"] - washed == entered["extravasation"]
    if name == "growth_only":
        return
    broken = stages.copy()
    broken.loc[broken["entered"] > 0, "entered"] += 1
    assert (balance(broken)[~primary] != 0).any()


def test_counts_and_metastases_tell_the_same_story():
    results = run(ms.load("untreated").replace({"run.patients": 60}))
    last = results.counts[
        results.counts["day"] == results.counts.groupby("patient")["day"].transform("max")
    ]
    counted = last[["metastases_isolated", "metastases_micro", "metastases_macro"]].to_numpy().sum()
    alive = results.metastases["extinct_day"].isna()
    assert counted == alive.sum() > 0
    in_colonies = results.metastases["cells"].sum() + results.patients["primary_cells"].sum()
    assert last["cells"].sum() == in_colonies
    assert (results.metastases["parent"] < results.metastases["metastasis"]).all()


def test_halving_dt_does_not_move_results():
    """Metastases reached, by organ, at 7 days and at 3.5: within the stated tolerance of 5 %."""
    base = ms.load("luminal_a_surgery").replace({"run.patients": 6000, "run.record": "metastases"})
    shares = {}
    for dt in (7.0, 3.5):
        table = run(base.replace({"run.dt_days": dt})).metastases
        detected = table[table["detected_day"].notna()]
        shares[dt] = np.array(
            [detected["patient"].nunique(), len(detected), (detected["organ"] == "bone").sum()]
        )
    # counts within 5 % of each other, beyond what chance allows at this family's level
    for a, b in zip(shares[7.0], shares[3.5], strict=True):
        spread = 2.0 * np.sqrt(a + b)  # metastases cluster in patients: twice the Poisson spread
        assert abs(a - b) < 0.05 * a + stats.norm.isf(LEVEL / 2) * spread


FACTORS = {
    "niche": +1, "hypoxia": -1, "oxidants": -1, "immune_surveillance": -1,
    "basement_membrane": -1, "endothelial_barrier": -1,
}  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["lung", "liver", "bone", "brain"]),
    st.sampled_from(list(FACTORS)),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_soil_is_monotone(organ, factor, a, b):
    """Raising a + factor never lowers the organ's expected founded colonies (and reversed)."""
    low, high = sorted((a, b))
    base = ms.load("luminal_a_surgery")
    index = list(base.soil).index(organ)

    def expected(level):
        law = law_of(base.replace({f"soil.{organ}.{factor}": level}))
        landing = np.diff(law.destined.landing[0], prepend=0.0, axis=-1)
        n = len(base.soil)
        to_organ = landing[..., index] + landing[..., n + index]
        # only barriers on the way out of this organ may lower what it sends elsewhere
        return law.destined.leaving[0, 0, 0] @ to_organ[0, 0]

    less, more = expected(low), expected(high)
    if FACTORS[factor] > 0:
        assert more >= less * (1 - 1e-12)
    else:
        assert more <= less * (1 + 1e-12)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(["lung", "bone", "brain"]), st.floats(0, 5), st.floats(0, 5))
def test_multipliers_are_monotone(organ, a, b):
    low, high = sorted((a, b))
    base = ms.load("luminal_a_surgery")
    index = list(base.soil).index(organ)

    def gate(factor):
        return law_of(
            base.replace({f"soil.{organ}.multiplier.colonization": factor})
        ).gate_colonization[0, index, 0]

    assert gate(high) >= gate(low)


@pytest.mark.parametrize("cells", [1, 10**6, 10**12, 10**13])
def test_no_overflow_and_no_negative_count_at_any_size(cells):
    scenario = ms.load("luminal_a_surgery").replace(
        {
            "run.patients": 4, "run.years": 2.0, "run.follow_from": "start",
            "run.record": "everything", "primary.initial_cells": cells,
            "growth.capacity_cells": 1e13, "clinic.lethal_cells": None, "treatment": [],
            "soil.breast.lethal_cells": None, "gates.colonization.base_odds": 1e-7,
        }
    )  # fmt: skip
    results = run(scenario)
    numbers = results.stages[["cells", "entered", "left", "died", "removed"]].to_numpy()
    assert numbers.min() >= 0
    assert numbers.max() < 2**62
    assert results.patients["primary_cells"].min() >= 0
    if cells == 10**13:
        assert results.patients["primary_cells"].min() > 9e12


def test_same_rng_seed_same_tables():
    scenario = ms.load("luminal_a_surgery").replace({"run.patients": 150})
    first, second = run(scenario), run(scenario)
    other = run(scenario.replace({"run.rng_seed": 2}))
    for name in ("patients", "metastases", "counts", "stages", "events"):
        a, b = (r.arrow(name).to_table() for r in (first, second))
        assert a.equals(b)
        assert not a.equals(other.arrow(name).to_table())


@pytest.mark.parametrize("name", ["luminal_a_surgery", "population"])
def test_patients_do_not_depend_on_the_size_of_the_cohort_or_what_is_recorded(name):
    """Steps on which nothing can happen are passed over, unless everything is recorded."""
    scenario = ms.load(name).replace({"run.patients": 140, "run.record": "metastases"})
    many = run(scenario)
    few = run(scenario.replace({"run.patients": 90, "run.record": "everything"}))
    for table in ("metastases", "events"):
        before = getattr(many, table)
        assert before[before["patient"] < 90].equals(getattr(few, table))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_saved_scenario_gives_the_same_tables(name, tmp_path):
    first = ms.run(
        ms.load(name).replace({"run.patients": 12}), output=tmp_path / "a", progress=False
    )
    again = ms.run(ms.load(tmp_path / "a" / "scenario.toml"), progress=False)
    assert again.scenario == first.scenario
    for table in ("patients", "metastases", "counts", "stages", "events"):
        assert first.arrow(table).to_table().equals(again.arrow(table).to_table()), table


def test_limits_end_with_a_message_that_names_the_patient():
    scenario = ms.load("untreated").replace(
        {"run.max_colonies": 5, "run.patients": 20, "clinic.lethal_cells": None}
    )
    with pytest.raises(ms.LimitError, match=r"patient \d+, day .*run.max_colonies"):
        run(scenario)
    boundless = ms.load("growth_only").replace(
        {"run.years": 40.0, "growth.law": "exponential", "growth.rho_per_day": 0.05}
    )
    with pytest.raises(ms.LimitError, match="outgrew"):
        run(boundless)


def test_a_patient_that_needs_more_room_is_drawn_once_more_from_the_start(monkeypatch):
    scenario = ms.load("untreated", {"run.patients": 12})
    tables = ("patients", "metastases", "counts", "stages", "events")
    roomy = run(scenario)
    rooms = []

    def counted(out, rows, *sizes, make=chunk.room_for):
        rooms.append(rows)
        return make(out, rows, *sizes)

    monkeypatch.setattr(chunk, "room_for", counted)
    monkeypatch.setattr(chunk, "_ROOM", 1)
    tight = run(scenario)
    assert max(rooms) >= 64
    for table in tables:
        assert roomy.arrow(table).to_table().equals(tight.arrow(table).to_table()), table
