"""Executors: the same tables whoever computes them, and one clear message when they cannot."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import metasim as ms
from metasim.errors import LimitError, MetasimError, OptionError
from metasim.results.parts import Span
from metasim.runner import dispatch, executors, streams
from metasim.runner.dispatch import Todo
from metasim.runner.patients import Cohort
from tests import faults

EVERYTHING = ms.load("luminal_a_surgery", {"run.patients": 60})
MANY = ms.load("luminal_a_surgery", {"run.patients": 1500, "run.record": "metastases"})
LIMITED = EVERYTHING.replace({"run.max_colonies": 12, "run.patients": 40})


def run(scenario, folder: Path, **options) -> dict[str, bytes]:
    ms.run(scenario, output=folder, progress=False, **options)
    return faults.tables(folder)


def test_executor_workers_and_chunks_leave_no_trace(tmp_path):
    serial = run(EVERYTHING, tmp_path / "a", executor="serial")
    assert run(EVERYTHING, tmp_path / "b", executor="serial", chunk=7) == serial
    assert run(EVERYTHING, tmp_path / "c", workers=2, chunk=11) == serial
    assert run(EVERYTHING, tmp_path / "p", executor="processes", workers=2, chunk=9) == serial
    memory = ms.run(EVERYTHING, progress=False, chunk=13)
    memory.save(tmp_path / "d")
    assert faults.tables(tmp_path / "d") == serial
    assert ms.open_results(tmp_path / "c").provenance["executor"] == "threads"
    assert ms.open_results(tmp_path / "p").provenance["executor"] == "processes"


def test_long_run_moves_to_workers_by_itself(tmp_path, monkeypatch):
    monkeypatch.setitem(dispatch._WORTH, "colonies", 0.0)
    monkeypatch.setattr(executors, "cores", lambda: 2)
    own = ms.run(EVERYTHING, progress=False)
    assert own.provenance["executor"] == "threads"
    assert own.provenance["workers"] >= 2  # this process began
    own.save(tmp_path / "a")
    assert faults.tables(tmp_path / "a") == run(EVERYTHING, tmp_path / "b", executor="serial")


def test_patient_alone_is_the_same_as_among_all(tmp_path):
    run(EVERYTHING, tmp_path / "all", executor="serial")
    run(EVERYTHING, tmp_path / "one", patient=41)
    for name in ("patients", "events", "metastases", "counts", "stages"):
        everybody = pq.read_table(tmp_path / "all" / f"{name}.parquet").to_pylist()
        alone = pq.read_table(tmp_path / "one" / f"{name}.parquet").to_pylist()
        assert alone == [row for row in everybody if row["patient"] == 41]
    about = ms.open_results(tmp_path / "one").provenance
    assert (about["patient"], about["run_again"].split()[-2:]) == (41, ["--patient", "41"])
    about = ms.open_results(tmp_path / "one").summary.attrs
    assert about["patients"] + about["left_out"] == 1


def test_script_without_guard_and_cells_of_its_own(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, metasim as ms\n"
        "class Own(ms.CancerCell):\n"
        "    def __init__(self, *args, **options):\n"
        "        super().__init__(*args, **options)\n"
        'asked = ms.load("few_cells", {"run.engine": "cells", "run.patients": 4})\n'
        "own = ms.run(asked, workers=2, chunk=1, cell_class=Own, progress=False)\n"
        'print(own.provenance["executor"], len(own.patients))\n'
    )
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert ended.stdout == "processes 4\n", ended.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"executor": "many"}, "--executor many: unknown; choose from serial, threads, processes"),
        ({"executor": "dask"}, r"needs the scheduler's address"),
        ({"workers": 0}, r"--workers 0: at least 1"),
        ({"executor": "serial", "workers": 2}, r"--executor serial has one"),
        (
            {"scheduler": "tcp://127.0.0.1:1", "workers": 2},
            "the workers are those of the scheduler",
        ),
        ({"scheduler": "tcp://127.0.0.1:1", "executor": "processes"}, "goes with --executor dask"),
        ({"patient": 60}, r"--patient 60: the run has patients 0 to 59"),
        ({"patient": -1}, r"--patient -1"),
        ({"patient": 1, "until": "bone.share +- 1%"}, "exclude each other"),
        ({"chunk": 0}, "at least 1 patient"),
    ],
)
def test_option_that_is_not_allowed_is_one_message(tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        ms.run(EVERYTHING, output=tmp_path / "a", progress=False, **options)
    assert not list(tmp_path.iterdir())


def test_cells_are_not_computed_in_threads():
    cells = ms.load("few_cells", {"run.engine": "cells", "run.patients": 4})
    with pytest.raises(OptionError, match="--executor threads: the engine cells computes in one"):
        ms.run(cells, executor="threads", progress=False)


@pytest.mark.unix
def test_ctrl_c_ends_threads_at_once_within_a_patient(tmp_path):
    code = f"""
