"""One patient's colonies over time."""

from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from metasim.errors import OptionError
from metasim.results.plots.style import (
    FAINT,
    INK,
    MUTED,
    STYLE,
    colour,
    count,
    dashes,
    head,
    name,
    new_axes,
    nothing,
    run_title,
)
from metasim.results.store import Results
from metasim.terms import DAYS_PER_YEAR, MACRO_CELLS, MICRO_CELLS

Floats = NDArray[np.float64]
_FEWEST_CELLS = 0.3  # where the axis of cells begins

MARKS_POINTS: Final = 21
"""Room in points that `mark_course` takes above the axes."""


@rc_context(STYLE)
def colonies(results: Results, ax: Axes | None = None, *, patient: int | None = None) -> Axes:
    """Cells of one patient's tumours over time, on a log scale.

    Thick lines: all tumour cells of an organ, as recorded. Thin lines: single metastases from 200
    cells on, through the days and sizes that are recorded of them (thresholds, end). Ticks at the
    bottom: every founding.

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
    ax = new_axes(ax, 9.0, 5.6)
    mine = ds.field("patient") == who
    counts = results.arrow("counts").to_table(filter=mine).to_pandas()
    found = results.arrow("metastases").to_table(filter=mine).to_pandas()
    if found.empty and not counts["cells"].any():
        return nothing(ax, title, "no tumour cell in any organ on any recorded day")
    ax.set_yscale("log")
    drawn = []
    for organ in results.organs:
        kind = {"color": colour(results, organ), "linestyle": dashes(results, organ)}
        here = found[found["organ"] == organ]
        burden = counts[counts["organ"] == organ]
        if here.empty and not burden["cells"].any():
            continue
        drawn.append(Line2D([], [], linewidth=2.4, label=name(results, organ), **kind))
        cells = burden["cells"].where(burden["cells"] > 0)  # a gap where there are none
        ax.plot(years(burden["day"], course), cells, linewidth=2.4, zorder=3, **kind)
        detection = results.scenario["soil"][organ].get("detection_cells", np.inf)
        for row in here[here["micro_day"].notna()].to_dict("records"):
            day, cells = known_sizes(row, detection, course["end_day"], results.size_classes)
            ax.plot(years(day, course), cells, linewidth=0.7, alpha=0.7, color=kind["color"])
        born = years(here["founded_day"], course)
        ax.vlines(born, 0, 0.025, transform=ax.get_xaxis_transform(), color=kind["color"],
                  linewidth=1.0, alpha=0.7)  # fmt: skip
    largest = max([*counts["cells"], *found["cells"], 1e4])
    ax.set_ylim(_FEWEST_CELLS, 3 * largest)
    _thresholds(ax, results)
    mark_course(ax, course)
    ax.set_xlim(right=float(years(course["end_day"], course)))
    ax.set_ylabel("tumour cells")
    ax.legend(handles=drawn, loc="upper left", bbox_to_anchor=(1.02, 1.0), title="organ",
              alignment="left")  # fmt: skip
    detail = run_title(results) + count(len(found), "metastasis", "metastases")
    detail += f" founded (ticks), {found['micro_day'].count():,} reached "
    detail += (
        f"{results.size_classes[0]:,.0f} cells, {found['detected_day'].count():,} seen by imaging. "
    )
    detail += "Thick: all cells of the organ; thin: single metastases"
    head(ax, title, detail, above=MARKS_POINTS)
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


def mark_course(ax: Axes, course: "pd.Series[Any]") -> None:
    """Name the time axis; mark diagnosis and death above it (`MARKS_POINTS` high)."""
    ax.set_xlabel(f"years since {course['since']}")
    marks = {"diagnosis": course["diagnosis_day"], "death": course["death_day"]}
    for label, day in marks.items():
        if pd.notna(day):
            x = float(years(day, course))
            ax.axvline(x, color=MUTED, linewidth=1.0, linestyle=":", zorder=1)
            side = "right" if label == "diagnosis" else "left"  # it comes before death
            ax.annotate(label, (x, 1), (0, 2), xycoords=ax.get_xaxis_transform(), ha=side,
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


def _thresholds(ax: Axes, results: Results) -> None:
    soils = results.scenario["soil"].values()
    detection = {soil["detection_cells"] for soil in soils if "detection_cells" in soil}
    micro_cells, macro_cells = results.size_classes
    levels = {micro_cells: "micrometastasis", macro_cells: "macrometastasis"}
    if len(detection) == 1:
        levels[detection.pop()] = "seen by imaging"
    lethal = results.scenario.get("clinic", {}).get("lethal_cells")
    if lethal:
        levels[lethal] = "lethal burden"
    top = ax.get_ylim()[1]
    for cells, label in levels.items():
        if cells < top:
            ax.axhline(cells, color=FAINT, linewidth=0.8, zorder=0)
            ax.annotate(label, (0, cells), (4, 2), xycoords=ax.get_yaxis_transform(),
                        textcoords="offset points", color=INK,
                        path_effects=[withStroke(linewidth=3, foreground="white")])  # fmt: skip
