"""Progress that tells the truth: patients done, failures, rate, time left, who works at present."""

import math
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from metasim.errors import MetasimError, OptionError, RunInterrupted
from metasim.terminal import console as terminal_console
from metasim.terminal import plain, tell

_SECONDS_BETWEEN_LINES: Final = 10.0
_SECONDS_BETWEEN_LOOKS: Final = 0.1
_RECENT_SECONDS: Final = 10.0
_RECENT_CHUNKS: Final = 3  # of those that take longer than that


class _Chunk(NamedTuple):
    """A chunk that came in.

    Attributes:
        when: it did.
        worker: who computed it.
        patients: how many.
        seconds: how long it took.
    """

    when: float
    worker: str
    patients: int
    seconds: float

    @property
    def recent(self) -> float:
        """Seconds for which it counts as recent."""
        return max(_RECENT_SECONDS, _RECENT_CHUNKS * self.seconds)


class Reporter:
    """Counts what is done and says it where it is wanted; this one says nothing.

    Rates are those of the last seconds, or of the last chunks where these take longer: a worker
    that delivers no more is no longer counted.

    Args:
        total: patients of the run.
        done: patients that a resumed run has already.
    """

    def __init__(self, total: int, done: int) -> None:
        self.total = total
        self.done = done
        self.failures = 0
        self._start = time.monotonic()
        self._recent: deque[_Chunk] = deque()

    def __call__(self, worker: str, patients: int, failures: int, seconds: float) -> None:
        """So many more patients are done, some of them failures; the worker took so long."""
        self.done += patients
        self.failures += failures
        now = time.monotonic()
        self._recent.append(_Chunk(now, worker, patients, seconds))
        while now - self._recent[0].when >= self._recent[0].recent:
            self._recent.popleft()
        self.say()

    def say(self) -> None:
        """Say how far the run is."""

    def note(self, text: str) -> None:
        """Say something else."""

    def pace(self) -> str:
        """Rate, time left, failures and workers in words, in order of importance."""
        now = time.monotonic()
        recent = [chunk for chunk in self._recent if now - chunk.when < chunk.recent]
        since = max(now - self._start, 1e-9)
        rate = sum(chunk.patients / min(chunk.recent, since) for chunk in recent)
        text = f"{_short(rate)}/s, {_duration((self.total - self.done) / max(rate, 1e-9))} left"
        if self.failures:
            text += f", {self.failures:,} failed"
        each = _rates(recent)
        if len(each) > 1:
            slow, fast = _short(min(each)), _short(max(each))
            text += f", by {len(each)} workers, {slow if slow == fast else f'{slow}-{fast}'}/s each"
        return text


class _Lines(Reporter):
    """A plain line now and then, for a log."""

    def __init__(self, total: int, done: int) -> None:
        super().__init__(total, done)
        self._last = self._start

    def say(self) -> None:
        now = time.monotonic()
        if now - self._last < _SECONDS_BETWEEN_LINES:
            return
        self._last = now
        self.note(f"{self.done:,} of {self.total:,} patients, {self.pace()}")

    def note(self, text: str) -> None:
        tell(text)


class _Bar(Reporter):
    """A bar on a terminal."""

    def __init__(self, total: int, done: int, bar: "_BarAndPace") -> None:
        super().__init__(total, done)
        self._bar = bar
        self._task = bar.add_task("patients", total=total, completed=done)
        self._last = -math.inf

    def say(self) -> None:
        now = time.monotonic()
        if now - self._last < _SECONDS_BETWEEN_LOOKS:
            return
        self._last = now
        self._bar.pace = self.pace()
        self._bar.update(self._task, total=self.total, completed=self.done)

    def note(self, text: str) -> None:
        self._bar.console.print(Text(plain(text)))


class _BarAndPace(Progress):
    """The bar and what is done, and under it, in as many lines as that takes, the pace."""

    pace = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield Text(self.pace)


@contextmanager
def reporting(
    total: int, done: int, show: bool, console: Console | None = None
) -> Iterator[Reporter]:
    """A progress bar on a terminal, plain lines now and then in a log, or nothing.

    Args:
        total: number of patients of the run.
        done: patients that a resumed run has already.
        show: False: nothing at all.
        console: where a bar goes; None: standard error.
    """
    console = console or terminal_console(error=True)
    if not show:
        yield Reporter(total, done)
        return
    if not console.is_terminal:
        yield _Lines(total, done)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=10),
        TextColumn("{task.completed:,} of {task.total:,}"),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with _BarAndPace(*columns, console=console, transient=True) as bar:
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


def _rates(recent: Iterable[_Chunk]) -> list[float]:
    """Patients per second of each worker, while it computed."""
    patients: defaultdict[str, int] = defaultdict(int)
    seconds: defaultdict[str, float] = defaultdict(float)
    for chunk in recent:
        patients[chunk.worker] += chunk.patients
        seconds[chunk.worker] += chunk.seconds
    return [patients[worker] / max(seconds[worker], 1e-9) for worker in patients]


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
