"""Pages that are open: each has a scenario, what is changed of it, a run and a pinned baseline."""

import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from metasim.errors import Mistake, OptionError, ScenarioError
from metasim.explorer.growing import Growing, is_fixed
from metasim.explorer.jobs import Job, Pool
from metasim.explorer.limits import (
    IDLE_SECONDS,
    MOST_COLONIES,
    MOST_PATIENTS,
    MOST_SESSIONS,
    MOST_YEARS,
)
from metasim.scenario.closed import catalogue_only
from metasim.scenario.keys import shown
from metasim.scenario.schema import Scenario

if TYPE_CHECKING:
    from metasim.explorer.cells import Watched
    from metasim.results.store import Results

_FIRST: Final = ("organs", "seed.subtype", "care")
"""Keys that bring in entries of the catalogue, which other changes are made to."""
_MOST_SHARED: Final = 16
_TOKEN_BYTES: Final = 18


@dataclass(frozen=True)
class Base:
    """What the knobs start from.

    Attributes:
        name: as it is called on the command line: a shipped scenario, or a file.
        scenario: the same, loaded.
        kind: "shipped", "file" (given when the explorer was started) or "upload".
    """

    name: str
    scenario: Scenario
    kind: str = "shipped"


@dataclass(frozen=True)
class Pinned:
    """What a run is compared with: a cohort, or results that were uploaded.

    Attributes:
        label: what a page calls it.
        cohort: it can grow with the run.
        given: results that are as they are.
        asked: patients of it.
    """

    label: str
    cohort: Growing | None = None
    given: "Results | None" = None
    asked: int = 0

    def results(self, patients: int) -> "Results | None":
        """Its results, of so many patients if it can; None: there are none yet."""
        if self.cohort is None:
            return self.given
        if is_fixed(self.cohort.scenario):
            patients = self.cohort.scenario.run.patients
        return self.cohort.results(patients) if self.cohort.done >= patients else None


@dataclass
class Session:
    """One page.

    Attributes:
        name: a secret that the page knows.
        base: what the knobs start from.
        changes: key path -> value, of the run.
        job: the run; None: nothing was run yet.
        baseline: what it is compared with.
        kept: the baseline was pinned by hand, so that it outlives a change of scenario.
        watched: a patient whose cells are watched.
        folder: of files that were uploaded; None: none.
        numbers: the last that were shown, and of what.
        used: when it last asked for something.
        lock: held while any of this changes.
    """

    name: str
    base: Base
    changes: dict[str, Any] = field(default_factory=dict)
    job: Job | None = None
    baseline: Pinned | None = None
    kept: bool = False
    watched: "Watched | None" = None
    folder: Path | None = None
    numbers: tuple[Any, dict[str, Any]] | None = None
    used: float = field(default_factory=time.monotonic)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def scenario(self) -> Scenario:
        """The scenario that is run at present, with every change in it."""
        return self.base.scenario if self.job is None else self.job.cohort.scenario


