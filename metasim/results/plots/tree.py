"""Who seeded whom in one patient."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from metasim.checked import checked
from metasim.results.description import Description
from metasim.results.plots.course import (
    MARKS_POINTS,
    mark_course,
    patient_course,
    telling_patient,
    years,
)
from metasim.results.plots.registry import FigureKind, register, run_of, tidy
from metasim.results.plots.style import (
    FAINT,
    INK,
    Style,
    colour,
    count,
    dashes,
    head,
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


def data(results: Results, *, patient: int | None = None) -> pd.DataFrame:
    """The numbers of `seeding_tree`, see `KIND.columns`; the primary is the first row."""
    run = results.description
    who = telling_patient(results) if patient is None else patient
    course = patient_course(results, who)
    mine = ds.field("patient") == who
    every = results.arrow("metastases").to_table(filter=mine).to_pandas().set_index("metastasis")
    kept, chosen = select_metastases(every)
    rows = tree_rows(kept["parent"])
    primary = next(iter(run.keys_at("primary")), None)
    end = course["end_day"]
    removed = np.fmin(_removal_day(results, who, primary), end)
    lines = pd.DataFrame(
        {
            "metastasis": kept.index,
            "parent": kept["parent"].to_numpy(),
            "organ": kept["organ"].astype(object).to_numpy(),
            "years": years(kept["founded_day"], course),
            "until": years(np.fmin(kept["extinct_day"], end), course),
            "cells": kept["cells"].to_numpy(),
            "row": [rows[number] for number in kept.index],
        }
    )
    trunk: dict[str, Any] = {"metastasis": _PRIMARY, "parent": _PRIMARY, "organ": primary, "row": 0}
    trunk |= {"years": float(years(0.0, course)), "until": float(years(removed, course))}
    frame = pd.concat([pd.DataFrame([trunk | {"cells": 0}]), lines], ignore_index=True)
    frame = frame[list(KIND.columns)]
    days = {key: float(years(course[f"{key}_day"], course)) for key in ("diagnosis", "death")}
    words = {"since": course["since"], "end_years": float(years(end, course))}
    return tidy(frame, run, patient=int(who), found=len(every), chosen=chosen, **words, **days)


def draw(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Life lines, see `seeding_tree`."""
    run, about = run_of(table), table.attrs
    primary, kept = table.iloc[0], table.iloc[1:]
    rows = dict(zip(table["metastasis"], table["row"], strict=True))
    title = f"Who seeded whom in patient {about['patient']}"
    ax = new_axes(ax, 9.0, float(np.clip(1.9 + 0.2 * len(kept), 3.0, 11.0)))
    if kept.empty:
        return nothing(ax, title, "no metastasis was founded in this patient")
    ink = colour(run, primary["organ"]) if primary["organ"] in run.by_key else INK
    begin = float(primary["years"])
    ax.hlines(0, begin, primary["until"], color=ink, linewidth=5)
    ax.hlines(0, begin, about["end_years"], color=FAINT, linewidth=0.9, linestyle=":", zorder=1)
    for row in kept.to_dict("records"):
        y, organ, born, gone = (row[key] for key in ("row", "organ", "years", "until"))
        kind = {"color": colour(run, organ), "linestyle": dashes(run, organ)}
        width = 0.8 + 0.45 * np.log10(row["cells"] + 1)
        ax.vlines(born, rows[row["parent"]], y, color=FAINT, linewidth=0.9, zorder=1)
        ax.plot([born, gone], [y, y], linewidth=width, solid_capstyle="butt", **kind)
        ax.plot(born, y, "o", color=kind["color"], markersize=3)
        if len(kept) <= _LABELLED_LINES:
            ax.annotate(plain(name(run, organ)), (gone, y), (8, 0), textcoords="offset points",
                        va="center", color=INK)  # fmt: skip
    ax.annotate("primary tumour", (begin, 0), (0, 6), textcoords="offset points",
                color=INK)  # fmt: skip
    ax.set_ylim(len(kept) + 0.8, -1.2)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylabel("metastases")
    mark_course(ax, about["since"], {key: about[key] for key in ("diagnosis", "death")})
    if len(kept) > _LABELLED_LINES:
        _legend(ax, run, kept)
    detail = run_title(run) + count(about["found"], "metastasis", "metastases")
    detail += f" founded{about['chosen']}. Each hangs from its parent; thickness: cells at the end"
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


def _legend(ax: Axes, run: Description, kept: pd.DataFrame) -> None:
    present = [organ for organ in run.by_key if (kept["organ"] == organ).any()]
    handles = [
        Line2D([], [], color=colour(run, organ), linestyle=dashes(run, organ),
               linewidth=3, label=plain(name(run, organ)))
        for organ in present
    ]  # fmt: skip
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), title="organ",
              alignment="left")  # fmt: skip


KIND = register(
    FigureKind(
        "seeding_tree",
        "Who seeded whom in one patient",
        "One patient's metastases as life lines, each hanging from the one it came from.",
        {
            "metastasis": "number of the metastasis, from 1; 0: the primary tumour",
            "parent": "number of the one it came from",
            "organ": "key of the organ",
            "years": "founding: time since diagnosis, or the start for who is never diagnosed "
            "(years)",
            "until": "when it died out or was removed, or the patient's last day (years)",
            "cells": "cells on the patient's last day (0 for the primary)",
            "row": "place from above when drawn, 0 for the primary",
        },
        data,
        draw,
        needs="metastases",
    )
)


@checked()
def seeding_tree(
    results: Results,
    ax: Axes | None = None,
    *,
    patient: int | None = None,
    style: Style | None = None,
) -> Axes:
    """One patient's metastases as life lines, each hanging from its parent.

    A line runs from founding to extinction or the patient's last day, the thicker the more cells
    it ended with. Where there are more than 60, only those that became micrometastases are drawn
    with their ancestors; where these are too many, the macrometastases, then the largest.

    Args:
        results: a finished run, recorded at level metastases or more.
        ax: axes to draw into; by default those of a new figure.
        patient: which; by default as for `colonies`.
        style: of Matplotlib, over the settings of metasim.

    Raises:
        OptionError: there is no such patient.
    """
    return KIND(results, ax, style=style, patient=patient)
