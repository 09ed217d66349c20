"""The command line: a thin shell over the public names."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from metasim.errors import MetasimError, OptionError, RunInterrupted
from metasim.terms import RECORD_LEVELS

if TYPE_CHECKING:
    from metasim.results.store import Results
    from metasim.scenario.schema import Scenario


class _Commands(TyperGroup):
    """The commands: a user's mistake ends in one message and exit code 2, Ctrl-C in 130."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except MetasimError as error:
            print(f"metasim: {error}", file=sys.stderr)
            raise typer.Exit(2) from None
        except KeyboardInterrupt as stop:
            how_far = stop if isinstance(stop, RunInterrupted) else "stopped"
            print(f"\nmetasim: {how_far}", file=sys.stderr)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help and messages: quick, and whole at 80 columns
    context_settings={"help_option_names": ["-h", "--help"]},
)

ScenarioArgument = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO", help="A scenario file, or the name of a shipped one (metasim list)."
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one value; may be repeated."),
]
Patients = Annotated[int | None, typer.Option(help="Number of virtual patients.")]
YearsOption = Annotated[float | None, typer.Option(help="Years each patient is followed.")]
RngSeed = Annotated[int | None, typer.Option(help="Seed of the random numbers.")]
EngineOption = Annotated[str | None, typer.Option(help="colonies (groups) or cells (agents).")]
Workers = Annotated[
    int | None, typer.Option(help="Local processes; default: as many as pay, up to all cores.")
]
ExecutorOption = Annotated[str | None, typer.Option(help="serial | processes | dask")]
Scheduler = Annotated[
    str | None, typer.Option(metavar="URL", help="Dask scheduler, such as tcp://host:8786.")
]
Record = Annotated[str | None, typer.Option(help=" | ".join(RECORD_LEVELS))]


def _print_version(asked: bool) -> None:
    if asked:
        from metasim import __version__

        print(f"metasim {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Simulate how breast cancer spreads: run a scenario, look at the outcome, tweak the soil."""


def main() -> None:
    """Entry point."""
    app(prog_name="metasim")


def _load(source: str, changes: list[str] | None, **options: Any) -> "Scenario":
    """The scenario with `--set` and the options that stand for a key in place."""
    from metasim.scenario.load import load

    return load(source, _changes(changes, options))


def _changes(changes: list[str] | None, options: dict[str, Any]) -> dict[str, Any]:
    """Key path -> value, of `--set` and of the options that stand for a key."""
    from metasim.scenario.load import parse_override

    overrides = dict(parse_override(change) for change in changes or [])
    return overrides | {f"run.{key}": value for key, value in options.items() if value is not None}


@app.command()
def run(
    scenario: ScenarioArgument,
    set_: Set = None,
    patients: Patients = None,
    years: YearsOption = None,
    rng_seed: RngSeed = None,
    engine: EngineOption = None,
    record: Record = None,
    output: Annotated[
        Path | None, typer.Option(help="Results folder; default results/NAME.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing results folder.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print only where the results lie.")
    ] = False,
    figures: Annotated[bool, typer.Option(help="Draw the figures.")] = True,
    workers: Workers = None,
    executor: ExecutorOption = None,
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
    asked = _load(
        scenario, set_, patients=patients, years=years, rng_seed=rng_seed, engine=engine,
        record=record,
    )  # fmt: skip
    alone = "" if patient is None else f"-patient-{patient}"
    folder = output or Path("results") / f"{Path(scenario).stem}{alone}"
    _prepare_engine(asked, quiet)
    from metasim.runner.cohort import run as run_cohort

    results = run_cohort(
        asked, output=folder, overwrite=overwrite, resume=resume, progress=not quiet,
        workers=workers, executor=executor, scheduler=scheduler, patient=patient, until=until,
    )  # fmt: skip
    if not quiet:
        _print_summary(results)
    print(f"results  {folder}{os.sep}")
    if figures:
        _draw(results, folder / "figures", quiet)
    if failed := results.provenance["rows"]["failures"]:
        print(f"metasim: {failed:,} patients failed and are left out", file=sys.stderr)
        raise typer.Exit(3)


def _prepare_engine(asked: "Scenario", quiet: bool) -> None:
    """Compile the engine, by drawing one patient, if this is the first run ever."""
    if asked.run.engine != "colonies":
        return
    from metasim.engines.colonies import compiled
    from metasim.runner.cohort import run as run_cohort

    if compiled():
        return
    if not quiet:
        print("compiling the engine (first run on this machine only, up to half a minute) ...",
              file=sys.stderr, flush=True)  # fmt: skip
    before = signal.signal(signal.SIGINT, _end_at_once)
    run_cohort(asked.replace({"run.patients": 1}), progress=False)
    signal.signal(signal.SIGINT, before)


def _end_at_once(*_: object) -> None:
    """End on Ctrl-C: the compiler swallows an exception, and nothing is written yet."""
    os.write(sys.stderr.fileno(), b"\nmetasim: stopped while compiling; nothing was written\n")
    os._exit(130)


def _print_summary(results: "Results") -> None:
    from rich.console import Console

    from metasim.results.summary import never_given, render

    console = Console()
    console.print()
    console.print(render(results.summary))
    for name in never_given(results):
        console.print(f"treatment {name}: never given to any patient")
    console.print()


def _draw(results: "Results", folder: Path, quiet: bool) -> None:
    from metasim.results.plots import save_figures

    paths = save_figures(results, folder)
    if not quiet:
        print(f"figures  {folder}{os.sep} ({', '.join(sorted({p.stem for p in paths}))})")


@app.command()
def plot(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="A results folder.")],
    figure: Annotated[
        list[str] | None, typer.Option(help="Only this figure; may be repeated.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Default: RESULTS/figures.")] = None,
) -> None:
    """Draw the figures of a finished run."""
    from metasim.results.plots import FIGURES, save_figures
    from metasim.results.store import open_results

    unknown = sorted(set(figure or []) - set(FIGURES))
    if unknown:
        raise OptionError(f"--figure {unknown[0]}: unknown; allowed: {', '.join(FIGURES)}")
    for path in save_figures(open_results(results), output or results / "figures", figure):
        print(path)