class Sessions:
    """All pages; what they run is computed by one pool.

    Args:
        pool: computes.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._open: dict[str, Session] = {}
        self._shared: OrderedDict[str, Growing] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._open)

    def open(self, base: Base) -> Session:
        """A new page.

        Raises:
            OptionError: there are too many.
        """
        session = Session(secrets.token_urlsafe(_TOKEN_BYTES), base)
        with self._lock:
            now = time.monotonic()
            idle = [one for one in self._open.values() if now - one.used > IDLE_SECONDS]
            for one in idle:
                self._close(one)
            if len(self._open) >= MOST_SESSIONS:
                raise OptionError(
                    f"{MOST_SESSIONS} pages are open, the most that one explorer serves; close one "
                    "of them, or start another explorer"
                )
            self._open[session.name] = session
        session.baseline = self.default(base)
        return session

    def find(self, name: str) -> Session | None:
        """The page of that name; None: there is none any more."""
        session = self._open.get(name)
        if session is not None:
            session.used = time.monotonic()
        return session

    def close(self, session: Session) -> None:
        """A page was closed."""
        with self._lock:
            self._close(session)

    def close_all(self) -> None:
        """The explorer ends."""
        with self._lock:
            for session in list(self._open.values()):
                self._close(session)

    def rebase(self, session: Session, base: Base) -> None:
        """Start from another scenario."""
        with session.lock:
            self._stop(session)
            session.base, session.changes, session.job = base, {}, None
            if not session.kept:
                session.baseline = self.default(base)

    def run(self, session: Session, changes: Mapping[str, Any], patients: int) -> Job:
        """Run the scenario of a page with changes, and end what it ran before.

        Args:
            session: the page.
            changes: key path -> value.
            patients: how many in the end.

        Raises:
            ScenarioError: with all mistakes at once.
        """
        given = ordered(changes)
        patients = _patients(given.pop("run.patients", patients))
        scenario = _asked(session.base.scenario, given)
        if is_fixed(scenario):
            patients = scenario.run.patients
        _refuse_excess(scenario, patients)
        with session.lock:
            before = session.job
            self._stop(session)
            if before is not None and before.cohort.scenario == _drawn(scenario):
                cohort = before.cohort
            else:
                cohort = self._cohort(scenario, shared=not given)
            session.changes = given
            pinned = session.baseline
            beside = None if pinned is None or pinned.cohort is cohort else pinned.cohort
            session.job = Job(cohort, patients, beside)
        self._pool.submit(session.job)
        return session.job

    def cancel(self, session: Session) -> None:
        """End the run of a page; what it has come to stays."""
        if session.job is not None:
            self._pool.cancel(session.job)

    def pin(self, session: Session, label: str) -> None:
        """Compare later runs with that of now.

        Raises:
            OptionError: there is nothing to compare with yet.
        """
        with session.lock:
            if session.job is None or not session.job.ready:
                raise OptionError("there is no result yet that could be pinned")
            session.baseline = Pinned(label[:80], session.job.cohort, asked=session.job.asked)
            session.kept = True

    def unpin(self, session: Session) -> None:
        """Compare with the scenario as it is, without changes."""
        with session.lock:
            session.baseline, session.kept = self.default(session.base), False

    def default(self, base: Base) -> Pinned:
        """The baseline of a scenario for which none was pinned: as it is, without changes."""
        cohort = self._cohort(base.scenario, shared=True)
        return Pinned("as it is", cohort, asked=base.scenario.run.patients)

    def _cohort(self, scenario: Scenario, shared: bool) -> Growing:
        """The cohort of a scenario; unchanged scenarios are computed once for all pages."""
        drawn = _drawn(scenario)
        if not shared:
            return Growing(drawn)
        key = drawn.model_dump_json()
        with self._lock:
            found = self._shared.get(key)
            if found is None:
                found = self._shared[key] = Growing(drawn)
            self._shared.move_to_end(key)
            while len(self._shared) > _MOST_SHARED:
                self._shared.popitem(last=False)
        return found

    def _stop(self, session: Session) -> None:
        if session.job is not None:
            self._pool.cancel(session.job, "another run took its place")

    def _close(self, session: Session) -> None:
        self._open.pop(session.name, None)
        self._stop(session)
        if session.watched is not None:
            session.watched.close()
        if session.folder is not None:
            shutil.rmtree(session.folder, ignore_errors=True)


def ordered(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes in an order in which none undoes another."""
    first = {key: changes[key] for key in _FIRST if key in changes}
    return first | {key: value for key, value in changes.items() if key not in first}


def _patients(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is int:
        return value
    wrong = Mistake("run.patients", f"must be a whole number of at least 1, not {shown(value)}")
    raise ScenarioError("explorer", [wrong])


def _asked(base: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """The scenario with changes; nothing but the catalogue is opened for them."""
    with catalogue_only():
        return base.replace(changes) if changes else base


def _drawn(scenario: Scenario) -> Scenario:
    """The scenario as it is drawn here: by the colony engine, whatever the number of patients."""
    settled: dict[str, object] = {"run.engine": "colonies", "run.record": "metastases"}
    if not is_fixed(scenario):
        settled["run.patients"] = 1
    return scenario.replace(settled)


def _refuse_excess(scenario: Scenario, patients: int) -> None:
    """Refuse what would take too long here.

    Raises:
        ScenarioError: with all mistakes at once.
    """
    run = scenario.run
    limits = (
        ("run.patients", patients, MOST_PATIENTS, "patients"),
        ("run.years", run.years, MOST_YEARS, "years"),
        ("run.undiagnosed_years", run.undiagnosed_years, MOST_YEARS, "years"),
        ("run.max_colonies", run.max_colonies, MOST_COLONIES, "colonies"),
    )
    mistakes = [
        Mistake(key, f"{value:,g} {unit} are more than {most:,g}, the most here",
                "the command line takes more")
        for key, value, most, unit in limits if value > most
    ]  # fmt: skip
    if patients < 1:
        mistakes.append(
            Mistake("run.patients", f"must be a whole number of at least 1, not {patients}")
        )
    if mistakes:
        raise ScenarioError("explorer", mistakes)
