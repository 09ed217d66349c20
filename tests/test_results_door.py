"""Damaged and foreign results folders: one message that names the file, exit 2, no traceback."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

import metasim as ms
from metasim.cli import app
from metasim.errors import ResultsError
from metasim.results import FolderWriter
from metasim.results.parts import Span
from metasim.results.sweeps import is_sweep, open_sweep
from metasim.runner.design import parse
from tests.damages import DAMAGES, TABLES, change_about, randomly, without


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A run of a few patients with everything recorded, and a sweep of two points."""
    home = tmp_path_factory.mktemp("folders")
    base = ms.load("triple_negative_surgery").replace({"run.patients": 8, "run.years": 6.0})
    ms.run(base, output=home / "run", progress=False)
    few = base.replace({"run.patients": 4})
    ranges = [parse("soil.bone.niche=0.2:0.8:0.6")]
    ms.sweep(few, ranges, output=home / "sweep", progress=False)
    return home


def call(*arguments):
    outcome = CliRunner().invoke(app, list(map(str, arguments)))
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    assert "Traceback" not in outcome.output
    return outcome


def refused(*arguments):
    """The message of a command that has to refuse."""
    outcome = call(*arguments)
    assert outcome.exit_code == 2, (arguments, outcome.output)
    lines = [line for line in outcome.stderr.splitlines() if line.startswith("metasim: ")]
    assert len(lines) == 1
    return " ".join(outcome.stderr.split())


