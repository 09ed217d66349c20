"""What figures of sweeps and sensitivity studies share: words, axes of keys, numbers in cells."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from matplotlib.axes import Axes

from metasim.results.plots.style import INK, count, run_title
from metasim.results.plots.text import family, plain
from metasim.results.summary import PLURALS
from metasim.results.sweeps import Sweep

if TYPE_CHECKING:
    import pandas as pd

Quantity = Literal["share", "metastases"]

COLUMNS: Final = {
    "share": ("share_with", "share_low", "share_high"),
    "metastases": ("metastases_per_patient", "metastases_low", "metastases_high"),
}
LABELS: Final = {
    "share": "patients with metastases (%)",
    "metastases": "metastases per patient",
}


class Places:
    """Where the values of a key lie on an axis: numbers where they are, names side by side.

    Args:
        table: of a figure, with what `study_words` says.
        key: one of the keys that vary.
    """

    def __init__(self, table: "pd.DataFrame", key: str) -> None:
        about = table.attrs["keys"][key]
        self.named = about["scale"] == "names"
        self._log = about["scale"] == "log"
        self._names: list[str] = about["names"]

    def of(self, values: "pd.Series[Any]") -> np.ndarray:
        """Places of values."""
        if not self.named:
            return values.to_numpy(dtype=float)
        return np.array([self._names.index(str(value)) for value in values], dtype=float)

    def aside(self, x: np.ndarray, part: float) -> np.ndarray:
        """Places moved by a part of the smallest distance between them."""
        if self._log:
            return np.asarray(x * np.exp(part * np.diff(np.log(x)).min()))
        return np.asarray(x + part * np.diff(x).min())

    def edges(self, places: Any) -> np.ndarray:
        """Ends of the cells around places in order: half-way between them."""
        x = np.asarray(places, dtype=float)
        x = np.log(x) if self._log else x
        if len(x) == 1:
            between = np.array([x[0] - 0.5, x[0] + 0.5])
        else:
            middle = (x[1:] + x[:-1]) / 2
            between = np.array([2 * x[0] - middle[0], *middle, 2 * x[-1] - middle[-1]])
        return np.exp(between) if self._log else between

    def share(self, value: float, of: np.ndarray) -> float:
        """How far along the axis a value lies, from 0 to 1."""
        ends = np.array([of.min(), value, of.max()])
        low, here, high = np.log(ends) if self._log else ends
        return float((here - low) / (high - low)) if high > low else 0.5

    def mark(self, axis: Any, values: Any = None) -> None:
        """Give an axis its scale and ticks; those of some values, if given."""
        if self.named:
            texts = [plain(one.replace("_", " ")) for one in self._names]
            axis.set_ticks(range(len(texts)), texts, fontfamily=family())
            return
        if self._log:
            (axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale)("log")
        if values is not None:
            axis.set_ticks(values, [f"{value:.3g}" for value in values], minor=False)
            if self._log:
                axis.minorticks_off()


def study_words(sweep: Sweep, counted: str) -> dict[str, Any]:
    """What figures say of a sweep: its keys, how they are drawn and spoken, and what is counted."""
    keys = {
        key: {
            "scale": sweep.scale(key),
            "spoken": spoken(sweep, key),
            "names": _names(sweep, key),
            "base": _base_value(sweep, key),
        }
        for key in sweep.keys
    }
    points = count(sweep.provenance["points"], "point", "points")
    patients = count(sweep.base.description.patients, "patient", "patients")
    what = PLURALS[sweep.counted(counted)]
    text = run_title(sweep.base.description)
    return {"keys": keys, "detail": f"{text}{points} of the same {patients}. Counted: {what}"}


def spoken(sweep: Sweep, key: str) -> str:
    """A key; that of a treatment with what it is."""
    first, _, rest = key.partition(".")
    treatments = sweep.base.description.treatments
    number = rest.split(".")[0]
    if first != "treatment" or not number.isdecimal() or int(number) >= len(treatments):
        return key
    return f"{key} ({treatments[int(number)].kind})"


def is_grid(sweep: Sweep) -> bool:
    """Whether every value of one key meets every value of the others."""
    return bool(sweep.provenance["design"] == "grid")


def _names(sweep: Sweep, key: str) -> list[str]:
    named = sweep.scale(key) == "names"
    return list(dict.fromkeys(sweep.table[key].astype(str))) if named else []


def _base_value(sweep: Sweep, key: str) -> float | None:
    """The value of a key in the scenario that is varied; None: it differs between patients."""
    value: Any = sweep.base.scenario
    if key in sweep.base.description.drawn:
        return None
    for part in key.split("."):
        try:
            value = value[int(part)] if isinstance(value, list) else value.get(part)
        except (AttributeError, IndexError, ValueError):
            return None
    return float(value) if isinstance(value, int | float) else None


def write_numbers(
    ax: Axes,
    x: Iterable[Any],
    y: Iterable[Any],
    table: np.ndarray,
    form: str,
    *,
    dark_above: float = np.inf,
    dark_below: float = -np.inf,
    margin: np.ndarray | None = None,
) -> None:
    """Write each cell's number into it, white on what is dark.

    With `margin`: also half of its interval.
    """
    for i, below in enumerate(y):
        for j, left in enumerate(x):
            value = table[i, j]
            if np.isnan(value):
                continue
            dark = value > dark_above or value < dark_below
            text = form.format(value)
            if margin is not None:
                text += f" ± {form.format(margin[i, j])}"
            ax.text(left, below, text, ha="center", va="center", fontsize=9,
                    color="white" if dark else INK)  # fmt: skip
