"""What the metastases are made of."""

from typing import Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes

from metasim.results.phenotypes import (
    composition_over_time,
    drugs_resisted,
    metastasis_composition,
    phenotype_names,
)
from metasim.results.plots.groups import groups, since
from metasim.results.plots.style import STYLE, cohort, count, head, name, new_axes, nothing
from metasim.results.store import Results
from metasim.results.tables import TABLES_AT

_COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")
_INTERVALS: Final = 30


@rc_context(STYLE)
def phenotypes(results: Results, ax: Axes | None = None) -> Axes:
    """Shares of the phenotypes in the metastases: over time, or by organ at the end.

    Over time where the run recorded cells by phenotype and day. Every patient (or metastasis)
    counts alike, however many cells it has.

    Args:
        results: a finished run of several phenotypes, recorded at level metastases or more.
        ax: axes to draw into; by default those of a new figure.
    """
    over_time = "counts" in TABLES_AT[results.provenance["record"]] and phenotype_names(
        results, "counts"
    )
    ax = new_axes(ax, 9.5, 4.8)
    if not phenotype_names(results):
        return nothing(ax, "Phenotypes", f"{cohort(results, len(results.patients))}: all cells "
                       "are of one phenotype, there is no mix to show")  # fmt: skip
    if over_time:
        return _over_time(results, ax)
    return _by_organ(results, ax)


def _over_time(results: Results, ax: Axes) -> Axes:
    table = composition_over_time(results)
    title = "Phenotypes of the metastases over time"
    if table.empty:
        return nothing(ax, title, f"{cohort(results, len(results.patients))}: no metastasis")
    names = phenotype_names(results, "counts")
    width = table["years"].max() / _INTERVALS
    table["interval"] = np.minimum(table["years"] // width, _INTERVALS - 1)
    # a patient counts once in an interval, and intervals weigh patients alike
    means = table.groupby(["interval", "patient"])[names].mean().groupby("interval").mean()
    years = (means.index.to_numpy() + 0.5) * width
    shares = 100 * means.to_numpy().T
    ax.stackplot(years, shares, colors=_COLOURS, labels=_labels(results, names), linewidth=0)
    ax.set_xlim(years[0], years[-1])
    ax.set_ylim(0, 100)
    ax.set_xlabel(since(groups(results)))
    ax.set_ylabel("cells of a patient's metastases (mean share, %)")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), reverse=True)
    patients = table["patient"].nunique()
    head(ax, title, f"{cohort(results, patients)} with metastases, each counting alike")
    return ax


def _by_organ(results: Results, ax: Axes) -> Axes:
    table = metastasis_composition(results)
    title = "Phenotypes of the metastases at the end"
    if table.empty:
        return nothing(ax, title, f"{cohort(results, len(results.patients))}: no metastasis")
    names = phenotype_names(results)
    means = table.groupby("organ", observed=True)[names].mean()
    numbers = table.groupby("organ", observed=True).size()
    rows = np.arange(len(means))
    left = np.zeros(len(means))
    labels = _labels(results, names)
    for k, phenotype in enumerate(names):
        share = 100 * means[phenotype].to_numpy()
        shade = _COLOURS[k % len(_COLOURS)]
        ax.barh(rows, share, left=left, height=0.62, color=shade, label=labels[k])
        left += share
    for row, number in zip(rows, numbers, strict=True):
        ax.annotate(f"{number:,}", (101, row), va="center", annotation_clip=False)
    ax.set_yticks(rows, [name(results, organ) for organ in means.index])
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, 100)
    ax.set_xlabel("cells of a metastasis (mean share, %)")
    ax.set_ylabel("organ")
    ax.legend(loc="upper left", bbox_to_anchor=(1.1, 1))
    shown = count(len(table), "metastasis", "metastases")
    head(ax, title, f"{cohort(results, len(results.patients))}. {shown} with living cells on the "
         "patient's last day, each counting alike; their number at the right")  # fmt: skip
    return ax


def _labels(results: Results, names: list[str]) -> list[str]:
    resisted = drugs_resisted(results)
    return [
        n.replace("_", " ")
        + (f"\n(resists {', '.join(resisted[n])})".replace("_", " ") if n in resisted else "")
        for n in names
    ]