Vary = Annotated[
    list[str] | None,
    typer.Option("--vary", metavar="KEY=LOW:HIGH[:STEP]", help="What varies; may be repeated."),
]
Output = Annotated[Path | None, typer.Option(help="Results folder; default results/NAME-WHAT.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing results folder.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")]
Yes = Annotated[bool, typer.Option("--yes", help="More than a million points are meant.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
Figures = Annotated[bool, typer.Option(help="Draw the figures.")]


@app.command()
def sweep(
    scenario: ScenarioArgument,
    vary: Vary = None,
    design: Annotated[str, typer.Option(help="grid | lhs | sobol")] = "grid",
    points: Annotated[int | None, typer.Option(help="Number of points of lhs or sobol.")] = None,
    set_: Set = None,
    patients: Patients = None,
    years: YearsOption = None,
    rng_seed: RngSeed = None,
    output: Output = None,
    overwrite: Overwrite = False,
    resume: Resume = False,
    workers: Workers = None,
    executor: ExecutorOption = None,
    scheduler: Scheduler = None,
    yes: Yes = False,
    quiet: Quiet = False,
    figures: Figures = True,
) -> None:
    """Run the same patients at many points of the soil.

    Draws response curves, or a heat map over two keys.
    """
    from metasim.runner.sweep_command import run_sweep

    asked = _load(scenario, set_, patients=patients, years=years, rng_seed=rng_seed)
    folder = output or Path("results") / f"{Path(scenario).stem}-sweep"
    _prepare_engine(asked, quiet)
    run_sweep(
        asked, vary or [], folder, kind=design, points=points, many=yes, overwrite=overwrite,
        resume=resume, workers=workers, executor=executor, scheduler=scheduler,
        figures=figures, quiet=quiet,
    )  # fmt: skip


@app.command()
def sensitivity(
    scenario: ScenarioArgument,
    vary: Vary = None,
    method: Annotated[str, typer.Option(help="morris | sobol")] = "morris",
    size: Annotated[
        int | None, typer.Option(help="Trajectories (morris) or base points (sobol).")
    ] = None,
    quantity: Annotated[
        str, typer.Option(help="metastases_per_patient | share_with")
    ] = "metastases_per_patient",
    set_: Set = None,
    patients: Patients = None,
    years: YearsOption = None,
    rng_seed: RngSeed = None,
    output: Output = None,
    overwrite: Overwrite = False,
    resume: Resume = False,
    workers: Workers = None,
    executor: ExecutorOption = None,
    scheduler: Scheduler = None,
    yes: Yes = False,
    quiet: Quiet = False,
    figures: Figures = True,
) -> None:
    """Rank what drives each organ's metastases.

    Without --vary, among all soil parameters.
    """
    from metasim.runner.sweep_command import run_sensitivity

    asked = _load(scenario, set_, patients=patients, years=years, rng_seed=rng_seed)
    folder = output or Path("results") / f"{Path(scenario).stem}-sensitivity"
    _prepare_engine(asked, quiet)
    run_sensitivity(
        asked, vary or [], folder, method=method, size=size, quantity=quantity, many=yes,
        overwrite=overwrite, resume=resume, workers=workers, executor=executor,
        scheduler=scheduler, figures=figures, quiet=quiet,
    )  # fmt: skip


@app.command()
def compare(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="A B ...", help="Results folders, scenario files or names."),
    ],
    set_: Set = None,
    patients: Patients = None,
    years: YearsOption = None,
    rng_seed: RngSeed = None,
    precision: Annotated[
        str, typer.Option(help="Say how many patients narrow a share's interval to +- this.")
    ] = "1%",
    output: Annotated[
        Path | None, typer.Option(help="Folder for the tables as CSV and the figures.")
    ] = None,
    workers: Workers = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Compare plans on the same virtual patients.

    Each is compared with the first. Scenarios are run, with the rng_seed and number of patients
    of the first; options change these runs. Patients are paired if all runs have the same rng_seed
    and number of them.
    """
    from metasim.runner.compare_command import run_comparison

    options = {"patients": patients, "years": years, "rng_seed": rng_seed}
    run_comparison(
        sources, _changes(set_, options), precision, output, progress=not quiet,
        workers=workers, prepare=lambda scenario: _prepare_engine(scenario, quiet),
    )  # fmt: skip


@app.command()
def watch(
    scenario: ScenarioArgument,
    set_: Set = None,
    patient: Annotated[int, typer.Option(help="Number of the patient, from 0.")] = 0,
    movie: Annotated[
        Path | None, typer.Option(help="Write an animation: .gif, or .mp4 with ffmpeg.")
    ] = None,
    cells: Annotated[
        Path | None, typer.Option(help="Write every transition of every cell (.parquet).")
    ] = None,
    rng_seed: RngSeed = None,
) -> None:
    """Watch one patient's cells pass the seven stages."""
    from metasim.watch import watch as watch_cells

    asked = _load(scenario, set_, rng_seed=rng_seed)
    watch_cells(asked, movie=movie, cells=cells, patient=patient)


@app.command()
def show(
    scenario: ScenarioArgument,
    set_: Set = None,
    toml: Annotated[bool, typer.Option("--toml", help="As a scenario file.")] = False,
    key: Annotated[str, typer.Option(help="Only keys that begin with this.")] = "",
) -> None:
    """Show a scenario in full: values with unit, origin and source."""
    from metasim.scenario.explicit import describe, explicit_toml

    asked = _load(scenario, set_)
    if toml:
        print(explicit_toml(asked), end="")
        return
    if not any(row.key.startswith(key) for row in describe(asked)):
        raise OptionError(f"--key {key}: no key of {scenario} begins with this")
    from metasim.scenario.explicit import print_description

    print_description(asked, key)


@app.command()
def check(
    scenarios: Annotated[
        list[str], typer.Argument(metavar="SCENARIO", help="Scenario files or names.")
    ],
) -> None:
    """Check scenario files; all mistakes of all files at once."""
    from metasim.errors import ScenarioError
    from metasim.scenario.load import load

    wrong = 0
    for source in scenarios:
        try:
            load(source)
        except ScenarioError as error:
            print(f"metasim: {error}", file=sys.stderr)
            wrong += 1
        else:
            print(f"{source}: fine")
    if wrong:
        sys.exit(2)


@app.command("list")
def list_() -> None:
    """List the shipped scenarios and the catalogue."""
    from rich.console import Console
    from rich.table import Table

    from metasim.scenario.explicit import catalogue_entries

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("kind", "name", "what it is"):
        table.add_column(column, overflow="fold")
    for entry in catalogue_entries():
        table.add_row(*entry)
    Console().print(table)


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors to use."""
    import json

    from metasim.scenario.explicit import json_schema

    print(json.dumps(json_schema(), indent=2))


if __name__ == "__main__":
    main()
