"""How a figure is printed: measured, what it is held against, and the ratio."""

import os
import platform
import statistics
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from metasim.runner.executors import cores


def median_seconds(work: Callable[[], object], repeats: int = 3, *, warm_up: bool = True) -> float:
    """Median wall time of some runs, after one that is not counted."""
    if warm_up:
        work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


class Report:
    """Prints one line per figure as it is measured."""

    def __init__(self) -> None:
        self.console = Console(width=110)
        self.console.print(
            f"{platform.processor() or platform.machine()}, {platform.platform()}; "
            f"{cores()} cores, load {os.getloadavg()[0]:.1f} (wall times need a quiet machine)"
        )

    def section(self, title: str) -> None:
        """Begin a group of figures."""
        self.console.print(f"\n[bold]{title}[/bold]")

    def line(
        self, what: str, measured: float, unit: str, limit: float, *, more_is_better: bool = False
    ) -> None:
        """One figure against its limit; the ratio is at most 1 where the limit is kept."""
        ratio = limit / measured if more_is_better else measured / limit
        sign = ">=" if more_is_better else "<="
        table = Table.grid(padding=(0, 2))
        for width in (58, 16, 20, 12):
            table.add_column(width=width)
        table.add_row(what, f"{measured:,.4g} {unit}", f"{sign} {limit:,.4g} {unit}",
                      f"ratio {ratio:.2f}")  # fmt: skip
        self.console.print(table)

    def note(self, text: str) -> None:
        """A line of plain text."""
        self.console.print(text)
