"""Figures of finished results: `(results, ax=None, **options) -> Axes`; none of them simulates.

Without `ax` each makes a figure of its own that pyplot does not know; `ax.figure` is it.
"""

from metasim.results.plots.body import body
from metasim.results.plots.colonies import colonies
from metasim.results.plots.counts import organ_counts
from metasim.results.plots.funnel import funnel
from metasim.results.plots.incidence import incidence
from metasim.results.plots.save import FIGURES, save_figures
from metasim.results.plots.tree import seeding_tree

__all__ = [
    "FIGURES",
    "body",
    "colonies",
    "funnel",
    "incidence",
    "organ_counts",
    "save_figures",
    "seeding_tree",
]
