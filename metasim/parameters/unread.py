"""Nothing that is drawn or changed is silently ignored: what readers did not ask for is refused."""

from collections.abc import Mapping, Set

import numpy as np
from numpy.typing import NDArray

from metasim.errors import Mistake, ScenarioError
from metasim.parameters.course import course_from
from metasim.parameters.exposure import changing_of
from metasim.parameters.lookup import Parameters, in_every_organ
from metasim.scenario.schema import Scenario

Array = NDArray[np.float64]

TOLD = {"seed.subtype", "seed.er_positive", "seed.her2_positive"}
"""Keys that may differ between patients though the law reads none: the tables tell them."""


def refuse_unread(scenario: Scenario, drawn: Mapping[str, Array], law: Set[str]) -> None:
    """Refuse what is drawn or changed without effect on the law or the course.

    `metasim.scenario.checks` says so before, in words of its own, wherever it knows; this holds for
    every key, because it rests on what has really been read.

    Args:
        scenario: what is asked.
        drawn: key path -> drawn values.
        law: key paths that the law has been read from.

    Raises:
        ScenarioError: with all keys that nothing reads.
    """
    get = Parameters(scenario, drawn)
    course_from(get)
    feels = law | {in_every_organ(path) for path in law}
    message = "has no effect in this scenario: nothing reads it"
    mistakes = [
        Mistake(f"patients.{path}", message)
        for path in {**drawn, **scenario.patients}
        if path not in law | get.read | TOLD
    ]
    mistakes += [
        Mistake(f"treatment.{scenario.treatment.index(treatment)}.change.{path}", message)
        for treatment in changing_of(scenario)
        for path in treatment.change
        if path not in feels
    ]
    if mistakes:
        raise ScenarioError("scenario", mistakes)
