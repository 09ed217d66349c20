"""Metastases per organ."""

from matplotlib.axes import Axes

from metasim.results.plots.style import (
    cohort,
    colour,
    head,
    in_style,
    name,
    name_rows,
    new_axes,
    nothing,
)
from metasim.results.store import Results
from metasim.results.summary import PLURALS, Counted, short, summarise
from metasim.results.tally import ANY_DISTANT


@in_style
def organ_counts(results: Results, ax: Axes | None = None, *, counted: Counted = "auto") -> Axes:
    """Mean number of metastases per patient, organ by organ, with 95 % intervals.

    Args:
        results: a finished run, of any recording level.
        ax: axes to draw into; by default those of a new figure.
        counted: which metastases, see `summarise`.
    """
    summary = summarise(results, counted)
    about = summary.attrs
    rows = summary[summary["organ"] != ANY_DISTANT].fillna(0)
    ax = new_axes(ax, 7.5, 1.9 + 0.38 * len(rows))
    title = "Metastases per organ"
    if not rows["metastases_per_patient"].any():
        who = cohort(results, about["patients"])
        return nothing(ax, title, f"{who}: no metastasis in any organ")
    mean = rows["metastases_per_patient"].to_numpy()
    low, high = rows["metastases_low"].to_numpy(), rows["metastases_high"].to_numpy()
    place = range(len(rows))
    ax.barh(
        place,
        mean,
        height=0.62,
        color=[colour(results, organ) for organ in rows["organ"]],
        alpha=0.8,
    )
    ax.errorbar(
        mean,
        place,
        xerr=[mean - low, high - mean],
        fmt="none",
        ecolor="#222222",
        elinewidth=1.4,
        capsize=3,
    )
    for y, (right, row) in enumerate(zip(high, rows.to_dict("records"), strict=True)):
        number, share = short(row["metastases_per_patient"]), 100 * row["share_with"]
        ax.annotate(
            f"{number}   in {share:.1f} % of patients" if share else "none",
            (right, y), (6, 0), textcoords="offset points", va="center",
        )  # fmt: skip
    name_rows(ax, place, [name(results, organ) for organ in rows["organ"]])
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, 1.5 * high.max())
    ax.set_xlabel("metastases per patient (mean, 95 % interval)")
    ax.set_ylabel("organ")
    left_out = f", {about['left_out']:,} never diagnosed left out" if about["left_out"] else ""
    detail = f"{cohort(results, about['patients'])}{left_out}. Counted: {PLURALS[about['counted']]}"
    head(ax, title, detail)
    return ax
