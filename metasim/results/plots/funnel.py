"""How many cells get how far: attrition through the seven stages."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from metasim.checked import checked
from metasim.results.plots.registry import FigureKind, register, run_of, tidy
from metasim.results.plots.style import (
    MUTED,
    Style,
    cohort,
    head,
    new_axes,
    nothing,
    power_of_ten,
)
from metasim.results.store import Results
from metasim.terms import Stage

_BAR = "#0072B2"


def data(results: Results) -> pd.DataFrame:
    """The numbers of `funnel`, see `KIND.columns`."""
    patients = len(results.patients)
    entered = cells_per_stage(results.stages) / max(patients, 1)
    labels = [stage.label.replace("_", " ") for stage in Stage]
    frame = pd.DataFrame({"stage": list(map(int, Stage)), "label": labels, "entered": entered})
    return tidy(frame, results.description, patients=patients)


def draw(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Bars on a log scale, see `funnel`."""
    run, patients = run_of(table), table.attrs["patients"]
    stages, entered = table["stage"].tolist(), table["entered"].to_numpy()
    ax = new_axes(ax, 8.5, 4.6)
    if not entered.any():
        return nothing(ax, KIND.title, f"{cohort(run, patients)}: no cell entered any stage")
    floor = 10.0 ** min(-1, np.floor(np.log10(entered[entered > 0].min())))
    ax.set_xscale("log")
    for stage, count in zip(stages, entered, strict=True):
        if count:
            ax.barh(stage, count - floor, left=floor, height=0.6, color=_BAR, alpha=0.85)
        text = power_of_ten(count) if count else "none"
        ax.annotate(text, (max(count, floor), stage), (6, 0), textcoords="offset points",
                    va="center",)  # fmt: skip
    for stage, before, after in zip(stages[1:], entered, entered[1:], strict=False):
        ax.annotate(_passage(before, after), (1.02, stage - 0.5), xycoords=ax.get_yaxis_transform(),
                    va="center", color=MUTED, annotation_clip=False)  # fmt: skip
    ax.set_xlim(floor, entered.max() * 300)
    ticks = [f"{k}  {label}" for k, label in zip(stages, table["label"], strict=True)]
    ax.set_yticks(stages, ticks)
    ax.set_ylim(7.6, 0.4)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("cells entering the stage (per patient)")
    ax.set_ylabel("stage")
    detail = "Primary growth: cells that were ever part of a primary tumour. "
    detail += "At the right: from stage to stage"
    head(ax, KIND.title, f"{cohort(run, patients)}. {detail}")
    return ax


def cells_per_stage(stages: pd.DataFrame) -> np.ndarray:
    """Cells that entered each stage, all patients and organs together, shape (7,).

    Nothing enters primary growth from outside: there it is the cells that ever were, which is
    those that left or were removed and those still there on the patient's last recorded day.
    """
    by_stage = stages.groupby("stage", observed=True)[["entered", "left", "removed"]]
    sums = by_stage.sum().astype(float).reindex([stage.label for stage in Stage], fill_value=0.0)
    entered = sums["entered"].to_numpy(copy=True)
    last = stages["day"] == stages.groupby("patient")["day"].transform("max")
    primary = Stage.PRIMARY_GROWTH.label
    there = stages.loc[last & (stages["stage"] == primary), "cells"].sum()
    entered[0] = sums.loc[primary, ["left", "removed"]].sum() + float(there)
    return entered


def _passage(before: float, after: float) -> str:
    if not before or not after:
        return ""
    if after > before:
        return f"grown {power_of_ten(after / before)}-fold"
    return f"1 in {power_of_ten(before / after)}"


KIND = register(
    FigureKind(
        "funnel",
        "How many cells get how far",
        "Cells per patient that entered each of the seven stages of the cascade.",
        {
            "stage": "number of the stage, 1 to 7",
            "label": "its name",
            "entered": "cells that entered it (per patient); of stage 1 those that ever were",
        },
        data,
        draw,
        needs="stages",
    )
)


@checked()
def funnel(results: Results, ax: Axes | None = None, *, style: Style | None = None) -> Axes:
    """Cells per patient that entered each of the seven stages, on a log scale.

    Args:
        results: a finished run, recorded at level everything.
        ax: axes to draw into; by default those of a new figure.
        style: of Matplotlib, over the settings of metasim.
    """
    return KIND(results, ax, style=style)
