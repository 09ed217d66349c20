"""Printing: what is printed is text, whoever wrote it."""

import sys
from typing import TYPE_CHECKING, Any

from metasim.terminal.text import fold, plain

if TYPE_CHECKING:
    from rich.console import Console


def console(*, error: bool = False, **options: Any) -> "Console":
    """A console of rich that reads no markup and no emoji codes and paints no numbers.

    Args:
        error: standard error instead of standard output.
        **options: for `rich.console.Console`.
    """
    from rich.console import Console

    return Console(stderr=error, markup=False, emoji=False, highlight=False, **options)


def say(label: str, text: str) -> None:
    """Print a line with a label before it, folded to the width of the terminal."""
    width = max(20, console().width)
    for line in fold(plain(text, lines=False), width, f"{label:<8} ", " " * 9):
        print(line)


def tell(message: object) -> None:
    """Say something on standard error, beside the output."""
    print(plain(message), file=sys.stderr, flush=True)
