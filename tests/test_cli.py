"""The command line as a user meets it: what it prints, how it ends, what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from metasim.cli import app
from metasim.terms import VERSION
from tests.faults import ROOT

METASIM = [sys.executable, "-m", "metasim"]
SMALL = ["--patients", "20", "--no-figures"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch, one_figure_in_module):
    monkeypatch.chdir(tmp_path)


def metasim(*words):
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "80"})


def refused(*words):
    """The one message of a command that is refused with exit code 2."""
    result = metasim(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert isinstance(result.exception, SystemExit), "ended in a traceback"
    return result.stderr


def message(stderr):
    """The one message of a process, beside the lines of its progress."""
    assert "Traceback" not in stderr
    (said,) = [line for line in stderr.splitlines() if line.startswith("metasim: ")]
    return said


def fits(text):
    return all(len(line) <= 80 for line in text.splitlines())


@pytest.fixture(scope="module")
def finished(tmp_path_factory, one_figure_in_module):
    """A finished run, and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "a"
    result = metasim("run", "luminal_a_surgery", "--patients", 60, "--output", folder)
    assert result.exit_code == 0, result.output
    return folder, result.stdout


def test_help_fits_and_names_every_command():
    result = metasim("-h")
    assert result.exit_code == 0
    assert fits(result.stdout)
    assert "..." not in result.stdout.partition("Commands:")[2], "a description is cut off"
    listed = result.stdout.partition("Commands:\n")[2].splitlines()
    commands = [line.split()[0] for line in listed]
    assert commands == ["run", "sweep", "sensitivity", "compare", "validate", "fit",
                        "new", "explore", "plot", "report", "watch", "show", "check", "list",
                        "schema"]  # fmt: skip
    for command in commands:
        helped = metasim(command, "--help")
        assert helped.exit_code == 0
        assert fits(helped.stdout)


def test_version():
    assert metasim("--version").stdout == f"metasim {VERSION}\n"


def test_run_prints_the_table_and_writes_the_folder(finished):
    folder, printed = finished
    lines = [line.rstrip() for line in printed.splitlines()]
    assert fits(printed)
    for organ in ("Axillary nodes", "Lung", "Liver", "Bone", "Brain", "any distant organ"):
        (row,) = [line for line in lines if line.startswith(organ)]
        assert row.count("%") == 1, "a cell of the table is wrapped"
        assert row.count("(") >= 2
    assert f"results  {folder}{os.sep}" in lines
    assert {"scenario.toml", "provenance.json", "metastases.parquet"} <= set(os.listdir(folder))
    assert (folder / "figures" / "organ_counts.png").stat().st_size > 10_000


def test_run_by_name_goes_to_results_and_is_not_overwritten_unasked(tmp_path):
    assert (
        metasim("run", "growth_only", *SMALL, "--quiet").stdout == "results  results/growth_only/\n"
    )
    stamp = (tmp_path / "results/growth_only/provenance.json").read_text()
    assert "--overwrite" in refused("run", "growth_only", *SMALL)
    assert (tmp_path / "results/growth_only/provenance.json").read_text() == stamp
    assert metasim("run", "growth_only", *SMALL, "--quiet", "--overwrite").exit_code == 0
    assert os.listdir(tmp_path / "results") == ["growth_only"]


def test_saved_scenario_runs_again_to_the_same_tables(finished):
    folder, _ = finished
    assert metasim("run", folder / "scenario.toml", "--output", "b", "--no-figures").exit_code == 0
    for table in folder.glob("*.parquet"):
        assert pq.read_table(f"b/{table.name}").equals(pq.read_table(table)), table.name


def test_options_and_set_change_the_scenario(tmp_path):
    words = ["--set", "soil.bone.niche=0.25", "--rng-seed", 7, "--years", 2, "--record", "patients"]
    assert metasim("run", "luminal_a_surgery", *SMALL, *words, "--output", "o").exit_code == 0
    saved = tomllib.loads((tmp_path / "o/scenario.toml").read_text())
    run = saved["run"]
    assert (run["patients"], run["rng_seed"], run["years"]) == (20, 7, 2.0)
    assert saved["soil"]["bone"]["niche"] == 0.25
    assert not (tmp_path / "o/metastases.parquet").exists()


def test_plot_draws_the_figures_asked_for(finished, tmp_path):
    folder, _ = finished
    result = metasim("plot", folder, "--figure", "organ_counts", "--output", tmp_path / "f")
    assert result.exit_code == 0
    assert sorted(os.listdir(tmp_path / "f")) == ["organ_counts.pdf", "organ_counts.png"]
    assert result.stdout.split() == [
        str(tmp_path / "f" / f"organ_counts.{kind}") for kind in ("png", "pdf")
    ]