import os, signal, sys, threading, time
sys.path[:0] = [{str(faults.ROOT)!r}]
import metasim as ms
from metasim.errors import RunInterrupted
ms.run(ms.load("luminal_a_surgery", {{"run.patients": 2}}), progress=False)  # compiled
steps = {{"run.patients": 400, "run.dt_days": 0.025, "run.record": "patients"}}
slow = ms.load("luminal_a_surgery", steps)
pressed = []
def press():
    pressed.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)
threading.Timer(1.0, press).start()
try:
    ms.run(slow, output={str(tmp_path / "a")!r}, workers=2, chunk=200, progress=False)
except RunInterrupted as stop:
    print(time.monotonic() - pressed[0], threading.active_count(), stop)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout, ended.stderr
    seconds, threads, said = ended.stdout.split(maxsplit=2)
    assert float(seconds) < 2
    assert int(threads) == 1
    assert said.startswith("stopped after 0 of 400 patients")
    assert not list(tmp_path.iterdir())


def test_more_workers_than_cores_are_allowed_and_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(executors, "cores", lambda: 1)
    ms.run(EVERYTHING.replace({"run.patients": 4}), workers=2)
    assert "2 workers on 1 cores" in capsys.readouterr().err


def test_patient_that_fails_is_a_record(tmp_path):
    results = ms.run(LIMITED, output=tmp_path / "a", progress=False)
    failed = set(results.failures["patient"])
    assert 0 < len(failed) < 40
    assert results.failures["error"].str.contains("more than 12 colonies").all()
    assert set(results.patients["patient"]) == set(range(40)) - failed
    assert not set(results.metastases["patient"]) & failed
    about = results.summary.attrs
    assert about["failed"] == len(failed)
    assert about["patients"] + about["left_out"] == 40 - len(failed)
    alone = run(LIMITED, tmp_path / "b", chunk=1)  # chunks without a patient that succeeds
    assert alone == faults.tables(tmp_path / "a")
    with pytest.raises(LimitError, match=rf"^patient {min(failed)}, day \d+: more than 12"):
        ms.run(LIMITED, output=tmp_path / "c", patient=min(failed), progress=False)
    hopeless = {"run.engine": "cells", "run.max_cells": 300, "run.patients": 5}
    with pytest.raises(LimitError, match="all 5 patients failed, first patient 0, day "):
        ms.run(ms.load("few_cells", hopeless), output=tmp_path / "c", progress=False)
    assert not (tmp_path / "c").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_engine_that_breaks_on_a_patient_is_a_record(monkeypatch):
    from metasim.engines import cells

    sound = cells.simulate

    def broken(law, course, rng, *rest, **options):
        if (
            rng.bit_generator.state
            == streams.generator(few.run.rng_seed, 12, 1).bit_generator.state
        ):
            raise ZeroDivisionError("division by zero")
        return sound(law, course, rng, *rest, **options)

    few = ms.load("few_cells", {"run.engine": "cells", "run.years": 0.05})
    monkeypatch.setattr(cells, "simulate", broken)
    tables = Cohort(few).chunk(10, 4)
    assert tables["failures"].to_pylist() == [
        {"patient": 12, "error": "ZeroDivisionError: division by zero"}
    ]
    assert tables["patients"]["patient"].to_pylist() == [10, 11, 13]


