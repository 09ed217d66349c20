"""Figures of outcomes: labelled, legible, honest; and `comparison`."""

from functools import cache

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import metasim as ms
from metasim.errors import OptionError
from metasim.results import plots
from metasim.results.compare import compare
from metasim.results.outcomes import time_to
from metasim.results.plots.save import FIGURES, worth_drawing
from tests.outcomes_synthetic import course_results

plain = cache(lambda: course_results(150))
mixed = cache(lambda: course_results(100, phenotypes=True))
other = cache(lambda: course_results(150, first=1000, title="Other patients", per_patient=15))
empty = cache(lambda: course_results(20, per_patient=0, richly=False))
compared = cache(lambda: compare([plain(), other()], ["one", "two"]))

DRAWINGS = {
    "survival": lambda ax: plots.survival(plain(), ax),
    "survival of two": lambda ax: plots.survival([plain(), other()], ax),
    "hazard": lambda ax: plots.hazard(plain(), ax),
    "hazard of two": lambda ax: plots.hazard([plain(), other()], ax, outcome="recurrence"),
    "hazard in bone": lambda ax: plots.hazard(plain(), ax, outcome="recurrence", organ="bone"),
    "swimmer": lambda ax: plots.swimmer(plain(), ax),
    "phenotypes": lambda ax: plots.phenotypes(mixed(), ax),
    "comparison": lambda ax: plots.comparison(compared(), ax),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_figures_are_labelled_legible_and_leave_no_trace(name):
    before = dict(matplotlib.rcParams)
    ax = DRAWINGS[name](None)
    assert not plt.get_fignums()
    assert dict(matplotlib.rcParams) == before
    assert ax.get_title(loc="left")
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert min(t.get_fontsize() for t in [*ax.texts, *ax.get_xticklabels()]) >= 11
    figure = ax.figure
    figure.set_dpi(60)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    for text in [*ax.texts, ax.xaxis.label, ax.yaxis.label]:
        box = matplotlib.text.Text.get_window_extent(text, renderer)
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1 + 1, text


@pytest.mark.parametrize("name", DRAWINGS)
def test_figures_draw_into_given_axes(name):
    figure, ax = plt.subplots()
    assert DRAWINGS[name](ax) is ax
    assert ax.has_data()
    plt.close(figure)


def test_survival_shows_numbers_at_risk_of_each_group():
    ax = plots.survival([plain(), other()], labels=["one", "two"])
    texts = [text.get_text() for text in ax.texts]
    for results in (plain(), other()):
        years = time_to(results, "death")["years"]
        for tick in (0, 6):
            assert f"{(years >= tick - 1e-9).sum():,}" in texts
    assert any(text.startswith("one") for text in texts)
    assert ax.get_ylim()[0] == 0
    with pytest.raises(OptionError, match="2 results with 1 labels"):
        plots.survival([plain(), other()], labels=["one"])


def test_hazard_is_events_over_years_at_risk():
    ax = plots.hazard(plain())
    values, edges, _ = ax.patches[0].get_data()
    time = time_to(plain(), "distant")
    inside = (time["cause"] == 1) & (time["years"] > edges[1]) & (time["years"] <= edges[2])
    at_risk = (np.clip(time["years"], edges[1], edges[2]) - edges[1]).sum()
    assert values[1] == pytest.approx(100 * inside.sum() / at_risk)
    assert values[1] > 0
    assert ax.get_ylabel() == "events per 100 patients a year"


def test_swimmer_names_treatments_symptoms_and_death():
    ax = plots.swimmer(plain())
    shown = {text.get_text() for text in ax.get_legend().get_texts()}
    assert {"chemotherapy", "endocrine", "bone pain", "relapse: bone", "death"} <= shown
    assert "treatment start" not in shown
    assert len(ax.get_yticklabels()) == 30


def test_swimmer_marks_every_cycle():
    plan = {"run.patients": 12, "run.years": 3.0, "run.undiagnosed_years": 8.0}
    results = ms.run(ms.load("chemotherapy").replace(plan), progress=False)
    given = results.events[results.events["treatment"] == "chemotherapy"]
    cycles = given["event"].isin(["treatment_start", "cycle"]).sum()
    assert cycles > 12
    marks = sum(len(lines.get_segments()) for lines in plots.swimmer(results).collections)
    assert marks == cycles


def test_phenotypes_over_time_or_else_at_the_end():
    assert plots.phenotypes(mixed()).get_xlabel() == "years since diagnosis"
    ax = plots.phenotypes(course_results(60, phenotypes=True, by_day=False))
    assert "metastasis" in ax.get_xlabel()
    widths = np.array([bar.get_width() for bar in ax.patches]).reshape(2, -1)
    assert widths.sum(axis=0) == pytest.approx(100)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "resistant\n(resists chemotherapy)" in labels


def test_nothing_to_show_is_said():
    assert "no distant metastasis" in plots.hazard(empty()).texts[0].get_text()
    text = plots.phenotypes(plain()).texts[0].get_text().replace("\n", " ")
    assert "one phenotype" in text
    undiagnosed = course_results(20, diagnosed=False, richly=False)
    for draw in (plots.survival, plots.swimmer):
        text = draw(undiagnosed).texts[0].get_text().replace("\n", " ").lower()
        assert "no patient" in text


def test_comparison_shows_bars_and_differences():
    ax = plots.comparison(compared())
    beside = next(axes for axes in ax.figure.axes if axes is not ax)
    table = compared().differences.query("measure == 'share' and organ != 'death'")
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == pytest.approx([*100 * table["first"], *100 * table["other"]])
    points = beside.lines[0].get_xdata()
    assert points == pytest.approx(100 * table["difference"])


def test_only_figures_with_something_to_show_are_worth_drawing():
    new = {"survival", "hazard", "swimmer", "phenotypes"}
    assert new < set(FIGURES)
    assert new & set(worth_drawing(plain())) == new - {"phenotypes"}
    assert new < set(worth_drawing(mixed()))
    assert not new & set(worth_drawing(empty()))
    patients = course_results(60, record="patients")
    assert set(worth_drawing(patients)) == {"organ_counts", "body", *new} - {"phenotypes"}
    assert worth_drawing(course_results(60, record="summary")) == ["organ_counts", "body"]
