"""One line per patient: treatments, relapses, symptoms, death."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from metasim.results.outcomes import RECURRENCES, followed_patients
from metasim.results.plots.groups import groups, since
from metasim.results.plots.style import (
    INK,
    MUTED,
    STYLE,
    colour,
    count,
    head,
    new_axes,
    nothing,
    run_title,
)
from metasim.results.store import Results
from metasim.results.timeline import timeline, treatment_spans, typical_patients
from metasim.terms import DAYS_PER_YEAR

_BAR: Final = "#E3E3E3"
_TREATMENTS: Final = ("#A6CEE3", "#B2DF8A", "#FDBF6F", "#CAB2D6", "#FB9A99", "#E5D8A0")
_SYMPTOMS: Final = ("D", "s", "^", "v", "P", "*")
_LARGE: Final = 8.0
_SMALL: Final = 6.5
_REST: Final = "other events"
_CYCLES: Final = ("treatment_start", "cycle")
_DEATH: Final[dict[str, Any]] = {"marker": "X", "color": INK, "markersize": 8}
_ALIVE: Final[dict[str, Any]] = {"marker": ">", "color": MUTED, "markersize": 6}


@rc_context(STYLE)
def swimmer(results: Results, ax: Axes | None = None, *, patients: int = 30) -> Axes:
    """Clinical course of single patients, one line each, sorted by how long they were followed.

    Bars: time followed, coloured while a treatment lasts. Relapses are dots in the organ's
    colour; symptoms and other events have a shape of their own.

    Args:
        results: a finished run, recorded at level patients or more.
        ax: axes to draw into; by default those of a new figure.
        patients: how many; those with a recurrence are taken first.
    """
    chosen = typical_patients(results, patients)
    title = "Clinical course of single patients"
    ax = new_axes(ax, 10.0, 2.2 + 0.21 * max(len(chosen), 12))
    if not chosen:
        return nothing(ax, title, f"{run_title(results)}No patient: no one was diagnosed")
    rows = {patient: row for row, patient in enumerate(chosen)}
    lives = followed_patients(results).loc[chosen]
    events = timeline(results)
    events = events[events["patient"].isin(chosen)].assign(row=lambda e: e["patient"].map(rows))
    length = (np.fmin(lives["death_day"], lives["end_day"]) - lives["origin"]) / DAYS_PER_YEAR
    ax.barh(range(len(chosen)), length, height=0.62, color=_BAR)
    keys = _draw_treatments(ax, events, length)
    keys += _draw_points(ax, results, events, {key.get_label() for key in keys})
    for died, look, label in ((True, _DEATH, "death"), (False, _ALIVE, "alive, end of follow-up")):
        mine = np.flatnonzero(lives["death_day"].notna() == died)
        ax.plot(length.to_numpy()[mine], mine, linestyle="none", clip_on=False, zorder=4, **look)
        keys += [Line2D([], [], linestyle="none", label=label, **look)] if len(mine) else []
    ax.set_yticks(range(len(chosen)), [f"{patient}" for patient in chosen])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.8, len(chosen) - 0.2)
    ax.set_xlim(min(0.0, float(events["years"].min())), None)
    ax.margins(x=0.02)
    ax.set_xlabel(since(groups(results)))
    ax.set_ylabel("patient")
    ax.legend(handles=keys, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    relapsed = events.loc[events["event"].isin(RECURRENCES), "patient"].nunique()
    detail = f"{run_title(results)}{count(len(chosen), 'patient', 'patients')} of "
    detail += f"{len(results.patients):,}, {relapsed} of them with a recurrence"
    head(ax, title, f"{detail} (chosen evenly by length of follow-up)")
    return ax


def _draw_treatments(ax: Axes, events: pd.DataFrame, length: pd.Series) -> list[Any]:
    """Spans of treatment in the bars, with a tick at each cycle."""
    spans = treatment_spans(events)
    keys: list[Any] = []
    names = spans["name"].unique()
    for lane, name in enumerate(names):
        shade = _TREATMENTS[lane % len(_TREATMENTS)]
        height = 0.62 / len(names)  # those that overlap in time lie side by side
        mine = spans[spans["name"] == name]
        until = mine["until"].fillna(mine["patient"].map(length))
        row = mine["patient"].map({patient: row for row, patient in enumerate(length.index)})
        place = row - 0.31 + height * (lane + 0.5)
        ax.barh(place, until - mine["years"], left=mine["years"], height=height, color=shade)
        keys.append(Patch(color=shade, label=_words(name)))
        given = events[(events["name"] == name) & events["event"].isin(_CYCLES)]
        if (given["event"] == "cycle").any():
            low = given["row"] - 0.31 + height * lane
            ax.vlines(given["years"], low, low + height, color=MUTED, linewidth=0.8)
    return keys


def _draw_points(
    ax: Axes, results: Results, events: pd.DataFrame, treatments: set[Any]
) -> list[Any]:
    """Relapses as dots, all else by shape; both in the colour of the organ."""
    points = events[~events["event"].isin(["death", "diagnosis"])]
    relapse = points["event"].isin(RECURRENCES)
    other = points[~relapse & ~points["name"].map(_words).isin(treatments)]
    common = list(other["name"].value_counts().index[: len(_SYMPTOMS)])
    shapes = dict(zip(common, _SYMPTOMS, strict=False))
    for name, mine in other.groupby("name"):
        _dots(ax, results, mine, shapes.get(name, "+"), _SMALL)
    _dots(ax, results, points[relapse], "o", _LARGE)
    keys = [
        Line2D([], [], linestyle="none", marker="o", markersize=_LARGE, markeredgecolor="white",
               color=colour(results, organ), label=f"relapse: {results.label(organ).lower()}")
        for organ in results.organs if (points.loc[relapse, "organ"] == organ).any()
    ]  # fmt: skip
    known = [(_words(name), shape) for name, shape in shapes.items()]
    if len(other["name"].unique()) > len(shapes):
        known.append((_REST, "+"))
    return keys + [
        Line2D([], [], linestyle="none", marker=shape, markersize=_SMALL, color=MUTED, label=name)
        for name, shape in known
    ]


def _dots(ax: Axes, results: Results, events: pd.DataFrame, shape: str, size: float) -> None:
    for organ, mine in events.assign(organ=events["organ"].astype(object)).groupby(
        "organ", dropna=False
    ):
        shade = colour(results, str(organ)) if organ in results.organs else MUTED
        edge = shade if shape == "+" else "white"
        ax.plot(mine["years"], mine["row"], shape, color=shade, markersize=size, zorder=3,
                markeredgecolor=edge, markeredgewidth=0.6, clip_on=False)  # fmt: skip


def _words(name: str) -> str:
    return name.replace("_", " ")
