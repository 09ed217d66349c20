"""A fit that is stopped, resumed, or computed elsewhere is the same; bad input is said at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import metasim as ms
from metasim.cli import app

ROOT = Path(__file__).parents[1]
KEY = "soil.bone.niche"

STOPPED = """
import os, signal, sys
from metasim.targets.fit.journal import Journal
how, after = getattr(signal, sys.argv.pop(1)), int(sys.argv.pop(1))
signal.signal(signal.SIGINT, signal.default_int_handler)
keep, kept = Journal.add, []

def add(self, *point):
    keep(self, *point)
    kept.append(1)
    if len(kept) == after:
        if how == signal.SIGINT:
            os.killpg(os.getpgid(0), how)  # as a terminal does: to the workers too
        os.kill(os.getpid(), how)

Journal.add = add
from metasim.cli.shell import main
sys.exit(main())
"""
"""The command line, stopped by a signal once so many points are kept."""


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    path = tmp_path_factory.mktemp("targets") / "mine.csv"
    path.write_text("id,quantity,of.organ,value,total\nbone,site_percent,bone,40,300\n"
                    "lung,site_percent,lung,35,300\n")  # fmt: skip
    return path


def arguments(mine, folder, draws=0, workers=1):
    return [
        "fit", "luminal_b_surgery", "--targets", str(mine), "--free", f"{KEY}=0:1",
        "--patients", "250", "--draws", str(draws), "--output", str(folder),
        "--workers", str(workers), "--quiet",
    ]  # fmt: skip


def fit(*given):
    return CliRunner().invoke(app, list(map(str, given)))


def left(folder):
    """What a fit leaves, but for how long it took and in what order points came."""
    report = (folder / "report.md").read_text().partition("## Effort")[0]
    points = sorted((folder / "simulations.jsonl").read_text().splitlines())
    out = {"report": report, "best": (folder / "best.toml").read_text(), "points": points}
    if (folder / "posterior.parquet").exists():
        out["posterior"] = pd.read_parquet(folder / "posterior.parquet").to_dict()
    return out


def stop(how, after, given):
    return subprocess.run(
        [sys.executable, "-c", STOPPED, how, str(after), *given],
        cwd=ROOT, capture_output=True, text=True, start_new_session=True, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(mine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "fit"
    done = fit(*arguments(mine, folder))
    assert done.exit_code == 0, done.output
    return left(folder)


def test_ctrl_c_keeps_what_is_simulated_and_resume_gives_the_same(mine, whole, tmp_path):
    given = arguments(mine, tmp_path / "fit", workers=2)
    ended = stop("SIGINT", 6, given)
    assert ended.returncode == 130, ended.stderr
    assert "what was simulated is kept" in ended.stderr and "--resume" in ended.stderr
    assert "Traceback" not in ended.stderr
    kept = (tmp_path / "fit" / "simulations.jsonl").read_text().splitlines()
    assert 6 < len(kept) < len(whole["points"])
    again = fit(*arguments(mine, tmp_path / "fit"), "--resume")
    assert again.exit_code == 0, again.output
    assert left(tmp_path / "fit") == whole
    effort = (tmp_path / "fit" / "report.md").read_text()
    assert f"{len(whole['points']) - 1}, {len(whole['points']) - len(kept)} of them now" in effort


def test_kill_9_loses_nothing_and_resume_gives_the_same(mine, whole, tmp_path):
    given = arguments(mine, tmp_path / "fit")
    assert stop("SIGKILL", 4, given).returncode == -9
    kept = (tmp_path / "fit" / "simulations.jsonl").read_text().splitlines()
    assert len(kept) == 5  # the heading and four points
    refused = fit(*given)
    assert refused.exit_code == 2 and "--resume it" in refused.output
    other = fit(*given[:5], f"{KEY}=0:0.9", *given[6:], "--resume")
    assert other.exit_code == 2 and "the stopped fit had other" in other.output
    assert fit(*given, "--resume").exit_code == 0
    assert left(tmp_path / "fit") == whole


@pytest.mark.verify
def test_a_posterior_is_the_same_when_stopped_and_whatever_the_workers(mine, tmp_path):
    for name, workers in (("one", 1), ("two", 2)):
        assert fit(*arguments(mine, tmp_path / name, 20, workers)).exit_code == 0
    given = arguments(mine, tmp_path / "stopped", 20)
    assert stop("SIGKILL", 90, given).returncode == -9
    assert stop("SIGINT", 90, [*given, "--resume"]).returncode == 130
    assert fit(*given, "--resume").exit_code == 0
    assert left(tmp_path / "one") == left(tmp_path / "two") == left(tmp_path / "stopped")


ROW = {"id": "a", "quantity": "site_percent", "of.organ": "bone", "value": "40", "total": "300"}
BAD = [
    ({"quantity": "site_percnt"}, [], 'did you mean "site_percent"'),
    ({"of.organ": "bon"}, [], 'has no organ "bon" (did you mean "bone"?)'),
    ({"low": "41", "high": "50"}, [], "the interval 41 to 50 does not hold the value 40"),
    ({"value": "140"}, [], "a percentage is from 0 to 100, not 140"),
    ({"events": "301"}, [], "301 events are more than the total of 300"),
    ({"scenario": "luminal_x"}, [], 'there is no scenario "luminal_x", so nothing simulates'),
    ({"use": "check"}, [], "none is simulated and of use"),
    ({"where.relapse_years": ">500"}, [], "leaves none of"),
    ({"where.growth.nothing": ">1"}, [], "not simulated: no column growth.nothing"),
    ({}, ["--free", f"{KEY}=0:1.5"], "its prior's high end is refused"),
    ({}, ["--free", "soil.bone.nich=0:1"], "soil.bone.nich"),
    ({}, ["--free", f"{KEY}=1:0"], "low (1) must be below high (0)"),
    ({}, ["--free", f"one:{KEY}=0:1"], "there is no cohort one"),
    ({}, ["--draws", "5"], "a posterior takes at least 20"),
]


@pytest.mark.parametrize(("cells", "given", "said"), BAD, ids=[said[:30] for _, _, said in BAD])
def test_bad_input_is_one_clear_message_and_nothing_is_lost(cells, given, said, tmp_path):
    path, folder = tmp_path / "mine.csv", tmp_path / "fit"
    row = ROW | cells
    path.write_text(f"{','.join(row)}\n{','.join(row.values())}\n")
    free = [] if "--free" in given else ["--free", f"{KEY}=0:1"]
    done = fit("fit", "luminal_b_surgery", "--targets", path, "--patients", "150", "--output",
               folder, "--workers", "1", "--quiet", *free, *given)  # fmt: skip
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.output.split())
    assert "Traceback" not in done.output
    again = fit(
        "fit", "luminal_b_surgery", "--targets", path, "--output", folder, "--quiet", *free, *given
    )
    assert again.exit_code == 2 and said in " ".join(again.output.split())


def test_a_finished_fit_is_not_overwritten_by_mistake(mine, tmp_path):
    (tmp_path / "fit").mkdir()
    (tmp_path / "fit" / "notes.txt").write_text("mine")
    done = fit(*arguments(mine, tmp_path / "fit"), "--overwrite")
    assert done.exit_code == 2 and "holds no fit, so it is not overwritten" in done.output
    assert os.listdir(tmp_path / "fit") == ["notes.txt"]


def test_a_damaged_journal_is_named(mine, tmp_path):
    path = tmp_path / "fit" / "simulations.jsonl"
    path.parent.mkdir()
    path.write_text(json.dumps({"point": 1}) + "\n")
    done = fit(*arguments(mine, path.parent), "--resume")
    assert done.exit_code == 2 and "simulations.jsonl: damaged" in done.output
    with pytest.raises(ms.ResultsError, match="damaged"):
        ms.fit(
            "luminal_b_surgery", mine, {KEY: (0, 1)}, output=path.parent, patients=250, resume=True
        )
