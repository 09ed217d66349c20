"""What figures of one or several results share: groups, their colours, numbers at risk."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from metasim.errors import OptionError
from metasim.results.pairing import are_paired
from metasim.results.plots.style import FAINT, MUTED, cohort, count, spread, unbroken
from metasim.results.plots.text import plain
from metasim.results.store import Results

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

GROUP_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_LINE_INCHES: Final = 0.21
_LABEL_LETTERS: Final = 24
_NAME_LETTERS: Final = 32


@dataclass(frozen=True)
class Group:
    """One of the results that a figure shows side by side."""

    results: Results
    label: str
    colour: str


def groups(
    results: Results | Sequence[Results], labels: Sequence[str] | None = None
) -> list[Group]:
    """The results as groups; labels are their titles unless given.

    Raises:
        OptionError: no results, or not one label for each.
    """
    several = [results] if isinstance(results, Results) else list(results)
    names = [one.title or "untitled" for one in several] if labels is None else list(labels)
    if not several or len(names) != len(several):
        raise OptionError(f"{len(several)} results with {len(names)} labels")
    names = [f"{one} ({names[: k + 1].count(one)})" if one in names[:k] else one
             for k, one in enumerate(names)]  # fmt: skip
    colours = [GROUP_COLOURS[k % len(GROUP_COLOURS)] for k in range(len(several))]
    return [Group(*group) for group in zip(several, names, colours, strict=True)]


def shown(several: Sequence[Group], patients: Sequence[int]) -> str:
    """Beginning of the detail line: title and patients of one, or patients of each and all.

    Args:
        several: the groups.
        patients: how many patients of each are shown.
    """
    if len(several) == 1:
        return cohort(several[0].results.description, patients[0])
    runs, labels = [group.results for group in several], [group.label for group in several]
    fewest, most = min(patients), max(patients)
    each = count(most, "patient", "patients")
    each = each if fewest == most else f"{fewest:,} to {each}"
    if not are_paired(runs, labels, []):
        return f"{each} in each of {len(several)} groups"
    if fewest == most:
        return f"{each}, the same in each of {len(several)} runs"
    return f"{each}, of the same, in each of {len(several)} runs"


def since(several: Sequence[Group]) -> str:
    """What years count from, for the label of the time axis."""
    origins = {group.results.description.follow_from for group in several}
    if origins == {"diagnosis"}:
        return "years since diagnosis"
    return "years since the start" if origins == {"start"} else "years since start or diagnosis"


def label_ends(ax: Axes, ends: Sequence[tuple[str, str, float]]) -> None:
    """Name lines at their right ends.

    Args:
        ax: with its limits and scale set.
        ends: label, colour and height of the end of each line.
    """
    if not ends:
        return
    texts = [textwrap.fill(unbroken(label), _LABEL_LETTERS) for label, _, _ in ends]
    height = ax.get_position().height * ax.figure.get_figure(root=True).get_figheight()
    lines = max(1 + text.count("\n") for text in texts)
    to_fractions = ax.transScale + ax.transLimits
    left = ax.get_xlim()[0]
    wanted = np.array([to_fractions.transform((left, end))[1] for _, _, end in ends])
    places = spread(wanted, _LINE_INCHES * lines / height, 0, 1)
    for text, (_, colour, _), end, place in zip(texts, ends, wanted, places, strict=True):
        ax.annotate(
            plain(text),
            (1, end),
            (1.05, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            color=colour,
            arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.8, "relpos": (0, 0.5)},
            annotation_clip=False,
        )


def banded(
    ax: Axes, years: "pd.Series[float]", percent: Sequence["pd.Series[float]"], **look: Any
) -> None:
    """A curve of steps with its band.

    Args:
        ax: where to.
        years: when it steps.
        percent: the curve, and the lower and upper end of its band.
        look: colour and linestyle.
    """
    share, low, high = percent
    ax.fill_between(years, low, high, step="post", color=look["color"], alpha=0.12, linewidth=0)
    ax.step(years, share, where="post", zorder=3, **look)


def at_risk_in(curve: "pd.DataFrame") -> Callable[[float], int]:
    """Time (years) -> patients at risk just before, of a curve with columns years and at_risk."""
    years, numbers = curve["years"].to_numpy(), np.append(curve["at_risk"], 0)
    return lambda time: int(numbers[np.searchsorted(years, time - 1e-9)])


def numbers_at_risk(
    ax: Axes, rows: Sequence[tuple[str, str, Callable[[float], int]]], heading: str
) -> None:
    """Numbers of patients at each tick, a row per group under the axis, named at the right.

    Args:
        ax: with its limits set.
        rows: name ("" for a single one), colour, and the number at a time.
        heading: what is counted.
    """
    ax.annotate(heading, (0, 0), (0, -51), xycoords="axes fraction", textcoords="offset points",
                color=MUTED)  # fmt: skip
    ticks = [tick for tick in ax.get_xticks() if 0 <= tick <= ax.get_xlim()[1]]
    for line, (name, colour, number) in enumerate(rows):
        low = -66 - 15 * line
        if name:
            short = textwrap.shorten(name, _NAME_LETTERS, placeholder="…")
            ax.annotate(plain(short), (1.05, 0), (0, low), xycoords="axes fraction",
                        textcoords="offset points", color=colour)  # fmt: skip
        for tick in ticks:
            ax.annotate(f"{number(tick):,}", (tick, 0), (0, low), ha="center",
                        xycoords=ax.get_xaxis_transform(), textcoords="offset points",
                        color=colour)  # fmt: skip
