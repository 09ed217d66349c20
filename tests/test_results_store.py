"""Results folders: whole or absent, resumable, and clear about what is wrong with them."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metasim.errors import MetasimWarning, ResultsError
from metasim.results import FolderWriter, MemoryWriter, Results, open_results
from metasim.results.folder import partial_path
from metasim.results.parts import Span
from metasim.results.tables import SCHEMAS, TABLES_AT, conform
from metasim.terms import RECORD_LEVELS
from tests import faults
from tests.synthetic import make_tables, scenario_toml

CHUNK = 20
CHUNKS = [make_tables(CHUNK * index, CHUNK) for index in range(3)]
TOML = scenario_toml(CHUNK * len(CHUNKS))


def writer(folder: Path, toml: str = TOML, record: str = "everything", **options) -> FolderWriter:
    return FolderWriter(folder, toml, record=record, identity={"chunk": CHUNK}, **options)


def put(out, index: int, first: int | None = None) -> None:
    """The chunk of that index, from patient `first` on (that of the chunk)."""
    span = Span(CHUNK * index if first is None else first, CHUNK)
    out.write_chunk(span, out.pack(CHUNKS[index]))


def done(out) -> set[int]:
    return {span.first // CHUNK for span in out.finished()}


def write_all(folder: Path, order=(0, 1, 2), **options) -> Results:
    with writer(folder, **options) as out:
        for index in order:
            if index not in done(out):
                put(out, index)
        return out.finish({"rng_seed": 1})


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder; what a stopped run left in it is not looked at."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def stop_after(folder: Path, chunks: int, error: type[BaseException], **options) -> None:
    with pytest.raises(error), writer(folder, **options) as out:
        for index in range(chunks):
            put(out, index)
        raise error


def test_folder_holds_the_tables_of_its_level_and_nothing_else_is_left(tmp_path):
    for level in RECORD_LEVELS:
        write_all(tmp_path / level, record=level)
        files = {"scenario.toml", "provenance.json", "summary.parquet", "failures.parquet"}
        files |= {f"{name}.parquet" for name in TABLES_AT[level]}
        assert contents(tmp_path / level).keys() == files
    assert {path.name for path in tmp_path.iterdir()} == set(RECORD_LEVELS)


def test_tables_come_back_as_they_went_in_with_nulls(tmp_path):
    results = write_all(tmp_path / "a")
    for name, schema in SCHEMAS.items():
        put = pa.concat_tables(chunk[name] for chunk in CHUNKS).unify_dictionaries()
        got = results.arrow(name).to_table()
        assert got.schema.names[: len(schema)] == schema.names
        assert got.schema.field("patient").type == pa.int64()
        assert got.to_pylist() == put.to_pylist()
    assert results.arrow("patients").to_table()["death_cause"].null_count > 0
    assert "growth.rho_per_day" in results.patients
    assert list(results.metastases["organ"].cat.categories) == results.organs
    assert results.scenario["run"]["patients"] == 60


def test_order_of_chunks_and_place_of_writing_leave_no_trace(tmp_path):
    write_all(tmp_path / "a")
    with writer(tmp_path / "b") as out:
        for index in (2, 0, 1):
            put(out, index, 8 * CHUNK * index)  # a set of these is not in their order
        out.finish({"rng_seed": 1})
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    memory = MemoryWriter(TOML, record="everything")
    for index in range(len(CHUNKS)):
        put(memory, index)
    results = memory.finish({"rng_seed": 1})
    results.save(tmp_path / "c")
    for name in (*SCHEMAS, "summary"):
        saved = pq.read_table(tmp_path / "c" / f"{name}.parquet")
        assert saved.to_pylist() == pq.read_table(tmp_path / "a" / f"{name}.parquet").to_pylist()
    open_results(tmp_path / "c").save(tmp_path / "d")
    assert contents(tmp_path / "c") == contents(tmp_path / "d")


def test_one_file_per_table_with_joined_row_groups(tmp_path):
    write_all(tmp_path / "a")
    assert pq.read_metadata(tmp_path / "a" / "patients.parquet").num_row_groups == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_stopped_run_leaves_no_folder_and_is_resumed_to_the_same_bytes(tmp_path, error):
    stop_after(tmp_path / "a", 2, error)
    assert not (tmp_path / "a").exists()
    with pytest.raises(ResultsError, match=r"no such results folder.*--resume"):
        open_results(tmp_path / "a")
    with pytest.raises(ResultsError, match=r"stopped run was kept.*--resume.*--overwrite"):
        write_all(tmp_path / "a")
    with writer(tmp_path / "a", resume=True) as out:
        assert done(out) == {0, 1}
        put(out, 2)
        out.finish({"rng_seed": 1})
    write_all(tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert not partial_path(tmp_path / "a").exists()


def test_run_stopped_before_its_first_chunk_leaves_nothing(tmp_path):
    stop_after(tmp_path / "a", 0, KeyboardInterrupt)
    assert not list(tmp_path.iterdir())


@pytest.mark.unix
def test_killed_run_is_resumed(tmp_path):
    code = f"""
