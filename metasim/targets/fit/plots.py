"""Figures of a fit: priors against posteriors, published figures against what the fit predicts."""

from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metasim.results.plots.style import FAINT, INK, MUTED, head, new_axes, styled
from metasim.targets.fit.report import quantiles
from metasim.targets.fit.run import Fit

_PRIOR: Final = "#999999"
_POSTERIOR: Final = "#0072B2"
_PUBLISHED: Final = "#D55E00"
_COLUMNS: Final = 3
_BINS: Final = 20


@styled()
def posteriors(fit: Fit) -> list[Axes]:
    """Prior and posterior of every free key, and the best point of the quick layer.

    Args:
        fit: with draws.
    """
    keys = fit.problem.keys
    rows = -(-len(keys) // _COLUMNS)
    columns = min(len(keys), _COLUMNS)
    figure = Figure(figsize=(4.2 * columns, 3.2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for place, ax in enumerate(axes.flat):
        if place >= len(keys):
            ax.set_axis_off()
            continue
        free = keys[place]
        log = free.prior.scale == "log"
        ends = free.prior.low, free.prior.high
        edges = np.geomspace(*ends, _BINS + 1) if log else np.linspace(*ends, _BINS + 1)
        prior = np.histogram(free.value((np.arange(4000) + 0.5) / 4000), edges)[0] / 4000
        ax.stairs(prior, edges, color=_PRIOR, linewidth=1.5, label="prior")
        after = np.histogram(free.value(fit.draws[:, place]), edges, weights=fit.weights)[0]
        ax.stairs(after, edges, color=_POSTERIOR, fill=True, alpha=0.5, label="posterior")
        best = free.value(float(fit.best[place]))
        ax.axvline(best, color=INK, linewidth=1.2, linestyle=(0, (4, 3)), label="best")
        ax.set_xscale("log" if log else "linear")
        ax.set_xlabel(free.label, fontsize=9)
        ax.set_ylim(bottom=0)
        ax.set_ylabel("probability" if place % columns == 0 else "")
    axes.flat[0].legend(fontsize=9)
    return list(axes.flat)[: len(keys)]


@styled()
def predictions(fit: Fit, ax: Axes | None = None) -> Axes:
    """Every target, published and as the draws of the posterior predict it, in its own spread.

    Args:
        fit: with draws.
        ax: axes to draw into; by default those of a new figure.
    """
    targets = fit.problem.targets
    ax = new_axes(ax, 8.5, 1.6 + 0.32 * len(targets))
    ax.axvspan(-2, 2, color="#009E73", alpha=0.10, linewidth=0)
    ax.axvline(0, color=FAINT, linewidth=1)
    for place, target in enumerate(targets):
        z = (fit.values[:, place] - target.value) / fit.problem.spread[place]
        good = np.isfinite(z)
        if not good.any():
            ax.annotate("cannot be told", (0, place), color=MUTED, ha="center", va="center")
            continue
        weights = fit.weights[good] / fit.weights[good].sum()
        low, middle, high = quantiles(z[good], weights, (0.025, 0.5, 0.975))
        shade = _POSTERIOR if target.use == "fit" else _PUBLISHED
        ax.hlines(place, low, high, color=shade, linewidth=2)
        face: Any = shade if target.use == "fit" else "white"
        ax.plot(middle, place, "o", color=shade, markerfacecolor=face, markersize=7)
    ax.set_yticks(range(len(targets)), [one.label or one.id for one in targets])
    ax.set_ylim(len(targets) - 0.5, -0.5)
    ax.set_xlabel("(predicted - published) / spread of the published figure")
    head(ax, "What the fit predicts", "Median and 95 %. Open: held back from the fit")
    return ax
