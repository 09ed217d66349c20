"""Between which values a key lies, whatever is drawn and whatever treatments change."""

from functools import reduce
from typing import Any

from metasim.scenario.distributions import reached
from metasim.scenario.schema import Scenario


def span(scenario: Scenario, path: str) -> tuple[float, float] | None:
    """Smallest and largest value of a key among patients; None: it is unset."""
    if path in scenario.patients:
        return reached(scenario.patients[path])
    value: Any = reduce(_member, path.split("."), scenario)
    return None if value is None else (float(value), float(value))


def with_changes(scenario: Scenario, path: str) -> tuple[float, float] | None:
    """As `span`, with what treatments can make of the key, alone or together."""
    ends = span(scenario, path)
    if ends is None:
        return None
    parts = path.split(".")
    everywhere = ".".join(["soil", "*", *parts[2:]]) if parts[0] == "soil" else path
    least, most = 1.0, 1.0
    for treatment in scenario.treatment:
        for name in {path, everywhere} & treatment.change.keys():
            least *= min(1.0, treatment.change[name])
            most *= max(1.0, treatment.change[name])
    low, high = ends
    return min(low * least, low * most), max(high * least, high * most)


def _member(part: Any, key: str) -> Any:
    return part.get(key) if isinstance(part, dict) else getattr(part, key, None)
