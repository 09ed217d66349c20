"""Checks of standard care as a whole: what its rules need that a scenario does not have."""

from collections.abc import Iterator

from metasim.errors import Mistake
from metasim.scenario.checks.detection import diagnosed
from metasim.scenario.schema import Scenario
from metasim.scenario.treatment import Treatment


def check_care(scenario: Scenario) -> Iterator[Mistake]:
    """What all rules together lack, each said once."""
    rules = [t for t in scenario.treatment if t.care is not None]
    if not rules:
        return
    if not diagnosed(scenario) and any(t.start == "diagnosis" for t in rules):
        message = '"diagnosis" never comes: nothing leads to it'
        yield Mistake("care", message, "give clinic.diagnosis_diameter_mm")
    missing = dict.fromkeys(o for t in rules for o in organs_of(t).values())
    for organ in missing.keys() - scenario.soil.keys():
        yield Mistake("care", f'its rules name the organ "{organ}", which this scenario has not')
    for organ in dict.fromkeys(t.organ or "" for t in rules if t.nodes is not None):
        soil = scenario.soil.get(organ)
        if soil is not None and soil.nodes is None:
            message = f"its rules take single nodes of {organ}, which are not counted"
            hint = f"give soil.{organ}.nodes = 20 and soil.{organ}.node_pass_prob"
            yield Mistake("care", message, hint)
    by_age = any(t.only_if and t.only_if.age_years for t in rules)
    if by_age and scenario.clinic.age_years is None and "clinic.age_years" not in scenario.patients:
        message = "its rules go by age, which is not given"
        yield Mistake("care", message, "give clinic.age_years, the age on day 0")


def organs_of(t: Treatment) -> dict[str, str]:
    """Key below a treatment -> organ that it names there."""
    out = {".organ": t.organ} if t.organ else {}
    out |= {f".penetrance.{organ}": organ for organ in t.penetrance}
    if t.only_if:
        out |= {f".only_if.organ.{i}": o for i, o in enumerate(t.only_if.organ or [])}
    if t.relapse_organ:
        out[".start"] = t.relapse_organ
    return out
