"""The cells of a patient as the agents of a Mesa model: what they read, how they come and go."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NoReturn

import mesa
import numpy as np
from numpy.typing import NDArray

from metasim.engines.cells.cell import CancerCell, Colony
from metasim.engines.cells.ledger import Ledger
from metasim.engines.memory import most_bytes
from metasim.errors import LimitError, MetasimError
from metasim.law.arrays import Course, Law
from metasim.terms import Gate, Route, Stage, Tally

Array = NDArray[Any]

AGENT_BYTES = 1000
"""Memory of an agent, with what Mesa keeps of it."""


class Population(mesa.Model):  # type: ignore[misc]
    """The cells of one patient; `Cascade` adds what they do, `CascadeModel` clinic and record.

    Attributes:
        colonies: all colonies ever, the primary first.
        alive: those with living cells.
        n_agents: living agents.
    """

    def __init__(
        self,
        law: Law,
        course: Course,
        organs: Sequence[str],
        phenotypes: Sequence[str],
        rng: np.random.Generator | int,
        cell_class: type[CancerCell],
        history: bool,
        max_cells: int,
    ) -> None:
        super().__init__(rng=rng)
        self.law, self.course = law, course
        self.organs, self.phenotypes = tuple(organs), tuple(phenotypes)
        self.max_cells = max_cells
        self.most_agents = most_bytes() / AGENT_BYTES
        self.ledger = Ledger(len(organs), len(phenotypes), course, history)
        self.n_agents = 0
        self._every_cell = {
            name: getattr(cell_class, name) is not getattr(CancerCell, name)
            for name in ("step", "grow", "change", "leave")
        }
        self.regimes = law.regimes
        self._obey(law)
        self.uniform: Callable[[], float] = self._uniforms().__next__
        self.colonies = [self._primary(cell_class)]
        self.alive = list(self.colonies)

    def _obey(self, law: Law) -> None:
        """From now on, the law of another regime holds."""
        self.law = law
        self.gates = {
            Gate.INVASION: law.gate_invasion,
            Gate.INTRAVASATION: law.gate_intravasation,
            Gate.EXTRAVASATION: law.gate_extravasation,
            Gate.COLONIZATION: law.gate_colonization,
        }
        total = law.mutation.sum(axis=1, keepdims=True)
        self._mutation: list[float] = total[:, 0].tolist()
        to = np.cumsum(law.mutation, axis=1)[:, :-1] / np.where(total > 0, total, 1.0)
        self.becomes: list[list[float]] = to.tolist()
        self.passes_of = cache(self._passes_of)

    def _uniforms(self) -> Iterator[float]:
        while True:  # in blocks: ten times as fast as one by one
            yield from self.rng.random(256).tolist()

    def _passes_of(self, phenotype: int, cluster: int) -> list[list[float]]:
        """By state: running sums of P(arrested at s') over s', then of P(carried on from s')."""
        arrest = np.tile(self.law.gate_arrest[:, phenotype, cluster], len(Route))
        alive = self.law.hop * (1.0 - self.law.death_per_pass[cluster])
        table = np.concatenate([alive * arrest, alive * (1.0 - arrest)], axis=1).cumsum(axis=1)
        # a sum of 1 that rounding left short must not destroy
        sure = np.isclose(table[:, -1:], 1.0, rtol=0.0, atol=1e-12)
        return np.where(sure & (table == table[:, -1:]), 2.0, table).tolist()  # type: ignore[no-any-return]

    def _primary(self, cell_class: type[CancerCell]) -> Colony:
        course = self.course
        planted = course.initial_cells.tolist()
        at_once = math.isinf(self.law.angiogenesis_per_day[0])
        primary = Colony(
            number=0,
            organ=course.primary_organ,
            parent=0,
            route=-1,
            founders=sum(planted),
            vascularised=at_once or sum(planted) > self.law.onset_cells[0],
            macro_cells=course.macro_cells,
            cells=[[] for _ in planted],
            founded_day=0.0,
        )
        self.make_room(sum(planted))
        for k, n in enumerate(planted):
            for _ in range(n):
                cell = cell_class(self, primary, Stage.PRIMARY_GROWTH, k)
                primary.cells[k].append(cell)
                self.ledger.move(cell, None, cell.stage)
        return primary

    # agents come and go

    def make_room(self, n: int) -> None:
        """Count n more agents; LimitError if that is more than `max_cells`."""
        self.n_agents += n
        if self.n_agents > self.most_agents:
            self.running = False
            raise LimitError(
                f"day {self.ledger.day:g}: {self.n_agents} cells, every one an agent, do not fit "
                f"into the memory of this machine ({self.most_agents:,.0f} do); lower "
                f'run.max_cells, or use the colony engine (run.engine = "colonies")'
            )
        if self.n_agents > self.max_cells:
            self.running = False
            raise LimitError(
                f"day {self.ledger.day:g}: {self.n_agents} cells are more than run.max_cells = "
                f"{self.max_cells}, every one an agent; raise it, or use the colony engine "
                f'(run.engine = "colonies"), whose cost does not grow with the number of cells'
            )

    def _daughters(self, cell: CancerCell, n: int) -> list[CancerCell]:
        self.make_room(n)
        born = []
        for _ in range(n):
            daughter = cell.divide()
            self.ledger.move(daughter, None, daughter.stage)
            born.append(daughter)
        return born

    def _remove(self, cell: CancerCell) -> None:
        self.ledger.move(cell, cell.stage, None)
        cell.remove()
        self.n_agents -= 1

    def _take_out(self, cells: list[CancerCell], which: Array) -> list[CancerCell]:
        """Remove cells from the patient; hands them back."""
        taken = take(cells, which)
        for cell in taken:
            self._remove(cell)
        return taken

    def _close_colonies(self) -> None:
        """Colonies without cells are extinct from this day on."""
        for colony in self.alive:
            if colony.size == 0:
                colony.extinct_day = self.ledger.day
        self.alive = [colony for colony in self.alive if colony.size > 0]

    def _enter(self, cell: CancerCell, stage: Stage) -> None:
        self.ledger.move(cell, cell.stage, stage)
        cell.stage = stage
        self.ledger.book(Tally.ENTERED, stage, cell.organ, cell.cells)

    def _valid(self, cell: CancerCell, method: str, value: Any, allowed: Sequence[Any]) -> Any:
        """What a cell's method returned, if it is allowed."""
        try:
            return allowed[allowed.index(value)]
        except (ValueError, TypeError):
            some = ", ".join(getattr(v, "name", str(v)) for v in allowed)
            self.nonsense(cell, method, value, f"one of {some}")

    def nonsense(self, cell: CancerCell, method: str, value: Any, allowed: str) -> NoReturn:
        """A cell's method returned what it must not."""
        raise MetasimError(
            f"day {self.ledger.day:g}: {type(cell).__name__}.{method} returned {value!r}; "
            f"allowed: {allowed}"
        )


def turns(happens: Array, to_all: bool) -> Iterable[int]:
    """Indices of the cells whose turn it is, last first (so that they can be taken out)."""
    if to_all:
        return reversed(range(len(happens)))
    return np.flatnonzero(happens)[::-1].tolist()  # type: ignore[no-any-return]


def drop(cells: list[CancerCell], i: int) -> None:
    """Take one out of a list whose order is of no matter."""
    cells[i] = cells[-1]
    cells.pop()


def take(cells: list[CancerCell], happens: Array) -> list[CancerCell]:
    """Take out those to whom something happens."""
    taken = []
    for i in turns(happens, to_all=False):
        taken.append(cells[i])
        drop(cells, i)
    return taken
