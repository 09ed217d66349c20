"""The scorecard: as a table to keep, and as one to read in a terminal."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

from metasim.targets.score import AGREES, DIFFERS, FAILS, Score
from metasim.targets.validate import Validation
from metasim.targets.where import spoken
from metasim.terminal.table import FittingTable

if TYPE_CHECKING:
    import pandas as pd

_STYLES: Final = {AGREES: "", DIFFERS: "yellow", FAILS: "bold red"}


def frame(scores: Sequence[Score]) -> "pd.DataFrame":
    """The scorecard as a table.

    Returns:
        A row per target: id, cohort, quantity, subgroup, published, low, high, simulated, sim_low,
        sim_high, z, verdict; then unit, topic, label, use, patients (simulated), source. Values
        are in the unit of the quantity; nan where there is none.
    """
    import pandas as pd

    rows = []
    for one in scores:
        target, found = one.target, one.simulated
        low, high = one.published or (None, None)
        subgroup = spoken(target.where)
        if target.versus is not None:
            versus = target.versus if isinstance(target.versus, str) else spoken(target.versus)
            subgroup = f"{subgroup} versus {versus}".strip()
        rows.append(
            {
                "id": target.id,
                "cohort": target.cohort,
                "quantity": target.quantity,
                "subgroup": subgroup,
                "published": target.value,
                "low": low,
                "high": high,
                "simulated": found.value if found else None,
                "sim_low": found.low if found else None,
                "sim_high": found.high if found else None,
                "z": one.z,
                "verdict": one.verdict,
                "unit": one.unit,
                "topic": target.topic,
                "label": target.label or target.id,
                "use": target.use,
                "patients": found.patients if found else 0,
                "source": target.source,
            }
        )
    numbers = ["published", "low", "high", "simulated", "sim_low", "sim_high", "z"]
    return pd.DataFrame(rows).astype(dict.fromkeys(numbers, float))


def render(judged: Validation) -> list[FittingTable | str]:
    """Tables by cohort and topic, of any width; in a line what nothing simulates."""
    from rich.text import Text

    out: list[FittingTable | str] = []
    told = in_groups(s for s in judged.scores if not s.verdict.startswith("not simulated"))
    for cohort, several in groupby(told, key=lambda one: one.target.cohort):
        size = judged.patients.get(cohort, 0)
        table = FittingTable(
            f"{cohort.replace('_', ' ')} ({size:,} patients simulated)",
            ("target", "published", "simulated", "z", "verdict"),
            words=(0, 4),
            folds=(0, 4),
        )
        for topic, rows in groupby(several, key=lambda one: one.target.topic):
            if topic:
                table.add_row(Text(topic, style="bold"), *[""] * 4)
            for one in rows:
                style = _STYLES.get(one.verdict, "dim")
                table.add_row(*(Text(cell, style=style) for cell in _cells(one)))
        out.append(table)
    return [*out, *_untold(judged.scores)]


def in_groups(scores: Iterable[Score]) -> list[Score]:
    """The scores cohort by cohort and topic by topic, each where it first appears."""
    several = list(scores)
    cohorts = list(dict.fromkeys(one.target.cohort for one in several))
    topics = list(dict.fromkeys(one.target.topic for one in several))
    return sorted(
        several,
        key=lambda one: (cohorts.index(one.target.cohort), topics.index(one.target.topic)),
    )


def summary(scores: Sequence[Score]) -> str:
    """How many targets agree, differ, fail and cannot be judged, in a sentence."""
    number = {name: sum(one.verdict == name for one in scores) for name in (AGREES, DIFFERS, FAILS)}
    said = f"{len(scores)} targets: {number[AGREES]} agree (|z| < 2), {number[DIFFERS]} differ "
    said += f"(2 to 4), {number[FAILS]} fail (4 and more)"
    rest = len(scores) - sum(number.values())
    return said + (f", {rest} are not judged" if rest else "")


def save(judged: Validation, folder: Path) -> list[Path]:
    """Write scorecard.csv and the figures into a folder; returns the paths."""
    from metasim.results.plots.save import save_figure
    from metasim.targets.plots import curve, curves_of, forest

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "scorecard.csv"
    frame(judged.scores).to_csv(path, index=False)
    out = [path, *save_figure(forest(judged), folder / "targets")]
    for name in curves_of(judged):
        stem = re.sub(r"\W+", "_", name.replace("+", "plus").replace("-", "minus")).strip("_")
        out += save_figure(curve(judged, name), folder / f"curve_{stem.lower()}")
    return out


def number(value: float, unit: str) -> str:
    """A value as text with the digits that its unit asks for."""
    digits = 2 if unit in ("ratio", "correlation", "log-odds", "years") else 1
    return f"{value:.{digits}f}"


def ends_text(value: float, ends: tuple[float, float] | None, unit: str) -> str:
    """A value with its interval as text."""
    if ends is None:
        return number(value, unit)
    low, high = (number(end, unit) for end in ends)
    return (
        f"{number(value, unit)} ({low} to {high})"
        if "-" in low
        else (f"{number(value, unit)} ({low}-{high})")
    )


def _cells(one: Score) -> list[str]:
    target, found = one.target, one.simulated
    label = f"{target.label or target.id}, {one.unit}" + ("" if target.use == "fit" else " (check)")
    simulated = ends_text(found.value, (found.low, found.high), one.unit) if found else "-"
    z = f"{one.z:+.1f}" if one.judged else "-"
    return [label, ends_text(target.value, one.published, one.unit), simulated, z, one.verdict]


def _untold(scores: Sequence[Score]) -> list[str]:
    why: dict[tuple[str, str], int] = {}
    for one in scores:
        if one.verdict.startswith("not simulated"):
            key = (one.target.cohort, one.verdict)
            why[key] = why.get(key, 0) + 1
    return [
        f"{cohort}: {count} target{'s' if count > 1 else ''} {verdict}"
        for (cohort, verdict), count in why.items()
    ]
