"""The command `fit`: published figures decide free keys of scenarios."""

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from metasim.cli import completing
from metasim.cli.options import (
    Executor,
    Overwrite,
    Quiet,
    Resume,
    RngSeed,
    Scheduler,
    Set,
    Workers,
    changes,
)
from metasim.cli.running import _compile
from metasim.cli.shell import app
from metasim.terminal import say
from metasim.terminal import tell as tell_user


@app.command()
def fit(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SCENARIO ...]",
            help="The scenario to fit; several are rivals; default: as the targets file says.",
            autocompletion=completing.scenarios,
        ),
    ] = None,
    *,
    targets: Annotated[
        str, typer.Option(metavar="FILE", help="Targets file, or the name of a shipped one.")
    ],
    free: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=LOW:HIGH[:log]", help="A key that is fitted; may be repeated."),
    ] = None,
    set_: Set = None,
    patients: Annotated[
        int | None,
        typer.Option(help="Patients of each scenario and point; default: the file's, or 2000."),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            help="Draws of the posterior, 0: only the best point; default: the file's, or 500."
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="SCENARIO", help="Begin with its values, such as another fit's best.toml."
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(help="Rounds of the search for the best point.")] = 6,
    rng_seed: RngSeed = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder; default: in results/, by the scenario.")
    ] = None,
    overwrite: Overwrite = False,
    resume: Resume = False,
    workers: Workers = None,
    executor: Executor = None,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
) -> None:
    """Let published figures decide keys of a scenario.

    Without --free, the [fit] table of the targets file says what is free. Writes best.toml,
    posterior.parquet and report.md; of several scenarios also rivals.md.
    """
    from metasim.targets.fit.command import run_fits

    stems = [Path(source).stem for source in sources or [targets]]
    folder = output or Path("results") / f"{'-'.join(stems)}-fit"
    tell = (lambda _: None) if quiet else tell_user
    run_fits(
        sources or [], targets, free or [], folder, changes=changes(set_, rng_seed=rng_seed),
        patients=patients, draws=draws, rng_seed=1 if rng_seed is None else rng_seed, start=start,
        rounds=rounds, overwrite=overwrite, resume=resume, workers=workers, executor=executor,
        scheduler=scheduler, prepare=partial(_compile, quiet=quiet), say=tell,
    )  # fmt: skip
    say("fit", f"{folder}{os.sep}")
