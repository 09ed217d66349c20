"""What all figures share: type, colours, axes, labels that do not overlap."""

import textwrap
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from metasim.errors import OptionError
from metasim.results.description import Description
from metasim.results.plots.text import family, plain

Style = str | Path | Mapping[str, Any] | Sequence[str | Path | Mapping[str, Any]]
"""A style of Matplotlib: its name, a file, settings, or several of these."""

STYLE: Final[Any] = {
    "font.size": 11,
    "axes.labelsize": 12,
    "axes.titlesize": 14,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.facecolor": "white",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "legend.frameon": False,
    "legend.fontsize": 11,
    "lines.linewidth": 2.0,
    "pdf.fonttype": 42,
}
"""Settings of every figure; font sizes in points."""

INK: Final = "#222222"
MUTED: Final = "#666666"
FAINT: Final = "#BBBBBB"

# Okabe and Ito's colours for all kinds of colour vision, without the yellow (invisible on white).
_PALETTE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES: Final = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))


_ONE_AT_A_TIME: Final = threading.RLock()
_OPEN: Final[list[None]] = []
"""An entry for each `styled` that has begun; only who holds the lock looks at it."""


@contextmanager
def styled(style: Style | None = None) -> Iterator[None]:
    """Settings of figures while they are drawn, and then again those that were.

    Matplotlib's settings are global, so that threads draw one after the other: none sees the
    settings of another or leaves them behind.

    Args:
        style: of Matplotlib, over the settings of metasim; None inside of another `styled` keeps
            the settings of that.

    Raises:
        OptionError: there is no such style.
    """
    with _ONE_AT_A_TIME:
        if _OPEN and style is None:
            yield
            return
        _OPEN.append(None)
        try:
            with rc_context(STYLE):
                _use(style)
                yield
        finally:
            _OPEN.pop()


def _use(style: Style | None) -> None:
    import matplotlib.style

    if style is not None:
        try:
            matplotlib.style.use(style)  # type: ignore[arg-type]
        except (OSError, KeyError, ValueError) as error:
            raise OptionError(f"style {style!r}: {error}") from error
    rcParams["text.usetex"] = False  # titles and labels are plain text
    rcParams["text.parse_math"] = True  # powers of ten


def colour(run: Description, organ: str) -> str:
    """Colour of an organ, by its place in the scenario, the same in every figure."""
    return _PALETTE[_place(run, organ) % len(_PALETTE)]


