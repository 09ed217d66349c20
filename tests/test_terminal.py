"""Terminals of every kind: what they cannot show never costs finished work, and text is text."""

import errno
import io
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console
from typer.testing import CliRunner

import metasim as ms
from metasim.cli import app
from metasim.cli.finish import NOT_SHOWN, Finish
from metasim.results.plots import save
from metasim.runner.progress import reporting
from metasim.terminal import Guard, cells, encodable, fold, guarded, plain
from metasim.terminal.table import FittingTable
from tests.faults import ROOT

HOSTILE = """
extends = "luminal_a_surgery"
title = "Arm [red]A[/] [/spine] \\u001b[31m :smile: 中文 \\u202egnp"
[run]
patients = 12
[soil.bone]
label = "Bone [/spine]"
[soil.lung]
label = "肺 [spine] \\u001b[2J\\u0007"
[soil.liver]
label = "Foie né ≥ 2\\nnext"
"""


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "[b]ad.toml").write_text(HOSTILE, encoding="utf-8")


def metasim(*words, charset="utf-8", columns="80"):
    runner = CliRunner(charset=charset)
    return runner.invoke(app, [str(word) for word in words], env={"COLUMNS": columns})


def harmless(printed):
    assert "Traceback" not in printed
    assert not [one for one in printed if ord(one) < 32 and one != "\n"], "a control was sent"
    assert "\u202e" not in printed


@pytest.mark.parametrize("charset", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_any_encoding_gets_the_table_and_the_results(charset):
    ended = metasim("run", "[b]ad.toml", "--no-figures", "--output", "o", charset=charset)
    assert ended.exit_code == 0, ended.output
    printed = ended.stdout_bytes.decode(charset)
    harmless(printed)
    assert "Bone [/spine]" in printed
    assert "\\x1b[2J\\x07" in printed
    assert "[spine]" in printed
    assert ("patients with ≥1" if charset == "utf-8" else "patients with >=1") in printed
    assert ("Foie ne" if charset == "ascii" else "Foie né") in printed
    if charset == "ascii":
        assert "\\u80ba" in printed


def test_user_text_is_text_in_every_command(tmp_path):
    name = "[b]ad.toml"
    shown = metasim("show", name).stdout
    harmless(shown)
    assert 'label = "Bone [/spine]"' in shown
    assert "[red]A[/] [/spine]" in shown
    toml = metasim("show", name, "--toml").stdout
    harmless(toml)
    (tmp_path / "again.toml").write_text(toml, encoding="utf-8")
    assert metasim("show", "again.toml", "--toml").stdout.count("[/spine]") == toml.count(
        "[/spine]"
    )
    assert metasim("check", name).stdout == f"{name}: fine\n"
    other = tmp_path / "[other].toml"
    other.write_text(HOSTILE.replace("Arm", "Leg"), encoding="utf-8")
    compared = metasim("compare", name, other.name, "--output", "c[d]")
    assert compared.exit_code == 0, compared.output
    harmless(compared.stdout)
    for said in ("A  [b]ad: Arm [red]A[/] [/spine] \\x1b[31m :smile:", "Bone [/spine]", "c[d]"):
        assert said in compared.stdout
    swept = metasim("sweep", name, "--vary", "soil.bone.niche=0:1:1", "--no-figures")
    harmless(swept.output)
    assert "results  results/[b]ad-sweep/" in swept.stdout
    for words in (
        ["run", "\x1b[31mno.toml"],
        ["run", name, "--set", "soil.\x1b[31m=1"],
        ["run", name, "--\x1b[31m"],
        ["\x1b[31m"],
        ["plot", "\x1b[31m[/red]"],
        ["compare", "a\x1b[31m", "[/b]"],
        ["run", name, "--engine", "[/red]\x1b[31m"],
    ):
        ended = metasim(*words)
        assert ended.exit_code == 2
        harmless(ended.output)
        assert "\\x1b[31m" in ended.stderr or "\\u001b[31m" in ended.stderr


def test_progress_reads_no_markup():
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=60, color_system=None)
    with reporting(10, 0, True, terminal) as report:
        report.note("worker [/tcp] left [red]early[/red] \x1b[2J")
    assert "worker [/tcp] left [red]early[/red] \\x1b[2J" in screen.getvalue()


