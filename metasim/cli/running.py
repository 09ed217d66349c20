"""The commands that simulate: run, sweep, sensitivity, compare."""

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metasim.cli import completing
from metasim.cli.finish import Finish
from metasim.cli.options import (
    By,
    Draws,
    Engine,
    Executor,
    Figures,
    Output,
    Overwrite,
    Patients,
    Quiet,
    Record,
    Resume,
    RngSeed,
    Scheduler,
    Set,
    Source,
    Vary,
    Workers,
    Years,
    Yes,
    asked,
    changes,
)
from metasim.cli.shell import app
from metasim.errors import OptionError
from metasim.terminal import console, say, tell

if TYPE_CHECKING:
    from metasim.results.store import Results
    from metasim.scenario.schema import Scenario


@app.command()
def run(
    source: Source,
    *,
    set_: Set = None,
    draws: Draws = None,
    patients: Patients = None,
    years: Years = None,
    rng_seed: RngSeed = None,
    engine: Engine = None,
    record: Record = None,
    output: Output = None,
    overwrite: Overwrite = False,
    resume: Resume = False,
    quiet: Quiet = False,
    figures: Figures = True,
    workers: Workers = None,
    executor: Executor = None,
    scheduler: Scheduler = None,
    patient: Annotated[
        int | None, typer.Option(help="Only this patient, from 0; the same as among all.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="PRECISION", help='Patients until an interval is so narrow: "bone.share +- 1%".'
        ),
    ] = None,
) -> None:
    """Run a scenario: metastases per organ, tables, figures.

    Exit code 3: finished, but patients failed and are left out (failures.parquet says why).
    """
    from metasim.results.summary import said_never_given
    from metasim.runner.cohort import run as run_cohort

    if until is not None and patients is not None:
        raise OptionError("--patients and --until exclude each other")
    alone = "" if patient is None else f"-patient-{patient}"
    folder = output or _results(source, alone)
    results = run_cohort(
        asked(source, set_, patients=patients, years=years, rng_seed=rng_seed, engine=engine,
              record=record, draws=draws),
        output=folder, overwrite=overwrite, resume=resume, progress=not quiet, workers=workers,
        executor=executor, scheduler=scheduler, patient=patient, until=until,
        prepare=partial(_compile, quiet=quiet),
    )  # fmt: skip
    finish = Finish(f"the results are whole: metasim plot {folder} draws the figures again")
    with finish.showing("summary"):
        if quiet:
            for name in results.summary.attrs["never_given"]:
                tell(f"metasim: {said_never_given(name)}")
        else:
            _print_summary(results)
    say("results", f"{folder}{os.sep}")
    if figures:
        _draw(results, folder / "figures", quiet, finish)
    finish.end(results.provenance["rows"]["failures"])


@app.command()
def sweep(
    source: Source,
    *,
    vary: Vary = None,
    design: Annotated[
        str,
        typer.Option(
            help="grid | lhs | sobol", autocompletion=completing.one_of("grid", "lhs", "sobol")
        ),
    ] = "grid",
    points: Annotated[int | None, typer.Option(help="Number of points of lhs or sobol.")] = None,
    set_: Set = None,
    draws: Draws = None,
    patients: Patients = None,
    years: Years = None,
    rng_seed: RngSeed = None,
    output: Output = None,
    overwrite: Overwrite = False,
    resume: Resume = False,
    workers: Workers = None,
    executor: Executor = None,
    scheduler: Scheduler = None,
    yes: Yes = False,
    quiet: Quiet = False,
    figures: Figures = True,
) -> None:
    """Run the same patients at many points of the soil.

    Draws response curves, or a heat map over two keys.
    """
    from metasim.cli.sweep_command import run_sweep

    finish = Finish(f"the sweep is whole: {_again(source, output, '-sweep')}")
    failed = run_sweep(
        asked(source, set_, draws=draws, patients=patients, years=years, rng_seed=rng_seed),
        vary or [], output or _results(source, "-sweep"), sampler=design, points=points, many=yes,
        overwrite=overwrite, resume=resume, workers=workers, executor=executor,
        scheduler=scheduler, figures=figures, quiet=quiet, finish=finish,
        prepare=partial(_compile, quiet=quiet),
    )  # fmt: skip
    finish.end(failed)


