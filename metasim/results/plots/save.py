"""Figures into files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, cast

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metasim.errors import OptionError
from metasim.results.folder import plain_errors
from metasim.results.plots.body import body
from metasim.results.plots.colonies import colonies
from metasim.results.plots.counts import organ_counts
from metasim.results.plots.funnel import funnel
from metasim.results.plots.incidence import incidence
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
}
"""Every figure and the rarest table it needs."""


def save_figures(
    results: Results, folder: str | Path, names: Sequence[str] | None = None
) -> list[Path]:
    """Save figures as PNG (200 dpi) and PDF; the same results give the same bytes.

    Args:
        results: a finished run.
        folder: where to; made if it is missing.
        names: which figures; by default all that the recording level allows.

    Returns:
        The files written.

    Raises:
        OptionError: a name is not that of a figure.
        ResultsError: a named figure needs a table that was not recorded, or a file cannot be
            written.
    """
    recorded = ("summary", *TABLES_AT[results.provenance["record"]])
    if names is None:
        names = [name for name, (_, table) in FIGURES.items() if table in recorded]
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        raise OptionError(f"no figure {unknown[0]!r}; choose from {', '.join(FIGURES)}")
    target = Path(folder)
    written = []
    for name in names:
        figure = cast(Figure, FIGURES[name][0](results).figure)
        with plain_errors(target):
            target.mkdir(parents=True, exist_ok=True)
            png, pdf = target / f"{name}.png", target / f"{name}.pdf"
            figure.savefig(png, dpi=200, metadata={"Software": None})
            figure.set_layout_engine("none")  # it stands; laying out again takes time
            figure.savefig(pdf, metadata={"CreationDate": None, "Creator": None, "Producer": None})
        written += [png, pdf]
    return written
