"""The summary table against brute force, and from every recording level."""

from io import StringIO

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from metasim.errors import OptionError
from metasim.results import MemoryWriter, render, summarise
from metasim.results.parts import Span
from metasim.results.tally import ANY_DISTANT, CLASSES, merge, tally
from metasim.terms import DAYS_PER_MONTH
from tests.synthetic import ORGANS, make_results, make_tables, scenario_toml


@pytest.fixture(scope="module")
def results():
    return make_results(400)


def text(summary) -> str:
    console = Console(width=130, record=True, file=StringIO())
    console.print(render(summary))
    return console.export_text()


@pytest.mark.parametrize("counted", CLASSES)
def test_summary_is_what_brute_force_counts(results, counted):
    summary = summarise(results, counted).set_index("organ")
    diagnosed = results.patients.dropna(subset="diagnosis_day").set_index("patient")
    found = results.metastases.dropna(subset=f"{counted}_day")
    found = found[found["patient"].isin(diagnosed.index)]
    since = found[f"{counted}_day"] - found["patient"].map(diagnosed["diagnosis_day"])
    for organ in [*ORGANS, ANY_DISTANT]:
        members = [organ] if organ in ORGANS else ["lung", "liver", "bone", "brain", "other"]
        here = found["organ"].isin(members)
        per_patient = found[here].groupby("patient").size()
        first = since[here].groupby(found["patient"][here]).min() / DAYS_PER_MONTH
        row = summary.loc[organ]
        assert row["share_with"] == pytest.approx(len(per_patient) / len(diagnosed))
        assert row["metastases_per_patient"] == pytest.approx(per_patient.sum() / len(diagnosed))
        assert row["first_median_months"] == pytest.approx(first.median())
        assert row["first_q3_months"] == pytest.approx(first.quantile(0.75))
        assert row["share_low"] < row["share_with"] < row["share_high"]
        assert row["metastases_low"] < row["metastases_per_patient"] < row["metastases_high"]


def test_never_diagnosed_patients_are_left_out_and_counted(results):
    about = results.summary.attrs
    assert about["left_out"] == results.patients["diagnosis_day"].isna().sum() > 0
    assert about["patients"] + about["left_out"] == 400
    assert f"{about['left_out']} never diagnosed are left out" in text(results.summary)


def test_from_day_zero_everybody_counts():
    results = make_results(100, follow_from="start")
    assert results.summary.attrs["patients"] == 100
    first = results.metastases.groupby("patient")["founded_day"].min().median()
    months = summarise(results, "founded")["first_median_months"]
    assert (months >= first / DAYS_PER_MONTH).all()
    assert "months since the start" in text(results.summary)


def test_every_level_and_chunking_gives_the_same_summary():
    wholes = [
        make_results(100, record=level).summary
        for level in ("summary", "patients", "metastases", "everything")
    ]
    for other in wholes[1:]:
        pd.testing.assert_frame_equal(wholes[0], other)
    tables, scenario = make_tables(0, 100), make_results(100).scenario
    split = []
    for start, stop in ((60, 100), (0, 60)):
        mine = {}
        for name in ("metastases", "patients"):
            number = tables[name]["patient"].to_numpy()
            mine[name] = tables[name].filter((number >= start) & (number < stop))
        split.append(tally(mine["metastases"], mine["patients"], scenario))
    whole = tally(tables["metastases"], tables["patients"], scenario)
    assert merge(split).equals(merge([whole]))


def test_auto_takes_the_highest_class_that_one_percent_reach():
    def with_reached(day_column: str, patients: int):
        tables = make_tables(0, 200, per_patient=5)
        frame = tables["metastases"].to_pandas()
        frame[["micro_day", "macro_day", "detected_day"]] = np.nan
        first = frame.groupby("patient").head(1).index[:patients]
        frame.loc[first, day_column] = frame.loc[first, "founded_day"]
        writer = MemoryWriter(scenario_toml(200, follow_from="start"), record="summary")
        metastases = type(tables["metastases"]).from_pandas(frame, preserve_index=False)
        packed = writer.pack({**tables, "metastases": metastases})
        writer.write_chunk(Span(0, 200), packed)
        return writer.finish({}).summary.attrs["counted"]

    assert with_reached("detected_day", 60) == "detected"
    assert with_reached("macro_day", 60) == "macro"
    assert with_reached("detected_day", 1) == "founded"


def test_organs_keep_their_order_local_last_then_any_distant(results):
    organs = results.summary["organ"].tolist()
    assert organs == [*list(ORGANS)[1:], "breast", ANY_DISTANT]
    printed = text(results.summary)
    assert "breast (local)" in printed
    assert "metastases seen by imaging" in printed
    assert "months since diagnosis" in printed
    assert printed.index("breast (local)") < printed.index(ANY_DISTANT)


def test_no_metastasis_at_all_is_a_table_of_zeros():
    summary = make_results(50, per_patient=0).summary
    assert summary.attrs["counted"] == "founded"
    assert not summary["share_with"].any()
    assert (summary["share_high"] > 0.05).all()
    assert (summary["metastases_high"] > 0.05).all()
    assert summary["first_median_months"].isna().all()
    assert "0.0 % (0.0-" in text(summary)


def test_nobody_diagnosed_is_said_and_not_counted():
    summary = make_results(20, diagnosed=False).summary
    assert (summary.attrs["patients"], summary.attrs["left_out"]) == (0, 20)
    assert summary["share_with"].isna().all()
    assert "0 patients" in text(summary)
    assert "20 never diagnosed" in text(summary)


def test_unknown_class_is_refused(results):
    with pytest.raises(OptionError, match="counted = 'big'; choose from auto, founded"):
        summarise(results, "big")
