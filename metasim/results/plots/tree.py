"""Who seeded whom in one patient."""

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from metasim.results.plots.colonies import (
    MARKS_POINTS,
    mark_course,
    patient_course,
    typical_patient,
    years,
)
from metasim.results.plots.style import (
    FAINT,
    INK,
    colour,
    count,
    dashes,
    head,
    in_style,
    name,
    new_axes,
    nothing,
    run_title,
)
from metasim.results.plots.text import plain
from metasim.results.store import Results

_CLASSES = (("micro_day", "micrometastases"), ("macro_day", "macrometastases"))
_MOST_LINES = 60
_LABELLED_LINES = 28
_PRIMARY = 0


@in_style
def seeding_tree(results: Results, ax: Axes | None = None, *, patient: int | None = None) -> Axes:
    """One patient's metastases as life lines, each hanging from its parent.

    A line runs from founding to extinction or the patient's last day, the thicker the more cells
    it ended with. Where there are more than 60, only those that became micrometastases are drawn
    with their ancestors; where these are too many, the macrometastases, then the largest.

    Args:
        results: a finished run, recorded at level metastases or more.
        ax: axes to draw into; by default those of a new figure.
        patient: which; by default as for `colonies`.

    Raises:
        OptionError: there is no such patient.
    """
    who = typical_patient(results) if patient is None else patient
    course = patient_course(results, who)
    mine = ds.field("patient") == who
    every = results.arrow("metastases").to_table(filter=mine).to_pandas().set_index("metastasis")
    kept, chosen = select_metastases(every)
    title = f"Who seeded whom in patient {who}"
    ax = new_axes(ax, 9.0, float(np.clip(1.9 + 0.2 * len(kept), 3.0, 11.0)))
    if every.empty:
        return nothing(ax, title, "no metastasis was founded in this patient")
    rows = tree_rows(kept["parent"])
    primary = next(iter(results.description.keys_at("primary")), None)
    end = course["end_day"]
    removed = np.fmin(_removal_day(results, who, primary), end)
    ink = colour(results, primary) if primary else INK
    begin = float(years(0.0, course))
    ax.hlines(0, begin, years(removed, course), color=ink, linewidth=5)
    ax.hlines(0, begin, years(end, course), color=FAINT, linewidth=0.9, linestyle=":", zorder=1)
    for row in kept.reset_index().to_dict("records"):
        y, organ = rows[row["metastasis"]], row["organ"]
        born = float(years(row["founded_day"], course))
        gone = float(years(np.fmin(row["extinct_day"], end), course))
        kind = {"color": colour(results, organ), "linestyle": dashes(results, organ)}
        width = 0.8 + 0.45 * np.log10(row["cells"] + 1)
        ax.vlines(born, rows[row["parent"]], y, color=FAINT, linewidth=0.9, zorder=1)
        ax.plot([born, gone], [y, y], linewidth=width, solid_capstyle="butt", **kind)
        ax.plot(born, y, "o", color=kind["color"], markersize=3)
        if len(kept) <= _LABELLED_LINES:
            ax.annotate(plain(name(results, organ)), (gone, y), (8, 0), textcoords="offset points",
                        va="center", color=INK)  # fmt: skip
    ax.annotate("primary tumour", (begin, 0), (0, 6), textcoords="offset points",
                color=INK)  # fmt: skip
    ax.set_ylim(len(kept) + 0.8, -1.2)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylabel("metastases")
    mark_course(ax, course)
    if len(kept) > _LABELLED_LINES:
        _legend(ax, results, kept)
    detail = run_title(results) + count(len(every), "metastasis", "metastases")
    detail += f" founded{chosen}. Each hangs from its parent; thickness: cells at the end"
    head(ax, title, detail, above=MARKS_POINTS)
    return ax


def select_metastases(every: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The metastases to draw (60 and their ancestors at most), and words that say which.

    Args:
        every: all metastases of a patient, indexed by number.
    """
    if len(every) <= _MOST_LINES:
        return every, ""
    for column, words in _CLASSES:
        kept = with_ancestors(every, every.index[every[column].notna()])
        if 0 < len(kept) <= _MOST_LINES:
            return kept, f"; shown: the {len(kept):,} that became {words} or led to one that did"
    largest = every["cells"].sort_values(kind="stable", ascending=False).index[:_MOST_LINES]
    return with_ancestors(every, largest), f"; shown: the {_MOST_LINES} largest and their ancestors"


def with_ancestors(every: pd.DataFrame, chosen: pd.Index) -> pd.DataFrame:
    """Rows of `chosen` metastases and of all on the way to the primary."""
    kept: set[int] = set()
    for number in chosen:
        while number != _PRIMARY and number not in kept:
            kept.add(number)
            number = every.at[number, "parent"]
    return every[every.index.isin(kept)]


def tree_rows(parent: "pd.Series[int]") -> dict[int, int]:
    """Row of each metastasis: children below their parent, the last founded nearest to it.

    Links then never cross a life line that began before them, as the later child lies between.
    """
    children: dict[int, list[int]] = {}
    for number, its_parent in zip(parent.index, parent, strict=True):
        children.setdefault(its_parent, []).append(number)
    rows: dict[int, int] = {}
    waiting = [_PRIMARY]
    while waiting:
        number = waiting.pop()
        rows[number] = len(rows)
        waiting += children.get(number, [])
    return rows


def _removal_day(results: Results, patient: int, primary: str | None) -> float:
    events = results.events
    removed = events[(events["patient"] == patient) & (events["event"] == "surgery")]
    return float(removed.loc[removed["organ"] == primary, "day"].min())


def _legend(ax: Axes, results: Results, kept: pd.DataFrame) -> None:
    present = [organ for organ in results.organs if (kept["organ"] == organ).any()]
    handles = [
        Line2D([], [], color=colour(results, organ), linestyle=dashes(results, organ),
               linewidth=3, label=plain(name(results, organ)))
        for organ in present
    ]  # fmt: skip
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), title="organ",
              alignment="left")  # fmt: skip
