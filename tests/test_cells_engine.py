"""The cell engine by itself: it draws the law, keeps its books, says no to nonsense."""

import gc
import weakref
from collections import Counter
from collections.abc import Iterable

import mesa
import numpy as np
import pytest
from scipy import stats

import metasim as ms
from bench import cells as bench_cells
from metasim.engines import cells
from metasim.engines.cells import CancerCell, CascadeModel
from metasim.engines.cells.model import release
from metasim.engines.record import PatientRecord
from metasim.errors import LimitError, MetasimError, OptionError
from metasim.law import closed_forms, vessels
from metasim.parameters.course import course_of
from metasim.parameters.rates import law_of
from metasim.scenario.schema import Scenario
from metasim.terms import Gate, Stage, Tally
from tests import twin


def model(asked: Scenario, rng_seed: int = 1, **options: object) -> CascadeModel:
    law, course = law_of(asked).patient(0), course_of(asked).patient(0)
    phenotypes = list(asked.seed.phenotypes) or ["tumour"]
    return CascadeModel(law, course, list(asked.soil), phenotypes, rng_seed, **options)


def finished(asked: Scenario, rng_seed: int = 1, **options: object) -> CascadeModel:
    made = model(asked, rng_seed, **options)
    made.run_model()
    return made


def simulate(asked: Scenario, rng_seed: int = 1, **options: object) -> PatientRecord:
    return simulated(asked, [rng_seed], **options)[0]


def simulated(asked: Scenario, rng_seeds: Iterable[int], **options: object) -> list[PatientRecord]:
    law, course = law_of(asked).patient(0), course_of(asked).patient(0)
    return [
        cells.simulate(law, course, np.random.default_rng(seed), None, True, **options)
        for seed in rng_seeds
    ]


# the law


def test_growth_is_the_birth_death_law() -> None:
    cells_, days, birth, death = 200, 9.0, 0.11, 0.08
    asked = twin.scenario(
        run={"dt_days": 3.0, "years": days / 365.25},
        rates={"invasion_per_day": 0.0},
        growth={"rho_per_day": birth - death, "turnover_per_day": death},
        primary={"initial_cells": cells_},
    )
    sizes = [record.cells.sum() for record in simulated(asked, range(200))]
    mean = closed_forms.growth_mean(cells_, birth, death, days)
    variance = closed_forms.growth_variance(cells_, birth, death, days)
    assert abs(np.mean(sizes) - mean) < 4.0 * np.sqrt(variance / len(sizes))
    spread = len(sizes) * np.var(sizes) / variance
    assert 1e-4 < stats.chi2.cdf(spread, len(sizes) - 1) < 1 - 1e-4


def test_one_cell_dies_out_as_often_as_it_should() -> None:
    asked = twin.scenario(
        run={"dt_days": 5.0, "years": 40 / 365.25},
        rates={"invasion_per_day": 0.0},
        growth={"rho_per_day": 0.02, "turnover_per_day": 0.06},
        primary={"initial_cells": 1},
    )
    extinct = sum(record.cells.sum() == 0 for record in simulated(asked, range(800)))
    assert stats.binomtest(extinct, 800, closed_forms.extinction(0.08, 0.06, 40.0)).pvalue > 1e-3


@pytest.mark.parametrize(("swapped", "agrees"), [(False, True), (True, False)])
def test_walk_ends_where_the_absorbing_chain_says(swapped: bool, agrees: bool) -> None:
    asked = twin.scenario(seed={"clusters": twin.CLUSTERS})
    walker = model(asked)
    law = walker.law
    blood = np.array([0, 0, 1.0, 0])  # enter from the lung, by blood
    walks, _ = vessels.walk_matrix(law.hop[None], law.gate_arrest[None], law.death_per_pass[None])
    walk = walks[0]
    expected = walk[2, 0, 1]
    unit = walker.colonies[0].cells[0][0]
    found: Counter[int | None] = Counter()
    for _ in range(4_000):
        unit.organ, unit.cluster = int(blood.argmax()), 1
        found[unit.circulate()] += 1
    seen = [found[o] for o in range(4)] + [found[None]]
    if swapped:
        seen[1], seen[3] = seen[3], seen[1]
    p = stats.chisquare(seen, 4_000 * np.append(expected, 1 - expected.sum())).pvalue
    assert (p > 1e-3) == agrees


# the books


