"""The patients of a cohort as quantities see them: runs pooled, and who is selected."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from metasim.errors import MetasimError
from metasim.results.outcomes import Outcome, followed_patients, time_to
from metasim.results.store import Results
from metasim.targets.schema import Condition
from metasim.targets.where import matches
from metasim.terms import DAYS_PER_YEAR

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
STEP: Final = 10**9
"""Number of a pooled patient: place of the run times this, and the patient's own number."""


class NotSimulated(MetasimError):
    """The runs do not hold what a quantity is computed from."""


class Nobody(MetasimError):
    """The conditions leave no patient."""


class Sample:
    """Patients of one or several runs, pooled.

    Args:
        runs: recorded at level metastases or more.
        kept: numbers of the patients that are selected; None: all.
    """

    def __init__(self, runs: Sequence[Results], kept: "pd.Index[Any] | None" = None) -> None:
        self.runs = tuple(runs)
        self._kept = kept
        self._made: dict[Hashable, Any] = {}
        self._times: dict[tuple[str, str | None], pd.DataFrame] = {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made of these patients before under that key, else made now.

        Targets of one cohort share curves and sites, which take longer than their numbers.
        """
        if key not in self._made:
            self._made[key] = make()
        found: T = self._made[key]
        return found

    @property
    def patients(self) -> "pd.DataFrame":
        """One row per selected patient with an origin, indexed by a number of its own.

        The columns of the patients table, and `origin` (day), `relapse_years`, `diagnosis_years`.
        """
        whole = self._patients
        return whole if self._kept is None else whole.loc[self._kept]

    @cached_property
    def _patients(self) -> "pd.DataFrame":
        import pandas as pd

        tables = []
        for place, run in enumerate(self.runs):
            table = run.patients.set_index("patient")
            table["origin"] = followed_patients(run)["origin"]
            table = table[table["origin"].notna()]
            subtype = run.scenario["seed"].get("subtype")
            if "subtype" not in table and subtype is not None:
                table["subtype"] = subtype
            table.index = pd.Index(table.index + place * STEP, name="patient")
            tables.append(table)
        table = pd.concat(tables)
        since = table["first_distant_day"] - table["origin"]
        return table.assign(
            relapse_years=since / DAYS_PER_YEAR,
            diagnosis_years=table["diagnosis_day"] / DAYS_PER_YEAR,
        )

    def column(self, name: str) -> "pd.Series[Any]":
        """A column of the patients table.

        Raises:
            NotSimulated: the runs have none of that name.
        """
        if name not in self._patients:
            raise NotSimulated(f"no column {name} in the patients table")
        return self.patients[name]

    def select(self, where: Mapping[str, Condition]) -> "Sample":
        """Those patients that fulfil all conditions.

        Raises:
            NotSimulated: the runs lack a column.
            Nobody: no patient is left.
        """
        if not where:
            return self
        mask = np.ones(len(self.patients), bool)
        for name, condition in where.items():
            mask &= matches(self.column(name), condition).to_numpy()
        if not mask.any():
            raise Nobody(f"`where` leaves none of {len(mask):,} patients")
        out = Sample(self.runs, self.patients.index[mask])
        out.__dict__["_patients"] = self._patients
        out._times = self._times
        return out

    def time_to(self, outcome: Outcome, organ: str | None = None) -> "pd.DataFrame":
        """Years and cause of each selected patient, see `metasim.results.outcomes.time_to`."""
        import pandas as pd

        self._check_organ(organ)
        if (outcome, organ) not in self._times:
            tables = []
            for place, run in enumerate(self.runs):
                table = time_to(run, outcome, organ)
                table.index = pd.Index(table.index + place * STEP, name="patient")
                tables.append(table)
            self._times[outcome, organ] = pd.concat(tables)
        table = self._times[outcome, organ]
        return table if self._kept is None else table[table.index.isin(self._kept)]

    @cached_property
    def sites(self) -> "pd.DataFrame":
        """When imaging first saw a metastasis in each distant organ: patient, organ, day."""
        import pandas as pd

        tables = []
        for place, run in enumerate(self.runs):
            soils = run.scenario["soil"]
            distant = [o for o in run.organs if soils[o].get("site", "distant") == "distant"]
            table = run.metastases[["patient", "organ", "detected_day"]].dropna()
            table = table[table["organ"].isin(distant)]
            table = table.astype({"organ": str}).rename(columns={"detected_day": "day"})
            table["patient"] += place * STEP
            tables.append(table.groupby(["patient", "organ"])[["day"]].min().reset_index())
        table = pd.concat(tables, ignore_index=True)
        return table[table["patient"].isin(self.patients.index)]

    def events(self, event: str) -> "pd.DataFrame":
        """Rows of the events table of one kind, for the selected patients.

        Raises:
            NotSimulated: the runs know no such event.
        """
        import pandas as pd

        tables = []
        for place, run in enumerate(self.runs):
            table = run.events
            if event not in set(table["event"].cat.categories):
                raise NotSimulated(f"no event {event} in the events table")
            table = table[table["event"] == event].copy()
            table["patient"] += place * STEP
            tables.append(table)
        table = pd.concat(tables, ignore_index=True)
        return table[table["patient"].isin(self.patients.index)]

    def _check_organ(self, organ: str | None) -> None:
        for run in self.runs:
            if organ is not None and organ not in run.organs:
                raise NotSimulated(f"no organ {organ} in {run.title or 'the scenario'}")
