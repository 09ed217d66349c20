"""Any machine: without Unix's modules, locks, caches, or the right to have children."""

import errno
import os
import subprocess
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

import metasim as ms
from metasim.errors import MetasimWarning
from metasim.results.parts import Span
from metasim.runner import dispatch, executors
from metasim.runner.dispatch import Dispatcher, Todo
from metasim.runner.executors import NoWorkersError, Processes

ROOT = Path(__file__).parents[1]

WITHOUT_UNIX = """
import multiprocessing, os, signal, subprocess, sys, tempfile, warnings

for name in ("fcntl", "resource", "termios", "tty", "pty", "pwd", "grp", "syslog"):
    sys.modules[name] = None  # importing it fails, in the child too
for module, names in {
    signal: "SIGKILL SIGALRM SIGHUP pthread_sigmask setitimer SIG_BLOCK SIG_SETMASK",
    os: "sched_getaffinity getuid geteuid killpg O_CLOEXEC set_blocking",
}.items():
    for name in names.split():
        vars(module).pop(name, None)
warnings.filterwarnings("error", category=EncodingWarning, module="metasim")

def run(folder, scenario="luminal_a_surgery", patients=20, **options):
    import metasim as ms
    asked = ms.load(scenario, {"run.patients": patients, "run.years": 1.0})
    done = ms.run(asked, output=folder, progress=False, **options or {"executor": "serial"})
    assert "peak_memory_mib" in done.provenance
    return len(done.patients)

if __name__ == "__main__":
    from metasim.cli import app
    here = sys.argv[1]
    assert run(here + "/a") == 20
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(run, [here + "/c"]) == [20]
    assert run(here + "/d", "few_cells", 1, executor="processes", workers=1) == 1
    for command in (["check", here + "/own.toml"], ["show", "luminal_a_surgery"],
                    ["run", here + "/own.toml", "--patients", "20", "--years", "1",
                     "--no-figures", "--output", here + "/b"],
                    ["plot", here + "/b", "--figure", "organ_counts"]):
        try:
            app(command, prog_name="metasim")
        except SystemExit as ended:
            assert not ended.code, ended.code
"""


