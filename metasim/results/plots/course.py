"""What figures of one patient share: which patient, and the clock of her course."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from metasim.errors import OptionError
from metasim.results.plots.style import MUTED
from metasim.results.store import Results
from metasim.terms import DAYS_PER_YEAR

Floats = NDArray[np.float64]

LEGIBLE: Final = 30
"""Metastases of a patient that can still be told apart in a figure."""

MARKS_POINTS: Final = 21
"""Room in points that `mark_course` takes above the axes."""


def telling_patient(results: Results) -> int:
    """The patient with the most to see: metastases detected in the most organs, then the most.

    Those with more than `LEGIBLE` metastases are left out where others have any detected. Without
    any detected, the one with the most metastases founded; without those, the first.

    Raises:
        OptionError: no patient was simulated to the end.
    """
    if results.patients.empty:
        raise OptionError("there is no patient to draw: none was simulated to the end")
    metastases = results.metastases
    if metastases.empty:
        return int(results.patients["patient"].min())
    founded = metastases.groupby("patient").size()
    detected = metastases[metastases["detected_day"].notna()].groupby("patient", observed=True)
    seen = pd.DataFrame({"organs": detected["organ"].nunique(), "sites": detected.size()})
    legible = seen[founded.reindex(seen.index) <= LEGIBLE]
    seen = seen if legible.empty else legible
    if seen.empty:
        return int(founded.index.to_numpy()[founded.to_numpy().argmax()])
    ranked = seen.sort_values(["organs", "sites"], ascending=False, kind="stable")
    return int(ranked.index.to_numpy()[0])


def patient_course(results: Results, patient: int) -> "pd.Series[Any]":
    """The patient's row, with `origin_day` (diagnosis, or 0) and `since` for the time axis.

    Raises:
        OptionError: there is no such patient.
    """
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


def mark_course(ax: Axes, since: str, marks: Mapping[str, float], above: float = 0.0) -> None:
    """Name the time axis; mark diagnosis and death over it (`MARKS_POINTS`, from `above` on).

    Args:
        ax: with its limits set.
        since: what years count from.
        marks: years of "diagnosis" and "death"; nan where it did not happen.
        above: points over the axes that are taken already.
    """
    ax.set_xlabel(f"years since {since}")
    for label, x in marks.items():
        if pd.notna(x):
            ax.axvline(x, color=MUTED, linewidth=1.0, linestyle=":", zorder=1)
            side = "right" if label == "diagnosis" else "left"  # it comes before death
            ax.annotate(label, (x, 1), (0, 2 + above), xycoords=ax.get_xaxis_transform(), ha=side,
                        textcoords="offset points", color=MUTED)  # fmt: skip
