"""Nothing lost: stopped in every way, a run goes on and ends with the same bytes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import metasim as ms
from metasim.errors import MetasimError, ResultsError, RunInterrupted
from metasim.results.folder import partial_path
from metasim.results.parts import Span, read_part
from metasim.runner import dispatch
from metasim.runner.dispatch import Dispatcher, Todo
from metasim.runner.executors import Processes
from metasim.runner.progress import Reporter
from tests import faults

pytestmark = pytest.mark.unix
PATIENTS, CHUNK = 1200, 20
ASKED = ms.load("luminal_a_surgery", {"run.patients": PATIENTS, "run.record": "metastases"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, bytes]:
    """The files of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole") / "a"
    ms.run(ASKED, output=folder, executor="serial", progress=False)
    return faults.tables(folder)


def resumed(folder: Path, **options) -> dict[str, bytes]:
    ms.run(ASKED, output=folder, resume=True, executor="serial", progress=False, **options)
    return faults.tables(folder)


def stop_after(patch: pytest.MonkeyPatch, chunks: int, error: BaseException) -> list[int]:
    """Have the run's progress raise an error; returns the list of patients done, as it grows."""
    seen: list[int] = []

    def say(report: Reporter) -> None:
        seen.append(report.done)
        if len(seen) == chunks:
            raise error

    patch.setattr(Reporter, "say", say)
    return seen


def test_ctrl_c_ends_within_two_seconds_and_leaves_nobody(tmp_path, whole):
    run = faults.start(tmp_path / "a", PATIENTS, CHUNK, workers=2)
    faults.wait_until(lambda: faults.parts(tmp_path / "a") >= 3)
    start = time.monotonic()
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to the workers too
    said, complaints = run.communicate(timeout=30)
    assert time.monotonic() - start < 2
    assert run.returncode == 130
    assert said.startswith("stopped after ")
    assert "of 1,200 patients; they are kept, --resume" in said
    assert complaints == ""
    faults.wait_until(lambda: not faults.children(run), 2)
    assert not (tmp_path / "a").exists()
    assert resumed(tmp_path / "a") == whole


def test_stopped_replacement_says_how_it_goes_on(tmp_path):
    few = ASKED.replace({"run.patients": 60})
    options = {"output": tmp_path / "a", "executor": "serial", "progress": False, "chunk": 20}
    ms.run(ASKED.replace({"run.patients": 20}), **options)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 2, KeyboardInterrupt())
        with pytest.raises(RunInterrupted, match="kept, --resume --overwrite goes on from there"):
            ms.run(few, overwrite=True, **options)
    with pytest.raises(ResultsError, match="exists"):
        ms.run(few, resume=True, **options)
    assert len(ms.run(few, resume=True, overwrite=True, **options).patients) == 60


def test_killed_run_goes_on_where_it_stood(tmp_path, whole):
    for stop_at in (1, 25):
        run = faults.start(tmp_path / "a", PATIENTS, CHUNK, workers=2)
        faults.wait_until(lambda n=stop_at: faults.parts(tmp_path / "a") >= n)
        faults.kill_group(run)
        faults.wait_until(lambda r=run: not faults.children(r), 3)  # workers do not outlive it
        before = faults.parts(tmp_path / "a")
        assert stop_at <= before < PATIENTS / CHUNK
    with pytest.MonkeyPatch.context() as patch:
        seen = stop_after(patch, -1, RuntimeError())
        assert resumed(tmp_path / "a") == whole
    assert seen[0] > before * CHUNK  # what was there was not computed again


def test_other_chunks_and_workers_may_finish_a_stopped_run(tmp_path, whole):
    for size in (7, 100, 33):
        with pytest.MonkeyPatch.context() as patch:
            stop_after(patch, 2, KeyboardInterrupt())
            with pytest.raises(RunInterrupted, match="they are kept"):
                resumed(tmp_path / "a", chunk=size)
    assert resumed(tmp_path / "a", chunk=50) == whole


def pools_of(patch: pytest.MonkeyPatch) -> list[Processes]:
    """The local pools that are made from now on."""
    made: list[Processes] = []
    init = Processes.__init__

    def spied(self, workers):
        made.append(self)
        init(self, workers)

    patch.setattr(Processes, "__init__", spied)
    return made


def kill_a_worker(pool: Processes) -> int:
    """Kill -9 a process of a pool; returns which."""
    worker = next(iter(pool._pool._processes))
    os.kill(worker, signal.SIGKILL)
    return worker


