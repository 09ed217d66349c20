"""Checks of tests of blood, plasma and marrow: whether they are ever made, and of what."""

from collections.abc import Iterator

from metasim.errors import Mistake
from metasim.scenario.checks.detection import diagnosed
from metasim.scenario.checks.spans import span, with_changes
from metasim.scenario.keys import nearest
from metasim.scenario.schema import Scenario

_ASKED = ("blood_ml", "aspirate_fraction", "plasma_ml")
"""Keys that ask for a test."""


def check_tests(scenario: Scenario) -> Iterator[Mistake]:
    """All contradictions in tests of blood, plasma and marrow."""
    tests = scenario.tests
    asked = [key for key in _ASKED if getattr(tests, key) is not None]
    if asked and not diagnosed(scenario):
        message = "tests are made from diagnosis on, which never comes"
        hint = "give clinic.diagnosis_diameter_mm or clinic.symptom_per_day_per_cm3"
        yield Mistake(f"tests.{asked[0]}", message, hint)
    if tests.on_visits and not asked:
        hint = "give tests.blood_ml, tests.aspirate_fraction or tests.plasma_ml"
        yield Mistake("tests.on_visits", "does nothing: no test is made", hint)
    elif tests.on_visits and not span(scenario, "clinic.follow_up_days"):
        yield Mistake("tests.on_visits", "needs clinic.follow_up_days: there are no visits")
    turnover = with_changes(scenario, "growth.turnover_per_day")
    if tests.plasma_ml is not None and turnover and not turnover[1] > 0:
        message = "finds nothing: no tumour cell dies, so that none releases DNA"
        yield Mistake("tests.plasma_ml", message, "raise growth.turnover_per_day")
    if tests.aspirate_fraction is None:
        return
    if tests.marrow_organ not in scenario.soil:
        message = f'there is no organ "{tests.marrow_organ}"'
        yield Mistake("tests.marrow_organ", message, nearest(tests.marrow_organ, scenario.soil))
    rates = ("rates.colonization_per_day", "rates.dormancy_per_day")
    if not any((ends := span(scenario, rate)) and ends[1] > 0 for rate in rates):
        message = "cells in the marrow would neither found a colony nor fall asleep, and pile up"
        yield Mistake("tests.aspirate_fraction", message, f"raise {rates[0]} or {rates[1]}")