# handing out


def test_todo_hands_out_what_is_missing_once():
    finished = [Span(5, 3), Span(0, 2), Span(90, 10)]
    todo = Todo(Span(0, 100), finished, most=16)
    assert todo.left == 85
    seen = [n for span in finished for n in range(span.first, span.first + span.size)]
    while todo.left:
        span = todo.next(slots=2)
        assert 1 <= span.size <= 16
        seen += range(span.first, span.first + span.size)
        todo.took(dispatch.Done(span, None, 1e-4 * span.size, "here"))
    assert sorted(seen) == list(range(100))


def test_chunks_follow_the_pace():
    def sizes(seconds_per_patient: float) -> list[int]:
        todo, out = Todo(Span(0, 10**6), most=4096), []
        for _ in range(12):
            span = todo.next(slots=2)
            out.append(span.size)
            todo.took(dispatch.Done(span, None, seconds_per_patient * span.size, "here"))
        return out

    assert sizes(1e-4)[-1] == 4096
    assert sizes(0.01)[-1] == 100
    assert sizes(30.0)[1:] == [1] * 11
    todo = Todo(Span(0, 1000), most=4096)
    todo.took(dispatch.Done(todo.next(slots=2), None, 8 * 1e-3, "here"))
    assert todo.next(slots=2).size <= 1000 / 4  # two workers end at about the same time
    assert Todo(Span(0, 10), most=4096, size=3).next(slots=2) == Span(0, 3)


def test_worker_of_other_versions_is_refused():
    wanted = dispatch.versions() | {"numba": "0.1"}
    with pytest.raises(OptionError, match=r"numba \S+ instead of 0\.1; results would not be"):
        dispatch.work(wanted, lambda first, count: None, Span(0, 1))


# Dask


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """The files of `MANY`, computed here."""
    return run(MANY, tmp_path_factory.mktemp("many") / "a", executor="serial")


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("distributed")
    with faults.cluster(3) as running:  # of which two are killed
        yield running


def test_dask_gives_the_same_tables_also_when_a_worker_is_killed(tmp_path, cluster, many):
    address, workers = cluster
    assert run(MANY, tmp_path / "b", scheduler=address, chunk=100) == many
    again = ms.open_results(tmp_path / "b").provenance
    assert again["executor"] == "dask"
    assert again["workers"] >= 2
    chunks = 0

    def kill_one(report, *_):
        nonlocal chunks
        chunks += 1
        if chunks == 3:
            workers[0].kill()

    from metasim.runner.progress import Reporter

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reporter, "say", kill_one)
        assert run(MANY, tmp_path / "c", scheduler=address, chunk=50) == many
    assert chunks >= 3


def test_what_a_killed_dask_worker_had_in_hand_is_computed_by_another(tmp_path, cluster):
    slow, numbers = faults.Slow(tmp_path), []
    address, (_, doomed, *others, _) = cluster

    def held() -> set[int]:
        return slow.by(doomed.pid, "begun") - slow.by(doomed.pid, "ended")

    scheduler = executors.Dask(address)
    scheduler._client.wait_for_workers(2, timeout=30)
    with dispatch.Dispatcher(slow, scheduler) as dispatcher:
        for done in dispatcher.complete(Todo(Span(0, 40), most=2, size=2)):
            numbers += done.result
            if len(numbers) == 10:
                faults.wait_until(held)
                doomed.kill()
                doomed.wait()
                lost = held()
    assert lost  # it was killed in the midst of a chunk
    assert lost & slow.by(others[0].pid, "ended")
    assert sorted(numbers) == list(range(40))  # and nothing twice


