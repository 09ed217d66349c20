"""One line per patient: treatments, relapses, symptoms, death."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from metasim.results.outcomes import RECURRENCES, followed_patients
from metasim.results.plots.groups import groups, since
from metasim.results.plots.style import (
    INK,
    MUTED,
    colour,
    head,
    in_style,
    lay_out,
    new_axes,
    nothing,
    run_title,
)
from metasim.results.plots.text import plain
from metasim.results.plots.treatments import (
    MARKS,
    TICK_POINTS,
    apart,
    lanes,
    mark,
    shades,
    treatment_keys,
)
from metasim.results.store import Results
from metasim.results.timeline import timeline, treatment_spans, typical_patients
from metasim.terms import DAYS_PER_YEAR

_BAR: Final = "#EBEBEB"
# A patient's row: events of the disease above, treatments below, lanes for those that overlap.
_DISEASE_POINTS: Final = 11.0
_TREATMENTS_POINTS: Final = 8.0  # at least
_LANE_POINTS: Final = 4.5  # at least
_BETWEEN_POINTS: Final = 3.0  # rows

# Marks by kind of event, the same in every figure; those without a colour have their organ's.
_LOOKS: Final[dict[str, dict[str, Any]]] = {
    "diagnosis": {"marker": "o", "color": INK, "markerfacecolor": "white", "markersize": 6},
    "relapse": {"marker": "o", "markersize": 8},
    "symptom": {"marker": "^", "markersize": 7.5},
    "death of cancer": {"marker": "X", "color": INK, "markersize": 9},
    "death of other causes": {
        "marker": "s", "color": INK, "markerfacecolor": "white", "markersize": 7
    },
    "alive, end of follow-up": {"marker": ">", "color": MUTED, "markersize": 8.5},
}  # fmt: skip
_MARK_POINTS: Final = 7.5  # between events of the disease


@in_style
def swimmer(results: Results, ax: Axes | None = None, *, patients: int = 30) -> Axes:
    """Clinical course of single patients, one line each, sorted by how long they were followed.

    Upper half of a line: diagnosis, relapses, symptoms. Lower half: treatments, as bars while
    they last, else as marks. The shape says what happened, the colour in which organ. Marks that
    would hide each other are moved apart.

    Args:
        results: a finished run, recorded at level patients or more.
        ax: axes to draw into; by default those of a new figure.
        patients: how many; those with a recurrence are taken first.
    """
    chosen = typical_patients(results, patients)
    title = "Clinical course of single patients"
    if not chosen:
        text = f"{run_title(results)}No patient: no one was diagnosed"
        return nothing(new_axes(ax, 10.0, 4.0), title, text)
    rows = {patient: row for row, patient in enumerate(chosen)}
    everyone = followed_patients(results)
    lives = everyone.loc[chosen]
    years = (np.fmin(lives["death_day"], lives["end_day"]) - lives["origin"]) / DAYS_PER_YEAR
    events = timeline(results)
    events = events[events["patient"].isin(chosen)].assign(row=lambda e: e["patient"].map(rows))
    spans = treatment_spans(events)
    spans["until"] = spans["until"].fillna(spans["patient"].map(years))
    ends = pd.DataFrame({"years": years, "row": range(len(chosen)), "kind": _ends(results, chosen)})
    marks = pd.concat([_marks(events), ends], ignore_index=True)

    lane = lanes(spans)
    below = max(_TREATMENTS_POINTS, _LANE_POINTS * (1 + max(lane.values(), default=0)))
    used = _DISEASE_POINTS + below
    tall = used + _BETWEEN_POINTS
    below, half = below / tall, used / tall / 2  # parts of a row
    ax = new_axes(ax, 10.0, 2.0 + tall / 72 * max(len(chosen), 12))
    ax.barh(range(len(chosen)), years, height=2 * half, color=_BAR)
    spans["low"] = spans["patient"].map(rows) - half
    _draw_treatments(ax, events, spans, lane, below)
    ax.set_yticks(range(len(chosen)), [f"{patient}" for patient in chosen])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.7, len(chosen) - 0.3)
    ax.set_xlim(min(0.0, float(events["years"].min())), 1.02 * years.max())
    ax.set_xlabel(since(groups(results)))
    ax.set_ylabel("patient")
    keys = _keys(results, marks, treatment_keys(events, spans))
    ax.legend(handles=keys, loc="upper left", bbox_to_anchor=(1.02, 1.0))
    place = np.where(marks["kind"].isin(list(MARKS)), below / 2 - half, below / 2)
    _draw_marks(ax, results, marks.assign(row=marks["row"] + place))
    relapsed = events.loc[events["event"].isin(RECURRENCES), "patient"].nunique()
    detail = f"{run_title(results)}{len(chosen):,} of {len(everyone):,} patients, {relapsed:,} of "
    detail += "them with a recurrence (those first; evenly by length of follow-up)"
    left_out = len(results.patients) - len(everyone)
    detail += f"; {left_out:,} never diagnosed left out" if left_out else ""
    head(ax, title, f"{detail}. Marks that would hide each other are moved apart")
    return ax


def _ends(results: Results, chosen: list[int]) -> list[str]:
    """How each patient's line ends."""
    course = results.patients.set_index("patient").loc[chosen]
    cause = course["death_cause"].astype(object)
    died = np.where(cause == "other_cause", "death of other causes", "death of cancer")
    return list(np.where(course["death_day"].notna(), died, "alive, end of follow-up"))


