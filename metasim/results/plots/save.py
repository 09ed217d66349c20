"""Figures into files."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metasim.errors import OptionError
from metasim.results.folder import plain_errors
from metasim.results.plots.registry import FIGURES
from metasim.results.plots.style import styled
from metasim.results.store import Results


def save_figures(
    results: Results, folder: str | Path, names: Sequence[str] | None = None
) -> list[Path]:
    """Save figures as PNG (200 dpi) and PDF; the same results give the same bytes.

    Args:
        results: a finished run.
        folder: where to; made if it is missing.
        names: which figures; by default those that are `worth_drawing`.

    Returns:
        The files written.

    Raises:
        OptionError: a name is not that of a figure.
        ResultsError: a named figure needs a table that was not recorded, or a file cannot be
            written.
    """
    if names is None:
        names = worth_drawing(results)
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        raise OptionError(f"no figure {unknown[0]!r}; choose from {', '.join(FIGURES)}")
    target = Path(folder)
    written = []
    for name in names:
        written += save_figure(FIGURES[name](results), target / name)
    return written


def worth_drawing(results: Results) -> list[str]:
    """Figures that the recording level allows and that have something to show."""
    return [name for name, kind in FIGURES.items() if kind.applies(results)]


def save_figure(ax: Axes, path: Path) -> list[Path]:
    """Save the figure of some axes as `path` with .png (200 dpi) and .pdf.

    Raises:
        ResultsError: a file cannot be written.
    """
    figure = cast(Figure, ax.figure)
    with plain_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        png, pdf = path.with_name(f"{path.name}.png"), path.with_name(f"{path.name}.pdf")
        with styled():
            figure.savefig(png, dpi=200, metadata={"Software": None})
            figure.set_layout_engine("none")  # it stands; laying out again takes time
            figure.savefig(pdf, metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return [png, pdf]
