"""Comparing runs: paired on the same virtual patients, or said to be not."""

import io
from functools import cache

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from rich.console import Console
from typer.testing import CliRunner

import metasim as ms
from metasim.cli.compare_command import parse_share, run_comparison
from metasim.errors import OptionError, ResultsError
from metasim.results.compare import DEATH, compare
from metasim.results.compare_report import introduction, letter, render
from metasim.results.outcomes import time_to
from metasim.results.statistics import mean_interval, wilson_interval
from metasim.results.tally import ANY_DISTANT
from metasim.runner.comparison import labels_of, open_or_run
from tests.outcomes_synthetic import course_results
from tests.synthetic import make_results

one = cache(lambda: course_results(250, title="One"))
two = cache(lambda: course_results(250, first=1000, title="Two"))

SMALL = {"run.patients": 60, "run.years": 10.0}


@cache
def simulated():
    """Two real runs of the same patients: bone made softer for the second."""
    base = ms.load("luminal_a_surgery").replace({**SMALL, "primary.initial_cells": 10_000_000})
    softer = base.replace({"soil.bone.multiplier.colonization": 2.0, "title": "Softer bone"})
    return ms.run(base, progress=False), ms.run(softer, progress=False)


def cell(comparison, organ, measure="share"):
    table = comparison.differences
    return table[(table["organ"] == organ) & (table["measure"] == measure)].iloc[0]


def numbers(results, organ):
    """Metastases seen in an organ, of the patients diagnosed, by hand."""
    seen = results.metastases.query("organ == @organ").dropna(subset="detected_day")
    patients = results.patients.dropna(subset="diagnosis_day")["patient"]
    return seen.groupby("patient").size().reindex(patients, fill_value=0)


def test_paired_differences_are_those_of_the_pairs():
    comparison = compare([one(), two()], counted="detected")
    assert comparison.paired
    a, b = numbers(one(), "bone"), numbers(two(), "bone")
    both = a.index.intersection(b.index)
    a, b = a[both], b[both]
    count, share = cell(comparison, "bone", "number"), cell(comparison, "bone")
    d = b - a
    assert count["difference"] == pytest.approx(d.mean())
    half = 1.959964 * np.sqrt(d.var() / len(d))
    assert (count["high"] - count["low"]) / 2 == pytest.approx(half, rel=0.02)
    unpaired = a.var() + b.var()
    assert count["gain"] == pytest.approx(unpaired / d.var(), rel=1e-9)
    with_one = (b > 0).astype(int) - (a > 0)
    assert share["difference"] == pytest.approx(with_one.mean())
    assert share["patients_needed"] == pytest.approx(
        with_one.var(ddof=0) * (1.959964 / 0.01) ** 2, abs=1
    )
    died = one().patients.dropna(subset="diagnosis_day").set_index("patient")["death_day"]
    assert cell(comparison, DEATH)["first"] == pytest.approx(died[both].notna().mean())


def test_a_run_against_itself_differs_in_nothing_but_keeps_intervals():
    comparison = compare([one(), one()], ["a", "b"])
    table = comparison.differences
    assert (table["difference"] == 0).all()
    assert (table["low"] < 0).all()
    assert table["gain"].isna().all()
    ratios = comparison.ratios
    assert ratios["hazard_ratio"].to_numpy() == pytest.approx(1)
    assert ratios["rate_ratio"].to_numpy() == pytest.approx(1)


def test_hazard_ratio_of_distant_metastasis_is_lifelines():
    later = course_results(250, first=1000, rng_seed=2)
    comparison = compare([one(), later], ["a", "b"])
    assert not comparison.paired
    times = [time_to(run, "distant") for run in (one(), later)]
    frame = pd.concat(times, keys=[0, 1], names=["group"]).reset_index("group")
    frame["cause"] = frame["cause"] == 1
    fit = CoxPHFitter().fit(frame, "years", "cause", fit_options={"precision": 1e-12})
    row = comparison.ratios.set_index("outcome").loc["distant metastasis"]
    expected = fit.summary.loc["group"]
    assert row["hazard_ratio"] == pytest.approx(expected["exp(coef)"], rel=1e-6)
    assert row["hazard_low"] == pytest.approx(expected["exp(coef) lower 95%"], rel=1e-6)
    assert row["hazard_high"] == pytest.approx(expected["exp(coef) upper 95%"], rel=1e-6)
    assert row["events_first"] == (times[0]["cause"] == 1).sum()


