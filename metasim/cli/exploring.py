"""The command `explore`: the model on a page of this machine."""

import webbrowser
from typing import Annotated

import typer

from metasim.cli import completing
from metasim.cli.options import Patients, Set, changes
from metasim.cli.shell import app
from metasim.terminal import say, tell


@app.command()
def explore(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SCENARIO",
            help="A scenario file, or the name of a shipped one (metasim list).",
            autocompletion=completing.scenarios,
        ),
    ] = None,
    *,
    set_: Set = None,
    patients: Patients = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the page; 0 takes any free one.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> None:
    """Turn the knobs of a scenario on a page of this machine.

    The page shows what becomes of it, beside the scenario as it is: metastases per organ, survival,
    single patients, single cells. Only this machine can reach the page, by an address with a secret
    in it. Ctrl-C ends it.
    """
    from metasim.explorer.server import check_installed, serve, usual_scenario

    check_installed()
    from metasim.explorer.sessions import Base
    from metasim.scenario.catalogue import RUNNABLE, SHIPPED
    from metasim.scenario.load import load

    name = source or usual_scenario()
    kind = "shipped" if name in SHIPPED.names(RUNNABLE) else "file"
    base = Base(name, load(name), kind)
    given = changes(set_)
    base.scenario.replace(given)
    try:
        serve(
            base, given, patients, port=port, say=lambda address: say("explorer", f" {address}"),
            opened=webbrowser.open if browser else None,
        )  # fmt: skip
    except KeyboardInterrupt:
        tell("metasim: the explorer has ended")
