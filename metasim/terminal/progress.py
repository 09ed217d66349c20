"""Progress on a terminal or in a notebook: a bar, or in a log a plain line now and then."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from metasim.terminal.console import console as terminal_console
from metasim.terminal.console import tell
from metasim.terminal.notebook import NotebookBar, page_of_a_notebook
from metasim.terminal.text import plain

_SECONDS_BETWEEN_LINES: Final = 10.0
_SECONDS_BETWEEN_LOOKS: Final = 0.1


class Lines:
    """A plain line now and then, for a log."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def show(self, done: int, total: int, pace: Callable[[], str]) -> None:
        """Say how far it is."""
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = now
            tell(f"{done:,} of {total:,} patients, {pace()}")

    def note(self, text: str) -> None:
        """Say something else."""
        tell(text)


class Bar:
    """A bar on a terminal.

    Args:
        console: where.
        total: how many patients there are.
        done: how many of them are done already.
    """

    def __init__(self, console: Console, total: int, done: int) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=10),
            TextColumn("{task.completed:,} of {task.total:,}"),
            TaskProgressColumn(),
            TimeElapsedColumn(),
        )
        self.bar = _BarAndPace(*columns, console=console, transient=True)
        self._task = self.bar.add_task("patients", total=total, completed=done)
        self._last = -math.inf

    def show(self, done: int, total: int, pace: Callable[[], str]) -> None:
        """Say how far it is."""
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_LOOKS:
            self._last = now
            self.bar.pace = pace()
            self.bar.update(self._task, total=total, completed=done)

    def note(self, text: str) -> None:
        """Say something else."""
        self.bar.console.print(Text(plain(text)))


class _BarAndPace(Progress):
    """The bar and what is done, and under it, in as many lines as that takes, the pace."""

    pace = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield Text(self.pace)


@contextmanager
def display(
    total: int, done: int, console: Console | None = None
) -> Iterator[Lines | Bar | NotebookBar]:
    """What shows progress: a bar on a terminal or in a notebook, plain lines in a log.

    Args:
        total: how many patients there are.
        done: how many of them are done already.
        console: where a bar goes; None: standard error.
    """
    if console is None and (show := page_of_a_notebook()) is not None:
        bar = NotebookBar(show)
        try:
            yield bar
        finally:
            bar.close()
        return
    console = console or terminal_console(error=True)
    if not console.is_terminal:
        yield Lines()
        return
    shown = Bar(console, total, done)
    with shown.bar:
        yield shown
