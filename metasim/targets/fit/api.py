"""Fits from Python: `metasim.fit` and `metasim.fit_rivals`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metasim.checked import checked
from metasim.errors import OptionError
from metasim.targets.fit.command import run_fits
from metasim.targets.fit.quick import ROUNDS
from metasim.targets.fit.rivals import Rival, compare_rivals
from metasim.targets.fit.run import Fit
from metasim.terminal import tell

if TYPE_CHECKING:
    import pandas as pd

Priors = Mapping[str, Sequence[float | str]]


@checked()
def fit(
    scenario: str | None,
    targets: str | Path,
    free: Priors | None = None,
    *,
    output: str | Path,
    changes: Mapping[str, object] | None = None,
    patients: int | None = None,
    draws: int | None = None,
    rng_seed: int = 1,
    start: str | None = None,
    rounds: int = ROUNDS,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool = True,
    workers: int | None = None,
    executor: str | None = None,
    scheduler: str | None = None,
) -> Fit:
    """Let published figures, or those of your own patients, decide keys of a scenario.

    Args:
        scenario: a file, or the name of a shipped one; that of the cohorts that name none. None: as
            the targets file says.
        targets: targets file (TOML or CSV), or the name of a shipped one.
        free: key -> (low, high) or (low, high, "log"), the ends of an even prior; None: as the
            [fit] table of the targets file says.
        output: folder for report.md, best.toml, posterior.parquet, figures, and the simulations.
        changes: key path -> value, on top of the scenario.
        patients: of each scenario at each point; None: as the file says, else 2,000.
        draws: draws of the posterior, 0 for the best point alone; None: as the file says, or 500.
        rng_seed: of the search.
        start: a scenario in whose values the search begins, such as another fit's best.toml; None:
            the fitted one.
        rounds: of the search for the best point, at most.
        overwrite: replace an existing folder.
        resume: go on with a fit that was stopped.
        progress: say on standard error how far it is.
        workers: local processes; None: all cores.
        executor: "serial", "processes" or "dask".
        scheduler: address of a Dask scheduler.

    Returns:
        The fit, which holds best point, draws and weights; `table` and `judged` show it.

    Raises:
        MetasimError: whatever is wrong, before the first patient where that can be told.
        RunInterrupted: Ctrl-C; what was simulated is kept.

    Example:
        >>> found = ms.fit("luminal_a", "mine.csv",
        ...                {"soil.bone.niche": (0, 1)}, output="mine")  # doctest: +SKIP
        >>> found.table  # doctest: +SKIP
    """
    fits = run_fits(
        [] if scenario is None else [scenario], str(targets), _priors(free), Path(output),
        changes=changes, patients=patients, draws=draws, rng_seed=rng_seed, start=start,
        rounds=rounds, overwrite=overwrite, resume=resume, workers=workers, executor=executor,
        scheduler=scheduler, say=_said(progress),
    )  # fmt: skip
    return next(iter(fits.values()))


@dataclass(frozen=True)
class Rivals:
    """Scenarios fitted to the same targets.

    Attributes:
        fits: scenario -> fit.
        compared: how each fares, in the same order.

    Example:
        >>> rivals = ms.fit_rivals(["seed_and_soil", "flow_only"], "seed_or_flow",
        ...                        output="rivals")  # doctest: +SKIP
        >>> rivals.table  # doctest: +SKIP
    """

    fits: dict[str, Fit]
    compared: list[Rival]

    @property
    def table(self) -> "pd.DataFrame":
        """A row per scenario: probability, predictive_score, held_back, close."""
        import pandas as pd

        return pd.DataFrame([vars(one) for one in self.compared]).set_index("name")


@checked()
def fit_rivals(
    scenarios: Sequence[str],
    targets: str | Path,
    free: Priors | None = None,
    *,
    output: str | Path,
    changes: Mapping[str, object] | None = None,
    patients: int | None = None,
    draws: int | None = None,
    rng_seed: int = 1,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool = True,
    workers: int | None = None,
    executor: str | None = None,
    scheduler: str | None = None,
) -> Rivals:
    """Fit several scenarios to the same targets, and say which of them the targets prefer.

    Args:
        scenarios: at least two; each is that of the cohorts that name none.
        targets: as for `fit`, like all further arguments.
        free: key -> ends of an even prior.
        output: takes a folder for each, and rivals.md.
        changes: key path -> value, on top of each scenario.
        patients: of each scenario at each point.
        draws: draws of each posterior, at least 20.
        rng_seed: of the search.
        overwrite: replace an existing folder.
        resume: go on with fits that were stopped.
        progress: say on standard error how far it is.
        workers: local processes.
        executor: "serial", "processes" or "dask".
        scheduler: address of a Dask scheduler.

    Raises:
        MetasimError: whatever is wrong, before the first patient where that can be told.
        RunInterrupted: Ctrl-C; what was simulated is kept.

    Example:
        >>> rivals = ms.fit_rivals(["seed_and_soil", "flow_only"], "seed_or_flow",
        ...                        output="rivals")  # doctest: +SKIP
    """
    if len(scenarios) < 2 or draws == 0:
        raise OptionError("rivals are at least two scenarios, and take draws of their posteriors")
    fits = run_fits(
        list(scenarios), str(targets), _priors(free), Path(output), changes=changes,
        patients=patients, draws=draws, rng_seed=rng_seed, overwrite=overwrite, resume=resume,
        workers=workers, executor=executor, scheduler=scheduler, say=_said(progress),
    )  # fmt: skip
    return Rivals(fits, compare_rivals(fits))


def _priors(free: Priors | None) -> list[str]:
    """Priors as the command line has them."""
    return [f"{key}={':'.join(map(_text, ends))}" for key, ends in (free or {}).items()]


def _text(end: Any) -> str:
    return end if isinstance(end, str) else repr(float(end))


def _said(progress: bool) -> Callable[[str], None]:
    return tell if progress else lambda _: None
