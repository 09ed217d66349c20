"""The register of figures: documented tables that draw themselves, and room for new ones."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from typer.testing import CliRunner

import metasim as ms
from metasim.cli import app
from metasim.errors import OptionError
from metasim.results import plots
from metasim.results.compare import compare
from metasim.results.plots.registry import FIGURES, REGISTRY, FigureKind, listing, run_of
from metasim.results.plots.save import save_figures, worth_drawing
from metasim.results.sensitivity import Sensitivity
from metasim.runner.vary import parse
from tests.outcomes_synthetic import course_results
from tests.synthetic import make_results

mixed = cache(lambda: course_results(40, phenotypes=True))
other = cache(lambda: course_results(40, first=1000, per_patient=15))


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Something of each kind that figures are of."""
    base = ms.load("luminal_a_surgery").replace({"run.patients": 6, "run.years": 4.0})
    ranges = [parse("soil.bone.niche=0:1:0.5"), parse("soil.lung.niche=0:1:1")]
    folder = tmp_path_factory.mktemp("figures") / "sweep"
    sweep = ms.sweep(base, ranges, output=folder, progress=False)
    rows = [
        {"organ": organ, "key": key, "index": k + 0.5, "half_width": 0.2, "p_chance": 0.01}
        for k, organ in enumerate(("bone", "lung"))
        for key in sweep.keys
    ]
    sweep.provenance["design"] = "morris"
    study = Sensitivity(sweep, pd.DataFrame(rows).assign(clear=True, counted="micro"))
    return {
        "run": mixed(),
        "comparison": compare([mixed(), other()], ["one", "two"]),
        "sweep": sweep,
        "sensitivity": study,
    }


def texts(ax):
    return [one.get_text() for one in ax.figure.findobj(lambda artist: hasattr(artist, "get_text"))]


@pytest.mark.parametrize("name", REGISTRY)
def test_a_figure_is_a_documented_table_that_draws_itself(name, sources, tmp_path):
    kind = REGISTRY[name]
    table = kind.data(sources[kind.source])
    assert list(table.columns) == list(kind.columns)
    assert len(table)
    assert all(len(meaning) > 7 for meaning in kind.columns.values())
    assert kind.shows.endswith(".")
    path = tmp_path / "table.parquet"
    table.to_parquet(path)  # and its words
    saved = pd.read_parquet(path)
    public = getattr(plots, name)
    ax = public(sources[kind.source])
    drawn = kind.draw(saved)
    assert isinstance(drawn, Axes)
    if name != "comparison":  # on a page of its own it has the hazard ratios below
        assert texts(drawn) == texts(ax)
    given = Figure().add_subplot()
    assert public(sources[kind.source], given) is given
    with pytest.raises(OptionError, match='"coutned"'):
        public(sources[kind.source], coutned="micro")
    with pytest.raises(OptionError, match='"stile"'):
        kind(sources[kind.source], stile="bmh")


def test_tables_hold_the_numbers_of_the_results(sources):
    results = mixed()
    table = REGISTRY["organ_counts"].data(results, counted="micro").set_index("organ")
    summary = ms.summarise(results, "micro").set_index("organ")
    assert table["share_with"].equals(summary.loc[table.index, "share_with"])
    curve = REGISTRY["incidence"].data(results, organs=["bone"], counted="detected")
    years = curve.set_index("years")["followed"]
    lives = results.patients.dropna(subset="diagnosis_day")
    followed = np.fmin(lives["death_day"], lives["end_day"]) - lives["diagnosis_day"]
    for tick in curve.attrs["ticks"]:
        assert years[tick] == (followed / 365.25 >= tick).sum()
    body = REGISTRY["body"].data(results)
    assert body.query("what == 'blood' and place == 'veins'")["flow"].sum() == pytest.approx(1)
    sizes = REGISTRY["colonies"].data(results, patient=3).query("what == 'founded'")
    assert len(sizes) == (results.metastases["patient"] == 3).sum()
    tree = REGISTRY["seeding_tree"].data(results, patient=3)
    assert tree["metastasis"].iloc[0] == 0
    assert tree["parent"].isin(tree["metastasis"]).all()
    lives = REGISTRY["swimmer"].data(results, patients=10).query("what == 'life'")
    assert len(lives) == 10
    assert lives["until"].is_monotonic_increasing
    shares = REGISTRY["phenotypes"].data(results).groupby("years")["share"].sum()
    assert shares.to_numpy() == pytest.approx(1)


def test_runs_of_the_same_title_stay_apart():
    table = REGISTRY["survival"].data([mixed(), mixed()])
    assert table["group"].nunique() == 2


def deaths(results):
    counts = results.patients["death_cause"].astype(str).value_counts()
    return plots.tidy(
        pd.DataFrame({"cause": counts.index, "patients": counts.to_numpy()}), results.description
    )


def draw_deaths(table, ax=None):
    ax = ax or Figure().add_subplot()
    ax.bar(table["cause"], table["patients"])
    ax.set_title(run_of(table).title)
    return ax


@pytest.fixture
def new_figure():
    kind = FigureKind(
        "causes_of_death",
        "What patients die of",
        "Patients by cause of death.",
        {"cause": "cause of death", "patients": "number of patients"},
        deaths,
        draw_deaths,
        needs="patients",
    )
    yield plots.register(kind)
    for register in (REGISTRY, FIGURES):
        del register[kind.name]


def gallery(folder, monkeypatch):
    """The gallery of the documentation, with pictures that are drawn already."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "docs" / "_ext")
    import gallery_page

    folder.mkdir()
    for name in REGISTRY:
        (folder / f"{name}.png").touch()
    return gallery_page.page(folder)


def test_a_new_figure_appears_everywhere_by_itself(new_figure, tmp_path, monkeypatch):
    results = make_results(20)
    assert plots.causes_of_death(results, style="bmh").get_title("left") == results.title
    assert "causes_of_death" in worth_drawing(results)
    assert "causes_of_death" not in worth_drawing(course_results(20, record="summary"))
    folder = results.save(tmp_path / "run")
    assert {path.name for path in save_figures(results, tmp_path, ["causes_of_death"])} == {
        "causes_of_death.png",
        "causes_of_death.pdf",
    }
    out = CliRunner().invoke(app, ["plot", str(folder), "--figure", "causes_of_death"])
    assert out.exit_code == 0, out.output
    assert (folder / "figures" / "causes_of_death.png").is_file()
    listed = CliRunner().invoke(app, ["plot", "--list"])
    assert listed.exit_code == 0
    assert "causes_of_death" in listed.output
    assert "Patients by cause of death." in " ".join(listed.output.split())
    assert "ax = ms.plots.causes_of_death(run)" in gallery(tmp_path / "gallery", monkeypatch)
    assert any(row[0] == "causes_of_death" for row in listing())
    with pytest.raises(OptionError, match="there is a figure 'causes_of_death' already"):
        plots.register(new_figure)


def test_unknown_figures_are_no_attributes():
    with pytest.raises(AttributeError, match="pie"):
        _ = plots.pie