@pytest.mark.parametrize("name", ["clusters", "mutation", "resection"])
def test_lists_agents_and_books_agree(name: str) -> None:
    patient = model(twin.SCENARIOS[name], history=True)
    while patient.running:
        patient.step()
        listed: list[CancerCell] = []
        for colony in patient.alive:
            for k, of_kind in enumerate(colony.cells):
                listed += of_kind
                assert all(c.phenotype == k and c.colony is colony for c in of_kind)
                assert all(c.organ == colony.organ for c in of_kind)
                assert all(c.stage == colony.stage_at(colony.size) for c in of_kind)
        for place, by_organ in zip(cells.cascade.PLACES, patient.waiting, strict=True):
            for organ, units in enumerate(by_organ):
                listed += units
                assert all(u.stage == place.stage and u.organ == organ for u in units)
        assert set(listed) == set(patient.agents)
        assert len(listed) == len(patient.agents) == patient.n_agents
    twin.check_books(patient.record())


def test_every_cell_has_one_unbroken_history() -> None:
    patient = finished(twin.SCENARIOS["dormancy"], history=True)
    table = patient.transitions().to_pandas()
    assert {"cell", "day", "from_stage", "to_stage", "organ", "phenotype"} <= set(table.columns)
    for _, rows in table.groupby("cell"):
        before = rows["from_stage"].astype(object).tolist()
        after = rows["to_stage"].astype(object).tolist()
        assert isinstance(before[0], float)  # born
        assert before[1:] == after[:-1]
        assert rows["day"].is_monotonic_increasing
    entered = table[table["to_stage"].astype(str) != table["from_stage"].astype(str)]
    funnel = patient.record().tallies.sum(axis=0)[:, :, Tally.ENTERED].sum(axis=1)
    for stage in (Stage.INVASION, Stage.CIRCULATION, Stage.ARREST, Stage.EXTRAVASATION):
        assert (entered["to_stage"] == stage.label).sum() == funnel[stage - 1] > 0
    passes = (table["from_stage"] == "circulation") & (table["to_stage"] == "circulation")
    assert passes.sum() > funnel[Stage.ARREST - 1]
    alive = next(iter(patient.agents))
    assert alive.history[-1][2] is alive.stage


def test_founders_of_a_cluster_become_agents_of_their_own() -> None:
    record = simulate(twin.SCENARIOS["clusters"])
    assert {1, 3} <= set(record.colonies["founders"][1:].tolist()) <= {1, 3, 8}


def test_macrometastasis_is_a_stage_of_its_own() -> None:
    for seed in range(10):  # surgery may turn one back into a micrometastasis
        twin.check_books(simulate(twin.SCENARIOS["resection"], seed))
    record = simulate(twin.SCENARIOS["secondary_seeding"])
    twin.check_books(record)
    entered, left = record.tallies.sum(axis=0)[6][:, [Tally.ENTERED, Tally.LEFT]].sum(axis=0)
    assert entered > 12 and left > 0
    assert np.isfinite(record.colonies["macro_day"][1:]).any()


def test_same_random_numbers_same_patient() -> None:
    a, b = (simulate(twin.SCENARIOS["mutation"], 7) for _ in range(2))
    c = simulate(twin.SCENARIOS["mutation"], 8)
    assert np.array_equal(a.tallies, b.tallies) and np.array_equal(a.cells, b.cells)
    assert not np.array_equal(a.tallies, c.tallies)


# Mesa's ways


def test_datacollector_has_cells_by_stage_and_organ() -> None:
    patient = finished(twin.SCENARIOS["exponential"])
    frame = patient.datacollector.get_model_vars_dataframe()
    assert len(frame) == patient.steps + 1
    assert frame["day"].iloc[-1] == patient.day
    assert frame["primary_growth"].iloc[0] == frame["breast"].iloc[0] == 150
    stages, organs = [s.label for s in Stage], list(twin.ORGANS)
    assert (frame[stages].sum(axis=1) == frame[organs].sum(axis=1)).all()
    assert frame["lung"].iloc[-1] == patient.census()[:, 2].sum() > 0
    patient.step()  # it is over
    assert len(patient.datacollector.get_model_vars_dataframe()) == len(frame)


def test_models_are_let_go() -> None:
    asked = twin.scenario(run={"years": 0.02}, primary={"initial_cells": 20})
    kept = len(mesa.Agent._ids) if hasattr(mesa.Agent, "_ids") else 0
    gc.collect()
    alive = sum(isinstance(o, CascadeModel) for o in gc.get_objects())
    simulated(asked, range(50))
    gc.collect()
    assert sum(isinstance(o, CascadeModel) for o in gc.get_objects()) == alive
    assert not hasattr(mesa.Agent, "_ids") or len(mesa.Agent._ids) == kept
    made = model(asked)
    gone = weakref.ref(made)
    release(made)
    del made
    gc.collect()
    assert gone() is None


def test_a_cell_takes_at_most_one_and_a_half_kilobytes() -> None:
    assert bench_cells.memory_per_cell(5_000) < 1_500


# cells of one's own