def _marks(events: pd.DataFrame) -> pd.DataFrame:
    """Events that are drawn as marks, with their kind; what is no other kind is a symptom."""
    known = {event: event for event in ("diagnosis", *MARKS)} | dict.fromkeys(
        RECURRENCES, "relapse"
    )
    kind = events["event"].map(known).fillna("symptom")
    drawn = ~events["event"].isin(["death", "cycle", "treatment_start", "treatment_end"])
    return events.assign(kind=kind)[drawn]


def _draw_treatments(
    ax: Axes, events: pd.DataFrame, spans: pd.DataFrame, lane: dict[str, int], tall: float
) -> None:
    """Spans of treatment above their `low`, `tall` in all, with a tick at each cycle."""
    height = tall / (1 + max(lane.values(), default=0))
    for name, shade in shades(spans).items():
        mine = spans[spans["name"] == name]
        low = mine.set_index("patient")["low"] + height * lane[name]
        ax.barh(low + height / 2, mine["until"] - mine["years"], left=mine["years"],
                height=height, color=shade)  # fmt: skip
        given = events[events["name"] == name]
        if (given["event"] == "cycle").any():
            given = given[given["event"].isin(["treatment_start", "cycle"])]
            bottom = given["patient"].map(low.groupby(level=0).first())
            ax.vlines(given["years"], bottom, bottom + height, color=MUTED, linewidth=0.8)


def _draw_marks(ax: Axes, results: Results, marks: pd.DataFrame) -> None:
    """Marks at their times, or beside them where they would lie on others of their row."""
    point = np.ptp(ax.get_xlim()) / (72 * lay_out(ax))  # years
    place = marks["years"].copy()
    for _, mine in marks.groupby("row"):
        gap = TICK_POINTS if mine["kind"].isin(list(MARKS)).all() else _MARK_POINTS
        place[mine.index] = apart(mine["years"].to_numpy(), gap * point)
    shade = marks["organ"].map({organ: colour(results, organ) for organ in results.organs})
    looks = marks.assign(x=place, shade=shade.astype(object).fillna(MUTED))
    for (kind, organ_shade), mine in looks.groupby(["kind", "shade"], sort=False):
        ax.plot(mine["x"], mine["row"], linestyle="none", zorder=4, clip_on=False,
                **_look(str(kind), str(organ_shade)))  # fmt: skip


def _look(kind: str, shade: str) -> dict[str, Any]:
    if kind in MARKS:
        return mark(kind, shade)
    look = {"color": shade, **_LOOKS[kind]}
    edge = INK if "markerfacecolor" in look else "white"
    return {"markeredgecolor": edge, "markeredgewidth": 1.2 if edge == INK else 0.6, **look}


def _keys(results: Results, marks: pd.DataFrame, treatments: list[Any]) -> list[Any]:
    """Legend: kinds of events, treatments, colours of organs."""
    happened = set(marks["kind"])
    keys: list[Any] = [
        Line2D([], [], linestyle="none", label=kind, **_look(kind, MUTED))
        for kind in _LOOKS if kind in happened
    ]  # fmt: skip
    space = Line2D([], [], linestyle="none", label=" ")
    organs = [
        Line2D([], [], linestyle="none", marker="s", markersize=9, color=colour(results, organ),
               label=plain(results.label(organ)))
        for organ in results.organs if (marks["organ"] == organ).any()
    ]  # fmt: skip
    heading = Line2D([], [], linestyle="none", label="in the colour of the organ:")
    return [*keys, *treatments, space, heading, *organs]
