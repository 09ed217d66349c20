"""Fit: the emulator and the sampler against closed forms, the journal, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from typer.testing import CliRunner

import metasim as ms
from metasim.cli import app
from metasim.errors import OptionError, ResultsError
from metasim.runner.executors import Serial
from metasim.targets.fit.emulator import Emulator
from metasim.targets.fit.free import changes_of, check_priors, parse_free
from metasim.targets.fit.journal import Journal, simulate_all
from metasim.targets.fit.smc import effective_size, sample
from metasim.targets.load import TargetsError

RHO = "growth.rho_per_day"


def test_the_sampler_finds_a_normal_posterior_and_its_evidence():
    mean, sd = np.array([0.4, 0.6]), np.array([0.03, 0.1])

    def log(u):
        return norm.logpdf(u, mean, sd).sum(axis=1)

    found = sample(log, 2, np.random.default_rng(1), 4000)
    assert np.abs(found.points.mean(axis=0) - mean).max() < 0.006
    assert found.points.std(axis=0) == pytest.approx(sd, rel=0.08)
    assert found.log_evidence == pytest.approx(0.0, abs=0.1)  # all of it lies inside the cube


def test_the_emulator_gives_back_a_quadratic_and_says_what_it_knows():
    rng = np.random.default_rng(2)
    points = rng.random((80, 3))
    truth = 30 + 10 * points[:, 0] - 8 * points[:, 1] ** 2 + 5 * points[:, 0] * points[:, 2]
    values = (truth + rng.normal(0, 0.5, 80))[:, None]
    emulator = Emulator(points[:60], values[:60], np.full((60, 1), 0.5), np.array([False]))
    mean, variance = emulator.predict(points[60:])
    off = (mean[:, 0] - truth[60:]) / np.sqrt(variance[:, 0])
    assert np.abs(mean[:, 0] - truth[60:]).max() < 1.0
    assert 0.4 < off.std() < 1.6


@pytest.mark.verify
def test_posteriors_of_planted_linear_truths_hold_them_as_often_as_they_should():
    """Simulation-based calibration of emulator and sampler; a planted fault: distances halved."""

    def ranks(fault):
        rng = np.random.default_rng(3)
        bank = rng.random((60, 1))
        noise, spread = 0.02, np.array([0.05])
        values = bank + rng.normal(0, noise, bank.shape)
        emulator = Emulator(bank, values, np.full(bank.shape, noise), np.array([False]))
        out = []
        for truth in rng.random(150):
            seen = truth + rng.normal(0, spread)
            draws = sample(
                lambda u, s=seen: emulator.log_likelihood(u, s, fault * spread, np.array([True])),
                1, rng, 200,
            ).points[:, 0]  # fmt: skip
            out.append((draws < truth).mean())
        counts = np.histogram(out, bins=10, range=(0, 1))[0]
        return ((counts - 15) ** 2 / 15).sum()

    assert ranks(1.0) < 27.9  # chi square with 9 degrees of freedom, P = 0.001
    assert ranks(0.4) > 27.9


def test_effective_size():
    assert effective_size(np.ones(7)) == pytest.approx(7)
    assert effective_size(np.array([1.0, 0, 0])) == pytest.approx(1)


def test_the_journal_keeps_points_and_forgives_a_line_cut_off(tmp_path):
    calls = []

    def compute(u):
        calls.append(u)
        return u * 2, np.where(u > 0.5, np.nan, u)

    points = np.array([[0.1, 0.9], [0.3, 0.2]])
    path = tmp_path / "fit" / "simulations.jsonl"
    first = simulate_all(points, compute, Journal(path, "a"), Serial())
    path.write_bytes(path.read_bytes()[:-20])  # as kill -9 may leave it
    again = simulate_all(points, compute, Journal(path, "a"), Serial())
    assert len(calls) == 3
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(Journal(path, "a")) == 2
    with pytest.raises(ResultsError, match="cannot resume"):
        Journal(path, "b")


def test_priors_and_keys():
    free = parse_free("soil.bone.niche=0.2:0.8")
    assert free.value(0.5) == pytest.approx(0.5)
    assert parse_free("a.b=0.01:1:log").value(0.5) == pytest.approx(0.1)
    for wrong in ("a.b", "a.b=1", "a.b=1:x", "a.b=2:1", "a.b=0:1:log", "a.b=0:1:lin"):
        with pytest.raises(OptionError):
            parse_free(wrong)
    base = ms.load("luminal_a_surgery")
    key = "patients.growth.rho_per_day.lognormal"
    moved = base.replace(changes_of(base, {f"{key}.median": 0.001, f"{key}.sigma": 0.5}))
    shape = moved.patients["growth.rho_per_day"].lognormal
    assert (shape.median, shape.sigma, shape.low) == (0.001, 0.5, 0.0001)
    pair = f"patients.correlation.{RHO}.rates.invasion_per_day"
    assert base.replace(changes_of(base, {pair: 0.3})).correlation == {
        RHO: {"rates.invasion_per_day": 0.3}
    }
    check_priors(base, [parse_free(f"{pair}=-0.5:0.5")], "x")
    with pytest.raises(TargetsError, match="prior's high end is refused"):
        check_priors(base, [parse_free(f"{pair}=-0.5:1.5")], "x")
    with pytest.raises(OptionError, match="drawn for each patient"):
        changes_of(base, {"growth.rho_per_day": 0.1})
    with pytest.raises(TargetsError, match="prior's high end is refused"):
        check_priors(base, [parse_free("soil.bone.niche=0.2:1.8")], "x")


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    path = tmp_path_factory.mktemp("targets") / "mine.csv"
    path.write_text("id,quantity,of.organ,value,total\nbone,site_percent,bone,35,300\n"
                    "lung,site_percent,lung,40,300\n")  # fmt: skip
    return path


def fit(*arguments):
    return CliRunner().invoke(app, ["fit", *map(str, arguments), "--workers", "1", "--quiet"])


def test_a_key_that_no_target_feels_is_refused_with_the_evidence(mine, tmp_path):
    done = fit("luminal_a_surgery", "--targets", mine, "--free", "clinic.age_years=20:90",
               "--patients", 200, "--output", tmp_path / "x")  # fmt: skip
    assert done.exit_code == 2
    assert "no target feels it" in done.output and "at most 0" in done.output
    assert (tmp_path / "x" / "simulations.jsonl").exists()


@pytest.mark.verify
def test_a_fit_moves_towards_its_targets_and_is_the_same_when_resumed(mine, tmp_path):
    out = tmp_path / "x"
    arguments = ["luminal_a_surgery", "--targets", mine, "--free", "soil.bone.niche=0:1",
                 "--patients", 400, "--draws", 20, "--output", out]  # fmt: skip
    done = fit(*arguments)
    assert done.exit_code == 0, done.output
    posterior = pd.read_parquet(out / "posterior.parquet")
    assert list(posterior) == [
        "soil.bone.niche",
        "weight",
        "distance",
        "target.bone",
        "target.lung",
    ]
    assert posterior["weight"].sum() == pytest.approx(1)
    assert posterior["soil.bone.niche"].mean() < ms.load("luminal_a_surgery").soil["bone"].niche
    best = ms.load(out / "best.toml")
    assert best._origins["soil.bone.niche"].status == "calibrated"
    assert "## What the targets do not decide" in (out / "report.md").read_text()
    assert fit(*arguments).exit_code == 2  # the folder exists
    lines = (out / "simulations.jsonl").read_text().splitlines(keepends=True)
    (out / "simulations.jsonl").write_text("".join(lines[: len(lines) // 2]))
    assert json.loads(lines[0])
    assert fit(*arguments, "--resume").exit_code == 0
    pd.testing.assert_frame_equal(posterior, pd.read_parquet(out / "posterior.parquet"))
