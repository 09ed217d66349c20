"""The commands that show: plot, watch, show, check, list, schema."""

from pathlib import Path
from typing import Annotated

import typer

from metasim.cli import completing
from metasim.cli.finish import Finish
from metasim.cli.options import By, RngSeed, Set, Source, asked
from metasim.cli.shell import app
from metasim.errors import MetasimError, OptionError
from metasim.terminal import console, plain, say
from metasim.terminal.console import tell
from metasim.terminal.table import FittingTable


def _list_figures(asked: bool) -> None:
    """Print the register of figures and end, if that is asked."""
    if not asked:
        return
    from metasim.results.plots.registry import listing

    columns = ("figure", "of", "needs table", "what it shows")
    table = FittingTable("", columns, words=(0, 1, 2, 3), folds=(3,))
    for row in listing():
        table.add_row(*row)
    console().print(table)
    raise typer.Exit


@app.command()
def plot(
    results: Annotated[
        Path,
        typer.Argument(metavar="RESULTS", help="A results folder, of a run, sweep or sensitivity."),
    ],
    figure: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only this figure; may be repeated.",
            autocompletion=completing.figures,
        ),
    ] = None,
    by: By = None,
    output: Annotated[Path | None, typer.Option(help="Default: RESULTS/figures.")] = None,
    list_: Annotated[
        bool,
        typer.Option(
            "--list",
            callback=lambda asked: _list_figures(asked),
            is_eager=True,
            help="List all figures and what they show.",
        ),
    ] = False,
) -> None:
    """Draw the figures of a finished run, sweep or study."""
    from metasim.cli.grouped import draw_groups
    from metasim.results.plots import FIGURES, save_figures
    from metasim.results.plots.save import worth_drawing
    from metasim.results.sensitivity import open_study
    from metasim.results.store import open_results
    from metasim.results.sweeps import is_sweep

    finish = Finish(refused=MetasimError)
    folder = output or results / "figures"
    if is_sweep(results):
        from metasim.cli.sweep_command import draw_study

        if figure or by:
            given = f"--figure {figure[0]}" if figure else f"--by {by}"
            raise OptionError(f"{given}: of a sweep, all figures are drawn")
        for path in draw_study(open_study(results), folder, finish):
            print(plain(path))
        finish.end()
        return
    unknown = sorted(set(figure or []) - set(FIGURES))
    if unknown:
        raise OptionError(f"--figure {unknown[0]}: unknown; allowed: {', '.join(FIGURES)}")
    done = open_results(results)
    if by is not None:
        paths = draw_groups(done, by, folder, figure, finish)
    else:
        paths = finish.figures(
            lambda: figure or worth_drawing(done), lambda name: save_figures(done, folder, [name])
        )
    for path in paths:
        print(plain(path))
    finish.end()


@app.command()
def report(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Of a run, a comparison or a fit.")
    ],
    output: Annotated[Path | None, typer.Option(help="Default: FOLDER/report.html.")] = None,
) -> None:
    """Write one HTML file that tells what came out.

    It holds summary, figures with their data, the scenario with what differs, sources, methods in
    words, warnings, and how to run it again; it opens without a network, from a mail too.
    """
    from metasim.reporting.write import write_report

    say("report", f"{write_report(folder, output)}")


@app.command()
def watch(
    source: Source,
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
    from metasim.watching import watch as watch_cells

    watch_cells(asked(source, set_, rng_seed=rng_seed), movie=movie, cells=cells, patient=patient)


@app.command()
def show(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO",
            help="A scenario file or name, or a results folder.",
            autocompletion=completing.scenarios,
        ),
    ],
    set_: Set = None,
    toml: Annotated[bool, typer.Option("--toml", help="As a scenario file.")] = False,
    key: Annotated[
        str,
        typer.Option(help="Only keys that begin with this.", autocompletion=completing.keys),
    ] = "",
    by: By = None,
) -> None:
    """Show a scenario in full, or the summary of a results folder.

    Of a scenario: values with unit, origin and source. Of results: organ by organ, with --by for
    each group of patients.
    """
    from metasim.scenario.explicit import describe, explicit_toml, print_description
    from metasim.terminal.text import toml_to_read

    if by is not None or Path(source).is_dir():
        from metasim.cli.grouped import summaries_of

        if set_ or toml or key:
            raise OptionError(f"{source}: --set, --toml and --key are for scenarios")
        summaries_of(source, by)
        return
    scenario = asked(source, set_)
    if toml:
        print(toml_to_read(explicit_toml(scenario)), end="")
        return
    keys = [row.key for row in describe(scenario)]
    if not any(known.startswith(key) for known in keys):
        raise OptionError(
            f"--key {key}: no key of {source} begins with this{_elsewhere(key, keys)}"
        )
    print_description(scenario, key)


def _elsewhere(key: str, keys: list[str]) -> str:
    """A hint: keys that have what was asked for further on, or look like it."""
    from metasim.scenario.keys import nearest

    within = [known for known in keys if key in known.split(".")]
    starts = dict.fromkeys(known[: known.index(key)] + key for known in within)
    hint = f"such as {', '.join(list(starts)[:3])}" if starts else nearest(key, keys)
    return f" ({hint})" if hint else ""


@app.command()
def check(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENARIO",
            help="Scenario files or names.",
            autocompletion=completing.scenarios,
        ),
    ],
) -> None:
    """Check scenario files; all mistakes of all files at once."""
    from metasim.errors import ScenarioError
    from metasim.scenario.load import load

    wrong = 0
    for source in sources:
        try:
            load(source)
        except ScenarioError as error:
            tell(f"metasim: {error}")
            wrong += 1
        else:
            print(plain(f"{source}: fine"))
    if wrong:
        raise typer.Exit(2)


@app.command("list")
def list_() -> None:
    """List the shipped scenarios and the catalogue, with yours.

    Yours is found in the folder `catalogue` here, in those of METASIM_CATALOGUE, and in installed
    packages, and metasim looks for names in this order.
    """
    from metasim.scenario.catalogue import BESIDE, SHIPPED, around
    from metasim.scenario.listing import entries

    found = entries(around(Path(BESIDE)))
    columns = ("entry", "name", "what it is", "from")
    count = 4 if any(entry.origin != SHIPPED.origin for entry in found) else 3
    table = FittingTable("", columns[:count], words=range(count), folds=(0, *range(2, count)))
    for entry in found:
        table.add_row(*(entry.one, entry.name, entry.text, entry.origin)[:count])
    console().print(table)


@app.command()
def schema(
    output: Annotated[Path | None, typer.Option(help="Write it into this file instead.")] = None,
) -> None:
    """Print the JSON Schema of scenario files, for editors to use."""
    import json

    from metasim.scenario.explicit import json_schema

    text = json.dumps(json_schema(), indent=2)
    if output is None:
        print(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
