"""The organ graph on a body: where the blood goes, and where metastases grow."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from metasim.checked import checked
from metasim.results.description import Description
from metasim.results.plots.outline import body_outline
from metasim.results.plots.registry import FigureKind, register, run_of, tidy
from metasim.results.plots.style import (
    FAINT,
    INK,
    MUTED,
    Style,
    cohort,
    colour,
    head,
    name,
    new_axes,
    spread,
)
from metasim.results.plots.text import plain
from metasim.results.store import Results
from metasim.results.summary import PLURALS, Counted, short, summarise

if TYPE_CHECKING:
    import pandas as pd

_HEART = (0.012, 0.735)
_BLOOD, _LYMPH = "#A23B3B", "#3A7D44"
_WIDEST_POINTS = 9.0
_LARGEST_POINTS2 = 900.0
_LABELS_X = 0.25
_BEND = 0.22

Place = tuple[float, float]


def data(results: Results, *, counted: Counted = "auto") -> "pd.DataFrame":
    """The numbers of `body`, see `KIND.columns`."""
    import pandas as pd

    run = results.description
    summary = summarise(results, counted)
    about = summary.attrs
    means = summary.set_index("organ")["metastases_per_patient"]
    rows: list[dict[str, Any]] = []
    for place, (x, y) in _places(run).items():
        what = "organ" if place in run.by_key else "junction"
        row = {"what": what, "place": place, "x": x, "y": y}
        rows.append(row | ({"metastases_per_patient": means[place]} if what == "organ" else {}))
    for (start, end), flow in flows(run.blood).items():
        rows.append({"what": "blood", "place": start, "to": end, "flow": flow})
    lymph = [(start, end) for start, targets in run.lymph.items() for end in targets]
    rows += [{"what": "lymph", "place": start, "to": end} for start, end in lymph]
    frame = pd.DataFrame(rows, columns=list(KIND.columns))
    return tidy(frame, run, patients=about["patients"], counted=about["counted"])


def draw(table: "pd.DataFrame", ax: Axes | None = None) -> Axes:
    """Vessels and organs on the outline of a body, see `body`."""
    run, about = run_of(table), table.attrs
    spots = table[table["what"].isin(["organ", "junction"])].set_index("place")
    places: dict[str, Place] = {
        str(row["place"]): (float(row["x"]), float(row["y"]))
        for row in spots.reset_index().to_dict("records")
    }
    means = spots.loc[list(run.by_key), "metastases_per_patient"].fillna(0)  # nobody diagnosed
    ax = new_axes(ax, 9.0, 9.5)
    ax.add_patch(
        PathPatch(body_outline(), facecolor="#F4EFE9", edgecolor="#CFC6BB", linewidth=1.2, zorder=0)
    )
    ax.set_xlim(-0.5, 0.5)
    ax.set_ylim(-0.02, 1.02)
    ax.set_aspect("equal")
    ax.set_axis_off()
    _draw_vessels(ax, table, places)
    scale = _LARGEST_POINTS2 / max(means.max(), 1e-300)
    for organ in run.by_key:
        x, y = places[organ]
        area = scale * means[organ]
        ax.scatter(x, y, max(area, 14), facecolor=colour(run, organ) if area else "white",
                   edgecolor="white" if area else MUTED, linewidth=1.0, zorder=4)  # fmt: skip
    for junction in places.keys() - set(run.by_key):
        ax.scatter(*places[junction], 16, color=_BLOOD, zorder=3)
    _label(ax, run, places, dict(zip(means.index, means, strict=True)))
    _legend(ax, means.max(), scale)
    detail = f"{cohort(run, about['patients'])}. Counted per patient: {PLURALS[about['counted']]}"
    head(ax, KIND.title, detail)
    return ax


def flows(shares: Mapping[str, Mapping[str, float]]) -> dict[tuple[str, str], float]:
    """Flow along each vessel, as a fraction of the largest flow through any node.

    Args:
        shares: from -> to -> share of the outflow.

    Returns:
        The steady flow: what enters a node leaves it, in the given shares.
    """
    nodes = sorted(set(shares) | {to for targets in shares.values() for to in targets})
    if not nodes:
        return {}
    step = np.array([[shares.get(a, {}).get(b, 0.0) for a in nodes] for b in nodes])
    system = np.vstack([step - np.eye(len(nodes)), np.ones(len(nodes))])
    through = np.linalg.lstsq(system, np.eye(len(nodes) + 1)[-1], rcond=None)[0]
    through = dict(zip(nodes, through / through.max(), strict=True))
    return {
        (a, b): float(through[a] * share)
        for a, targets in shares.items()
        for b, share in targets.items()
        if share > 0
    }


def _places(run: Description) -> dict[str, Place]:
    """Organs at their positions, junctions around the heart."""
    places: dict[str, Place] = {one.key: one.position or _HEART for one in run.organs}
    routes = (run.blood, run.lymph)
    named = {key for route in routes for node in route for key in (node, *route[node])}
    junctions = sorted(named - set(places))
    for number, junction in enumerate(junctions):
        angle = 2 * np.pi * number / len(junctions)
        places[junction] = (
            _HEART[0] + 0.017 * float(np.cos(angle)), _HEART[1] + 0.017 * float(np.sin(angle))
        )  # fmt: skip
    return places


def _draw_vessels(ax: Axes, table: "pd.DataFrame", places: Mapping[str, Place]) -> None:
    for row in table.to_dict("records"):
        if row["what"] == "blood":
            width = max(0.6, _WIDEST_POINTS * row["flow"])
            _arrow(ax, places[row["place"]], places[row["to"]], _BLOOD, width, "-")
        elif row["what"] == "lymph":
            _arrow(ax, places[row["place"]], places[row["to"]], _LYMPH, 1.6, (0, (2, 1.5)))


def _arrow(ax: Axes, start: Place, end: Place, color: str, width: float, style: object) -> None:
    """A curved vessel with a small arrowhead in its middle, where none of the others end."""
    from_, to = np.array(start), np.array(end)
    along = to - from_
    bend = (from_ + to) / 2 + _BEND * np.array([along[1], -along[0]])
    curve = Path([from_, bend, to], [Path.MOVETO, Path.CURVE3, Path.CURVE3])
    ax.add_patch(PathPatch(curve, facecolor="none", edgecolor=color, linewidth=width,
                           linestyle=style, alpha=0.4, zorder=2, capstyle="butt"))  # fmt: skip
    x, y = (from_ + 2 * bend + to) / 4
    angle = float(np.degrees(np.arctan2(along[1], along[0]))) - 90
    triangle = MarkerStyle((3, 0, angle))
    ax.scatter(x, y, 12 + 4 * width, marker=triangle, color=color, linewidth=0, zorder=3)


def _label(
    ax: Axes, run: Description, places: Mapping[str, Place], means: Mapping[str, float]
) -> None:
    """Names and numbers in a column on either side, each tied to its organ by a thin line."""
    by_x = sorted(run.by_key, key=lambda organ: places[organ][0])
    lines = 1 + max(name(run, organ).count("\n") for organ in run.by_key)
    for side, members in ((-1, by_x[: len(by_x) // 2]), (1, by_x[len(by_x) // 2 :])):
        wanted = np.array([places[organ][1] for organ in members])
        for organ, y in zip(
            members, spread(wanted, 0.023 * lines + 0.012, 0.02, 0.98), strict=True
        ):
            ax.annotate(
                plain(f"{name(run, organ)}  {short(means[organ]) if means[organ] else 0}"),
                places[organ],
                (side * _LABELS_X, y),
                ha="right" if side < 0 else "left",
                va="center",
                color=INK,
                arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.9, "shrinkB": 0,
                            "relpos": (1 if side < 0 else 0, 0.5)},
                zorder=3,
            )  # fmt: skip


def _legend(ax: Axes, largest: float, scale: float) -> None:
    """What widths, dashes and areas mean."""
    flow = [
        Line2D([], [], color=_BLOOD, alpha=0.45, linewidth=max(0.6, _WIDEST_POINTS * share),
               label=f"blood, {share:.0%} of cardiac output")
        for share in (1.0, 0.2, 0.05)
    ]  # fmt: skip
    lymph = Line2D([], [], color=_LYMPH, linewidth=1.6, linestyle=(0, (2, 1.5)), label="lymph")
    ax.add_artist(ax.legend(handles=[*flow, lymph], loc="lower left", title="vessels",
                            alignment="left"))  # fmt: skip
    sizes = [_round(largest * part) for part in (1.0, 0.3, 0.1)] if largest else []
    areas = [
        Line2D([], [], linestyle="", marker="o", color=FAINT, markersize=np.sqrt(scale * size),
               label=short(size))
        for size in sizes
    ]  # fmt: skip
    none = Line2D([], [], linestyle="", marker="o", markerfacecolor="white", color=MUTED,
                  markersize=4, label="none")  # fmt: skip
    ax.legend(handles=[*areas, none], loc="lower right", title="metastases\nper patient",
              alignment="left", labelspacing=1.7)  # fmt: skip


def _round(value: float) -> float:
    """`value` to one significant digit."""
    return float(f"{value:.0e}")


KIND = register(
    FigureKind(
        "body",
        "Where the blood goes, and where metastases grow",
        "The organ graph on a body: vessels as wide as their flow, organs by metastases.",
        {
            "what": "organ, junction (of vessels), blood or lymph (a vessel)",
            "place": "key of the organ or junction; of a vessel, where it begins",
            "to": "where a vessel ends",
            "x": "position of an organ or junction, from the midline (body heights)",
            "y": "position, from the feet (body heights)",
            "metastases_per_patient": "mean number of metastases in an organ, per patient",
            "flow": "flow of a blood vessel (share of the cardiac output)",
        },
        data,
        draw,
    )
)


@checked()
def body(
    results: Results,
    ax: Axes | None = None,
    *,
    counted: Counted = "auto",
    style: Style | None = None,
) -> Axes:
    """Organs at their places: vessels as wide as the flow they carry, area by metastases.

    Args:
        results: a finished run, of any recording level.
        ax: axes to draw into; by default those of a new figure.
        counted: which metastases, see `summarise`.
        style: of Matplotlib, over the settings of metasim.
    """
    return KIND(results, ax, style=style, counted=counted)
