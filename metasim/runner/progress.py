"""Progress that tells the truth: patients done, failures, rate by worker, time left."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from metasim.errors import MetasimError, OptionError, RunInterrupted

_SECONDS_BETWEEN_LINES = 10.0
_WORKERS_SHOWN = 8


class Reporter:
    """Counts what is done and says it where it is wanted; this one says nothing.

    Args:
        total: patients of the run.
        done: patients that a resumed run has already.
    """

    def __init__(self, total: int, done: int) -> None:
        self.total = total
        self.begun_with = self.done = done
        self.failures = 0
        self.by_worker: Counter[str] = Counter()
        self.start = time.monotonic()

    def __call__(self, worker: str, patients: int, failures: int = 0) -> None:
        """So many more patients are done, some of them failures."""
        self.done += patients
        self.failures += failures
        self.by_worker[worker] += patients
        self.say()

    def say(self) -> None:
        """Say how far the run is."""

    def note(self, text: str) -> None:
        """Say something else."""

    def rate(self) -> float:
        """Patients per second since this run, or its resumption, began."""
        return (self.done - self.begun_with) / max(time.monotonic() - self.start, 1e-9)

    def pace(self) -> str:
        """The rate in words; with several workers, also of each."""
        seconds = max(time.monotonic() - self.start, 1e-9)
        text = f"{_short(self.rate())}/s"
        each = [_short(count / seconds) for _, count in sorted(self.by_worker.items())]
        if len(each) > 1:
            cut = f" and {len(each) - _WORKERS_SHOWN} more" if len(each) > _WORKERS_SHOWN else ""
            text += f" by {len(each)} workers ({' + '.join(each[:_WORKERS_SHOWN])}{cut})"
        if self.failures:
            text += f", {self.failures:,} failed"
        return text


class _Lines(Reporter):
    """A plain line now and then, for a log."""

    def __init__(self, total: int, done: int) -> None:
        super().__init__(total, done)
        self._last = self.start

    def say(self) -> None:
        now = time.monotonic()
        if now - self._last < _SECONDS_BETWEEN_LINES:
            return
        self._last = now
        left = (self.total - self.done) / max(self.rate(), 1e-9)
        self.note(
            f"{self.done:,} of {self.total:,} patients, {self.pace()}, {_duration(left)} left"
        )

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class _Bar(Reporter):
    """A bar on a terminal."""

    def __init__(self, total: int, done: int, bar: Progress) -> None:
        super().__init__(total, done)
        self._bar = bar
        self._task = bar.add_task("patients", total=total, completed=done, pace="")

    def say(self) -> None:
        self._bar.update(self._task, total=self.total, completed=self.done, pace=self.pace())

    def note(self, text: str) -> None:
        self._bar.console.print(text, highlight=False)


@contextmanager
def reporting(total: int, done: int, show: bool) -> Iterator[Reporter]:
    """A progress bar on a terminal, plain lines now and then in a log, or nothing.

    Args:
        total: number of patients of the run.
        done: patients that a resumed run has already.
        show: False: nothing at all.
    """
    console = Console(stderr=True)
    if not show:
        yield Reporter(total, done)
        return
    if not console.is_terminal:
        yield _Lines(total, done)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield _Bar(total, done, bar)


@contextmanager
def stoppable(report: Reporter, kept: bool, overwrite: bool) -> Iterator[None]:
    """Have Ctrl-C, a full disk and lost workers say how far the run came and how it goes on.

    Args:
        report: what is done.
        kept: the finished chunks lie in a folder.
        overwrite: which is to replace one that may still be there.

    Raises:
        RunInterrupted: on Ctrl-C.
    """
    options = "--resume --overwrite" if overwrite else "--resume"
    try:
        yield
    except KeyboardInterrupt:
        way_on = f"; they are kept, {options} goes on from there" if kept and report.done else ""
        raise RunInterrupted(f"stopped after {_far(report)}{way_on}") from None
    except MetasimError as error:
        if kept and report.done and not isinstance(error, OptionError):
            error.args = (f"{error}; {_far(report)} are kept, {options} goes on from there",)
        raise


def _far(report: Reporter) -> str:
    return f"{report.done:,} of {report.total:,} patients"


def _short(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