def table(name="Bone"):
    out = FittingTable("A title", ("organ", "patients with ≥1", "mean"), "what it means")
    out.add_row(name, "12.3 % (10.1-14.9)", "0.123")
    out.add_row("all", "99.9 % (98.7-99.99)", "1,234,567")
    return out


@pytest.mark.parametrize("width", [12, 20, 30, 40, 60, 80])
@pytest.mark.parametrize("name", ["Bone", "中文中文中文中文中文中文", "a" * 70])
def test_no_width_costs_a_name_or_a_number(width, name):
    screen = io.StringIO()
    Console(file=screen, width=width).print(table(name))
    printed = screen.getvalue()
    squeezed = "".join(printed.split())
    for said in ("12.3%(10.1-14.9)", "0.123", "99.9%(98.7-99.99)", "1,234,567"):
        assert said in squeezed
    assert "…" not in printed
    assert squeezed.count(name[0]) >= name.count(name[0])
    if width >= 20:
        assert all(cells(line) <= width for line in printed.splitlines())


def test_comparison_in_a_narrow_terminal_keeps_every_number():
    words = ["compare", "luminal_a_surgery", "emt", "--patients", 12, "--quiet"]
    wide, narrow = (metasim(*words, columns=columns).stdout for columns in ("100", "30"))
    numbers = {
        word for word in wide.replace("(", " ").replace(")", " ").split() if word[0].isdigit()
    }
    assert len(numbers) > 10
    assert not numbers - set(narrow.replace("(", " ").replace(")", " ").split())
    assert all(cells(line) <= 30 for line in narrow.splitlines())


def test_plain_shows_what_would_act_and_keeps_the_rest():
    assert plain("a\x1b[31m\r\x9b\x7f\u202e\udcff é中\n") == (
        "a\\x1b[31m\\x0d\\x9b\\x7f\\u202e\\xff é中\n"
    )
    assert plain("a\nb", lines=False) == "a\\nb"


def test_encodable_never_fails():
    for encoding in ("ascii", "latin-1", "cp1252", "cp437", "shift_jis", "utf-8", "nosuch", None):
        for text in ("≥±·×−", "né", "中文", "▁█─│", "\udcff", "e\u0301"):
            said = encodable(text, encoding)
            if encoding not in ("nosuch", None):
                said.encode(encoding)
            if encoding is None:
                assert said.isascii()


def test_fold_measures_cells():
    assert fold("中文 中文 中文", 9) == ["中文 中文", "中文"]
    assert fold("ab " + "x" * 12, 9, "  ", "    ") == ["  ab", "    " + "x" * 12]
    assert fold("", 9) == []


class Broken(io.StringIO):
    encoding = "utf-8"

    def __init__(self, number):
        super().__init__()
        self.number = number

    def write(self, text):
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(("number", "gone"), [(errno.EPIPE, True), (errno.ENOSPC, False)])
def test_guard_remembers_what_could_not_be_written(number, gone):
    out = Guard(Broken(number))
    print("lost", file=out)
    out.flush()
    assert out.lost is not None
    assert out.lost.errno == number
    assert out.gone is gone


