"""Figures into files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, cast

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metasim.errors import OptionError
from metasim.results.folder import plain_errors
from metasim.results.outcomes import RECURRENCES
from metasim.results.phenotypes import phenotype_names
from metasim.results.plots.body import body
from metasim.results.plots.colonies import colonies
from metasim.results.plots.counts import organ_counts
from metasim.results.plots.funnel import funnel
from metasim.results.plots.hazard import hazard
from metasim.results.plots.incidence import incidence
from metasim.results.plots.phenotypes import phenotypes
from metasim.results.plots.style import styled
from metasim.results.plots.survival import survival
from metasim.results.plots.swimmer import swimmer
from metasim.results.plots.tree import seeding_tree
from metasim.results.store import Results
from metasim.results.tables import TABLES_AT

FIGURES: Final[dict[str, tuple[Callable[[Results], Axes], str]]] = {
    "organ_counts": (organ_counts, "summary"),
    "incidence": (incidence, "metastases"),
    "funnel": (funnel, "stages"),
    "body": (body, "summary"),
    "colonies": (colonies, "counts"),
    "seeding_tree": (seeding_tree, "metastases"),
    "survival": (survival, "patients"),
    "hazard": (hazard, "patients"),
    "swimmer": (swimmer, "patients"),
    "phenotypes": (phenotypes, "metastases"),
}
"""Every figure and the rarest table it needs."""

_ONLY_IF: Final[dict[str, Callable[[Results], bool]]] = {
    "survival": lambda r: bool(
        r.patients[["death_day", "first_distant_day"]].notna().any(axis=None)
    ),
    "hazard": lambda r: bool(r.patients["first_distant_day"].notna().any()),
    "swimmer": lambda r: bool(r.events["event"].isin(RECURRENCES).any()),
    "phenotypes": lambda r: bool(phenotype_names(r)),
}
"""What figures need to show anything; unless it is there they are drawn on request only."""


def save_figures(
    results: Results, folder: str | Path, names: Sequence[str] | None = None
) -> list[Path]:
    """Save figures as PNG (200 dpi) and PDF; the same results give the same bytes.

    Args:
        results: a finished run.
        folder: where to; made if it is missing.
        names: which figures; by default those that are `worth_drawing`.

    Returns:
        The files written.

    Raises:
        OptionError: a name is not that of a figure.
        ResultsError: a named figure needs a table that was not recorded, or a file cannot be
            written.
    """
    if names is None:
        names = worth_drawing(results)
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        raise OptionError(f"no figure {unknown[0]!r}; choose from {', '.join(FIGURES)}")
    target = Path(folder)
    written = []
    for name in names:
        written += save_figure(FIGURES[name][0](results), target / name)
    return written


def worth_drawing(results: Results) -> list[str]:
    """Figures that the recording level allows and that have something to show."""
    recorded = ("summary", *TABLES_AT[results.record])
    return [
        name
        for name, (_, table) in FIGURES.items()
        if table in recorded and (name not in _ONLY_IF or _ONLY_IF[name](results))
    ]


def save_figure(ax: Axes, path: Path) -> list[Path]:
    """Save the figure of some axes as `path` with .png (200 dpi) and .pdf.

    Raises:
        ResultsError: a file cannot be written.
    """
    figure = cast(Figure, ax.figure)
    with plain_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        png, pdf = path.with_name(f"{path.name}.png"), path.with_name(f"{path.name}.pdf")
        with styled():
            figure.savefig(png, dpi=200, metadata={"Software": None})
            figure.set_layout_engine("none")  # it stands; laying out again takes time
            figure.savefig(pdf, metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return [png, pdf]
