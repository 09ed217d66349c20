"""What the metastases are made of."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from metasim.checked import checked
from metasim.results.description import Description
from metasim.results.phenotypes import (
    composition_over_time,
    metastasis_composition,
    phenotype_names,
)
from metasim.results.plots.groups import groups, numbers_at_risk, since
from metasim.results.plots.registry import FigureKind, register, run_of, tidy
from metasim.results.plots.style import (
    INK,
    MUTED,
    Style,
    cohort,
    count,
    head,
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


def data(results: Results) -> pd.DataFrame:
    """The numbers of `phenotypes`, see `KIND.columns`; no row without several phenotypes."""
    patients = len(results.patients)
    over_time = "counts" in TABLES_AT[results.record] and phenotype_names(results, "counts")
    words: dict[str, Any] = {"patients": patients, "since": since(groups(results))}
    if not phenotype_names(results):
        form, table = "none", pd.DataFrame(columns=list(KIND.columns))
    elif over_time:
        form = "over time"
        table, more = _over_time(results)
        words |= more
    else:
        form, table = "at the end", _by_organ(results)
    table = table.reindex(columns=list(KIND.columns))
    return tidy(table, results.description, form=form, **words)


def draw(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Stacked bars, see `phenotypes`."""
    run, about = run_of(table), table.attrs
    ax = new_axes(ax, 9.5, 4.8)
    who = cohort(run, about["patients"])
    if about["form"] == "none":
        said = f"{who}: all cells are of one phenotype, there is no mix to show"
        return nothing(ax, "Phenotypes", said)
    title = f"Phenotypes of the metastases {about['form']}"
    if table.empty:
        return nothing(ax, title, f"{who}: no metastasis")
    if about["form"] == "over time":
        return _draw_over_time(ax, table, run, title)
    return _draw_by_organ(ax, table, run, title)


