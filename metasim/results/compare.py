"""Two or more runs compared: paired differences, hazard and rate ratios, patients needed.

Runs of the same rng_seed and number of patients are compared patient by patient: patient k is the
same virtual patient in each, so much of the luck cancels. Other runs are compared as independent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from metasim.checked import checked
from metasim.errors import OptionError
from metasim.results.outcomes import Outcome, followed_patients, time_to
from metasim.results.pairing import are_paired, check_comparable, lead_time_notes
from metasim.results.posterior import draws_of, numbers_of, share_left
from metasim.results.statistics import (
    difference_interval,
    mean_interval,
    paired_interval,
    wilson_interval,
    z,
)
from metasim.results.store import Results
from metasim.results.summary import Counted, said_never_given
from metasim.results.survival import hazard_ratio, rate_ratio
from metasim.results.tally import CLASSES

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Measure = Literal["share", "number"]
MEASURES: Final[tuple[Measure, ...]] = ("share", "number")

_NUMBERS: Final = (
    *("first", "first_low", "first_high", "other", "other_low", "other_high"),
    *("difference", "low", "high", "gain", "patients_needed"),
)

_NAMES: Final = ("measure", "organ", "label", "run")

DEATH: Final = "death"
"""Name of the row of deaths among the organs."""


@dataclass(frozen=True)
class Comparison:
    """What differs between runs; every run is compared with the first.

    Attributes:
        labels: a name for each run.
        titles: their titles.
        paired: whether patient k of one run was compared with patient k of the other.
        counted: which metastases are counted, see `metasim.results.summary.summarise`.
        since: what time counts from: "diagnosis" or "start".
        patients: patients of each run that have such an origin.
        precision: half-width of the 95 % interval that `patients_needed` are for, as a share.
        differences: a row per measure ("share" of patients with at least one, "number" per
            patient), organ (then any distant organ, death) and run but the first: measure, organ,
            label, run, first, first_low, first_high, other, other_low, other_high, difference,
            low, high, gain (variance unpaired over paired), patients_needed (of each run; only
            for shares).
        ratios: a row per outcome and run but the first: outcome, run, patients_first,
            events_first, patients_other, events_other, hazard_ratio, hazard_low, hazard_high,
            gain, rate_ratio, rate_low, rate_high.
        notes: what a reader should know, one sentence each.

    Example:
        >>> few = ms.load("luminal_a", {"run.patients": 20})
        >>> compared = ms.compare([ms.run(few), ms.run(few)], ["one", "the same"])
        >>> float(compared.differences["difference"].abs().max())
        0.0
    """

    labels: tuple[str, ...]
    titles: tuple[str, ...]
    paired: bool
    counted: str
    since: str
    patients: tuple[int, ...]
    precision: float
    differences: "pd.DataFrame"
    ratios: "pd.DataFrame"
    notes: tuple[str, ...]


@checked()
def compare(
    results: Sequence[Results],
    labels: Sequence[str] | None = None,
    *,
    counted: Counted = "auto",
    precision: float = 0.01,
) -> Comparison:
    """Compare runs with the first of them.

    Shares differ with Bonett and Price's interval for pairs, or Newcombe's for independent runs;
    hazard ratios are Cox's, with the variance of pairs where there are pairs; rate ratios are the
    log-rank ones of the EBCTCG. Both ratios are cause-specific: the dead leave the patients at
    risk. Patients with a distant metastasis seen by their origin count for death only.

    Args:
        results: finished runs, recorded at level metastases or more.
        labels: a name for each; by default their titles.
        counted: which metastases; "auto" takes the highest class that at least 1 % of the patients
            reached in some organ, in any of the runs.
        precision: half-width of the 95 % interval of a difference in shares, 0 < precision < 1,
            to say how many patients it takes.

    Raises:
        OptionError: fewer than two runs, or labels, precision or class that are not allowed.
        ResultsError: runs of other organs, origin or years; a run without its metastases.

    Example:
        >>> few = ms.load("luminal_a", {"run.patients": 20})
        >>> poor = few.replace({"soil.bone.niche": 0.0})
        >>> compared = ms.compare([ms.run(few), ms.run(poor)], ["as it is", "poor bone"])
        >>> compared.paired
        True
    """
    import pandas as pd

    names = [one.title or "untitled" for one in results] if labels is None else list(labels)
    check_comparable(results, names)
    if not 0 < precision < 1:
        raise OptionError(f"precision = {precision:g}; a share above 0 and below 1, such as 0.005")
    first = results[0]
    notes: list[str] = []
    paired = are_paired(results, names, notes)
    if counted not in ("auto", *CLASSES):
        raise OptionError(f"counted = {counted!r}; choose from auto, {', '.join(CLASSES)}")
    chosen = counted
    if counted == "auto":
        chosen = max((one.summary.attrs["counted"] for one in results), key=CLASSES.index)
    numbers = [_numbers(one, chosen) for one in results]
    differences, ratios = [], []
    for k, label in list(enumerate(names))[1:]:
        rows = _differences((first, results[k]), (numbers[0], numbers[k]), paired, precision)
        differences += [{**row, "run": label} for row in rows]
        ratios += [{"run": label, **row} for row in _ratios(first, results[k], paired)]
    for label, run in zip(names, results, strict=True):
        notes += [f"{label}: {said_never_given(t)}." for t in run.summary.attrs["never_given"]]
    return Comparison(
        tuple(names),
        tuple(one.title for one in results),
        paired,
        chosen,
        first.description.follow_from,
        tuple(map(len, numbers)),
        precision,
        pd.DataFrame(differences, columns=[*_NAMES, *_NUMBERS]),
        pd.DataFrame(ratios),
        (*notes, *lead_time_notes(results, names, paired)),
    )


def differences_between(
    first: Results, other: Results, *, counted: str, paired: bool, precision: float = 0.01
) -> list[dict[str, Any]]:
    """The rows of `Comparison.differences` alone, without the ratios, which take longer.

    Args:
        first: a finished run, recorded at level metastases or more.
        other: another that can be compared with it.
        counted: which metastases: founded, micro, macro or detected.
        paired: patient k of one is patient k of the other.
        precision: as for `compare`.
    """
    numbers = _numbers(first, counted), _numbers(other, counted)
    return list(_differences((first, other), numbers, paired, precision))


def _differences(
    runs: tuple[Results, Results],
    numbers: "tuple[pd.DataFrame, pd.DataFrame]",
    paired: bool,
    precision: float,
) -> Iterator[dict[str, Any]]:
    """Rows of `Comparison.differences` of two runs, without the name of the second."""
    first, tables = runs[0], numbers
    if paired:
        both = numbers[0].index.intersection(numbers[1].index)
        tables = numbers[0].loc[both], numbers[1].loc[both]
    drawn = tuple(
        None if draw is None else draw.loc[table.index]
        for draw, table in zip(map(draws_of, runs), tables, strict=True)
    )
    for measure in MEASURES:
        for organ in map(str, tables[0]):
            if (measure, organ) == ("number", DEATH):
                continue
            pair = tuple(table[organ].to_numpy() for table in tables)
            row = _difference(pair, drawn, measure, paired, precision)
            label = first.label(organ) if organ in first.organs else organ
            yield {"measure": measure, "organ": organ, "label": label, **row}


def _numbers(results: Results, counted: str) -> "pd.DataFrame":
    """Metastases of a class by patient (index) and organ (columns), then any distant, death."""
    died = followed_patients(results)["death_day"].notna()
    return numbers_of(results, counted).assign(**{DEATH: died.astype(int)})


def _difference(
    pair: tuple[NDArray[Any], ...],
    draws: tuple["pd.Series[int] | None", ...],
    measure: Measure,
    paired: bool,
    precision: float,
) -> dict[str, float]:
    """One row of `Comparison.differences`, from the numbers and the draws of both runs."""
    ones, others = (
        (np.minimum(values, 1) if measure == "share" else values).astype(float) for values in pair
    )
    if not len(ones) or not len(others):
        return dict.fromkeys(_NUMBERS, np.nan)
    a, b = _estimate(ones, measure, draws[0]), _estimate(others, measure, draws[1])
    apart = ones.var() + others.var()
    variance = (others - ones).var() if paired else apart
    if paired:
        draw = draws[0] if draws[0] is not None else draws[1]
        low, high = paired_interval(others - ones, share_left(others - ones, draw))
    else:
        low, high = difference_interval(a, b)
    gain = apart / variance if variance else np.nan
    needed = np.ceil(variance * (z(0.95) / precision) ** 2) if measure == "share" else np.nan
    return dict(zip(_NUMBERS, (*a, *b, b[0] - a[0], low, high, gain, needed), strict=True))


def _estimate(
    values: Floats, measure: Measure, draw: "pd.Series[int] | None"
) -> tuple[float, float, float]:
    total, size, left = values.sum(), len(values), share_left(values, draw)
    if measure == "share":
        low, high = wilson_interval(left * total, left * size)
    else:
        low, high = mean_interval(left * total, left * (values**2).sum(), left * size)
    return float(total / size), float(low), float(high)


def _ratios(first: Results, other: Results, paired: bool) -> list[dict[str, Any]]:
    """Rows of `Comparison.ratios`: recurrence in each organ and anywhere, death."""
    wanted: list[tuple[str, Outcome, str | None]] = [
        ("recurrence anywhere", "recurrence", None),
        ("distant metastasis", "distant", None),
        *((f"in {first.label(o).lower()}", "recurrence", o) for o in first.organs),
        ("death", "death", None),
    ]
    rows: list[dict[str, Any]] = []
    for name, outcome, organ in wanted:
        one, two = (time_to(run, outcome, organ) for run in (first, other))
        years = np.concatenate([one["years"], two["years"]])
        event = np.concatenate([one["cause"], two["cause"]]) == 1
        group = np.repeat([0, 1], [len(one), len(two)])
        pair = np.concatenate([one.index, two.index]) if paired else None
        cox, gain = hazard_ratio(years, event, group, pair)
        rate = rate_ratio(years, event, group)
        events = np.bincount(group, event, minlength=2).astype(int)
        if organ is not None and not events.any():
            continue
        rows.append(
            {
                "outcome": name,
                "organ": organ,
                "patients_first": len(one),
                "events_first": int(events[0]),
                "patients_other": len(two),
                "events_other": int(events[1]),
                "hazard_ratio": cox.value,
                "hazard_low": cox.low,
                "hazard_high": cox.high,
                "gain": gain,
                "rate_ratio": rate.value,
                "rate_low": rate.low,
                "rate_high": rate.high,
            }
        )
    return rows
