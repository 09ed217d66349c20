"""The cell engine's model: the step law (section 5 of docs/model) of one patient, cell by cell.

A step, in this order (rates are evaluated at its start and held):

1. units (cells or clusters) that have left their colony take at most one stage;
2. each colony grows, changes phenotype, may switch on angiogenesis, and sheds units over its border
   (these move from the next step on);
3. units that colonized found colonies, which grow from the next step on;
4. clinical events are read off: sizes reached, diagnosis, relapse, symptoms; then treatment that
   is due acts, and what it changes holds from the next step on;
5. death by burden or other causes; recording.

4 and 5 are also done on day 0.
"""

from collections.abc import Sequence
from typing import Any

import mesa
import numpy as np

from metasim.engines.cells.cascade import PLACES
from metasim.engines.cells.cell import CancerCell
from metasim.engines.cells.clinic import Clinic
from metasim.engines.cells.population import Array
from metasim.engines.cells.sampling import close_inflow, make_tests
from metasim.engines.record import CLASSES, COLONY, DEATH_NONE, EVENT, PATIENT, PatientRecord
from metasim.errors import LimitError, OptionError
from metasim.law.arrays import Course, Law
from metasim.terms import Stage, Tally

MAX_CELLS = 200_000


class CascadeModel(Clinic):
    """One patient; every cell, or circulating cluster, is an agent of `model.agents`.

    `step()` until `running` is False; `datacollector` has the cells by stage and by organ of every
    step, `record()` what the colony engine would hand back.

    Args:
        law: one patient's arrays (`Law.patient`).
        course: one patient's course (`Course.patient`).
        organs: names of the organs, in index order.
        phenotypes: names of the phenotypes, in index order.
        rng: random generator, or a seed for one.
        cell_class: the cells; `CancerCell` or a subclass.
        history: keep every transition of every cell (`transitions`).
        everything: record counts and stage tallies on the recorded days.
        max_cells: more agents than this end the run.
        collect: fill `datacollector` every step.

    Raises:
        OptionError: `cell_class` is no subclass of `CancerCell`.
        LimitError: more than `max_cells` agents; also raised by `step`.

    Example:
        >>> model = ms.model_of(ms.load("few_cells"))  # the model of a scenario's patient
        >>> model.step()
        >>> model.running
        True
    """

    def __init__(
        self,
        law: Law,
        course: Course,
        organs: Sequence[str],
        phenotypes: Sequence[str],
        rng: np.random.Generator | int = 1,
        cell_class: type[CancerCell] = CancerCell,
        history: bool = False,
        everything: bool = True,
        max_cells: int = MAX_CELLS,
        collect: bool = True,
    ) -> None:
        if not (isinstance(cell_class, type) and issubclass(cell_class, CancerCell)):
            raise OptionError(f"cell_class: {cell_class!r} is not a subclass of CancerCell")
        super().__init__(law, course, organs, phenotypes, rng, cell_class, history, max_cells)
        self.everything = everything
        self.collect = collect
        self.datacollector = mesa.DataCollector(
            {
                "day": "day",
                **{stage.label: [self._cells_of, [stage - 1]] for stage in Stage},
                **{name: [self._cells_in, [o]] for o, name in enumerate(self.organs)},
            }
        )
        self._close_day()

    def step(self) -> None:
        """One step of `course.dt_days`, in the order of this module's first lines."""
        if not self.running:
            return
        self.ledger.begin(self.steps * self.course.dt_days)
        self.primary_before = self.colonies[0].size
        self._look()
        if self._every_cell["step"]:
            for cell in list(self.agents):
                cell.step()
        colonizing = self._move_units()
        self.inflow[:] = 0.0
        for colony in self.alive:
            self._live_or_rest(colony)
        if self.course.marrow_organ >= 0:
            close_inflow(self)
        self._close_colonies()
        for unit in colonizing:
            self._found(unit)
        self._close_day()

    def census(self) -> Array:
        """Living cells by stage (row stage - 1) and organ, (7, O)."""
        cells = np.zeros((len(Stage), len(self.organs)), np.int64)
        for colony in self.alive:
            size = colony.size
            cells[colony.stage_at(size) - 1, colony.organ] += size
        for place, by_organ in zip(PLACES, self.waiting, strict=True):
            for organ, units in enumerate(by_organ):
                cells[place.stage - 1, organ] += sum(unit.cells for unit in units)
        return cells

    def record(self) -> PatientRecord:
        """What happened so far, as the colony engine would hand it back."""
        ledger, n_organs, n_kinds = self.ledger, len(self.organs), len(self.phenotypes)
        colonies = np.zeros(len(self.colonies), COLONY)
        for row, colony in zip(colonies, self.colonies, strict=True):
            for name in COLONY.names or ():
                row[name] = getattr(colony, name)
        events = np.array(ledger.events, EVENT)
        patient = np.zeros(1, PATIENT)
        patient["diagnosis_day"], patient["death_day"] = self.diagnosis_day, self.death_day
        patient["death_cause"], patient["end_day"] = self.death_cause, self.day
        patient["stage_t"], patient["stage_n"], patient["stage_m"] = self.staging
        for name in ("diameter_mm", "detection", "lead_time_days"):
            patient[name] = getattr(self, name)
        nodes = self.nodes
        for name in ("positive", "micro", "itc"):
            patient[f"nodes_{name}"] = getattr(nodes, name)
        has_nodes = self.course.nodes.any()
        patient["nodes_removed"] = sum(self.nodes_taken) if has_nodes else -1
        patient["n_colonies"], patient["n_events"] = len(colonies), len(events)
        patient["n_recorded"] = len(ledger.recorded_days)
        return PatientRecord(
            patient=patient[0],
            colonies=colonies,
            cells=np.array([[len(k) for k in c.cells] for c in self.colonies], np.int64),
            events=events,
            recorded_days=np.array(ledger.recorded_days),
            metastases=np.array(ledger.metastases, CLASSES).reshape(-1, n_organs),
            organ_cells=np.array(ledger.organ_cells, np.int64).reshape(-1, n_organs, n_kinds),
            tallies=np.array(ledger.tallies, np.int64).reshape(-1, 7, n_organs, len(Tally)),
            transitions=self.transitions() if ledger.history else None,
        )

    def transitions(self) -> Any:
        """The cells.parquet of this patient, see `Ledger.transitions`."""
        return self.ledger.transitions(self.organs, self.phenotypes)

    # 4 clinical events and treatment, 5 death and recording (see `Clinic`)

    def _close_day(self) -> None:
        if self.course.restaging:
            felt = self._feel()
            self._diagnose(felt)
            self._restage_patient(felt)
        else:
            self._diagnose(False)
            self._feel()
        make_tests(self, self.diagnosis_day)
        self._treat()
        self._die()
        over = self.steps >= self.last_step or self.death_cause != DEATH_NONE
        due = self.day >= len(self.ledger.recorded_days) * self.course.record_every_days
        if self.everything and (over or due):
            self.ledger.record(self.alive, self.census())
        if self.collect:
            self._cells = self.census()
            self.datacollector.collect(self)
        self.running = not over

    def _cells_of(self, stage: int) -> int:
        return int(self._cells[stage].sum())

    def _cells_in(self, organ: int) -> int:
        return int(self._cells[:, organ].sum())


