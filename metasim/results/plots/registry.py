"""The register of figures: what each shows, its tidy table, and how that is drawn.

A figure is two functions. `data` takes finished results and gives a table that any tool can draw:
its columns are documented here, its `attrs` (plain values, kept by Parquet) say what the figure
says in words. `draw` takes that table and nothing else. What is registered is drawn by
`metasim plot`, listed by `metasim plot --list`, and is an attribute of `metasim.plots`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, Literal

from matplotlib.axes import Axes

from metasim.checked import keywords, refuse_unknown
from metasim.errors import OptionError
from metasim.results.description import Description
from metasim.results.plots.style import Style, styled
from metasim.results.tables import TABLES_AT

if TYPE_CHECKING:
    import pandas as pd

    from metasim.results.store import Results

Source = Literal["run", "comparison", "sweep", "sensitivity"]


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True)
class FigureKind:
    """One kind of figure.

    Attributes:
        name: in `metasim.plots`, on the command line and of files.
        title: one line for lists and galleries.
        shows: what a reader sees, a sentence or two.
        columns: what each column of the table means, with its unit; nan or None where a row has
            no such value.
        data: `(source, **options) -> table`.
        draw: `(table, ax=None) -> Axes`; without axes it makes a figure of its own. It draws in the
            settings of metasim, whoever calls it.
        source: what it is of: a run, or a comparison, sweep or sensitivity study.
        needs: of a run: the rarest table that it reads.
        worth: of a run: whether it has something to show there; if not it is drawn on request only.
        several: of a run: it takes several of them, and shows them side by side.
    """

    name: str
    title: str
    shows: str
    columns: Mapping[str, str]
    data: Callable[..., "pd.DataFrame"]
    draw: Callable[..., Axes]
    source: Source = "run"
    needs: str = "summary"
    worth: Callable[["Results"], bool] = _always
    several: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "draw", _in_settings(self.draw))

    def __call__(
        self, source: Any, ax: Axes | None = None, *, style: Style | None = None, **options: Any
    ) -> Axes:
        """Draw it.

        Args:
            source: finished results of the right kind.
            ax: axes to draw into; by default those of a new figure.
            style: of Matplotlib, over the settings of metasim.
            options: of `data`.
        """
        refuse_unknown(self.name, options, keywords(self.data))
        with styled(style):
            return self.draw(self.data(source, **options), ax)

    def applies(self, results: "Results") -> bool:
        """Whether a run recorded what it needs and has something to show."""
        recorded = ("summary", *TABLES_AT[results.record])
        return self.source == "run" and self.needs in recorded and self.worth(results)


def _in_settings(draw: Callable[..., Axes]) -> Callable[..., Axes]:
    @wraps(draw)
    def drawn(table: "pd.DataFrame", ax: Axes | None = None) -> Axes:
        with styled():
            return draw(table, ax)

    return drawn


REGISTRY: Final[dict[str, FigureKind]] = {}
"""Every figure by its name, in the order in which lists show them."""

FIGURES: Final[dict[str, FigureKind]] = {}
"""Those of a run."""


def register(kind: FigureKind) -> FigureKind:
    """Add a figure to `metasim plot`, `metasim.plots` and the lists.

    Raises:
        OptionError: there is a figure of that name already.
    """
    if kind.name in REGISTRY:
        raise OptionError(f"there is a figure {kind.name!r} already")
    if not kind.name.isidentifier():
        raise OptionError(f"{kind.name!r} cannot be the name of a figure: letters, digits and _")
    REGISTRY[kind.name] = kind
    if kind.source == "run":
        FIGURES[kind.name] = kind
    return kind


def arrange(*names: str) -> None:
    """Put registered figures in the order in which lists show them; others follow."""
    for register_of in (REGISTRY, FIGURES):
        order = [name for name in names if name in register_of]
        order += [name for name in register_of if name not in names]
        for name in order:
            register_of[name] = register_of.pop(name)


def tidy(frame: "pd.DataFrame", run: Description, **words: Any) -> "pd.DataFrame":
    """A table for `draw`, with the description of its run and what the figure says in words.

    Args:
        frame: the numbers.
        run: where names, sites and order of the organs come from.
        words: plain values that `draw` reads in `attrs`.
    """
    frame = frame.reset_index(drop=True)
    about: dict[Any, Any] = {**words, "run": run.saved()}
    frame.attrs = about
    return frame


def run_of(table: "pd.DataFrame") -> Description:
    """The description of the run that a table is of."""
    return Description.read(table.attrs["run"])


def listing() -> list[tuple[str, str, str, str]]:
    """Name, source, needed table ("" unless of a run) and what it shows, of every figure."""
    return [
        (kind.name, kind.source, kind.needs if kind.source == "run" else "", kind.shows)
        for kind in REGISTRY.values()
    ]
