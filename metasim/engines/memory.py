"""How much memory an engine may take."""

import os

SHARE = 0.5
"""Share of the machine's memory that one call of an engine may take."""


def most_bytes() -> float:
    """Bytes that an engine may take; infinite where the machine does not say what it has."""
    try:
        return SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return float("inf")