def test_show_says_where_a_value_is_from():
    shown = metasim(
        "show", "luminal_a_surgery", "--set", "soil.bone.niche=0.3", "--key", "soil.bone"
    )
    assert shown.exit_code == 0
    (niche,) = [line for line in shown.stdout.splitlines() if line.startswith("niche =")]
    assert niche.split()[:5] == ["niche", "=", "0.3", "user", "--set"]
    assert "proteolysis" not in shown.stdout
    whole = metasim("show", "palliative").stdout
    assert fits(whole)
    tables = [line for line in whole.splitlines() if line.startswith("[")]
    assert "[soil.bone]" in tables
    assert len(set(tables)) == len(tables), "a table is printed twice"
    whole = metasim("show", "luminal_a_surgery", "--toml").stdout
    assert tomllib.loads(whole)["soil"]["bone"]["label"] == "Bone"


def test_check_lists_the_mistakes_of_all_files(tmp_path):
    (tmp_path / "good.toml").write_text('extends = "luminal_a_surgery"\n')
    (tmp_path / "bad.toml").write_text(
        'extends = "luminal_a_surgery"\n[soil.bone]\nniche = 1.5\nnich = 0.2\n[run]\nyears = nan\n'
    )
    assert (
        metasim("check", "good.toml", "luminal_a_surgery").stdout
        == "good.toml: fine\nluminal_a_surgery: fine\n"
    )
    result = metasim("check", "bad.toml", "good.toml", "nosuch.toml")
    assert (result.exit_code, result.stdout) == (2, "good.toml: fine\n")
    for said in ("bad.toml: 3 mistakes", "soil.bone.niche", "1.5", '"niche"', "run.years",
                 "nosuch.toml: there is no such file"):  # fmt: skip
        assert said in result.stderr