class Remembering(CancerCell):
    """Remembers a crowd, hands the memory on, and colonizes always."""

    crowded = False
    steps = 0

    def step(self) -> None:
        self.steps += 1
        self.crowded = self.crowded or self.colony.size > 160

    def divide(self) -> CancerCell:
        daughter = super().divide()
        daughter.crowded = self.crowded
        return daughter

    def chance(self, gate: Gate) -> float:
        return 1.0 if self.crowded and gate is Gate.COLONIZATION else super().chance(gate)


def test_subclass_changes_what_a_stage_does() -> None:
    asked = twin.SCENARIOS["exponential"]
    patient = finished(asked, cell_class=Remembering)
    assert all(isinstance(c, Remembering) for c in patient.agents)
    assert max(c.steps for c in patient.agents) == patient.steps
    assert sum(c.crowded for c in patient.agents) > 100
    plain = np.mean([len(r.colonies) for r in simulated(asked, range(20))])
    own = np.mean([len(r.colonies) for r in simulated(asked, range(20), cell_class=Remembering)])
    assert own > 1.2 * plain


def test_overridden_growth_is_asked_of_every_cell() -> None:
    asked: list[int] = []

    class Counting(CancerCell):
        def grow(self, draw: float) -> int:
            asked.append(self.unique_id)
            return 1

    patient = model(twin.SCENARIOS["exponential"], cell_class=Counting)
    patient.step()
    assert len(asked) == 150
    assert patient.record().tallies[..., Tally.NET_GROWTH].sum() == 0


NONSENSE = [
    ("grow", -1, r"grow returned -1; allowed: 0, 1, 2"),
    ("grow", 1.5, r"grow returned 1.5"),
    ("leave", "yes", r"leave returned 'yes'; allowed: one of False, True"),
    ("change", 9, r"change returned 9; allowed: one of 0"),
    ("invade", Stage.MACROMETASTASIS, r"invade returned .*; allowed: one of INVASION, None"),
    ("intravasate", "blood", r"intravasate returned 'blood'; allowed: one of CIRCULATION, None"),
    ("circulate", 17, r"circulate returned 17; allowed: one of 0, 1, 2, 3, None"),
    ("circulate", "lung", r"circulate returned 'lung'"),
    ("extravasate", 99, r"extravasate returned 99"),
    ("colonize", Stage.INVASION, r"colonize returned"),
    ("reawaken", True, r"reawaken returned True"),
    ("chance", 1.2, r"chance\(\w+\) returned 1.2; allowed: a probability"),
    ("chance", float("nan"), r"chance\(\w+\) returned nan"),
    ("chance", None, r"chance\(\w+\) returned None"),
]


@pytest.mark.parametrize(("method", "value", "message"), NONSENSE)
def test_nonsense_of_a_subclass_is_one_clear_error(
    method: str, value: object, message: str
) -> None:
    own = type("Own", (CancerCell,), {method: lambda self, *args: value})
    with pytest.raises(MetasimError, match=rf"day \d+: Own\.{message}"):
        finished(twin.SCENARIOS["dormancy"], cell_class=own)


def test_cell_class_must_be_a_cancer_cell() -> None:
    with pytest.raises(OptionError, match="not a subclass of CancerCell"):
        simulate(twin.SCENARIOS["exponential"], cell_class=int)


# limits


def test_runaway_stops_with_what_was_recorded() -> None:
    asked = twin.scenario(growth={"rho_per_day": 0.2}, run={"record_every_days": 4.0})
    with pytest.raises(LimitError, match=r"day \d+: \d+ cells .* run.max_cells = 600.*coloni") as e:
        simulate(asked, max_cells=600)
    record = e.value.record
    assert len(record.recorded_days) >= 2
    assert record.organ_cells[-1].sum() > 150
    twin.check_books(record)


def test_too_many_initial_cells() -> None:
    with pytest.raises(LimitError, match=r"day 0: 150 cells are more than run.max_cells = 100"):
        simulate(twin.SCENARIOS["exponential"], max_cells=100)


def test_bench_model_is_what_it_says() -> None:
    patient = bench_cells.cell_model(1_000)
    for _ in range(5):
        patient.step()
    assert 800 < patient.n_agents < 1_200
    release(patient)


def test_more_agents_than_memory_holds_are_refused_before_they_are_made():
    few = ms.load("few_cells")  # the scenario refuses more cells than run.max_cells
    law, course = law_of(few).patient(0), course_of(few).patient(0)
    course = course._replace(initial_cells=np.array([2 * 10**9]))
    with pytest.raises(LimitError, match="do not fit into the memory of this machine"):
        cells.simulate(law, course, np.random.default_rng(1), None, False, max_cells=9 * 10**15)
