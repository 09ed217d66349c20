"""Which parameter drives which organ."""

from typing import TYPE_CHECKING, Final

from matplotlib.axes import Axes

from metasim.checked import checked
from metasim.results.plots.registry import FigureKind, register, run_of, tidy
from metasim.results.plots.study import spoken, study_words, write_numbers
from metasim.results.plots.style import Style, head, name, name_rows, new_axes, nothing
from metasim.results.plots.text import family, plain
from metasim.results.sensitivity import Sensitivity

if TYPE_CHECKING:
    import pandas as pd

_PARAMETERS_SHOWN: Final = 15


def data(study: Sensitivity) -> "pd.DataFrame":
    """The numbers of `ranking`, see `KIND.columns`."""
    sweep = study.sweep
    table = study.table[["organ", "key", "index", "half_width", "clear"]].copy()
    table["spoken"] = [spoken(sweep, key) for key in table["key"]]
    words = study_words(sweep, study.table["counted"].iloc[0])
    return tidy(table, sweep.base.description, detail=words["detail"], method=study.method)


def draw(table: "pd.DataFrame", ax: Axes | None = None) -> Axes:
    """A map of keys and organs, see `ranking`."""
    run = run_of(table)
    organs = [organ for organ in run.by_key if organ in set(table["organ"])]
    index, half, clear = (table.pivot(index="key", columns="organ", values=column)[organs]
                          for column in ("index", "half_width", "clear"))  # fmt: skip
    organs = [organ for organ in organs if index[organ].any()]
    index = index.where(clear.astype(bool))
    ax = new_axes(ax, 10.5, 7.5)
    if not clear[organs].any(axis=None):
        said = "no parameter stands out from chance; more patients may help"
        return nothing(ax, KIND.title, said)
    share = index[organs] / index[organs].max()
    order = share.max(axis=1).sort_values(ascending=False, kind="stable").dropna().index
    share = share.loc[order[:_PARAMETERS_SHOWN]]
    margin = (half[organs] / index[organs].max()).loc[share.index]
    ax.pcolormesh(range(len(organs)), range(len(share)), share.fillna(0).to_numpy(), cmap="Blues",
                  vmin=0, vmax=1.15, shading="nearest", edgecolors="white")  # fmt: skip
    write_numbers(ax, range(len(organs)), range(len(share)), share.to_numpy(), "{:.2f}",
                  dark_above=0.6, margin=margin.to_numpy())  # fmt: skip
    names = [plain(name(run, organ).replace(" ", "\n")) for organ in organs]
    ax.set_xticks(range(len(organs)), names, fontfamily=family())
    said_keys = table.drop_duplicates("key").set_index("key")["spoken"]
    name_rows(ax, range(len(share)), list(said_keys[share.index]))
    ax.invert_yaxis()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("organ where metastases are counted")
    ax.set_ylabel("parameter, over its range")
    morris = table.attrs["method"] == "morris"
    what = "mean absolute elementary effect (Morris)" if morris else "total index (Sobol)"
    detail = table.attrs["detail"]
    head(ax, KIND.title, f"{detail}. Index: {what}, largest of each organ = 1, ± 95 % interval; "
         f"empty where not beyond chance; {len(share)} of {len(index)} parameters")  # fmt: skip
    return ax


KIND = register(
    FigureKind(
        "ranking",
        "Which parameter drives which organ",
        "The parameters that matter most for each organ, ranked; chance is left out.",
        {
            "organ": "key of the organ",
            "key": "key path of the parameter",
            "index": "its sensitivity index (Morris: in units of the outcome; Sobol: share)",
            "half_width": "half-width of its 95 % interval",
            "clear": "whether it stands out from chance",
            "spoken": "the parameter in words",
        },
        data,
        draw,
        source="sensitivity",
    )
)


@checked()
def ranking(study: Sensitivity, ax: Axes | None = None, *, style: Style | None = None) -> Axes:
    """Which parameter drives which organ: the parameters that matter most, ranked.

    Each column is divided by its largest entry, so that organs of very different numbers can be
    read side by side; the parameters stand in the order of their largest entry. What does not
    stand out from chance (`clear` in the table) stays empty; organs without metastases are left
    out.

    Args:
        study: a finished study.
        ax: axes to draw into; by default those of a new figure.
        style: of Matplotlib, over the settings of metasim.
    """
    return KIND(study, ax, style=style)
