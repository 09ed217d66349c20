"""An organ's answer to two keys."""

from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes

from metasim.checked import checked
from metasim.errors import OptionError
from metasim.results.plots.registry import FigureKind, register, run_of, tidy
from metasim.results.plots.study import (
    COLUMNS,
    LABELS,
    Places,
    Quantity,
    is_grid,
    study_words,
    write_numbers,
)
from metasim.results.plots.style import INK, Style, head, name, new_axes
from metasim.results.plots.text import family, plain
from metasim.results.sweeps import Sweep
from metasim.results.tally import ANY_DISTANT

if TYPE_CHECKING:
    import pandas as pd


def data(
    sweep: Sweep,
    *,
    organ: str = ANY_DISTANT,
    quantity: Quantity = "share",
    counted: str = "auto",
) -> "pd.DataFrame":
    """The numbers of `heat_map`, see `KIND.columns`."""
    import pandas as pd

    if len(sweep.keys) != 2:
        raise OptionError("a heat map needs two keys")
    rows = sweep.rows(counted)
    rows = rows[rows["organ"] == organ]
    if rows.empty:
        raise OptionError(f"no organ {organ!r}; choose from {', '.join(sweep.base.organs)}")
    scale = 100 if quantity == "share" else 1
    numbers = {
        column: scale * rows[there].to_numpy()
        for column, there in zip(("middle", "low", "high"), COLUMNS[quantity], strict=True)
    }
    across, up = sweep.keys
    frame = pd.DataFrame({"across": rows[across], "up": rows[up]}).reset_index(drop=True)
    frame = frame.assign(**numbers)
    words = {**study_words(sweep, counted), "organ": organ, "quantity": quantity}
    return tidy(frame, sweep.base.description, **words, grid=is_grid(sweep))


def draw(table: "pd.DataFrame", ax: Axes | None = None) -> Axes:
    """A map, or dots, see `heat_map`."""
    run, about = run_of(table), table.attrs
    across, up = about["keys"]
    share = about["quantity"] == "share"
    style: dict[str, Any] = {"cmap": "viridis", "vmin": 0, "vmax": table["high"].max()}
    ax = new_axes(ax, 7.5, 5.8)
    ends = {"across": Places(table, across), "up": Places(table, up)}
    rows = table.assign(**{column: place.of(table[column]) for column, place in ends.items()})
    shown: Any
    if about["grid"]:
        grid = rows.pivot(index="up", columns="across", values="middle")
        edges = (ends["across"].edges(grid.columns), ends["up"].edges(grid.index))
        shown = ax.pcolormesh(*edges, grid.to_numpy(), shading="flat", **style)
        if grid.size <= 150:
            write_numbers(ax, list(grid.columns), list(grid.index), grid.to_numpy(),
                          "{:.1f}" if share else "{:.2g}",
                          dark_below=0.6 * style["vmax"])  # fmt: skip
        few = max(grid.shape) <= 12
        ends["across"].mark(ax.xaxis, grid.columns if few else None)
        ends["up"].mark(ax.yaxis, grid.index if few else None)
    else:
        shown = ax.scatter(rows["across"], rows["up"], c=rows["middle"], s=70, edgecolors=INK,
                           linewidths=0.5, **style)  # fmt: skip
        ends["across"].mark(ax.xaxis)
        ends["up"].mark(ax.yaxis)
    bar = ax.figure.colorbar(shown, ax=ax)
    bar.set_label(LABELS[about["quantity"]])
    bar.outline.set_visible(False)  # type: ignore[operator]
    ax.set_xlabel(plain(about["keys"][across]["spoken"]), fontfamily=family())
    ax.set_ylabel(plain(about["keys"][up]["spoken"]), fontfamily=family())
    where = about["organ"] if about["organ"] == ANY_DISTANT else name(run, about["organ"])
    head(ax, f"Metastases: {where}", about["detail"])
    return ax


KIND = register(
    FigureKind(
        "heat_map",
        "Metastases of an organ by two keys",
        "An organ's answer to two keys: a map of a grid, dots of a sample.",
        {
            "across": "value of the first key (its unit as in `metasim show`)",
            "up": "value of the second key",
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
def heat_map(
    sweep: Sweep,
    ax: Axes | None = None,
    *,
    organ: str = ANY_DISTANT,
    quantity: Quantity = "share",
    counted: str = "auto",
    style: Style | None = None,
) -> Axes:
    """An organ's answer to two keys: a map of a grid, dots of a sample.

    The colours end where the largest interval does, so that chance alone gives no full colour.

    Args:
        sweep: a finished sweep over two keys.
        ax: axes to draw into; by default those of a new figure.
        organ: whose metastases; by default those of any distant organ.
        quantity: share of patients, or mean number of metastases.
        counted: which metastases, as for `metasim.summarise`.
        style: of Matplotlib, over the settings of metasim.

    Raises:
        OptionError: the sweep is not over two keys, or there is no such organ.
    """
    return KIND(sweep, ax, style=style, organ=organ, quantity=quantity, counted=counted)
