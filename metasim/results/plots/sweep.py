"""Figures of sweeps: response curves, heat maps, ranked sensitivity."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metasim.errors import OptionError
from metasim.results.folder import plain_errors
from metasim.results.plots.style import (
    INK,
    STYLE,
    colour,
    count,
    dashes,
    head,
    name,
    new_axes,
    nothing,
    run_title,
    spread,
)
from metasim.results.sensitivity import Sensitivity
from metasim.results.summary import PLURALS
from metasim.results.sweeps import Sweep
from metasim.results.tally import ANY_DISTANT

Quantity = Literal["share", "metastases"]

_COLUMNS: Final = {
    "share": ("share_with", "share_low", "share_high"),
    "metastases": ("metastases_per_patient", "metastases_low", "metastases_high"),
}
_LABELS: Final = {
    "share": "patients with metastases (%)",
    "metastases": "metastases per patient",
}
_PARAMETERS_SHOWN: Final = 15
_POINTS_WITH_BARS: Final = 21  # more: bands


@rc_context(STYLE)
def response(
    sweep: Sweep,
    ax: Axes | None = None,
    *,
    key: str | None = None,
    quantity: Quantity = "share",
    counted: str = "auto",
) -> Axes:
    """How each organ answers to a key, with 95 % intervals: bars side by side at up to 21 points.

    Bands where a single key takes more values; points without a line where other keys vary too.

    Args:
        sweep: a finished sweep.
        ax: axes to draw into; by default those of a new figure.
        key: which of its keys; by default the first.
        quantity: share of patients, or mean number of metastases.
        counted: which metastases, as for `metasim.summarise`.

    Raises:
        OptionError: the key did not vary.
    """
    key = key or sweep.keys[0]
    if key not in sweep.keys:
        raise OptionError(f"{key} did not vary; choose from {', '.join(sweep.keys)}")
    rows = sweep.rows(counted)
    scale = 100 if quantity == "share" else 1
    ax = new_axes(ax, 8.5, 5.2)
    column, *around = _COLUMNS[quantity]
    hit = [organ for organ in sweep.base.organs
           if rows.loc[rows["organ"] == organ, column].any()]  # fmt: skip
    alone = len(sweep.keys) == 1
    beside = np.zeros(len(hit))
    values = np.unique(rows[key])
    bars = not alone or len(values) <= _POINTS_WITH_BARS
    if alone and bars and len(values) > 1:
        beside = np.linspace(-0.1, 0.1, len(hit)) * np.diff(values).min()
    ends = []
    for organ, shift in zip(hit, beside, strict=True):
        part = rows[rows["organ"] == organ].sort_values(key)
        x = part[key].to_numpy() + shift
        middle, low, high = (scale * part[name].to_numpy() for name in (column, *around))
        ink = colour(sweep.base, organ)
        if alone:
            ax.plot(x, middle, linestyle=dashes(sweep.base, organ), color=ink)
        if not bars:
            ax.fill_between(x, low, high, alpha=0.15, linewidth=0, color=ink)
        else:
            ax.errorbar(x, middle, [middle - low, high - middle], fmt="o", elinewidth=1,
                        markersize=4 if alone else 3, alpha=1 if alone else 0.6,
                        color=ink)  # fmt: skip
        ends.append((float(middle[-1]), organ))
    title = f"Response to {_spoken(sweep, key)}"
    if not ends:
        return nothing(ax, title, "no metastasis in any organ at any point")
    ax.set_ylim(bottom=0)
    ax.set_xlabel(_spoken(sweep, key))
    ax.set_ylabel(_LABELS[quantity])
    heights = np.array([height for height, _ in ends])
    bottom, top = ax.get_ylim()
    for place, (_, organ) in zip(
        spread(heights, 0.055 * (top - bottom), bottom, top), ends, strict=True
    ):
        ax.annotate(name(sweep.base, organ), (1, float(place)), (6, 0), va="center",
                    xycoords=("axes fraction", "data"), textcoords="offset points",
                    color=colour(sweep.base, organ), annotation_clip=False)  # fmt: skip
    head(ax, title, _detail(sweep, counted, "95 % intervals at each point"))
    return ax


@rc_context(STYLE)
def heat_map(
    sweep: Sweep,
    ax: Axes | None = None,
    *,
    organ: str = ANY_DISTANT,
    quantity: Quantity = "share",
    counted: str = "auto",
) -> Axes:
    """An organ's answer to the two keys of a grid.

    Args:
        sweep: a finished sweep of a grid over two keys.
        ax: axes to draw into; by default those of a new figure.
        organ: whose metastases; by default those of any distant organ.
        quantity: share of patients, or mean number of metastases.
        counted: which metastases, as for `metasim.summarise`.

    Raises:
        OptionError: the sweep is not a grid over two keys, or there is no such organ.
    """
    if len(sweep.keys) != 2 or sweep.provenance["design"] != "grid":
        raise OptionError("a heat map needs a grid over two keys")
    rows = sweep.rows(counted)
    rows = rows[rows["organ"] == organ]
    if rows.empty:
        raise OptionError(f"no organ {organ!r}; choose from {', '.join(sweep.base.organs)}")
    across, up = sweep.keys
    scale = 100 if quantity == "share" else 1
    table = scale * rows.pivot(index=up, columns=across, values=_COLUMNS[quantity][0])
    ax = new_axes(ax, 7.5, 5.8)
    mesh = ax.pcolormesh(table.columns, table.index, table.to_numpy(), cmap="viridis", vmin=0,
                         shading="nearest")  # fmt: skip
    bar = ax.figure.colorbar(mesh, ax=ax)
    bar.set_label(_LABELS[quantity])
    bar.outline.set_visible(False)  # type: ignore[operator]
    if table.size <= 150:
        _write_numbers(ax, list(table.columns), list(table.index), table.to_numpy())
    if max(table.shape) <= 12:
        ax.set_xticks(table.columns)
        ax.set_yticks(table.index)
    ax.set_xlabel(_spoken(sweep, across))
    ax.set_ylabel(_spoken(sweep, up))
    where = organ if organ == ANY_DISTANT else sweep.base.label(organ)
    head(ax, f"Metastases: {where}", _detail(sweep, counted))
    return ax


@rc_context(STYLE)
def ranking(study: Sensitivity, ax: Axes | None = None) -> Axes:
    """Which parameter drives which organ: the parameters that matter most, ranked.

    Each column is divided by its largest entry, so that organs of very different numbers can be
    read side by side; the parameters stand in the order of their largest entry. What does not
    stand out from chance (`clear` in the table) stays empty; organs without metastases are left
    out.

    Args:
        study: a finished study.
        ax: axes to draw into; by default those of a new figure.
    """
    sweep = study.sweep
    organs = [organ for organ in sweep.base.organs if organ in set(study.table["organ"])]
    index, half, clear = (study.table.pivot(index="key", columns="organ", values=column)[organs]
                          for column in ("index", "half_width", "clear"))  # fmt: skip
    organs = [organ for organ in organs if index[organ].any()]
    index = index.where(clear)
    ax = new_axes(ax, 10.5, 7.5)
    title = "Which parameter drives which organ"
    if not clear[organs].any(axis=None):
        return nothing(ax, title, "no parameter stands out from chance; more patients may help")
    share = index[organs] / index[organs].max()
    order = share.max(axis=1).sort_values(ascending=False, kind="stable").dropna().index
    share = share.loc[order[:_PARAMETERS_SHOWN]]
    margin = (half[organs] / index[organs].max()).loc[share.index]
    ax.pcolormesh(range(len(organs)), range(len(share)), share.fillna(0).to_numpy(), cmap="Blues",
                  vmin=0, vmax=1.15, shading="nearest", edgecolors="white")  # fmt: skip
    _write_numbers(ax, range(len(organs)), range(len(share)), share.to_numpy(), "{:.2f}", 0.6,
                   margin.to_numpy())  # fmt: skip
    ax.set_xticks(range(len(organs)), [name(sweep.base, o).replace(" ", "\n") for o in organs])
    ax.set_yticks(range(len(share)), [_spoken(sweep, key) for key in share.index])
    ax.invert_yaxis()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("organ where metastases are counted")
    ax.set_ylabel("parameter, over its range")
    what = "mean absolute elementary effect (Morris)" if study.method == "morris" else (
        "total index (Sobol)")  # fmt: skip
    detail = _detail(sweep, study.table["counted"].iloc[0])
    head(ax, title, f"{detail}. Index: {what}, largest of each organ = 1, ± 95 % interval; empty "
         f"where not beyond chance; {len(share)} of {len(index)} parameters")  # fmt: skip
    return ax


def save_sweep_figures(done: Sweep | Sensitivity, folder: Path) -> list[Path]:
    """Save the figures that suit: as PNG and PDF.

    Raises:
        ResultsError: a file cannot be written.
    """
    figures: dict[str, Callable[[], Axes]]
    if isinstance(done, Sensitivity):
        study = done
        figures = {"ranking": lambda: ranking(study)}
    elif len(done.keys) == 2 and done.provenance["design"] == "grid":
        sweep = done
        shown = [ANY_DISTANT, *done.base.organs]
        figures = {f"heat_map_{organ.replace(' ', '_')}": _heat_map_of(sweep, organ)
                   for organ in shown}  # fmt: skip
    else:
        figures = {f"response_{key}": _response_to(done, key) for key in done.keys}
    written = []
    for title, draw in figures.items():
        figure = cast(Figure, draw().figure)
        with plain_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for suffix in ("png", "pdf"):
                path = folder / f"{title}.{suffix}"
                figure.savefig(path, dpi=200)
                written.append(path)
    return written


def _spoken(sweep: Sweep, key: str) -> str:
    """A key; that of a treatment with what it is."""
    first, number = key.split(".")[:2]
    if first != "treatment":
        return key
    return f"{key} ({sweep.base.scenario['treatment'][int(number)]['kind']})"


def _heat_map_of(sweep: Sweep, organ: str) -> Callable[[], Axes]:
    return lambda: heat_map(sweep, organ=organ)


def _response_to(sweep: Sweep, key: str) -> Callable[[], Axes]:
    return lambda: response(sweep, key=key)


def _detail(sweep: Sweep, counted: str, more: str = "") -> str:
    points = count(sweep.provenance["points"], "point", "points")
    patients = count(sweep.base.scenario["run"]["patients"], "patient", "patients")
    what = PLURALS[sweep.counted(counted)]
    text = f"{run_title(sweep.base)}{points} of the same {patients}. Counted: {what}"
    return f"{text}; {more}" if more else text


def _write_numbers(
    ax: Axes,
    x: Iterable[Any],
    y: Iterable[Any],
    table: np.ndarray,
    form: str = "{:.2g}",
    half: float = 0.0,
    margin: np.ndarray | None = None,
) -> None:
    """Write each cell's number into it, white on dark: above `half` (Blues), else below.

    With `margin`: also half of its interval.
    """
    top = np.nanmax(table) if table.size else 0
    for i, below in enumerate(y):
        for j, left in enumerate(x):
            value = table[i, j]
            if np.isnan(value):
                continue
            dark = value > half if half else value < 0.6 * top
            text = form.format(value)
            if margin is not None:
                text += f" ± {form.format(margin[i, j])}"
            ax.text(left, below, text, ha="center", va="center", fontsize=9,
                    color="white" if dark else INK)  # fmt: skip
