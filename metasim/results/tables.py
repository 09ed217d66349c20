"""The tables of a results folder: one Arrow schema each. Missing values are null."""

import pyarrow as pa

_day = pa.float64()
_name = pa.dictionary(pa.int32(), pa.string())
_cells = pa.int64()

METASTASES = pa.schema(
    [
        ("patient", pa.int64()),
        ("metastasis", pa.int64()),  # 1, 2 ... in order of founding; the primary is 0
        ("parent", pa.int64()),  # metastasis it came from; 0: the primary
        ("organ", _name),
        ("route", _name),
        ("founded_day", _day),
        ("founders", _cells),
        ("micro_day", _day),
        ("macro_day", _day),
        ("detected_day", _day),
        ("extinct_day", _day),
        ("cells", _cells),  # on the patient's last day; a column cells_PHENOTYPE each if several
    ]
)
COUNTS = pa.schema(
    [
        ("patient", pa.int64()),
        ("day", _day),
        ("organ", _name),
        ("metastases_isolated", pa.int64()),  # colonies of 1-199 cells
        ("metastases_micro", pa.int64()),
        ("metastases_macro", pa.int64()),
        # of all colonies of the organ, the primary included; then cells_PHENOTYPE if several
        ("cells", _cells),
    ]
)
STAGES = pa.schema(
    [  # rows whose numbers are all 0 are left out
        ("patient", pa.int64()),
        ("day", _day),
        ("organ", _name),
        ("stage", _name),
        ("cells", _cells),
        ("entered", _cells),  # since the previous recorded day, as the three below
        ("left", _cells),
        ("died", _cells),
        ("removed", _cells),
        ("net_growth", _cells),
    ]
)
PATIENTS = pa.schema(
    [  # then a column for every drawn parameter, named by its key path
        ("patient", pa.int64()),
        ("diagnosis_day", _day),
        ("first_distant_day", _day),  # first distant metastasis seen by imaging
        ("first_distant_organ", _name),
        ("death_day", _day),
        ("death_cause", _name),
        ("end_day", _day),  # last simulated day
        ("primary_cells", _cells),  # on the last day
    ]
)
PATIENTS_TOLD = pa.schema(
    [  # columns behind those of PATIENTS; folders of earlier versions lack some of them
        ("stage_t", _name),
        ("stage_n", _name),
        ("stage_m", _name),
        ("subtype", _name),
        ("er_positive", pa.bool_()),
        ("her2_positive", pa.bool_()),
        ("age_years", pa.float64()),
        ("diameter_mm", pa.float64()),
        ("detection", _name),
        ("lead_time_days", pa.float64()),
        ("ctc_positive", pa.bool_()),
        ("dtc_positive", pa.bool_()),
        ("ctdna_positive", pa.bool_()),
        ("care", _name),
    ]
)
EVENTS = pa.schema(
    [
        ("patient", pa.int64()),
        ("day", _day),
        ("event", _name),
        ("organ", _name),
    ]
)
EVENTS_TOLD = pa.schema(
    [  # columns behind those of EVENTS, as PATIENTS_TOLD
        ("treatment", _name),
        ("value", pa.float64()),
    ]
)

SUMMARY = pa.schema(
    [  # see metasim.results.tally; always written, from the metastases of every level
        ("organ", pa.string()),
        ("counted", pa.string()),  # founded, micro, macro or detected
        ("metastases", pa.int64()),
        ("first_day", _day),  # of the first of them, since the patient's origin
        ("patients", pa.int64()),
    ]
)

FAILURES = pa.schema(
    [  # patients that outgrew a limit or broke the engine; they are in no other table
        ("patient", pa.int64()),
        ("error", pa.string()),
    ]
)

SCHEMAS = {
    "metastases": METASTASES,
    "counts": COUNTS,
    "stages": STAGES,
    "patients": PATIENTS,
    "events": EVENTS,
}
TOLD = {"patients": PATIENTS_TOLD, "events": EVENTS_TOLD}
"""Table -> columns behind those of its schema."""
NULLABLE = {
    "metastases": ("micro_day", "macro_day", "detected_day", "extinct_day"),
    "patients": (
        *("diagnosis_day", "first_distant_day", "first_distant_organ"),
        *("death_day", "death_cause"),
    ),
    "events": ("organ", "treatment", "value"),
    "summary": ("first_day",),
}
"""Columns that may have no value; days of what did not happen."""
TABLES_AT = {
    "summary": (),
    "patients": ("patients", "events"),
    "metastases": ("patients", "events", "metastases"),
    "everything": ("patients", "events", "metastases", "counts", "stages"),
}
"""Tables written at each recording level."""
ALWAYS = ("failures", "summary")
"""Tables written at every level."""


def schema_of(name: str) -> pa.Schema:
    """Columns that the table of that name has at least, also those written at every level."""
    return {**SCHEMAS, "summary": SUMMARY, "failures": FAILURES}[name]


def conform(name: str, table: pa.Table) -> pa.Table:
    """`table` with the columns of the schema of that name first, in order and of its types.

    Raises:
        KeyError: a column of the schema is missing.
    """
    schema = SCHEMAS[name]
    extra = [column for column in table.column_names if column not in schema.names]
    fields = [*schema, *(table.schema.field(column) for column in extra)]
    return table.select([*schema.names, *extra]).cast(pa.schema(fields))
