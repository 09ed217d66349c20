"""How figures show treatments: bars while they last, marks for those that are over at once."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from metasim.results.plots.style import MUTED, spread
from metasim.results.plots.text import plain
from metasim.results.timeline import GIVEN_ONCE

SURGERY: Final = "surgery"
MARKS: Final[dict[str, dict[str, Any]]] = {
    SURGERY: {"marker": "|", "markersize": 8.5, "markeredgewidth": 3.0},
    GIVEN_ONCE: {"marker": "d", "markersize": 8.0, "markeredgewidth": 0.6},
}
"""Marks of treatments that are over at once, by event; the same in every figure."""

TICK_POINTS: Final = 5.0
"""Room that each of these marks needs."""

_SHADES: Final = ("#9CC9EA", "#F0D264", "#CBA3D6", "#8FD0B5", "#F2A98B", "#A5A5A5")


def mark(event: str, shade: str) -> dict[str, Any]:
    """Look of a mark in the colour of its organ."""
    return {**MARKS[event], "color": shade, "markeredgecolor": shade if event == SURGERY else "w"}


def apart(times: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Places for marks at these times, in their order and at least `gap` apart."""
    if not len(times):
        return times
    return spread(times, gap, min(0.0, times.min()), max(times.max(), gap * (len(times) - 1)))


def shades(spans: pd.DataFrame) -> dict[str, str]:
    """A colour for each treatment that lasts."""
    return {name: _SHADES[k % len(_SHADES)] for k, name in enumerate(spans["name"].unique())}


def lanes(spans: pd.DataFrame) -> dict[str, int]:
    """The lane of each treatment that lasts: two share one unless they overlap in time.

    Args:
        spans: patient, name, years, until, as of `metasim.results.timeline.treatment_spans`, all
            of them ended.
    """
    pairs = spans.merge(spans, on="patient")
    pairs = pairs[(pairs["years_x"] < pairs["until_y"]) & (pairs["years_y"] < pairs["until_x"])]
    overlapping = set(zip(pairs["name_x"], pairs["name_y"], strict=True))
    found: dict[str, int] = {}
    for name in spans["name"].unique():
        taken = {lane for other, lane in found.items() if (name, other) in overlapping}
        found[name] = min(set(range(len(found) + 1)) - taken)
    return found


def treatment_keys(events: pd.DataFrame, spans: pd.DataFrame) -> list[Any]:
    """Legend of the treatments among some events and their spans."""
    keys: list[Any] = [
        Patch(color=shade, label=plain(words(n))) for n, shade in shades(spans).items()
    ]
    for event in MARKS:
        names = events.loc[events["event"] == event, "name"].unique()
        if len(names):
            # The marks' colours tell the organs: "radiotherapy of breast" needs no organ here.
            kinds = dict.fromkeys(words(name).partition(" of ")[0] for name in names)
            label = SURGERY if event == SURGERY else ", ".join(kinds)
            keys.append(Line2D([], [], linestyle="none", label=plain(label), **mark(event, MUTED)))
    return keys


def words(name: str) -> str:
    """A name as of the tables for the reader."""
    return name.replace("_", " ")
