"""Where chunks are computed: in this process, its threads, local processes, a Dask cluster.

The colony engine's chunks are compiled calls that let other threads run, so its local workers are
threads: nothing has to be started, sent or loaded twice. The cell engine is Python, which one
thread at a time can run; its workers, and those of users' own cells, are processes.

All have one small interface, the one of `concurrent.futures`: `submit` hands out futures.

Local processes are loky's, not those of the standard library: with `spawn` the standard library
imports the caller's script again in every worker, so that a script without an
`if __name__ == "__main__":` guard starts itself over and over and a class from a notebook cannot
be found; with `fork` the threads of numba and Arrow that are already running may deadlock. loky
starts clean processes, imports no script, and pickles classes of notebooks by value.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, Final, Protocol

import numpy as np

from metasim.errors import MetasimError, MetasimWarning, OptionError
from metasim.runner.interrupts import use_flag
from metasim.terms import install_line

EXECUTORS: Final = ("serial", "threads", "processes", "dask")
"""Executors by the name that `--executor` takes."""

_SECONDS_TO_ANSWER: Final = 3.0
_SECONDS_TO_CONNECT: Final = 4.0
_DASK_LOGS: Final = ("distributed", "distributed.client", "tornado.application")


class Executor(Protocol):
    """Computes chunks."""

    name: str
    broken: tuple[type[Exception], ...]
    """What a future raises when it was not the computation that failed, but a worker."""

    def submit(self, work: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Have `work(*arguments)` computed."""

    def slots(self) -> int:
        """How many chunks are computed at the same time."""

    def renew(self) -> bool:
        """Start anew once a worker is lost, with nothing in hand; False: that is not possible."""

    def close(self, *, kill: bool) -> None:
        """End all workers; `kill`: also those that are computing, at once."""


class NoWorkersError(Exception):
    """Workers cannot be started here: not in a daemonic process, a sandbox, at a limit."""


