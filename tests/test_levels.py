"""What tests found at diagnosis against later relapse: who counts, levels, curves, the figure."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

import metasim as ms
from metasim.results import plots
from metasim.results.levels import distant_by_level, label, levels_of, thirds
from metasim.results.plots.save import worth_drawing
from tests.outcomes_synthetic import course_results

made = cache(lambda: course_results(300))
untested = cache(lambda: course_results(60, richly=False))


def texts_of(ax):
    return " ".join(" ".join(text.get_text().split()) for text in ax.texts)


def by_hand(results, test):
    """Patients without distant metastasis at diagnosis: what was found, years, how they end."""
    frame = results.patients.dropna(subset="diagnosis_day").set_index("patient")
    frame = frame[~(frame["first_distant_day"] <= frame["diagnosis_day"])]
    events = results.events.query(f"event == '{test}'").set_index("patient")["value"]
    last = frame["first_distant_day"].fillna(frame["death_day"]).fillna(frame["end_day"])
    return frame.assign(found=events, years=(last - frame["diagnosis_day"]) / 365.25)


def test_levels_hold_the_patients_who_could_relapse_later():
    results = made()
    for test, cuts in (("ctc", [0, 1, 5]), ("dtc", [0, 1])):
        frame, levels = by_hand(results, test), levels_of(results, [test])
        assert len(frame) < len(results.patients)
        inside = np.histogram(frame["found"], [*cuts, np.inf])[0]
        assert [level.patients for level in levels] == inside.tolist()
        assert min(inside) > 0
        for level, low, high in zip(levels, cuts, [*cuts[1:], np.inf], strict=True):
            mine = frame[(frame["found"] >= low) & (frame["found"] < high)]
            assert level.at_risk(3.0) == (mine["years"] >= 3.0).sum()
            assert level.at_risk(0.0) == len(mine)


def test_shares_are_those_counted_where_nobody_leaves_early():
    results, until = made(), 2.0
    for test, low, high in (("ctc", 0, 1), ("ctc", 1, 5), ("dtc", 1, np.inf)):
        frame = by_hand(results, test)
        mine = frame[(frame["found"] >= low) & (frame["found"] < high)]
        free = mine["first_distant_day"].isna()
        assert (mine.loc[free & mine["death_day"].isna(), "years"] > until).all()
        wanted = (~free & (mine["years"] <= until)).mean()
        table = distant_by_level(results, years=until)
        row = table[(table["test"] == test) & (table["level"] == label(low, high))]
        assert row["share"].item() == pytest.approx(wanted)
        assert row["low"].item() <= wanted <= row["high"].item()
        assert row["followed"].item() == (mine["years"] >= until).sum()


def test_more_is_found_in_those_who_relapse():
    share = distant_by_level(made(), years=10.0).set_index(["test", "level"])["share"]
    for test in ("ctc", "ctdna"):
        assert share[test].is_monotonic_increasing
        assert share[test].iloc[-1] > 2.0 * share[test].iloc[0]


@pytest.mark.parametrize(
    ("found", "cuts"),
    [
        (np.arange(91.0), (1.0, 31.0, 61.0)),
        (np.arange(20.0), (1.0,)),  # too few
        (np.repeat([0.0, 1.0, 2.0], [50, 60, 30]), (1.0, 2.0)),
        (np.repeat([0.0, 4.0], 40), (1.0,)),
        (np.zeros(50), (1.0,)),
    ],
)
def test_thirds_lie_between_numbers(found, cuts):
    assert thirds(found) == cuts
    parts = np.histogram(found[found >= 1.0], [*cuts, np.inf])[0]
    assert len(parts) == 1 or parts.min() > 0


def test_labels_say_the_whole_numbers_of_a_level():
    ends = [(0.0, 1.0), (1.0, 5.0), (1.0, 2.0), (5.0, np.inf)]
    assert [label(*both) for both in ends] == ["none", "1 to 4", "1", "5 or more"]


def test_nothing_is_said_beyond_the_follow_up():
    table = distant_by_level(made(), years=40.0)
    ended = [level.ended for level in levels_of(made())]  # all relapsed or died: it stays so
    assert 0 < sum(ended) < len(ended)
    assert table["share"].notna().tolist() == ended
    assert (table["followed"] == 0).all()


def test_the_figure_has_a_panel_for_each_test_and_numbers_at_risk():
    ax = plots.relapse_by_level(made())
    panels = ax.figure.axes
    assert [panel.get_title("left") for panel in panels] == [
        f"Metastasis by {what}"
        for what in ("circulating tumour cells", "tumour cells in marrow", "circulating tumour DNA")
    ]
    assert len({panel.get_ylim() for panel in panels}) == 1
    assert [len(panel.lines) for panel in panels] == [3, 2, 4]
    looks = [(line.get_color(), line.get_linestyle()) for line in panels[2].lines]
    assert len(set(looks)) == len({colour for colour, _ in looks}) == 4
    assert "none" not in levels_of(course_results(40), ["ctdna"])[0].label
    few = plots.relapse_by_level(course_results(40), test="ctdna")  # nothing found: in no other
    assert [line.get_color() for line in few.lines] == [colour for colour, _ in looks[1:]]
    for level in levels_of(made(), ["ctc"]):
        texts = [text.get_text() for text in panels[0].texts]
        assert f"{level.patients:,}" in texts and level.label in texts
        assert any(text.startswith(f"{level.label}  ") for text in texts)
    alone = plots.relapse_by_level(made(), test="dtc")
    assert len(alone.figure.axes) == 1 and "tumour cells in marrow" in alone.get_title("left")


def test_a_figure_without_tests_says_what_is_missing():
    assert "relapse_by_level" in worth_drawing(made())
    assert "relapse_by_level" not in worth_drawing(untested())
    said = texts_of(plots.relapse_by_level(untested()))
    assert "no test was made at diagnosis; give tests.blood_ml" in said
    assert distant_by_level(untested()).empty
    results = course_results(60, per_patient=0)
    assert "relapse_by_level" not in worth_drawing(results)
    assert "no distant metastasis was seen" in texts_of(plots.relapse_by_level(results))
    with pytest.raises(ms.OptionError, match="test 'ctd'; choose from ctc, dtc, ctdna"):
        plots.relapse_by_level(made(), test="ctd")


def test_tables_of_earlier_versions_hold_no_tests():
    results = untested()
    assert "value" not in results.events
    assert isinstance(distant_by_level(results), pd.DataFrame)
