"""Options that several commands share, and what those that stand for a key make of a scenario."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metasim.cli import completing
from metasim.terms import RECORD_LEVELS

if TYPE_CHECKING:
    from metasim.scenario.schema import Scenario

Source = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO",
        help="A scenario file, or the name of a shipped one (metasim list).",
        autocompletion=completing.scenarios,
    ),
]

# what is run
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one value; may be repeated.",
        autocompletion=completing.changes,
    ),
]
Patients = Annotated[int | None, typer.Option(help="Number of virtual patients.")]
Years = Annotated[float | None, typer.Option(help="Years each patient is followed.")]
RngSeed = Annotated[int | None, typer.Option(help="Seed of the random numbers.")]
Draws = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Posterior of metasim fit: each patient has the keys of one of its draws.",
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        help="colonies (groups) or cells (agents).",
        autocompletion=completing.one_of("colonies", "cells"),
    ),
]
Record = Annotated[
    str | None,
    typer.Option(help=" | ".join(RECORD_LEVELS), autocompletion=completing.one_of(*RECORD_LEVELS)),
]
Vary = Annotated[
    list[str] | None,
    typer.Option(
        "--vary",
        metavar="KEY=VALUES",
        help="What varies: LOW:HIGH:STEP, LOW:HIGH:N@log, LOW:HIGH, or A,B,C; may be repeated.",
        autocompletion=completing.changes,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="COLUMN",
        help="Split patients by a column of the patients table: subtype, er_positive, stage_n ...",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="More than a million points are meant.")]

# where it goes
Output = Annotated[
    Path | None, typer.Option(help="Results folder; default: in results/, by the scenario.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing results folder.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress; only where the results lie.")]
Figures = Annotated[bool, typer.Option(help="Draw the figures.")]

# who computes it
Workers = Annotated[
    int | None, typer.Option(help="Local workers; default: as many as pay, up to all cores.")
]
_EXECUTORS = ("serial", "threads", "processes", "dask")
Executor = Annotated[
    str | None,
    typer.Option(help=" | ".join(_EXECUTORS), autocompletion=completing.one_of(*_EXECUTORS)),
]
Scheduler = Annotated[
    str | None, typer.Option(metavar="URL", help="Dask scheduler, such as tcp://host:8786.")
]


def asked(source: str, set_: list[str] | None, **options: object) -> "Scenario":
    """The scenario with `--set` and the options that stand for a key of `run` in place."""
    from metasim.scenario.load import load

    return load(source, changes(set_, **options))


def changes(set_: list[str] | None, **options: object) -> dict[str, object]:
    """Key path -> value, of `--set` and of the options that stand for a key.

    These are keys of `run`, but for `draws`, which is one of `patients`.
    """
    from metasim.scenario.load import Given, parse_override

    out = dict(parse_override(change) for change in set_ or [])
    for name, value in options.items():
        if value is not None:
            table = "patients" if name == "draws" else "run"
            out[f"{table}.{name}"] = Given(value, f"--{name.replace('_', '-')}")
    return out
