"""Checks of lymph nodes: which organs may have them, how many an operation can take."""

from collections.abc import Iterator

from metasim.errors import Mistake
from metasim.scenario.checks.effect import OF_NODES
from metasim.scenario.schema import Scenario


def check_nodes(scenario: Scenario) -> Iterator[Mistake]:
    """All mistakes that concern lymph nodes."""
    yield from _organs(scenario)
    yield from _pathology(scenario)
    for i, treatment in enumerate(scenario.treatment):
        if treatment.nodes is not None and treatment.care is None:
            yield from (Mistake(f"treatment.{i}{at}", *said) for at, *said in _taken(scenario, i))


def _organs(scenario: Scenario) -> Iterator[Mistake]:
    for organ, soil in scenario.soil.items():
        key = f"soil.{organ}.nodes"
        if soil.nodes is None:
            for name in OF_NODES:
                if getattr(soil, name) is not None:
                    yield Mistake(f"soil.{organ}.{name}", f"does nothing without {key}")
            continue
        if soil.site != "regional":
            message = f'only a regional organ has lymph nodes: soil.{organ}.site is "{soil.site}"'
            yield Mistake(key, message)
            continue
        passing = f"soil.{organ}.node_pass_prob"
        if soil.node_pass_prob is None and passing not in scenario.patients and soil.nodes > 1:
            yield Mistake(
                passing, f"is required: how often one of the {soil.nodes} nodes passes on"
            )


def _pathology(scenario: Scenario) -> Iterator[Mistake]:
    clinic, key = scenario.clinic, "clinic.pathology_cells"
    if clinic.pathology_cells is None:
        return
    if clinic.pathology_cells < clinic.micro_cells:
        message = f"{clinic.pathology_cells:.12g} cells are below clinic.micro_cells"
        message += f" ({clinic.micro_cells:.12g}): isolated tumour cells make no node positive"
        yield Mistake(key, message, "raise it, or lower that")
    if not any(soil.site == "regional" for soil in scenario.soil.values()):
        yield Mistake(key, "does nothing: no organ is regional")


def _taken(scenario: Scenario, i: int) -> Iterator[tuple[str, str, str]]:
    t = scenario.treatment[i]
    soil = scenario.soil.get(t.organ or "")
    if soil is None:
        pass  # said elsewhere
    elif soil.nodes is None:
        message = f"{t.organ} has no nodes that could be taken one by one"
        yield ".nodes", message, f"give soil.{t.organ}.nodes"
    elif t.nodes is not None and t.nodes > soil.nodes:
        yield ".nodes", f"{t.nodes} are more than soil.{t.organ}.nodes = {soil.nodes}", ""
    if t.residual_fraction:
        message = f"{t.residual_fraction:g} has no effect: nodes are taken whole"
        yield ".residual_fraction", message, "give one of it and nodes"
    for name in ("log_kill", "dose_gray", "seen_only"):
        if getattr(t, name):
            yield f".{name}", "does not go with nodes, which are taken whole", "give two treatments"