@pytest.mark.parametrize("key", ["rng_seed", "patients"])
def test_other_patients_are_compared_unpaired_and_it_is_said(key):
    changed = course_results(200) if key == "patients" else course_results(250, rng_seed=9)
    comparison = compare([one(), changed], ["a", "b"], counted="detected")
    assert not comparison.paired
    assert any(note.startswith("Not paired: the ") for note in comparison.notes)
    assert any("independent" in line for line in introduction(comparison))
    a, b = (numbers(run, "bone") for run in (one(), changed))
    row = cell(comparison, "bone", "number")
    ends = [mean_interval(x.sum(), (x**2).sum(), len(x)) for x in (a, b)]
    below = np.hypot(b.mean() - ends[1][0], ends[0][1] - a.mean())
    assert row["low"] == pytest.approx(b.mean() - a.mean() - below)
    assert row["gain"] == 1
    share = cell(comparison, "bone")
    low, high = wilson_interval((b > 0).sum(), len(b))
    assert (share["other_low"], share["other_high"]) == pytest.approx((float(low), float(high)))


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ResultsError, match="only one of them has adrenals"):
        fine = {"breast": (0.5, 0.1, "primary", 0, 0), "adrenals": (0.5, 0.9, "distant", 0, 0)}
        plain = {"breast": fine["breast"], "lung": (0.5, 0.9, "distant", 0, 0)}
        compare([make_results(10, plain), make_results(10, fine)], ["a", "b"])
    with pytest.raises(ResultsError, match=r"run\.years is 15\.0 in one, 5\.0 in the other"):
        compare([one(), course_results(250, years=5.0)], ["a", "b"])
    with pytest.raises(ResultsError, match=r"run\.follow_from"):
        compare([one(), course_results(250, follow_from="start")], ["a", "b"])
    with pytest.raises(ResultsError, match="run again with --record metastases"):
        compare([one(), course_results(250, record="patients")], ["a", "b"])
    with pytest.raises(OptionError, match="at least two"):
        compare([one()])
    with pytest.raises(OptionError, match="a name each"):
        compare([one(), two()], ["a", "a"])
    with pytest.raises(OptionError, match="precision = 2"):
        compare([one(), two()], precision=2)


def test_another_day_of_diagnosis_is_said_to_bias_time():
    comparison = compare([one(), two()])
    assert any("lead-time bias" in note for note in comparison.notes)
    assert not any("lead-time" in note for note in compare([one(), one()], ["a", "b"]).notes)


def test_nobody_diagnosed_is_no_crash():
    nobody = course_results(20, diagnosed=False, richly=False)
    comparison = compare([nobody, nobody], ["a", "b"])
    assert comparison.differences["difference"].isna().all()
    assert comparison.patients == (0, 0)
    assert printed(comparison)


def printed(comparison):
    console = Console(width=80, file=io.StringIO())
    for table in render(comparison):
        console.print(table)
    return console.file.getvalue()


def test_tables_fit_80_columns_and_hold_the_numbers():
    third = course_results(250, first=2000, title="Three")
    comparison = compare([one(), two(), third], ["a", "b", "c"], precision=0.001)
    text = printed(comparison)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    row = cell(comparison, ANY_DISTANT)
    line = next(line for line in text.splitlines() if ANY_DISTANT in line)
    assert f"{100 * row['difference']:+.1f}" in line
    assert f"{row['patients_needed']:,.0f}" in line
    assert "C against A" in text


def test_same_virtual_patients_make_a_comparison_sharper():
    base, softer = simulated()
    shared = [key for key in base.patients if "." in key]
    assert shared
    assert base.patients[shared].equals(softer.patients[shared])
    comparison = compare([base, softer], ["base", "softer"], counted="micro")
    assert comparison.paired
    row = cell(comparison, "bone", "number")
    assert row["difference"] > 0
    assert row["gain"] > 1.2
    assert cell(comparison, "bone")["low"] < cell(comparison, "bone")["difference"]


