"""The body of `metasim compare`: open or run, compare, print, save."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from metasim.cli.finish import Finish
from metasim.cli.grouped import compared_groups, file_name
from metasim.errors import OptionError
from metasim.results.compare import Comparison, compare
from metasim.results.compare_report import introduction, render, save_tables
from metasim.results.split import split
from metasim.results.store import Results
from metasim.runner.comparison import labels_of, open_or_run
from metasim.scenario.schema import Scenario
from metasim.terminal import console, plain, say


def run_comparison(
    sources: Sequence[str],
    changes: Mapping[str, Any],
    precision: str,
    output: Path | None = None,
    progress: bool = True,
    workers: int | None = None,
    prepare: Callable[[Scenario], object] = lambda _: None,
    finish: Finish | None = None,
    by: str | None = None,
) -> dict[str, Comparison]:
    """Compare sources with the first of them; print tables, save tables and figures.

    Args:
        sources: results folders or scenarios.
        changes: key path -> value, for every scenario that is run.
        precision: half-width of the interval to say patients needed for, "0.5%" or "0.005".
        output: folder for differences.csv, ratios.csv and figures, those of a group in a folder of
            its own; None writes nothing.
        progress: show progress on standard error.
        workers: local processes of each run; None: as many as pay.
        prepare: called with each scenario before it runs.
        finish: told of what could not be shown.
        by: column to split patients by: the groups of a single source are compared, or several
            sources within each group.

    Returns:
        Name of the group, "" if there is none -> comparison.

    Raises:
        OptionError: fewer than two sources, one given twice, or a precision that is not a share.
    """
    if len(sources) < 2 and by is None:
        raise OptionError("it takes at least two results folders or scenarios to compare")
    share = parse_share(precision)
    results = open_or_run(sources, changes, progress=progress, workers=workers, prepare=prepare)
    finish = finish or Finish()
    if by is None:
        groups = {"": compare(results, labels_of(sources), precision=share)}
        runs = {"": list(results)}
    else:
        groups = dict(compared_groups(results, labels_of(sources), by, share))
        parts = [split(one, by) for one in results]
        runs = {name: [part[name] for part in parts] if name else list(parts[0].values())
                for name in groups}  # fmt: skip
    for name, compared in groups.items():
        folder = output / file_name(name) if output and name else output
        paths = [] if folder is None else [*save_tables(compared, folder, sys.argv)]
        with finish.showing("comparison"):
            screen = console()
            if name:
                screen.print(plain(f"\n{name}"), style="bold")
            for line in introduction(compared):
                screen.print(plain(line))
            for table in render(compared):
                screen.print(table)
        if folder is not None:
            paths += _draw(compared, runs[name], folder, finish)
            say("comparison", f" {folder}{os.sep} ({', '.join(sorted({p.stem for p in paths}))})")
    return groups


def _draw(
    compared: Comparison, results: Sequence[Results], folder: Path, finish: Finish
) -> list[Path]:
    def draw(name: str) -> list[Path]:
        from metasim.results.plots import comparison, survival
        from metasim.results.plots.save import save_figure

        if name == "survival":
            return save_figure(survival(results, labels=compared.labels), folder / name)
        return save_figure(comparison(compared), folder / name)

    return finish.figures(lambda: ["comparison", "survival"], draw)


def parse_share(text: str) -> float:
    """A share as "0.5%" or "0.005".

    Raises:
        OptionError: it is neither, or not above 0 and below 1.
    """
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = 0.0
    if not 0 < number < 1:
        raise OptionError(f"--precision {text}: give a share above 0 and below 1, such as 0.5%")
    return number
