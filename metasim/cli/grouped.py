"""`--by COLUMN`: figures, comparisons and summaries of groups of patients."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from metasim.cli.finish import Finish
from metasim.errors import OptionError
from metasim.results.compare import Comparison, compare
from metasim.results.split import left_out, split
from metasim.results.store import Results, open_results
from metasim.results.summary import render, summarise
from metasim.terminal import console, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def print_summaries(results: Results, by: str | None) -> None:
    """Print the summary of a finished run, or one for each group."""
    screen = console()
    if by is None:
        screen.print(render(results.summary))
        return
    for name, group in split(results, by).items():
        screen.print(plain(f"\n{name}"), style="bold")
        screen.print(render(summarise(group)))
    _print_left_out(results, by)


def summaries_of(source: str, by: str | None) -> None:
    """Print what came out of a results folder.

    Raises:
        OptionError: it is none, or the column cannot split it.
        ResultsError: it cannot be opened.
    """
    if not Path(source).is_dir():
        raise OptionError(f"--by {by}: splits the patients of a finished run; give its folder")
    print_summaries(open_results(source), by)


def draw_groups(
    results: Results, by: str, folder: Path, figures: Sequence[str] | None, finish: Finish
) -> list[Path]:
    """Draw figures of groups: side by side where a figure can, else one file for each group.

    Args:
        results: a finished run.
        by: column to split by.
        folder: where to.
        figures: names; None: all that have something to show, and the groups compared.
        finish: told of what could not be drawn.
    """
    from metasim.results.plots import comparison
    from metasim.results.plots.registry import FIGURES
    from metasim.results.plots.save import save_figure, worth_drawing

    groups = split(results, by)
    several = list(groups.values())

    def save(draw: Callable[[], "Axes"], name: str) -> list[Path]:
        return save_figure(draw(), folder / name)

    draws: dict[str, Callable[[], Axes]] = {}
    for name in worth_drawing(results) if figures is None else figures:
        kind = FIGURES[name]
        if kind.several:
            draws[file_name(f"{name}_by_{by}")] = partial(kind, several, labels=list(groups))
            continue
        for label, group in groups.items():
            if figures is not None or kind.applies(group):
                draws[file_name(f"{name}_{label}")] = partial(kind, group)
    if figures is None and len(groups) > 1:
        draws[file_name(f"comparison_by_{by}")] = lambda: comparison(compare(several, list(groups)))
    _print_left_out(results, by)
    return finish.figures(lambda: draws, lambda name: save(draws[name], name))


def file_name(text: str) -> str:
    """A name as that of a file: other signs than letters, digits, `_`, `-` and `.` become `_`."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text)


def compared_groups(
    results: Sequence[Results], labels: Sequence[str], by: str, precision: float
) -> Mapping[str, Comparison]:
    """Comparisons by group: of a single run its groups, of several the runs within each group.

    Args:
        results: finished runs.
        labels: a name for each.
        by: column to split by.
        precision: see `metasim.results.compare.compare`.

    Returns:
        Name of the group ("" for the groups of a single run) -> the comparison. Groups that some
        run lacks are left out.

    Raises:
        OptionError: the column cannot split a run, or no group is left to compare.
    """
    parts = [split(one, by) for one in results]
    if len(parts) == 1:
        if len(parts[0]) < 2:
            only = next(iter(parts[0]))
            raise OptionError(f"--by {by}: all patients are {only}, so there are no two groups")
        return {"": compare(list(parts[0].values()), list(parts[0]), precision=precision)}
    common = [name for name in parts[0] if all(name in part for part in parts[1:])]
    if not common:
        raise OptionError(f"--by {by}: no group is in all of {', '.join(labels)}")
    return {
        name: compare([part[name] for part in parts], labels, precision=precision)
        for name in common
    }


def _print_left_out(results: Results, by: str) -> None:
    if missing := left_out(results, by):
        console().print(plain(f"{missing:,} patients without a value of {by} are in no group"))