def _over_time(results: Results) -> tuple[pd.DataFrame, dict[str, Any]]:
    table = composition_over_time(results)
    if table.empty:
        return table[:0], {}
    names = phenotype_names(results, "counts")
    longest = float(table["years"].max())
    width = next((w for w in _WIDTHS_YEARS if longest <= _INTERVALS * w), _WIDTHS_YEARS[-1])
    number = max(1, round(longest / width))
    table["interval"] = np.minimum(table["years"] // width, number - 1)
    # a patient counts once in an interval, and intervals weigh patients alike
    means = table.groupby(["interval", "patient"])[names].mean().groupby("interval").mean()
    patients = table.groupby("interval")["patient"].nunique()
    left = means.index.to_numpy() * width
    parts, below = [], np.zeros(len(means))
    for phenotype in names:
        share = means[phenotype].to_numpy()
        below = np.minimum(below + share, 1)
        low, high = below, below  # shares vary less than yes and no do: Wilson's is no shorter
        if phenotype != names[-1]:
            low, high = wilson_interval(below * patients, patients)
        numbers = {"years": left, "until": left + width, "share": share, "patients": patients}
        numbers |= {"upper": below, "low": low, "high": high}
        parts.append(pd.DataFrame({key: np.asarray(value) for key, value in numbers.items()}))
        parts[-1]["phenotype"] = phenotype
    words = {"width": width, "ever": int(table["patient"].nunique()), "intervals": number}
    return pd.concat(parts), words


def _by_organ(results: Results) -> pd.DataFrame:
    table = metastasis_composition(results)
    names = phenotype_names(results)
    by = table.groupby("organ", observed=True)
    means, numbers = by[names].mean(), by.size()
    upper = means.cumsum(axis=1).clip(upper=1)
    parts = [
        pd.DataFrame(
            {
                "organ": means.index.astype(str),
                "phenotype": phenotype,
                "share": means[phenotype].to_numpy(),
                "upper": upper[phenotype].to_numpy(),
                "metastases": numbers.to_numpy(),
            }
        )
        for phenotype in names
    ]
    return pd.concat(parts)


def _draw_over_time(ax: Axes, table: pd.DataFrame, run: Description, title: str) -> Axes:
    about = table.attrs
    width, number = about["width"], about["intervals"]
    curves = list(table.groupby("phenotype", sort=False))
    for k, (phenotype, part) in enumerate(curves):
        left, share, upper = (part[key].to_numpy() for key in ("years", "share", "upper"))
        ax.bar(left, 100 * share, width, 100 * (upper - share), align="edge",
               label=plain(_label(run, str(phenotype))), color=_COLOURS[k % len(_COLOURS)],
               edgecolor="white", linewidth=0.6)  # fmt: skip
        if k + 1 < len(curves):
            ends = [upper - part["low"].to_numpy(), part["high"].to_numpy() - upper]
            ax.errorbar(left + width * (k + 1) / len(curves), 100 * upper, fmt="none", ecolor=INK,
                        yerr=100 * np.array(ends), elinewidth=1.2, capsize=2)  # fmt: skip
    ax.set_xlim(0, number * width)
    ax.set_ylim(0, 100)
    ax.set_xlabel(about["since"])
    ax.set_ylabel("cells of all metastases\nof a patient (mean share, %)")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), reverse=True)
    first = curves[0][1]
    places = np.round(first["years"] / width).astype(int)
    numbers = dict(zip(places, first["patients"].astype(int), strict=True))
    numbers_at_risk(
        ax,
        [("", MUTED, lambda t: numbers.get(min(int(t // width), number - 1), 0))],
        f"patients with metastases in the {_spoken(width)} from then on",
    )
    who = f"{about['ever']:,} of {count(about['patients'], 'patient', 'patients')}"
    head(ax, title, f"{run_title(run)}{who} ever had any, seen by imaging or not; each counts "
         "alike. Black: 95 % intervals; gaps: nobody has metastases")  # fmt: skip
    return ax


def _draw_by_organ(ax: Axes, table: pd.DataFrame, run: Description, title: str) -> Axes:
    organs = list(dict.fromkeys(table["organ"]))
    rows = np.arange(len(organs))
    for k, (phenotype, part) in enumerate(table.groupby("phenotype", sort=False)):
        mine = part.set_index("organ").loc[organs]
        share = 100 * mine["share"].to_numpy()
        ax.barh(rows, share, left=100 * mine["upper"].to_numpy() - share, height=0.62,
                color=_COLOURS[k % len(_COLOURS)],
                label=plain(_label(run, str(phenotype))))  # fmt: skip
    numbers = table.drop_duplicates("organ").set_index("organ")["metastases"].astype(int)
    for row, number in zip(rows, numbers[organs], strict=True):
        ax.annotate(f"{number:,}", (101, row), va="center", annotation_clip=False)
    name_rows(ax, rows, [name(run, organ) for organ in organs])
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, 100)
    ax.set_xlabel("cells of a metastasis (mean share, %)")
    ax.set_ylabel("organ")
    ax.legend(loc="upper left", bbox_to_anchor=(1.1, 1))
    shown = count(int(numbers.sum()), "metastasis", "metastases")
    head(ax, title, f"{cohort(run, table.attrs['patients'])}. {shown} with living cells on the "
         "patient's last day, each counting alike; their number at the right")  # fmt: skip
    return ax


def _spoken(years: float) -> str:
    return {0.25: "quarter", 0.5: "half year", 1.0: "year"}.get(years, f"{years:g} years")


def _label(run: Description, phenotype: str) -> str:
    """A phenotype with the drugs that it resists."""
    drugs = {one.name: one.resists for one in run.phenotypes}.get(phenotype, ())
    return (phenotype + (f"\n(resists {', '.join(drugs)})" if drugs else "")).replace("_", " ")


KIND = register(
    FigureKind(
        "phenotypes",
        "Phenotypes of the metastases",
        "Shares of the phenotypes in the metastases: over time, or by organ at the end.",
        {
            "organ": "key of the organ (at the end)",
            "years": "begin of the interval since the patient's origin (years; over time)",
            "until": "end of the interval (years)",
            "phenotype": "name of the phenotype",
            "share": "its mean share of the cells (0 to 1)",
            "upper": "sum of the shares of this phenotype and those before it",
            "low": "lower end of the 95 % interval of that sum",
            "high": "upper end",
            "patients": "patients with metastases in the interval",
            "metastases": "metastases with living cells in the organ",
        },
        data,
        draw,
        needs="metastases",
        worth=lambda results: bool(phenotype_names(results)),
    )
)


@checked()
def phenotypes(results: Results, ax: Axes | None = None, *, style: Style | None = None) -> Axes:
    """Shares of the phenotypes in the metastases: over time, or by organ at the end.

    Over time where the run recorded cells by phenotype and day. Every patient (or metastasis)
    counts alike, however many cells it has.

    Args:
        results: a finished run of several phenotypes, recorded at level metastases or more.
        ax: axes to draw into; by default those of a new figure.
        style: of Matplotlib, over the settings of metasim.
    """
    return KIND(results, ax, style=style)
