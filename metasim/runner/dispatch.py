"""Hand out chunks and take them back: sized by the pace of the run, in any order.

A chunk is a span of consecutive numbers. What it computes must depend on these numbers alone, so
that executor, workers, sizes and order leave no trace.
"""

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple, Self

from metasim.errors import MetasimError, OptionError
from metasim.results.parts import Span
from metasim.runner.executors import Executor, NoWorkersError, Serial, Threads, grown
from metasim.terms import VERSION

Compute = Callable[[int, int], Any]
"""(first, count) -> what there is to know about these numbers; has to be picklable."""

_FIRST_COUNT: Final = 8
_SECONDS_PER_CHUNK: Final = 1.0  # at first; later a hundredth of the time the run has taken
_FASTEST_GROWTH: Final = 8
_CHUNKS_AHEAD: Final = 2  # per slot, so that no worker waits for this process
_MOST_LOSSES: Final = 3  # of a chunk, until it is taken for what kills its workers
_WORTH: Final = {"colonies": 0.2, "cells": 15.0}
"""Seconds that one worker has to need for threads, or processes, to pay."""
_SECONDS_UNHEARD: Final = 0.5  # where waiting is deaf to Ctrl-C


class Done(NamedTuple):
    """A chunk that was computed."""

    span: Span
    result: Any
    seconds: float
    worker: str


class Todo:
    """What is left to compute, handed out in chunks.

    Args:
        whole: the numbers that are wanted.
        finished: spans that need not be computed.
        most: largest chunk.
        size: size of every chunk; None: by the pace.
    """

    def __init__(
        self, whole: Span, finished: Sequence[Span] = (), *, most: int, size: int | None = None
    ) -> None:
        self._gaps = _gaps(whole, finished)
        self._most = most
        self._fixed = size
        self._size = size or min(_FIRST_COUNT, most)
        self._pace: float | None = None  # seconds per number
        self._taken = 0
        self._begun = time.monotonic()
        self._lost: list[Span] = []
        self._losses: Counter[Span] = Counter()
        self.left = sum(gap.size for gap in self._gaps)

    def next(self, slots: int) -> Span:
        """The next chunk; there has to be one (`left`). Those that were lost come first."""
        if self._lost:
            span = self._lost.pop()
            self.left -= span.size
            return span
        gap = self._gaps.pop()
        count = min(self._count(slots), gap.size)
        if count < gap.size:
            self._gaps.append(Span(gap.first + count, gap.size - count))
        self.left -= count
        return Span(gap.first, count)

    def put_back(self, span: Span) -> None:
        """Take back a chunk that nobody has begun."""
        self._lost.append(span)
        self.left += span.size

    def lose(self, spans: Iterable[Span]) -> Span | None:
        """Take back chunks whose worker was lost; returns one that was lost too often."""
        for span in spans:
            self.put_back(span)
            self._losses[span] += 1
        span, losses = self._losses.most_common(1)[0]
        return span if losses >= _MOST_LOSSES else None

    def doubtful(self) -> bool:
        """Whether the next chunk may be the one that its worker was lost with."""
        return bool(self._lost)

    def took(self, done: Done) -> None:
        """Learn the pace, and that the chunk kills no worker."""
        self._losses.pop(done.span, None)
        self._pace = done.seconds / done.span.size
        self._taken += 1
        self._size = max(self._size, done.span.size)

    def seconds_left(self) -> float:
        """Time that one process needs for what is not handed out yet; 0 while not known."""
        # the first chunk also loads the engine
        return self.left * (self._pace or 0.0) if self._taken > 1 else 0.0

    def _count(self, slots: int) -> int:
        if self._fixed is not None:
            return self._fixed
        if self._pace is None:
            return self._size
        seconds = max(_SECONDS_PER_CHUNK, (time.monotonic() - self._begun) / 100)
        by_pace = min(seconds / max(self._pace, 1e-9), self._size * _FASTEST_GROWTH)
        fair = max(self.left / (_CHUNKS_AHEAD * slots), by_pace / 20)  # no worker ends much later
        return max(1, int(min(by_pace, fair, self._most)))


