"""The gallery: every figure, drawn by the lines that stand beside it."""

from pathlib import Path
from typing import Any

INTRODUCTION = """# Gallery

Every figure that metasim draws, with the lines that draw it. Each takes `ax=` to draw into axes of your
own and returns them; `ax.figure.savefig` saves the figure. The first lines run what they show:

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
"""
DRAWN_FROM = {
    "comparison": "compared",
    "hazard_ratios": "compared",
    "response": "sweep",
    "heat_map": "map_",
    "ranking": "study",
    "phenotypes": "emt",
}
"""Figure -> what it is drawn from, where that is not `run`."""
NOT_FIGURES = ("FIGURES", "save_figures")


def names() -> list[str]:
    """Every public figure."""
    from metasim.results import plots

    return [name for name in plots.__all__ if name not in NOT_FIGURES and name.islower()]


def line(name: str) -> str:
    """The line that draws a figure."""
    return f"ax = ms.plots.{name}({DRAWN_FROM.get(name, 'run')})"


def page(folder: Path) -> str:
    """The page; the figures are drawn into a folder beside it, unless they lie there already."""
    from metasim.results import plots

    folder.mkdir(parents=True, exist_ok=True)
    out = f"{INTRODUCTION}```python\n{RUNS}```\n\n"
    space: dict[str, Any] = {}
    if any(not (folder / f"{name}.png").is_file() for name in names()):
        exec(RUNS, space)  # the very lines that the page shows
    for name in names():
        picture = folder / f"{name}.png"
        if not picture.is_file():
            exec(line(name), space)
            space["ax"].figure.savefig(picture, dpi=110, bbox_inches="tight")
        about = (getattr(plots, name).__doc__ or "").split("\n\n")[0].replace("\n", " ")
        about = " ".join(about.split())
        out += f"## {name}\n\n{about}\n\n```python\n{line(name)}\n```\n\n"
        out += f"![{about}]({folder.name}/{name}.png)\n\n"
    return out
