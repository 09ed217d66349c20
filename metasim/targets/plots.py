"""Figures of a scorecard: a forest of all targets, and published points on simulated curves."""

from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes

from metasim.results.plots.style import (
    FAINT,
    INK,
    MUTED,
    beside,
    head,
    new_axes,
    nothing,
    styled,
)
from metasim.targets.quantities import QUANTITIES
from metasim.targets.score import CLOSE, FAR, Score
from metasim.targets.scorecard import ends_text, frame, in_groups
from metasim.targets.simulate import estimate
from metasim.targets.validate import Validation

_PUBLISHED: Final = "#D55E00"
_SIMULATED: Final = "#0072B2"
_COLOURS: Final = ("#009E73", "#E69F00", "#D55E00")  # |z| < 2, to 4, beyond
_SHAPES: Final = ("o", "D", "s")
_FURTHEST: Final = 6.0
_ROW_INCHES: Final = 0.27
_ENDS: Final = (0.38, 0.82)  # of the columns of numbers, of the room beside the axes


def forest_data(judged: Validation) -> Any:
    """What the forest shows: the judged rows of the scorecard, by cohort and topic."""
    table = frame(judged.scores)
    return table[np.isfinite(table["z"])].reset_index(drop=True)


@styled()
def forest(judged: Validation, ax: Axes | None = None) -> Axes:
    """Every judged target: its z-score, and beside it published and simulated values.

    Args:
        judged: from `validate`.
        ax: axes to draw into, the numbers go beside them; by default those of a new figure.
    """
    told = in_groups(one for one in judged.scores if one.judged)
    rows = _rows(told)
    ax = new_axes(ax, 14.0, 2.2 + _ROW_INCHES * len(rows))
    title = judged.targets.title or "Published figures and the simulation"
    if not told:
        return nothing(ax, title, "none of the targets is simulated")
    numbers = beside(ax)
    numbers.set_axis_off()
    ax.axvspan(-CLOSE, CLOSE, color="#009E73", alpha=0.10, linewidth=0)
    ax.axvline(0, color=MUTED, linewidth=1)
    for end in (-FAR, FAR):
        ax.axvline(end, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    for place, row in enumerate(rows):
        if isinstance(row, Score):
            _mark(ax, row, place)
            _write(numbers, place, row)
    ax.set_ylim(len(rows) - 0.5, -0.8)
    ax.set_xlim(-_FURTHEST - 0.5, _FURTHEST + 0.5)
    ax.set_yticks(range(len(rows)), [_label(row) for row in rows])
    for tick, row in zip(ax.get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if isinstance(row, str) else "normal")
        tick.set_fontsize(9.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("z = (simulated - published) / standard error of both and between cohorts")
    for x, text in ((_ENDS[0], "published (95 %)"), (_ENDS[1], "simulated (95 %)")):
        numbers.annotate(text, (x, -0.75), xycoords=numbers.get_yaxis_transform(), ha="right",
                         va="center", color=INK, fontweight="bold", fontsize=9.5,
                         annotation_clip=False)  # fmt: skip
    detail = "Circles: |z| < 2; diamonds: 2 to 4; squares: beyond 4. Open: held back from fits"
    left = len(judged.scores) - len(told)
    head(ax, title, detail + (f". {left} further targets are not simulated" if left else ""))
    return ax


def curves_of(judged: Validation) -> list[str]:
    """Names of the curves with at least two judged points."""
    names = [one.target.curve for one in judged.scores if one.target.curve and one.judged]
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def curve_data(judged: Validation, name: str) -> tuple[Any, Any]:
    """What a curve shows: rows of the scorecard with `x`, and the simulated curve.

    Returns:
        Published points and the simulated values at them; the curve with its band: x, value, low,
        high, on a fine grid where the quantity runs along a parameter, else at the points.
    """
    import pandas as pd

    mine = [one for one in judged.scores if one.target.curve == name and one.judged]
    mine.sort(key=lambda one: one.target.x or 0.0)
    points = frame(mine).assign(x=np.array([one.target.x for one in mine], float))
    along = QUANTITIES[mine[0].target.quantity].along
    if not along:
        columns = {"simulated": "value", "sim_low": "low", "sim_high": "high"}
        return points, points[["x", *columns]].rename(columns=columns)
    rows = []
    for x in np.linspace(0, 1.05 * points["x"].max(), 43)[1:]:
        found = estimate(mine[0].target, judged.samples, **{along: float(x)})
        rows.append({"x": x, "value": found.value, "low": found.low, "high": found.high})
    return points, pd.DataFrame(rows)


@styled()
def curve(judged: Validation, name: str, ax: Axes | None = None) -> Axes:
    """Published points with their intervals on the simulated curve.

    Args:
        judged: from `validate`.
        name: of the curve, one of `curves_of`.
        ax: axes to draw into; by default those of a new figure.
    """
    points, line = curve_data(judged, name)
    ax = new_axes(ax, 7.5, 5.0)
    ax.fill_between(line["x"], line["low"], line["high"], color=_SIMULATED, alpha=0.2, linewidth=0)
    ax.plot(line["x"], line["value"], color=_SIMULATED, label="simulated (band: 95 %)")
    bars = np.abs(points[["low", "high"]].to_numpy() - points[["published"]].to_numpy()).T
    ax.errorbar(points["x"], points["published"], np.nan_to_num(bars), fmt="o", color=_PUBLISHED,
                capsize=3, markersize=6, label="published (bar: 95 %)")  # fmt: skip
    target = next(one.target for one in judged.scores if one.target.curve == name)
    unit = points["unit"].iloc[0]
    ax.set_ylim(bottom=0)
    ax.set_ylabel(f"{target.topic or target.quantity.replace('_', ' ')} ({unit})")
    ax.set_xlabel(_x_label(target.quantity))
    ax.legend(loc="best")
    low, high = points["z"].min(), points["z"].max()
    head(ax, name[:1].upper() + name[1:], f"z-scores from {low:+.1f} to {high:+.1f}")
    return ax


def _x_label(quantity: str) -> str:
    if quantity in ("nodes_percent", "nodes_mean"):
        return "diameter at diagnosis (mm)"
    if quantity.startswith("survival_after") or "quantile" in quantity:
        return "percent of patients"
    return "years since diagnosis"


def _rows(told: list[Score]) -> list[Score | str]:
    """Scores with a heading before each change of cohort or topic."""
    out: list[Score | str] = []
    before = ("", "")
    for one in told:
        group = (one.target.cohort, one.target.topic)
        if group != before:
            out.append(f"{one.target.cohort.replace('_', ' ')}: {one.target.topic}".rstrip(": "))
        out.append(one)
        before = group
    return out


def _label(row: Score | str) -> str:
    return row if isinstance(row, str) else row.target.label or row.target.id


def _mark(ax: Axes, one: Score, place: int) -> None:
    grade = int(abs(one.z) >= CLOSE) + int(abs(one.z) >= FAR)
    shade, inside = _COLOURS[grade], one.target.use == "fit"
    at = float(np.clip(one.z, -_FURTHEST, _FURTHEST))
    shape = _SHAPES[grade] if at == one.z else "<" if at < 0 else ">"
    ax.hlines(place, 0, at, color=shade, linewidth=1.2)
    face = shade if inside else "white"
    ax.plot(at, place, shape, color=shade, markersize=7, markerfacecolor=face, markeredgewidth=1.6)


def _write(ax: Axes, place: int, one: Score) -> None:
    assert one.simulated is not None
    ends = one.simulated.low, one.simulated.high
    texts = (
        (_ENDS[0], ends_text(one.target.value, one.published, one.unit), "right"),
        (_ENDS[1], ends_text(one.simulated.value, ends, one.unit), "right"),
        (_ENDS[1] + 0.02, one.unit, "left"),
    )
    for x, text, side in texts:
        ax.annotate(text, (x, place), xycoords=ax.get_yaxis_transform(), va="center", ha=side,
                    color=INK, fontsize=9.5, annotation_clip=False)  # fmt: skip
