"""Faults planted into the cell engine, each of which the comparison of the engines must catch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest

from metasim.engines import cells
from metasim.engines.cells import cascade, clinic, detecting, nodes
from metasim.engines.cells.clinic import Clinic
from metasim.law.arrays import Course, Law, Plan
from metasim.law.eligibility import Amounts
from metasim.terms import Stage
from tests.twin import Simulate


def _change(**fields: Callable[[Law], np.ndarray]) -> Callable[[Law], Law]:
    return lambda law: law._replace(**{name: new(law) for name, new in fields.items()})


def _swap(hop: np.ndarray, a: int, b: int) -> np.ndarray:
    """The organ graph with two organs in each other's place."""
    order = np.arange(len(hop))
    n = len(hop) // 2
    order[[a, b, a + n, b + n]] = order[[b, a, b + n, a + n]]
    return hop[np.ix_(order, order)]


MEAN_LIFE_DAYS = 0.1 / np.log(2.0)
"""Of tumour DNA in the scenario `tests`."""


class BiasedCell(cells.CancerCell):
    """Draws a little too low when it grows."""

    def grow(self, draw: float) -> int:
        return super().grow(0.96 * draw)


def _grow_at_once(plant: pytest.MonkeyPatch) -> None:
    found = cascade.Cascade._found

    def off_by_one(self: cascade.Cascade, unit: cells.CancerCell) -> None:
        found(self, unit)
        self._live(self.alive[-1], self.course.dt_days)
        self._close_colonies()

    plant.setattr(cascade.Cascade, "_found", off_by_one)


def _only_primary_sheds(plant: pytest.MonkeyPatch) -> None:
    shed = cascade.Cascade._shed

    def missed(self: cascade.Cascade, group: list[cells.CancerCell], stage: Stage) -> None:
        if stage is Stage.PRIMARY_GROWTH:
            shed(self, group, stage)

    plant.setattr(cascade.Cascade, "_shed", missed)


def _lose_a_founder(plant: pytest.MonkeyPatch) -> None:
    found = cascade.Cascade._found

    def short(self: cascade.Cascade, unit: cells.CancerCell) -> None:
        unit.cells = max(1, unit.cells - 1)
        found(self, unit)

    plant.setattr(cascade.Cascade, "_found", short)


def _first_order_exits(plant: pytest.MonkeyPatch) -> None:
    """Exit probability r dt in place of 1 - exp(-r dt)."""
    prepare = cascade.Cascade.__init__

    def euler(self: cascade.Cascade, *args: Any) -> None:
        prepare(self, *args)
        self._exit = np.minimum(1.0, -np.log1p(-self._exit))

    plant.setattr(cascade.Cascade, "__init__", euler)


def _live_one_step(plant: pytest.MonkeyPatch) -> None:
    """A colony that rested lives the days of one step, not of all since it last lived."""
    live = cascade.Cascade._live
    plant.setattr(
        cascade.Cascade, "_live", lambda self, colony, _: live(self, colony, self.course.dt_days)
    )


def _orphans(plant: pytest.MonkeyPatch) -> None:
    found = cascade.Cascade._found

    def orphan(self: cascade.Cascade, unit: cells.CancerCell) -> None:
        found(self, unit)
        self.colonies[-1].parent = 0

    plant.setattr(cascade.Cascade, "_found", orphan)


def _spare_the_wrong_ones(plant: pytest.MonkeyPatch) -> None:
    thin = Clinic._thin

    def mirrored(self: Clinic, t: int, survival: Any) -> None:
        thin(self, t, survival[:, ::-1])

    plant.setattr(Clinic, "_thin", mirrored)


def _cycle_late(plant: pytest.MonkeyPatch) -> None:
    due = clinic.cycle_due

    def late(day: float, start: float, given: int, cycles: int, interval: float) -> bool:
        return due(
            day - 4.0 * bool(given),  # a step
            start,
            given,
            cycles,
            interval,
        )

    plant.setattr(clinic, "cycle_due", late)


def _never_undo(plant: pytest.MonkeyPatch) -> None:
    obey = cascade.Cascade._obey

    def for_good(self: cascade.Cascade, law: Law) -> None:
        number = [one is law for one in self.regimes].index(True)
        self.kept = getattr(self, "kept", 0) | number
        obey(self, self.regimes[self.kept])

    plant.setattr(cascade.Cascade, "_obey", for_good)


