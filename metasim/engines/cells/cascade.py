"""The biology of a step, cell by cell: units move, colonies live and shed, units found colonies."""

import math
from typing import Any, NamedTuple

import numpy as np

from metasim.engines.cells.cell import CancerCell, Colony
from metasim.engines.cells.chain import settle
from metasim.engines.cells.population import Population, drop, take, turns
from metasim.engines.cells.sampling import add_inflow
from metasim.law.arrays import Law
from metasim.law.growth import birth_death, birth_rate, border_rate, lives, net_growth
from metasim.terms import Stage, Tally


class Place(NamedTuple):
    """Where a unit waits for its next stage, the method that it then calls, where that leads."""

    stage: Stage
    exit: str
    leads_to: tuple[Stage | None, ...]


INVADED, ARRESTED, ACTIVE, DORMANT = range(4)
PLACES = (
    Place(Stage.INVASION, "intravasate", (Stage.CIRCULATION, None)),
    Place(Stage.ARREST, "extravasate", (Stage.EXTRAVASATION, Stage.CIRCULATION, None)),
    Place(Stage.EXTRAVASATION, "colonize", (Stage.MICROMETASTASIS, Stage.EXTRAVASATION, None)),
    Place(Stage.EXTRAVASATION, "reawaken", (Stage.EXTRAVASATION, None)),
)


