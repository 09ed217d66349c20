"""Figures of finished results: `(results, ax=None, *, style=None) -> Axes`; none simulates.

Without `ax` each makes a figure of its own that pyplot does not know; `ax.figure` is it.
"""

from metasim.results.plots.body import body
from metasim.results.plots.colonies import colonies
from metasim.results.plots.comparison import comparison
from metasim.results.plots.counts import organ_counts
from metasim.results.plots.funnel import funnel
from metasim.results.plots.hazard import hazard
from metasim.results.plots.heat_map import heat_map
from metasim.results.plots.incidence import incidence
from metasim.results.plots.levels import relapse_by_level
from metasim.results.plots.phenotypes import phenotypes
from metasim.results.plots.ranking import ranking
from metasim.results.plots.ratios import hazard_ratios
from metasim.results.plots.registry import FIGURES, REGISTRY, FigureKind, arrange, register, tidy
from metasim.results.plots.response import response
from metasim.results.plots.save import save_figures
from metasim.results.plots.survival import survival
from metasim.results.plots.swimmer import swimmer
from metasim.results.plots.tree import seeding_tree

__all__ = [
    "FIGURES",
    "REGISTRY",
    "FigureKind",
    "body",
    "colonies",
    "comparison",
    "funnel",
    "hazard",
    "hazard_ratios",
    "heat_map",
    "incidence",
    "organ_counts",
    "phenotypes",
    "ranking",
    "register",
    "relapse_by_level",
    "response",
    "save_figures",
    "seeding_tree",
    "survival",
    "swimmer",
    "tidy",
]

arrange(
    *("organ_counts", "incidence", "funnel", "body", "colonies", "seeding_tree", "survival"),
    *("hazard", "relapse_by_level", "swimmer", "phenotypes", "comparison", "hazard_ratios"),
    *("response", "heat_map", "ranking"),
)


def __getattr__(name: str) -> FigureKind:
    """A figure that was registered elsewhere."""
    if name in REGISTRY:
        return REGISTRY[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