@contextmanager
def listening(words: bytes) -> Iterator[str]:
    """Something that is no Dask scheduler: says its words to whoever comes, and no more."""
    server, callers = socket.create_server(("127.0.0.1", 0)), []

    def serve() -> None:
        with suppress(OSError):
            while True:
                caller, _ = server.accept()
                callers.append(caller)  # and holds the line
                caller.sendall(words)

    threading.Thread(target=serve, daemon=True).start()
    yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    for one in (server, *callers):
        one.close()


@contextmanager
def called(address: str) -> Iterator[str]:
    yield address


@pytest.mark.parametrize(
    "somewhere",
    [
        lambda: called(f"tcp://127.0.0.1:{faults.free_port()}"),
        lambda: called("http://127.0.0.1:1"),
        lambda: called("nonsense"),
        lambda: listening(b""),
        lambda: listening(b"HTTP/1.0 400 Bad Request\r\n" * 40),
    ],
    ids=["closed", "http", "nonsense", "silent", "garbage"],
)
def test_unreachable_scheduler_is_refused_within_five_seconds(somewhere):
    pytest.importorskip("distributed")
    import distributed.comm.core  # noqa: F401 - takes its time

    with somewhere() as address:
        start = time.monotonic()
        with pytest.raises(OptionError, match="no Dask scheduler answers there"):
            executors.reach(address)
        assert time.monotonic() - start < 5  # what starting Python takes is left for the rest


@pytest.mark.parametrize("words", [b"", b"HTTP/1.0 400 Bad Request\r\n" * 40])
def test_unreachable_scheduler_is_one_message(tmp_path, words):
    pytest.importorskip("distributed")
    command = [sys.executable, "-m", "metasim", "run", "luminal_a_surgery", "--output", "a"]
    with listening(words) as address:
        ended = subprocess.run(
            [*command, "--scheduler", address],
            capture_output=True, text=True, timeout=20, cwd=tmp_path,
            env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "never_compiled"),
                              "PYTHONPATH": str(faults.ROOT)},
        )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    message = f"metasim: --scheduler {address}: no Dask scheduler answers there ("
    assert ended.stderr.startswith(message)
    assert ended.stderr.count("\n") == 1
    assert "memory" not in ended.stderr
    assert not list(tmp_path.iterdir())


def test_scheduler_that_dies_is_one_message_and_the_run_goes_on_with_another(tmp_path, many):
    pytest.importorskip("distributed")
    folder = tmp_path / "a"
    options = ["--patients", "1500", "--record", "metastases", "--no-figures", "--quiet"]
    command = [sys.executable, "-m", "metasim", "run", "luminal_a_surgery", *options]
    with faults.cluster(1) as (address, (_, scheduler)):
        stopped = subprocess.Popen(
            [*command, "--scheduler", address, "--output", str(folder)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=faults.ROOT,
        )  # fmt: skip
        faults.wait_until(lambda: faults.parts(folder) >= 2)
        scheduler.kill()
        said, complaint = stopped.communicate(timeout=20)
    assert (stopped.returncode, said) == (2, "")
    assert re.fullmatch(
        rf"metasim: the Dask scheduler at {address} is gone; [\d,]+ of 1,500 patients are kept, "
        r"--resume goes on from there\n",
        complaint,
    ), complaint
    assert run(MANY, folder, executor="serial", resume=True) == many


def test_scheduler_without_workers_is_one_message(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "_SECONDS_TO_CONNECT", 2.0)
    with (
        faults.cluster(0) as (address, _),
        pytest.raises(MetasimError, match=r"has no workers; start some with `dask worker tcp"),
    ):
        time.sleep(1.0)
        ms.run(EVERYTHING, output=tmp_path / "a", scheduler=address, progress=False)
