"""Metastases per organ."""

from typing import TYPE_CHECKING

from matplotlib.axes import Axes

from metasim.checked import checked
from metasim.results.plots.registry import FigureKind, register, run_of, tidy
from metasim.results.plots.style import (
    Style,
    cohort,
    colour,
    head,
    name,
    name_rows,
    new_axes,
    nothing,
)
from metasim.results.plots.text import plain
from metasim.results.store import Results
from metasim.results.summary import COUNTS, PLURALS, Counted, short, summarise
from metasim.results.tally import ANY_DISTANT

if TYPE_CHECKING:
    import pandas as pd


def data(results: Results, *, counted: Counted = "auto") -> "pd.DataFrame":
    """The numbers of `organ_counts`, see `KIND.columns`."""
    summary = summarise(results, counted)
    about = summary.attrs
    rows = summary.loc[summary["organ"] != ANY_DISTANT, ["organ", "label", *COUNTS]]
    words = {key: about[key] for key in ("patients", "left_out", "counted", "since")}
    return tidy(rows, results.description, **words)


def draw(table: "pd.DataFrame", ax: Axes | None = None) -> Axes:
    """Bars with intervals, see `organ_counts`."""
    run, about = run_of(table), table.attrs
    rows = table.fillna(0)  # nobody was diagnosed
    names = [name(run, organ) for organ in rows["organ"]]
    lines = max(1 + one.count("\n") for one in names)
    ax = new_axes(ax, 7.5, 1.9 + max(0.38, 0.2 * lines) * len(rows))
    if not rows["metastases_per_patient"].any():
        return nothing(ax, KIND.title, f"{cohort(run, about['patients'])}: no metastasis in any "
                       "organ")  # fmt: skip
    mean = rows["metastases_per_patient"].to_numpy()
    low, high = rows["metastases_low"].to_numpy(), rows["metastases_high"].to_numpy()
    place = range(len(rows))
    shades = [colour(run, organ) for organ in rows["organ"]]
    ax.barh(place, mean, height=0.62, color=shades, alpha=0.8)
    ax.errorbar(mean, place, xerr=[mean - low, high - mean], fmt="none", ecolor="#222222",
                elinewidth=1.4, capsize=3)  # fmt: skip
    for y, (right, row) in enumerate(zip(high, rows.to_dict("records"), strict=True)):
        number, share = short(row["metastases_per_patient"]), 100 * row["share_with"]
        ax.annotate(
            plain(f"{number}   in {share:.1f} % of patients" if share else "none"),
            (right, y), (6, 0), textcoords="offset points", va="center",
        )  # fmt: skip
    name_rows(ax, place, names)
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, 1.5 * high.max())
    ax.set_xlabel("metastases per patient (mean, 95 % interval)")
    ax.set_ylabel("organ")
    left_out = f", {about['left_out']:,} never diagnosed left out" if about["left_out"] else ""
    detail = f"{cohort(run, about['patients'])}{left_out}. Counted: {PLURALS[about['counted']]}"
    head(ax, KIND.title, detail)
    return ax


KIND = register(
    FigureKind(
        "organ_counts",
        "Metastases per organ",
        "Mean number of metastases per patient, organ by organ, with 95 % intervals.",
        {
            "organ": "key of the organ",
            "label": "its name",
            "share_with": "patients with at least one metastasis there (share, 0 to 1)",
            "share_low": "lower end of its 95 % interval",
            "share_high": "upper end",
            "metastases_per_patient": "mean number of metastases per patient",
            "metastases_low": "lower end of its 95 % interval",
            "metastases_high": "upper end",
        },
        data,
        draw,
    )
)


@checked()
def organ_counts(
    results: Results,
    ax: Axes | None = None,
    *,
    counted: Counted = "auto",
    style: Style | None = None,
) -> Axes:
    """Mean number of metastases per patient, organ by organ, with 95 % intervals.

    Args:
        results: a finished run, of any recording level.
        ax: axes to draw into; by default those of a new figure.
        counted: which metastases, see `summarise`.
        style: of Matplotlib, over the settings of metasim.
    """
    return KIND(results, ax, style=style, counted=counted)
