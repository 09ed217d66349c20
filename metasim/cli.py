"""The command line: a thin shell over the public names."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metasim.errors import MetasimError, OptionError, RunInterrupted
from metasim.terms import RECORD_LEVELS

if TYPE_CHECKING:
    from metasim.results.store import Results
    from metasim.scenario.schema import Scenario

app = typer.Typer(
    name="metasim",
    help="Simulate how breast cancer spreads: run a scenario, look at the outcome, tweak the soil.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ScenarioArgument = Annotated[
    str, typer.Argument(help="A scenario file, or the name of a shipped one (metasim list).")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one value; may be repeated."),
]
Patients = Annotated[int | None, typer.Option(help="Number of virtual patients.")]
YearsOption = Annotated[float | None, typer.Option(help="Years each patient is followed.")]
RngSeed = Annotated[int | None, typer.Option(help="Seed of the random numbers.")]
EngineOption = Annotated[str | None, typer.Option(help="colonies (groups) or cells (agents).")]
Record = Annotated[str | None, typer.Option(help=" | ".join(RECORD_LEVELS))]


def main() -> None:
    """Entry point: a user's mistake ends in one clear message and exit code 2, no traceback."""
    try:
        app()
    except MetasimError as error:
        print(f"metasim: {error}", file=sys.stderr)
        sys.exit(2)
    except RunInterrupted as stop:
        print(f"\nmetasim: {stop}", file=sys.stderr)
        sys.exit(130)
    except KeyboardInterrupt:
        print("\nmetasim: stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # `metasim show ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _load(source: str, changes: list[str] | None, **options: Any) -> "Scenario":
    """The scenario with `--set` and the options that stand for a key in place."""
    from metasim.scenario.load import load, parse_override

    overrides = dict(parse_override(change) for change in changes or [])
    overrides |= {f"run.{key}": value for key, value in options.items() if value is not None}
    return load(source, overrides)


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
    overwrite: Annotated[bool, typer.Option(help="Replace an existing results folder.")] = False,
    resume: Annotated[bool, typer.Option(help="Go on with a run that was stopped.")] = False,
    quiet: Annotated[bool, typer.Option(help="Print only where the results lie.")] = False,
    figures: Annotated[bool, typer.Option(help="Draw the figures.")] = True,
) -> None:
    """Run a scenario: per-organ metastasis counts, tables and figures."""
    asked = _load(
        scenario, set_, patients=patients, years=years, rng_seed=rng_seed, engine=engine,
        record=record,
    )  # fmt: skip
    folder = output or Path("results") / Path(scenario).stem
    _prepare_engine(asked, quiet)
    from metasim.runner.cohort import run as run_cohort

    results = run_cohort(
        asked, output=folder, overwrite=overwrite, resume=resume, progress=not quiet
    )
    if not quiet:
        _print_summary(results)
    print(f"results  {folder}{os.sep}")
    if figures:
        _draw(results, folder / "figures", quiet)


def _prepare_engine(asked: "Scenario", quiet: bool) -> None:
    """Say what the first run ever waits for."""
    if asked.run.engine != "colonies":
        return
    from metasim.engines.colonies import compiled

    if not compiled() and not quiet:
        print("compiling the engine (first run on this machine only, up to half a minute) ...",
              file=sys.stderr, flush=True)  # fmt: skip


def _print_summary(results: "Results") -> None:
    from rich.console import Console

    from metasim.results.summary import never_given, render

    console = Console()
    console.print()
    console.print(render(results.summary))
    for name in never_given(results):
        console.print(f"treatment {name}: never given to any patient")


def _draw(results: "Results", folder: Path, quiet: bool) -> None:
    from metasim.results.plots import save_figures

    paths = save_figures(results, folder)
    if not quiet:
        print(f"figures  {folder}{os.sep} ({', '.join(sorted({p.stem for p in paths}))})")


@app.command()
def plot(
    results: Annotated[Path, typer.Argument(help="A results folder.")],
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
    """Watch one patient's cells pass, or fail, the seven stages, every cell an agent."""
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
    """Show a scenario fully explicit: each value, its unit, where it came from, its source."""
    from metasim.scenario.explicit import explicit_toml

    asked = _load(scenario, set_)
    if toml:
        print(explicit_toml(asked), end="")
        return
    from metasim.scenario.explicit import print_description

    print_description(asked, key)


@app.command()
def check(
    scenarios: Annotated[list[str], typer.Argument(help="Scenario files or names.")],
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
    """Print the JSON Schema of scenario files, for editors to complete and check them."""
    import json

    from metasim.scenario.explicit import json_schema

    print(json.dumps(json_schema(), indent=2))


if __name__ == "__main__":
    main()
