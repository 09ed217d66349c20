"""The gallery: every figure, drawn by the lines that stand beside it."""

from pathlib import Path
from typing import Any

from as_markdown import table

from metasim.results.plots import REGISTRY, FigureKind

INTRODUCTION = """# Gallery

These are all the figures that metasim draws, each with the lines that draw it. Every function takes `ax=` to draw into
axes of your own, and returns the axes; `ax.figure.savefig` saves the figure. These lines run what the figures show:

"""
RUNS = """import metasim as ms

base = ms.load("luminal_a").replace({"run.patients": 200})
run = ms.run(base)
treated = ms.load("her2_enriched").replace({"run.patients": 40})
plan = ms.load("trastuzumab").replace({"run.patients": 40})
compared = ms.compare([ms.run(treated), ms.run(plan)])
varied = base.replace({"run.patients": 40})
sweep = ms.sweep(varied, {"soil.bone.niche": (0, 1, 0.5)}, progress=False)
map_ = ms.sweep(
    varied, {"soil.bone.niche": (0, 1, 1), "soil.lung.niche": (0, 1, 1)}, progress=False
)
study = ms.sensitivity(
    varied, {"soil.bone.niche": (0, 1), "soil.lung.niche": (0, 1)}, size=2, progress=False
)
emt = ms.run(ms.load("emt").replace({"run.patients": 40}))
given = {"blood_ml": 7.5, "plasma_ml": 4.0, "ctdna_copies_per_cell": 16.0}
women = ms.load("registry_2002_20").replace({f"tests.{key}": value for key, value in given.items()})
tested = ms.run(women.replace({"run.patients": 500}))
"""
DRAWN_FROM = {
    "run": "run",
    "comparison": "compared",
    "sweep": "sweep",
    "sensitivity": "study",
    "heat_map": "map_",
    "phenotypes": "emt",
    "relapse_by_level": "tested",
}
"""Figure, or else what it is of -> what it is drawn from here."""


def line(kind: FigureKind) -> str:
    """The line that draws a figure."""
    return f"ax = ms.plots.{kind.name}({_drawn_from(kind)})"


def page(folder: Path) -> str:
    """The page; the figures are drawn into a folder beside it, unless they lie there already."""
    folder.mkdir(parents=True, exist_ok=True)
    out = f"{INTRODUCTION}```python\n{RUNS}```\n\n"
    space: dict[str, Any] = {}
    missing = [kind for kind in REGISTRY.values() if not _picture(folder, kind).is_file()]
    if missing:
        exec(RUNS, space)  # the very lines that the page shows
    for kind in missing:
        exec(line(kind), space)
        space["ax"].figure.savefig(_picture(folder, kind), dpi=110, bbox_inches="tight")
    return out + "".join(_entry(folder, kind) for kind in REGISTRY.values())


def _drawn_from(kind: FigureKind) -> str:
    return DRAWN_FROM.get(kind.name, DRAWN_FROM[kind.source])


def _picture(folder: Path, kind: FigureKind) -> Path:
    return folder / f"{kind.name}.png"


def _entry(folder: Path, kind: FigureKind) -> str:
    columns = table(["column", "meaning"], [[f"`{n}`", m] for n, m in kind.columns.items()])
    data = f'ms.plots.REGISTRY["{kind.name}"].data({_drawn_from(kind)})'
    return (
        f"## {kind.title}\n\n{kind.shows}\n\n```python\n{line(kind)}\n```\n\n"
        f"![{kind.title}]({folder.name}/{kind.name}.png)\n\n"
        f"Its numbers, as a table to draw elsewhere:\n\n```python\n{data}\n```\n\n{columns}\n"
    )
