"""Progress in a notebook: a bar below the cell that runs, without widgets to install."""

import math
import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any, Final

from metasim.terminal.console import tell
from metasim.terminal.text import plain

_SECONDS_UNTIL_SHOWN: Final = 2.0
_SECONDS_BETWEEN_LOOKS: Final = 0.5  # a notebook redraws slowly, and over a network


def page_of_a_notebook() -> Callable[..., Any] | None:
    """IPython's `display` if this is a notebook's kernel; None: it is not."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if getattr(shell, "kernel", None) is None:
        return None
    show: Callable[..., Any] = ipython.display.display  # type: ignore[union-attr]
    return show


class NotebookBar:
    """A bar below the cell. A run that takes a moment leaves nothing behind.

    Args:
        display: IPython's; with `display_id=True` it gives a handle that `update` replaces.
    """

    def __init__(self, display: Callable[..., Any]) -> None:
        self._display = display
        self._handle: Any = None
        self._begun = time.monotonic()
        self._last = -math.inf
        self._counted = (0, 0)

    def show(self, done: int, total: int, pace: Callable[[], str]) -> None:
        """Say how far it is."""
        self._counted = done, total
        now = time.monotonic()
        if now - self._begun < _SECONDS_UNTIL_SHOWN or now - self._last < _SECONDS_BETWEEN_LOOKS:
            return
        self._last = now
        self._say(pace())

    def note(self, text: str) -> None:
        """Say something else."""
        tell(text)

    def close(self) -> None:
        """Say how far it came, if a bar was shown."""
        if self._handle is not None:
            self._say("")

    def _say(self, pace: str) -> None:
        done, total = self._counted
        said = plain(", ".join(filter(None, (f"{done:,} of {total:,} patients", pace))))
        bar = f'<progress value="{done}" max="{total}"></progress> {escape(said)}'
        shown = {"text/html": bar, "text/plain": said}
        if self._handle is None:
            self._handle = self._display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)
