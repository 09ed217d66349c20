"""Figures of sweeps: response curves, heat maps, ranked sensitivity."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from matplotlib.axes import Axes

from metasim.errors import OptionError
from metasim.results.plots.save import save_figure
from metasim.results.plots.style import (
    INK,
    colour,
    count,
    dashes,
    head,
    in_style,
    name,
    name_rows,
    new_axes,
    nothing,
    run_title,
    spread,
)
from metasim.results.plots.text import family, plain
from metasim.results.sensitivity import Sensitivity
from metasim.results.statistics import z
from metasim.results.summary import PLURALS
from metasim.results.sweeps import Sweep
from metasim.results.tally import ANY_DISTANT

if TYPE_CHECKING:
    import pandas as pd

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
_POINTS_WITH_BARS: Final = 21
_EIGHTHS: Final = 8


@in_style
def response(
    sweep: Sweep,
    ax: Axes | None = None,
    *,
    key: str | None = None,
    quantity: Quantity = "share",
    counted: str = "auto",
) -> Axes:
    """How each organ answers to a key, with 95 % intervals: bars, or bands over many values.

    Where other keys vary too: means over the points of about the same value, at most eight, with
    the interval that the points around them give.

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
    columns = list(_COLUMNS[quantity])
    hit = [organ for organ in sweep.base.organs
           if rows.loc[rows["organ"] == organ, columns[0]].any()]  # fmt: skip
    alone = len(sweep.keys) == 1
    ends = []
    places = Places(sweep, key)
    for number, organ in enumerate(hit):
        part = rows[rows["organ"] == organ]
        part = part.set_index(places.of(part[key]))[columns].sort_index()
        table = part if alone else _around_values(part)
        x, ink = table.index.to_numpy(), colour(sweep.base, organ)
        middle, low, high = scale * table.to_numpy().T
        bars = places.named or len(x) <= _POINTS_WITH_BARS
        if bars and len(x) > 1:
            x = places.aside(x, (number / len(hit) - 0.5) * 0.2)
        line = "none" if places.named else dashes(sweep.base, organ)
        ax.plot(x, middle, linestyle=line, color=ink)
        if bars:
            ax.errorbar(x, middle, [middle - low, high - middle], fmt="o", elinewidth=1,
                        markersize=4, color=ink)  # fmt: skip
        else:
            ax.fill_between(x, low, high, alpha=0.15, linewidth=0, color=ink)
        ends.append((float(middle[-1]), organ))
    title = f"Response to {_spoken(sweep, key)}"
    if not ends:
        return nothing(ax, title, "no metastasis in any organ at any point")
    ax.set_ylim(bottom=0)
    places.mark(ax.xaxis)
    base, at = _base_value(sweep, key), places.of(rows[key])
    if base is not None and not places.named and at.min() <= base <= at.max():
        ax.axvline(base, color="#888888", linestyle=":", linewidth=1.2, zorder=0)
        left = places.share(base, at) > 0.5
        ax.annotate("as in the scenario", (base, 1), (-4 if left else 4, 0), va="top",
                    ha="right" if left else "left", fontsize=10, color="#666666",
                    xycoords=("data", "axes fraction"),
                    textcoords="offset points")  # fmt: skip
    ax.set_xlabel(plain(_spoken(sweep, key)), fontfamily=family())
    ax.set_ylabel(_LABELS[quantity])
    heights = np.array([height for height, _ in ends])
    bottom, top = ax.get_ylim()
    for place, (_, organ) in zip(
        spread(heights, 0.055 * (top - bottom), bottom, top), ends, strict=True
    ):
        ax.annotate(plain(name(sweep.base, organ)), (1, float(place)), (6, 0), va="center",
                    xycoords=("axes fraction", "data"), textcoords="offset points",
                    color=colour(sweep.base, organ), annotation_clip=False)  # fmt: skip
    what = "at each point" if alone else "of means over points; the other keys vary too"
    head(ax, title, _detail(sweep, counted, f"95\N{NO-BREAK SPACE}% intervals {what}"))
    return ax


