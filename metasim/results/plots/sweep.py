"""Figures of a sweep or a sensitivity study into files."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes

from metasim.results.plots.heat_map import heat_map
from metasim.results.plots.ranking import ranking
from metasim.results.plots.response import response
from metasim.results.plots.save import save_figure
from metasim.results.plots.study import is_grid
from metasim.results.sensitivity import Sensitivity
from metasim.results.sweeps import Sweep
from metasim.results.tally import ANY_DISTANT

__all__ = ["heat_map", "ranking", "response", "save_sweep_figures"]


def save_sweep_figures(done: Sweep | Sensitivity, folder: Path) -> list[Path]:
    """Save the figures that suit: as PNG and PDF.

    Raises:
        ResultsError: a file cannot be written.
    """
    figures: dict[str, Callable[[], Axes]] = {}
    if isinstance(done, Sensitivity):
        figures["ranking"] = partial(ranking, done)
    else:
        if len(done.keys) == 2:
            for organ in (ANY_DISTANT, *done.base.organs):
                figures[f"heat_map_{organ.replace(' ', '_')}"] = partial(
                    heat_map, done, organ=organ
                )
        if len(done.keys) != 2 or not is_grid(done):
            figures |= {f"response_{key}": partial(response, done, key=key) for key in done.keys}
    written: list[Path] = []
    for title, draw in figures.items():
        written += save_figure(draw(), folder / title)
    return written
