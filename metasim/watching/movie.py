"""The movie: every cell a dot on the organ graph over the body outline, coloured by stage."""

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import animation
from numpy.typing import NDArray
from PIL import Image

from metasim.errors import OptionError
from metasim.results.plots.style import INK, MUTED, styled
from metasim.results.plots.text import plain
from metasim.scenario.schema import Scenario
from metasim.terms import DAYS_PER_YEAR, Stage
from metasim.watching.backdrop import DPI, HEART, scene
from metasim.watching.colours import STAGE_COLOURS

if TYPE_CHECKING:
    from metasim.engines.cells import CancerCell, CascadeModel

MOST_SHOTS = 120
"""Steps shown at most; longer runs are shown every so many steps."""
MOST_DOTS = 4_000
"""Dots shown at most; of larger colonies a share of the cells is shown."""
FRAMES_PER_SHOT = 3
FRAMES_PER_SECOND = 12

_GOLDEN = np.pi * (3.0 - np.sqrt(5.0))
_DOT = 0.0022  # radius of the room of one cell, in body heights

Points = NDArray[np.float64]


class Movie:
    """Writes an animation of a model, a shot at a time, while the model runs.

    Args:
        path: .gif, or .mp4 if ffmpeg is installed.
        scenario: for the places of the organs and the vessels between them.
        model: the model to film, with `history`.

    Raises:
        OptionError: the format is not known, or cannot be written here.
    """

    def __init__(self, path: str | Path, scenario: Scenario, model: "CascadeModel") -> None:
        self.path = Path(path)
        self.writer = _writer(self.path)
        self.scenario, self.model = scenario, model
        self.every = max(1, -(-model.last_step // MOST_SHOTS))
        self.places = np.array([scenario.soil[name].position for name in model.organs])
        self.rows_seen = 0
        with styled():
            self.scene = scene(scenario, self.places)
            flow = STAGE_COLOURS[Stage.CIRCULATION]
            ax = self.scene.axes
            self.dots = ax.scatter([], [], 5, linewidth=0, zorder=5)
            self.flow = ax.scatter([], [], 11, color=flow, linewidth=0, zorder=6)

    def __enter__(self) -> "Movie":
        try:
            self.writer.setup(self.scene.figure, str(self.path), dpi=DPI)
        except OSError as error:
            raise OptionError(f"movie {self.path}: cannot be written ({error.strerror})") from None
        self.shoot()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._shoot()  # the last day, whatever the stride
        self.writer.finish()

    def shoot(self) -> None:
        """Film this step, if it is one of those that are shown."""
        if self.model.steps % self.every == 0:
            self._shoot()

    def _shoot(self) -> None:
        here, colours = self._dots()
        travellers = self._travellers()
        parts = np.arange(1, FRAMES_PER_SHOT + 1) / FRAMES_PER_SHOT
        for part in parts if travellers else parts[-1:]:
            moving = [(1.0 - part) * np.array(a) + part * np.array(b) for a, b in travellers]
            self._paint(here, colours, np.array(moving).reshape(-1, 2) if part < 1.0 else None)
            self.writer.grab_frame()

    def _paint(self, here: Points, colours: list[str], moving: Points | None) -> None:
        self.dots.set_offsets(here)
        self.dots.set_facecolor(colours)
        self.flow.set_offsets(np.empty((0, 2)) if moving is None else moving)
        model = self.model
        self.scene.clock.set_text(f"day {model.day:,.0f}   ({model.day / DAYS_PER_YEAR:.1f} years)")
        for label, name, n in zip(
            self.scene.labels, model.organs, model.census().sum(axis=0), strict=True
        ):
            label.set_text(plain(f"{self.scenario.soil[name].label or name}  {n:,}"))
            label.set_color(INK if n else MUTED)

    # where the dots are

    def _dots(self) -> tuple[Points, list[str]]:
        """Places and colours: every colony a disc, single cells in a ring around them."""
        places: list[Any] = []
        colours: list[str] = []
        room = dict.fromkeys(range(len(self.places)), 0.0)
        shown = min(1.0, MOST_DOTS / max(1, self.model.n_agents))
        for colony in self.model.alive:
            cells = [cell for kind in colony.cells for cell in kind]
            cells = cells[: max(1, int(shown * len(cells)))]
            radius = _DOT * np.sqrt(len(cells))
            organ = colony.organ
            centre = self.places[organ]
            if room[organ] > 0.0:  # beside the colonies that are there already
                angle = _GOLDEN * colony.number
                centre = centre + (room[organ] + radius) * np.array([np.cos(angle), np.sin(angle)])
            room[organ] = max(room[organ], radius, np.hypot(*(centre - self.places[organ])) * 0.8)
            self._put(cells, centre + _disc(len(cells), radius), places, colours)
        for by_organ in self.model.waiting:
            for organ, units in enumerate(by_organ):
                angles = np.array([_GOLDEN * unit.unique_id for unit in units])
                ring = room[organ] + 0.008 + 0.004 * (np.arange(len(units)) % 3)
                spots = self.places[organ] + ring[:, None] * np.c_[np.cos(angles), np.sin(angles)]
                self._put(units, spots, places, colours)
        return np.array(places).reshape(-1, 2), colours

    def _put(
        self, cells: list["CancerCell"], spots: Points, places: list[Any], colours: list[str]
    ) -> None:
        for cell, spot in zip(cells, spots.tolist(), strict=True):
            places.append(spot)
            colours.append(STAGE_COLOURS[cell.stage])

    def _travellers(self) -> list[tuple[Any, Any]]:
        """From and to, for what was carried by the flow since the last shot."""
        model, out = self.model, []
        started: dict[int, int] = {}
        for cell, _, before, after, organ, *_ in model.ledger.rows[self.rows_seen :]:
            if after is Stage.CIRCULATION and before is not Stage.CIRCULATION:
                started[cell] = organ
            elif before is Stage.CIRCULATION and after is not Stage.CIRCULATION and cell in started:
                to = HEART if after is None else self.places[organ]
                out.append((self.places[started.pop(cell)], to))
        self.rows_seen = len(model.ledger.rows)
        return out


class _GifWriter(animation.PillowWriter):
    """One palette for all frames: a stage keeps its colour, a frame takes a quarter of the room."""

    _frames: list[Image.Image]

    def grab_frame(self, **savefig_kwargs: Any) -> None:
        """Draw the figure as the next frame."""
        super().grab_frame(**savefig_kwargs)
        frame = self._frames[-1].convert("RGB")
        if len(self._frames) == 1:
            hexes = "ffffff" + "".join(colour[1:] for colour in STAGE_COLOURS.values())
            others = frame.quantize(200).getpalette() or []
            self._palette = Image.new("P", (1, 1))
            self._palette.putpalette([*bytes.fromhex(hexes), *others][:768])
        self._frames[-1] = frame.quantize(palette=self._palette, dither=Image.Dither.NONE)


def _disc(n: int, radius: float) -> Points:
    """Points spread evenly over a disc (a sunflower's seeds)."""
    i = np.arange(n)
    r = radius * np.sqrt((i + 0.5) / max(n, 1))
    return np.stack([r * np.cos(_GOLDEN * i), r * np.sin(_GOLDEN * i)], axis=-1)


def _writer(path: Path) -> Any:
    """The writer for a movie's format."""
    if path.suffix == ".gif":
        return _GifWriter(fps=FRAMES_PER_SECOND)
    if path.suffix == ".mp4":
        if not animation.FFMpegWriter.isAvailable():
            raise OptionError(f"movie {path}: .mp4 needs ffmpeg on the PATH; .gif needs no more")
        return animation.FFMpegWriter(fps=FRAMES_PER_SECOND)
    raise OptionError(f"movie {path}: the format is .gif or .mp4")
