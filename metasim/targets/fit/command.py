"""The body of `metasim fit`: read, refuse, fit each scenario, write what is left."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from metasim.errors import MetasimError, OptionError, ResultsError, RunInterrupted
from metasim.runner.executors import Processes, choose, cores
from metasim.scenario.load import load
from metasim.scenario.schema import Scenario
from metasim.targets.fit.free import FreeKey, check_priors, parse_free, point_of
from metasim.targets.fit.journal import Journal
from metasim.targets.fit.problem import Problem
from metasim.targets.fit.quick import ROUNDS
from metasim.targets.fit.report import save_fit
from metasim.targets.fit.rivals import compare_rivals, rivals_text
from metasim.targets.fit.run import Fit, run_fit
from metasim.targets.further import with_further
from metasim.targets.load import Targets, read_targets
from metasim.targets.sample import Nobody
from metasim.targets.simulate import RECORD, Plan, estimate, plan, samples_of, simulate_cohorts

Floats = NDArray[np.float64]
_JOURNAL: Final = "simulations.jsonl"
_PATIENTS: Final = 2000
_DRAWS: Final = 500


def run_fits(
    sources: Sequence[str],
    targets: str,
    free: Sequence[str],
    folder: Path,
    *,
    changes: Mapping[str, object] | None = None,
    patients: int | None = None,
    draws: int | None = None,
    rng_seed: int = 1,
    start: str | None = None,
    rounds: int = ROUNDS,
    overwrite: bool = False,
    resume: bool = False,
    workers: int | None = None,
    executor: str | None = None,
    scheduler: str | None = None,
    prepare: Callable[[Scenario], object] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Fit]:
    """Fit one scenario, or rivals, to a targets file.

    Args:
        sources: scenarios; each is that of the cohorts that name none. None: the one that the
            targets file names for its fit.
        targets: targets file.
        free: as of the command line; none: the [fit] table of the targets file.
        folder: takes report.md, best.toml, posterior.parquet and the journal of simulations; of
            rivals, a folder each and rivals.md.
        changes: key path -> value, in every scenario.
        patients: of each scenario at each point; None: as the targets file says, else 2,000.
        draws: draws of the posterior, 0 for the quick layer alone; None: as the file says, or 500.
        rng_seed: of the search.
        start: a scenario in whose values the search begins if they are better than the middle of
            the priors, such as another fit's best.toml; None: the fitted scenario.
        rounds: of the quick layer, at most.
        overwrite: replace an existing folder.
        resume: go on with a fit that was stopped.
        workers: local processes; None: all cores.
        executor: "serial", "processes" or "dask".
        scheduler: address of a Dask scheduler.
        prepare: called with a scenario before the first patient.
        say: takes what a user should know.

    Returns:
        Name of a scenario -> fit.

    Raises:
        MetasimError: whatever is wrong, before the first patient where that can be told.
        RunInterrupted: Ctrl-C; what was simulated is kept.
    """
    read = with_further(read_targets(targets))
    patients, draws = _sizes(read, patients, draws)
    if rounds < 1:
        raise OptionError(f"--rounds {rounds}: at least 1 is needed")
    names = _names(sources) or {Path(read.source).stem: read.fit.scenario}
    keys = _keys(read, free)
    problems = {n: _problem(read, s, keys, changes, patients) for n, s in names.items()}
    _claim(folder, overwrite, resume)
    for problem in problems.values():
        for several in problem.plan.scenarios.values():
            prepare(several[0])
        _refuse_nobody(problem)
    pool = choose(executor, workers, scheduler) or Processes(cores())
    fits: dict[str, Fit] = {}
    idle = False
    try:
        for name, problem in problems.items():
            own = folder if len(names) == 1 else folder / name
            journal = Journal(own / _JOURNAL, problem.fingerprint)
            base = _base(problem.plan, names[name], changes)
            fit = run_fit(
                problem, journal, pool, rng_seed=rng_seed, draws=draws,
                start=_start(problem, start, base), rounds=rounds, say=say,
            )  # fmt: skip
            save_fit(fit, names[name] or name, base, own)
            fits[name] = fit
        idle = True
    except KeyboardInterrupt:
        raise RunInterrupted(
            f"stopped; what was simulated is kept in {folder}, --resume goes on from there"
        ) from None
    finally:
        pool.close(kill=not idle)
    if len(fits) > 1 and draws:
        text = rivals_text(compare_rivals(fits))
        (folder / "rivals.md").write_text(text, encoding="utf-8")
        say(text)
    return fits


def _sizes(targets: Targets, patients: int | None, draws: int | None) -> tuple[int, int]:
    """Patients and draws: as asked, else as the file says, else as usual."""
    size = patients if patients is not None else targets.fit.patients or _PATIENTS
    number = draws if draws is not None else targets.fit.draws
    number = _DRAWS if number is None else number
    if size < 1 or number < 0:
        raise OptionError("--patients takes at least 1, --draws at least 0")
    if 0 < number < 20:
        raise OptionError(f"--draws {number}: a posterior takes at least 20; 0 for the best point")
    return size, number


def _names(sources: Sequence[str]) -> dict[str, str | None]:
    """A short name for each scenario."""
    names: dict[str, str | None] = {Path(source).stem: source for source in sources}
    if len(names) < len(sources):
        raise OptionError(f"rivals need a name each, not {', '.join(sources)}")
    return names


def _keys(targets: Targets, free: Sequence[str]) -> tuple[FreeKey, ...]:
    given = [parse_free(text) for text in free]
    keys = given or [FreeKey(name, prior) for name, prior in targets.fit.free.items()]
    if not keys:
        raise OptionError("nothing is free: give --free KEY=LOW:HIGH, or a [fit] table of priors")
    if len({key.name for key in keys}) < len(keys):
        raise OptionError("a key is free twice")
    for key in keys:
        if key.cohort and key.cohort not in targets.cohorts:
            raise OptionError(f"--free {key.name}: there is no cohort {key.cohort}")
    return tuple(keys)


def _problem(
    targets: Targets,
    source: str | None,
    keys: tuple[FreeKey, ...],
    changes: Mapping[str, object] | None,
    patients: int,
) -> Problem:
    made = plan(targets, source, changes)
    if not made.scenarios:
        raise OptionError(f"{targets.source}: no scenario simulates any of the targets yet")
    for cohort, several in made.scenarios.items():
        for scenario in several:
            mine = [key for key in keys if key.cohort in ("", cohort)]
            check_priors(scenario, mine, f"{targets.source}, cohort {cohort}")
    problem = Problem(made, keys, patients)
    if not problem.fitted.any():
        raise OptionError('no target can be fitted to: none is simulated and of use = "fit"')
    return problem


def _refuse_nobody(problem: Problem) -> None:
    """Refuse conditions that leave nobody, in a few patients of every cohort."""
    sizes = {name: min(size, 1000) for name, size in problem.sizes.items()}
    runs = simulate_cohorts(problem.plan.scenarios, sizes)
    samples = samples_of(problem.plan.targets, runs)
    for target in problem.targets:
        try:
            estimate(target, samples)
        except Nobody as why:
            raise OptionError(f"targets.{target.id}: {why}") from None
        except MetasimError as why:
            raise OptionError(f"targets.{target.id}: not simulated: {why}") from None


def _claim(folder: Path, overwrite: bool, resume: bool) -> None:
    """Make the folder, or refuse one that is there."""
    if folder.exists() and overwrite and not resume:
        if any(folder.iterdir()) and not (
            (folder / "report.md").exists() or list(folder.rglob(_JOURNAL))
        ):
            raise ResultsError(f"{folder} exists and holds no fit, so it is not overwritten")
        shutil.rmtree(folder)
    elif folder.exists() and not resume and any(folder.iterdir()):
        raise ResultsError(
            f"{folder} exists; choose another folder with --output, --resume it or --overwrite it"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(f"{folder}: cannot be written ({error.strerror})") from None


def _base(made: Plan, source: str | None, changes: Mapping[str, object] | None) -> Scenario | None:
    """The scenario that was fitted, if a cohort is simulated by it, or the targets file says so."""
    cohorts = (made.targets.cohorts[name] for name in made.scenarios)
    if source is None:
        return None
    if source == made.targets.fit.scenario or any(one.scenario is None for one in cohorts):
        return load(source, {"run.record": RECORD, **dict(changes or {})})
    return None


def _start(problem: Problem, start: str | None, base: Scenario | None) -> Floats | None:
    """Where the search begins: a scenario's values, or those of the fitted ones.

    Raises:
        OptionError: the scenario lacks a free key.
    """
    given = None if start is None else load(start)
    first = base or next(iter(problem.plan.scenarios.values()))[0]

    def scenario_of(key: FreeKey) -> Scenario | None:
        several = problem.plan.scenarios.get(key.cohort)
        return given or (several[0] if several else first)

    point = point_of(problem.keys, scenario_of)
    if point is None and start is not None:
        raise OptionError(f"--start {start}: it has no number for one of the free keys")
    return point
