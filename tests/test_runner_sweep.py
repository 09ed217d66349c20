"""Sweeps and sensitivity: each point is a run, a mistake is one message."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import metasim as ms
from metasim.cli import app
from metasim.errors import LimitError, OptionError, ResultsError, RunInterrupted, ScenarioError
from metasim.results import plots
from metasim.results.plots.sweep import save_sweep_figures
from metasim.results.sensitivity import chance, stands_out
from metasim.runner.design import Range, design, parse
from metasim.runner.patients import Cohort
from metasim.runner.progress import Reporter
from metasim.runner.sensitivity import _indices, _pairs, _sample, soil_ranges
from tests import faults

BASE = ms.load("luminal_a_surgery", {"run.patients": 60})
VARY = {"soil.bone.niche": (0.0, 1.0, 0.5)}
QUIET = {"progress": False, "executor": "serial"}


def test_each_point_is_the_run_of_its_scenario():
    done = ms.sweep(BASE, VARY, **QUIET)
    assert done.table["soil.bone.niche"].unique().tolist() == [0.0, 0.5, 1.0]
    for point, niche in enumerate([0.0, 0.5, 1.0]):
        alone = ms.run(BASE.replace({"soil.bone.niche": niche}), **QUIET)
        for counted in ("founded", "detected"):
            want = ms.summarise(alone, counted).set_index("organ")
            rows = done.rows(counted)
            got = rows[rows["point"] == point].set_index("organ").loc[want.index]
            for column in ("share_with", "share_low", "share_high", "metastases_per_patient",
                           "metastases_low", "metastases_high"):  # fmt: skip
                np.testing.assert_allclose(got[column], want[column], rtol=1e-12)
            assert (got["patients"] == want_patients(alone)).all()


def want_patients(results) -> int:
    return results.summary.attrs["patients"]


def test_sweep_is_the_same_on_workers_in_other_chunks_and_resumed(tmp_path, monkeypatch):
    ms.sweep(BASE, VARY, output=tmp_path / "a", **QUIET)
    whole = faults.tables(tmp_path / "a")
    assert set(whole) == {"sweep.parquet", "sweep.csv", "failures.parquet", "scenario.toml"}
    ms.sweep(BASE, VARY, output=tmp_path / "b", workers=2, chunk=25, progress=False)
    assert faults.tables(tmp_path / "b") == whole
    calls = []

    def stop(report: Reporter) -> None:
        calls.append(report.done)
        if len(calls) == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "say", stop)
        with pytest.raises(RunInterrupted, match="of 180 patients; they are kept"):
            ms.sweep(BASE, VARY, output=tmp_path / "c", chunk=17, **QUIET)
    asked = {"output": tmp_path / "c", "resume": True, **QUIET}
    plan = design(BASE, [Range("soil.bone.niche", 0.0, 1.0, 0.5)])
    for vary, options, message in [
        ({"soil.bone.niche": (0.0, 1.0, 0.25)}, {},
         "in 1 key: --vary soil.bone.niche was '0:1:0.5', is '0:1:0.25'$"),
        ({"soil.bone.niche": (0.0, 1.0)}, {"sampler": "lhs", "points": 4},
         "in 3 keys: --design was 'grid', is 'lhs'; --points was 'unset', is '4'; --vary soil"),
        (replace(plan, values=plan.values * (1 - 1e-15)), {}, "in 1 key: values$"),
    ]:  # fmt: skip
        with pytest.raises(ResultsError, match=f"cannot resume, the stopped run differs {message}"):
            ms.sweep(BASE, vary, **options, **asked)
    ms.sweep(BASE, VARY, output=tmp_path / "c", resume=True, chunk=40, **QUIET)
    assert faults.tables(tmp_path / "c") == whole
    before = (tmp_path / "c" / "provenance.json").read_bytes()
    ms.sweep(BASE, VARY, **asked)  # is finished
    assert (tmp_path / "c" / "provenance.json").read_bytes() == before
    with pytest.raises(ResultsError, match="exists, of a finished run that differs in 1 key: --va"):
        ms.sweep(BASE, {"soil.bone.niche": (0.0, 1.0, 1.0)}, **asked)
    table = ms.open_sweep(tmp_path / "c").table
    csv = pd.read_csv(tmp_path / "c" / "sweep.csv")
    pd.testing.assert_frame_equal(csv, table, check_dtype=False)


def test_failures_name_their_point():
    done = ms.sweep(BASE.replace({"run.patients": 20}), {"run.max_colonies": (12, 60, 48)}, **QUIET)
    assert set(done.failures["point"]) >= {0}
    by_point = done.failures.groupby("point").size()
    assert by_point[0] > by_point.get(1, 0)
    assert set(done.table["run.max_colonies"]) <= {12.0, 60.0}


def test_command_says_that_patients_failed_and_ends_with_3(tmp_path):
    words = [
        "sweep",
        "luminal_a_surgery",
        "--patients",
        "20",
        "--vary",
        "run.max_colonies=12:60:48",
    ]
    words += ["--no-figures", "--quiet", "--output", str(tmp_path / "a")]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 3
    failures = len(ms.open_sweep(tmp_path / "a").failures)
    assert f"metasim: {failures} patients failed and are left out" in ended.stderr


@pytest.mark.parametrize(
    ("vary", "options", "message"),
    [
        ("soil.bone.niche", {}, "expected KEY=LOW:HIGH:STEP"),
        ("soil.bone.niche=0:a:1", {}, "expected KEY=LOW:HIGH:STEP"),
        ("soil.bone.niche=0:nan:1", {}, "expected KEY=LOW:HIGH:STEP"),
        ("soil.bone.niche=1:0:0.1", {}, "the range is empty"),
        ("soil.bone.niche=0:1:0", {}, "the range is empty"),
        ("soil.bone.niche=0:1", {}, "a grid needs a step"),
        ("soil.bone.label=0:1:1", {}, "it is text, not a number"),
        ("soil.bone=0:1:1", {}, "it is a table, not a number"),
        ("run.patients=10:20:5", {}, "every point has the same patients"),
        ("run.max_colonies=10:20:2.5", {}, "whole numbers only"),
        ("soil.bone.niche=0:1:1e-7", {}, "10,000,001 points are more than 1,000,000; --yes"),
        ("soil.bone.niche=0:1", {"sampler": "lhs"}, "--design lhs needs --points"),
        ("soil.bone.niche=0:1:1", {"points": 3}, "a grid has the points"),
        ("soil.bone.niche=0:1:0.3", {}, "ends at 0.9, not at 1; ask for 0:0.9:0.3, or for a step"),
        ("soil.bone.niche=0:1:5", {}, "ends at 0, not at 1; ask for a smaller step"),
        ("soil.bone.niche=0:1", {"sampler": "sobol", "points": 33}, "power of 2, such as 32 or 64"),
        ("soil.bone.niche=0:1:1", {"sampler": "random"}, "--design random: unknown"),
    ],
)
def test_range_that_is_not_allowed_is_one_message(vary, options, message):
    with pytest.raises(OptionError, match=message):
        design(BASE, [parse(vary)], **options)


def test_nothing_unknown_or_impossible_varies(monkeypatch):
    with pytest.raises(OptionError, match="nothing would vary"):
        design(BASE, [])
    with pytest.raises(OptionError, match="given twice"):
        design(BASE, [Range("soil.bone.niche", 0, 1, 1)] * 2)
    with pytest.raises(ScenarioError, match=r"soil\.bone\.nich.*niche"):
        design(BASE, [Range("soil.bone.nich", 0, 1, 1)])
    with pytest.raises(ScenarioError, match=r"--vary soil\.bone\.niche.*from 0 to 1"):
        design(BASE, [Range("soil.bone.niche", 0, 2, 1)])
    monkeypatch.setattr("metasim.runner.design._MOST_CHECKED", 20)
    assert len(design(BASE, [Range("soil.bone.niche", 0, 1, 1e-6)], many=True).values) == 1_000_001


def test_samples_fill_their_ranges_and_keep_whole_numbers_whole():
    ranges = [Range("soil.bone.niche", 0.2, 0.6), Range("run.max_colonies", 100, 200)]
    for sampler in ("lhs", "sobol"):
        values = design(BASE, ranges, sampler, 64).values
        assert values.shape == (64, 2)
        cells = np.floor((values[:, 0] - 0.2) / 0.4 * 64)
        assert sorted(cells) == list(range(64))  # each of 64 strips has one point
        assert (values[:, 1] == np.rint(values[:, 1])).all()
        np.testing.assert_array_equal(values, design(BASE, ranges, sampler, 64).values)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1e-13:1e-12:1e-13", [i * 1e-13 for i in range(1, 11)]),
        ("0:1e-12:1e-13", [i * 1e-13 for i in range(11)]),
        ("1e-300:3e-300:1e-300", [1e-300, 2e-300, 3e-300]),
        ("1e11:1e11:1", [1e11]),
        ("1000000000:1000000001:0.25", [1e9, 1e9 + 0.25, 1e9 + 0.5, 1e9 + 0.75, 1e9 + 1]),
        ("0:0.3:0.1", [0.0, 0.1, 0.2, 0.3]),
        ("-0.3:0:0.1", [-0.3, -0.2, -0.1, 0.0]),
    ],
)
def test_every_point_of_a_grid_at_any_scale(text, values):
    asked = parse(f"gates.colonization.base_odds={text}")
    assert asked.values().tolist() == pytest.approx(values, rel=1e-15, abs=0)
    assert len(set(asked.values().tolist())) == len(values)
    assert parse(f"{asked.key}={asked}") == asked  # what a folder says was asked loses no digit


def test_a_grid_takes_a_step_that_is_no_decimal_and_none_that_misses_the_end():
    third = Range("soil.bone.niche", 0.0, 1.0, 1 / 3)
    assert third.values().tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1], rel=1e-15)
    for text in ("1e9:1000000001:0.3", "0:1e-12:3e-13", "0:1e-9:3e-10"):
        with pytest.raises(OptionError, match="the last step ends at"):
            parse(f"rates.invasion_per_day={text}").values()


def test_default_ranges_are_all_soil_parameters_that_can_vary():
    keys = {one.key: one for one in soil_ranges(BASE)}
    assert keys["soil.bone.niche"] == Range("soil.bone.niche", 0.0, 1.0)
    assert keys["soil.liver.multiplier.arrest"].high == 4 * keys["soil.liver.multiplier.arrest"].low
    assert not {"soil.bone.detection_cells", "soil.lung.lymph_fraction"} & keys.keys()
    assert {key.split(".")[1] for key in keys} == set(BASE.soil)


@pytest.mark.parametrize(("method", "size"), [("morris", 6), ("sobol", 8)])
def test_sensitivity_finds_what_matters(tmp_path, method, size):
    pytest.importorskip("SALib")
    # the bone's niche decides on bone metastases; the label-like liver level on nothing of bone
    asked = BASE.replace({"run.patients": 150})
    ranges = {"soil.bone.multiplier.colonization": (0.02, 3.0), "soil.brain.hypoxia": (0.0, 0.05)}
    study = ms.sensitivity(asked, ranges, method=method, size=size, output=tmp_path / "a", **QUIET)
    bone = study.table[study.table["organ"] == "bone"].set_index("key")["index"]
    assert bone["soil.bone.multiplier.colonization"] > 2 * bone["soil.brain.hypoxia"]
    clear = study.table[study.table["organ"] == "bone"].set_index("key")["clear"]
    assert clear.to_dict() == {
        "soil.bone.multiplier.colonization": True, "soil.brain.hypoxia": False
    }  # fmt: skip
    asked_again = {"method": method, "output": tmp_path / "a", "resume": True}
    ms.sensitivity(asked, ranges, size=size, **asked_again, **QUIET)  # is finished
    with pytest.raises(ResultsError, match=rf"in 1 key: --size was '{size}', is '4'"):
        ms.sensitivity(asked, ranges, size=4, **asked_again, **QUIET)
    again = ms.open_sensitivity(tmp_path / "a")
    pd.testing.assert_frame_equal(again.table, study.table)
    axes = plots.ranking(again)
    assert axes.get_yticklabels()[0].get_text() == "soil.bone.multiplier.colonization"
    with pytest.raises(OptionError, match="unknown"):
        ms.sensitivity(asked, ranges, method="fast", **QUIET)
    with pytest.raises(OptionError, match="a power of 2"):
        ms.sensitivity(asked, ranges, method="sobol", size=6, **QUIET)


@pytest.mark.parametrize(("method", "size"), [("morris", 10), ("sobol", 16)])
def test_what_chance_alone_does_does_not_stand_out(method, size):
    pytest.importorskip("SALib")
    rng, keys = np.random.default_rng(1), [f"key{i}" for i in range(300)]
    problem = {"num_vars": 300, "names": keys, "bounds": [[0.0, 1.0]] * 300}
    points = _sample(problem, method, size, 1)
    pairs = _pairs(method, points)
    moved = np.abs(points[pairs[..., 0]] - points[pairs[..., 1]]) > 0
    assert (moved == np.eye(300, dtype=bool)[:, None]).all()  # one key, that one
    errors = rng.uniform(0.01, 0.1, len(points))  # of unequal size
    noise = errors * rng.standard_normal(len(points))

    def table(y):
        found = _indices(problem, method, points, y, 1)
        p_chance = chance(y[pairs], errors[pairs])
        return stands_out(found.assign(p_chance=p_chance, organ="bone"))

    alone = table(noise)
    said = (alone["p_chance"] < 0.05).mean()
    assert said < 0.08  # the level is kept
    assert said > 0.02 or method == "sobol"  # whose keys share half of their points
    assert alone["clear"].sum() <= 1
    assert (alone["index"] > alone["half_width"]).sum() > 100  # planted fault: the interval alone
    driven = table(noise + 0.6 * points[:, 7])
    assert driven["clear"].sum() <= 2
    assert driven.loc[7, "clear"]


def test_plot_draws_the_figures_of_a_sweep_and_of_a_study_again(tmp_path):
    pytest.importorskip("SALib")
    few = ["luminal_a_surgery", "--patients", "20", "--no-figures", "--vary"]
    for command, wanted in [
        (["sweep", *few, "soil.bone.niche=0:1:1"], "response_soil.bone.niche"),
        (["sensitivity", *few, "soil.bone.niche=0:1", "--size", "2"], "ranking"),
    ]:
        folder = tmp_path / command[0]
        made = CliRunner().invoke(app, [*command, "--output", str(folder)])
        assert made.exit_code == 0, made.output
        drawn = CliRunner().invoke(app, ["plot", str(folder)])
        assert drawn.exit_code == 0, drawn.output
        assert drawn.stdout.split() == [
            str(folder / "figures" / f"{wanted}.{kind}") for kind in ("png", "pdf")
        ]
        assert all(Path(line).stat().st_size > 5000 for line in drawn.stdout.split())
        refused = CliRunner().invoke(app, ["plot", str(folder), "--figure", "organ_counts"])
        assert refused.exit_code == 2
        assert "of a sweep, all figures are drawn" in refused.stderr


def test_figures_of_sweeps(tmp_path):
    one = ms.sweep(BASE, VARY, **QUIET)
    axes = plots.response(one)
    assert axes.get_xlabel() == "soil.bone.niche"
    assert {text.get_text() for text in axes.texts} >= {"Bone", "Lung"}
    with pytest.raises(OptionError, match="did not vary"):
        plots.response(one, key="soil.lung.niche")
    with pytest.raises(OptionError, match="needs two keys"):
        plots.heat_map(one)
    two = ms.sweep(BASE, VARY | {"soil.liver.niche": (0.0, 1.0, 1.0)}, **QUIET)
    shown = plots.heat_map(two, organ="bone", counted="founded").collections[0].get_array()
    rows = two.rows("founded")
    want = rows[rows["organ"] == "bone"].pivot(
        index="soil.liver.niche", columns="soil.bone.niche", values="share_with"
    )
    np.testing.assert_allclose(shown, 100 * want.to_numpy())
    treated = ms.sweep(ms.load("bisphosphonate", {"run.patients": 20}),
                       {"treatment.1.delay_days": (0.0, 365.0, 365.0)}, **QUIET)  # fmt: skip
    assert plots.response(treated).get_xlabel() == "treatment.1.delay_days (bisphosphonate)"
    files = save_sweep_figures(one, tmp_path)
    assert [path.name for path in files] == [
        "response_soil.bone.niche.png", "response_soil.bone.niche.pdf"
    ]  # fmt: skip


def test_lists_names_and_logarithms_are_run_as_written(tmp_path):
    few, text = BASE.replace({"run.patients": 8}), "seed.subtype=luminal_a,triple_negative"
    asked = [parse(text), parse("soil.bone.multiplier.colonization=1e-13:1e-1:4@log")]
    done = ms.sweep(few, asked, output=tmp_path / "a", **QUIET)
    points = done.table.drop_duplicates("point")
    assert points["seed.subtype"].tolist() == ["luminal_a"] * 4 + ["triple_negative"] * 4
    np.testing.assert_allclose(
        points["soil.bone.multiplier.colonization"][:4], [1e-13, 1e-9, 1e-5, 1e-1], rtol=1e-12
    )
    changes = {"seed.subtype": "triple_negative", "soil.bone.multiplier.colonization": 1e-1}
    alone = ms.run(few.replace(changes), **QUIET)
    rows = done.rows("founded")
    got = rows[rows["point"] == 7].set_index("organ")["metastases_per_patient"]
    want = ms.summarise(alone, "founded").set_index("organ")["metastases_per_patient"]
    np.testing.assert_allclose(got.loc[want.index], want)
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "a" / "sweep.csv"), done.table, check_dtype=False
    )
    assert (done.scale("seed.subtype"), done.scale(done.keys[1])) == ("names", "log")
    same = {"seed.subtype": ["luminal_a", "triple_negative"],
            "soil.bone.multiplier.colonization": "1e-13:1e-1:4@log"}  # fmt: skip
    ms.sweep(few, same, output=tmp_path / "a", resume=True, **QUIET)  # is finished
    other = same | {"seed.subtype": ["luminal_a", "her2_enriched"]}
    with pytest.raises(ResultsError, match=r"--vary seed\.subtype was 'luminal_a,triple_negative'"):
        ms.sweep(few, other, output=tmp_path / "a", resume=True, **QUIET)
    axes = plots.heat_map(done, organ="axillary_nodes", counted="founded")
    assert axes.get_xscale() == "linear" and axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["luminal a", "triple negative"]
    places = axes.collections[0].get_coordinates()[:, 0, 1]
    np.testing.assert_allclose(places, [1e-15, 1e-11, 1e-7, 1e-3, 1e1])  # no cell is cut off
    files = save_sweep_figures(ms.open_sweep(tmp_path / "a"), tmp_path / "figures")
    assert all(path.stat().st_size > 5000 for path in files)


def test_values_of_each_form():
    def values(text, **options):
        return [x[0] for x in design(BASE, [parse(f"soil.bone.niche={text}")], **options).values]

    assert values("0.3,0,1") == [0.3, 0.0, 1.0]  # in the order they were given
    assert values("0:1:3@lin") == [0.0, 0.5, 1.0]
    assert values("0.01:1:3@log") == pytest.approx([0.01, 0.1, 1.0], rel=1e-12)
    sampled = values("1e-4:1@log", sampler="lhs", points=64)
    assert np.histogram(np.log10(sampled), 4, (-4, 0))[0].tolist() == [16] * 4
    assert sorted(values("0.1,0.9", sampler="sobol", points=8)) == [0.1] * 4 + [0.9] * 4
    plan = design(BASE, [parse("run.max_colonies=100,300")])
    assert plan.changes(1) == {"run.max_colonies": 300}
    assert isinstance(plan.changes(1)["run.max_colonies"], int)


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        ("soil.bone.niche=", "expected KEY=LOW:HIGH:STEP"),
        ("soil.bone.niche=0.1,", "a value is missing"),
        ("soil.bone.niche=0.1,0.1", "0.1 is given twice"),
        ("soil.bone.niche=[1],2", "is neither a number nor a name"),
        ("soil.bone.niche=0:1:3@log", "begins above 0"),
        ("soil.bone.niche=0.1:1:3@square", "unknown scale 'square'; choose from log, lin"),
        ("soil.bone.niche=0.1:1:2.5@log", "a whole number from 2 on"),
        ("soil.bone.niche=0.1:1:1@log", "a whole number from 2 on"),
        ("soil.bone.niche=0.1:1@log", "a grid needs a step"),
        ("run.max_colonies=10,20.5", "whole numbers only"),
    ],
)
def test_list_or_scale_that_is_not_allowed_is_one_message(vary, message):
    with pytest.raises(OptionError, match=message):
        design(BASE, [parse(vary)])


def test_all_points_that_cannot_be_run_are_told_before_the_first_patient(tmp_path, monkeypatch):
    monkeypatch.setattr("metasim.runner.patients.Cohort.chunk", None)
    vary = {"soil.bone.niche": [0.5, 2, 3], "seed.subtype": ["luminal_a", "luminal_x"]}
    with pytest.raises(ScenarioError) as caught:
        ms.sweep(BASE, vary, output=tmp_path / "a", **QUIET)
    said = str(caught.value)
    assert "5 of 6 points" in said
    assert "soil.bone.niche=2, seed.subtype=luminal_a: soil.bone.niche: " in said
    assert "soil.bone.niche=0.5, seed.subtype=luminal_x: " in said and "luminal_a" in said
    assert not list(tmp_path.iterdir())
    many = {"soil.bone.niche": np.linspace(0, 3, 90).tolist()}
    with pytest.raises(ScenarioError, match="60 of 90 points") as caught:
        ms.sweep(BASE, many, **QUIET)
    assert "... and 40 more" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 22
    monkeypatch.setattr("metasim.runner.design._MOST_CHECKED", 10)
    with pytest.raises(ScenarioError, match=r"soil\.bone\.niche=3"):  # the corners at least
        ms.sweep(BASE, many, **QUIET)


def test_point_that_breaks_later_is_a_failure_of_its_patients(tmp_path, monkeypatch):
    few = BASE.replace({"run.patients": 5})
    chunk = Cohort.chunk

    def breaks(self, first, count):
        if self.scenario.soil["bone"].niche == 0.5:
            raise np.linalg.LinAlgError("Singular matrix")
        return chunk(self, first, count)

    monkeypatch.setattr(Cohort, "chunk", breaks)
    done = ms.sweep(few, VARY, output=tmp_path / "a", **QUIET)
    assert done.failures["point"].tolist() == [1] * 5
    assert done.failures["patient"].tolist() == list(range(5))
    assert set(done.failures["error"]) == {"LinAlgError: Singular matrix"}
    assert set(done.table["point"]) == {0, 2}
    assert plots.response(done)
    with pytest.raises(LimitError, match=r"all patients of all points failed, first at soil\.bone"):
        ms.sweep(few, {"soil.bone.niche": [0.5]}, output=tmp_path / "b", **QUIET)
    assert not (tmp_path / "b").exists()
