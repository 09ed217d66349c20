"""Organs that take a share of another's flow: worked into `vessels` when a scenario is read."""

from collections.abc import Iterator
from typing import NamedTuple

from metasim.errors import Mistake
from metasim.law.vessels import Vessels, diverted
from metasim.scenario.keys import nearest
from metasim.scenario.origin import DEFAULT, Origin
from metasim.scenario.schema import Scenario

_KEYS = ("takes_from", "taken_fraction")


class Taken(NamedTuple):
    """A scenario whose vessels hold all shares.

    Attributes:
        scenario: the scenario; no organ takes any more.
        origins: dotted path -> origin; shares that were taken have that of the fraction.
        mistakes: what is wrong with `takes_from`; the organs concerned take nothing.
    """

    scenario: Scenario
    origins: dict[str, Origin]
    mistakes: list[Mistake]


def take_shares(scenario: Scenario, origins: dict[str, Origin]) -> Taken:
    """Work `takes_from` and `taken_fraction` of all organs into the vessels."""
    asking = [
        name
        for name, soil in scenario.soil.items()
        if soil.takes_from is not None or soil.taken_fraction is not None
    ]
    if not asking:
        return Taken(scenario, origins, [])
    mistakes = list(_mistakes(scenario, asking))
    soils = {
        name: soil.model_copy(update=dict.fromkeys(_KEYS)) for name, soil in scenario.soil.items()
    }
    if mistakes:
        return Taken(scenario.model_copy(update={"soil": soils}), origins, mistakes)
    takes = {
        name: (str(scenario.soil[name].takes_from), float(scenario.soil[name].taken_fraction or 0))
        for name in asking
    }
    before: Vessels = scenario.vessels  # type: ignore[assignment]
    vessels = diverted(before, takes)
    out = {k: v for k, v in origins.items() if k.rpartition(".")[2] not in _KEYS}
    for route, graph in vessels.items():
        for source, ends in graph.items():
            for end in ends:
                told = _told(source, end, source not in before[route], takes)
                if told is not None:
                    organ, note = told
                    key = f"soil.{organ}.taken_fraction"
                    said = origins.get(key, Origin(DEFAULT, "assumed"))
                    note = "; ".join(filter(None, (note, said.note)))
                    out[f"vessels.{route}.{source}.{end}"] = said._replace(note=note)
    soils_and_vessels = {"soil": soils, "vessels": vessels}
    return Taken(scenario.model_copy(update=soils_and_vessels), out, [])


def _told(
    source: str, end: str, new: bool, takes: dict[str, tuple[str, float]]
) -> tuple[str, str] | None:
    """The organ whose taking made or changed a share, and how; None: no organ's did."""
    if new:
        return source, f"drains as {takes[source][0]}"
    if end in takes:
        donor, fraction = takes[end]
        return end, f"{fraction:g} of what {donor} would get"
    takers = [organ for organ, (donor, _) in takes.items() if donor == end]
    return (takers[0], f"less what goes to {' and '.join(takers)}") if takers else None


def _mistakes(scenario: Scenario, asking: list[str]) -> Iterator[Mistake]:
    totals: dict[str, float] = {}
    for organ in asking:
        soil, key = scenario.soil[organ], f"soil.{organ}.takes_from"
        donor, fraction = soil.takes_from, soil.taken_fraction
        if donor is None:
            hint = 'such as takes_from = "other"'
            yield Mistake(f"soil.{organ}.taken_fraction", "needs takes_from, an organ", hint)
            continue
        if fraction is None:
            message = f'is required: the share that it takes of the inflow of "{donor}"'
            yield Mistake(f"soil.{organ}.taken_fraction", message, "such as 0.05")
        if donor not in scenario.soil:
            others = [name for name in scenario.soil if name != organ]
            yield Mistake(key, f'there is no organ "{donor}"', nearest(donor, others))
            continue
        if organ in _above(scenario, organ):
            yield Mistake(key, f'"{organ}" would take from itself', "give another organ")
            continue
        totals[donor] = totals.get(donor, 0.0) + (fraction or 0.0)
        if totals[donor] > 1 + 1e-9:
            message = f'what is taken from "{donor}" sums to {totals[donor]:g}'
            yield Mistake(f"soil.{organ}.taken_fraction", message, "at most 1 is allowed")
        yield from _vessels(scenario, organ, donor)


def _above(scenario: Scenario, organ: str) -> list[str]:
    """The organs that one takes from, directly and through others, once round at most."""
    out: list[str] = []
    at = scenario.soil[organ].takes_from
    while at is not None and at in scenario.soil and at not in out:
        out.append(at)
        at = scenario.soil[at].takes_from
    return out


def _vessels(scenario: Scenario, organ: str, donor: str) -> Iterator[Mistake]:
    """Vessels that lead to an organ which takes its inflow, and drawn shares of the one above."""
    for route, graph in scenario.vessels.items():
        for source, ends in graph.items():
            key = f"vessels.{route}.{source}"
            if organ in ends:
                message = f"leads to {organ}, which takes its inflow from {donor}"
                hint = f"leave out this, or soil.{organ}.takes_from"
                yield Mistake(f"{key}.{organ}", message, hint)
            if f"{key}.{donor}" in scenario.patients:
                message = f"cannot be drawn while {organ} takes a share of it"
                hint = f"give the shares of {donor} and {organ} in [vessels], and draw both"
                yield Mistake(f"patients.{key}.{donor}", message, hint)
