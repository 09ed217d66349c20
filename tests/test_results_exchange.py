"""Results in other tools: xarray, notebooks, DuckDB; the documented lines run as they stand."""

import contextlib
import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import metasim as ms
from metasim.errors import OptionError, ResultsError
from tests.outcomes_synthetic import course_results
from tests.synthetic import make_results

HOWTO = Path(__file__).parents[1] / "docs" / "howto" / "duckdb_r.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("exchange")
    ms.run(
        ms.load("luminal_a_surgery").replace({"run.patients": 30, "run.years": 8.0}),
        output=home / "results" / "luminal_a",
        progress=False,
    )
    return home


def test_xarray_holds_the_numbers_of_the_tables():
    results = course_results(30, phenotypes=True)
    cube = results.to_xarray()
    assert dict(cube.sizes) == {"patient": 30, "organ": 7, "counted": 4, "day": cube.sizes["day"]}
    seen = results.metastases.dropna(subset="detected_day")
    ours = cube.metastases.sel(counted="detected", organ="bone")
    theirs = seen[seen["organ"] == "bone"].groupby("patient").size()
    assert ours.to_series()[theirs.index].tolist() == theirs.tolist()
    assert ours.sum() == theirs.sum()
    first = seen[seen["organ"] == "bone"].groupby("patient")["detected_day"].min()
    assert (
        cube.first_day.sel(counted="detected", organ="bone")
        .to_series()
        .dropna()
        .equals(first.rename("first_day"))
    )
    counts = results.counts.set_index(["patient", "day", "organ"])["cells"]
    row = counts.index[len(counts) // 2]
    there = cube.cells_of_organ.sel(patient=row[0], day=row[1], organ=row[2])
    assert float(there) == counts[row]
    assert there.attrs["units"] == "cells"
    assert int(cube.cells_of_organ.notnull().sum()) == len(counts)
    assert {"cells_resistant", "death_day", "growth.rho_per_day"} <= set(cube)
    assert cube.death_day.attrs["units"] == "days since day 0"


def test_xarray_takes_what_was_recorded_and_says_what_is_missing(monkeypatch):
    assert set(make_results(10, record="metastases").to_xarray().dims) == {
        "patient",
        "organ",
        "counted",
    }
    assert "metastases" not in make_results(10, record="patients").to_xarray()
    with pytest.raises(ResultsError, match="--record patients"):
        make_results(10, record="summary").to_xarray()
    monkeypatch.setattr("metasim.results.exchange._MOST_NUMBERS", 100)
    with pytest.raises(ResultsError, match="take fewer patients"):
        make_results(10).to_xarray()
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(OptionError, match="pip install xarray"):
        make_results(10).to_xarray()


def test_notebooks_show_the_summary_and_text_as_text():
    results = course_results(40, title="<b>$5</b> & more")
    page = results._repr_html_()
    assert "&lt;b&gt;$5&lt;/b&gt; &amp; more" in page
    row = results.summary.set_index("organ").loc["bone"]
    assert f"{100 * row['share_with']:.1f} (" in page
    assert page.count("<tr>") == 1 + len(results.summary)
    assert "nan" not in page
    nobody = course_results(5, diagnosed=False, richly=False)
    assert "nan" not in nobody._repr_html_()


def test_documented_lines_run(folder, monkeypatch):
    monkeypatch.chdir(folder)
    blocks = re.findall(r"```python\n(.*?)```", HOWTO.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    names: dict = {}
    for block in blocks:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(block, names)
    survival = names["survival"]
    patients = ms.open_results("results/luminal_a").patients.dropna(subset="diagnosis_day")
    assert len(survival) == len(patients)
    assert survival["died"].sum() == patients["death_day"].notna().sum()
    assert np.isfinite(survival["years"]).all()
