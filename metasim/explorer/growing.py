"""A cohort that grows while it is looked at: chunks of patients, and the results of the first n.

Patient k is the same however many there are, so that the results of the first n patients are those
of a run of n patients, from here or from the command line.
"""

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.compute as pc

from metasim.explorer.limits import FIRST_PATIENTS, FUNNEL_PATIENTS, MOST_PATIENTS
from metasim.results.parts import Span
from metasim.results.writers import MemoryWriter, kept
from metasim.runner.patients import Cohort
from metasim.scenario.explicit import explicit_toml
from metasim.scenario.schema import Scenario

if TYPE_CHECKING:
    import pandas as pd

    from metasim.engines.record import Ints
    from metasim.results.store import Results

LEVEL: Final = "metastases"
_ROUNDS: Final = (FIRST_PATIENTS, 1000, 2000, 5000, 10_000, MOST_PATIENTS)
_PIECES: Final = ((FIRST_PATIENTS, 150), (1000, 350), (MOST_PATIENTS, 500))
"""Sizes of the pieces up to so many patients; whoever computes, pieces begin at the same patients,
so that none is computed twice."""
_FUNNEL_PIECE: Final = 50


def rounds_of(scenario: Scenario, asked: int) -> list[int]:
    """Numbers of patients after which there is something to see, `asked` last."""
    if is_fixed(scenario):
        return [asked]
    return [n for n in _ROUNDS if n < asked] + [asked]


def is_fixed(scenario: Scenario) -> bool:
    """Whether a table says who the patients are, so that their number stands."""
    return any(drawn.each is not None for drawn in scenario.patients.values())


class Growing:
    """The patients of a scenario as far as they are computed; threads may add and look.

    Args:
        scenario: drawn by the colony engine, at any number of patients.

    Attributes:
        failed: patients that failed, of those computed.
        first_failure: what befell one of them.
        found_funnel: the table of the figure `funnel`, of the first patients, once it is there.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._cohort = Cohort(scenario.replace({"run.record": LEVEL}))
        self._toml = explicit_toml(self._cohort.scenario)
        self._end = scenario.run.patients if is_fixed(scenario) else MOST_PATIENTS
        self._chunks: dict[Span, dict[str, Any]] = {}
        self._results: dict[int, Results] = {}
        self._counted: dict[Span, dict[str, Any]] = {}
        self.found_funnel: pd.DataFrame | None = None
        self._lock = threading.Lock()
        self.failed = 0
        self.first_failure = ""

    def missing(self, upto: int) -> list[Span]:
        """The pieces, up to that of patient `upto` - 1, that are not computed."""
        with self._lock:
            return [span for span in _pieces(upto, self._end) if span not in self._chunks]

    @property
    def done(self) -> int:
        """Patients 0 to done - 1 are computed."""
        with self._lock:
            end = 0
            for span in _pieces(self._end, self._end):
                if span not in self._chunks:
                    break
                end = span.first + span.size
        return end

    def compute(self, span: Span, stop: "Ints") -> None:
        """Simulate a span of patients.

        Raises:
            KeyboardInterrupt: `stop` was raised.
        """
        tables = self._cohort.chunk(span.first, span.size, stop)
        packed = kept(tables, self._toml, LEVEL)
        with self._lock:
            if span not in self._chunks:
                self._chunks[span] = packed
                self.failed += packed["failures"].num_rows
                if not self.first_failure and packed["failures"].num_rows:
                    row = packed["failures"].to_pylist()[0]
                    self.first_failure = f"patient {row['patient']}, {row['error']}"

    def results(self, patients: int) -> "Results":
        """The results of the first patients; all of them must be computed."""
        with self._lock:
            if patients in self._results:
                return self._results[patients]
            chunks = {span: self._chunks[span] for span in _pieces(patients, self._end)}
        scenario = self._cohort.scenario.replace({"run.patients": patients})
        text = explicit_toml(scenario)
        writer = MemoryWriter(text, record=LEVEL)
        for span, packed in chunks.items():
            whole = span.first + span.size <= patients
            writer.write_chunk(span, packed if whole else _cut(packed, patients, text))
        found = writer.finish({"patients": patients, "rng_seed": scenario.run.rng_seed})
        with self._lock:
            self._results = {**dict(list(self._results.items())[-1:]), patients: found}
        return found

    def uncounted(self) -> list[Span]:
        """The pieces whose cells have to be counted, stage by stage, for `found_funnel`."""
        with self._lock:
            if self.found_funnel is not None:
                return []
            return [span for span in self._funnel_pieces() if span not in self._counted]

    def count(self, span: Span, stop: "Ints") -> None:
        """Count the cells of a span of patients.

        Raises:
            KeyboardInterrupt: `stop` was raised.
        """
        tables = Cohort(self._everything).chunk(span.first, span.size, stop)
        packed = kept(tables, self._everything_toml, "everything")
        with self._lock:
            if self.found_funnel is not None:
                return
            self._counted[span] = packed
            if set(self._funnel_pieces()) <= set(self._counted):
                self.found_funnel = self._funnel()
                self._counted = {}

    def _funnel_pieces(self) -> list[Span]:
        most = min(FUNNEL_PATIENTS, self._end)
        return [Span(k, min(_FUNNEL_PIECE, most - k)) for k in range(0, most, _FUNNEL_PIECE)]

    def _funnel(self) -> "pd.DataFrame":
        from metasim.results.plots import FIGURES

        writer = MemoryWriter(self._everything_toml, record="everything")
        for span, packed in self._counted.items():
            writer.write_chunk(span, packed)
        return FIGURES["funnel"].data(writer.finish({"patients": min(FUNNEL_PATIENTS, self._end)}))

    @cached_property
    def _everything(self) -> Scenario:
        everything: dict[str, object] = {"run.record": "everything"}
        if not is_fixed(self.scenario):
            everything |= {"run.patients": FUNNEL_PATIENTS}
        return self.scenario.replace(everything)

    @cached_property
    def _everything_toml(self) -> str:
        return explicit_toml(self._everything)

    def alone(self, patient: int) -> "Results":
        """Everything of one patient, the same as among all."""
        everything = self.scenario.replace({"run.record": "everything"})
        tables = Cohort(everything).chunk(patient, 1, np.zeros(1, np.int64))
        text = explicit_toml(everything)
        writer = MemoryWriter(text, record="everything")
        writer.write_chunk(Span(patient, 1), kept(tables, text, "everything"))
        return writer.finish({"patients": 1, "patient": patient})


def _pieces(upto: int, end: int) -> list[Span]:
    """The pieces that hold patients 0 to upto - 1; the last ends at `end` at most."""
    out, first = [], 0
    for most, size in _PIECES:
        while first < min(most, upto):
            out.append(Span(first, min(size, end - first)))
            first += size
    return out


def _cut(tables: dict[str, Any], patients: int, scenario_toml: str) -> dict[str, Any]:
    """The tables of a chunk without the patients from `patients` on."""
    names = [name for name in tables if name != "summary"]
    some = {name: tables[name].filter(pc.field("patient") < patients) for name in names}
    return kept(some, scenario_toml, LEVEL)