def test_list_and_schema():
    listed = metasim("list")
    assert listed.exit_code == 0
    assert fits(listed.stdout)
    assert "luminal_a_surgery" in listed.stdout
    schema = json.loads(metasim("schema").stdout)
    assert metasim("schema", "--output", "written.json").exit_code == 0
    assert json.loads(Path("written.json").read_text("utf-8")) == schema
    assert "soil" in schema["properties"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "lumnal_a"], 'did you mean "luminal_a"'),
        (["run", "nosuch.toml"], "nosuch.toml: there is no such file"),
        (["run", "."], "folder"),
        (["run", "luminal_a_surgery", "--set", "soil.bone.nich=1"], 'did you mean "niche"'),
        (["run", "luminal_a_surgery", "--set", "soil.bone.niche"], "expected KEY=VALUE"),
        (["run", "luminal_a_surgery", "--set", "soil.bone.niche=high"], 'not "high"'),
        (["run", "luminal_a_surgery", "--set", "soil.bone.niche=1.5"], "from 0 to 1, not 1.5"),
        (["run", "luminal_a_surgery", "--set", "soil.bone.niche=nan"], "not nan"),
        (["run", ""], '"": is no scenario'),
        (["run", "luminal_a_surgery", "--patients", 0], "not 0 (in --patients)"),
        (
            ["run", "luminal_a_surgery", "--engine", "colony"],
            '(in --engine; did you mean "colonies"?)',
        ),
        (["run", "luminal_a_surgery", "--years", "1e9"], "more than 1,000,000 steps"),
        (
            ["run", "luminal_a_surgery", "--until", "bone.share +- 1%", "--patients", 5],
            "exclude each other",
        ),
        (
            ["run", "luminal_a_surgery", "--until", "bone.share +- 100%"],
            "any number of patients would do",
        ),
        (["run", "luminal_a_surgery", "--until", "bone.metastases +- 500%"], "ask for less"),
        (["sweep", "luminal_a_surgery", "--patients", 0], "not 0 (in --patients)"),
        (
            ["sweep", "luminal_a_surgery", "--vary", "soil.bone.niche=0:1:1e-12"],
            "1,000,000,000,001 points",
        ),
        (
            ["sweep", "luminal_a_surgery", "--vary", "soil.bone.niche=0:1:1e-320"],
            "more than 1,000,000",
        ),
        (["sweep", "luminal_a_surgery", "--vary", "=0:1:0.5"], "expected KEY=LOW:HIGH:STEP"),
        (["compare", "luminal_a_surgery", "luminal_a_surgery"], "given twice"),
        (["compare", "luminal_a_surgery", "emt", "--years", -1], "(in --years)"),
        (["watch", "few_cells", "--cells", "no/cells.parquet"], "no/cells.parquet: cannot be"),
        (["watch", "few_cells", "--movie", "cells.avi"], "the format is .gif or .mp4"),
        (["show", "luminal_a_surgery", "--key", "bone"], "such as soil.bone, "),
        (["run", "luminal_a_surgery", "--years", -1], "run.years"),
        (["run", "luminal_a_surgery", "--set", "run.dt_days=1e6"], "longer than the run"),
        (["run", "luminal_a_surgery", "--engine", "turbo"], '"colonies" or "cells"'),
        (["run", "luminal_a_surgery", "--record", "all"], "everything"),
        (["run", "luminal_a_surgery", "--output", "/dev/null/x"], "/dev/null"),
        (["run", "luminal_a_surgery", "--pateints", 3], "--patients"),
        (["run", "luminal_a_surgery", "--patients", "many"], "--patients"),
        (["run"], "scenario"),
        (["rnu"], "'run'"),
        (["show", "luminal_a_surgery", "--key", "soil.bnoe"], 'mean "soil.bone'),
        (["plot", "nosuch"], "no such results folder"),
        (["plot", "."], "not a results folder"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_bad_input_is_one_message_and_nothing_written(words, said, tmp_path):
    printed = refused(*words)
    assert said.lower() in printed.lower()
    assert len(printed.strip().splitlines()) <= 4  # with the usage, if an option is wrong
    assert list(tmp_path.iterdir()) == []


def test_what_is_refused_is_refused_before_the_engine_is_compiled(finished, monkeypatch):
    compiled = []
    monkeypatch.setattr("metasim.cli.running._compile", lambda s, quiet: compiled.append(quiet))
    folder = ["--output", finished[0]]
    for words in (
        ["run", "luminal_a_surgery", *folder],
        ["run", "luminal_a_surgery", "--output", "/dev/null/x"],
        ["run", "luminal_a_surgery", "--until", "bnoe.share +- 1%"],
        ["run", "luminal_a_surgery", "--workers", 0],
        ["sweep", "luminal_a_surgery", "--vary", "soil.bone.niche=0:1:0.5", *folder],
        ["sweep", "luminal_a_surgery", "--vary", "soil.bone.niche=0:2:0.5"],
        ["sensitivity", "luminal_a_surgery", "--vary", "soil.bone.niche=0:1", *folder],
    ):
        refused(*words)
    assert compiled == []
    assert metasim("run", "growth_only", *SMALL, "--quiet").exit_code == 0
    assert compiled == [True]


def test_requeued_run_prints_what_is_finished_and_ends_well(finished):
    folder, printed = finished
    again = metasim("run", "luminal_a_surgery", "--patients", 60, "--output", folder, "--resume")
    assert (again.exit_code, again.stdout, again.stderr) == (0, printed, "already complete\n")
    said = refused("run", "luminal_a_surgery", "--patients", 61, "--output", folder, "--resume")
    assert "differs in 1 key: run.patients was 60, is 61" in said


def test_engine_compiled_elsewhere_is_not_announced_again(tmp_path):
    code = "from metasim.engines.colonies import compiled; print(compiled())"

    def ask() -> str:
        env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True
        ).stdout

    (tmp_path / "other_0123").mkdir()
    (tmp_path / "other_0123" / "another.program-1.py311.nbi").touch()
    assert ask() == "False\n"
    (tmp_path / "colonies_4567").mkdir()
    (tmp_path / "colonies_4567" / "__init__.simulate-1.py311.nbi").touch()
    assert ask() == "True\n"


@pytest.mark.unix
def test_full_disk_behind_the_output_is_one_message(tmp_path):
    with open("/dev/full", "w") as full:
        ended = subprocess.run([*METASIM, "list"], stdout=full, stderr=subprocess.PIPE, text=True,
                               check=False)  # fmt: skip
    assert ended.returncode == 2
    assert message(ended.stderr) == "metasim: output: No space left on device"


def test_quiet_sweep_says_only_where_the_results_lie(tmp_path):
    words = ["--vary", "soil.bone.niche=0:1:1", "--patients", 5, "--quiet"]
    swept = metasim("sweep", "luminal_a_surgery", *words)
    assert (swept.exit_code, swept.stdout) == (0, "results  results/luminal_a_surgery-sweep/\n")
    assert list((tmp_path / "results/luminal_a_surgery-sweep/figures").glob("*.png"))


