"""Progress: what matters is never cut off, and who no longer delivers is not counted."""

import os
import re
import signal
import sys
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

import metasim as ms
from metasim.results.parts import Span
from metasim.runner import dispatch, executors, progress
from metasim.runner.dispatch import Dispatcher, Todo
from metasim.runner.executors import Processes
from metasim.runner.progress import Reporter, reporting
from metasim.terminal import notebook
from metasim.terminal import progress as shown_progress
from tests import faults

MILLION = 1_000_000


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    now = SimpleNamespace(seconds=0.0)
    for module in (progress, shown_progress, notebook):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def four_workers(report: Reporter, clock: SimpleNamespace) -> None:
    """A hundred seconds of four workers that compute 200 to 500 patients a second."""
    for second in range(100):
        for worker in range(4):
            clock.seconds += 0.25
            report(f"host:{worker}", 200 + 100 * worker, second % 2, 1.0)


@pytest.mark.parametrize("width", [60, 80])
def test_bar_shows_what_matters_at_any_width(clock, width):
    out = StringIO()
    console = Console(width=width, file=out, force_terminal=True)
    with reporting(MILLION, 0, True, console) as report:
        four_workers(report, clock)
        out.truncate(0)
        report.observer.bar.refresh()
        drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue().replace("\0", ""))
    lines = [line.rstrip() for line in drawn.replace("\r", "\n").splitlines() if line.strip()]
    assert all(len(line) <= width for line in lines)
    assert "…" not in drawn
    shown = " ".join(lines)
    assert "140,000 of 1,000,000  14% " in shown
    assert "1,400/s, 10 min 14 s left, 200 failed, by 4 workers, 200-500/s each" in shown


def test_log_has_a_line_now_and_then_with_all_that_matters(clock, capsys):
    with reporting(MILLION, 0, True, Console(file=StringIO())) as report:
        four_workers(report, clock)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[-1] == (
        "140,000 of 1,000,000 patients, 1,400/s, 10 min 14 s left, 200 failed, by 4 workers, "
        "200-500/s each"
    )


class Page:
    """A notebook: what stands below the cell, and how often that changed."""

    def __init__(self):
        self.shown, self.changes = None, 0

    def display(self, data, *, raw, display_id):
        self.update(data, raw=raw)
        return self

    def update(self, data, *, raw):
        self.shown, self.changes = data, self.changes + 1


@pytest.fixture
def page(monkeypatch):
    page, shell = Page(), SimpleNamespace(kernel=object())
    display = SimpleNamespace(display=page.display)
    there = SimpleNamespace(get_ipython=lambda: shell, display=display)
    monkeypatch.setitem(sys.modules, "IPython", there)
    return page


def test_notebook_has_a_bar_that_ends_with_what_is_done(clock, page, capsys):
    with reporting(MILLION, 0, True) as report:
        four_workers(report, clock)
        said = page.shown["text/plain"]
        assert said.startswith("140,000 of 1,000,000 patients, 1,400/s, 10 min 14 s left, 200 f")
        bar = '<progress value="140000" max="1000000"></progress>'
        assert page.shown["text/html"] == f"{bar} {said}"
        report.note("a <remark>")
    assert page.shown["text/plain"] == "140,000 of 1,000,000 patients"
    assert 100 < page.changes < 200  # twice a second, whatever comes in
    assert capsys.readouterr().err == "a <remark>\n"


def test_run_of_a_moment_leaves_nothing_in_a_notebook(clock, page):
    with reporting(10, 0, True) as report:
        clock.seconds += 1
        report("parent", 10, 0, 1.0)
    assert page.changes == 0


def test_stopped_run_in_a_notebook_says_how_far_it_came(clock, page):
    with pytest.raises(KeyboardInterrupt), reporting(10, 0, True) as report:
        clock.seconds += 3
        report("parent", 4, 0, 3.0)
        raise KeyboardInterrupt
    assert page.shown["text/plain"] == "4 of 10 patients"


def test_ipython_without_a_notebook_has_the_terminals_bar(monkeypatch):
    for shell in (None, SimpleNamespace()):
        there = SimpleNamespace(get_ipython=lambda shell=shell: shell)
        monkeypatch.setitem(sys.modules, "IPython", there)
        assert notebook.page_of_a_notebook() is None


def test_worker_that_delivers_no_more_is_not_counted(clock):
    report = Reporter(MILLION, 0)

    def after(seconds: float, *workers: str, each: float = 1.0) -> str:
        end = clock.seconds + seconds
        while clock.seconds < end:
            clock.seconds += each
            for worker in workers:
                report(worker, 100, 0, each)
        return report.pace()

    assert after(30, "parent").startswith("100/s, ")
    assert "by" not in after(30, "parent")
    assert "by 3 workers" in after(5, "one", "other")
    assert re.fullmatch(r"200/s, .* left, by 2 workers, 100/s each", after(10, "one", "other"))
    assert re.fullmatch(r"100/s, [^,]* left", after(20, "one"))  # the other was lost
    slow = after(600, "one", "new", each=60.0)  # chunks of a minute are no lost workers
    assert "by 2 workers, 1.7/s each" in slow


def test_this_process_is_no_worker_of_the_run_that_it_hands_on(monkeypatch):
    monkeypatch.setitem(dispatch._WORTH, "colonies", 0.0)
    monkeypatch.setattr(executors, "cores", lambda: 2)
    asked = ms.load("luminal_a_surgery", {"run.patients": 400, "run.record": "patients"})
    about = ms.run(asked, progress=False).provenance
    assert (about["executor"], about["workers"]) == ("threads", 2)


@pytest.mark.unix
def test_workers_that_were_replaced_are_not_counted():
    pool = Processes(2)
    with Dispatcher(faults.pause, pool) as dispatcher:
        for chunks, _ in enumerate(dispatcher.complete(Todo(Span(0, 200), most=2, size=2))):
            if chunks == 40:
                os.kill(next(iter(pool._pool._processes)), signal.SIGKILL)
        assert len(dispatcher.workers) == 2
