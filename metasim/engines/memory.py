"""How much memory an engine may take."""

SHARE = 0.5
"""Share of the machine's memory that one call of an engine may take."""


def most_bytes() -> float:
    """Bytes that an engine may take; infinite where the machine does not say what it has."""
    try:
        import psutil

        return SHARE * float(psutil.virtual_memory().total)
    except (ImportError, OSError, RuntimeError):  # psutil raises the last where /proc is closed
        return float("inf")