import os, signal, sys
sys.path[:0] = {[str(Path(__file__).parents[1])]!r}
from tests.test_results_store import Span, put, writer
with writer({str(tmp_path / "a")!r}) as out:
    put(out, 0)
    (out.part("metastases", Span(20, 20)).with_suffix(".tmp")).write_bytes(b"PAR1 half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", code], check=False)
    assert ended.returncode == -signal.SIGKILL
    resumed = write_all(tmp_path / "a", resume=True)
    write_all(tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(resumed.patients) == 60


def test_truncated_part_is_computed_again(tmp_path):
    stop_after(tmp_path / "a", 2, KeyboardInterrupt)
    part = partial_path(tmp_path / "a") / "parts" / "counts-000000000020-20.parquet"
    os.truncate(part, part.stat().st_size // 2)
    with pytest.raises(KeyboardInterrupt), writer(tmp_path / "a", resume=True) as out:
        assert done(out) == {0}
        raise KeyboardInterrupt
    write_all(tmp_path / "a", resume=True)
    write_all(tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"toml": TOML.replace("-0.04", "-0.041")}, ["1 key:", "soil.liver.position was [-0.04,"]),
        ({"record": "patients"}, ["1 key:", "record was 'everything', is 'patients'"]),
        ({"toml": TOML + "[soil.bone.multiplier]\narrest = 2.0\n"}, ["arrest was 'unset', is 2.0"]),
    ],
)
def test_changed_run_does_not_resume_and_says_what_differs(tmp_path, change, words):
    stop_after(tmp_path / "a", 1, KeyboardInterrupt)
    with pytest.raises(ResultsError) as caught, writer(tmp_path / "a", resume=True, **change):
        pass
    assert all(word in str(caught.value) for word in words)
    assert len(write_all(tmp_path / "a", resume=True).patients) == 60  # the parts are untouched


def test_second_run_into_the_same_folder_is_refused(tmp_path):
    with writer(tmp_path / "a") as first:
        put(first, 0)
        for options in ({}, {"resume": True}, {"overwrite": True}):
            with (
                pytest.raises(ResultsError, match="being written by another run"),
                writer(tmp_path / "a", **options),
            ):
                pass
        put(first, 1)
        put(first, 2)
        assert len(first.finish({}).patients) == 60


def test_existing_folder_is_replaced_only_when_asked_and_only_by_a_whole_one(tmp_path):
    write_all(tmp_path / "a", order=(0,))
    before = contents(tmp_path / "a")
    with pytest.raises(ResultsError, match=r"exists.*--output.*--overwrite"):
        write_all(tmp_path / "a")
    stop_after(tmp_path / "a", 2, KeyboardInterrupt, overwrite=True)
    assert contents(tmp_path / "a") == before
    write_all(tmp_path / "a", overwrite=True)
    assert len(open_results(tmp_path / "a").patients) == 60
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_replacement_that_fails_in_any_step_puts_the_old_results_back(tmp_path, monkeypatch):
    write_all(tmp_path / "a", order=(0,), record="patients")
    (tmp_path / "a" / "notes.txt").write_text("my own")
    before, rename = contents(tmp_path / "a"), os.rename
    for step in range(30):
        steps = iter(range(step + 1))

        def fails(source, target, steps=steps):
            if next(steps, None) is None:
                monkeypatch.setattr(os, "rename", rename)  # the disk is well again
                raise OSError(5, "Input/output error")
            rename(source, target)

        monkeypatch.setattr(os, "rename", fails)
        try:
            write_all(tmp_path / "a", overwrite=True)
        except ResultsError as error:
            assert "Input/output error" in str(error)
            assert contents(tmp_path / "a") == before
        else:
            break
    assert step > len(before)  # each step has failed once
    assert (tmp_path / "a" / "notes.txt").read_text() == "my own"
    assert len(open_results(tmp_path / "a").patients) == 60


