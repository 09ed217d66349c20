"""One patient's colonies over time."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation, Transform
from numpy.typing import NDArray

from metasim.errors import OptionError
from metasim.results.outcomes import followed_patients
from metasim.results.plots.groups import label_ends
from metasim.results.plots.style import (
    FAINT,
    INK,
    MUTED,
    colour,
    count,
    dashes,
    head,
    in_style,
    lay_out,
    name,
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
from metasim.results.timeline import timeline, treatment_spans
from metasim.terms import DAYS_PER_YEAR, MACRO_CELLS, MICRO_CELLS

Floats = NDArray[np.float64]
_FEWEST_CELLS = 0.3  # where the axis of cells begins

_LANE_POINTS: Final = 9.0
MARKS_POINTS: Final = 21
"""Room in points that `mark_course` takes above the axes."""


@in_style
def colonies(results: Results, ax: Axes | None = None, *, patient: int | None = None) -> Axes:
    """Cells of one patient's tumours over time, on a log scale.

    Thick lines: all tumour cells of an organ, as recorded. Thin lines: single metastases from 200
    cells on, through the days and sizes that are recorded of them (thresholds, end). Ticks at the
    bottom: every founding. Above: treatments, diagnosis and death.

    Args:
        results: a finished run, recorded at level everything.
        ax: axes to draw into; by default those of a new figure.
        patient: which; by default the one with the median number of detected metastases among
            those with any.

    Raises:
        OptionError: there is no such patient.
    """
    who = typical_patient(results) if patient is None else patient
    course = patient_course(results, who)
    title = f"Colonies of patient {who}"
    ax = new_axes(ax, 9.0, 5.4 + 0.08 * len(results.organs))
    mine = ds.field("patient") == who
    counts = results.arrow("counts").to_table(filter=mine).to_pandas()
    found = results.arrow("metastases").to_table(filter=mine).to_pandas()
    if found.empty and not counts["cells"].any():
        return nothing(ax, title, "no tumour cell in any organ on any recorded day")
    ax.set_yscale("log")
    drawn: dict[str, Line2D] = {}
    for organ in results.organs:
        kind = {"color": colour(results, organ), "linestyle": dashes(results, organ)}
        here = found[found["organ"] == organ]
        burden = counts[counts["organ"] == organ]
        if here.empty and not burden["cells"].any():
            continue
        drawn[organ] = Line2D([], [], linewidth=2.4, label=plain(name(results, organ)), **kind)
        cells = burden["cells"].where(burden["cells"] > 0)  # a gap where there are none
        ax.plot(years(burden["day"], course), cells, linewidth=2.4, zorder=3, **kind)
        detection = results.description.by_key[organ].detection_cells or np.inf
        for row in here[here["micro_day"].notna()].to_dict("records"):
            day, cells = known_sizes(row, detection, course["end_day"], results.size_classes)
            ax.plot(years(day, course), cells, linewidth=0.7, alpha=0.7, color=kind["color"])
        born = years(here["founded_day"], course)
        ax.vlines(born, 0, 0.025, transform=ax.get_xaxis_transform(), color=kind["color"],
                  linewidth=1.0, alpha=0.7)  # fmt: skip
    limits = {organ: results.description.by_key[organ].lethal_cells for organ in drawn}
    lethal = {organ: cells for organ, cells in limits.items() if cells is not None}
    largest = max([*counts["cells"], *found["cells"], *lethal.values(), 1e4])
    ax.set_ylim(_FEWEST_CELLS, 3 * largest)
    ax.set_xlim(right=float(years(course["end_day"], course)))
    ax.set_ylabel("tumour cells")
    keys, tall = _mark_treatments(ax, results, course)
    mark_course(ax, course, tall)
    ax.legend(handles=[*drawn.values(), *keys], loc="upper left", bbox_to_anchor=(-0.05, -0.14),
              ncols=3)  # fmt: skip
    _thresholds(ax, results, lethal)
    detail = run_title(results) + count(len(found), "metastasis", "metastases")
    detail += f" founded (ticks), {found['micro_day'].count():,} reached "
    detail += (
        f"{results.size_classes[0]:,.0f} cells, {found['detected_day'].count():,} seen by imaging. "
    )
    detail += "Thick: all cells of the organ; thin: single metastases"
    head(ax, title, detail, above=MARKS_POINTS + tall)
    return ax


def typical_patient(results: Results) -> int:
    """The patient with the median number of detected metastases among those with any.

    Without any detected, the one with the most metastases founded; without those, the first.
    """
    metastases = results.metastases
    if metastases.empty:
        return int(results.patients["patient"].min())
    detected = metastases[metastases["detected_day"].notna()].groupby("patient").size()
    if detected.empty:
        found = metastases.groupby("patient").size()
        return int(found.index.to_numpy()[found.to_numpy().argmax()])
    ranked = detected.sort_values(kind="stable")
    return int(ranked.index.to_numpy()[(len(ranked) - 1) // 2])


def patient_course(results: Results, patient: int) -> "pd.Series[Any]":
    """The patient's row, with `origin_day` (diagnosis, or 0) and `since` for the time axis."""
    rows = results.patients[results.patients["patient"] == patient]
    if rows.empty:
        low, high = results.patients["patient"].agg(["min", "max"])
        raise OptionError(f"there is no patient {patient}; patients are {low} to {high}")
    course = rows.iloc[0].copy()
    diagnosed = bool(pd.notna(course["diagnosis_day"]))
    course["origin_day"] = course["diagnosis_day"] if diagnosed else 0.0
    course["since"] = "diagnosis" if diagnosed else "the start"
    return course