class Serial:
    """Computes in this process, at once."""

    name = "serial"
    broken: tuple[type[Exception], ...] = ()

    def submit(self, work: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """See `Executor`."""
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def slots(self) -> int:
        """See `Executor`."""
        return 1

    def renew(self) -> bool:
        """See `Executor`."""
        return False

    def close(self, *, kill: bool) -> None:
        """See `Executor`."""


class Threads:
    """Computes in threads of this process.

    Args:
        workers: number of threads.
    """

    name = "threads"
    broken: tuple[type[Exception], ...] = ()

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._stop = np.zeros(1, np.int64)
        self._pool = ThreadPoolExecutor(
            workers, "worker", initializer=use_flag, initargs=(self._stop,)
        )

    def submit(self, work: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """See `Executor`.

        Raises:
            NoWorkersError: no thread could be started.
        """
        try:
            return self._pool.submit(work, *arguments)
        except RuntimeError as error:  # at a limit of the system
            raise NoWorkersError(str(error)) from error

    def slots(self) -> int:
        """See `Executor`."""
        return self._workers

    def renew(self) -> bool:
        """See `Executor`; threads are not lost."""
        return False

    def close(self, *, kill: bool) -> None:
        """See `Executor`; compiled code ends at its next look at the flag."""
        self._stop[0] = kill
        self._pool.shutdown(wait=True, cancel_futures=True)


class Processes:
    """Computes in processes of this machine.

    Args:
        workers: number of processes.
    """

    name = "processes"
    broken: tuple[type[Exception], ...] = (BrokenExecutor,)

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._started = False
        self._start()

    def _start(self) -> None:
        from loky import ProcessPoolExecutor

        self._pool = ProcessPoolExecutor(self._workers, initializer=_serve, initargs=(os.getpid(),))

    def submit(self, work: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """See `Executor`.

        Raises:
            NoWorkersError: not one process could be started.
        """
        if not self._started and multiprocessing.current_process().daemon:
            raise NoWorkersError("a daemonic process may have no children")
        try:
            with _unheard_by_workers():
                future: Future[Any] = self._pool.submit(work, *arguments)
        except (AssertionError, ImportError, OSError, RuntimeError, ValueError) as error:
            if self._started or isinstance(error, self.broken):
                raise
            raise NoWorkersError(str(error) or type(error).__name__) from error
        self._started = True
        return future

    def slots(self) -> int:
        """See `Executor`."""
        return self._workers

    def renew(self) -> bool:
        """See `Executor`."""
        self.close(kill=True)
        self._start()
        return True

    def close(self, *, kill: bool) -> None:
        """See `Executor`."""
        self._pool.shutdown(wait=True, kill_workers=kill)


class Dask:
    """Computes on the workers of a Dask scheduler that is already running.

    Its own log is silent meanwhile: what a user should know is said here.

    Args:
        scheduler: its address, `tcp://host:8786`.

    Raises:
        OptionError: no scheduler answers there, it has no workers, or Dask is not installed.
    """

    name = "dask"

    def __init__(self, scheduler: str) -> None:
        reach(scheduler)
        from distributed import Client, KilledWorker

        self._scheduler = scheduler
        self._silence = ExitStack()
        self._silence.enter_context(_silent_dask())
        self._client = Client(scheduler, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
        try:
            self._client.wait_for_workers(1, timeout=_SECONDS_TO_CONNECT)
        except TimeoutError:
            self._client.close()
            self._silence.close()
            raise OptionError(
                f"--scheduler {scheduler}: the scheduler has no workers; start some with "
                f"`dask worker {scheduler}`"
            ) from None
        self.broken: tuple[type[Exception], ...] = (KilledWorker, CancelledError)
        self._pool = self._client.get_executor(pure=False)

    def submit(self, work: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """See `Executor`."""
        future: Future[Any] = self._pool.submit(work, *arguments)
        return future

    def slots(self) -> int:
        """See `Executor`."""
        try:
            return max(1, int(sum(self._client.nthreads().values())))
        except OSError as error:
            raise CancelledError(str(error)) from error

    def renew(self) -> bool:
        """See `Executor`; the scheduler has already tried other workers.

        Raises:
            MetasimError: the scheduler is gone too.
        """
        gone = self._client.status != "running"
        if not gone:
            try:
                reach(self._scheduler)
            except OptionError:
                gone = True
        if gone:
            raise MetasimError(f"the Dask scheduler at {self._scheduler} is gone")
        return False

    def close(self, *, kill: bool) -> None:
        """See `Executor`; the cluster's workers stay, `kill` cancels what they compute."""
        self._pool.shutdown(wait=not kill)
        self._client.close()
        self._silence.close()


def reach(scheduler: str) -> None:
    """Make sure that a Dask scheduler answers.

    It is asked in a thread of its own, on one connection: Dask's client neither bounds the time of
    the first words, nor ends in order if they fail.

    Raises:
        OptionError: none answers within some seconds, or Dask is not installed.
    """
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise OptionError(f"--executor dask needs Dask: {install_line('dask')}") from None
    answer = "no answer"

    def ask() -> None:
        nonlocal answer
        try:
            answer = asyncio.run(asyncio.wait_for(_who_answers(scheduler), _SECONDS_TO_ANSWER))
        except TimeoutError:
            pass
        except (OSError, ValueError, TypeError) as error:
            answer = str(error)
        except Exception:  # its words, taken for Dask's, may mean anything: exabytes to come
            answer = "but something else"

    asking = threading.Thread(target=ask, daemon=True)
    with _silent_dask():
        asking.start()
        asking.join(_SECONDS_TO_ANSWER + 1.0)
    if answer != "Scheduler":
        raise OptionError(f"--scheduler {scheduler}: no Dask scheduler answers there ({answer})")


@contextmanager
def _silent_dask() -> Iterator[None]:
    """Dask's own log says nothing meanwhile."""
    logs = [logging.getLogger(name) for name in _DASK_LOGS]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


async def _who_answers(address: str) -> str:
    """What a Dask process at an address is: "Scheduler", "Worker"."""
    from distributed.comm.core import connect
    from distributed.core import send_recv
    from distributed.security import Security

    options = Security().get_connection_args("client")
    comm = await connect(address, timeout=_SECONDS_TO_ANSWER, **options)
    about = await send_recv(comm, op="identity", close=True)
    return str(about["type"])


def cores() -> int:
    """Cores that this process may use, by its affinity and the limits of its container."""
    from loky import cpu_count

    return int(cpu_count())


def remark(workers: int | None) -> str:
    """What to say about that many local workers; empty: nothing."""
    if workers is None or workers <= cores():
        return ""
    return f"{workers} workers on {cores()} cores: more than can work at a time"


def check(
    executor: str | None, workers: int | None, scheduler: str | None, engine: str = "colonies"
) -> None:
    """Check the options that choose an executor.

    Raises:
        OptionError: one of them is not allowed, or they contradict each other.
    """
    if executor is not None and executor not in EXECUTORS:
        raise OptionError(f"--executor {executor}: unknown; choose from {', '.join(EXECUTORS)}")
    if workers is not None and workers < 1:
        raise OptionError(f"--workers {workers}: at least 1 is needed")
    if scheduler is not None and executor not in (None, "dask"):
        raise OptionError(f"--scheduler goes with --executor dask, not {executor}")
    if executor == "dask" and scheduler is None:
        raise OptionError("--executor dask needs the scheduler's address: --scheduler tcp://...")
    if scheduler is not None and workers is not None:
        raise OptionError("--workers: with Dask, the workers are those of the scheduler")
    if executor == "serial" and workers not in (None, 1):
        raise OptionError(f"--workers {workers}: --executor serial has one")
    if executor == "threads" and engine != "colonies":
        raise OptionError(
            f"--executor threads: the engine {engine} computes in one thread at a time; choose "
            "processes"
        )


def choose(
    executor: str | None, workers: int | None, scheduler: str | None, engine: str = "colonies"
) -> Executor | None:
    """The executor that the options ask for; None: it depends on how long the run takes.

    Raises:
        OptionError: one of them is not allowed, they contradict each other, or the scheduler
            cannot be reached.
    """
    check(executor, workers, scheduler, engine)
    if scheduler is not None:
        return Dask(scheduler)
    if executor == "serial" or workers == 1:
        return Serial()
    if executor is None and workers is None:
        return None
    wanted = executor or ("threads" if engine == "colonies" else "processes")
    return (Threads if wanted == "threads" else Processes)(workers or cores())


def grown(engine: str) -> Executor | None:
    """Workers on all cores, for a run that turns out long; None: it should stay as it is.

    In a process that another one has started for its work (a worker of a pool), that one shares
    out the cores.
    """
    if multiprocessing.parent_process() is not None or cores() == 1:
        return None
    return (Threads if engine == "colonies" else Processes)(cores())


@contextmanager
def _unheard_by_workers() -> Iterator[None]:
    """Processes started in here never hear Ctrl-C, not even before they run `_serve`.

    They inherit that it is ignored. That it is blocked besides keeps it for this process, which
    gets it a moment later.
    """
    here = threading.current_thread() is threading.main_thread()
    known = signal.getsignal(signal.SIGINT) is not None
    if not (here and known and hasattr(signal, "pthread_sigmask")):
        yield
        return
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # type: ignore[attr-defined]
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)  # type: ignore[attr-defined]


def _serve(parent: int) -> None:
    """Make this process a worker: it leaves Ctrl-C to its parent and does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore", MetasimWarning)  # the parent has said so

    def watch() -> None:
        while _lives(parent):
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _lives(parent: int) -> bool:
    if os.name != "nt":
        return os.getppid() == parent  # an orphan has another one
    import psutil

    return bool(psutil.pid_exists(parent))