@pytest.mark.unix
def test_replacement_that_is_killed_in_any_step_is_mended_or_ended_by_the_next(tmp_path):
    write_all(tmp_path / "a", order=(0,))
    before = contents(tmp_path / "a")
    code = f"""
import os, signal, sys
sys.path[:0] = {[str(Path(__file__).parents[1])]!r}
from tests.test_results_store import write_all
rename, left = os.rename, [int(sys.argv[1])]
def dies(*ends):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(*ends)
os.rename = dies
write_all({str(tmp_path / "a")!r}, overwrite=True, record="patients")
"""
    for step in (3, 9):  # old files go out, new ones come in
        ended = subprocess.run([sys.executable, "-c", code, str(step)], check=False)
        assert ended.returncode == -signal.SIGKILL
        with pytest.raises(ResultsError, match=r"provenance\.json is missing.*--resume"):
            open_results(tmp_path / "a")
        with pytest.raises(ResultsError, match="exists"):
            write_all(tmp_path / "a")
        assert contents(tmp_path / "a") == before
    write_all(tmp_path / "a", overwrite=True, resume=True, record="patients")
    write_all(tmp_path / "b", record="patients")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.fixture
def mounted(tmp_path):
    """A folder that cannot be renamed: a disk of its own."""
    (tmp_path / "disk").mkdir()
    try:
        with faults.disk(tmp_path / "disk", 8):
            yield tmp_path / "disk"
    except PermissionError:
        pytest.skip("only who may mount disks can try one")


def test_mount_point_is_written_inside_and_stopped_and_replaced_there(mounted):
    (mounted / "lost+found").mkdir()  # counts for nothing
    stop_after(mounted, 2, KeyboardInterrupt)
    write_all(mounted, resume=True)
    assert len(open_results(mounted).patients) == 60
    write_all(mounted, order=(0,), overwrite=True)
    assert len(open_results(mounted).patients) == 20
    assert not list(mounted.parent.glob(".*"))
    assert {path.name for path in mounted.iterdir() if path.is_dir()} == {"lost+found"}


@pytest.mark.unix
def test_folder_the_user_gave_stays_what_it_is(tmp_path, monkeypatch):
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "to_be").symlink_to(tmp_path / "elsewhere")  # dangles
    inode = real.stat().st_ino
    for link, target in (("link", real), ("to_be", tmp_path / "elsewhere")):
        stop_after(tmp_path / link, 1, KeyboardInterrupt)
        write_all(tmp_path / link, resume=True)
        write_all(tmp_path / link, overwrite=True)
        assert (tmp_path / link).is_symlink()
        assert len(open_results(target).patients) == 60
    assert real.stat().st_ino == inode
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    stop_after(Path("."), 1, KeyboardInterrupt)
    write_all(Path("."), resume=True)
    write_all("../here/", overwrite=True)
    assert os.getcwd() == str(here) and os.path.samefile(".", here)
    assert {path.name for path in tmp_path.iterdir()} == {
        "real", "link", "to_be", "elsewhere", "here"
    }  # fmt: skip
    long = tmp_path / ("x" * 255)
    stop_after(long, 1, KeyboardInterrupt)
    assert len(write_all(long, resume=True).patients) == 60
    stop_after(tmp_path / "later", 1, KeyboardInterrupt)
    (tmp_path / "later").mkdir()  # once a run was begun beside it
    assert len(write_all(tmp_path / "later", resume=True).patients) == 60


def test_place_with_files_of_the_users_own_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "luminal_a_surgery.toml").write_text("mine")
    for options in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(ResultsError, match="exists, is not a results folder"):
            writer(tmp_path / "a", **options).__enter__()
    with pytest.raises(ResultsError, match="exists, is not a results folder"):
        writer(Path("/")).__enter__()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["luminal_a_surgery.toml"]


