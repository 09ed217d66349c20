"""What a page may ask for: bounds that keep one page from freezing the machine for the others."""

from typing import Final

FIRST_PATIENTS: Final = 300
"""Patients of a first answer; it grows from there."""
MOST_PATIENTS: Final = 20_000
"""Patients of a run."""
MOST_RUN_SECONDS: Final = 120.0
"""Time that a run may take; what is done by then stays."""
MOST_YEARS: Final = 200.0
"""Years that a patient is followed."""
MOST_COLONIES: Final = 100_000
"""Colonies of a patient."""
FUNNEL_PATIENTS: Final = 300
"""Patients whose cells are counted stage by stage, which takes ten times as long."""

MOST_SESSIONS: Final = 64
"""Pages that are open at a time."""
IDLE_SECONDS: Final = 1800.0
"""A page that asks for nothing for so long gives up its place to another."""

MOST_BODY_BYTES: Final = 1_100_000
"""Bytes of a request; a scenario file has at most 1 MB."""
MOST_UPLOAD_BYTES: Final = 50_000_000
"""Bytes of a results folder that is uploaded, and of each of its files."""
MOST_UPLOAD_FILES: Final = 40
MOST_UPLOAD_VALUES: Final = 50_000_000
"""Values of all tables of a results folder that is uploaded."""

MOST_WATCHED_CELLS: Final = 20_000
"""Cells of a patient that is watched, each an agent."""
MOST_WATCHED_MOVES: Final = 400_000
"""Transitions of cells that are remembered while watching."""
MOST_STEP_SECONDS: Final = 0.5
"""Time that one request for further steps may take."""
