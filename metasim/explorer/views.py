"""Results as plain values for a page: what its table, map and curves are drawn from."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import numpy as np

from metasim.errors import MetasimError
from metasim.results.compare import differences_between
from metasim.results.outcomes import Outcome, incidence_by_organ, survival_curve
from metasim.results.pairing import are_paired, check_comparable, lead_time_notes
from metasim.results.store import Results
from metasim.results.summary import PLURALS, said_never_given, summarise
from metasim.results.tally import CLASSES

if TYPE_CHECKING:
    import pandas as pd

_MOST_POINTS: Final = 160
"""Points of a curve that are sent: more than a page has pixels for tell nothing."""
_SWIMMERS: Final = 24
_MOST_EVENTS: Final = 300
_OUTCOMES: Final[tuple[Outcome, ...]] = ("death", "distant_or_death")


_seen: "WeakKeyDictionary[Results, dict[Any, Any]]" = WeakKeyDictionary()


def numbers(now: Results, baseline: Results | None = None) -> dict[str, Any]:
    """Table and map of a run, beside its baseline: what a page shows first.

    Args:
        now: a run, recorded at level metastases.
        baseline: a run to be compared with; None: nothing is compared.
    """
    notes: list[str] = []
    paired, other = False, baseline
    if other is not None:
        names = ["the baseline", "this run"]
        try:
            check_comparable([other, now], names)
            paired = are_paired([other, now], names, notes)
            notes += lead_time_notes([other, now], names, paired)
        except MetasimError as why:
            notes.append(str(why))
            other = None
    several = [now] if other is None else [now, other]
    counted = max((one.summary.attrs["counted"] for one in several), key=CLASSES.index)
    about = _summary(now, counted).attrs
    notes += [said_never_given(name) for name in about["never_given"]]
    return {
        "title": now.title,
        "patients": about["patients"],
        "left_out": about["left_out"],
        "failed": about["failed"],
        "counted": counted,
        "counts": PLURALS[counted],
        "since": about["since"],
        "compared": other is not None,
        "paired": paired,
        "rows": _rows(now, other, counted, paired),
        "body": _body(now, other, counted),
        "notes": notes,
    }


def curves(results: Results, counted: Any) -> dict[str, Any]:
    """Incidence and survival of one run; kept as long as the results are.

    Args:
        results: a run, recorded at level metastases or more.
        counted: which metastases.
    """
    seen = _seen.setdefault(results, {})
    if counted not in seen:
        seen[counted] = {"incidence": _incidence(results, counted), "survival": _survival(results)}
    found: dict[str, Any] = seen[counted]
    return found


def funnel(table: "pd.DataFrame | None") -> list[dict[str, Any]] | None:
    """The table of the figure `funnel`; None: not known yet."""
    return None if table is None else records(table, ("stage", "label", "entered"))


def swimmer(results: Results) -> dict[str, Any]:
    """The table of the figure `swimmer`: the course of single patients."""
    from metasim.results.plots import FIGURES

    table = FIGURES["swimmer"].data(results, patients=_SWIMMERS)
    since = table.attrs["since"]
    table.attrs = {}
    return {"rows": records(table), "since": since}


def patient(results: Results, number: int) -> dict[str, Any]:
    """One patient: colonies over time, who seeded whom, events.

    Args:
        results: of this patient alone, everything recorded.
        number: of the patient.
    """
    from metasim.results.plots import FIGURES
    from metasim.results.plots.course import patient_course, years

    if results.patients.empty:
        return {"patient": number, "failed": str(results.failures["error"].iloc[0])}
    course = patient_course(results, number)
    tree = FIGURES["seeding_tree"].data(results, patient=number)
    about = {key: tree.attrs[key] for key in ("since", "end_years", "diagnosis", "death", "found")}
    colonies = FIGURES["colonies"].data(results, patient=number)
    tree.attrs, colonies.attrs = {}, {}
    events = results.events
    events = events.assign(years=years(events["day"], course))
    shown = ["years", "event", "organ", *(["treatment"] if "treatment" in events else [])]
    return {
        "patient": number,
        "about": plain(about),
        "cause": plain(course["death_cause"]) if isinstance(course["death_cause"], str) else None,
        "stage": [plain(course[f"stage_{x}"]) if isinstance(course[f"stage_{x}"], str) else None
                  for x in "tnm"],
        "tree": records(tree),
        "colonies": records(colonies),
        "events": records(events[shown].head(_MOST_EVENTS)),
    }  # fmt: skip


def _summary(results: Results, counted: Any) -> "pd.DataFrame":
    usual = results.summary
    return usual if usual.attrs["counted"] == counted else summarise(results, counted)


def plain(value: Any) -> Any:
    """A value for JSON: numbers of numpy's as Python's, what is not a number as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def records(table: "pd.DataFrame", columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The rows of a table as plain values."""
    frame = table if columns is None else table[list(columns)]
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [plain(row) for row in rows]


def _rows(
    now: Results, baseline: Results | None, counted: Any, paired: bool
) -> list[dict[str, Any]]:
    """A row per organ: shares and numbers with intervals, and what differs from the baseline."""
    summary = _summary(now, counted).copy(deep=False)
    summary.attrs = {}
    rows = records(summary)
    if baseline is None:
        return rows
    differing = differences_between(baseline, now, counted=counted, paired=paired)
    by_organ = {(row["measure"], row["organ"]): row for row in differing}
    for row in rows:
        for measure in ("share", "number"):
            found = by_organ[measure, row["organ"]]
            row[measure] = plain({key: found[key] for key in _DIFFERENCE})
    deaths = plain(by_organ["share", "death"])
    rows.append({
        "organ": "death", "label": "Deaths", "site": "", "share_with": deaths["other"],
        "share_low": deaths["other_low"], "share_high": deaths["other_high"],
        "share": {key: deaths[key] for key in _DIFFERENCE},
    })  # fmt: skip
    return rows


_DIFFERENCE: Final = ("first", "first_low", "first_high", "difference", "low", "high")


def _body(now: Results, baseline: Results | None, counted: Any) -> dict[str, Any]:
    """Places and vessels of the figure `body`, means of both runs, colours of the organs."""
    from metasim.results.plots import FIGURES
    from metasim.results.plots.style import colour

    table = FIGURES["body"].data(now, counted=counted)
    table.attrs = {}  # which pandas would copy each time
    spots = table[table["what"].isin(["organ", "junction"])]
    vessels = table[table["what"].isin(["blood", "lymph"])]
    return {
        "places": records(spots, ("what", "place", "x", "y")),
        "vessels": records(vessels, ("what", "place", "to", "flow")),
        "means": _means(now, counted),
        "before": {} if baseline is None else _means(baseline, counted),
        "organs": [
            {"organ": one.key, "label": one.label, "site": one.site,
             "colour": colour(now.description, one.key)}
            for one in now.description.organs
        ],
    }  # fmt: skip


def _means(results: Results, counted: Any) -> dict[str, Any]:
    summary = _summary(results, counted)
    means = zip(summary["organ"], summary["metastases_per_patient"], strict=True)
    return {str(organ): plain(mean) for organ, mean in means}


def outline() -> str:
    """The outline of the body as the `d` of an SVG path, y from the crown (0) downwards (1)."""
    from matplotlib.path import Path

    from metasim.results.plots.outline import body_outline

    letters = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}
    parts = []
    for points, code in body_outline().iter_segments(simplify=False, curves=True):
        if code == Path.CLOSEPOLY:
            parts.append("Z")
            continue
        pairs = np.asarray(points).reshape(-1, 2) * (1, -1) + (0, 1)
        parts.append(letters[code] + " ".join(f"{x:.4f},{y:.4f}" for x, y in pairs))
    return "".join(parts)


def _incidence(results: Results, counted: Any) -> dict[str, Any]:
    found, followed = incidence_by_organ(results, results.organs, counted)
    columns = ("time", "share", "low", "high")
    return {
        "curves": {
            organ: _thinned({name: getattr(curve, name) for name in columns})
            for organ, curve in found.items()
        },
        "years": float(followed.max(initial=0.0)),
    }


def _survival(results: Results) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for outcome in _OUTCOMES:
        curve = survival_curve(results, outcome)
        columns = ("time", "share", "low", "high", "at_risk")
        out[outcome] = _thinned({name: getattr(curve, name) for name in columns})
    return out


def _thinned(curve: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Columns of a step curve, its points as many as a page can show; the ends stay."""
    size = len(curve["time"])
    places = np.unique(np.linspace(0, size - 1, min(size, _MOST_POINTS)).round().astype(int))
    return {name: plain(np.asarray(column)[places]) for name, column in curve.items()}
