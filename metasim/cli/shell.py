"""The app that the commands add themselves to: how it ends on mistakes, full disks and Ctrl-C."""

import atexit
import io
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from metasim.cli.finish import NOT_SHOWN
from metasim.errors import MetasimError, MetasimWarning, RunInterrupted
from metasim.terminal import guarded, hold_descriptors, tell

_PATIENCE_SECONDS = 5.0
_KEEP = ("run", "sweep", "sensitivity", "compare", "plot", "watch", "fit")
"""Commands whose work stays, whether or not their output can be printed."""


class _Commands(TyperGroup):
    """The commands: a user's mistake ends in one message and exit code 2, Ctrl-C in 130."""

    _command: str | None = None

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Parse, run, and end with the exit code of what came of it.

        What cannot be written to standard output or error ends nothing: the work goes on, and the
        exit code says that something was not shown.
        """
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        with guarded() as (out, _):
            code = self._code(args, prog_name, complete_var, **extra)
            out.flush()
            if out.lost is not None and not out.gone:
                tell(f"metasim: output: {out.lost.strerror or out.lost}")
                code = code or (NOT_SHOWN if self._command in _KEEP else 2)
        # Python remembers that Ctrl-C passed through an exec of text, as dataclasses do on import,
        # and would die of the signal instead of with the exit code; the next exec has it forget
        exec("")
        sys.exit(code)

    def _code(
        self, args: Sequence[str] | None, prog: str | None, complete: str | None, **extra: Any
    ) -> int:
        """Run; returns the exit code."""
        try:
            ended = super().main(args, prog, complete, False, **extra)
        except OSError as error:  # --install-completion writes into the home folder
            tell(f"metasim: {error.filename or 'output'}: {error.strerror or error}")
            return 2
        except Exception as error:
            show = getattr(error, "show", None)  # a mistake in the command line
            if show is None:
                raise
            said = io.StringIO()
            show(file=said)
            tell(said.getvalue().rstrip())
            return int(getattr(error, "exit_code", 2))
        return ended if isinstance(ended, int) else 0

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command that was asked for."""
        try:
            return self._invoke(ctx)
        finally:
            self._command = ctx.invoked_subcommand

    def _invoke(self, ctx: typer.Context) -> Any:
        try:
            with _plain_warnings():
                return super().invoke(ctx)
        except MetasimError as error:
            _end(f"metasim: {error}", 2)
        except KeyboardInterrupt as stop:
            how_far = stop if isinstance(stop, RunInterrupted) else "stopped"
            _end(f"\nmetasim: {how_far}", 130)
        except MemoryError as error:
            _end(f"metasim: not enough memory ({error})", 2)
        except OSError as error:
            _end(f"metasim: {error.filename or 'output'}: {error.strerror or error}", 2)


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """What metasim warns of is a line of its own, without a place in the source."""
    with warnings.catch_warnings():
        shown: Any = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            if issubclass(category, MetasimWarning):
                tell(f"metasim: {message}")
            else:
                shown(message, category, *rest, **more)

        warnings.showwarning = show
        yield


def _end(message: str, code: int) -> NoReturn:
    tell(message)
    raise typer.Exit(code) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help and messages: quick, and whole at 80 columns
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from metasim import __version__

        print(f"metasim {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Simulate how breast cancer spreads: run a scenario, look at the outcome, tweak the soil."""


class CtrlC:
    """What Ctrl-C does: the first press stops the command, in order; later ones leave that alone.

    A press in the midst of ending the workers would leave a traceback, or a worker, behind. If
    ending takes longer than a few seconds, the next press ends the process at once; what is on disk
    is whole at any moment, and workers do not outlive it.
    """

    def __init__(self) -> None:
        self._pressed: float | None = None

    def __call__(self, *_: object) -> None:
        """Take a press (a handler of signals)."""
        now = time.monotonic()
        if self._pressed is None:
            self._pressed = now
            raise KeyboardInterrupt
        if now - self._pressed > _PATIENCE_SECONDS:
            os._exit(130)


def main() -> None:
    """Entry point."""
    hold_descriptors()
    os.environ["MPLBACKEND"] = "agg"  # figures go into files, whatever windows there are
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not with nohup
        signal.signal(signal.SIGINT, CtrlC())
        # last of all, when Python would take the handler away
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    app(prog_name="metasim")