def _around_values(part: "pd.DataFrame") -> "pd.DataFrame":
    """Mean, low and high over the points of each value of the index, or of eighths of them."""
    import pandas as pd

    x, y = part.index.to_series(), part.iloc[:, 0]
    groups = x if x.nunique() <= _EIGHTHS else pd.qcut(x, _EIGHTHS, labels=False)
    by = y.groupby(groups.to_numpy())
    middle = by.mean()
    half = z(0.95) * (by.std().fillna(0) / np.sqrt(by.size()))
    at = x.groupby(groups.to_numpy()).mean()
    return pd.DataFrame(
        {"middle": middle, "low": (middle - half).clip(lower=0), "high": middle + half}
    ).set_index(at)


def _base_value(sweep: Sweep, key: str) -> float | None:
    """The value of a key in the scenario that is varied; None: it differs between patients."""
    value: Any = sweep.base.scenario
    if key in value.get("patients", {}):
        return None
    for part in key.split("."):
        value = value[int(part)] if isinstance(value, list) else value.get(part)
        if value is None:
            return None
    return float(value) if isinstance(value, int | float) else None


@in_style
def heat_map(
    sweep: Sweep,
    ax: Axes | None = None,
    *,
    organ: str = ANY_DISTANT,
    quantity: Quantity = "share",
    counted: str = "auto",
) -> Axes:
    """An organ's answer to two keys: a map of a grid, dots of a sample.

    The colours end where the largest interval does, so that chance alone gives no full colour.

    Args:
        sweep: a finished sweep over two keys.
        ax: axes to draw into; by default those of a new figure.
        organ: whose metastases; by default those of any distant organ.
        quantity: share of patients, or mean number of metastases.
        counted: which metastases, as for `metasim.summarise`.

    Raises:
        OptionError: the sweep is not a grid over two keys, or there is no such organ.
    """
    if len(sweep.keys) != 2:
        raise OptionError("a heat map needs two keys")
    rows = sweep.rows(counted)
    rows = rows[rows["organ"] == organ]
    if rows.empty:
        raise OptionError(f"no organ {organ!r}; choose from {', '.join(sweep.base.organs)}")
    across, up = sweep.keys
    column, _, highest = _COLUMNS[quantity]
    scale = 100 if quantity == "share" else 1
    style: dict[str, Any] = {"cmap": "viridis", "vmin": 0, "vmax": scale * rows[highest].max()}
    ax = new_axes(ax, 7.5, 5.8)
    shown: Any
    ends = {key: Places(sweep, key) for key in (across, up)}
    rows = rows.assign(**{key: place.of(rows[key]) for key, place in ends.items()})
    if _is_grid(sweep):
        table = scale * rows.pivot(index=up, columns=across, values=column)
        edges = (ends[across].edges(table.columns), ends[up].edges(table.index))
        shown = ax.pcolormesh(*edges, table.to_numpy(), shading="flat", **style)
        if table.size <= 150:
            _write_numbers(ax, list(table.columns), list(table.index), table.to_numpy(),
                           "{:.1f}" if quantity == "share" else "{:.2g}", dark_below=0.6 *
                           style["vmax"])  # fmt: skip
        few = max(table.shape) <= 12
        ends[across].mark(ax.xaxis, table.columns if few else None)
        ends[up].mark(ax.yaxis, table.index if few else None)
    else:
        shown = ax.scatter(rows[across], rows[up], c=scale * rows[column], s=70, edgecolors=INK,
                           linewidths=0.5, **style)  # fmt: skip
        ends[across].mark(ax.xaxis)
        ends[up].mark(ax.yaxis)
    bar = ax.figure.colorbar(shown, ax=ax)
    bar.set_label(_LABELS[quantity])
    bar.outline.set_visible(False)  # type: ignore[operator]
    ax.set_xlabel(plain(_spoken(sweep, across)), fontfamily=family())
    ax.set_ylabel(plain(_spoken(sweep, up)), fontfamily=family())
    where = organ if organ == ANY_DISTANT else name(sweep.base, organ)
    head(ax, f"Metastases: {where}", _detail(sweep, counted))
    return ax


@in_style
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
    _write_numbers(ax, range(len(organs)), range(len(share)), share.to_numpy(), "{:.2f}",
                   dark_above=0.6, margin=margin.to_numpy())  # fmt: skip
    names = [plain(name(sweep.base, o).replace(" ", "\n")) for o in organs]
    ax.set_xticks(range(len(organs)), names, fontfamily=family())
    name_rows(ax, range(len(share)), [_spoken(sweep, key) for key in share.index])
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
    else:
        figures = {}
        if len(done.keys) == 2:
            for organ in (ANY_DISTANT, *done.base.organs):
                figures[f"heat_map_{organ.replace(' ', '_')}"] = _heat_map_of(done, organ)
        if len(done.keys) != 2 or not _is_grid(done):
            figures |= {f"response_{key}": _response_to(done, key) for key in done.keys}
    written = []
    for title, draw in figures.items():
        written += save_figure(draw(), folder / title)
    return written


