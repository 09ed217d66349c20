"""The vocabulary: names that every layer shares. Imports nothing of metasim.

The thresholds between the classes of a metastasis follow the AJCC staging of isolated tumour
cells (< 200 cells), micrometastasis (<= 2 mm) and macrometastasis (> 2 mm; 4.2e6 cells at
1e9 cells/cm3).
"""

from collections import Counter
from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import Final

VERSION: Final = "0.1.0"
"""Version of metasim; the packaging reads it here."""

DISTRIBUTION: Final = "metasim-cascade"
"""What pip installs: the name `metasim` on the Python Package Index is another project's."""


def install_line(extra: str) -> str:
    """What installs an extra, to be shown where it is missing; quoted as every shell reads it."""
    return f'pip install "{DISTRIBUTION}[{extra}]"'


class Stage(IntEnum):
    """The seven stages of the metastatic cascade, in order.

    Example:
        >>> ms.Stage.ARREST.label, ms.Stage(7).label
        ('arrest', 'macrometastasis')
    """

    PRIMARY_GROWTH = 1
    INVASION = 2
    CIRCULATION = 3
    ARREST = 4
    EXTRAVASATION = 5
    MICROMETASTASIS = 6
    MACROMETASTASIS = 7

    @property
    def label(self) -> str:
        """Name for tables and axes: ``primary_growth`` ... ``macrometastasis``."""
        return self.name.lower()


class Gate(StrEnum):
    """The five gates at which seed and soil decide whether a cell advances.

    Example:
        >>> [gate.value for gate in ms.Gate]
        ['invasion', 'intravasation', 'arrest', 'extravasation', 'colonization']
    """

    INVASION = "invasion"
    INTRAVASATION = "intravasation"
    ARREST = "arrest"
    EXTRAVASATION = "extravasation"
    COLONIZATION = "colonization"


class Route(IntEnum):
    """The vessel by which a cell left its parent colony's organ.

    Example:
        >>> ms.Route.LYMPH.label
        'lymph'
    """

    BLOOD = 0
    LYMPH = 1

    @property
    def label(self) -> str:
        """``blood`` or ``lymph``."""
        return self.name.lower()


class Event(IntEnum):
    """Clinical events of events.parquet.

    Example:
        >>> ms.Event.RELAPSE.label
        'relapse'
    """

    DIAGNOSIS = 0
    SURGERY = 1
    RELAPSE = 2
    DEATH = 3
    TREATMENT_START = 4
    CYCLE = 5  # further ones; the first is the start
    TREATMENT_END = 6
    SYMPTOM = 7  # tables give it by its own name
    VISIT = 8  # of follow-up, where these are booked
    RESTAGING = 9  # imaging of all organs
    CTC = 10  # a blood sample, and the circulating tumour cells in it
    DTC = 11  # a marrow aspirate, and the disseminated tumour cells in it
    CTDNA = 12  # a plasma sample, and the mutant copies of tumour DNA in it

    @property
    def label(self) -> str:
        """``diagnosis``, ``surgery`` (any removal), ``relapse``, ``death`` ..."""
        return self.name.lower()


TESTS: Final = (Event.CTC, Event.DTC, Event.CTDNA)
"""Events whose value is a count."""


class Detection(IntEnum):
    """How a primary came to diagnosis."""

    SYMPTOM = 0
    """By symptoms, or at its diameter of diagnosis."""
    SCREENING = 1
    INTERVAL = 2
    """By symptoms, after a screening visit that missed it and before the next."""

    @property
    def label(self) -> str:
        """``symptom``, ``screening`` or ``interval``."""
        return self.name.lower()


class Tally(IntEnum):
    """Columns of the stage tables; every count is of cells.

    Conservation, per organ and stage between two recorded days:
    ``cells = cells_before + entered + net_growth - left - removed``; ``died`` is the part of
    ``left`` that failed a gate or was destroyed in transit instead of going on.
    """

    CELLS = 0
    ENTERED = 1
    LEFT = 2
    DIED = 3
    REMOVED = 4
    NET_GROWTH = 5


STAGES_T: Final = {"T1": 1, "T2": 2, "T3": 3}
STAGES_N: Final = {"N0": 0, "N1mi": 1, "N1": 2, "N2": 3, "N3": 4}
STAGES_M: Final = {"M0": 0, "M1": 1}
"""Stage at diagnosis -> its number, as `metasim.law.clinic` gives it."""

MICRO_CELLS: Final = 200
"""A colony of at least this many cells is a micrometastasis; below, isolated tumour cells."""

MACRO_CELLS: Final = 4_200_000
"""A colony above this many cells (2 mm in diameter) is a macrometastasis."""

DAYS_PER_YEAR: Final = 365.25
DAYS_PER_MONTH: Final = DAYS_PER_YEAR / 12

RECORD_LEVELS: Final = ("summary", "patients", "metastases", "everything")
"""What a run writes; each level holds the tables of the one before it."""

MOST_AT_ONCE: Final = {level: 128 if level == "everything" else 4096 for level in RECORD_LEVELS}
"""Patients that a chunk may have at most, by recording level: what memory holds at once."""


def treatment_names(treatments: Iterable[tuple[str, str | None]]) -> tuple[str, ...]:
    """Names of treatments in tables, from kind and organ: the kind, and what tells twins apart."""
    given = list(treatments)
    kinds = Counter(kind for kind, _ in given)
    plain = [f"{kind} of {organ}" if kinds[kind] > 1 and organ else kind for kind, organ in given]
    return tuple(
        name if plain.count(name) == 1 else f"{name} {plain[: i + 1].count(name)}"
        for i, name in enumerate(plain)
    )
