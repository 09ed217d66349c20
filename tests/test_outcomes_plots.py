"""Figures of outcomes: labelled, legible, honest; and `comparison`."""

from functools import cache

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import metasim as ms
from metasim.errors import OptionError
from metasim.results import plots
from metasim.results.compare import compare
from metasim.results.compare_report import ratio_text
from metasim.results.outcomes import time_to
from metasim.results.phenotypes import composition_over_time
from metasim.results.plots import FIGURES
from metasim.results.plots.save import worth_drawing
from metasim.results.plots.treatments import lanes
from metasim.results.timeline import timeline, treatment_spans
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
    "hazard ratios": lambda ax: plots.hazard_ratios(compared(), ax),
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
    assert {"one", "two"} <= set(texts)  # the rows say whose numbers they are
    assert ax.get_ylim()[0] == 0
    below = ax.figure.axes[1]
    assert below.get_title(loc="left") == "Distant metastasis-free survival"
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


def test_groups_of_the_same_patients_are_counted_once():
    same = plots.survival([plain(), plain()], labels=["one", "two"]).texts[-1].get_text()
    assert "the same in each of 2 runs" in same.replace("\n", " ")
    new = course_results(150, rng_seed=2, first=1000, per_patient=15)
    apart = plots.survival([plain(), new], labels=["one", "two"]).texts[-1].get_text()
    assert "in each of 2 groups" in apart.replace("\n", " ")


def test_per_cent_signs_stay_with_their_number():
    text = plots.survival(plain()).texts[-1].get_text()
    assert "95\N{NO-BREAK SPACE}%" in text


def test_swimmer_names_kinds_of_events_treatments_and_organs():
    ax = plots.swimmer(plain())
    shown = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {"chemotherapy", "endocrine", "bone", "diagnosis", "relapse"} <= set(shown)
    assert {"symptom", "death of cancer", "surgery"} <= set(shown)
    assert len(set(shown)) == len(shown)
    assert len(ax.get_yticklabels()) == 30


def test_swimmer_marks_look_alike_in_every_run_and_lie_apart():
    def looks(results):
        legend = plots.swimmer(results).get_legend()
        keys = zip(legend.get_texts(), legend.legend_handles, strict=True)
        return {t.get_text(): k.get_marker() for t, k in keys if hasattr(k, "get_marker")}

    rich, poor = looks(plain()), looks(course_results(40, richly=False, per_patient=15))
    common = {"diagnosis", "relapse", "surgery", "death of cancer"}
    assert common <= set(rich) & set(poor)
    assert all(rich[kind] == poor[kind] for kind in common)
    ax = plots.swimmer(plain())
    ax.figure.draw_without_rendering()
    points = np.concatenate([ax.transData.transform(line.get_xydata()) for line in ax.lines])
    points *= 72 / ax.figure.dpi
    apart = np.hypot(*(points[:, None] - points[None]).T)
    assert apart[np.triu_indices(len(points), 1)].min() > 3.5


def test_swimmer_tells_deaths_apart_and_treatments_given_once():
    plan = {"run.patients": 60, "run.undiagnosed_years": 8.0}
    plan |= {"clinic.age_years": 75.0, "clinic.other_death_per_year": 3e-5}
    results = ms.run(ms.load("palliative").replace(plan), progress=False)
    once = results.events["treatment"] == "radiotherapy"
    assert once.any()
    spans = treatment_spans(timeline(results))
    assert set(spans["name"]) == {"cdk46_inhibitor"}
    ax = plots.swimmer(results, patients=60)
    shown = {text.get_text() for text in ax.get_legend().get_texts()}
    assert {"radiotherapy", "death of cancer", "death of other causes"} <= shown
    marks = sum(len(line.get_xdata()) for line in ax.lines if line.get_marker() == "d")
    assert marks == once.sum()


def test_treatments_share_a_lane_unless_they_overlap():
    rows = [(0, "a", 0.0, 1.0), (0, "b", 1.0, 2.0), (1, "c", 0.0, 3.0), (1, "b", 2.0, 4.0)]
    spans = pd.DataFrame(rows, columns=["patient", "name", "years", "until"])
    assert lanes(spans) == {"a": 0, "b": 0, "c": 1}


def test_swimmer_marks_every_cycle():
    plan = {"run.patients": 12, "run.years": 3.0, "run.undiagnosed_years": 8.0}
    results = ms.run(ms.load("chemotherapy").replace(plan), progress=False)
    given = results.events[results.events["treatment"] == "chemotherapy"]
    cycles = given["event"].isin(["treatment_start", "cycle"]).sum()
    assert cycles > 12
    marks = sum(len(lines.get_segments()) for lines in plots.swimmer(results).collections)
    assert marks == cycles


def test_phenotypes_over_time_or_else_at_the_end():
    over_time = plots.phenotypes(mixed())
    assert over_time.get_xlabel() == "years since diagnosis"
    assert over_time.get_xlim()[0] == 0
    table = composition_over_time(mixed())
    assert f"{table.query('years < 1')['patient'].nunique()}" in [
        text.get_text() for text in over_time.texts
    ]
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


def test_comparison_shows_bars_differences_and_hazard_ratios():
    ax = plots.comparison(compared())
    _, forest, numbers, beside = ax.figure.axes
    table = compared().differences.query("measure == 'share'")
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == pytest.approx([*100 * table["first"], *100 * table["other"]])
    assert ax.get_yticklabels()[-1].get_text() == "Death"
    points = beside.lines[0].get_xdata()
    assert points == pytest.approx(100 * table["difference"])
    ratios = compared().ratios
    assert forest.get_xscale() == "log"
    assert len(forest.get_yticks()) == len(ratios)
    told = ratios[ratios["hazard_low"].notna()]
    drawn = [line.get_xdata()[0] for line in forest.lines if line.get_marker() == "o"]
    assert drawn == pytest.approx([*told["hazard_ratio"]])
    assert ratio_text(ratios.iloc[-1]) in [text.get_text() for text in numbers.texts]


def test_only_figures_with_something_to_show_are_worth_drawing():
    new = {"survival", "hazard", "relapse_by_level", "swimmer", "phenotypes"}
    assert new < set(FIGURES)
    assert new & set(worth_drawing(plain())) == new - {"phenotypes"}
    assert new < set(worth_drawing(mixed()))
    assert not new & set(worth_drawing(empty()))
    patients = course_results(60, record="patients")
    assert set(worth_drawing(patients)) == {"organ_counts", "body", *new} - {"phenotypes"}
    assert worth_drawing(course_results(60, record="summary")) == ["organ_counts", "body"]
