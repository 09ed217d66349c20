"""What results say of their making: versions, command, times, memory."""

import platform
import sys
from datetime import datetime
from typing import Any

from metasim.runner.dispatch import versions
from metasim.scenario.schema import Scenario


def provenance(scenario: Scenario, started: datetime, wall_seconds: float) -> dict[str, Any]:
    """What a results folder says of its making: versions, command, times, memory."""
    here, children = peak_memory()
    return {
        **versions(),
        "platform": platform.platform(),
        "command": sys.argv,
        "rng_seed": scenario.run.rng_seed,
        "started": started.isoformat(timespec="seconds"),
        "wall_seconds": round(wall_seconds, 3),
        "peak_memory_mib": here,
        "peak_memory_mib_of_the_largest_child": children,
    }


def peak_memory() -> tuple[float | None, float | None]:
    """Most memory that this process, and the largest of its ended children, has held, in MiB.

    None where the system does not tell; on Windows it tells nothing of children.
    """
    try:
        import resource
    except ImportError:
        return _peak_by_psutil(), None
    unit = 2**10 if sys.platform != "darwin" else 2**20  # ru_maxrss is in KiB, on macOS in bytes
    used: Any = resource  # for a type checker on Windows it is an empty module
    here, children = (
        round(used.getrusage(who).ru_maxrss / unit, 1)
        for who in (used.RUSAGE_SELF, used.RUSAGE_CHILDREN)
    )
    return here, children


def _peak_by_psutil() -> float | None:
    try:
        import psutil
    except ImportError:
        return None
    held = psutil.Process().memory_info()
    most: int = getattr(held, "peak_wset", held.rss)
    return round(most / 2**20, 1)