@app.command()
def sensitivity(
    source: Source,
    *,
    vary: Vary = None,
    method: Annotated[
        str,
        typer.Option(help="morris | sobol", autocompletion=completing.one_of("morris", "sobol")),
    ] = "morris",
    size: Annotated[
        int | None, typer.Option(help="Trajectories (morris) or base points (sobol).")
    ] = None,
    quantity: Annotated[
        str,
        typer.Option(
            help="metastases_per_patient | share_with",
            autocompletion=completing.one_of("metastases_per_patient", "share_with"),
        ),
    ] = "metastases_per_patient",
    set_: Set = None,
    patients: Patients = None,
    years: Years = None,
    rng_seed: RngSeed = None,
    output: Output = None,
    overwrite: Overwrite = False,
    resume: Resume = False,
    workers: Workers = None,
    executor: Executor = None,
    scheduler: Scheduler = None,
    yes: Yes = False,
    quiet: Quiet = False,
    figures: Figures = True,
) -> None:
    """Rank what drives each organ's metastases.

    Without --vary, among all soil parameters.
    """
    from metasim.cli.sweep_command import run_sensitivity

    finish = Finish(f"the study is whole: {_again(source, output, '-sensitivity')}")
    failed = run_sensitivity(
        asked(source, set_, patients=patients, years=years, rng_seed=rng_seed),
        vary or [], output or _results(source, "-sensitivity"), method=method, size=size,
        quantity=quantity, many=yes, overwrite=overwrite, resume=resume, workers=workers,
        executor=executor, scheduler=scheduler, figures=figures, quiet=quiet, finish=finish,
        prepare=partial(_compile, quiet=quiet),
    )  # fmt: skip
    finish.end(failed)


@app.command()
def compare(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="A B ...",
            help="Results folders, scenario files or names.",
            autocompletion=completing.scenarios,
        ),
    ],
    *,
    set_: Set = None,
    draws: Draws = None,
    patients: Patients = None,
    years: Years = None,
    rng_seed: RngSeed = None,
    precision: Annotated[
        str, typer.Option(help="Say how many patients narrow a share's interval to +- this.")
    ] = "1%",
    by: By = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the tables as CSV and the figures.")
    ] = None,
    workers: Workers = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Compare plans on the same virtual patients.

    Each is compared with the first. Scenarios are run, with the rng_seed and number of patients
    of the first; options change these runs. Patients are paired if all runs have the same rng_seed
    and number of them. With --by, the groups of a single run are compared with each other, and
    several runs within each group.
    """
    from metasim.cli.compare_command import run_comparison

    finish = Finish()
    run_comparison(
        sources,
        changes(set_, draws=draws, patients=patients, years=years, rng_seed=rng_seed),
        precision, output, progress=not quiet, workers=workers, finish=finish, by=by,
        prepare=partial(_compile, quiet=quiet),
    )  # fmt: skip
    finish.end()


def _again(source: str, output: Path | None, what: str) -> str:
    return f"metasim plot {output or _results(source, what)} draws the figures again"


def _results(source: str, what: str) -> Path:
    """The results folder of a scenario, unless told."""
    return Path("results") / f"{Path(source).stem}{what}"


def _compile(scenario: "Scenario", quiet: bool) -> None:
    """Compile the engine, by drawing one patient, if this is the first run ever."""
    if scenario.run.engine != "colonies":
        return
    from metasim.engines.colonies import COMPILING, compiled
    from metasim.runner.patients import Cohort

    if compiled():
        return
    if not quiet:
        tell(COMPILING)
    before = signal.signal(signal.SIGINT, _end_at_once)
    Cohort(scenario).chunk(0, 1)  # whatever becomes of this patient
    signal.signal(signal.SIGINT, before)


def _end_at_once(*_: object) -> None:
    """End on Ctrl-C: the compiler swallows an exception, and nothing is written yet."""
    os.write(sys.stderr.fileno(), b"\nmetasim: stopped while compiling; nothing was written\n")
    os._exit(130)


def _print_summary(results: "Results") -> None:
    from metasim.results.summary import render

    screen = console()
    screen.print()
    screen.print(render(results.summary))
    screen.print()


def _draw(results: "Results", folder: Path, quiet: bool, finish: Finish) -> None:
    def names() -> list[str]:
        from metasim.results.plots.save import worth_drawing

        return worth_drawing(results)

    def draw(name: str) -> list[Path]:
        from metasim.results.plots import save_figures

        return save_figures(results, folder, [name])

    paths = finish.figures(names, draw)
    if paths and not quiet:
        say("figures", f"{folder}{os.sep} ({', '.join(sorted({path.stem for path in paths}))})")
