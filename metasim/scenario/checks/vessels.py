"""Checks of the organ graph: shares, names, and whether every organ can be reached."""

from collections.abc import Iterator
from typing import Final

from metasim.errors import Mistake
from metasim.scenario.checks.spans import with_changes
from metasim.scenario.keys import nearest
from metasim.scenario.schema import Scenario

TOLERANCE = 1e-6
"""Shares that should sum to 1 may miss it by this much."""

LEAST = 1e-9
"""Chances and shares below this, but for 0, are lost in the rounding of others."""

_ROUTES: Final = ("blood", "lymph")


def check_vessels(scenario: Scenario) -> Iterator[Mistake]:
    """All mistakes of the organ graph."""
    wrong = [*_shares(scenario), *_names(scenario), *_outflow(scenario)]
    yield from wrong or [*_circling(scenario), *_reach(scenario)]


def _shares(scenario: Scenario) -> Iterator[Mistake]:
    for route, graph in scenario.vessels.items():
        for source, ends in graph.items():
            for target, share in ends.items():
                if 0 < share < LEAST:
                    message = f"{share:g} is too small to matter; at least {LEAST:g}, or 0"
                    yield Mistake(f"vessels.{route}.{source}.{target}", message)
            total = sum(ends.values())
            if abs(total - 1) > TOLERANCE:
                message = f"the outgoing shares sum to {total:.7g}; they must sum to 1"
                yield Mistake(f"vessels.{route}.{source}", message)


def _names(scenario: Scenario) -> Iterator[Mistake]:
    """Ends that lead nowhere, and junctions that nothing leads to or that are of two routes."""
    sources = {source for graph in scenario.vessels.values() for source in graph}
    targets = {t for graph in scenario.vessels.values() for ends in graph.values() for t in ends}
    for route, graph in scenario.vessels.items():
        for source, ends in graph.items():
            key = f"vessels.{route}.{source}"
            if source not in scenario.soil and source not in targets:
                message = f'"{source}" is no organ and no vessel leads to it'
                yield Mistake(key, message, nearest(source, {*scenario.soil} | targets))
            for target in ends:
                if target not in scenario.soil and target not in sources:
                    message = f'"{target}" is no organ and no vessel leads on from it'
                    hint = nearest(target, sorted({*scenario.soil} | sources))
                    yield Mistake(f"{key}.{target}", message, hint)
    for source in sorted(sources - {*scenario.soil}):
        if all(source in ends for ends in (scenario.vessels.get(r, {}) for r in _ROUTES)):
            message = "a junction of vessels drains by blood or by lymph, not by both"
            yield Mistake(f"vessels.lymph.{source}", message)


def _outflow(scenario: Scenario) -> Iterator[Mistake]:
    """Organs that no vessel touches, or whose cells could enter a route that leads nowhere."""
    linked = {
        name
        for graph in scenario.vessels.values()
        for source, ends in graph.items()
        for name in (source, *ends)
    }
    receives_lymph = {t for ends in scenario.vessels.get("lymph", {}).values() for t in ends}
    for organ, soil in scenario.soil.items():
        if organ not in linked:
            message = f'unknown organ "{organ}": no vessel leads to it or from it'
            hint = nearest(organ, [name for name in scenario.soil if name in linked])
            yield Mistake(f"soil.{organ}", message, hint)
            continue
        drawn = f"soil.{organ}.lymph_fraction" in scenario.patients
        if organ not in scenario.vessels.get("blood", {}) and (soil.lymph_fraction < 1 or drawn):
            yield Mistake(f"vessels.blood.{organ}", "the organ has no outflow by blood")
        lymph = soil.lymph_fraction > 0 or drawn or organ in receives_lymph
        if organ not in scenario.vessels.get("lymph", {}) and lymph:
            message = "cells enter lymph here, but the organ has no outflow by lymph"
            yield Mistake(f"vessels.lymph.{organ}", message, "such as veins = 1.0")


def _circling(scenario: Scenario) -> Iterator[Mistake]:
    """Flow that never comes to a bed, and walks that never end."""
    import networkx as nx

    graph = nx.DiGraph(
        (source, target)
        for ends in scenario.vessels.values()
        for source, shares in ends.items()
        for target, share in shares.items()
        if share > 0
    )
    organs = {*scenario.soil}
    for junction in sorted({*graph} - organs):
        if not organs & nx.descendants(graph, junction):
            yield Mistake(f"vessels.blood.{junction}", "its flow never comes to an organ")
    arrest = "gates.arrest.base_odds"
    least = with_changes(scenario, arrest) or (0.0, 0.0)
    odds = max(
        least[0] * (with_changes(scenario, f"soil.{organ}.multiplier.arrest") or (1.0,))[0]
        for organ in scenario.soil
    )
    deaths = ["circulation.death_prob_per_pass"]
    deaths += [f"seed.clusters.{name}.death_prob_per_pass" for name in scenario.seed.clusters]
    bound = LEAST if scenario.run.engine == "cells" else 0.0  # its walk goes from bed to bed
    for key in deaths:
        death = (with_changes(scenario, key) or (0.0, 0.0))[0]
        if death <= bound and odds <= bound:
            message = f"{death:g} and odds of arrest of {odds:g}: a cell would circulate for ever"
            yield Mistake(key, message, f"raise it, or {arrest}")


def _reach(scenario: Scenario) -> Iterator[Mistake]:
    """Organs that no cell of the primary, or of a metastasis, can ever come to."""
    import networkx as nx

    graph = nx.DiGraph()
    for organ, soil in scenario.soil.items():
        drawn = f"soil.{organ}.lymph_fraction" in scenario.patients
        for route, leaves in zip(
            _ROUTES, (soil.lymph_fraction < 1, soil.lymph_fraction > 0), strict=True
        ):
            graph.add_edge((route, organ), organ)  # arrest
            if leaves or drawn:
                graph.add_edge(organ, (route, organ))
    for route, ends in scenario.vessels.items():
        for source, shares in ends.items():
            for target, share in shares.items():
                if share > 0 or f"vessels.{route}.{source}.{target}" in scenario.patients:
                    a, b = ((route, n) if n in scenario.soil else ("", n) for n in (source, target))
                    # a junction passes on what it gets by its own route
                    graph.add_edge(a, b if b[0] else ("", target))
    primary = scenario.primary.organ
    if primary not in graph:
        return
    reached = nx.descendants(graph, primary) | {primary}
    for organ in scenario.soil:
        if organ not in reached:
            message = f"no vessel leads from {primary} to this organ, directly or through others"
            yield Mistake(f"soil.{organ}", message, "add it to [vessels]")
