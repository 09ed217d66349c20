"""Patients with draws of a posterior: who has which, saved, in intervals, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import metasim as ms
from metasim.cli import app
from metasim.results.posterior import between_draws, share_left
from metasim.scenario.distributions import reached
from metasim.scenario.draws import draw_numbers, draw_parameters
from tests import faults

NICHE, RHO = "soil.bone.niche", "growth.rho_per_day"
MEDIAN = f"patients.{RHO}.lognormal.median"


def posterior(path, **columns):
    table = pd.DataFrame({
        NICHE: [0.1, 0.5, 0.9, 0.3],
        MEDIAN: [0.001, 0.0012, 0.0014, 0.0013],
        "one:soil.lung.niche": [0.1, 0.2, 0.3, 0.4],
        "weight": [0.5, 0.3, 0.2, 0.0],
        "distance": 1.0,
        "target.bone": 60.0,
    }).assign(**columns)  # fmt: skip
    table.to_parquet(path)
    return path


def asked(path, patients=200, **more):
    return ms.load(
        "luminal_a_surgery", {"run.patients": patients, "patients.draws": str(path), **more}
    )


def test_each_patient_has_the_keys_of_one_draw_taken_by_its_weight(tmp_path):
    scenario = asked(posterior(tmp_path / "posterior.parquet"))
    patients = ms.run(scenario, executor="serial", progress=False).patients
    draw, niche = patients["draw"].to_numpy(), np.array([0.1, 0.5, 0.9])
    assert patients[NICHE].tolist() == niche[draw].tolist()
    shares = np.bincount(draw, minlength=3) / len(draw)
    assert np.abs(shares - [0.5, 0.3, 0.2]).max() < 4 * np.sqrt(0.25 / 200)
    # the same patients as without draws, their growth on the log-normal of their draw
    plain = ms.load("luminal_a_surgery", {"run.patients": 200})
    alone = ms.run(plain, executor="serial", progress=False).patients[RHO]
    before = ms.load("luminal_a_surgery").patients[RHO].lognormal.median
    medians = np.array([0.001, 0.0012, 0.0014])[draw]
    inside = patients[RHO].between(0.00011, 0.0199)  # not at an end of its range
    assert inside.sum() > 150
    np.testing.assert_allclose(patients[RHO][inside], (alone * medians / before)[inside], rtol=0.05)


def test_the_factor_of_a_subtype_is_that_of_the_draw(tmp_path):
    factor = {f"patients.{RHO}.factor_by_subtype.luminal_a": [0.5, 1.0, 2.0, 9.0]}
    plain = asked(posterior(tmp_path / "a.parquet"))
    moved = asked(posterior(tmp_path / "b.parquet", **factor))
    by = np.array([0.5, 1.0, 2.0])[draw_numbers(moved, 0, 50)]
    one, other = (draw_parameters(scenario, 0, 50)[RHO] for scenario in (plain, moved))
    assert len(set(by)) == 3
    np.testing.assert_allclose(other, one * by)
    assert reached(moved.patients[RHO])[1] == pytest.approx(2 * reached(plain.patients[RHO])[1])
    none = moved.replace({"seed.subtype": "triple_negative"})
    np.testing.assert_allclose(draw_parameters(none, 0, 50)[RHO], one)


def test_patients_are_the_same_whatever_the_workers_and_from_the_saved_scenario(tmp_path):
    scenario = asked(posterior(tmp_path / "posterior.parquet"), 40)
    ms.run(scenario, output=tmp_path / "a", executor="serial", progress=False)
    (tmp_path / "posterior.parquet").unlink()
    saved = ms.load(tmp_path / "a" / "scenario.toml")
    assert saved == scenario
    ms.run(saved, output=tmp_path / "b", executor="threads", workers=2, chunk=7, progress=False)
    a, b = faults.tables(tmp_path / "a"), faults.tables(tmp_path / "b")
    for name in a.keys() - {"scenario.toml"}:
        assert a[name] == b[name], name
    alone = ms.run(saved, patient=17, progress=False).patients
    whole = ms.open_results(tmp_path / "a").patients
    pd.testing.assert_frame_equal(alone, whole[17:18].reset_index(drop=True))


def test_intervals_hold_the_uncertainty_of_the_parameters(tmp_path):
    """With lung and bone certain or not; and the fault that the draws are not looked at."""
    path = posterior(tmp_path / "posterior.parquet", **{NICHE: [0.0, 0.5, 1.0, 0.0],
                                                        MEDIAN: 0.0012})  # fmt: skip
    run = ms.run(asked(path, 1000), executor="serial", progress=False)
    bone = run.summary.set_index("organ").loc["bone"]
    lung = run.summary.set_index("organ").loc["lung"]
    by_draw = run.metastases.query("organ == 'bone'").dropna(subset=["detected_day"])
    having = run.patients["patient"].isin(by_draw["patient"])
    shares = having.groupby(run.patients["draw"]).mean()
    assert run.summary.attrs["draws"] == 3
    assert bone["share_high"] - bone["share_low"] > 1.5 * shares.std()
    certain = np.sqrt(lung["share_with"] / len(run.patients))  # lung feels bone but little
    assert lung["share_high"] - lung["share_low"] < 6 * certain
    same = ms.compare([run, run], ["a", "b"]).differences
    row = same[(same["organ"] == "bone") & (same["measure"] == "share")].iloc[0]
    assert (row["first_low"], row["first_high"]) == (bone["share_low"], bone["share_high"])


def test_a_rank_correlation_is_that_of_the_posterior_mean(tmp_path):
    pair = f"patients.correlation.{RHO}.rates.invasion_per_day"
    path = posterior(tmp_path / "posterior.parquet", **{pair: [0.1, 0.2, 0.4, 0.9]})
    scenario = asked(path)
    found = scenario.correlation[RHO]["rates.invasion_per_day"]
    assert found == pytest.approx(0.5 * 0.1 + 0.3 * 0.2 + 0.2 * 0.4)
    assert scenario.patients[RHO].draws is not None


def test_variance_between_draws():
    rng = np.random.default_rng(1)
    found, without = [], []
    for _ in range(50):
        draw = rng.integers(0, 60, 2000)
        truth = rng.normal(0, 0.5, 60)
        found.append(between_draws(truth[draw] + rng.normal(0, 1, 2000), draw))
        without.append(between_draws(rng.normal(0, 1, 2000), draw))
    assert np.mean(found) == pytest.approx(0.25, rel=0.1)
    assert np.mean(without) < 0.003
    assert between_draws([1, 2, 3], [0, 1, 2]) == between_draws([1, 2], [0, 0]) == 0
    assert share_left([0, 0, 0], pd.Series([0, 0, 1])) == share_left([1, 2], None) == 1


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"weight": "much"}, "column weight does not hold numbers"),
        ({"weight": -1.0}, "its weights have to be at least 0, and not all 0"),
        ({"weight": 0.0}, "its weights have to be at least 0, and not all 0"),
        ({NICHE: [0.1, np.nan, 0.1, 0.1]}, "column soil.bone.niche has cells without a number"),
        ({NICHE: [0.1, 1.5, 0.1, 0.1]}, "it can leave what the key may hold: a number from 0 to 1"),
        ({"soil.bone.nich": 0.5}, 'there is no key "soil.bone.nich"'),
        ({"run.years": 0.5}, "only numbers of the biology and the clinic can be drawn"),
        ({MEDIAN: -1.0}, "a draw of median is -1; it has to be above 0"),
        ({f"patients.{RHO}.normal.mean": 1.0}, "draws of median and mean need a distribution"),
        ({f"patients.{NICHE}.lognormal.sigma": 1.0}, "draws of its value stand alone; found sigma"),
        ({RHO: 0.001}, "draws of its value stand alone; found lognormal and median"),
    ],
)
def test_a_wrong_posterior_is_one_clear_error(tmp_path, columns, said):
    path = posterior(tmp_path / "posterior.parquet", **columns)
    with pytest.raises(ms.ScenarioError) as caught:
        asked(path)
    assert said in str(caught.value)
    assert "1 mistake" in str(caught.value) or len(str(caught.value).splitlines()) <= 2


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "text.parquet").write_text("bone,0.5\n")
    pd.DataFrame({NICHE: [0.5]}).to_parquet(tmp_path / "no_weight.parquet")
    pd.DataFrame({"weight": [1.0]}).to_parquet(tmp_path / "no_key.parquet")
    pd.DataFrame({"weight": [1.0], "a:b.c": 1.0}).to_parquet(tmp_path / "one_cohort.parquet")
    pd.DataFrame({"weight": np.ones(9999), NICHE: 0.5, "soil.lung.niche": 0.5}).to_parquet(
        tmp_path / "many.parquet"
    )
    for name, said in (
        ("missing", "cannot be read as Parquet (No such file or directory)"),
        ("text", "cannot be read as Parquet"),
        ("no_weight", "has no column weight, so it is no posterior"),
        ("no_key", "has no free key, so there is nothing to draw"),
        ("one_cohort", "has only keys of single cohorts (a:b.c)"),
        ("many", "has 9,999 draws; of 2 keys at most 6,666 can be used"),
    ):
        with pytest.raises(ms.ScenarioError) as caught:
            asked(tmp_path / f"{name}.parquet")
        assert said in str(caught.value)
    with pytest.raises(ms.ScenarioError, match="takes the path of a file, not 3"):
        ms.load("luminal_a_surgery", {"patients.draws": 3})


def test_run_compare_and_sweep_take_draws(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    posterior(tmp_path / "p.parquet")

    def command(*arguments):
        few = ["--draws", "p.parquet", "--patients", "4", "--workers", "1", "--quiet"]
        return CliRunner().invoke(app, [*arguments, *few])

    done = command("run", "luminal_a_surgery", "--no-figures", "--output", "a")
    assert done.exit_code == 0, done.output
    assert ms.open_results("a").patients["draw"].between(0, 2).all()
    done = command("compare", "luminal_a_surgery", "untreated", "--output", "c")
    assert done.exit_code == 0, done.output
    done = command("sweep", "luminal_a_surgery", "--vary", f"{NICHE}=0.1,0.9", "--no-figures",
                   "--output", "s")  # fmt: skip
    assert done.exit_code == 0, done.output
    saved = ms.load(tmp_path / "s" / "scenario.toml")
    assert saved.patients[RHO].draws.median == [0.001, 0.0012, 0.0014]
    wrong = CliRunner().invoke(app, ["run", "luminal_a_surgery", "--draws", "q.parquet"])
    assert wrong.exit_code == 2 and "draws q.parquet: cannot be read" in wrong.output
