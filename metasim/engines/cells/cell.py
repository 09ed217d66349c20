"""A cancer cell as an agent: what it does at each of the seven stages (docs/model, 1 to 5)."""

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import mesa

from metasim.terms import Gate, Route, Stage

if TYPE_CHECKING:
    from metasim.engines.cells.population import Population


@dataclass(slots=True, eq=False)
class Colony:
    """The primary (number 0) or a metastasis: its cells, and what they share in a step."""

    number: int
    organ: int
    parent: int
    route: int
    """`metasim.terms.Route`; -1: the primary."""
    founders: int
    vascularised: bool
    macro_cells: float
    """Largest size of a micrometastasis."""
    cells: list[list["CancerCell"]]
    """Living cells of each phenotype."""
    founded_day: float
    node: int = 0
    """Lymph node of its organ, 1, 2 ... along the chain; 0: the organ has none."""
    lived_step: int = 0
    """The last step on which it lived, or was founded."""
    micro_day: float = math.nan
    """First day as a micrometastasis; NaN: not yet, as the next."""
    macro_day: float = math.nan
    detected_day: float = math.nan
    """Imaging saw it."""
    extinct_day: float = math.nan
    descent: list[tuple[float, float]] = field(default_factory=list)
    """Alpha and beta of the birth-death law of the days that it lives, by phenotype."""
    change: list[float] = field(default_factory=list)
    """Probability that a living cell changes phenotype in these days, by phenotype."""
    leave: float = 0.0
    """Probability that a cell or cluster crosses the border in these days."""

    @property
    def size(self) -> int:
        """Number of living cells."""
        return sum(map(len, self.cells))

    def stage_at(self, size: int) -> Stage:
        """Stage of its cells at a size."""
        if self.number == 0:
            return Stage.PRIMARY_GROWTH
        return Stage.MACROMETASTASIS if size > self.macro_cells else Stage.MICROMETASTASIS


