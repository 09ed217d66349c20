"""Figures: labelled, legible, honest, reproducible; and they leave no trace in matplotlib."""

from functools import cache

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from metasim.errors import OptionError, ResultsError
from metasim.results import plots
from metasim.results.outcomes import incidence_by_organ
from metasim.results.plots.body import flows
from metasim.results.plots.colonies import known_sizes
from metasim.results.plots.course import LEGIBLE, telling_patient
from metasim.results.plots.funnel import cells_per_stage
from metasim.results.plots.outline import body_outline
from metasim.results.plots.save import worth_drawing
from metasim.results.plots.style import STYLE, power_of_ten, spread
from metasim.results.plots.tree import select_metastases, tree_rows
from metasim.terms import Tally
from tests.synthetic import FINE, ORGANS, make_results

CASES = {
    "seven organs": cache(lambda: make_results(150)),
    "twenty organs": cache(lambda: make_results(60, {**ORGANS, **FINE})),
    "one organ": lambda: make_results(30, {"breast": ORGANS["breast"]}, follow_from="start"),
    "hundreds of metastases": lambda: make_results(10, per_patient=800),
    "no metastasis": lambda: make_results(20, per_patient=0),
    "nobody diagnosed": lambda: make_results(20, diagnosed=False),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return request.param, CASES[request.param]()


@pytest.fixture(scope="module")
def results():
    return CASES["seven organs"]()


@pytest.mark.parametrize("name", plots.FIGURES)
def test_figures_are_labelled_and_leave_no_trace(case, name):
    which, results = case
    before = dict(matplotlib.rcParams)
    ax = getattr(plots, name)(results)
    assert not plt.get_fignums()
    assert dict(matplotlib.rcParams) == before
    assert ax.get_title(loc="left")
    if ax.axison:
        assert ax.get_xlabel()
        assert ax.get_ylabel()
        assert min(t.get_fontsize() for t in [*ax.texts, *ax.get_xticklabels()]) >= 11
    elif name != "body":
        assert which in ("no metastasis", "nobody diagnosed") or name not in worth_drawing(results)
        assert any("no " in text.get_text().replace("\n", " ") for text in ax.texts)


@pytest.mark.parametrize("name", plots.FIGURES)
def test_figures_draw_into_given_axes(results, name):
    figure, ax = plt.subplots()
    assert getattr(plots, name)(results, ax) is ax
    assert ax.has_data() or ax.patches or name not in worth_drawing(results)
    plt.close(figure)


def test_axes_carry_their_units(results):
    assert "per patient" in plots.organ_counts(results).get_xlabel()
    incidence = plots.incidence(results)
    assert incidence.get_xlabel() == "years since diagnosis"
    assert "%" in incidence.get_ylabel()
    assert plots.funnel(results).get_xlabel() == "cells entering the stage (per patient)"
    assert plots.colonies(results).get_ylabel() == "tumour cells"
    assert plots.seeding_tree(results).get_xlabel() == "years since diagnosis"


@pytest.mark.parametrize("name", ["incidence", "body", "organ_counts"])
@pytest.mark.parametrize("case", ["seven organs", "twenty organs"])
def test_organ_labels_do_not_overlap_and_lie_within_the_figure(case, name):
    results = CASES[case]()
    ax = getattr(plots, name)(results)
    figure = ax.figure
    figure.set_dpi(100)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    labels = [results.label(organ) for organ in results.organs]
    named = [*ax.get_yticklabels()] if name == "organ_counts" else ax.texts
    boxes = [
        matplotlib.text.Text.get_window_extent(text, renderer)
        for text in named
        if any(text.get_text().startswith(label) for label in labels)
    ]
    assert len(boxes) == len(labels)
    for k, box in enumerate(boxes):
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert not any(box.shrunk(1, 0.95).overlaps(other) for other in boxes[k + 1 :])


def test_counted_metastases_can_be_chosen(results):
    assert "ever founded" in plots.organ_counts(results, counted="founded").texts[-1].get_text()
    widths = [
        sum(bar.get_width() for bar in plots.organ_counts(results, counted=counted).patches)
        for counted in ("detected", "macro", "micro", "founded")
    ]
    assert widths == sorted(widths)


def test_incidence_without_censoring_is_the_plain_share(results):
    curves, followed = incidence_by_organ(results, ["bone"], "founded")
    diagnosed = results.patients.dropna(subset="diagnosis_day")["patient"]
    bone = results.metastases.query("organ == 'bone' and patient in @diagnosed")
    assert len(followed) == len(diagnosed)
    # All are founded before diagnosis here, so nobody is censored or dead before.
    assert curves["bone"].share[-1] == pytest.approx(bone["patient"].nunique() / len(diagnosed))


def test_funnel_counts_cells_of_all_patients_and_organs():
    rows = [
        # patient, day, organ, stage, cells, entered, left, died, removed, net_growth
        (0, 100.0, "breast", "primary_growth", 50, 0, 30, 0, 0, 79),
        (0, 200.0, "breast", "primary_growth", 0, 0, 20, 0, 40, 10),
        (1, 100.0, "breast", "primary_growth", 7, 0, 3, 0, 0, 9),
        (0, 100.0, "breast", "invasion", 0, 30, 30, 10, 0, 0),
        (0, 200.0, "breast", "invasion", 0, 20, 20, 10, 0, 0),
        (1, 100.0, "bone", "arrest", 0, 5, 5, 1, 0, 0),
    ]
    names = ["patient", "day", "organ", "stage", *(tally.name.lower() for tally in Tally)]
    entered = cells_per_stage(pd.DataFrame(rows, columns=names))
    assert entered.tolist() == [30 + 20 + 40 + 3 + 7, 50, 0, 5, 0, 0, 0]


def test_flow_is_conserved_at_every_node(results):
    vessels = results.scenario["vessels"]["blood"]
    flow = flows(vessels)
    for node in vessels:
        into = sum(value for (_, end), value in flow.items() if end == node)
        out = sum(value for (start, _), value in flow.items() if start == node)
        assert into == pytest.approx(out, abs=1e-12)
    assert flow["veins", "lung"] == pytest.approx(1)
    assert flow["arteries", "brain"] == pytest.approx(vessels["arteries"]["brain"])
    assert flows({}) == {}


def test_outline_is_a_closed_symmetric_body():
    path = body_outline()
    corners = path.interpolated(1).vertices
    assert corners[:, 0].min() == -corners[:, 0].max()
    assert (corners[:, 1].min(), corners[:, 1].max()) == pytest.approx((0, 1), abs=0.005)
    inside = [(x, y) for _, _, _, x, y in ORGANS.values()]
    assert path.contains_points(inside).all()
    assert not path.contains_points([(0.3, 0.5), (0.0, 0.2), (0.1, 0.95)]).any()


def test_colonies_name_thresholds_and_treatments(results):
    ax = plots.colonies(results)
    texts = {text.get_text() for text in ax.texts}
    assert {"micrometastasis", "macrometastasis", "seen by imaging", "diagnosis"} <= texts
    assert "surgery" in {text.get_text() for text in ax.get_legend().get_texts()}


def test_incidence_marks_its_lines_with_intervals(results):
    ax = plots.incidence(results, organs=["bone", "lung"])
    curves, _ = incidence_by_organ(results, ["bone", "lung"], "detected")
    bars = [bar for bar in ax.containers if len(bar.lines[0].get_xdata())]
    assert len(bars) == 2
    for bar, curve in zip(bars, curves.values(), strict=True):
        time, share = bar.lines[0].get_data()
        at = np.searchsorted(curve.time, time, side="right") - 1
        assert share == pytest.approx(100 * curve.share[at])


def test_the_patient_drawn_is_the_one_with_the_most_to_see_that_is_legible(results):
    detected = results.metastases.dropna(subset="detected_day").groupby("patient", observed=True)
    organs, founded = detected["organ"].nunique(), results.metastases.groupby("patient").size()
    legible = organs[founded[organs.index] <= LEGIBLE]
    mine = telling_patient(results)
    assert legible[mine] == legible.max() >= 2
    assert detected.size()[mine] == detected.size()[legible[legible == legible.max()].index].max()
    with pytest.raises(OptionError, match="no patient 4000; patients are 0 to 149"):
        plots.colonies(results, patient=4000)


def test_known_sizes_run_through_the_thresholds_in_time():
    row = {"micro_day": 10.0, "macro_day": 50.0, "detected_day": np.nan, "extinct_day": np.nan}
    day, cells = known_sizes({**row, "cells": 10_000_000}, 5e8, 90.0)
    assert day.tolist() == [10, 50, 90]
    assert cells.tolist() == [200, 4_200_000, 10_000_000]


def test_tree_places_children_below_parents_and_links_cross_no_older_line():
    results = CASES["hundreds of metastases"]()
    every = results.metastases.query("patient == 0").set_index("metastasis")
    kept, words = select_metastases(every)
    assert len(every) > 100 > len(kept) > 0
    assert "shown: the" in words
    assert kept["parent"][kept["parent"] != 0].isin(kept.index).all()
    rows = tree_rows(kept["parent"])
    assert sorted(rows.values()) == list(range(len(kept) + 1))
    for number, parent, born in zip(kept.index, kept["parent"], kept["founded_day"], strict=True):
        assert rows[number] > rows[parent]
        between = [k for k in kept.index if rows[parent] < rows[k] < rows[number]]
        assert (kept.loc[between, "founded_day"] >= born).all()


@given(st.lists(st.floats(-10, 110), max_size=30), st.floats(0.1, 20))
def test_spread_keeps_order_distance_and_bounds(wanted, gap):
    wanted = np.array(wanted)
    placed = spread(wanted, gap, 0.0, 100.0)
    assert ((placed >= -1e-9) & (placed <= 100 + 1e-9)).all()
    order = np.argsort(wanted, kind="stable")
    fitting = min(gap, 100 / max(len(wanted) - 1, 1))
    assert (np.diff(placed[order]) >= fitting - 1e-9).all()


def test_spread_moves_nothing_that_is_apart():
    wanted = np.array([50.0, 10.0, 90.0])
    assert spread(wanted, 5.0, 0.0, 100.0).tolist() == wanted.tolist()
    assert spread(np.array([50.0, 50.0]), 10.0, 0.0, 100.0).tolist() == [45.0, 55.0]


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (0.6, "0.6"),
        (36.4, "36"),
        (3286, "3,300"),
        (9_960, r"$1\times 10^{4}$"),
        (3.94e11, r"$3.9\times 10^{11}$"),
    ],
)
def test_numbers_read_well(value, label):
    assert power_of_ten(value) == label


