"""Targets of other files that a fit sees beside those of its own."""

from fnmatch import fnmatchcase
from typing import Any

from metasim.errors import Mistake
from metasim.scenario.keys import nearest
from metasim.targets.load import SHIPPED, Targets, TargetsError, read_targets
from metasim.targets.schema import Cohort


def with_further(targets: Targets) -> Targets:
    """The targets, followed by those that `[fit] further` names, with the cohorts of these.

    Raises:
        TargetsError: a file cannot be read, nothing matches, or a name means two things.
    """
    cohorts: dict[str, Cohort] = dict(targets.cohorts)
    found, mistakes = list(targets.targets), list[Mistake]()
    for source, patterns in targets.fit.further.items():
        at = f"fit.further.{source}"
        other = _read(targets, source)
        ids = [target.id for target in other.targets]
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in ids):
                said = f"{source} has no target {pattern}"
                mistakes.append(Mistake(at, said, nearest(pattern, ids)))
        for target in other.targets:
            if not any(fnmatchcase(target.id, pattern) for pattern in patterns):
                continue
            if target.id in {one.id for one in found}:
                mistakes.append(Mistake(at, f"there are two targets {target.id}"))
            found.append(target)
            versus = [target.versus] if isinstance(target.versus, str) else []
            for name in (target.cohort, *versus):
                cohort = _placed(other, name)
                if cohorts.setdefault(name, cohort) != cohort:
                    mistakes.append(Mistake(at, f"cohort {name} is another one there"))
    if mistakes:
        raise TargetsError(targets.source, list({m.message: m for m in mistakes}.values()))
    changed: dict[str, Any] = {**vars(targets), "cohorts": cohorts, "targets": tuple(found)}
    return Targets(**changed)


def _read(targets: Targets, source: str) -> Targets:
    beside = targets.folder / source if targets.folder is not None else None
    if source not in SHIPPED and beside is not None and beside.is_file():
        return read_targets(beside)
    return read_targets(source)


def _placed(targets: Targets, name: str) -> Cohort:
    """A cohort whose scenario files are found from anywhere."""
    cohort, folder = targets.cohorts[name], targets.folder
    if cohort.scenario is None or folder is None:
        return cohort
    several = cohort.scenario if isinstance(cohort.scenario, list) else [cohort.scenario]
    found = [str(folder / one) if (folder / one).is_file() else one for one in several]
    placed = found if isinstance(cohort.scenario, list) else found[0]
    return cohort.model_copy(update={"scenario": placed})
