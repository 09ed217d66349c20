"""Figures of finished results: `(results, ax=None, **options) -> Axes`; none of them simulates.

Without `ax` each makes a figure of its own that pyplot does not know; `ax.figure` is it.
"""

from metasim.results.plots.body import body
from metasim.results.plots.colonies import colonies
from metasim.results.plots.comparison import comparison
from metasim.results.plots.counts import organ_counts
from metasim.results.plots.funnel import funnel
from metasim.results.plots.hazard import hazard
from metasim.results.plots.incidence import incidence
from metasim.results.plots.phenotypes import phenotypes
from metasim.results.plots.ratios import hazard_ratios
from metasim.results.plots.save import FIGURES, save_figures
from metasim.results.plots.survival import survival
from metasim.results.plots.sweep import heat_map, ranking, response
from metasim.results.plots.swimmer import swimmer
from metasim.results.plots.tree import seeding_tree

__all__ = [
    "FIGURES",
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
    "response",
    "save_figures",
    "seeding_tree",
    "survival",
    "swimmer",
]
