"""What every column of the tables of a results folder means, and its unit."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import pyarrow as pa

from metasim.results.tables import FAILURES, SCHEMAS, SUMMARY, TOLD

ROWS: Final[Mapping[str, str]] = {
    "summary": "A row per organ and way of counting, merged over patients.",
    "failures": "A row per patient who outgrew a limit or broke the engine, and is in no other table.",
    "patients": "A row per patient. A column per drawn parameter follows, named by its key path.",
    "events": "A row per clinical event.",
    "metastases": "A row per metastasis. With several phenotypes a column `cells_PHENOTYPE` follows for each.",
    "counts": "A row per patient, recorded day and organ. With several phenotypes a column"
    " `cells_PHENOTYPE` follows for each.",
    "stages": "A row per patient, recorded day, organ and stage; rows of zeros only are left out.",
}  # fmt: skip
"""Table -> what a row is."""

_PATIENT: Final = ("", "Number of the patient, from 0.")
_DAY: Final = ("days", "Day, counted from day 0 of the patient's simulation.")
_ORGAN: Final = ("", "Organ, by its key in `soil`.")

_MEANINGS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "summary": {
        "organ": ("", "Organ, or a group of organs taken together."),
        "counted": ("", "How metastases are counted: founded, micro, macro or detected."),
        "metastases": ("metastases", "How many there are in all patients together."),
        "first_day": ("days", "Day of the first of them, counted from the patient's origin."),
        "patients": ("patients", "How many patients share this row's values."),
    },
    "failures": {"patient": _PATIENT, "error": ("", "Why this patient failed.")},
    "patients": {
        "patient": _PATIENT,
        "diagnosis_day": ("days", "Day of the diagnosis; null: never diagnosed."),
        "first_distant_day": ("days", "Day on which imaging first sees a distant metastasis."),
        "first_distant_organ": ("", "Organ of that metastasis."),
        "death_day": ("days", "Day of death; null: alive at the end."),
        "death_cause": ("", "What the patient died of."),
        "end_day": ("days", "Last simulated day."),
        "primary_cells": ("cells", "Cells of the primary on the last day."),
        "stage_t": ("", "T1, T2 or T3 at diagnosis: size of the primary."),
        "stage_n": ("", "N0, N1mi, N1, N2 or N3 at diagnosis: metastases in regional organs."),
        "stage_m": ("", "M1: imaging sees a distant metastasis at diagnosis; else M0."),
        "subtype": ("", "Subtype of the tumour; null: the scenario names none."),
        "er_positive": ("", "Whether the tumour has oestrogen receptors; null: unknown."),
        "her2_positive": ("", "Whether the tumour overexpresses HER2; null: unknown."),
        "age_years": ("years", "Age at diagnosis; null: unknown, or never diagnosed."),
        "diameter_mm": ("mm", "Diameter of the primary at diagnosis."),
        "detection": ("", "How the primary was found: symptom, screening or interval."),
        "lead_time_days": ("days", "How much earlier screening found it than symptoms would have."),
        "ctc_positive": ("", "Whether a blood sample at diagnosis held a tumour cell; null: no test."),
        "dtc_positive": ("", "Whether a marrow aspirate at diagnosis held one; null: no test."),
        "ctdna_positive": ("", "Whether plasma at diagnosis held a copy of tumour DNA; null: no test."),
        "care": ("", "Standard care, by its name in the catalogue; null: none."),
    },
    "events": {
        "patient": _PATIENT,
        "day": _DAY,
        "event": ("", "Diagnosis, treatment, relapse, symptom (by its own name), death; with"
                  " clinic.restaging also visit and restaging; with tests, ctc, dtc and ctdna."),
        "organ": ("", "Organ that it concerns; null: the whole body."),
        "treatment": ("", "Treatment that it concerns; null: none."),
        "value": ("", "What was measured: tumour cells, or mutant copies of DNA (ctdna), that a test"
                  " found; null: nothing."),
    },
    "metastases": {
        "patient": _PATIENT,
        "metastasis": ("", "Number of the metastasis, from 1 in order of founding."),
        "parent": ("", "Number of the metastasis that its founders left; 0 is the primary."),
        "organ": _ORGAN,
        "route": ("", "How the founders last entered the flow: blood or lymph."),
        "founded_day": ("days", "Day on which it was founded."),
        "founders": ("cells", "Cells that founded it: 1, or the size of a cluster."),
        "micro_day": ("days", "Day on which it became a micrometastasis."),
        "macro_day": ("days", "Day on which it became a macrometastasis."),
        "detected_day": ("days", "Day on which imaging first sees it."),
        "extinct_day": ("days", "Day on which its last cell died."),
        "cells": ("cells", "Cells on the patient's last day."),
    },
    "counts": {
        "patient": _PATIENT,
        "day": _DAY,
        "organ": _ORGAN,
        "metastases_isolated": ("metastases", "Colonies of isolated tumour cells (1 to 199 cells)."),
        "metastases_micro": ("metastases", "Micrometastases."),
        "metastases_macro": ("metastases", "Macrometastases."),
        "cells": ("cells", "Cells of all colonies of the organ, the primary included."),
    },
    "stages": {
        "patient": _PATIENT,
        "day": _DAY,
        "organ": _ORGAN,
        "stage": ("", "Stage of the cascade, such as `arrest`."),
        "cells": ("cells", "Cells in this stage on this day."),
        "entered": ("cells", "Cells that entered it since the previous recorded day."),
        "left": ("cells", "Cells that left it since then, onwards or by failing."),
        "died": ("cells", "Those of `left` that failed a gate or were destroyed on the way."),
        "removed": ("cells", "Cells that treatment took away or killed since then."),
        "net_growth": ("cells", "Births less deaths by growth since then."),
    },
}  # fmt: skip


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        name: its name.
        type: its Arrow type, in words.
        unit: its unit; empty: it is a name or a number without one.
        meaning: what it holds.
    """

    name: str
    type: str
    unit: str
    meaning: str


def _columns(table: str, schema: pa.Schema) -> list[Column]:
    return [Column(f.name, _word(f.type), *_MEANINGS[table][f.name]) for f in schema]


def _word(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind):
        return "text"
    if pa.types.is_boolean(kind):
        return "true or false"
    return "whole number" if pa.types.is_integer(kind) else "number"


COLUMNS: Final[Mapping[str, list[Column]]] = {
    name: _columns(name, pa.schema([*schema, *TOLD.get(name, ())]))
    for name, schema in {"summary": SUMMARY, "failures": FAILURES, **SCHEMAS}.items()
}
"""Table -> its columns, in order. A column without a meaning here fails at import, and in the tests."""