class Cascade(Population):
    """What the cells do in a step.

    Attributes:
        waiting: units on their way, by place (`PLACES`) and organ.
        asleep: dormant cells of the marrow by phenotype, on average.
        inflow: cells that cross into the marrow per day, likewise.
        nodes_taken: lymph nodes that surgery took out, the first of the chain, by organ.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        organs = self.organs
        self.visit = self.course.follow_up_days[0] == 0.0
        self.nodes_taken = [0] * len(organs)
        self.asleep, self.inflow = np.zeros((2, len(self.phenotypes)))
        self.waiting: list[list[list[CancerCell]]] = [[[] for _ in organs] for _ in PLACES]

    def _obey(self, law: Law) -> None:
        """From now on, the law of another regime holds."""
        super()._obey(law)
        rates = (
            law.intravasation_per_day,
            law.extravasation_per_day + law.washout_per_day,
            law.colonization_per_day + law.dormancy_per_day,
            law.reawakening_per_day + law.dormant_death_per_day,
        )
        rate = np.stack([np.broadcast_to(r, len(self.organs)) for r in rates])
        self._exit = -np.expm1(-rate * self.course.dt_days)

    # 1 units move

    def _move_units(self) -> list[CancerCell]:
        """Units take at most one stage; those that colonize are handed back."""
        moving = []
        for place, by_organ in enumerate(self.waiting):
            for organ, units in enumerate(by_organ):
                if units:
                    goes = self.rng.random(len(units)) < self._exit[place, organ]
                    moving.append((PLACES[place], take(units, goes)))
        return [unit for place, units in moving for unit in units if self._advance(unit, place)]

    def _advance(self, unit: CancerCell, place: Place) -> bool:
        """A unit leaves its place; True if it colonizes."""
        organ, book = unit.organ, self.ledger.book
        after = self._valid(unit, place.exit, getattr(unit, place.exit)(), place.leads_to)
        self._valid(unit, place.exit, unit.organ, (organ,))
        if after is place.stage:  # falls dormant, or is active again
            self.ledger.move(unit, after, after)
            self._wait(unit)
            return False
        book(Tally.LEFT, place.stage, organ, unit.cells)
        if after is None:
            book(Tally.DIED, place.stage, organ, unit.cells)
            self._remove(unit)
        elif after is Stage.MICROMETASTASIS:
            return True
        elif after is Stage.CIRCULATION:
            self._circulate(unit)
        else:
            self._enter(unit, after)
            self._wait(unit)
        return False

    def _circulate(self, unit: CancerCell) -> None:
        """The whole walk, within the step."""
        organ, book = unit.organ, self.ledger.book
        self._enter(unit, Stage.CIRCULATION)
        self.ledger.carried[organ] += unit.cells
        arrested_in = unit.circulate()
        book(Tally.LEFT, Stage.CIRCULATION, organ, unit.cells)
        if arrested_in is None:
            book(Tally.DIED, Stage.CIRCULATION, organ, unit.cells)
            self._remove(unit)
            return
        unit.organ = self._valid(unit, "circulate", arrested_in, (*range(len(self.organs)), None))
        self._enter(unit, Stage.ARREST)
        self._wait(unit)

    def _wait(self, unit: CancerCell) -> None:
        at = {Stage.INVASION: INVADED, Stage.ARREST: ARRESTED}.get(unit.stage)
        if at is None:
            at = DORMANT if unit.dormant else ACTIVE
        self.waiting[at][unit.organ].append(unit)

    # 2 colonies live

    def _live_or_rest(self, colony: Colony) -> None:
        """A colony lives on this step, or rests until a long step ends."""
        course, size = self.course, colony.size
        if lives(size, course.small_cells, self.steps % course.small_steps == 0):
            days = (self.steps - colony.lived_step) * course.dt_days
            colony.lived_step = self.steps
            self._live(colony, days)
        elif course.marrow_organ >= 0:
            add_inflow(self, colony, size)
        if colony.number > 0:
            self.ledger.reach(colony, colony.size, self._visible_cells(colony.organ))

    def _live(self, colony: Colony, days: float) -> None:
        """Growth, phenotype change, angiogenic switch and shedding of one colony over some days."""
        law, book, organ = self.law, self.ledger.book, colony.organ
        size = colony.size
        stage = colony.stage_at(size)
        self._set_rates(colony, size, days)
        self._grow(colony)
        book(Tally.NET_GROWTH, stage, organ, colony.size - size)
        if any(colony.change) or self._every_cell["change"]:
            self._change(colony)
        if not colony.vascularised and size >= law.onset_cells[0]:
            rate = law.angiogenesis_per_day[0]
            colony.vascularised = self.uniform() < -math.expm1(-rate * days)
        if self.course.marrow_organ >= 0:
            add_inflow(self, colony, size)
        if colony.leave > 0.0 or self._every_cell["leave"]:
            for cells in colony.cells:
                self._shed(cells, stage)
        self._restage(colony, stage)

    def _restage(self, colony: Colony, before: Stage) -> None:
        """A colony that has passed the size of a macrometastasis takes its cells along."""
        after = colony.stage_at(colony.size)
        if after is not before:
            self.ledger.book(Tally.LEFT, before, colony.organ, colony.size)
            for cell in (cell for cells in colony.cells for cell in cells):
                self._enter(cell, after)

    def birth_rates(self, colony: Colony, size: int) -> list[float]:
        """Division rate of each phenotype of a colony at a size, 1/day."""
        law, organ, rates = self.law, colony.organ, []
        for k in range(len(colony.cells)):
            net = net_growth(
                law.growth_law[0], float(size), law.rho[organ, k], law.capacity[organ],
                law.power_exponent[0], colony.vascularised, law.avascular_cells[0],
            )  # fmt: skip
            rates.append(birth_rate(float(law.death[organ, k]), float(net)))
        return rates

    def _set_rates(self, colony: Colony, size: int, days: float) -> None:
        """What holds for the cells of a colony in some days, from its size at the start."""
        law, organ = self.law, colony.organ
        colony.descent, colony.change = [], []
        for k, birth in enumerate(self.birth_rates(colony, size)):
            colony.descent.append(birth_death(birth, float(law.death[organ, k]), days))
            colony.change.append(-math.expm1(-self._mutation[k] * birth * days))
        rate = border_rate(
            law.invasion_per_day[0], size, law.invasion_reference_cells[0], law.border_exponent[0]
        )
        colony.leave = -math.expm1(-rate * days)

    def _grow(self, colony: Colony) -> None:
        for cells, (alpha, beta) in zip(colony.cells, colony.descent, strict=True):
            draws = self.rng.random(len(cells))
            quiet = (draws >= alpha) & (draws < alpha + (1.0 - alpha) * (1.0 - beta))
            born: list[CancerCell] = []
            for i in turns(~quiet, self._every_cell["grow"]):
                cell = cells[i]
                n = cell.grow(float(draws[i]))
                if not isinstance(n, int) or n < 0:
                    self.nonsense(cell, "grow", n, "0, 1, 2 ... cells")
                if n == 0:
                    self._remove(cell)
                    drop(cells, i)
                elif n > 1:
                    born += self._daughters(cell, n - 1)
            cells += born

    def _change(self, colony: Colony) -> None:
        kinds = range(len(colony.cells))
        changed: list[CancerCell] = []
        for cells, chance in zip(colony.cells, colony.change, strict=True):
            draws = self.rng.random(len(cells))
            for i in turns(draws < chance, self._every_cell["change"]):
                cell = cells[i]
                after = self._valid(cell, "change", cell.change(float(draws[i])), kinds)
                if after != cell.phenotype:
                    cell.phenotype = after
                    changed.append(cell)
                    self.ledger.move(cell, cell.stage, cell.stage)
                    drop(cells, i)
        for cell in changed:
            colony.cells[cell.phenotype].append(cell)

    def _shed(self, cells: list[CancerCell], stage: Stage) -> None:
        """Cells of one phenotype leave, singly or in clusters.

        Of n cells floor(n share / size) clusters of each class stand ready.
        """
        if not cells:
            return
        n, law, leave = len(cells), self.law, cells[0].colony.leave
        sizes = law.cluster_cells.tolist()
        shares = law.cluster_share.tolist()
        ready = [int(n * share / size) for share, size in zip(shares, sizes, strict=True)]
        ready[0] = n - sum(m * size for m, size in zip(ready[1:], sizes[1:], strict=True))
        if len(sizes) > 1:  # anyone may be in a cluster
            cells[:] = [cells[i] for i in self.rng.permutation(n)]
        end = n
        for c in reversed(range(len(sizes))):
            size, start = sizes[c], end - ready[c] * sizes[c]
            draws = self.rng.random(ready[c])
            for unit in turns(draws < leave, self._every_cell["leave"]):
                lead = start + unit * size
                goes = cells[lead].leave(float(draws[unit]))
                if self._valid(cells[lead], "leave", goes, (False, True)):
                    self._cross(cells[lead : lead + size], c, stage)
                    for i in reversed(range(lead, lead + size)):
                        drop(cells, i)
            end = start

    def _cross(self, members: list[CancerCell], cluster: int, stage: Stage) -> None:
        """A unit leaves its colony and meets the invasion gate; one agent stands for a cluster."""
        unit, book = members[0], self.ledger.book
        for member in members[1:]:
            self._remove(member)
        unit.cells, unit.cluster = len(members), cluster
        book(Tally.LEFT, stage, unit.organ, unit.cells)
        if self._valid(unit, "invade", unit.invade(), (Stage.INVASION, None)) is None:
            book(Tally.DIED, stage, unit.organ, unit.cells)
            self._remove(unit)
        else:
            self._enter(unit, Stage.INVASION)
            self._wait(unit)

    # 3 units found colonies

    def _found(self, unit: CancerCell) -> None:
        """A unit's cells become a colony."""
        founders, k = unit.cells, unit.phenotype
        colony = Colony(
            number=len(self.colonies),
            organ=unit.organ,
            node=settle(self, unit.organ),
            parent=unit.colony.number,
            route=-1 if unit.route is None else int(unit.route),
            founders=founders,
            vascularised=math.isinf(self.law.angiogenesis_per_day[0]),
            macro_cells=self.course.macro_cells,
            cells=[[] for _ in self.phenotypes],
            founded_day=self.ledger.day,
            lived_step=self.steps,
        )
        self._enter(unit, colony.stage_at(founders))
        unit.colony, unit.cells, unit.cluster = colony, 1, 0
        colony.cells[k] = [unit, *self._daughters(unit, founders - 1)]
        self.colonies.append(colony)
        self.alive.append(colony)
        self.ledger.reach(colony, founders, self._visible_cells(colony.organ))

    def _visible_cells(self, organ: int) -> float:
        """Size from which imaging sees a metastasis today."""
        return float(self.course.detection_cells[organ]) if self.visit else math.inf
