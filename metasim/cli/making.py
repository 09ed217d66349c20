"""The command that starts a file of the user's own: new."""

from pathlib import Path
from typing import Annotated

import typer

from metasim.cli.completing import one_of
from metasim.cli.shell import app
from metasim.errors import OptionError
from metasim.terminal import plain, say


@app.command()
def new(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="scenario | organ | subtype | treatment",
            autocompletion=one_of("scenario", "organ", "subtype", "treatment"),
        ),
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is to be called.")],
    folder: Annotated[Path, typer.Option(help="Where the files go.")] = Path(),
) -> None:
    """Write a commented file to start from, which runs as it stands.

    An organ, subtype or treatment goes into the folder `catalogue`, and beside that a scenario
    that uses it. Nothing that exists is overwritten.
    """
    from metasim.scenario.templates import files_of

    _refuse(what, name, folder)
    files = {folder / path: text for path, text in files_of(what, name).items()}
    for path in files:
        if path.exists():
            raise OptionError(f"{path}: exists already; nothing was written")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        say("written", f"{path}")
    print(plain(f"run it: metasim run {path}"))


def _refuse(what: str, name: str, folder: Path) -> None:
    """Refuse what cannot be started, and names that mean something already."""
    from metasim.scenario.catalogue import BESIDE, SCENARIOS, around
    from metasim.scenario.files import NAME
    from metasim.scenario.keys import nearest
    from metasim.scenario.load import load
    from metasim.scenario.templates import BASE, SECTION_OF

    if what not in SECTION_OF:
        raise OptionError(f"new {what}: cannot be started ({nearest(what, SECTION_OF)})")
    if not NAME.fullmatch(name):
        message = "is not a name: a letter, then letters, digits, _ or -"
        raise OptionError(f"new {what} {name}: {message}")
    sections = SCENARIOS if what == "scenario" else (SECTION_OF[what],)
    if found := around(folder / BESIDE).find(name, *sections):
        raise OptionError(f"new {what} {name}: there is one of this name, {found.label}")
    if what == "organ" and name in load(BASE).soil:
        raise OptionError(f"new organ {name}: {BASE} has an organ of this name")
