"""The live table: cells by stage and organ, and a sparkline of every stage."""

import time
from typing import TYPE_CHECKING

import numpy as np
from rich.text import Text

from metasim.terminal.table import FittingTable
from metasim.terms import DAYS_PER_YEAR, Stage
from metasim.watching.colours import STAGE_COLOURS

if TYPE_CHECKING:
    from metasim.engines.cells import CascadeModel

_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH = 7
_SECONDS = 0.1
_HEADINGS = dict(
    zip(Stage, ("growth", "invade", "flow", "arrest", "exit", "micro", "macro"), strict=True)
)


def sparkline(values: list[int], width: int = _WIDTH) -> str:
    """A curve of bars on a log scale; each bar is the largest value of its share of the time."""
    if not values:
        return ""
    parts = np.array_split(np.array(values), min(width, len(values)))
    peaks = np.log1p(np.array([part.max() for part in parts], dtype=float))
    if peaks.max() == 0:
        return _BARS[0] * len(peaks)
    levels = np.ceil(peaks / peaks.max() * (len(_BARS) - 1)).astype(int)
    return "".join(_BARS[level] for level in levels)


class Board:
    """Looks at a model after every step and renders what it saw.

    Args:
        model: a cell model.
    """

    def __init__(self, model: "CascadeModel") -> None:
        self.model = model
        self.by_stage: list[list[int]] = []
        self._shown = 0.0
        self.look()

    def look(self) -> None:
        """Count the cells."""
        self.cells = self.model.census()
        self.cells[Stage.CIRCULATION - 1] = self.model.ledger.carried
        self.by_stage.append(self.cells.sum(axis=1).tolist())

    def is_due(self) -> bool:
        """Whether the table is worth drawing again: ten times a second."""
        now = time.monotonic()
        if now - self._shown < _SECONDS:
            return False
        self._shown = now
        return True

    def render(self) -> FittingTable:
        """The table as it stands."""
        model = self.model
        alive = sum(colony.number > 0 for colony in model.alive)
        years = model.day / DAYS_PER_YEAR
        headings = (
            Text(f"{stage.value}\n{_HEADINGS[stage]:>{_WIDTH}}", style=STAGE_COLOURS[stage])
            for stage in Stage
        )
        table = FittingTable(
            f"day {model.day:,.0f} ({years:.1f} years)   {model.census().sum():,} cells   "
            f"{alive:,} metastases",
            ("organ", *headings),
            "flow: cells carried in this step, by the organ they left; curves: log scale",
            padding=(0, 1, 0, 0),
            edges=True,
        )
        for organ, row in zip(model.organs, self.cells.T, strict=True):
            table.add_row(
                organ.replace("_", " "),
                *(f"{n:,}" if n else "·" for n in row),
                end_section=organ == model.organs[-1],
            )
        table.add_row("all", *(f"{n:,}" for n in self.cells.sum(axis=1)))
        history = list(zip(*self.by_stage, strict=True))
        curves = (Text(sparkline(list(history[s - 1])), style=STAGE_COLOURS[s]) for s in Stage)
        table.add_row("over time", *curves)
        return table
