"""Whether runs can be compared, patient by patient or at all, and what to know about it."""

from collections.abc import Sequence
from typing import Final

from metasim.errors import OptionError, ResultsError
from metasim.results.outcomes import followed_patients
from metasim.results.store import Results
from metasim.terms import DAYS_PER_YEAR

_SAME: Final = ("follow_from", "years")
_LEAD_TIME_DAYS: Final = 30.0  # less is chance: runs part before diagnosis if the soil differs


def check_comparable(results: Sequence[Results], names: Sequence[str]) -> None:
    """Refuse runs that cannot be compared.

    Raises:
        OptionError: fewer than two runs, or names that are not unique.
        ResultsError: other organs, another origin or number of years, no metastases recorded.
    """
    if len(results) < 2:
        raise OptionError("it takes at least two runs to compare")
    if len(set(names)) != len(results):
        raise OptionError(f"runs need a name each, not {', '.join(names)}")
    first = results[0]
    for other, name in zip(results[1:], names[1:], strict=True):
        if set(other.organs) != set(first.organs):
            differing = sorted(set(other.organs) ^ set(first.organs))
            raise ResultsError(
                f"{names[0]} and {name} cannot be compared, their organs differ: "
                f"only one of them has {', '.join(differing)}"
            )
        for key in _SAME:
            ours, theirs = (getattr(one.description, key) for one in (first, other))
            if ours != theirs:
                raise ResultsError(
                    f"{names[0]} and {name} cannot be compared: run.{key} is {ours} in one, "
                    f"{theirs} in the other; run one of them again with --set run.{key}={ours}"
                )
    for one in results:
        one.arrow("metastases")  # says so where it was not recorded


def are_paired(results: Sequence[Results], names: Sequence[str], notes: list[str]) -> bool:
    """Whether all runs are of the same virtual patients; notes say why not."""
    first = results[0].description
    if len({one.description.group for one in results}) > 1:
        return False  # other patients, as their names say
    for key, words in (("rng_seed", "rng_seed"), ("patients", "number of patients")):
        values = [getattr(one.description, key) for one in results]
        if len(set(values)) > 1:
            notes.append(f"Not paired: the {words} differs ({', '.join(map(str, values))}).")
    if notes or not _same_patients(results):
        return False
    for other, name in zip(results[1:], names[1:], strict=True):
        ours, theirs = first.drawn, other.description.drawn
        changed = sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k))
        if changed:
            notes.append(f"In {name} patients are drawn otherwise: {', '.join(changed)}.")
    return True


def _same_patients(results: Sequence[Results]) -> bool:
    """Whether groups hold the same patients, by number; whole runs of the same size do."""
    if not any(one.description.group for one in results):
        return True
    first = results[0].patients["patient"]
    return all(first.equals(one.patients["patient"]) for one in results[1:])


def lead_time_notes(results: Sequence[Results], names: Sequence[str], paired: bool) -> list[str]:
    """Warn where the clock starts on another day for the same patients."""
    if not paired or results[0].description.follow_from != "diagnosis":
        return []
    origin = followed_patients(results[0])["origin"]
    out = []
    for other, name in zip(results[1:], names[1:], strict=True):
        theirs = followed_patients(other)["origin"]
        moved = (theirs - origin).dropna()
        if moved.abs().mean() > _LEAD_TIME_DAYS:
            out.append(
                f"In {name} {(moved != 0).mean():.0%} of the patients are diagnosed on another "
                f"day ({moved.mean() / DAYS_PER_YEAR:+.1f} years on average): times from "
                "diagnosis then carry lead-time bias; compare with run.follow_from=start."
            )
        alone = len(origin) + len(theirs) - 2 * len(moved)
        if alone:
            out.append(f"{alone:,} patients diagnosed in only one of the runs are left out.")
    return out
