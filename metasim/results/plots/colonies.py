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

from metasim.checked import checked
from metasim.results.description import Description
from metasim.results.outcomes import followed_patients
from metasim.results.plots.course import (
    MARKS_POINTS,
    mark_course,
    patient_course,
    telling_patient,
    years,
)
from metasim.results.plots.groups import label_ends
from metasim.results.plots.registry import FigureKind, register, run_of, tidy
from metasim.results.plots.style import (
    FAINT,
    INK,
    MUTED,
    Style,
    colour,
    count,
    dashes,
    head,
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
from metasim.terms import MACRO_CELLS, MICRO_CELLS

Floats = NDArray[np.float64]
_FEWEST_CELLS = 0.3  # where the axis of cells begins
_LANE_POINTS: Final = 9.0


def data(results: Results, *, patient: int | None = None) -> pd.DataFrame:
    """The numbers of `colonies`, see `KIND.columns`."""
    run = results.description
    who = telling_patient(results) if patient is None else patient
    course = patient_course(results, who)
    mine = ds.field("patient") == who
    counts = results.arrow("counts").to_table(filter=mine).to_pandas()
    found = results.arrow("metastases").to_table(filter=mine).to_pandas()
    burden = pd.DataFrame(
        {"organ": counts["organ"], "years": years(counts["day"], course), "cells": counts["cells"]}
    )
    tables = [burden.assign(what="organ"), _sizes(results, found, course)]
    founded = {"organ": found["organ"], "metastasis": found["metastasis"]}
    founded["years"] = years(found["founded_day"], course)
    tables += [pd.DataFrame(founded).assign(what="founded"), _treatments(results, course)]
    rows = {key: [float(years(course[f"{key}_day"], course))] for key in ("diagnosis", "death")}
    tables += [pd.DataFrame({"what": key, "years": row}) for key, row in rows.items()]
    frame = pd.concat([table for table in tables if len(table)], ignore_index=True)
    frame = frame.reindex(columns=list(KIND.columns))
    frame["organ"] = frame["organ"].astype(object).where(frame["organ"].notna(), None)
    return tidy(
        frame,
        run,
        patient=int(who),
        since=course["since"],
        end_years=float(years(course["end_day"], course)),
        founded=len(found),
        micro=int(found["micro_day"].count()),
        detected=int(found["detected_day"].count()),
    )


def _sizes(results: Results, found: pd.DataFrame, course: "pd.Series[Any]") -> pd.DataFrame:
    """Sizes that are recorded of each metastasis from micrometastasis on."""
    tables = [pd.DataFrame({"organ": [], "metastasis": [], "years": [], "cells": []})]
    for row in found[found["micro_day"].notna()].to_dict("records"):
        detection = results.description.by_key[row["organ"]].detection_cells or np.inf
        day, cells = known_sizes(row, detection, course["end_day"], results.size_classes)
        numbers = {"years": years(day, course), "cells": cells}
        about = {"organ": row["organ"], "metastasis": row["metastasis"]}
        tables.append(pd.DataFrame({**about, **numbers}))
    return pd.concat(tables[1:] or tables).assign(what="metastasis")


def _treatments(results: Results, course: "pd.Series[Any]") -> pd.DataFrame:
    """Treatments of the patient: those that last from start to end, others at their day."""
    events = timeline(results)
    events = events[events["patient"] == course["patient"]]
    if events.empty:
        return pd.DataFrame()
    spans = treatment_spans(events)
    origin = followed_patients(results).loc[course["patient"], "origin"]
    shift = float(years(origin, course))  # the clock of the run may start on another day
    spans["until"] = spans["until"].fillna(float(years(course["end_day"], course)) - shift)
    once = events[events["event"].isin(list(MARKS))]
    marks = once[["organ", "years", "name"]].assign(what=once["event"])
    both = pd.concat([spans.assign(what="course").drop(columns="patient"), marks])
    both[["years", "until"]] = both.reindex(columns=["years", "until"]).astype(float) + shift
    return pd.DataFrame(both)


def draw(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Lines on a log scale, see `colonies`."""
    run, about = run_of(table), table.attrs
    title = f"Colonies of patient {about['patient']}"
    ax = new_axes(ax, 9.0, 5.4 + 0.08 * len(run.organs))
    parts = {str(what): part for what, part in table.groupby("what", sort=False)}
    burden, founded = parts.get("organ", table[:0]), parts.get("founded", table[:0])
    if founded.empty and not burden["cells"].any():
        return nothing(ax, title, "no tumour cell in any organ on any recorded day")
    ax.set_yscale("log")
    drawn = _draw_organs(ax, run, burden, parts.get("metastasis", table[:0]), founded)
    lethal = {o: run.by_key[o].lethal_cells or 0.0 for o in drawn if run.by_key[o].lethal_cells}
    cells = table["cells"].max()
    ax.set_ylim(_FEWEST_CELLS, 3 * max([cells, *lethal.values(), 1e4]))
    ax.set_xlim(right=about["end_years"])
    ax.set_ylabel("tumour cells")
    keys, tall = _mark_treatments(ax, run, table)
    days = {key: float(parts[key]["years"].iloc[0]) for key in ("diagnosis", "death")}
    mark_course(ax, about["since"], days, tall)
    ax.legend(handles=[*drawn.values(), *keys], loc="upper left", bbox_to_anchor=(-0.05, -0.14),
              ncols=3)  # fmt: skip
    _thresholds(ax, run, lethal)
    detail = run_title(run) + count(about["founded"], "metastasis", "metastases")
    detail += f" founded (ticks), {about['micro']:,} reached {run.micro_cells:,.0f} cells, "
    detail += f"{about['detected']:,} seen by imaging. "
    detail += "Thick: all cells of the organ; thin: single metastases"
    head(ax, title, detail, above=MARKS_POINTS + tall)
    return ax


def _draw_organs(
    ax: Axes, run: Description, burden: pd.DataFrame, sizes: pd.DataFrame, founded: pd.DataFrame
) -> dict[str, Line2D]:
    """Lines and ticks of each organ that has any; keys for the legend."""
    drawn: dict[str, Line2D] = {}
    for organ in run.by_key:
        kind = {"color": colour(run, organ), "linestyle": dashes(run, organ)}
        here, born = burden[burden["organ"] == organ], founded[founded["organ"] == organ]
        if born.empty and not here["cells"].any():
            continue
        drawn[organ] = Line2D([], [], linewidth=2.4, label=plain(name(run, organ)), **kind)
        cells = here["cells"].where(here["cells"] > 0)  # a gap where there are none
        ax.plot(here["years"], cells, linewidth=2.4, zorder=3, **kind)
        for _, one in sizes[sizes["organ"] == organ].groupby("metastasis"):
            ax.plot(one["years"], one["cells"], linewidth=0.7, alpha=0.7, color=kind["color"])
        ax.vlines(born["years"], 0, 0.025, transform=ax.get_xaxis_transform(), linewidth=1.0,
                  color=kind["color"], alpha=0.7)  # fmt: skip
    return drawn


def known_sizes(
    metastasis: Mapping[Any, Any],
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


def _mark_treatments(ax: Axes, run: Description, table: pd.DataFrame) -> tuple[list[Any], float]:
    """Treatments above the axes: bars while they last, else marks; keys, and points they take."""
    spans = table[table["what"] == "course"].assign(patient=0)
    once = table[table["what"].isin(list(MARKS))].assign(event=lambda rows: rows["what"])
    if spans.empty and once.empty:
        return [], 0.0
    lane, shade = lanes(spans), shades(spans)

    def at(points: float) -> Transform:
        return ax.get_xaxis_transform() + ScaledTranslation(
            0, points / 72, ax.figure.get_figure(root=True).dpi_scale_trans
        )

    for row in spans.to_dict("records"):
        ax.plot([row["years"], row["until"]], [1, 1], linewidth=_LANE_POINTS - 1,
                solid_capstyle="butt", color=shade[row["name"]], clip_on=False,
                transform=at(_LANE_POINTS * (lane[row["name"]] + 0.5)))  # fmt: skip
    point = np.ptp(ax.get_xlim()) / (72 * lay_out(ax))  # years
    places = apart(once["years"].to_numpy(), TICK_POINTS * point)
    used = len(set(lane.values())) * _LANE_POINTS
    for event, organ, when in zip(once["event"], once["organ"], places, strict=True):
        ink = colour(run, organ) if organ in run.by_key else MUTED
        ax.plot(when, 1, clip_on=False, transform=at(used + _LANE_POINTS / 2),
                **mark(event, ink))  # fmt: skip
    return treatment_keys(once, spans), used + (_LANE_POINTS if len(once) else 0)


def _thresholds(ax: Axes, run: Description, lethal: Mapping[str, float]) -> None:
    """Lines at what sizes mean, named at the right; arrowheads at what is lethal in an organ."""
    detection = {one.detection_cells for one in run.organs if one.detection_cells}
    levels = {"micrometastasis": run.micro_cells, "macrometastasis": run.macro_cells}
    if len(detection) == 1:
        levels["seen by imaging"] = detection.pop()
    if run.lethal_cells and run.lethal_cells < ax.get_ylim()[1]:
        levels["lethal in total"] = run.lethal_cells
    for cells in levels.values():
        ax.axhline(cells, color=FAINT, linewidth=0.8, zorder=0)
    ends = [(label, INK, cells) for label, cells in levels.items()]
    for organ, cells in lethal.items():
        shade = colour(run, organ)
        ax.plot(1, cells, "<", transform=ax.get_yaxis_transform(), clip_on=False, color=shade,
                markersize=7, markeredgecolor="white")  # fmt: skip
        ends.append((f"lethal in {run.by_key[organ].label.lower()}", shade, cells))
    lay_out(ax)
    label_ends(ax, ends)


KIND = register(
    FigureKind(
        "colonies",
        "Colonies of one patient",
        "Cells of one patient's tumours over time, organ by organ and metastasis by metastasis, "
        "with treatments, diagnosis and death.",
        {
            "what": "organ (all its tumour cells), metastasis (its size), founded, course (a "
            "treatment that lasts), surgery, treatment (given once), diagnosis or death",
            "organ": "key of the organ",
            "metastasis": "number of the metastasis, from 1",
            "name": "name of the treatment",
            "years": "time since diagnosis, or the start for who is never diagnosed (years)",
            "until": "end of a treatment that lasts (years)",
            "cells": "number of cells",
        },
        data,
        draw,
        needs="counts",
    )
)


@checked()
def colonies(
    results: Results,
    ax: Axes | None = None,
    *,
    patient: int | None = None,
    style: Style | None = None,
) -> Axes:
    """Cells of one patient's tumours over time, on a log scale.

    Thick lines: all tumour cells of an organ, as recorded. Thin lines: single metastases from 200
    cells on, through the days and sizes that are recorded of them (thresholds, end). Ticks at the
    bottom: every founding. Above: treatments, diagnosis and death.

    Args:
        results: a finished run, recorded at level everything.
        ax: axes to draw into; by default those of a new figure.
        patient: which; by default the one with the most to see: metastases detected in the most
            organs, among those whose metastases can be told apart.
        style: of Matplotlib, over the settings of metasim.

    Raises:
        OptionError: there is no such patient.
    """
    return KIND(results, ax, style=style, patient=patient)
