"""Watching cells: one patient's cell model, stepped as the page asks for it."""

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from metasim.errors import LimitError
from metasim.explorer.limits import MOST_STEP_SECONDS, MOST_WATCHED_CELLS, MOST_WATCHED_MOVES
from metasim.scenario.schema import Scenario
from metasim.terms import DAYS_PER_YEAR, Stage
from metasim.watching.colours import STAGE_COLOURS

if TYPE_CHECKING:
    from metasim.engines.cells import CancerCell

_MOST_SHOWN: Final = 300
"""Cells of a colony, or waiting in an organ, that are sent to the page."""
_MOST_MOVES: Final = 200
"""Transitions of a cell that are sent."""


class Watched:
    """A patient whose cells are watched.

    Args:
        scenario: whatever its engine is, cells are drawn.
        patient: number of the patient, from 0.

    Raises:
        LimitError: the primary has more cells than can be watched.
        OptionError: there is no such patient.
    """

    def __init__(self, scenario: Scenario, patient: int) -> None:
        from metasim.watching.patient import model_of

        some = scenario.replace(
            {"run.max_cells": min(scenario.run.max_cells, MOST_WATCHED_CELLS),
             "run.patients": max(scenario.run.patients, patient + 1)}
        )  # fmt: skip
        self.scenario, self.patient = some, patient
        self.model = model_of(some, patient, history=True, collect=False)
        self.ended = ""
        self._lock = threading.Lock()

    def step(self, steps: int) -> None:
        """So many steps further, or as many as the time of a request allows."""
        until = time.monotonic() + MOST_STEP_SECONDS
        with self._lock:
            for _ in range(steps):
                if not self.model.running or self.ended or time.monotonic() > until:
                    break
                try:
                    self.model.step()
                except LimitError as error:
                    self.ended = str(error)
                if len(self.model.ledger.rows) > MOST_WATCHED_MOVES:
                    self.ended = (
                        f"more than {MOST_WATCHED_MOVES:,} moves of cells: metasim watch goes on"
                    )

    def state(self) -> dict[str, Any]:
        """Where the cells are, as plain values."""
        from metasim.engines.cells.cascade import PLACES

        with self._lock:
            model = self.model
            census = model.census()
            return {
                "patient": self.patient,
                "step": model.steps,
                "day": model.day,
                "years": model.day / DAYS_PER_YEAR,
                "running": bool(model.running) and not self.ended,
                "message": self.ended,
                "census": census.tolist(),
                "organs": list(model.organs),
                "stages": [stage.label.replace("_", " ") for stage in Stage],
                "colours": [STAGE_COLOURS[stage] for stage in Stage],
                "colonies": [self._colony(colony) for colony in model.alive],
                "waiting": [
                    {"stage": int(PLACES[place].stage), "organ": organ, "size": len(units),
                     "cells": [_cell(unit) for unit in units[:_MOST_SHOWN]]}
                    for place, by_organ in enumerate(model.waiting)
                    for organ, units in enumerate(by_organ) if units
                ],
            }  # fmt: skip

    def history(self, cell: int) -> dict[str, Any]:
        """What one cell went through.

        Args:
            cell: its number.

        Returns:
            cell, parent (0: there from the start; None: not known), moves: day, from, to (None: it
            was born, or died) and organ.
        """
        with self._lock:
            model = self.model
            moves = model.ledger.history_of(cell)[:_MOST_MOVES]
            parent = next((row[-1] for row in model.ledger.rows if row[0] == cell), None)
            return {
                "cell": cell,
                "parent": parent,
                "moves": [
                    {"day": float(day), "from": _word(before), "to": _word(after),
                     "organ": model.organs[organ]}
                    for day, before, after, organ in moves
                ],
            }  # fmt: skip

    def close(self) -> None:
        """It is watched no longer."""
        from metasim.engines.cells.model import release

        release(self.model)

    def _colony(self, colony: Any) -> dict[str, Any]:
        cells = [cell for kind in colony.cells for cell in kind]
        return {
            "number": colony.number,
            "organ": colony.organ,
            "parent": colony.parent,
            "size": len(cells),
            "stage": int(colony.stage_at(len(cells))),
            "cells": [_cell(cell) for cell in cells[:_MOST_SHOWN]],
        }


def _cell(cell: "CancerCell") -> int:
    return int(cell.unique_id)


def _word(stage: Stage | None) -> str | None:
    return None if stage is None else stage.label.replace("_", " ")
