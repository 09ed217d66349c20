"""Progress that tells the truth: patients done, failures, rate, time left, who works at present.

Counted here, shown by an `Observer`: the terminal's is `metasim.terminal.progress`.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from metasim.errors import MetasimError, OptionError, RunInterrupted

if TYPE_CHECKING:
    from rich.console import Console

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


class Observer(Protocol):
    """Is told how far a run is."""

    def show(self, done: int, total: int, pace: Callable[[], str]) -> None:
        """So many patients of so many are done.

        Args:
            done: patients done.
            total: patients of the run.
            pace: gives rate, time left, failures and workers in words.
        """

    def note(self, text: str) -> None:
        """Something else that a user should know."""


class Reporter:
    """Counts what is done and has an observer say it.

    Rates are those of the last seconds, or of the last chunks where these take longer: a worker
    that delivers no more is no longer counted.

    Args:
        total: patients of the run.
        done: patients that a resumed run has already.
        observer: who is told; None: nobody.
    """

    def __init__(self, total: int, done: int, observer: Observer | None = None) -> None:
        self.observer = observer
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
        if self.observer is not None:
            self.observer.show(self.done, self.total, self.pace)

    def note(self, text: str) -> None:
        """Say something else."""
        if self.observer is not None:
            self.observer.note(text)

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


@contextmanager
def reporting(
    total: int, done: int, show: bool | Observer, console: "Console | None" = None
) -> Iterator[Reporter]:
    """A reporter for a run.

    Args:
        total: number of patients of the run.
        done: patients that a resumed run has already.
        show: whom it tells; True: a progress bar on a terminal, plain lines now and then in a log;
            False: nobody.
        console: where a bar goes; None: standard error.
    """
    if not isinstance(show, bool):
        yield Reporter(total, done, show)
    elif show:
        from metasim.terminal.progress import display

        with display(total, done, console) as observer:
            yield Reporter(total, done, observer)
    else:
        yield Reporter(total, done)


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
