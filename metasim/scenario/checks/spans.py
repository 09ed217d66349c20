"""Between which values a key lies, whatever is drawn and whatever treatments change."""

from metasim.scenario.distributions import reached
from metasim.scenario.schema import Scenario, Spread
from metasim.scenario.subtypes import parts_of, plain_value


def span(scenario: Scenario, path: str) -> tuple[float, float] | None:
    """Smallest and largest value of a key among patients; None: it is unset."""
    distribution = scenario.patients.get(path)
    if distribution is not None and distribution.by_subtype is None:
        return reached(distribution)
    if distribution is not None:
        parts = [part for part in parts_of(scenario, path) if part is not None]
        ends = [reached(p) if isinstance(p, Spread) else (p, p) for p in parts]
        return (min(e[0] for e in ends), max(e[1] for e in ends)) if ends else None
    value = plain_value(scenario, path)
    return None if value is None else (float(value), float(value))


def with_changes(scenario: Scenario, path: str) -> tuple[float, float] | None:
    """As `span`, with what treatments can make of the key, alone or together."""
    ends = span(scenario, path)
    if ends is None:
        return None
    parts = path.split(".")
    everywhere = ".".join(["soil", "*", *parts[2:]]) if parts[0] == "soil" else path
    least, most = 1.0, 1.0
    for treatment in {t.effect: t for t in scenario.treatment}.values():
        for name in {path, everywhere} & treatment.change.keys():
            least *= min(1.0, treatment.change[name])
            most *= max(1.0, treatment.change[name])
    low, high = ends
    return min(low * least, low * most), max(high * least, high * most)