def test_unknown_figure_is_refused(finished):
    assert "organ_counts" in refused("plot", finished[0], "--figure", "nosuch")


def test_folder_that_is_not_ours_is_never_overwritten(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    refused("run", "growth_only", *SMALL, "--output", "mine", "--overwrite")
    assert (tmp_path / "mine/thesis.txt").read_text() == "years of work"


@pytest.mark.unix
def test_disk_that_fills_up_is_one_message_and_leaves_nothing(finished, tmp_path):
    def little_room():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    command = [*METASIM, "run", "luminal_a_surgery", "--patients", "50", "--output", "full"]
    ended = subprocess.run(
        command, capture_output=True, text=True, preexec_fn=little_room, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    said = message(ended.stderr)
    assert "full" in said
    assert "too large" in said
    assert list(tmp_path.iterdir()) == []


def test_pipe_that_closes_is_quiet(tmp_path):
    show = subprocess.Popen(
        [*METASIM, "show", "luminal_a_surgery"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    show.stdout.close()
    assert show.stderr.read() == ""
    assert show.wait() in (0, 1)
    show.stderr.close()


def test_ctrl_c_keeps_what_is_done_and_resume_ends_with_the_same_tables(finished, tmp_path):
    command = [*METASIM, "run", "luminal_a_surgery", "--patients", "6000", "--record", "metastases"]
    command += ["--no-figures", "--output"]
    run = subprocess.Popen(
        [*command, "a"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )

    def begun():  # a chunk is complete once the next one is being written
        return {path.stem.split("-")[1] for path in tmp_path.glob(".a.partial/**/*.parquet")}

    while len(begun()) < 2:
        assert run.poll() is None, run.stderr.read()
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    printed, stderr = run.communicate(timeout=20)
    assert (run.returncode, printed) == (130, "")
    assert message(stderr).startswith("metasim: stopped")
    assert not (tmp_path / "a").exists()

    assert "--resume" in refused("plot", "a")
    assert "--resume" in refused(*command[3:], "a")
    for words in (["a", "--resume"], ["b"]):
        ended = metasim(*command[3:], *words)
        assert ended.exit_code == 0, ended.stderr
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    tables = sorted(path.name for path in (tmp_path / "b").glob("*.parquet"))
    assert tables == sorted(path.name for path in (tmp_path / "a").glob("*.parquet"))
    for table in tables:
        assert pq.read_table(f"a/{table}").equals(pq.read_table(f"b/{table}")), table


@pytest.mark.unix
def test_ctrl_c_again_while_it_stops_leaves_that_alone(tmp_path):
    command = [*METASIM, "run", "luminal_a_surgery", "--patients", "200000", "--record", "patients"]
    command += ["--workers", "2", "--no-figures", "--quiet", "--output", "a"]
    run = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while len(list(tmp_path.glob(".a.partial/parts/*.parquet"))) < 12:  # some chunks are whole
        assert run.poll() is None, run.stderr.read()
        time.sleep(0.01)
    while run.poll() is None:  # until the very end: Python's own shutdown, too
        os.killpg(run.pid, signal.SIGINT)
        time.sleep(0.02)
    _, stderr = run.communicate(timeout=20)
    assert run.returncode == 130
    assert message(stderr).startswith("metasim: stopped after")
    assert stderr.count("\n") == 2
    assert "--resume" in refused("plot", "a")


def test_ctrl_c_while_python_makes_code_ends_with_130_too(tmp_path):
    code = """
from metasim.cli import app, looking
import metasim.scenario.listing as listing
listing.entries = lambda _: exec("raise KeyboardInterrupt")
app(["list"], prog_name="metasim")
"""
    (tmp_path / "started.py").write_text(code)  # as a module: `python -m metasim` is one
    env = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    ended = subprocess.run(
        [sys.executable, "-m", "started"], capture_output=True, text=True, env=env
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "\nmetasim: stopped\n")


def test_ctrl_c_ends_at_once_what_does_not_end_in_order():
    hangs = """
import signal, time
from metasim.cli import shell
shell._PATIENCE_SECONDS = 0.1
signal.signal(signal.SIGINT, shell.CtrlC())
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    signal.raise_signal(signal.SIGINT)
    print("still ending", flush=True)
    time.sleep(0.2)
    signal.raise_signal(signal.SIGINT)
print("never printed")
"""
    ended = subprocess.run([sys.executable, "-c", hangs], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "still ending\n", "")
