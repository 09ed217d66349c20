"""Where a value came from: every value of a scenario has a layer, a status and perhaps a source."""

from typing import Final, NamedTuple

DEFAULT: Final = "default"
"""The layer of a value that no file gives."""

STATUSES: Final = ("measured", "derived", "calibrated", "assumed", "user", "saved")
"""measured: published; derived: computed from published numbers; calibrated: fitted so that
results match published ones; assumed: neither; user: given in a user's file, or on the command
line, with no more said about it; saved: read from an explicit file, whose comments say more."""


class Origin(NamedTuple):
    """Where one value came from.

    Attributes:
        layer: the file, catalogue entry or option that gave it, or `DEFAULT`.
        status: one of `STATUSES`.
        source: key of catalogue/sources.toml, or a citation of the user's; empty: none.
        note: a remark.
    """

    layer: str
    status: str
    source: str = ""
    note: str = ""