@pytest.mark.parametrize("code", ["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
def test_file_system_without_locks_is_written_with_a_warning(tmp_path, monkeypatch, code):
    fcntl = pytest.importorskip("fcntl")

    def flock(*_):
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))

    monkeypatch.setattr(fcntl, "flock", flock)
    with (
        pytest.warns(MetasimWarning, match="the file system has no locks"),
        writer(tmp_path / "a") as first,
    ):
        put(first, 0)
        with pytest.raises(ResultsError, match="being written by another run; if that has ended"):
            writer(tmp_path / "a").__enter__()
        for index in (1, 2):
            put(first, index)
        first.finish({})
    with pytest.warns(MetasimWarning):
        stop_after(tmp_path / "b", 1, KeyboardInterrupt)
    with pytest.warns(MetasimWarning):
        assert len(write_all(tmp_path / "b", resume=True).patients) == 60
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_folder_of_another_program_is_never_overwritten(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.tex").write_text("precious")
    with pytest.raises(ResultsError, match="not a results folder of metasim"):
        write_all(tmp_path / "a", overwrite=True)
    assert (tmp_path / "a" / "thesis.tex").read_text() == "precious"
    (tmp_path / "empty").mkdir()
    write_all(tmp_path / "empty")


@pytest.mark.unix
def test_disk_that_fills_up_is_one_message_and_keeps_what_was_finished(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with writer(tmp_path / "a") as out:
        put(out, 0)
        full = out.part("stages", Span(20, 20)).with_suffix(".tmp")
        full.symlink_to("/dev/full")
        with pytest.raises(ResultsError, match=r"stages-000000000020.*No space left on device"):
            put(out, 1)
        assert done(out) == {0}
    write_all(tmp_path / "a", resume=True)


@pytest.mark.unix
def test_unwritable_place_is_one_message(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match=r"file.*Not a directory"):
        write_all(tmp_path / "file" / "a")
    if os.geteuid():
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(ResultsError, match=r"locked.*Permission denied"):
            write_all(tmp_path / "locked" / "a")


def test_opening_what_is_not_a_whole_results_folder(tmp_path):
    write_all(tmp_path / "a")
    stop_after(tmp_path / "stopped", 1, KeyboardInterrupt)
    (tmp_path / "foreign").mkdir()
    for folder, words in {
        "missing": "no such results folder",
        "foreign": "provenance.json is missing",
        ".stopped.partial": "stopped run",
        "a/scenario.toml": "no such results folder",
    }.items():
        with pytest.raises(ResultsError, match=words):
            open_results(tmp_path / folder)

    def spoil(name, change, words):
        path = tmp_path / "a" / name
        whole = path.read_bytes()
        path.write_bytes(change(whole))
        with pytest.raises(ResultsError, match=words):
            open_results(tmp_path / "a")
        path.write_bytes(whole)

    def edit(**changes):
        return lambda text: json.dumps(json.loads(text) | changes).encode()

    half = lambda data: data[: len(data) // 2]  # noqa: E731
    spoil("stages.parquet", half, "stages.parquet: damaged or truncated")
    spoil("stages.parquet", lambda _: b"", "stages.parquet: damaged or truncated")
    spoil("provenance.json", half, "provenance.json: damaged")
    spoil("provenance.json", edit(format="other"), "not a results folder of metasim")
    spoil("provenance.json", edit(format_version=99), "format 99; this metasim reads format 1")
    spoil("provenance.json", edit(rows={"patients": 7}), "holds 60 rows instead of 7")
    spoil("scenario.toml", lambda data: data + b"]", "scenario.toml: damaged")
    (tmp_path / "a" / "counts.parquet").rename(tmp_path / "elsewhere")
    with pytest.raises(ResultsError, match=r"counts\.parquet: missing"):
        open_results(tmp_path / "a")


def test_table_that_was_not_recorded_names_the_level_that_has_it(tmp_path):
    results = write_all(tmp_path / "a", record="patients")
    with pytest.raises(ResultsError, match=r"'metastases' was not recorded.*--record metastases"):
        _ = results.metastases
    with pytest.raises(ResultsError, match="--record everything"):
        _ = results.stages
    with pytest.raises(
        ResultsError, match=r"no table 'nonsense', only failures, summary, patients, events"
    ):
        results.arrow("nonsense")


def test_columns_in_any_order_take_the_schema_and_missing_ones_are_refused():
    table = CHUNKS[0]["patients"]
    shuffled = table.select(table.column_names[::-1])
    assert conform("patients", shuffled).schema.names[:8] == SCHEMAS["patients"].names
    with pytest.raises(KeyError, match="end_day"):
        conform("patients", table.drop(["end_day"]))


def test_synthetic_patients_do_not_depend_on_the_call():
    again = make_tables(CHUNK, CHUNK)
    assert all(again[name].equals(CHUNKS[1][name]) for name in SCHEMAS)
    assert np.isnan(open_days := again["metastases"]["extinct_day"].to_numpy()).any()
    assert not np.isnan(open_days).all()