def test_lost_worker_processes_are_replaced_and_nothing_is_lost(
    tmp_path, whole, monkeypatch, capsys
):
    pools, killed, told = pools_of(monkeypatch), [], []

    def say(report: Reporter) -> None:
        told.append(report.done)
        if len(told) == 20:
            killed.append(kill_a_worker(pools[0]))

    monkeypatch.setattr(Reporter, "say", say)
    monkeypatch.setattr(Reporter, "note", lambda report, text: print(text))
    ms.run(
        ASKED, output=tmp_path / "a", executor="processes", workers=2, chunk=CHUNK, progress=False
    )
    assert faults.tables(tmp_path / "a") == whole
    assert killed
    assert told == list(range(CHUNK, PATIENTS + 1, CHUNK))  # each chunk counted once
    said = capsys.readouterr().out
    assert said.count("a worker was lost; what it had in hand is computed again") == 1


def test_chunk_that_kills_its_workers_is_tried_three_times_and_named(tmp_path):
    def computed(times: int, workers: int = 2) -> list[int]:
        marks = tmp_path / str(times)
        marks.mkdir()
        with Dispatcher(faults.Deadly({57}, times, marks), Processes(workers)) as dispatcher:
            chunks = dispatcher.complete(Todo(Span(0, 200), most=10, size=10))
            return sorted(number for done in chunks for number in done.result)

    assert computed(2) == list(range(200))
    with pytest.raises(MetasimError, match=r"lost 3 times with the same 10 patients \(from 50\)"):
        computed(99)
    assert len(list((tmp_path / "99").iterdir())) == 3
    with pytest.MonkeyPatch.context() as patch:  # planted fault: what was in hand is forgotten
        patch.setattr(Todo, "lose", lambda self, spans: None)
        assert len(computed(1, workers=1)) < 200


def test_run_ended_by_lost_workers_goes_on_where_it_stood(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(dispatch, "_MOST_LOSSES", 1)
    with pytest.MonkeyPatch.context() as patch:
        pools = pools_of(patch)

        def say(report: Reporter) -> None:
            if report.done == 5 * CHUNK:
                kill_a_worker(pools[0])

        patch.setattr(Reporter, "say", say)
        with pytest.raises(MetasimError, match="a worker was lost 1 times"):
            ms.run(
                ASKED,
                output=tmp_path / "a",
                executor="processes",
                workers=2,
                chunk=CHUNK,
                progress=False,
            )
    assert 0 < faults.parts(tmp_path / "a") < PATIENTS / CHUNK
    assert resumed(tmp_path / "a") == whole


def test_truncated_part_is_computed_again(tmp_path, whole):
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 5, KeyboardInterrupt())
        with pytest.raises(RunInterrupted):
            resumed(tmp_path / "a", chunk=CHUNK)
    parts = partial_path(tmp_path / "a") / "parts"
    part = parts / "metastases-000000000020-20.parquet"
    os.truncate(part, part.stat().st_size - 5)
    with pytest.MonkeyPatch.context() as patch:
        seen = stop_after(patch, -1, RuntimeError())
        assert resumed(tmp_path / "a", chunk=CHUNK) == whole
    assert seen[0] == 5 * CHUNK  # four chunks were sound, the fifth is the one computed again


def zero_a_fifth(part: Path) -> None:
    data = bytearray(part.read_bytes())
    middle = slice(2 * len(data) // 5, 3 * len(data) // 5)
    data[middle] = bytes(middle.stop - middle.start)
    part.write_bytes(data)


def test_part_that_is_damaged_within_is_named_and_computed_again(tmp_path, whole, monkeypatch):
    part = partial_path(tmp_path / "a") / "parts" / "patients-000000000020-20.parquet"

    def damage(report: Reporter) -> None:
        if report.done == 5 * CHUNK:
            zero_a_fifth(part)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reporter, "say", damage)
        message = rf"{part}: damaged since it was written; 1,200 of 1,200 patients are kept, --res"
        with pytest.raises(ResultsError, match=message):
            resumed(tmp_path / "a", chunk=CHUNK)
    seen = stop_after(monkeypatch, -1, RuntimeError())
    assert resumed(tmp_path / "a", chunk=CHUNK) == whole
    assert seen == [PATIENTS]  # that chunk was computed again, and no other


def test_any_damage_to_a_part_is_found(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 1, KeyboardInterrupt())
        with pytest.raises(RunInterrupted):
            resumed(tmp_path / "a", chunk=1)
    for part in partial_path(tmp_path / "a").glob("parts/*.parquet"):
        sound, table = part.read_bytes(), read_part(part)
        for place in range(0, len(sound), 5):
            damaged = bytearray(sound)
            damaged[place] ^= 1
            part.write_bytes(damaged)
            with pytest.raises(ResultsError, match="damaged"):
                read_part(part)
        part.write_bytes(sound)
        assert read_part(part).equals(table)


