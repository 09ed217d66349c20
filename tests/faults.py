"""Runs in processes of their own, to be stopped in every way; and a small Dask cluster.

Workers import this file, so that it imports little.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]

SCRIPT = """
import sys
import metasim as ms
folder, patients, chunk, workers = sys.argv[1], *map(int, sys.argv[2:5])
asked = ms.load("luminal_a_surgery", {"run.patients": patients, "run.record": "metastases"})
try:
    ms.run(asked, output=folder, resume=True, workers=workers, chunk=chunk, progress=False)
except KeyboardInterrupt as stop:
    print(stop)
    sys.exit(130)
"""
"""A plain script, without a guard; resumes what it finds."""


def start(folder: Path, patients: int, chunk: int, workers: int) -> subprocess.Popen[str]:
    """The script, in a process group of its own."""
    arguments = [str(folder), *map(str, (patients, chunk, workers))]
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def tables(folder: Path) -> dict[str, bytes]:
    """The files of a results folder, but for the provenance, which holds times."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and path.name != "provenance.json"
    }


def parts(folder: Path) -> int:
    """Finished chunks of a run that is going on, or was stopped."""
    return len(list(folder.with_name(f".{folder.name}.partial").glob("parts/summary-*.parquet")))


def wait_until(condition, seconds: float = 60.0) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: it does not come true.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(condition)
        time.sleep(0.02)


def children(process: subprocess.Popen[str]) -> list[int]:
    """Living processes of the session that a process leads, itself included."""
    found = subprocess.run(
        ["ps", "-o", "pid=,stat=", "-s", str(process.pid)], capture_output=True, text=True
    ).stdout.split("\n")
    return [int(line.split()[0]) for line in found if line.strip() and "Z" not in line.split()[1]]


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Callable[[str], None]]:
    """A small disk of its own at a folder, for who may mount one; "ro" and "rw" remount it so.

    Raises:
        PermissionError: this process may not.
    """
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        raise PermissionError("mount")
    try:
        yield lambda how: subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """Fill the disk of a folder to the last byte; returns the file that does."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 16, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    return ballast


@contextmanager
def cluster(workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A real Dask scheduler with workers here: its address; the workers, and last itself."""
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT}
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    local = ["--host", "127.0.0.1"]
    scheduler = subprocess.Popen(
        [*dask, "scheduler", *local, "--port", str(port), "--no-dashboard"], **quiet
    )
    hands = [
        subprocess.Popen(
            [*dask, "worker", address, *local, "--nthreads", "1", "--no-nanny", "--no-dashboard"],
            **quiet,
        )
        for _ in range(workers)
    ]
    try:
        yield address, [*hands, scheduler]
    finally:
        for process in (*hands, scheduler):
            process.kill()
            process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill -9 a process, its workers are left to notice."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


class Deadly:
    """Computes nothing, and kills the worker that is to compute one of the numbers.

    Args:
        numbers: these.
        times: how often; a file is written each time.
        marks: where to.
    """

    def __init__(self, numbers: set[int], times: int, marks: Path) -> None:
        self.numbers, self.times, self.marks = numbers, times, marks

    def __call__(self, first: int, count: int) -> list[int]:
        asked = range(first, first + count)
        before = len(list(self.marks.iterdir()))
        if self.numbers & {*asked} and before < self.times:
            (self.marks / str(before)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return list(asked)


class Slow:
    """Computes nothing, slowly; notes which process begins and ends a chunk.

    Args:
        notes: where to.
    """

    def __init__(self, notes: Path) -> None:
        self.notes = notes

    def __call__(self, first: int, count: int) -> list[int]:
        (self.notes / f"begun {first} {os.getpid()}").touch()
        time.sleep(0.3)
        (self.notes / f"ended {first} {os.getpid()}").touch()
        return list(range(first, first + count))

    def by(self, process: int, what: str) -> set[int]:
        """First numbers of the chunks that a process has begun, or ended."""
        noted = (path.name.split() for path in self.notes.iterdir())
        return {int(first) for kind, first, who in noted if (kind, who) == (what, str(process))}


def pause(first: int, count: int) -> None:
    """Computes nothing, slowly enough for several workers to have some of it."""
    time.sleep(0.02)
