"""What the Tab key offers, through the variables by which shells ask."""

import errno
import os
import subprocess
import sys
from functools import partial

import pytest
import typer.completion
from typer.testing import CliRunner

from metasim.cli import app
from metasim.results.plots import FIGURES
from metasim.scenario.catalogue import RUNNABLE, SHIPPED
from tests.faults import ROOT


@pytest.fixture(autouse=True)
def in_a_folder_with_a_scenario(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = 'extends = "luminal_a_surgery"\n[soil.lung]\nsymptoms.own_cough = 1e9\n'
    (tmp_path / "my_own.toml").write_text(own)
    (tmp_path / "wrong.toml").write_text("extends = 5")


def offered(typed):
    *_, last = words = typed.split(" ")
    asks = {
        "_METASIM_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    said = CliRunner().invoke(app, [], env=asks, prog_name="metasim").stdout.split()
    assert all(word.startswith(last) for word in said)
    return said


def test_scenarios_are_the_shipped_ones_and_files_here():
    for command in ("run", "sweep", "compare few_cells", "show", "check", "watch", "fit"):
        names = offered(f"metasim {command} ")
        assert {*SHIPPED.names(RUNNABLE), "my_own.toml"} <= set(names)
    assert offered("metasim run my") == ["my_own.toml"]
    assert offered("metasim run elsewhere/") == []  # the shell completes the names of files


def test_keys_are_those_of_the_scenario_that_was_typed():
    assert offered("metasim run luminal_a_surgery --set soil.bone.nic") == ["soil.bone.niche="]
    own = "soil.lung.symptoms.own_c"
    assert offered(f"metasim run my_own.toml --set {own}") == [f"{own}ough="]
    assert offered(f"metasim run luminal_a_surgery --set {own}") == []
    assert offered("metasim run wrong.toml --set soil.bone.nic") == ["soil.bone.niche="]
    assert offered("metasim sweep luminal_a_surgery --vary run.rng") == ["run.rng_seed="]
    assert offered("metasim show few_cells --key run.rng") == ["run.rng_seed"]


def test_words_are_the_allowed_ones():
    assert offered("metasim run luminal_a_surgery --record su") == ["summary"]
    assert offered("metasim run luminal_a_surgery --executor ") == [
        "serial",
        "threads",
        "processes",
        "dask",
    ]
    assert set(offered("metasim plot results --figure ")) == set(FIGURES)
    assert offered("metasim sensitivity luminal_a_surgery --method m") == ["morris"]


@pytest.mark.unix
def test_bash_completes_with_what_is_documented(tmp_path):
    command = tmp_path / "metasim"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m metasim "$@"\n')
    command.chmod(0o755)
    typed = """eval "$(metasim --show-completion)"
COMP_WORDS=(metasim run tri) COMP_CWORD=2
_metasim_completion metasim
echo "${COMPREPLY[@]}"
"""
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PYTHONPATH": str(ROOT), "PATH": path}
    done = subprocess.run(["bash", "-c", typed], capture_output=True, text=True, env=env)
    assert done.stdout.split() == ["triple_negative", "triple_negative_surgery"], done.stderr


def test_home_that_takes_nothing_is_one_message(monkeypatch):
    error = OSError(errno.EROFS, os.strerror(errno.EROFS), "/home/.bashrc")
    monkeypatch.setattr(typer.completion, "install", partial(_raise, error))
    ended = CliRunner().invoke(app, ["--install-completion"])
    assert (ended.exit_code, ended.stderr) == (2, "metasim: /home/.bashrc: Read-only file system\n")


def _raise(error, *_, **__):
    raise error
