"""`metasim watch`: step a patient's cell model and show, as it runs, where its cells are."""

from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rich.live import Live

from metasim.checked import checked
from metasim.errors import LimitError, OptionError
from metasim.scenario.schema import Scenario
from metasim.terminal import console as terminal_console
from metasim.watching.board import Board
from metasim.watching.patient import model_of, model_options

if TYPE_CHECKING:
    from rich.console import Console

    from metasim.engines.cells import CascadeModel


@checked(model_options)
def watch(
    scenario: Scenario,
    *,
    movie: str | Path | None = None,
    cells: str | Path | None = None,
    patient: int = 0,
    console: "Console | None" = None,
    **options: Any,
) -> "CascadeModel":
    """Run one patient on the cell engine and watch the cells per stage and organ.

    Args:
        scenario: from `metasim.load`; whatever its engine is, cells are shown.
        movie: file to write an animation to: .gif, or .mp4 if ffmpeg is installed.
        cells: file to write every transition of every cell to (cells.parquet).
        patient: number of the patient, from 0.
        console: where to show the table; on anything but a terminal only its last state is printed.
        **options: for `metasim.engines.cells.CascadeModel`, e.g. `cell_class`.

    Returns:
        The finished model: `datacollector`, `record()`, `transitions()`.

    Raises:
        LimitError: the cells outgrew `run.max_cells`; what was shown and written until then stays.
        OptionError: the movie's format is not known, or a file cannot be written.

    Example:
        >>> few = ms.load("few_cells", {"run.years": 0.2, "run.patients": 1})
        >>> model = ms.watch(few)  # doctest: +ELLIPSIS
        <BLANKLINE>
        ...
        >>> model.running
        False
    """
    screen = console or terminal_console()
    model = model_of(scenario, patient, history=bool(movie or cells), **options)
    board = Board(model)
    try:
        with ExitStack() as open_:
            film = table = None
            if cells is not None:
                table = open_.enter_context(_writable(Path(cells)))
            if movie is not None:
                from metasim.watching.movie import Movie

                film = open_.enter_context(Movie(movie, scenario, model))
            live = Live(
                console=screen, auto_refresh=False, transient=True
            )  # the last state follows
            if screen.is_terminal:
                open_.enter_context(live)
            if table is not None:
                open_.callback(_write_transitions, model, table)
            while model.running:
                _step(model, board)
                if film is not None:
                    film.shoot()
                if screen.is_terminal and board.is_due():
                    live.update(board.render(), refresh=True)
    finally:
        if model.steps:
            screen.print(board.render())
    return model


def _writable(path: Path) -> IO[bytes]:
    """The file, opened before the cells move rather than after."""
    try:
        return path.open("wb")
    except OSError as error:
        raise OptionError(f"cells {path}: cannot be written ({error.strerror})") from None


def _write_transitions(model: "CascadeModel", file: IO[bytes]) -> None:
    import pyarrow.parquet as pq

    pq.write_table(model.transitions(), file)


def _step(model: "CascadeModel", board: Board) -> None:
    try:
        model.step()
    except LimitError as error:
        error.record = model.record()  # type: ignore[attr-defined]
        raise
    board.look()