def resumed(folder):
    """Arguments that go on with the run of the folder."""
    return ("run", folder / "scenario.toml", "--output", folder, "--resume", "--quiet")


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named_at_the_door(name, folders, tmp_path):
    damage, words = DAMAGES[name]
    folder = shutil.copytree(folders / "run", tmp_path / "run")
    damage(folder)
    with pytest.raises(ResultsError) as caught:
        ms.open_results(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message
    assert "run" in refused("plot", folder, "--figure", "organ_counts")
    assert refused("compare", folder, folders / "run", "--quiet").endswith(
        " ".join(message.split())
    )


@pytest.mark.parametrize("name", ["patients truncated", "a list", "newer version", "cells null"])
def test_a_damaged_run_is_not_resumed(name, folders, tmp_path):
    folder = shutil.copytree(folders / "run", tmp_path / "run")
    plan = shutil.copy(folders / "run" / "scenario.toml", tmp_path / "plan.toml")
    DAMAGES[name][0](folder)
    refused("run", plan, "--output", folder, "--resume", "--quiet")


def test_without_checksums_values_are_looked_at(folders, tmp_path):
    """Folders of earlier versions, and of those who write tables themselves."""
    folder = shutil.copytree(folders / "run", tmp_path / "run")
    change_about(without("checksums"))(folder)
    change_about(without("description"))(folder)
    assert ms.open_results(folder).description == ms.open_results(folders / "run").description
    for name, (damage, words) in DAMAGES.items():
        if "checksum" in name or "description" in name or "flipped" in name:
            continue
        again = shutil.copytree(folder, tmp_path / name.replace(" ", "_"))
        damage(again)
        if name == "a number changed":  # nothing says what it was
            assert ms.open_results(again)
            continue
        with pytest.raises(ResultsError) as caught:
            ms.open_results(again)
        assert all(word in str(caught.value) for word in words), name


def test_tables_that_do_not_belong_together_are_refused(folders, tmp_path):
    import pyarrow.parquet as pq

    folder = shutil.copytree(folders / "run", tmp_path / "run")
    change_about(without("checksums"))(folder)
    path = folder / "metastases.parquet"
    table = pq.read_table(path)
    for column in ("patient", "metastasis", "parent"):
        wrong = table[column].to_numpy() + (1000 if column != "metastasis" else 0)
        wrong = wrong if column != "metastasis" else np.ones_like(wrong)
        place = table.column_names.index(column)
        pq.write_table(table.set_column(place, column, [wrong]), path)
        with pytest.raises(ResultsError, match=f"metastases.parquet: column '{column}'"):
            ms.open_results(folder)


def test_folders_of_another_kind_say_what_they_are(folders, tmp_path):
    comparison = tmp_path / "comparison"
    comparison.mkdir()
    for name in ("differences.csv", "ratios.csv"):
        (comparison / name).write_text("a\n1\n")
    stopped = tmp_path / ".stopped.partial"
    with pytest.raises(KeyboardInterrupt), _writer(folders, tmp_path / "stopped"):
        raise KeyboardInterrupt
    empty = tmp_path / "empty"
    empty.mkdir()
    cases = {
        folders / "sweep": "a sweep, not the results of a run",
        comparison: "tables of a comparison, not the results of a run",
        empty: "not a results folder of metasim",
        tmp_path / "missing": "no such results folder",
        tmp_path / "stopped": "a stopped run lies beside it",
        stopped: "parts of a stopped run",
    }
    for folder, words in cases.items():
        with pytest.raises(ResultsError, match=words):
            ms.open_results(folder)
        if not is_sweep(folder):
            assert words in refused("plot", folder)
        if folder.is_dir():
            assert words in refused("compare", folder, folders / "run", "--quiet")
    with pytest.raises(ResultsError, match="the results of a run, not a sweep"):
        open_sweep(folders / "run")


def _writer(folders, target):
    text = (folders / "run" / "scenario.toml").read_text()
    writer = FolderWriter(target, text, record="summary", resume=True)

    class Open:
        def __enter__(self):
            writer.__enter__()
            tables = {"failures": b"x", "summary": b"y"}
            writer.write_chunk(Span(0, 1), tables)
            return writer

        def __exit__(self, *error):
            return writer.__exit__(*error)

    return Open()


def test_damaged_sweeps_are_named(folders, tmp_path):
    import pyarrow.parquet as pq

    def check(change, *words):
        folder = shutil.copytree(folders / "sweep", tmp_path / "sweep", dirs_exist_ok=True)
        change(folder)
        with pytest.raises(ResultsError) as caught:
            open_sweep(folder)
        assert all(word in str(caught.value) for word in words), str(caught.value)
        refused("plot", folder)

    def table(change):
        def damage(folder):
            path = folder / "sweep.parquet"
            pq.write_table(change(pq.read_table(path)), path)

        return damage

    check(table(lambda t: t.drop_columns(["share_low"])), "sweep.parquet: column 'share_low'")
    check(
        table(lambda t: t.drop_columns(["soil.bone.niche"])), "column 'soil.bone.niche' is missing"
    )
    check(table(lambda t: t.slice(0, 3)), "sweep.parquet: changed since")
    check(lambda f: (f / "failures.parquet").unlink(), "failures.parquet: missing")
    check(change_about(without("keys")), "'keys' is missing")
    check(change_about(lambda a: a | {"keys": [1]}), "'keys' is [1]")
    check(change_about(lambda a: a | {"points": "3"}), "'points'")
    check(change_about(lambda a: a | {"format_version": 7}), "written by a newer metasim")
    check(lambda f: (f / "scenario.toml").write_text("x"), "scenario.toml")


def test_a_stopped_run_with_damaged_parts_is_mended_or_refused(folders, tmp_path):
    target = tmp_path / "again"
    with pytest.raises(KeyboardInterrupt), _writer(folders, target):
        raise KeyboardInterrupt
    hidden = tmp_path / ".again.partial"
    parts = sorted((hidden / "parts").iterdir())
    assert len(parts) == 2
    shutil.copy(parts[0], parts[1])  # whole, but of another table: done again
    text = (folders / "run" / "scenario.toml").read_text()
    with FolderWriter(target, text, record="summary", resume=True) as writer:
        assert writer.finished() == []
    for text in ("", "[]", "{}", '{"scenario": 3}', "[" * 10_000):
        hidden.mkdir(exist_ok=True)
        (hidden / "parts").mkdir(exist_ok=True)
        (hidden / "parts" / "summary-0-1.parquet").write_bytes(b"x")
        (hidden / "fingerprint.json").write_text(text)
        with pytest.raises(ResultsError, match=r"fingerprint\.json: damaged"):
            FolderWriter(target, "a = 1\n", record="summary", resume=True).__enter__()


def damage_at_random(folders, tmp_path, number, figures):
    rng = np.random.default_rng(number)
    for k in range(number):
        folder = shutil.copytree(folders / "run", tmp_path / f"run{k}")
        if k % 2:  # nothing but the check of the values stands between the damage and the user
            change_about(without("checksums"))(folder)
        done = randomly(folder, rng)
        arguments = ("plot", folder, "--figure", figures[k % len(figures)])
        outcome = call(*arguments)
        assert outcome.exit_code in (0, 2), (done, outcome.output)
        shutil.rmtree(folder)


@pytest.mark.verify
def test_hundreds_of_random_damages_end_in_a_message_or_a_figure(folders, tmp_path):
    damage_at_random(folders, tmp_path, 400, [*ms.plots.FIGURES])


def test_checksums_are_of_every_file(folders):
    for name, tables in (("run", TABLES), ("sweep", ("sweep", "failures"))):
        about = json.loads((folders / name / "provenance.json").read_text())
        assert {f"{table}.parquet" for table in tables} < set(about["checksums"])
        assert "scenario.toml" in about["checksums"]