def test_saved_figures_are_the_same_bytes_each_time(results, tmp_path, monkeypatch):
    monkeypatch.setitem(STYLE, "pdf.fonttype", 42)
    names = ["organ_counts", "colonies", "body"]
    once, again = (plots.save_figures(results, tmp_path / folder, names) for folder in "ab")
    assert [path.name for path in once] == [f"{n}.{e}" for n in names for e in ("png", "pdf")]
    for path in again:
        assert path.read_bytes() == (once[0].parent / path.name).read_bytes()
    width, _ = plt.imread(once[0]).shape[1::-1]
    assert width == 1500  # 7.5 inches at 200 dpi
    for path in once[1::2]:  # text can be edited and searched: fonts, no outlines of letters
        assert b"/CIDFontType2" in path.read_bytes() and b"/Type3" not in path.read_bytes()


def test_saving_says_what_cannot_be_drawn(tmp_path):
    few = make_results(20, record="patients")
    written = plots.save_figures(few, tmp_path)
    assert {path.stem for path in written} == {"organ_counts", "body", "survival", "hazard"}
    with pytest.raises(ResultsError, match="--record everything"):
        plots.save_figures(few, tmp_path, ["funnel"])
    with pytest.raises(OptionError, match="no figure 'pie'; choose from organ_counts"):
        plots.save_figures(few, tmp_path, ["pie"])
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="file"):
        plots.save_figures(few, tmp_path / "file")