def test_without_the_modules_and_calls_of_unix_started_by_spawn_and_no_utf8_anywhere(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(WITHOUT_UNIX)
    own = tmp_path / "own.toml"
    own.write_bytes(
        'extends = "luminal_a_surgery"\r\n[soil.bone]\r\nlabel = "Os né ≥"\r\n'.encode()
    )
    console = {"PYTHONIOENCODING": "cp437"}  # names of files are UTF-8 on Windows, too
    ended = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, cwd=tmp_path,
        env=os.environ | console | {"PYTHONPATH": str(ROOT), "PYTHONWARNDEFAULTENCODING": "1"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr.decode("cp437")
    assert "Os né ≥" in ended.stdout.decode("cp437")
    assert (tmp_path / "b/figures/organ_counts.png").exists()
    tables = [(tmp_path / name / "patients.parquet").read_bytes() for name in "abc"]
    assert tables[0] == tables[1] == tables[2]


def test_worker_of_windows_sees_whether_its_parent_lives(monkeypatch):
    there = SimpleNamespace(name="nt")  # where getppid is the number of a parent long gone
    monkeypatch.setattr(executors, "os", there)
    assert executors._lives(os.getpid())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not executors._lives(ended.pid)


@pytest.mark.unix
def test_worker_of_a_pool_computes_alone_unless_told(tmp_path):
    code = f"""
import multiprocessing, sys
sys.path[:0] = [{str(ROOT)!r}]
import metasim as ms
from metasim.runner import dispatch, executors
def run(folder):
    for engine in dispatch._WORTH:
        dispatch._WORTH[engine] = 1e-6  # grows as a run of 300,000 patients would
    executors.cores = lambda: 2
    few = ms.load("luminal_a_surgery", {{"run.patients": 60}})
    cells = ms.load("few_cells", {{"run.patients": 4, "run.engine": "cells"}})
    ms.run(few, output=folder + "/a", progress=False)
    ms.run(few, output=folder + "/b", executor="processes", chunk=9)
    return [ms.run(few, workers=2, chunk=9, progress=False), ms.run(cells, progress=False)]
with multiprocessing.get_context("fork").Pool(1) as pool:
    threads, cells = pool.apply(run, [{str(tmp_path)!r}])
    print(threads.provenance["executor"], cells.provenance["executor"], len(cells.patients))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout == "threads serial 4\n", ended.stderr
    assert "no workers can be started here (a daemonic process may have no chi" in ended.stderr
    a, b = ((tmp_path / name / "patients.parquet").read_bytes() for name in "ab")
    assert a == b
    assert ms.open_results(tmp_path / "a").provenance["executor"] == "serial"


def _numbers(first: int, count: int) -> list[int]:
    return list(range(first, first + count))


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EAGAIN, "a limit"), ImportError("sem_open"), AssertionError(), RuntimeError()],
)
def test_where_no_process_starts_the_work_is_done_here(monkeypatch, error):
    pool, said = Processes(2), []
    monkeypatch.setattr(pool._pool, "submit", partial(_raise, error))
    with Dispatcher(_numbers, pool, said.append) as dispatcher:
        done = [n for c in dispatcher.complete(Todo(Span(0, 50), most=7, size=7)) for n in c.result]
    assert sorted(done) == list(range(50))
    assert len(said) == 1 and "computing in this process" in said[0]


def _raise(error: Exception, *_: object) -> None:
    raise error


def test_pool_that_breaks_later_is_no_lack_of_workers(monkeypatch):
    with Dispatcher(_numbers, pool := Processes(1)) as dispatcher:
        list(dispatcher.complete(Todo(Span(0, 1), most=1)))
        monkeypatch.setattr(pool._pool, "submit", partial(_raise, OSError(errno.EIO, "later")))
        with pytest.raises(OSError, match="later"):
            list(dispatcher.complete(Todo(Span(0, 1), most=1)))
    assert not issubclass(NoWorkersError, OSError)


def test_run_on_one_core_stays_in_its_process(monkeypatch):
    monkeypatch.setitem(dispatch._WORTH, "colonies", 0.0)
    monkeypatch.setattr(executors, "cores", lambda: 1)
    with Dispatcher(_numbers, None) as dispatcher:
        assert len(list(dispatcher.complete(Todo(Span(0, 40), most=4, size=4)))) == 10
        assert dispatcher.executor.name == "serial"


def test_cores_are_those_of_the_container(monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert executors.cores() == 1


@pytest.fixture
def kernel(monkeypatch):
    """The compiler with nothing known of its cache."""
    kernel = import_module("metasim.engines.colonies.kernel")
    kernel._usable.cache_clear()
    monkeypatch.setattr(kernel, "_troubles", [])
    yield kernel
    kernel._usable.cache_clear()


def _double(x):
    return x + x


@pytest.mark.parametrize("place", ["/dev/null/cache", None])
def test_cache_that_cannot_be_made_is_named_once_and_done_without(kernel, monkeypatch, place):
    monkeypatch.setattr(kernel, "CACHE", place and Path(place))
    with pytest.warns(MetasimWarning, match=place or "no home folder") as said:
        doubles = [kernel.allocating(_double) for _ in range(2)]
    assert len(said) == 1
    assert [double(2.0) for double in doubles] == [4.0, 4.0]


def test_cache_on_a_full_disk_is_named_once_and_done_without(kernel, monkeypatch, tmp_path):
    monkeypatch.setattr(kernel, "CACHE", tmp_path)
    double = kernel.allocating(_double)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(double._cache._cache_file, "save", full)
    with pytest.warns(MetasimWarning, match=f"{tmp_path} .No space left on device") as said:
        assert (double(2.0), double(3)) == (4.0, 6)
    assert len(said) == 1


def test_damaged_cache_is_made_anew(kernel, monkeypatch, tmp_path):
    monkeypatch.setattr(kernel, "CACHE", tmp_path)
    assert kernel.allocating(_double)(2.0) == 4.0
    files = [path for path in tmp_path.rglob("*.nb?")]
    for path in files:
        path.write_bytes(path.read_bytes()[:40])
    assert kernel.allocating(_double)(2.0) == 4.0
    assert files and all(path.stat().st_size > 40 for path in files)


def test_home_that_nobody_knows_is_no_cache(kernel, monkeypatch):
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", partial(_raise, RuntimeError("no home")))
    assert kernel._cache_folder() is None


def test_run_works_in_a_thread(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    asked = ms.load("luminal_a_surgery", {"run.patients": 20})
    with ThreadPoolExecutor(1) as threads:
        there = threads.submit(ms.run, asked, workers=2, chunk=10, progress=False).result()
    here = ms.run(asked, executor="serial", progress=False)
    assert there.patients.equals(here.patients)
