"""Distant metastasis after diagnosis, by what tests of blood and marrow found then."""

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from matplotlib.axes import Axes

from metasim.checked import checked
from metasim.results.levels import NONE, Level, Test, levels_of
from metasim.results.plots.groups import at_risk_in, banded, label_ends, numbers_at_risk
from metasim.results.plots.registry import FigureKind, register, run_of, tidy
from metasim.results.plots.style import Style, cohort, count, head, new_axes, nothing, two_rows
from metasim.results.store import Results

if TYPE_CHECKING:
    import pandas as pd

NAMES: Final[dict[Test, str]] = {
    "ctc": "circulating tumour cells",
    "dtc": "tumour cells in marrow",
    "ctdna": "circulating tumour DNA",
}
"""Test -> what it looks for."""

# blue for nothing found, then from light to dark: told apart by any colour vision, and in grey
_COLOURS: Final = ("#0072B2", "#C27100", "#B3371B", "#4A1409")
_DASHES: Final[tuple[Any, ...]] = ("-", (0, (5, 1.5)), (0, (2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
_FEW: Final = 20
_TITLE: Final = "Distant metastasis by level at diagnosis"
_NEITHER: Final = (
    "no test was made at diagnosis; give tests.blood_ml, tests.aspirate_fraction or tests.plasma_ml"
)


def data(results: Results, *, test: Test | None = None) -> "pd.DataFrame":
    """The numbers of `relapse_by_level`, see `KIND.columns`; no row where no test was made."""
    import pandas as pd

    levels = levels_of(results, None if test is None else [test])
    span = max((level.years[-1] for level in levels), default=0.0)
    none = pd.DataFrame(columns=list(KIND.columns))
    given = results.scenario.get("tests", {})
    return tidy(
        pd.concat([_curve(level, span) for level in levels]) if levels else none,
        results.description,
        patients={one: sum(level.patients for level in levels if level.test == one)
                  for one in dict.fromkeys(level.test for level in levels)},
        samples=_samples(given),
        asked=test or "",
    )  # fmt: skip


def _curve(level: Level, span: float) -> "pd.DataFrame":
    """A level's curve up to the end of its follow-up; to the end of all, where nobody is left."""
    import pandas as pd

    curve, end = level.curve, span if level.ended else float(level.years[-1])
    last = [] if curve.time[-1] >= end else [end]
    numbers = {
        key: np.append(getattr(curve, key), [getattr(curve, key)[-1]] * len(last))
        for key in ("share", "low", "high")
    }
    time = np.append(curve.time, last)
    at_risk = [level.at_risk(float(years)) for years in time]
    where = {"test": level.test, "level": level.label, "years": time}
    return pd.DataFrame({**where, **numbers, "at_risk": at_risk})


def _samples(tests: dict[str, Any]) -> dict[str, str]:
    """What each test was made of, in words."""
    blood, plasma = tests.get("blood_ml"), tests.get("plasma_ml")
    return {
        "ctc": "cells in a blood sample" if blood is None else f"cells in {blood:g} mL of blood",
        "dtc": "cells in a marrow aspirate",
        "ctdna": "mutant copies in a plasma sample"
        if plasma is None
        else f"mutant copies in {plasma:g} mL of plasma",
    }


def draw(table: "pd.DataFrame", ax: Axes | None = None) -> Axes:
    """A panel for each test, see `relapse_by_level`."""
    about, run = table.attrs, run_of(table)
    tests = list(dict.fromkeys(table["test"]))
    if not tests:
        asked = about["asked"]
        why = f"no test for {NAMES[asked]} was made at diagnosis" if asked else _NEITHER
        return nothing(new_axes(ax, 9.0, 4.8), _TITLE, f"{cohort(run, run.patients)}: {why}")
    if not table["share"].any():
        many = cohort(run, max(about["patients"].values()))
        why = "no distant metastasis was seen after the diagnosis"
        return nothing(new_axes(ax, 9.0, 4.8), _TITLE, f"{many} with tests: {why}")
    top = _top(table)
    most = int(table.groupby("test")["level"].nunique().max())
    width, height = 9.0, 3.7 + 0.21 * most
    if len(tests) == 1 or ax is not None:
        return _panel(new_axes(ax, width, height), table, tests[0], top)
    panels = two_rows((width, len(tests) * height)).subplots(len(tests))
    for panel, test in zip(panels, tests, strict=True):
        _panel(new_axes(panel, width, height), table, test, top, brief=test != tests[0])
    return cast(Axes, panels[0])


def _top(table: "pd.DataFrame") -> float:
    """Upper end of the axes (%), the same for all tests; bands of few patients may go beyond."""
    levels = table.groupby(["test", "level"], sort=False)
    ends = levels[["share", "high"]].last()
    many = levels["at_risk"].first() >= _FEW
    return float(min(100.0, 100.0 * max(1.2 * ends["share"].max(), ends["high"][many].max())))


def _panel(ax: Axes, table: "pd.DataFrame", test: Test, top: float, brief: bool = False) -> Axes:
    """Curves of the levels of one test, with bands."""
    mine = table[table["test"] == test]
    levels = {str(level): curve for level, curve in mine.groupby("level", sort=False)}
    first = 0 if NONE in levels else 1
    looks = dict(zip(levels, list(zip(_COLOURS, _DASHES, strict=True))[first:], strict=False))
    for level, curve in levels.items():
        colour, dashes = looks[level]
        percent = [100 * curve[key] for key in ("share", "low", "high")]
        banded(ax, curve["years"], percent, color=colour, linestyle=dashes)
    ax.set_ylim(0, 101 if top == 100 else top)  # a line at 100 % is seen whole
    ax.set_xlim(0, table["years"].max())
    ax.set_xlabel("years since diagnosis")
    ax.set_ylabel("distant metastasis (%)")
    ends = [
        (f"{level}  {100 * curve['share'].iloc[-1]:.1f} %", looks[level][0],
         100 * curve["share"].iloc[-1])
        for level, curve in levels.items()
    ]  # fmt: skip
    label_ends(ax, ends)
    numbers_at_risk(
        ax, [(level, looks[level][0], at_risk_in(curve)) for level, curve in levels.items()],
        "at risk",
    )  # fmt: skip
    head(ax, f"Metastasis by {NAMES[test]}", _detail(table, test, brief))
    return ax


def _detail(table: "pd.DataFrame", test: Test, brief: bool) -> str:
    """What exactly a panel shows; in brief where another one says the rest."""
    about, run = table.attrs, run_of(table)
    number, by = about["patients"][test], f"by {about['samples'][test]} at diagnosis"
    if brief:
        return f"{count(number, 'patient', 'patients')}, {by}"
    return (
        f"{cohort(run, number)} without distant metastasis at diagnosis, {by}. Aalen-Johansen "
        "estimate with 95 % bands; death competes"
    )


def _worth(results: Results) -> bool:
    return any(level.curve.share.any() for level in levels_of(results))


KIND = register(
    FigureKind(
        "relapse_by_level",
        _TITLE,
        "Cumulative incidence of distant metastasis after the diagnosis, by how many tumour cells "
        "or copies of tumour DNA each test found then; death competes.",
        {
            "test": "ctc (cells in blood), dtc (cells in marrow) or ctdna (DNA in plasma)",
            "level": "what it found at diagnosis",
            "years": "time since diagnosis (years)",
            "share": "patients with a distant metastasis seen by then (share, 0 to 1; "
            "Aalen-Johansen)",
            "low": "lower end of its pointwise 95 % interval",
            "high": "upper end",
            "at_risk": "patients followed and free of it just before",
        },
        data,
        draw,
        needs="patients",
        worth=_worth,
    )
)


@checked()
def relapse_by_level(
    results: Results,
    ax: Axes | None = None,
    *,
    test: Test | None = None,
    style: Style | None = None,
) -> Axes:
    """Cumulative incidence of distant metastasis by what each test found at diagnosis.

    Aalen-Johansen estimate with pointwise 95 % bands, numbers at risk under the axis; a panel for
    each test. Patients with a distant metastasis seen at diagnosis are left out.

    Args:
        results: a finished run, recorded at level patients or more.
        ax: axes to draw one test into; by default those of a new figure.
        test: "ctc", "dtc" or "ctdna"; by default all that were made, into given axes the first.
        style: of Matplotlib, over the settings of metasim.
    """
    return KIND(results, ax, style=style, test=test)