def test_run_killed_before_its_first_chunk_is_no_hindrance(tmp_path, whole):
    fingerprint = partial_path(tmp_path / "a") / "fingerprint.json"
    (fingerprint.parent / "parts").mkdir(parents=True)
    fingerprint.write_text('{"record": "patients", "scenario": ""}')
    ms.run(ASKED, output=tmp_path / "a", executor="serial", progress=False)
    assert faults.tables(tmp_path / "a") == whole


def test_finished_run_is_complete_and_is_not_computed_again(tmp_path, monkeypatch, capsys):
    few = ASKED.replace({"run.patients": 20})
    until = {"until": "lung.share +- 10 %", "chunk": 500}
    runs = [(few, {}), (few, {"patient": 3}), (ASKED, until)]
    for i, (asked, options) in enumerate(runs):
        ms.run(asked, output=tmp_path / str(i), progress=False, **options)
    monkeypatch.setattr(Dispatcher, "complete", None)  # whoever computes now breaks
    for i, (asked, options) in enumerate(runs):
        before = (tmp_path / str(i) / "provenance.json").read_bytes()
        for how in ({}, {"overwrite": True}, {"scheduler": "tcp://127.0.0.1:1"}):
            again = ms.run(asked, output=tmp_path / str(i), resume=True, **how, **options)
            assert len(again.patients) == again.provenance["patients"]
            assert capsys.readouterr().err == "already complete\n"
        assert (tmp_path / str(i) / "provenance.json").read_bytes() == before
    for asked, options, message in [
        (
            few.replace({"soil.bone.niche": 0.11}),
            {},
            r"in 1 key: soil\.bone\.niche was .*, is 0\.11;",
        ),
        (few.replace({"run.record": "patients"}), {}, "2 keys: record was 'metastases'"),
        (few, {"patient": 3}, "in 1 key: patient was 'unset', is '3'; choose another folder"),
    ]:
        with pytest.raises(ResultsError, match=rf"/0 exists, of a finished run .*{message}"):
            ms.run(asked, output=tmp_path / "0", resume=True, progress=False, **options)


def test_full_disk_is_one_message_and_loses_nothing(tmp_path, whole, monkeypatch):
    written, write = 0, Path.write_bytes

    def full(path, data):
        nonlocal written
        written += len(data)
        if written > 300_000:
            raise OSError(28, "No space left on device", str(path))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    way_on = (
        r"No space left on device; \d+ of 1,200 patients are kept, --resume goes on from there$"
    )
    with pytest.raises(ResultsError, match=way_on):
        ms.run(ASKED, output=tmp_path / "a", executor="serial", chunk=CHUNK, progress=False)
    monkeypatch.undo()
    assert faults.parts(tmp_path / "a") > 0
    assert resumed(tmp_path / "a") == whole


@pytest.fixture
def disk(tmp_path) -> Iterator[Callable[[str], None]]:
    """A small disk at tmp_path."""
    with ExitStack() as stack:
        try:
            remount = stack.enter_context(faults.disk(tmp_path, megabytes=16))
        except PermissionError:
            pytest.skip("may not mount a disk")
        yield remount


@pytest.mark.parametrize("done", [5 * CHUNK, PATIENTS], ids=["midway", "in the end"])
def test_real_disk_that_is_full_is_one_message_and_loses_nothing(tmp_path, whole, disk, done):
    def say(report: Reporter) -> None:
        if report.done == done:
            faults.fill(tmp_path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reporter, "say", say)
        message = f"No space left on device; {done:,} of 1,200 patients are kept, --resume goes on"
        with pytest.raises(ResultsError, match=message):
            resumed(tmp_path / "a", chunk=CHUNK)
    assert not (tmp_path / "a").exists()
    with pytest.raises(ResultsError, match=r"No space left|kept, --resume goes on"):
        resumed(tmp_path / "a", chunk=CHUNK)  # there is no room yet
    (tmp_path / "ballast").unlink()
    with pytest.MonkeyPatch.context() as patch:
        seen = stop_after(patch, -1, RuntimeError())
        assert resumed(tmp_path / "a", chunk=CHUNK) == whole
    assert seen == list(range(done + CHUNK, PATIENTS + 1, CHUNK))


def test_disk_that_is_read_only_is_one_message_and_loses_nothing(tmp_path, whole, disk):
    disk("ro")
    with pytest.raises(ResultsError, match=f"^{tmp_path}.*: Read-only file system$"):
        resumed(tmp_path / "a")
    disk("rw")
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 5, KeyboardInterrupt())
        with pytest.raises(RunInterrupted):
            resumed(tmp_path / "a", chunk=CHUNK)
    disk("ro")
    with pytest.raises(ResultsError, match=f"^{tmp_path}.*: Read-only file system$"):
        resumed(tmp_path / "a")
    disk("rw")
    assert faults.parts(tmp_path / "a") == 5
    assert resumed(tmp_path / "a", chunk=CHUNK) == whole