class Dispatcher:
    """Hands out chunks to an executor; use it as a context manager, which ends the workers.

    Args:
        compute: what a chunk is computed with.
        executor: where; None: in this process, going on with workers on all cores once the pace
            says that these pay.
        engine: what computes, which decides on the kind of workers.
        say: takes what a user should know.

    Attributes:
        executor: where chunks are computed now.
        workers: those that delivered since it was started, or started anew.
    """

    def __init__(
        self,
        compute: Compute,
        executor: Executor | None,
        say: Callable[[str], None] = lambda _: None,
        engine: str = "colonies",
    ) -> None:
        self._compute = compute
        self._engine = engine
        self._say = say
        self._payload: Compute | bytes = compute
        self.workers: set[str] = set()
        self._may_grow = executor is None
        self._use(executor or Serial())
        self._idle = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.close(kill=not self._idle)

    def complete(self, todo: Todo) -> Iterator[Done]:
        """Compute all that is left, in any order.

        When a worker is lost, what the executor had in hand is computed again, one chunk at a
        time: so a chunk that kills its workers is found, and the others are not blamed.

        Raises:
            MetasimError: a chunk lost its worker again and again, the executor cannot replace lost
                workers, or they are not like this process.
        """
        running: dict[Future[Done], Span] = {}
        self._idle = False
        while todo.left or running:
            try:
                self._hand_out(todo, running)
                ended = wait(running, _SECONDS_UNHEARD, return_when=FIRST_COMPLETED).done
                for future in ended:
                    done = future.result()
                    del running[future]
                    todo.took(done)
                    self.workers.add(done.worker)
                    yield done
            except self.executor.broken as error:
                why = f"perhaps for want of memory ({type(error).__name__}: {error})"
                guilty = todo.lose(running.values())
                running.clear()
                if guilty is not None:
                    raise MetasimError(
                        f"a worker was lost {_MOST_LOSSES} times with the same {guilty.size:,} "
                        f"patients (from {guilty.first:,}), {why}"
                    ) from None
                if not self.executor.renew():
                    raise MetasimError(f"a worker was lost, {why}") from None
                self.workers = set()
                self._say("a worker was lost; what it had in hand is computed again")
            except ModuleNotFoundError as error:
                raise MetasimError(f"the workers lack a package of this process: {error}") from None
        self._idle = True

    def _hand_out(self, todo: Todo, running: dict[Future[Done], Span]) -> None:
        if self._may_grow and not running and todo.seconds_left() > _WORTH[self._engine]:
            self._may_grow = False
            if more := grown(self._engine):
                self._use(more)
        slots = self.executor.slots()
        while todo.left:
            alone = isinstance(self.executor, Serial) or todo.doubtful()
            if len(running) >= (1 if alone else _CHUNKS_AHEAD * slots):
                return
            span = todo.next(slots)
            try:
                running[self.executor.submit(work, versions(), self._payload, span)] = span
            except NoWorkersError as error:
                todo.put_back(span)
                self._say(f"no workers can be started here ({error}): computing in this process")
                self._use(Serial())
            except self.executor.broken:
                running[Future()] = span  # lost like the others
                raise

    def _use(self, executor: Executor) -> None:
        self.executor = executor
        self.workers = set()
        here = isinstance(executor, Serial | Threads)
        self._payload = self._compute if here else _pickled(self._compute)


def work(wanted: dict[str, str], payload: Compute | bytes, span: Span) -> Done:
    """What a worker does: compute one chunk.

    Raises:
        OptionError: the worker's versions are not those of the process that asks.
    """
    if wanted != versions():
        differing = ", ".join(
            f"{name} {versions().get(name, 'missing')} instead of {version}"
            for name, version in wanted.items()
            if versions().get(name) != version
        )
        raise OptionError(f"worker {_worker()} has {differing}; results would not be the same")
    compute = _unpickled(payload) if isinstance(payload, bytes) else payload
    start = time.perf_counter()
    result = compute(*span)
    return Done(span, result, time.perf_counter() - start, _worker())


@cache
def versions() -> dict[str, str]:
    """Versions on which results may depend."""
    import platform
    from importlib.metadata import version

    packages = ("numpy", "scipy", "numba", "mesa", "pyarrow")
    return {
        "metasim": VERSION,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def _gaps(whole: Span, finished: Sequence[Span]) -> list[Span]:
    """Spans of `whole` that are not finished, the last one first."""
    gaps, place = [], whole.first
    for span in sorted(finished):
        if span.first > place:
            gaps.append(Span(place, span.first - place))
        place = max(place, span.first + span.size)
    end = whole.first + whole.size
    if end > place:
        gaps.append(Span(place, end - place))
    return gaps[::-1]


def _pickled(compute: Compute) -> bytes:
    import cloudpickle

    return bytes(cloudpickle.dumps(compute))


@lru_cache(maxsize=2)
def _unpickled(payload: bytes) -> Compute:
    import pickle

    compute: Compute = pickle.loads(payload)
    return compute


def _worker() -> str:
    thread = threading.current_thread()
    name = f"{socket.gethostname()}:{os.getpid()}"
    return name if thread is threading.main_thread() else f"{name}:{thread.name}"
