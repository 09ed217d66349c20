"""Checks of who gets a treatment: conditions that nobody can meet."""

import math
from collections.abc import Iterator
from itertools import pairwise

from metasim.law.sizes import STAGE_MM
from metasim.scenario.catalogue import Catalogue
from metasim.scenario.checks.detection import diagnosed
from metasim.scenario.entries import read_entry
from metasim.scenario.layers import layer
from metasim.scenario.schema import Scenario
from metasim.scenario.subtypes import subtypes_of
from metasim.scenario.treatment import Between, Condition, Treatment
from metasim.scenario.tumours import RECEPTORS, suits_someone
from metasim.terms import STAGES_N, STAGES_T

RANGES = ("burden_cells", "age_years", "nodes_positive", "diameter_mm")
LISTS = ("subtype", "organ", "stage_t", "stage_n", "stage_m", "detection")

AT_DIAGNOSIS = ("stage_t", "stage_n", "stage_m", "nodes_positive", "diameter_mm", "detection")


def check_conditions(
    scenario: Scenario, t: Treatment, place: int, catalogue: Catalogue
) -> Iterator[tuple[str, str, str]]:
    """Key below the treatment, message and hint of conditions that nobody can meet.

    Args:
        scenario: what is asked.
        t: a treatment.
        place: its place among those of the scenario.
        catalogue: where the receptors of subtypes are looked up.
    """
    asked = t.only_if
    if asked is None:
        return
    wrong = [*_impossible(asked, catalogue)]
    yield from wrong
    if wrong:
        return
    if t.care is None:  # a rule of standard care may be for others than this scenario's patients
        yield from _diagnosis(scenario, asked)
        yield from _nobody(scenario, asked)
        known = {*subtypes_of(scenario), *catalogue.names("subtypes")}
        if known.issuperset(asked.subtype or []):  # else a name is wrong: `check_names` says so
            yield from _tumours(scenario, asked, f"treatment.{place}.only_if")


def _impossible(asked: Condition, catalogue: Catalogue) -> Iterator[tuple[str, str, str]]:
    """What no patient of any scenario can meet."""
    for what in LISTS:
        if getattr(asked, what) == []:
            yield f".only_if.{what}", "is empty: nobody would get it", "leave it out for everybody"
    for what in RANGES:
        ends: Between | None = getattr(asked, what)
        if ends and ends.min is not None and ends.max is not None and ends.min > ends.max:
            yield f".only_if.{what}", f"min ({ends.min:g}) is above max ({ends.max:g})", ""
    yield from _stages(asked)
    if asked.subtype and not any(_has(name, asked, catalogue) for name in asked.subtype):
        names = " or ".join(asked.subtype)
        for name in RECEPTORS:
            if getattr(asked, name) is not None:
                message = f"contradicts only_if.subtype: in {names} it is otherwise"
                yield f".only_if.{name}", message, ""
                return


def _stages(asked: Condition) -> Iterator[tuple[str, str, str]]:
    """Stages that contradict the diameter or the number of nodes that are asked for."""
    sizes = dict(zip(STAGES_T, pairwise((0.0, *STAGE_MM, math.inf)), strict=True))
    nodes = {n: (min(number, 1), math.inf if number else 0) for n, number in STAGES_N.items()}
    for what, of, bounds in (
        ("diameter_mm", "stage_t", sizes),
        ("nodes_positive", "stage_n", nodes),
    ):
        ends: Between | None = getattr(asked, what)
        stages: list[str] = getattr(asked, of) or []
        if not ends or not stages:
            continue
        least = 0.0 if ends.min is None else ends.min
        most = math.inf if ends.max is None else ends.max
        if all(most < bounds[s][0] or least > bounds[s][1] for s in stages):
            yield f".only_if.{what}", f"contradicts only_if.{of}: {' or '.join(stages)}", ""


def _has(subtype: str, asked: Condition, catalogue: Catalogue) -> bool:
    """Whether a subtype of the catalogue has the receptors asked for; if unknown, it may."""
    found = catalogue.find(subtype, "subtypes")
    table = read_entry(found).table.get("seed", {}) if found else {}
    seed = layer(subtype, {"seed": table}, "assumed").values
    wanted = [(("seed", name), getattr(asked, name)) for name in RECEPTORS]
    return all(seed.get(key, has) is has for key, has in wanted if has is not None)


def _tumours(scenario: Scenario, asked: Condition, key: str) -> Iterator[tuple[str, str, str]]:
    """Tumours that no patient has, where a user asks for them; the catalogue's suit some only."""
    own = [
        name
        for name in ("subtype", *RECEPTORS)
        if (origin := scenario._origins.get(f"{key}.{name}")) and origin.status == "user"
    ]
    if own and not suits_someone(scenario, asked):
        said = " or ".join(subtypes_of(scenario)) or "of no subtype"
        message = f"nobody has such a tumour: the patients are {said}"
        yield f".only_if.{own[0]}", message, "mix subtypes by patients.seed.subtype"


def _diagnosis(scenario: Scenario, asked: Condition) -> Iterator[tuple[str, str, str]]:
    if diagnosed(scenario):
        return
    for what in AT_DIAGNOSIS:
        if getattr(asked, what) is not None:
            message = "is never known: nothing leads to a diagnosis"
            yield f".only_if.{what}", message, "give clinic.diagnosis_diameter_mm"


def _nobody(scenario: Scenario, asked: Condition) -> Iterator[tuple[str, str, str]]:
    """What no patient of this scenario can meet."""
    age, key = scenario.clinic.age_years, "clinic.age_years"
    wanted = asked.age_years
    if wanted and key not in scenario.patients:
        if age is None:
            yield ".only_if.age_years", f"needs {key}, the age on day 0", ""
        elif wanted.max is not None and age > wanted.max:
            yield ".only_if.age_years", f"nobody is: all are {age:g} on day 0", ""
    least = asked.burden_cells and asked.burden_cells.min
    lethal = scenario.clinic.lethal_cells
    if least and lethal and least >= lethal and "clinic.lethal_cells" not in scenario.patients:
        yield ".only_if.burden_cells", f"nobody lives with it: {lethal:g} cells kill", ""
