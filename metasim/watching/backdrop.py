"""What does not move in the movie: the body, the vessels, the legend; drawn once."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, PathPatch
from matplotlib.text import Text
from numpy.typing import NDArray

from metasim.results.plots.body import flows
from metasim.results.plots.outline import body_outline
from metasim.results.plots.style import FAINT, INK, spread
from metasim.results.plots.text import plain
from metasim.scenario.schema import Scenario
from metasim.terms import Stage
from metasim.watching.colours import STAGE_COLOURS

DPI = 100
HEART = (0.012, 0.735)
_SIZE = (7.6, 6.5)
_BLOOD, _LYMPH = "#A23B3B", "#3A7D44"
_LABELS_X = 0.22


class Scene(NamedTuple):
    """A figure that costs little to draw again: the backdrop is a picture in it."""

    figure: Figure
    axes: Axes
    clock: Text
    labels: list[Text]


def scene(scenario: Scenario, places: NDArray[np.float64]) -> Scene:
    """The scene of a scenario.

    Args:
        scenario: its organs, their labels and the vessels between them.
        places: (O, 2) of the organs, in body heights.
    """
    spots = _label_spots(places)
    drawn = Figure(figsize=_SIZE, dpi=DPI)
    canvas = FigureCanvasAgg(drawn)
    ax = _axes(drawn, places)
    ax.add_patch(PathPatch(body_outline(), facecolor="#F4EFE9", edgecolor="#CFC6BB", zorder=0))
    _draw_vessels(ax, scenario, places)
    for (x, y), place in zip(spots, places, strict=True):
        ax.plot([x, place[0]], [y, place[1]], color=FAINT, linewidth=0.9, zorder=1)
    dots = [
        Line2D([], [], linestyle="", marker="o", markersize=6, color=STAGE_COLOURS[stage],
               label=f"{stage.value} {stage.label.replace('_', ' ')}")
        for stage in Stage
    ]  # fmt: skip
    ax.legend(handles=dots, loc="lower left", title="stage of the cell", alignment="left")
    drawn.text(0.03, 0.955, plain(scenario.title or "metasim"), weight="bold", size=14, color=INK)
    canvas.draw()  # type: ignore[no-untyped-call]

    figure = Figure(figsize=_SIZE, dpi=DPI)
    figure.figimage(np.asarray(canvas.buffer_rgba()), zorder=-1)  # type: ignore[no-untyped-call]
    ax = _axes(figure, places)
    clock = figure.text(0.97, 0.955, "", ha="right", size=13, color=INK)
    labels = [
        ax.text(x + np.copysign(0.006, x), y, "", va="center", ha="right" if x < 0 else "left")
        for x, y in spots
    ]
    return Scene(figure, ax, clock, labels)


def _axes(figure: Figure, places: NDArray[np.float64]) -> Axes:
    ax = figure.add_axes((0.0, 0.0, 1.0, 0.94))
    ax.set_xlim(-0.41, 0.41)
    ax.set_ylim(float(places[:, 1].min()) - 0.14, 1.02)  # below, legs would tell nothing
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def _label_spots(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the organs' names stand: in a column on either side, (O, 2)."""
    spots = np.empty_like(places)
    by_x = np.argsort(places[:, 0], kind="stable")
    half = len(by_x) // 2
    for side, members in ((-1, by_x[:half]), (1, by_x[half:])):
        spots[members, 0] = side * _LABELS_X
        spots[members, 1] = spread(places[members, 1], 0.035, 0.02, 0.98)
    return spots


def _draw_vessels(ax: Axes, scenario: Scenario, places: NDArray[np.float64]) -> None:
    vessels = scenario.vessels
    names = {name for route in vessels.values() for a in route for name in (a, *route[a])}
    at = dict.fromkeys(names, HEART) | dict(zip(scenario.soil, map(tuple, places), strict=True))
    blood = flows(vessels.get("blood", {}))
    drawn = [(ends, _BLOOD, 7.0 * flow) for ends, flow in blood.items()]
    drawn += [((a, b), _LYMPH, 1.5) for a, to in vessels.get("lymph", {}).items() for b in to]
    for (start, end), colour, width in drawn:
        if at[start] != at[end]:
            vessel = FancyArrowPatch(
                at[start], at[end], connectionstyle="arc3,rad=0.2", arrowstyle="-",
                linewidth=max(0.6, width), color=colour, alpha=0.22, zorder=2,
            )  # fmt: skip
            ax.add_patch(vessel)
