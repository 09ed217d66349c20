"""How organs answer to a key that varies."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.axes import Axes

from metasim.checked import checked
from metasim.errors import OptionError
from metasim.results.plots.registry import FigureKind, register, run_of, tidy
from metasim.results.plots.study import COLUMNS, LABELS, Places, Quantity, study_words
from metasim.results.plots.style import (
    Style,
    colour,
    dashes,
    head,
    name,
    new_axes,
    nothing,
    spread,
)
from metasim.results.plots.text import family, plain
from metasim.results.statistics import z
from metasim.results.sweeps import Sweep

if TYPE_CHECKING:
    import pandas as pd

_POINTS_WITH_BARS: Final = 21
_EIGHTHS: Final = 8


def data(
    sweep: Sweep, *, key: str | None = None, quantity: Quantity = "share", counted: str = "auto"
) -> "pd.DataFrame":
    """The numbers of `response`, see `KIND.columns`; no row where no organ has metastases."""
    import pandas as pd

    key = key or sweep.keys[0]
    if key not in sweep.keys:
        raise OptionError(f"{key} did not vary; choose from {', '.join(sweep.keys)}")
    words = {**study_words(sweep, counted), "key": key, "quantity": quantity}
    alone = len(sweep.keys) == 1
    run = sweep.base.description
    empty = pd.DataFrame(columns=list(KIND.columns))
    places = Places(tidy(empty, run, **words), key)
    rows = sweep.rows(counted)
    columns = list(COLUMNS[quantity])
    tables = []
    for organ in run.by_key:
        part = rows[rows["organ"] == organ]
        if not part[columns[0]].any():
            continue
        part = part.set_index(places.of(part[key]))[columns].sort_index()
        table = part if alone else _around_values(part)
        middle, low, high = (100 if quantity == "share" else 1) * table.to_numpy().T
        numbers = {"value": table.index.to_numpy(), "middle": middle, "low": low, "high": high}
        tables.append(pd.DataFrame({"organ": organ, **numbers}))
    at = places.of(rows[key])
    words |= {"alone": alone, "ends": [float(at.min()), float(at.max())], "mean": float(at.mean())}
    return tidy(pd.concat(tables) if tables else empty, run, **words)


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


def draw(table: "pd.DataFrame", ax: Axes | None = None) -> Axes:
    """A line for each organ, see `response`."""
    run, about = run_of(table), table.attrs
    key = about["key"]
    said = about["keys"][key]["spoken"]
    ax = new_axes(ax, 8.5, 5.2)
    if table.empty:
        return nothing(ax, f"Response to {said}", "no metastasis in any organ at any point")
    places = Places(table, key)
    curves = [(str(organ), part) for organ, part in table.groupby("organ", sort=False)]
    for number, (organ, part) in enumerate(curves):
        x, middle, low, high = (part[c].to_numpy(float) for c in ("value", "middle", "low", "high"))
        ink = colour(run, organ)
        bars = places.named or len(x) <= _POINTS_WITH_BARS
        if bars and len(x) > 1:
            x = places.aside(x, (number / len(curves) - 0.5) * 0.2)
        ax.plot(x, middle, linestyle="none" if places.named else dashes(run, organ), color=ink)
        if bars:
            ax.errorbar(x, middle, [middle - low, high - middle], fmt="o", elinewidth=1,
                        markersize=4, color=ink)  # fmt: skip
        else:
            ax.fill_between(x, low, high, alpha=0.15, linewidth=0, color=ink)
    ax.set_ylim(bottom=0)
    places.mark(ax.xaxis)
    _mark_base(ax, places, about)
    ax.set_xlabel(plain(said), fontfamily=family())
    ax.set_ylabel(LABELS[about["quantity"]])
    bottom, top = ax.get_ylim()
    heights = np.array([float(part["middle"].iloc[-1]) for _, part in curves])
    for place, (organ, _) in zip(
        spread(heights, 0.055 * (top - bottom), bottom, top), curves, strict=True
    ):
        ax.annotate(plain(name(run, organ)), (1, float(place)), (6, 0), va="center",
                    xycoords=("axes fraction", "data"), textcoords="offset points",
                    color=colour(run, organ), annotation_clip=False)  # fmt: skip
    what = "at each point" if about["alone"] else "of means over points; the other keys vary too"
    head(ax, f"Response to {said}", f"{about['detail']}; 95\N{NO-BREAK SPACE}% intervals {what}")
    return ax


def _mark_base(ax: Axes, places: Places, about: dict[Any, Any]) -> None:
    """Where the scenario itself is, if it is among the values."""
    base, (least, most) = about["keys"][about["key"]]["base"], about["ends"]
    if base is None or places.named or not least <= base <= most:
        return
    ax.axvline(base, color="#888888", linestyle=":", linewidth=1.2, zorder=0)
    left = places.share(base, np.array([least, most])) > 0.5
    ax.annotate("as in the scenario", (base, 1), (-4 if left else 4, 0), va="top",
                ha="right" if left else "left", fontsize=10, color="#666666",
                xycoords=("data", "axes fraction"), textcoords="offset points")  # fmt: skip


KIND = register(
    FigureKind(
        "response",
        "Response to a key",
        "How the metastases of each organ answer to a key that varies, with 95 % intervals.",
        {
            "organ": "key of the organ",
            "value": "value of the key (its unit as in `metasim show`), or number of its name",
            "middle": "patients with metastases (%), or metastases per patient",
            "low": "lower end of its 95 % interval",
            "high": "upper end",
        },
        data,
        draw,
        source="sweep",
    )
)


@checked()
def response(
    sweep: Sweep,
    ax: Axes | None = None,
    *,
    key: str | None = None,
    quantity: Quantity = "share",
    counted: str = "auto",
    style: Style | None = None,
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
        style: of Matplotlib, over the settings of metasim.

    Raises:
        OptionError: the key did not vary.
    """
    return KIND(sweep, ax, style=style, key=key, quantity=quantity, counted=counted)