class Places:
    """Where the values of a key lie on an axis: numbers where they are, names side by side.

    Args:
        sweep: a finished sweep.
        key: one of its keys.
    """

    def __init__(self, sweep: Sweep, key: str) -> None:
        scale = sweep.scale(key)
        self.named = scale == "names"
        self._log = scale == "log"
        self._names = list(dict.fromkeys(sweep.table[key].astype(str))) if self.named else []

    def of(self, values: "pd.Series[Any]") -> np.ndarray:
        """Places of values."""
        if not self.named:
            return values.to_numpy(dtype=float)
        return np.array([self._names.index(str(value)) for value in values], dtype=float)

    def aside(self, x: np.ndarray, part: float) -> np.ndarray:
        """Places moved by a part of the smallest distance between them."""
        if self._log:
            return np.asarray(x * np.exp(part * np.diff(np.log(x)).min()))
        return np.asarray(x + part * np.diff(x).min())

    def edges(self, places: Any) -> np.ndarray:
        """Ends of the cells around places in order: half-way between them."""
        x = np.asarray(places, dtype=float)
        x = np.log(x) if self._log else x
        if len(x) == 1:
            between = np.array([x[0] - 0.5, x[0] + 0.5])
        else:
            middle = (x[1:] + x[:-1]) / 2
            between = np.array([2 * x[0] - middle[0], *middle, 2 * x[-1] - middle[-1]])
        return np.exp(between) if self._log else between

    def share(self, value: float, of: np.ndarray) -> float:
        """How far along the axis a value lies, from 0 to 1."""
        ends = np.array([of.min(), value, of.max()])
        low, here, high = np.log(ends) if self._log else ends
        return float((here - low) / (high - low)) if high > low else 0.5

    def mark(self, axis: Any, values: Any = None) -> None:
        """Give an axis its scale and ticks; those of some values, if given."""
        if self.named:
            axis.set_ticks(
                range(len(self._names)), [name.replace("_", " ") for name in self._names]
            )
            return
        if self._log:
            (axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale)("log")
        if values is not None:
            axis.set_ticks(values, [f"{value:.3g}" for value in values], minor=False)
            if self._log:
                axis.minorticks_off()


def _spoken(sweep: Sweep, key: str) -> str:
    """A key; that of a treatment with what it is."""
    first, number = key.split(".")[:2]
    if first != "treatment":
        return key
    return f"{key} ({sweep.base.description.treatments[int(number)].kind})"


def _is_grid(sweep: Sweep) -> bool:
    return bool(sweep.provenance["design"] == "grid")


def _heat_map_of(sweep: Sweep, organ: str) -> Callable[[], Axes]:
    return lambda: heat_map(sweep, organ=organ)


def _response_to(sweep: Sweep, key: str) -> Callable[[], Axes]:
    return lambda: response(sweep, key=key)


def _detail(sweep: Sweep, counted: str, more: str = "") -> str:
    points = count(sweep.provenance["points"], "point", "points")
    patients = count(sweep.base.description.patients, "patient", "patients")
    what = PLURALS[sweep.counted(counted)]
    text = f"{run_title(sweep.base)}{points} of the same {patients}. Counted: {what}"
    return f"{text}; {more}" if more else text


def _write_numbers(
    ax: Axes,
    x: Iterable[Any],
    y: Iterable[Any],
    table: np.ndarray,
    form: str,
    *,
    dark_above: float = np.inf,
    dark_below: float = -np.inf,
    margin: np.ndarray | None = None,
) -> None:
    """Write each cell's number into it, white on what is dark.

    With `margin`: also half of its interval.
    """
    for i, below in enumerate(y):
        for j, left in enumerate(x):
            value = table[i, j]
            if np.isnan(value):
                continue
            dark = value > dark_above or value < dark_below
            text = form.format(value)
            if margin is not None:
                text += f" ± {form.format(margin[i, j])}"
            ax.text(left, below, text, ha="center", va="center", fontsize=9,
                    color="white" if dark else INK)  # fmt: skip
