"""Several runs of the same virtual patients, opened from folders or simulated."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from metasim.errors import OptionError
from metasim.results.store import Results, open_results
from metasim.runner.cohort import run
from metasim.scenario.load import load
from metasim.scenario.schema import Scenario

_RECORD = "metastases"


def open_or_run(
    sources: Sequence[str],
    changes: Mapping[str, Any] | None = None,
    *,
    progress: bool = True,
    workers: int | None = None,
    prepare: Callable[[Scenario], object] = lambda _: None,
) -> list[Results]:
    """Results of each source, in order: a results folder is opened, a scenario is run in memory.

    Random streams are addressed by (rng_seed, patient, purpose), so scenarios that share these
    numbers share their patients. Those not in `changes` are taken from the first folder among the
    sources, else from the first scenario.

    Args:
        sources: results folders, scenario files, names of shipped scenarios.
        changes: key path -> value, for every scenario that is run.
        progress: show progress on standard error.
        workers: local processes of each run; None: as many as pay.
        prepare: called with each scenario before it runs.

    Raises:
        OptionError: a source is given twice, or there are changes but only finished runs.
        ResultsError: a folder that cannot be opened.
        ScenarioError: a scenario that cannot be run.
    """
    if twice := [source for source in sources if list(sources).count(source) > 1]:
        raise OptionError(f"{twice[0]}: given twice, so there is nothing to compare")
    opened = {source: open_results(source) for source in sources if Path(source).is_dir()}
    asked = {source: load(source, changes or {}) for source in sources if source not in opened}
    if changes and not asked:
        raise OptionError(
            f"{', '.join(changes)} cannot change runs that are finished; give scenarios to compare"
        )
    if opened:
        leader = next(iter(opened.values())).scenario["run"]
    else:
        leader = next(iter(asked.values())).run.model_dump()
    shared = {f"run.{key}": leader[key] for key in ("patients", "rng_seed")}
    shared |= {"run.record": _RECORD} | dict(changes or {})
    results = dict(opened)
    for source, one in asked.items():
        scenario = one.replace(shared)
        prepare(scenario)
        results[source] = run(scenario, progress=progress, workers=workers)
    return [results[source] for source in sources]


def labels_of(sources: Sequence[str]) -> list[str]:
    """A short name for each source: the last part of its path, or all of it where these clash."""
    short = [
        Path(source).name if Path(source).is_dir() else Path(source).stem for source in sources
    ]
    return short if len(set(short)) == len(short) else list(sources)
