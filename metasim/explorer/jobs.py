"""Runs that are under way: taken round by round by a few threads, first answers before others.

The colony engine computes a chunk in a compiled call that holds no lock of Python's and ends within
a step of a patient once a flag is raised. So threads serve all pages, and a knob that moves ends
what it made obsolete at once.
"""

import itertools
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Final, Literal

import numpy as np

from metasim.errors import MetasimError
from metasim.explorer.growing import Growing, rounds_of
from metasim.explorer.limits import MOST_RUN_SECONDS
from metasim.results.parts import Span
from metasim.runner.executors import cores

State = Literal["waiting", "running", "done", "stopped", "failed"]
_numbers: Final = itertools.count(1)
_WATCH_SECONDS: Final = 0.25


class Job:
    """One run, as far as it has come.

    Args:
        cohort: what is run.
        asked: patients in the end.
        beside: a cohort that is to have as many patients, to be compared with; None: nothing.

    Attributes:
        number: later ones are higher.
        state: "waiting" for its first chunk, "running", "done", "stopped" or "failed".
        message: why it was stopped or has failed.
        ready: patients that can be looked at.
        version: counts what there is new to look at.
    """

    def __init__(self, cohort: Growing, asked: int, beside: Growing | None = None) -> None:
        self.cohort, self.asked, self.beside = cohort, asked, beside
        self.number = next(_numbers)
        self.state: State = "waiting"
        self.message = ""
        self.ready = 0
        self.version = 0
        self.stop = np.zeros(1, np.int64)
        self.began: float | None = None
        self.ended: float | None = None
        self._rounds = rounds_of(cohort.scenario, asked)
        self._todo: list[tuple[Growing, Span]] = []
        self._under_way = 0
        self._counting: list[Span] = []

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ("done", "stopped", "failed")

    def end(self, state: State, message: str = "") -> None:
        """It is over."""
        if not self.is_over:
            self.state, self.message = state, message
            self.ended = time.monotonic()
            self.version += 1
            self.stop[0] = 1

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        if self.began is None:
            return 0.0
        return (self.ended or time.monotonic()) - self.began

    def next_piece(self) -> Callable[[], None] | None:
        """Something to compute; None: there is nothing that can be begun now.

        The lock of the pool is held by whoever calls this, or `came`.
        """
        if self._todo:
            cohort, span = self._todo.pop(0)
            self._under_way += 1
            return lambda: cohort.compute(span, self.stop)
        if not self._under_way and self._rounds:
            upto = self._rounds[0]
            cohorts = [self.cohort] + ([self.beside] if self.beside is not None else [])
            self._todo = [(one, span) for one in cohorts for span in one.missing(upto)]
            if self._todo:
                return self.next_piece()
            self._round_is_over()
            return self.next_piece()
        if not self._under_way and not self._rounds and not self._counting:
            self._counting = self.cohort.uncounted()
            if not self._counting:
                self.end("done")
        if self._counting:
            span = self._counting.pop()
            self._under_way += 1
            return lambda: self.cohort.count(span, self.stop)
        return None

    def came(self) -> None:
        """A piece was computed."""
        self._under_way -= 1
        if self._under_way or self._todo or self._counting:
            return
        if self._rounds:
            self._round_is_over()
        elif self.cohort.found_funnel is not None:
            self.end("done")

    def _round_is_over(self) -> None:
        self.ready = self._rounds.pop(0)
        self.version += 1


class Pool:
    """Threads that serve the jobs of all pages.

    Args:
        workers: number of threads; None: as many as there are cores.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._jobs: list[Job] = []
        self._change = threading.Condition()
        self._closed = False
        names = [f"explorer-{k}" for k in range(workers or cores())]
        self._threads = [threading.Thread(target=self._work, name=n, daemon=True) for n in names]
        self._threads.append(
            threading.Thread(target=self._watch, name="explorer-watch", daemon=True)
        )
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Have a job carried out."""
        with self._change:
            self._jobs.append(job)
            self._change.notify_all()

    def cancel(self, job: Job, message: str = "cancelled") -> None:
        """End a job; what it has come to stays."""
        with self._change:
            job.end("stopped", message)

    def close(self) -> None:
        """End all jobs and threads."""
        with self._change:
            self._closed = True
            for job in self._jobs:
                job.end("stopped", "the explorer was ended")
            self._change.notify_all()
        for thread in self._threads:
            thread.join(5.0)

    def _work(self) -> None:
        while True:
            with self._change:
                while (found := self._next()) is None:
                    if self._closed:
                        return
                    self._change.wait()
            job, piece = found
            error = _attempt(piece)
            with self._change:
                if isinstance(error, MetasimError):
                    job.end("failed", str(error))
                elif isinstance(error, KeyboardInterrupt):
                    job.end("stopped", "cancelled")
                elif error is not None:
                    job.end("failed", f"a fault of metasim: {type(error).__name__}: {error}")
                if not job.is_over:
                    job.came()
                self._change.notify_all()

    def _next(self) -> tuple[Job, Callable[[], None]] | None:
        """The piece that is most urgent: of the job that has least to show, then the eldest."""
        self._jobs = [job for job in self._jobs if not job.is_over]
        for job in sorted(self._jobs, key=lambda job: (job.ready, job.number)):
            piece = job.next_piece()
            if piece is not None:
                if job.began is None:
                    job.began, job.state = time.monotonic(), "running"
                return job, piece
        return None

    def _watch(self) -> None:
        """End what takes too long."""
        while not self._closed:
            time.sleep(_WATCH_SECONDS)
            with self._change:
                for job in self._jobs:
                    if job.seconds > MOST_RUN_SECONDS and not job.is_over:
                        job.end("stopped", f"stopped after {MOST_RUN_SECONDS:.0f} s, the most "
                                "that a run may take here; ask for fewer patients or years, or "
                                "use the command line")  # fmt: skip


def _attempt(piece: Callable[[], None]) -> BaseException | None:
    try:
        piece()
    except (MetasimError, KeyboardInterrupt) as error:
        return error
    except BaseException as error:
        traceback.print_exc(file=sys.stderr)
        return error
    return None