def test_second_run_into_the_folder_is_refused_and_the_first_goes_on(tmp_path, whole):
    run = faults.start(tmp_path / "a", PATIENTS, CHUNK, workers=1)
    faults.wait_until(lambda: faults.parts(tmp_path / "a") >= 1)
    for options in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(ResultsError, match="being written by another run"):
            ms.run(ASKED, output=tmp_path / "a", progress=False, **options)
    assert run.wait(60) == 0
    assert faults.tables(tmp_path / "a") == whole


def test_changed_scenario_does_not_resume_and_says_which_keys_differ(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 1, KeyboardInterrupt())
        with pytest.raises(RunInterrupted):
            resumed(tmp_path / "a", chunk=CHUNK)
    other = ASKED.replace({"soil.bone.niche": 0.11, "run.rng_seed": 9})
    with pytest.raises(ResultsError, match=r"2 keys: run\.rng_seed was 1, is 9; soil\.bone\.niche"):
        ms.run(other, output=tmp_path / "a", resume=True, progress=False)


def test_resumed_precision_ends_where_the_uninterrupted_one_does(tmp_path):
    asked = ms.load("luminal_a_surgery", {"run.record": "patients"})
    until = {"until": "lung.share +- 0.9 %", "progress": False, "executor": "serial"}
    whole = ms.run(asked, output=tmp_path / "a", **until)
    row = whole.summary.set_index("organ").loc["lung"]
    assert (row["share_high"] - row["share_low"]) / 2 <= 0.009
    assert len(whole.patients) == whole.scenario["run"]["patients"] > 1000
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 40, KeyboardInterrupt())
        with pytest.raises(RunInterrupted):
            ms.run(asked, output=tmp_path / "b", chunk=29, **until)
    ms.run(asked, output=tmp_path / "b", resume=True, chunk=CHUNK, **until)
    assert faults.tables(tmp_path / "b") == faults.tables(tmp_path / "a")
    again = ms.load(tmp_path / "a" / "scenario.toml")
    ms.run(again, output=tmp_path / "c", executor="serial", progress=False)
    a, c = faults.tables(tmp_path / "a"), faults.tables(tmp_path / "c")
    assert a.pop("scenario.toml") != c.pop(
        "scenario.toml"
    )  # its comments say where values are from
    assert a == c
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(MetasimError, match="would take more than 100,000,000 patients"):
        ms.run(asked, output=tmp_path / "a", **until | {"until": "bone.metastases+-0.00001"})
    assert not partial_path(tmp_path / "a").exists()  # which would hinder the next run


_PRESS_OFTEN = """
import random, signal, sys
import metasim as ms
from metasim.runner import patients

cohort = patients.Cohort(ms.load("luminal_a_surgery", {"run.record": "summary"}))
cohort.chunk(0, 5)

def press(*_):  # as the command line's handler, not Python's own
    raise KeyboardInterrupt

signal.signal(signal.SIGINT, press)
signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
random.seed(1)
for _ in range(200):
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 5e-3))
        while True:
            assert not cohort.chunk(0, 5)["failures"]
    except KeyboardInterrupt:
        pass
print("every Ctrl-C came out as one")
"""


def test_ctrl_c_within_compiled_code_is_neither_lost_nor_a_crash():
    command = [sys.executable, "-c", _PRESS_OFTEN]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "every Ctrl-C came out as one\n"


_PRESS_WITHIN = """
import signal, sys, time
import metasim as ms
from metasim.runner import interrupts, patients

if sys.argv[1] == "in place":
    patients.interruptible = lambda work, stop: work()
changes = {"run.record": "summary", "run.dt_days": 0.05, "clinic.follow_up_days": 0.05}
cohort = patients.Cohort(ms.load("luminal_a_surgery", changes))
signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
patients.Cohort(ms.load("luminal_a_surgery", {"run.record": "summary"})).chunk(0, 1)  # compiles
signal.setitimer(signal.ITIMER_REAL, 0.8)
start = time.perf_counter()
try:
    cohort.chunk(0, 3_000)  # law and draws of these take far less than the time until it is pressed
except KeyboardInterrupt:
    print(time.perf_counter() - start < 2.0)
"""


def test_ctrl_c_ends_a_chunk_that_would_take_hours():
    def press(how, timeout):
        command = [sys.executable, "-c", _PRESS_WITHIN, how]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout)

    assert press("beside", 60).stdout == "True\n"
    with pytest.raises(subprocess.TimeoutExpired):  # planted fault: the main thread computes
        press("in place", 4)