def test_guard_of_no_stream_drops_everything(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with guarded() as (out, err):
        print("nowhere")
        print("nowhere", file=sys.stderr)
        assert not out.isatty()
        assert out.lost is err.lost is None
    assert sys.stdout is None


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, NOT_SHOWN), (errno.EPIPE, 0)], ids=["full", "left"]
)
def test_lost_output_costs_no_work_and_the_exit_code_says_so(number, code, tmp_path, monkeypatch):
    monkeypatch.setattr(save, "worth_drawing", lambda results: ["organ_counts"])
    error = io.StringIO()
    monkeypatch.setattr(sys, "stdout", Broken(number))
    monkeypatch.setattr(sys, "stderr", error)
    with pytest.raises(SystemExit) as ended:
        app(["run", "growth_only", "--patients", "3", "--output", "o"], prog_name="metasim")
    assert ended.value.code == code
    assert (tmp_path / "o/figures/organ_counts.png").exists()
    assert (tmp_path / "o/provenance.json").exists()
    said = "metasim: output: No space left on device\n"
    assert error.getvalue().endswith(said if code else "")
    assert "Traceback" not in error.getvalue()


@pytest.mark.unix
def test_closed_descriptors_are_not_given_to_files():
    code = "from metasim.terminal import hold_descriptors; hold_descriptors()\n"
    code += "f = open('f', 'w'); f.write(str(f.fileno()))"
    subprocess.run(["bash", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, code],
                   check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    with open("f") as file:
        assert int(file.read()) > 2


@pytest.mark.verify
@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("> /dev/full", NOT_SHOWN), (">&- 2>&- <&-", 0), ("2> /dev/full", 0),
        ("| true; exit ${PIPESTATUS[0]}", 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "environment",
    [
        "PYTHONIOENCODING=ascii",
        "LC_ALL=C",
        "TERM=dumb",
        "NO_COLOR=1",
        "COLUMNS=20",
        "MPLBACKEND=no",
    ],
)
@pytest.mark.unix
def test_any_terminal_in_a_process_of_its_own(how, code, environment, tmp_path):
    run = f'{environment} "$0" -m metasim run growth_only --patients 3 --output o {how}'
    ended = subprocess.run(["bash", "-c", run, sys.executable], capture_output=True, text=True)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    assert (tmp_path / "o/figures/organ_counts.png").exists()


def test_figure_that_cannot_be_drawn_is_named_and_the_others_are_drawn(tmp_path, monkeypatch):
    def fails(results):
        raise RuntimeError("no font \x1b[31m")

    broken = replace(save.FIGURES["incidence"], data=fails)
    monkeypatch.setitem(save.FIGURES, "incidence", broken)
    monkeypatch.setattr(save, "worth_drawing", lambda results: ["incidence", "organ_counts"])
    ended = metasim("run", "growth_only", "--patients", 3, "--output", "o")
    assert ended.exit_code == NOT_SHOWN
    assert "figure incidence: cannot be shown (RuntimeError: no font \\x1b[31m)" in ended.stderr
    assert "metasim plot o draws the figures again" in ended.stderr
    assert (tmp_path / "o/figures/organ_counts.png").exists()
    assert "organ_counts" in ended.stdout
    again = metasim("plot", "o")
    assert (again.exit_code, again.stdout.count("organ_counts")) == (NOT_SHOWN, 2)


def test_figures_without_matplotlib_are_named():
    finish = Finish()

    def no_names():
        raise ImportError("DLL load failed")

    assert finish.figures(no_names, lambda name: []) == []
    assert finish.missing == ["figures"]


def test_help_of_every_command_is_ascii():
    for words in ([], ["run"], ["sweep"], ["sensitivity"], ["compare"], ["plot"], ["watch"]):
        assert metasim(*words, "--help", charset="ascii").exit_code == 0
        assert metasim(*words, "--help").stdout.isascii()


def test_watch_leaves_its_last_state_once_on_a_terminal_without_movement():
    screen = io.StringIO()
    dumb = Console(file=screen, force_terminal=True, width=100, _environ={"TERM": "dumb"})
    ms.watch(ms.load("few_cells", {"run.years": 0.05}), console=dumb)
    assert screen.getvalue().count("over time") == 1
    assert "\x1b" not in screen.getvalue()