def test_scenarios_run_on_the_patients_of_the_folder(tmp_path):
    base, _ = simulated()
    folder = base.save(tmp_path / "base")
    sources = [str(folder), "soft_bone"]
    results = open_or_run(sources, progress=False)
    run = results[1].scenario["run"]
    assert (run["patients"], run["rng_seed"]) == (60, 1)
    assert results[0].scenario == base.scenario
    assert labels_of(sources) == ["base", "soft_bone"]
    assert labels_of(["a/x", "b/x"]) == ["a/x", "b/x"]
    with pytest.raises(OptionError, match=r"run\.patients cannot change runs that are finished"):
        open_or_run([str(folder)], {"run.patients": 5}, progress=False)


def test_command_prints_tables_and_saves_them(tmp_path, capsys):
    base, softer = simulated()
    folders = [str(run.save(tmp_path / name)) for run, name in ((base, "a"), (softer, "b"))]
    comparison = run_comparison(folders, {}, "0.5%", tmp_path / "out", progress=False)[""]
    text = capsys.readouterr().out
    assert "for ±0.5 %" in text
    lines = [
        line for line in text.splitlines() if str(tmp_path) not in line
    ]  # a path is kept whole
    assert max(map(len, lines)) <= 80
    saved = pd.read_csv(tmp_path / "out" / "differences.csv")
    assert saved["difference"].to_numpy() == pytest.approx(comparison.differences["difference"])
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "comparison.json",
        "differences.csv",
        "ratios.csv",
        "comparison.png",
        "comparison.pdf",
        "survival.png",
        "survival.pdf",
    }


def test_command_line_refuses_in_one_line(tmp_path):
    from metasim.cli import app

    folder = str(simulated()[0].save(tmp_path / "a"))
    cases = {
        (folder,): "it takes at least two results folders or scenarios",
        (folder, folder): "given twice",
        (folder, "luminal_z"): "luminal_z",
        (folder, "luminal_a_surgery", "--precision", "no"): "--precision no: give a share",
        (folder, "luminal_a_surgery", "--workers", "0"): "workers",
    }
    for arguments, message in cases.items():
        outcome = CliRunner().invoke(app, ["compare", *arguments, "--quiet"])
        assert outcome.exit_code == 2, arguments
        assert message in outcome.stderr
        assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize(("text", "share"), [("0.5%", 0.005), ("0.02", 0.02), ("10%", 0.1)])
def test_precision_is_a_share(text, share):
    assert parse_share(text) == pytest.approx(share)


def test_a_plan_that_changes_nothing_has_ratio_one_and_no_gain(tmp_path):
    """A scenario that only extends another, and a plan that nobody gets."""
    base = tmp_path / "base.toml"
    plan = 'extends = "luminal_a_surgery"\n[run]\npatients = 40\nyears = 8.0\n'
    base.write_text(plan)
    (tmp_path / "same.toml").write_text('extends = "base"\n')
    never = 'extends = "base"\n[[treatment]]\nkind = "surgery"\norgan = "breast"\n'
    (tmp_path / "never.toml").write_text(never + '[[treatment]]\nkind = "trastuzumab"\n')
    sources = [str(tmp_path / name) for name in ("base.toml", "same.toml", "never.toml")]
    compared = run_comparison(sources, {}, "1%", tmp_path / "out", progress=False)[""]
    ratios = compared.ratios
    told = ratios[ratios["events_first"] > 0]
    assert len(told)
    assert told["hazard_ratio"].to_numpy() == pytest.approx(1)
    assert told[["hazard_low", "hazard_high", "gain"]].isna().all(axis=None)
    assert compared.differences["gain"].isna().all()
    assert "inf" not in printed(compared)
    assert "never given to any patient" in " ".join(compared.notes)
    assert (tmp_path / "out" / "comparison.png").is_file()


def test_no_name_and_no_number_is_lost_in_a_narrow_terminal_or_with_many_runs():
    many = [one(), *[two()] * 29]
    comparison = compare(many, [f"plan [{k}]" for k in range(30)])
    assert [letter(comparison, f"plan [{k}]") for k in (0, 25, 26, 29)] == ["A", "Z", "AA", "AD"]
    row = cell(comparison, ANY_DISTANT)
    for width in (30, 80):
        console = Console(width=width, file=io.StringIO())
        for table in render(comparison):
            console.print(table)
        lines = console.file.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        text = " ".join(" ".join(lines).split())
        assert "…" not in text
        assert "AD against A" in text
        assert text.count("Axillary nodes" if "Axillary nodes" in text else "axillary nodes") >= 60
        assert f"{100 * row['difference']:+.1f} ({100 * row['low']:+.1f} to" in text
