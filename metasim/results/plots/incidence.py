"""Share of patients with metastases over time, organ by organ."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from numpy.typing import NDArray

from metasim.results.outcomes import incidence_by_organ
from metasim.results.plots.style import (
    FAINT,
    MUTED,
    STYLE,
    cohort,
    colour,
    dashes,
    head,
    name,
    new_axes,
    nothing,
    spread,
)
from metasim.results.store import Results
from metasim.results.summary import PLURALS, Counted

Floats = NDArray[np.float64]
_BANDS_UP_TO = 8


@rc_context(STYLE)
def incidence(
    results: Results,
    ax: Axes | None = None,
    *,
    organs: Sequence[str] | None = None,
    counted: Counted = "auto",
) -> Axes:
    """Cumulative incidence of the first metastasis in each organ, death as competing event.

    Aalen-Johansen estimate with pointwise 95 % bands (left out where more than 8 organs are
    shown), patients still followed under the axis.

    Args:
        results: a finished run, recorded at level metastases or more.
        ax: axes to draw into; by default those of a new figure.
        organs: which organs; by default all.
        counted: which metastases, see `summarise`.
    """
    chosen = results.summary.attrs["counted"] if counted == "auto" else counted
    shown = list(organs) if organs is not None else results.organs
    curves, followed = incidence_by_organ(results, shown, chosen)
    since = results.summary.attrs["since"]
    ax = new_axes(ax, 8.5, max(5.2, 0.24 * len(shown) + 2.0))
    title = "Patients with metastases over time"
    if not any(curve.share[-1] for curve in curves.values()):
        return nothing(ax, title, f"{cohort(results, len(followed))}: no {PLURALS[chosen]}")
    span = float(np.max(followed))
    for organ, curve in curves.items():
        kind = {"color": colour(results, organ), "linestyle": dashes(results, organ)}
        time = np.append(curve.time, span)
        share, low, high = (
            100 * np.append(values, values[-1]) for values in (curve.share, curve.low, curve.high)
        )
        ax.step(time, share, where="post", **kind)
        if len(shown) <= _BANDS_UP_TO:
            ax.fill_between(
                time, low, high, step="post", color=kind["color"], alpha=0.15, linewidth=0
            )
    top = 100 * max(curve.high[-1] for curve in curves.values())
    ax.set_ylim(0, min(100, 1.05 * top))
    ax.set_xlim(0, span)
    origin = "diagnosis" if since == "diagnosis" else "the start"
    ax.set_xlabel(f"years since {origin}")
    ax.set_ylabel("patients with at least one (%)")
    _label_ends(ax, results, {organ: 100 * curve.share[-1] for organ, curve in curves.items()})
    _numbers_at_risk(ax, followed)
    detail = f"{cohort(results, len(followed))}. Counted: {PLURALS[chosen]}"
    detail += "; death is a competing event" if results.patients["death_day"].notna().any() else ""
    head(ax, title, detail + ("; bands: 95 %" if len(shown) <= _BANDS_UP_TO else ""))
    return ax


def _label_ends(ax: Axes, results: Results, ends: dict[str, float]) -> None:
    """Name each line at its right end."""
    low, high = ax.get_ylim()
    height = ax.get_position().height * ax.figure.get_figure(root=True).get_figheight()
    lines = 1 + max(name(results, organ).count("\n") for organ in ends)
    gap = (high - low) * 0.21 * lines / height  # 0.21 inches a line of text
    wanted = np.array(list(ends.values()))
    for (organ, end), y in zip(ends.items(), spread(wanted, gap, low, high), strict=True):
        ax.annotate(
            f"{name(results, organ)}  {end:.1f} %",
            (1, end),
            (1.06, y),
            xycoords=ax.get_yaxis_transform(),
            textcoords=ax.get_yaxis_transform(),
            va="center",
            color=colour(results, organ),
            arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.8, "relpos": (0, 0.5)},
            annotation_clip=False,
        )


def _numbers_at_risk(ax: Axes, followed: Floats) -> None:
    """Patients alive and followed at each tick, under the axis."""
    ticks = [tick for tick in ax.get_xticks() if 0 <= tick <= ax.get_xlim()[1]]
    for tick in ticks:
        ax.annotate(
            f"{int((followed >= tick).sum()):,}",
            (tick, 0),
            (0, -66),
            xycoords=ax.get_xaxis_transform(),
            textcoords="offset points",
            ha="center",
            color=MUTED,
        )
    ax.annotate(
        "alive and followed",
        (0, 0),
        (0, -51),
        xycoords="axes fraction",
        textcoords="offset points",
        color=MUTED,
    )