class CancerCell(mesa.Agent):  # type: ignore[misc]
    """One cell, or one circulating cluster (`cells` > 1).

    A method decides, the model does the rest: it calls a method when the step law says that
    it is this cell's turn, moves the cell to the stage that is returned (None: the cell dies) and
    keeps the books. Override any of them; `super()` is the law. Draw chance with `self.draw()`.

    `grow`, `change` and `leave` get their random number from the model, which draws them for a
    whole colony at once and asks only the cells to which something happens (every cell, once a
    subclass overrides the method). `step`, if a subclass has it, is called for every cell before
    each step.

    Attributes:
        stage: where the cell is in the cascade.
        organ: index of its organ (`model.organs` has the names).
        phenotype: index of its phenotype (`model.phenotypes`).
        colony: the colony it lives in, or the one it left.
        parent: `unique_id` of the cell it descends from; 0: there from the start.
        cells: cells of the cluster; 1: a single cell.
        cluster: size class of the cluster; 0: a single cell.
        route: vessel by which it last entered the flow; None: not yet.
        dormant: a disseminated cell that sleeps.

    Example:
        >>> class Homebody(ms.CancerCell):
        ...     def leave(self, *arguments):
        ...         return None
        >>> few = ms.load("few_cells", {"run.patients": 1})
        >>> model = ms.model_of(few, cell_class=Homebody)
    """

    __slots__ = (
        "cells", "cluster", "colony", "dormant", "organ", "parent", "phenotype", "route", "stage",
    )  # fmt: skip
    model: "Population"

    def __init__(
        self,
        model: "Population",
        colony: Colony,
        stage: Stage,
        phenotype: int,
        parent: int = 0,
    ) -> None:
        super().__init__(model)
        self.colony = colony
        self.stage = stage
        self.organ = colony.organ
        self.phenotype = phenotype
        self.parent = parent
        self.cells = 1
        self.cluster = 0
        self.route: Route | None = None
        self.dormant = False

    @property
    def history(self) -> list[tuple[float, Stage | None, Stage | None, int]]:
        """Its transitions: day, from stage, to stage, organ (with `history=True`; else empty)."""
        return self.model.ledger.history_of(self.unique_id)

    # chance

    def draw(self) -> float:
        """A random number, uniform in [0, 1)."""
        return self.model.uniform()

    def chance(self, gate: Gate) -> float:
        """Probability that it passes a gate where it is: odds / (1 + odds) (Equation 3.2)."""
        return float(self.model.gates[gate][self.organ, self.phenotype])

    def passes(self, gate: Gate) -> bool:
        """Whether it passes a gate."""
        chance = self.chance(gate)
        if not (isinstance(chance, float | int) and 0.0 <= chance <= 1.0):
            self.model.nonsense(self, f"chance({gate})", chance, "a probability in [0, 1]")
        return self.draw() < chance

    # stages 1, 6 and 7: life in a colony

    def grow(self, draw: float) -> int:
        """Descendants after the step, itself included: 0 (dies), 1 (nothing happens), 2 ...

        None with probability alpha, else geometric with ratio beta (Equation 4.9).
        """
        alpha, beta = self.colony.descent[self.phenotype]
        if draw < alpha:
            return 0
        if beta <= 0.0:
            return 1
        return 1 + int(math.log((1.0 - draw) / (1.0 - alpha)) / math.log(min(beta, 1.0 - 1e-15)))

    def divide(self) -> "CancerCell":
        """A daughter. Override to hand on what a cell of your own remembers."""
        return type(self)(self.model, self.colony, self.stage, self.phenotype, self.unique_id)

    def change(self, draw: float) -> int:
        """Its phenotype after the step: another with probability 1 - exp(-sum(u) b dt)."""
        chance = self.colony.change[self.phenotype]
        if draw >= chance:
            return self.phenotype
        return bisect_right(self.model.becomes[self.phenotype], draw / chance)

    def leave(self, draw: float) -> bool:
        """Whether it (or the cluster that it leads) tries to cross the border of its colony."""
        return draw < self.colony.leave

    def invade(self) -> Stage | None:
        """At the border: invades the tissue around its colony, or dies."""
        return Stage.INVASION if self.passes(Gate.INVASION) else None

    # stages 2 to 5: on the way

    def intravasate(self) -> Stage | None:
        """Leaves stage 2: enters blood or lymph, or dies."""
        return Stage.CIRCULATION if self.passes(Gate.INTRAVASATION) else None

    def circulate(self) -> int | None:
        """Stage 3: is carried from bed to bed; the organ that it is arrested in, or None (dies).

        At each bed it is destroyed, arrested or carried on. One draw decides on the next bed and
        on what happens there: `model.passes_of` holds, for every state, the running sum of the
        probabilities of arrest, then of being carried on; what is missing to 1 is destruction.
        """
        model = self.model
        uniform, note = model.uniform, model.ledger.note_pass
        self.route = Route.LYMPH if uniform() < model.law.lymph[self.organ] else Route.BLOOD
        n_organs = len(model.organs)
        state = self.route * n_organs + self.organ
        table = model.passes_of(self.phenotype, self.cluster)
        while (outcome := bisect_right(table[state], uniform())) < 4 * n_organs:
            carried_on, state = divmod(outcome, 2 * n_organs)
            bed = state % n_organs
            if note is not None:
                note(self, bed)
            if not carried_on and self.arrest(bed):
                return bed
        return None

    def arrest(self, organ: int) -> bool:
        """Stage 4 begins: sticks in a bed. False: is carried on after all."""
        return True

    def extravasate(self) -> Stage | None:
        """Leaves stage 4: tries to cross the vessel wall, or is washed on."""
        law = self.model.law
        crossing, washout = law.extravasation_per_day[0], law.washout_per_day[0]
        if self.draw() * (crossing + washout) >= crossing:
            return Stage.CIRCULATION
        return Stage.EXTRAVASATION if self.passes(Gate.EXTRAVASATION) else None

    def colonize(self) -> Stage | None:
        """Leaves the active part of stage 5: tries to found a colony, or falls dormant."""
        law = self.model.law
        founding, falling_asleep = law.colonization_per_day[0], law.dormancy_per_day[self.organ]
        if self.draw() * (founding + falling_asleep) >= founding:
            self.dormant = True
            return Stage.EXTRAVASATION
        return Stage.MICROMETASTASIS if self.passes(Gate.COLONIZATION) else None

    def reawaken(self) -> Stage | None:
        """Leaves the dormant part of stage 5: is active again, or dies."""
        law = self.model.law
        waking, death = law.reawakening_per_day[self.organ], law.dormant_death_per_day[0]
        if self.draw() * (waking + death) >= waking:
            return None
        self.dormant = False
        return Stage.EXTRAVASATION
