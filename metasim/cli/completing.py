"""What the Tab key offers after `metasim`: names, keys and allowed words that begin as typed.

Where a function offers nothing, the shell completes the names of files as usual.
"""

from collections.abc import Callable
from pathlib import Path

import typer

_KNOWN = "luminal_a"
"""Whose keys are offered while the scenario is not typed, or has mistakes."""


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Offers some of these words."""

    def offered(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return offered


def scenarios(incomplete: str) -> list[str]:
    """Names of shipped scenarios, and scenario files of this folder."""
    from metasim.scenario.catalogue import RUNNABLE, SHIPPED

    files = [path.name for path in Path().glob("*.toml")]
    return one_of(*sorted({*SHIPPED.names(RUNNABLE), *files}))(incomplete)


def keys(context: typer.Context, incomplete: str) -> list[str]:
    """Keys of the scenario that was typed."""
    return one_of(*_keys(context))(incomplete)


def changes(context: typer.Context, incomplete: str) -> list[str]:
    """Keys of the scenario that was typed, each with "=" for the value that is due."""
    return [] if "=" in incomplete else [f"{key}=" for key in keys(context, incomplete)]


def figures(incomplete: str) -> list[str]:
    """Names of the figures of a run."""
    from metasim.results.plots import FIGURES

    return one_of(*FIGURES)(incomplete)


def _keys(context: typer.Context) -> list[str]:
    from metasim.errors import MetasimError
    from metasim.scenario.explicit import describe
    from metasim.scenario.load import load

    # an option at the end whose value is due has the parser leave what stands before it in args
    given = context.params.get("source") or context.params.get("sources") or context.args
    source = given if isinstance(given, str) else next(iter(given), _KNOWN)
    try:
        scenario = load(source)
    except MetasimError:
        scenario = load(_KNOWN)
    return [row.key for row in describe(scenario)]
