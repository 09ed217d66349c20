"""How a command ends whose work is done: what could not be shown is said, and is the exit code."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from metasim.terminal import tell

PATIENTS_FAILED = 3
"""Exit code: done, but patients failed and are left out."""
NOT_SHOWN = 4
"""Exit code: done and kept, but a table or figure of it could not be shown."""


class Finish:
    """Shows what a command has done, as far as that can be shown; the work itself is kept.

    Args:
        way_on: what to say where something could not be shown.
        refused: errors that are the user's to mend and end the command at once.
    """

    def __init__(
        self, way_on: str = "", refused: type[Exception] | tuple[type[Exception], ...] = ()
    ) -> None:
        self.missing: list[str] = []
        self._refused = refused
        self._way_on = way_on

    @contextmanager
    def showing(self, what: str) -> Iterator[None]:
        """Show something; if that fails, say so and go on with the rest."""
        try:
            yield
        except self._refused:
            raise
        except Exception as error:
            reason = str(error).strip() or "no reason given"
            tell(f"metasim: {what}: cannot be shown ({type(error).__name__}: {reason})")
            self.missing.append(what)

    def figures(
        self, names: Callable[[], Iterable[str]], draw: Callable[[str], Iterable[Path]]
    ) -> list[Path]:
        """Draw figures one by one.

        Args:
            names: gives the names of the figures.
            draw: draws one of them; gives the files.

        Returns:
            The files of those that could be drawn.
        """
        paths: list[Path] = []
        wanted: list[str] = []
        with self.showing("figures"):
            wanted += names()
        for name in wanted:
            with self.showing(f"figure {name}"):
                paths += draw(name)
        return paths

    def end(self, failed: int = 0) -> None:
        """End the command, with the exit code of what is missing.

        Args:
            failed: how many patients failed.

        Raises:
            typer.Exit: something is missing.
        """
        if self.missing and self._way_on:
            tell(f"metasim: {self._way_on}")
        if failed:
            tell(f"metasim: {failed:,} patients failed and are left out")
            raise typer.Exit(PATIENTS_FAILED)
        if self.missing:
            raise typer.Exit(NOT_SHOWN)
