"""The books of the cell engine: tallies, recorded days, clinical events, transitions."""

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metasim.engines.record import CLASSES, Rows
from metasim.law.arrays import Course
from metasim.terms import Event, Stage, Tally

if TYPE_CHECKING:
    from metasim.engines.cells.cell import CancerCell, Colony

Ints = NDArray[np.int64]
Row = tuple[int, float, Stage | None, Stage | None, int, int, int]


class Ledger:
    """What happened to one patient's cells.

    Args:
        n_organs: number of organs.
        n_phenotypes: number of phenotypes.
        history: keep every transition of every cell, each pass through a bed included.
    """

    def __init__(self, n_organs: int, n_phenotypes: int, course: Course, history: bool) -> None:
        self.day = 0.0
        self.n_organs, self.n_phenotypes = n_organs, n_phenotypes
        self.micro_cells, self.macro_cells = course.micro_cells, course.macro_cells
        self.tally = np.zeros((len(Stage), n_organs, len(Tally)), np.int64)
        self.recorded_days: list[float] = []
        self.metastases: list[Rows] = []
        self.organ_cells: list[Ints] = []
        self.tallies: list[Ints] = []
        self.events: list[tuple[float, int, int, int, float]] = []
        self.seen: dict[int, float] = {}
        """Day on which the first metastasis was seen, by organ."""
        self.carried = np.zeros(n_organs, np.int64)
        """Cells that entered the flow in this step, by the organ that they left."""
        self.rows: list[Row] = []
        self.history = history
        self.note_pass: Callable[[CancerCell, int], None] | None = self._pass if history else None

    def begin(self, day: float) -> None:
        """A step ends on a day."""
        self.day = day
        self.carried[:] = 0

    def book(self, column: Tally, stage: Stage, organ: int, cells: int) -> None:
        """Add cells to a column of the stage table."""
        self.tally[stage - 1, organ, column] += cells

    def note(self, event: Event, organ: int = -1, which: int = -1, value: float = math.nan) -> None:
        """A clinical event of this day; organ, treatment or symptom -1, value NaN: none."""
        self.events.append((self.day, int(event), organ, which, value))

    def move(self, cell: "CancerCell", before: Stage | None, after: Stage | None) -> None:
        """A transition of a cell; before None: born, after None: dead or removed."""
        if self.history:
            row = (cell.unique_id, self.day, before, after, cell.organ, cell.phenotype, cell.parent)
            self.rows.append(row)

    def _pass(self, cell: "CancerCell", bed: int) -> None:
        flow = Stage.CIRCULATION
        row = (cell.unique_id, self.day, flow, flow, bed, cell.phenotype, cell.parent)
        self.rows.append(row)

    def history_of(self, cell: int) -> list[tuple[float, Stage | None, Stage | None, int]]:
        """Transitions of one cell."""
        return [row[1:5] for row in self.rows if row[0] == cell]

    def reach(self, colony: "Colony", size: int, detection_cells: float) -> None:
        """Note the first day that a metastasis reached each size; the first seen is a relapse."""
        if size >= self.micro_cells and math.isnan(colony.micro_day):
            colony.micro_day = self.day
        if size > self.macro_cells and math.isnan(colony.macro_day):
            colony.macro_day = self.day
        if size >= detection_cells and math.isnan(colony.detected_day):
            colony.detected_day = self.day
            if colony.organ not in self.seen:
                self.seen[colony.organ] = self.day
                self.note(Event.RELAPSE, colony.organ)

    def record(self, colonies: Iterable["Colony"], census: Ints) -> None:
        """A recorded day: metastases by class and cells by organ; the tally starts anew."""
        metastases = np.zeros(self.n_organs, CLASSES)
        organ_cells = np.zeros((self.n_organs, self.n_phenotypes), np.int64)
        for colony in colonies:
            size = colony.size
            organ_cells[colony.organ] += [len(cells) for cells in colony.cells]
            if colony.number > 0:
                small, large = size < self.micro_cells, size > self.macro_cells
                name = "isolated" if small else "macro" if large else "micro"
                metastases[name][colony.organ] += 1
        self.tally[:, :, Tally.CELLS] = census
        self.recorded_days.append(self.day)
        self.metastases.append(metastases)
        self.organ_cells.append(organ_cells)
        self.tallies.append(self.tally.copy())
        self.tally[:] = 0

    def transitions(self, organs: tuple[str, ...], phenotypes: tuple[str, ...]) -> Any:
        """Every transition as a pyarrow table (cells.parquet).

        `from_stage` is null where the cell is born, `to_stage` where it dies or is removed; a row
        from circulation to circulation is a pass through the bed of that organ.
        """
        import pyarrow as pa

        columns = list(zip(*self.rows, strict=True)) if self.rows else [()] * 7

        def named(values: Iterable[int | None], names: Iterable[str]) -> Any:
            return pa.DictionaryArray.from_arrays(
                pa.array(list(values), pa.int32()), pa.array(list(names), pa.string())
            )

        def stage(values: Iterable[Any]) -> Any:
            return named((s and s - 1 for s in values), (s.label for s in Stage))

        return pa.table(
            {
                "cell": pa.array(columns[0], pa.int64()),
                "day": pa.array(columns[1], pa.float64()),
                "from_stage": stage(columns[2]),
                "to_stage": stage(columns[3]),
                "organ": named(columns[4], organs),
                "phenotype": named(columns[5], phenotypes),
                "parent": pa.array(columns[6], pa.int64()),
            }
        )