def years(day: "pd.Series[Any] | Floats | float", course: "pd.Series[Any]") -> Floats:
    """Days as years since the patient's origin."""
    since: Floats = np.asarray(day, float) - course["origin_day"]
    return since / DAYS_PER_YEAR


def mark_course(ax: Axes, course: "pd.Series[Any]", above: float = 0.0) -> None:
    """Name the time axis; mark diagnosis and death over it (`MARKS_POINTS`, from `above` on)."""
    ax.set_xlabel(f"years since {course['since']}")
    marks = {"diagnosis": course["diagnosis_day"], "death": course["death_day"]}
    for label, day in marks.items():
        if pd.notna(day):
            x = float(years(day, course))
            ax.axvline(x, color=MUTED, linewidth=1.0, linestyle=":", zorder=1)
            side = "right" if label == "diagnosis" else "left"  # it comes before death
            ax.annotate(label, (x, 1), (0, 2 + above), xycoords=ax.get_xaxis_transform(), ha=side,
                        textcoords="offset points", color=MUTED)  # fmt: skip


def known_sizes(
    metastasis: dict[str, float],
    detection_cells: float,
    end_day: float,
    size_classes: tuple[float, float] = (MICRO_CELLS, MACRO_CELLS),
) -> tuple[Floats, Floats]:
    """Days and sizes in cells that are recorded of one metastasis, from micrometastasis on."""
    points = [
        (metastasis["micro_day"], size_classes[0]),
        (metastasis["macro_day"], size_classes[1]),
        (metastasis["detected_day"], detection_cells),
        (metastasis["extinct_day"], _FEWEST_CELLS),
    ]
    if metastasis["cells"] > 0:
        points.append((end_day, metastasis["cells"]))
    day, cells = np.array(sorted(point for point in points if pd.notna(point[0]))).T
    return day, cells


def _mark_treatments(
    ax: Axes, results: Results, course: "pd.Series[Any]"
) -> tuple[list[Any], float]:
    """Treatments above the axes: bars while they last, else marks; keys, and points they take."""
    events = timeline(results)
    events = events[events["patient"] == course["patient"]]
    if events.empty:
        return [], 0.0
    spans = treatment_spans(events)
    origin = followed_patients(results).loc[course["patient"], "origin"]
    shift = float(years(origin, course))  # the clock of the run may start on another day
    spans["until"] = spans["until"].fillna(float(years(course["end_day"], course)) - shift)
    lane, shade = lanes(spans), shades(spans)

    def at(points: float) -> Transform:
        return ax.get_xaxis_transform() + ScaledTranslation(
            0, points / 72, ax.figure.get_figure(root=True).dpi_scale_trans
        )

    for row in spans.to_dict("records"):
        ax.plot([row["years"] + shift, row["until"] + shift], [1, 1], linewidth=_LANE_POINTS - 1,
                solid_capstyle="butt", color=shade[row["name"]], clip_on=False,
                transform=at(_LANE_POINTS * (lane[row["name"]] + 0.5)))  # fmt: skip
    once = events[events["event"].isin(list(MARKS))]
    point = np.ptp(ax.get_xlim()) / (72 * lay_out(ax))  # years
    places = apart(once["years"].to_numpy(), TICK_POINTS * point)
    used = len(set(lane.values())) * _LANE_POINTS
    for event, organ, when in zip(once["event"], once["organ"], places, strict=True):
        ink = colour(results, organ) if organ in results.organs else MUTED
        ax.plot(when + shift, 1, clip_on=False, transform=at(used + _LANE_POINTS / 2),
                **mark(event, ink))  # fmt: skip
    return treatment_keys(events, spans), used + (_LANE_POINTS if len(once) else 0)


def _thresholds(ax: Axes, results: Results, lethal: Mapping[str, float]) -> None:
    """Lines at what sizes mean, named at the right; arrowheads at what is lethal in an organ."""
    detection = {one.detection_cells for one in results.description.organs} - {None}
    micro_cells, macro_cells = results.size_classes
    levels = {"micrometastasis": micro_cells, "macrometastasis": macro_cells}
    if len(detection) == 1:
        levels["seen by imaging"] = detection.pop() or np.inf
    in_all = results.description.lethal_cells
    if in_all and in_all < ax.get_ylim()[1]:
        levels["lethal in total"] = in_all
    for cells in levels.values():
        ax.axhline(cells, color=FAINT, linewidth=0.8, zorder=0)
    ends = [(label, INK, cells) for label, cells in levels.items()]
    for organ, cells in lethal.items():
        shade = colour(results, organ)
        ax.plot(1, cells, "<", transform=ax.get_yaxis_transform(), clip_on=False, color=shade,
                markersize=7, markeredgecolor="white")  # fmt: skip
        ends.append((f"lethal in {results.label(organ).lower()}", shade, cells))
    lay_out(ax)
    label_ends(ax, ends)
