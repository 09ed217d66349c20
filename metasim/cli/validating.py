"""The command `validate`: scenarios against published figures."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metasim.cli.options import Quiet, RngSeed, Set, Workers, changes
from metasim.cli.running import _compile
from metasim.cli.shell import app
from metasim.errors import OptionError
from metasim.terminal import console, plain, say

if TYPE_CHECKING:
    from metasim.targets.validate import Validation

_SHIPPED = ("calibration", "population", "treatments")


@app.command()
def validate(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TARGETS ...]",
            help="Targets files (.toml, .csv) or names of shipped ones; default: the shipped ones. "
            "Or a results folder, to be judged by --targets.",
        ),
    ] = None,
    *,
    targets: Annotated[
        list[str] | None,
        typer.Option("--targets", metavar="FILE", help="Targets for a results folder."),
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(help="Scenario of the cohorts that name none.")
    ] = None,
    set_: Set = None,
    rng_seed: RngSeed = None,
    most_patients: Annotated[
        int, typer.Option(help="Patients of each scenario, at most.")
    ] = 20_000,
    require: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE[:MOST]",
            help='Exit code 1 unless so many targets have |z| < 2 and none is beyond: "90%:4".',
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for scorecard.csv and the figures.")
    ] = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Hold scenarios against published figures.

    Each target gets a z-score and a verdict. Every cohort runs once, with as many patients as make
    the error of the simulation small beside the published one. Exit code 1: --require is not met.
    """
    from metasim.targets.validate import Bar

    bar = None if require is None else Bar.parse(require)
    judged = _judged(
        files or [], targets or [], scenario=scenario, most_patients=most_patients,
        changes=changes(set_, rng_seed=rng_seed), workers=workers, progress=not quiet,
        prepare=partial(_compile, quiet=quiet),
    )  # fmt: skip
    _report(judged, output, quiet)
    for done in judged:
        done.refuse_nobody()
    if bar is not None:
        met, said = bar.verdict([score for done in judged for score in done.scores])
        say("bar", said)
        if not met:
            raise typer.Exit(1)


def _judged(files: list[str], targets: list[str], **options: Any) -> "list[Validation]":
    """Hold results folders, or the scenarios that targets files name, against the targets."""
    from metasim.results.store import open_results
    from metasim.targets.load import read_targets
    from metasim.targets.validate import judge, validate

    folders = [name for name in files if Path(name).is_dir()]
    if folders and (not targets or len(folders) < len(files)):
        raise OptionError(
            f"{folders[0]}: a results folder is judged by --targets FILE, and by itself"
        )
    if targets and not folders:
        raise OptionError("--targets goes with a results folder; targets files are named directly")
    # all mistakes before the first patient
    read = [read_targets(source) for source in targets or files or _SHIPPED]
    if folders:
        opened = [open_results(folder) for folder in folders]
        return [judge(one, opened) for one in read]
    return [validate(one, **options) for one in read]


def _report(judged: "list[Validation]", output: Path | None, quiet: bool) -> None:
    from metasim.targets.scorecard import render, save, summary

    screen = console()
    for done in judged:
        if not quiet:
            for part in render(done):
                screen.print(plain(part) if isinstance(part, str) else part)
        say("targets", f"{done.targets.source}: {summary(done.scores)}")
        if output is not None:
            folder = output if len(judged) == 1 else output / Path(done.targets.source).stem
            save(done, folder)
            say("scores", f"{folder}{os.sep}")