def simulate(
    law: Law,
    course: Course,
    rng: np.random.Generator,
    rng_doomed: np.random.Generator | None,
    everything: bool,
    *,
    cell_class: type[CancerCell] = CancerCell,
    history: bool = False,
    max_cells: int = MAX_CELLS,
    names: tuple[Sequence[str], Sequence[str]] | None = None,
) -> PatientRecord:
    """One patient drawn from the step law, cell by cell; the twin of `colonies.simulate`.

    Args:
        law: one patient's arrays (`Law.patient`).
        course: one patient's course (`Course.patient`).
        rng: draws everything.
        rng_doomed: not used; the colony engine has a second stream.
        everything: record counts and stage tallies on the recorded days.
        cell_class: the cells; `CancerCell` or a subclass.
        history: hand back every transition of every cell, as `PatientRecord.transitions`.
        max_cells: more agents than this end the run.
        names: of organs and phenotypes; their numbers if not given.

    Raises:
        LimitError: more than `max_cells` agents; its `record` holds what was recorded until then.
        MetasimError: a method of `cell_class` returned what it must not.
    """
    organs, phenotypes = names or [[str(i) for i in range(n)] for n in law.rho.shape]
    model = None
    try:
        model = CascadeModel(
            law, course, organs, phenotypes, rng, cell_class, history, everything, max_cells, False
        )
        model.run_model()
        return model.record()
    except LimitError as error:
        error.record = None if model is None else model.record()
        raise
    finally:
        release(model)


def release(model: mesa.Model | None) -> None:
    """Let go of a model that is done: Mesa 3.3 counts ids in a table that keeps it alive."""
    getattr(mesa.Agent, "_ids", {}).pop(model, None)