def _otherwise(**fields: Callable[[Course], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """The cell engine reads a course, or a plan, in which these fields are something else."""

    def plants(plant: pytest.MonkeyPatch) -> None:
        prepare = Clinic.__init__

        def wrong(self: Clinic, law: Law, course: Course, *args: Any) -> None:
            new = {name: make(course) for name, make in fields.items()}
            of_plan = {name: new.pop(name) for name in set(new) & set(Plan._fields)}
            course = course._replace(plan=course.plan._replace(**of_plan), **new)
            prepare(self, law, course, *args)

        plant.setattr(Clinic, "__init__", wrong)

    return plants


def _staged(wrong: Callable[[float, float, float], tuple[float, ...]]) -> Any:
    """T, N and M at diagnosis are something else."""

    def plants(plant: pytest.MonkeyPatch) -> None:
        stage = Clinic._stage
        plant.setattr(Clinic, "_stage", lambda self, size: wrong(*stage(self, size)))

    return plants


def _count_deposits(plant: pytest.MonkeyPatch) -> None:
    """A node counts once for each deposit in it."""

    def twice(model: Clinic) -> nodes.NodeCounts:
        places = [colony.node for colony in model.colonies]
        for colony in model.colonies:
            colony.node = 0
        found = nodes.count_nodes(model)
        for colony, node in zip(model.colonies, places, strict=True):
            colony.node = node
        return found

    plant.setattr(clinic, "count_nodes", twice)


def _live_longer(plant: pytest.MonkeyPatch) -> None:
    """Death of other causes comes half as late again."""
    prepare = Clinic.__init__

    def late(self: Clinic, *args: Any) -> None:
        prepare(self, *args)
        self._other_death *= 1.5

    plant.setattr(Clinic, "__init__", late)


def _by_diameter(before: float, after: float, per_cell: float, dt_days: float) -> float:
    """Symptoms come by the diameter of the primary, as often as by its volume at 3000 cells."""
    return float(per_cell * dt_days * 3000.0 * (0.5 * (before + after) / 3000.0) ** (1.0 / 3.0))


def _as_if_sensitive(law: Law) -> tuple[Law, ...]:
    """What treatment changes is changed for all phenotypes as for the first."""
    return tuple(one._replace(rho=one.rho[..., [0] * one.rho.shape[-1]]) for one in law.changed)


_BURDEN = np.array([name == "burden_cells" for name in Amounts._fields])


@dataclass(frozen=True)
class Planted:
    """A fault planted into the cell engine, and the scenario that shows it."""

    scenario: str
    law: Callable[[Law], Law] = lambda law: law
    code: Callable[[pytest.MonkeyPatch], None] = lambda plant: None
    simulate: Simulate = cells.simulate
    needs: int = 1
    """How many times as many patients `tests/test_twin_fast.py` draws to see it."""


FAULTS = {
    "wrong border exponent": Planted(
        "secondary_seeding",
        _change(border_exponent=lambda law: law.border_exponent + 0.5),
    ),
    "swapped flow": Planted("exponential", _change(hop=lambda law: _swap(law.hop, 2, 3))),
    "clusters stick like single cells": Planted(
        "clusters", _change(gate_arrest=lambda law: law.gate_arrest[..., [0, 0, 0]])
    ),
    "dormant cells never die": Planted(
        "dormancy", _change(dormant_death_per_day=lambda law: 0.0 * law.dormant_death_per_day)
    ),
    "half the mutations": Planted("mutation", _change(mutation=lambda law: 0.5 * law.mutation)),
    "founders grow a step too early": Planted("power_dt_week", code=_grow_at_once, needs=2),
    "metastases do not shed": Planted("secondary_seeding", code=_only_primary_sheds),
    "a founder is lost": Planted("clusters", code=_lose_a_founder, needs=2),
    "biased draw": Planted("logistic", simulate=partial(cells.simulate, cell_class=BiasedCell)),
    "first-order exit rates": Planted("exponential", code=_first_order_exits, needs=2),
    "a long step lasts one step": Planted("long_steps", code=_live_one_step),
    "small colonies do not rest": Planted(
        "long_steps", code=_otherwise(small_steps=lambda course: 1), needs=2
    ),
    "parents forgotten": Planted("secondary_seeding", code=_orphans),
    "a kill spares the wrong phenotype": Planted("chemotherapy", code=_spare_the_wrong_ones),
    "cycles come a step late": Planted("chemotherapy", code=_cycle_late),
    "a regime is not undone at its end": Planted("changing", code=_never_undo),
}

CLINICAL = {
    "what is not seen is removed, too": Planted(
        "resection", code=_otherwise(seen_only=lambda course: course.plan.seen_only & False)
    ),
    "progression is three times the burden": Planted(
        "chemotherapy",
        code=lambda plant: plant.setattr(
            clinic,
            "progressed",
            lambda day, start, seen, smallest: day > start and 0 < seen >= 3.0 * smallest,
        ),
        needs=3,
    ),
    "whoever is due is treated": Planted(
        "resection", code=lambda plant: plant.setattr(Clinic, "_suits", lambda *args: True)
    ),
    "the burden is no condition": Planted(
        "chemotherapy",
        code=_otherwise(
            only_if=lambda course: course.plan.only_if._replace(
                least=np.where(_BURDEN, -np.inf, course.plan.only_if.least),
                most=np.where(_BURDEN, np.inf, course.plan.only_if.most),
            ),
        ),
    ),
    "care is given to the wrong subtype": Planted(
        "care", code=_otherwise(offered=lambda course: course.offered[::-1])
    ),
    "every primary is T1": Planted("resection", code=_staged(lambda t, n, m: (1.0, n, m))),
    "no N2": Planted("resection", code=_staged(lambda t, n, m: (t, min(n, 2.0), m)), needs=2),
    "never M1": Planted("resection", code=_staged(lambda t, n, m: (t, n, 0.0)), needs=2),
    "a node counted twice": Planted("nodes", code=_count_deposits),
    "no node is ever full": Planted(
        "nodes", code=_otherwise(node_cells=lambda course: np.inf + course.node_cells)
    ),
    "who is bound for a node that is taken goes on": Planted(
        "nodes", code=lambda plant: plant.setattr(nodes, "beyond_prob", lambda *args: 1.0)
    ),
    "nothing is felt": Planted(
        "chemotherapy", code=lambda plant: plant.setattr(Clinic, "_feel", lambda self: None)
    ),
    "other causes kill half as late again": Planted("resection", code=_live_longer),
    "no organ's burden kills": Planted(
        "resection",
        code=_otherwise(lethal_cells=lambda course: np.inf + course.lethal_cells),
    ),
    "the total burden does not kill": Planted(
        "resection",
        code=_otherwise(lethal_total_cells=lambda course: np.inf + course.lethal_total_cells),
    ),
    "a changed rate meets no resistance": Planted(
        "chemotherapy", _change(changed=_as_if_sensitive), needs=2
    ),
    "symptoms come by diameter": Planted(
        "detection", code=lambda plant: plant.setattr(detecting, "symptom_hazard", _by_diameter)
    ),
    "restaging misses the liver": Planted(
        "detection",
        code=_otherwise(restaging_cells=lambda course: course.restaging_cells * [1, 1, 1, 99]),
        needs=2,
    ),
    "a cough leads to no imaging": Planted(
        "detection",
        code=lambda plant: plant.setattr(
            Clinic, "_feel", lambda self, feel=Clinic._feel: feel(self) & False
        ),
        needs=2,
    ),
    "half the blood is taken": Planted(
        "tests", code=_otherwise(sample_days=lambda course: 0.5 * course.sample_days)
    ),
    "tumour DNA stays in the plasma for a day": Planted(
        "tests", code=_otherwise(plasma_days=lambda course: course.plasma_days / MEAN_LIFE_DAYS)
    ),
    "chemotherapy spares what sleeps in the marrow": Planted(
        "tests", code=lambda plant: plant.setattr(clinic, "thin_marrow", lambda *args: None)
    ),
    "women are screened at any age": Planted(
        "detection", code=_otherwise(screening_to_years=lambda course: course.age_years + 99.0)
    ),
    "one drug's resistance is another's": Planted(
        "chemotherapy",
        code=_otherwise(survival=lambda course: course.plan.survival[..., [0, 1, 1]]),
    ),
}
"""Faults of the clinical course."""

LATE = (
    "women are screened at any age", "who is bound for a node that is taken goes on",
    "no node is ever full", "no organ's burden kills", "every primary is T1",
    "one drug's resistance is another's", "the total burden does not kill",
    "other causes kill half as late again", "the burden is no condition",
    "care is given to the wrong subtype",
)  # fmt: skip
"""Faults that do not show among a third of the patients."""
