"""What the metastases are made of."""

from typing import Final

import numpy as np
from matplotlib.axes import Axes

from metasim.results.phenotypes import (
    composition_over_time,
    drugs_resisted,
    metastasis_composition,
    phenotype_names,
)
from metasim.results.plots.groups import groups, numbers_at_risk, since
from metasim.results.plots.style import (
    INK,
    MUTED,
    cohort,
    count,
    head,
    in_style,
    name,
    name_rows,
    new_axes,
    nothing,
    run_title,
)
from metasim.results.plots.text import plain
from metasim.results.statistics import wilson_interval
from metasim.results.store import Results
from metasim.results.tables import TABLES_AT

_COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")
_INTERVALS: Final = 20
_WIDTHS_YEARS: Final = (0.25, 0.5, 1.0, 2.0, 5.0)


@in_style
def phenotypes(results: Results, ax: Axes | None = None) -> Axes:
    """Shares of the phenotypes in the metastases: over time, or by organ at the end.

    Over time where the run recorded cells by phenotype and day. Every patient (or metastasis)
    counts alike, however many cells it has.

    Args:
        results: a finished run of several phenotypes, recorded at level metastases or more.
        ax: axes to draw into; by default those of a new figure.
    """
    over_time = "counts" in TABLES_AT[results.record] and phenotype_names(results, "counts")
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
    longest = float(table["years"].max())
    width = next((w for w in _WIDTHS_YEARS if longest <= _INTERVALS * w), _WIDTHS_YEARS[-1])
    number = max(1, round(longest / width))
    table["interval"] = np.minimum(table["years"] // width, number - 1)
    # a patient counts once in an interval, and intervals weigh patients alike
    means = table.groupby(["interval", "patient"])[names].mean().groupby("interval").mean()
    patients = table.groupby("interval")["patient"].nunique()
    left = means.index.to_numpy() * width
    below = np.zeros(len(means))
    for k, (phenotype, label) in enumerate(zip(names, _labels(results, names), strict=True)):
        share = means[phenotype].to_numpy()
        ax.bar(left, 100 * share, width, 100 * below, align="edge", label=plain(label),
               color=_COLOURS[k % len(_COLOURS)], edgecolor="white", linewidth=0.6)  # fmt: skip
        below = np.minimum(below + share, 1)
        if phenotype != names[-1]:  # shares vary less than yes and no do: Wilson's is no shorter
            low, high = wilson_interval(below * patients, patients)
            ax.errorbar(left + width * (k + 1) / len(names), 100 * below, fmt="none", ecolor=INK,
                        yerr=100 * np.array([below - low, high - below]), elinewidth=1.2,
                        capsize=2)  # fmt: skip
    ax.set_xlim(0, number * width)
    ax.set_ylim(0, 100)
    ax.set_xlabel(since(groups(results)))
    ax.set_ylabel("cells of all metastases\nof a patient (mean share, %)")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), reverse=True)
    numbers = dict(zip(means.index, patients, strict=True))
    numbers_at_risk(
        ax,
        [("", MUTED, lambda t: numbers.get(min(t // width, number - 1), 0))],
        f"patients with metastases in the {_spoken(width)} from then on",
    )
    who = f"{table['patient'].nunique():,} of {count(len(results.patients), 'patient', 'patients')}"
    head(ax, title, f"{run_title(results)}{who} ever had any, seen by imaging or not; each counts "
         "alike. Black: 95 % intervals; gaps: nobody has metastases")  # fmt: skip
    return ax


def _spoken(years: float) -> str:
    return {0.25: "quarter", 0.5: "half year", 1.0: "year"}.get(years, f"{years:g} years")


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
        ax.barh(rows, share, left=left, height=0.62, color=shade, label=plain(labels[k]))
        left += share
    for row, number in zip(rows, numbers, strict=True):
        ax.annotate(f"{number:,}", (101, row), va="center", annotation_clip=False)
    name_rows(ax, rows, [name(results, organ) for organ in means.index])
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