def dashes(run: Description, organ: str) -> Any:
    """Line style of an organ: tells apart those that have to share a colour."""
    return _DASHES[_place(run, organ) // len(_PALETTE) % len(_DASHES)]


def _place(run: Description, organ: str) -> int:
    return list(run.by_key).index(organ)


def new_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """`ax`, or the axes of a new figure of that size in inches, not known to pyplot."""
    if ax is None:
        ax = Figure(figsize=(width, height), layout="constrained").add_subplot()
    ax.tick_params(labelsize=STYLE["font.size"])
    return ax


def two_rows(size: tuple[float, float]) -> Figure:
    """A figure for two rows of panels, of that width and height in inches."""
    figure = Figure(figsize=size)
    figure.set_layout_engine("constrained", h_pad=0.16)
    return figure


def beside(ax: Axes) -> Axes:
    """Axes with the same rows at the right of `ax`, which gives up room if it is a subplot."""
    spec = ax.get_subplotspec()
    if spec is None:
        return ax.inset_axes((1.06, 0, 0.8, 1), sharey=ax)
    halves = spec.subgridspec(1, 2, width_ratios=(5, 4))
    ax.set_subplotspec(halves[0])
    return ax.figure.add_subplot(halves[1], sharey=ax)


def lay_out(ax: Axes) -> float:
    """Width in inches of the axes, once all that takes room beside them is there."""
    figure = ax.figure.get_figure(root=True)
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
    return float(ax.get_window_extent().width / figure.dpi)


def head(ax: Axes, title: str, detail: str, above: float = 7) -> None:
    """A bold title, and under it what exactly is shown; both wrapped to the width of the axes.

    To be called last, when all that takes room beside the axes is there. `above`: distance from
    the axes in points.
    """
    inches = lay_out(ax)
    lines = textwrap.wrap(unbroken(detail), max(20, int(inches / 0.083)))
    title = textwrap.fill(title, max(15, int(inches / 0.135)))
    ax.set_title(plain(title), pad=above + 3 + 15.5 * len(lines), fontfamily=family())
    ax.annotate(
        plain("\n".join(lines)),
        (0, 1),
        (0, above),
        xycoords="axes fraction",
        textcoords="offset points",
        va="bottom",
        color=MUTED,
        linespacing=1.15,
    )


def unbroken(text: str) -> str:
    """Text whose per cent signs stay on the line of their number."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def nothing(ax: Axes, title: str, message: str) -> Axes:
    """Axes that say why there is nothing to show."""
    ax.set_axis_off()
    ax.set_title(plain(title), fontfamily=family())
    ax.text(
        0.5,
        0.5,
        plain(textwrap.fill(message, 60)),
        transform=ax.transAxes,
        ha="center",
        va="center",
        color=MUTED,
        fontsize=12,
    )
    return ax


def name(run: Description, organ: str) -> str:
    """An organ's label, in lines of 22 letters, marked where its metastases count as local."""
    known = run.by_key[organ]
    return textwrap.fill(known.label + (" (local)" if known.site == "primary" else ""), 22)


def name_rows(ax: Axes, places: Sequence[Any] | NDArray[Any], names: Sequence[str]) -> None:
    """Ticks of the vertical axis with names of users at them."""
    texts = [plain(one) for one in names]
    ax.set_yticks(places, texts, fontfamily=family())


def cohort(run: Description, patients: int) -> str:
    """Beginning of a figure's detail line: the run's title and how many patients it shows."""
    return run_title(run) + count(patients, "patient", "patients")


def run_title(run: Description) -> str:
    """The run's title as the first sentence of a detail line, cut off if it is very long."""
    title = textwrap.shorten(run.title, 90, placeholder="…")
    return f"{title}. ".replace("….", "…") if title else ""


def count(number: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many}"


def spread(wanted: NDArray[np.float64], gap: float, low: float, high: float) -> NDArray[np.float64]:
    """Positions close to `wanted`, in the same order and at least `gap` apart.

    The least-squares solution, found by pooling neighbours that are too close; where they do not
    all fit between `low` and `high`, the gap shrinks.

    Args:
        wanted: where labels would like to be, shape (n,).
        gap: distance between neighbours.
        low: lowest position.
        high: highest position.

    Returns:
        Positions in the order of `wanted`.
    """
    size = len(wanted)
    if size > 1:
        gap = min(gap, (high - low) / (size - 1))
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(size)
    pools: list[tuple[float, int]] = []  # mean of the wanted positions less the steps, members
    for target in wanted[order] - steps:
        mean, members = float(target), 1
        while pools and pools[-1][0] > mean:
            before, others = pools.pop()
            mean = (mean * members + before * others) / (members + others)
            members += others
        pools.append((mean, members))
    placed = np.repeat([mean for mean, _ in pools], [members for _, members in pools])
    result = np.empty(size)
    result[order] = np.clip(placed, low, high - gap * (size - 1)) + steps
    return result


def power_of_ten(value: float) -> str:
    """A number for a label: plain up to 9,999, then as mantissa and power of ten."""
    if value < 9_950:
        return f"{float(f'{value:.2g}'):,.0f}" if value >= 10 else f"{value:.2g}"
    exponent = int(np.floor(np.log10(value)))
    mantissa = round(value / 10**exponent, 1)
    if mantissa == 10:
        mantissa, exponent = 1.0, exponent + 1
    return rf"${mantissa:g}\times 10^{{{exponent}}}$"
