"""Checks of how the primary is found: whether it ever is, and who is screened."""

from collections.abc import Iterator

from metasim.errors import Mistake
from metasim.scenario.checks.spans import span
from metasim.scenario.schema import Scenario

_AGES = ("clinic.screening_from_years", "clinic.screening_to_years")


def check_detection(scenario: Scenario) -> Iterator[Mistake]:
    """All contradictions in how the primary is found."""
    if scenario.clinic.restaging and not span(scenario, "clinic.follow_up_days"):
        message = "needs clinic.follow_up_days: without visits, metastases are seen on the day"
        yield Mistake("clinic.restaging", message)
    ages = [key for key in _AGES if span(scenario, key)]
    if ages and not span(scenario, "clinic.screening_interval_days"):
        hint = "give clinic.screening_interval_days"
        yield Mistake(ages[0], "does nothing: nobody is screened", hint)
        return
    if ages and not span(scenario, "clinic.age_years"):
        yield Mistake(ages[0], "needs clinic.age_years: women are screened by age")
    first, last = (span(scenario, key) for key in _AGES)
    if first and last and first[0] > last[1]:
        message = f"{first[0]:.12g} years are above {_AGES[1]} ({last[1]:.12g})"
        yield Mistake(_AGES[0], message, "nobody would be screened")
    yield from _never_diagnosed(scenario)


def diagnosed(scenario: Scenario, but: tuple[str, ...] = ()) -> bool:
    """Whether anything can lead to the diagnosis of the primary.

    Args:
        scenario: what is asked.
        but: keys of `clinic` that do not count.
    """
    ways = {"diagnosis_diameter_mm", "symptom_per_day_per_cm3", "screening_interval_days"}
    found = [span(scenario, f"clinic.{way}") for way in ways - {*but}]
    felt = scenario.clinic.restaging and any(soil.symptoms for soil in scenario.soil.values())
    return felt or any(ends is not None and ends[1] > 0 for ends in found)


def _never_diagnosed(scenario: Scenario) -> Iterator[Mistake]:
    if diagnosed(scenario):
        return
    hint = "give clinic.diagnosis_diameter_mm or clinic.symptom_per_day_per_cm3"
    message = '"diagnosis" never comes: nothing leads to it'
    if scenario.run.follow_from == "diagnosis":
        yield Mistake("run.follow_from", message, hint)
    if span(scenario, "clinic.follow_up_days"):
        visits = "visits begin at diagnosis, which never comes"
        yield Mistake("clinic.follow_up_days", visits, hint)
    for i, treatment in enumerate(scenario.treatment):
        if treatment.start == "diagnosis" and treatment.care is None:
            yield Mistake(f"treatment.{i}.start", message, hint)
