"""One line per patient: treatments, relapses, symptoms, death."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from metasim.checked import checked
from metasim.results.description import Description
from metasim.results.outcomes import RECURRENCES, followed_patients
from metasim.results.plots.groups import groups, since
from metasim.results.plots.registry import FigureKind, register, run_of, tidy
from metasim.results.plots.style import (
    INK,
    MUTED,
    Style,
    colour,
    head,
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
from metasim.terms import DAYS_PER_YEAR, TESTS

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


def data(results: Results, *, patients: int = 30) -> pd.DataFrame:
    """The numbers of `swimmer`, see `KIND.columns`."""
    chosen = typical_patients(results, patients)
    everyone = followed_patients(results)
    events = timeline(results)
    events = events[events["patient"].isin(chosen)]
    lives = everyone.loc[chosen]
    years = (np.fmin(lives["death_day"], lives["end_day"]) - lives["origin"]) / DAYS_PER_YEAR
    spans = treatment_spans(events)
    spans["until"] = spans["until"].fillna(spans["patient"].map(years))
    in_cycles = events.loc[events["event"] == "cycle", "name"].unique()
    given = events[events["event"].isin(["treatment_start", "cycle"])]
    given = given[given["name"].isin(in_cycles)]
    life = {"patient": chosen, "years": 0.0, "until": years.to_numpy()}
    parts = [
        pd.DataFrame(life).assign(what="life", kind=_ends(results, chosen)),
        spans.assign(what="course"),
        given[["patient", "years", "name"]].assign(what="cycle"),
        _marks(events).drop(columns="event").assign(what="mark"),
    ]
    frame = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    frame["row"] = frame["patient"].map({patient: row for row, patient in enumerate(chosen)})
    frame = frame.reindex(columns=list(KIND.columns))
    frame["organ"] = frame["organ"].astype(object).where(frame["organ"].notna(), None)
    return tidy(
        frame,
        results.description,
        patients=len(everyone),
        relapsed=int(events.loc[events["event"].isin(RECURRENCES), "patient"].nunique()),
        left_out=len(results.patients) - len(everyone),
        since=since(groups(results)),
    )


def draw(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """A line per patient, see `swimmer`."""
    run, about = run_of(table), table.attrs
    lives = table[table["what"] == "life"]
    if lives.empty:
        text = f"{run_title(run)}No patient: no one was diagnosed"
        return nothing(new_axes(ax, 10.0, 4.0), KIND.title, text)
    spans, cycles, marks = (table[table["what"] == what] for what in ("course", "cycle", "mark"))
    lane = lanes(spans)
    below = max(_TREATMENTS_POINTS, _LANE_POINTS * (1 + max(lane.values(), default=0)))
    used = _DISEASE_POINTS + below
    tall = used + _BETWEEN_POINTS
    below, half = below / tall, used / tall / 2  # parts of a row
    ax = new_axes(ax, 10.0, 2.0 + tall / 72 * max(len(lives), 12))
    ax.barh(lives["row"], lives["until"], height=2 * half, color=_BAR)
    _draw_treatments(ax, cycles, spans.assign(low=spans["row"] - half), lane, below)
    ax.set_yticks(lives["row"], [f"{patient}" for patient in lives["patient"]])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.7, len(lives) - 0.3)
    ax.set_xlim(min(0.0, float(table["years"].min())), 1.02 * lives["until"].max())
    ax.set_xlabel(about["since"])
    ax.set_ylabel("patient")
    ends = lives.assign(years=lives["until"])
    marks = pd.concat([marks, ends], ignore_index=True)
    once = marks[marks["kind"].isin(list(MARKS))]
    keys = _keys(run, marks, treatment_keys(once.assign(event=once["kind"]), spans))
    ax.legend(handles=keys, loc="upper left", bbox_to_anchor=(1.02, 1.0))
    place = np.where(marks["kind"].isin(list(MARKS)), below / 2 - half, below / 2)
    _draw_marks(ax, run, marks.assign(row=marks["row"] + place))
    detail = f"{run_title(run)}{len(lives):,} of {about['patients']:,} patients, "
    detail += f"{about['relapsed']:,} of them with a recurrence (those first; evenly by length of "
    detail += "follow-up)"
    left_out = about["left_out"]
    detail += f"; {left_out:,} never diagnosed left out" if left_out else ""
    head(ax, KIND.title, f"{detail}. Marks that would hide each other are moved apart")
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
    others = ("death", "cycle", "treatment_start", "treatment_end", "visit", "restaging")
    drawn = ~events["event"].isin({*others, *(test.label for test in TESTS)})
    return events.assign(kind=kind)[drawn]


def _draw_treatments(
    ax: Axes, cycles: pd.DataFrame, spans: pd.DataFrame, lane: dict[str, int], tall: float
) -> None:
    """Spans of treatment above their `low`, `tall` in all, with a tick at each cycle."""
    height = tall / (1 + max(lane.values(), default=0))
    for name, shade in shades(spans).items():
        mine = spans[spans["name"] == name]
        low = mine.set_index("patient")["low"] + height * lane[name]
        ax.barh(low + height / 2, mine["until"] - mine["years"], left=mine["years"],
                height=height, color=shade)  # fmt: skip
        given = cycles[cycles["name"] == name]
        if len(given):
            bottom = given["patient"].map(low.groupby(level=0).first())
            ax.vlines(given["years"], bottom, bottom + height, color=MUTED, linewidth=0.8)


def _draw_marks(ax: Axes, run: Description, marks: pd.DataFrame) -> None:
    """Marks at their times, or beside them where they would lie on others of their row."""
    point = np.ptp(ax.get_xlim()) / (72 * lay_out(ax))  # years
    place = marks["years"].copy()
    for _, mine in marks.groupby("row"):
        gap = TICK_POINTS if mine["kind"].isin(list(MARKS)).all() else _MARK_POINTS
        place[mine.index] = apart(mine["years"].to_numpy(), gap * point)
    shade = marks["organ"].map({organ: colour(run, organ) for organ in run.by_key})
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


def _keys(run: Description, marks: pd.DataFrame, treatments: list[Any]) -> list[Any]:
    """Legend: kinds of events, treatments, colours of organs."""
    happened = set(marks["kind"])
    keys: list[Any] = [
        Line2D([], [], linestyle="none", label=kind, **_look(kind, MUTED))
        for kind in _LOOKS if kind in happened
    ]  # fmt: skip
    space = Line2D([], [], linestyle="none", label=" ")
    organs = [
        Line2D([], [], linestyle="none", marker="s", markersize=9, color=colour(run, organ),
               label=plain(run.by_key[organ].label))
        for organ in run.by_key if (marks["organ"] == organ).any()
    ]  # fmt: skip
    heading = Line2D([], [], linestyle="none", label="in the colour of the organ:")
    return [*keys, *treatments, space, heading, *organs]


KIND = register(
    FigureKind(
        "swimmer",
        "Clinical course of single patients",
        "One line per patient: treatments, relapses, symptoms and death.",
        {
            "what": "life (a patient's line), course (a treatment that lasts), cycle or mark",
            "patient": "number of the patient",
            "row": "place from below when drawn",
            "years": "time since the patient's origin (years); begin of what lasts",
            "until": "end of what lasts (years)",
            "kind": "of a mark: diagnosis, relapse, symptom, surgery, treatment (given once); of "
            "a life: how it ends",
            "organ": "key of the organ",
            "name": "name of the treatment or event",
        },
        data,
        draw,
        needs="patients",
        worth=lambda results: bool(results.events["event"].isin(RECURRENCES).any()),
    )
)


@checked()
def swimmer(
    results: Results,
    ax: Axes | None = None,
    *,
    patients: int = 30,
    style: Style | None = None,
) -> Axes:
    """Clinical course of single patients, one line each, sorted by how long they were followed.

    Upper half of a line: diagnosis, relapses, symptoms. Lower half: treatments, as bars while
    they last, else as marks. The shape says what happened, the colour in which organ. Marks that
    would hide each other are moved apart.

    Args:
        results: a finished run, recorded at level patients or more.
        ax: axes to draw into; by default those of a new figure.
        patients: how many; those with a recurrence are taken first.
        style: of Matplotlib, over the settings of metasim.
    """
    return KIND(results, ax, style=style, patients=patients)
