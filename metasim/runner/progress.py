"""Progress that tells the truth: patients done, rate, time left."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Reporter(Protocol):
    """Hears how a run goes on."""

    def __call__(self, patients_done: int) -> None:
        """So many patients are done."""


def _silent(patients_done: int) -> None:
    pass


_SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def reporting(patients: int, done: int, show: bool) -> Iterator[Reporter]:
    """A progress bar on a terminal, plain lines now and then in a log, or nothing.

    Args:
        patients: number of patients of the run.
        done: patients that a resumed run has already.
        show: False: nothing at all.
    """
    console = Console(stderr=True)
    if not show:
        yield _silent
        return
    if not console.is_terminal:
        yield _lines(patients, done)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("patients", total=patients, completed=done, rate="")
        start = time.monotonic()

        def report(patients_done: int) -> None:
            rate = (patients_done - done) / max(time.monotonic() - start, 1e-9)
            bar.update(task, completed=patients_done, rate=f"{rate:,.0f}/s")

        yield report


def _lines(patients: int, done: int) -> Reporter:
    start = last = time.monotonic()

    def report(patients_done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _SECONDS_BETWEEN_LINES:
            return
        last = now
        rate = (patients_done - done) / (now - start)
        left = (patients - patients_done) / max(rate, 1e-9)
        print(
            f"{patients_done:,} of {patients:,} patients, {rate:,.0f}/s, {left:,.0f} s left",
            file=sys.stderr,
            flush=True,
        )

    return report
