"""What may be drawn or changed, and what would have no effect in a scenario.

The schema says of every key whether it may differ between patients and whether a treatment may
change it (`metasim.scenario.fields.Varies`). A key that may can still be idle: another key that is
unset switches off what it belongs to, or more special keys replace it everywhere.
"""

from metasim.law.growth import LAWS, law_number
from metasim.scenario.keys import Path
from metasim.scenario.schema import Scenario

_NEEDS = {
    "clinic.screening_half_mm": "clinic.screening_interval_days",
    "clinic.screening_from_years": "clinic.screening_interval_days",
    "clinic.screening_to_years": "clinic.screening_interval_days",
    "clinic.screening_slope": "clinic.screening_interval_days",
    "clinic.other_death_growth_per_year": "clinic.other_death_per_year",
    "tests.ctc_recovery_fraction": "tests.blood_ml",
    "tests.blood_litres": "tests.blood_ml",
    "tests.bed_transit_days": "tests.blood_ml",
    "tests.plasma_litres": "tests.plasma_ml",
    "tests.ctdna_recovery_fraction": "tests.plasma_ml",
    "tests.ctdna_half_life_days": "tests.plasma_ml",
    "tests.ctdna_copies_per_cell": "tests.plasma_ml",
    "tests.ctdna_released_fraction": "tests.plasma_ml",
    "angiogenesis.avascular_cells": "angiogenesis.per_day",
    "angiogenesis.onset_cells": "angiogenesis.per_day",
}
"""Keys that are idle while another is unset."""

OF_NODES = ("node_pass_prob", "node_cells")
"""Keys of an organ that are idle while its `nodes` are unset."""


def idle(scenario: Scenario, path: Path) -> str:
    """Why a key that is drawn or changed has no effect in a scenario; empty: it has.

    Args:
        scenario: what is asked.
        path: the key; it exists and holds a number.
    """
    name = ".".join(str(part) for part in path)
    needed = _NEEDS.get(name)
    if needed and not _given(scenario, needed):
        return f"has no effect while {needed} is unset"
    if path[-1] == "restaging_cells" and not scenario.clinic.restaging:
        return "has no effect while clinic.restaging is false"
    if reason := _idle_in_growth(scenario, path) or _idle_in_nodes(scenario, path):
        return reason
    if path[0] == "seed" and path[1:2] not in (("clusters",), ("phenotypes",)):
        phenotypes = scenario.seed.phenotypes
        below = name.removeprefix("seed.")
        own = (_given(scenario, f"seed.phenotypes.{one}.{below}") for one in phenotypes)
        if phenotypes and all(own):
            return "has no effect: every phenotype has a value of its own"
    return ""


def unset(scenario: Scenario, path: Path) -> str:
    """Why a factor on a key changes nothing, where the key holds no value; empty: it does."""
    name = ".".join(str(part) for part in path)
    if name == "angiogenesis.per_day" and not _given(scenario, name):
        return "is unset: colonies are vascularised from their founding, a factor changes nothing"
    return ""


def _idle_in_growth(scenario: Scenario, path: Path) -> str:
    law = LAWS[law_number(scenario.growth.law)]
    key = str(path[-1])
    of_growth = path[0] == "growth" or (path[0] == "soil" and len(path) == 3)
    if of_growth and key in {name for other in LAWS for name in other.needs} - {*law.needs}:
        return f'has no effect: growth.law = "{law.name}" does not read it'
    if path == ("growth", "capacity_cells"):
        organs = scenario.soil
        if organs and all(_given(scenario, f"soil.{o}.capacity_cells") for o in organs):
            return "has no effect: every organ has a capacity of its own"
    return ""


def _idle_in_nodes(scenario: Scenario, path: Path) -> str:
    needed = f"soil.{path[1]}.nodes" if len(path) == 3 else ""
    if path[0] == "soil" and path[-1] in OF_NODES and not _given(scenario, needed):
        return f"has no effect while {needed} is unset"
    return ""


def _given(scenario: Scenario, path: str) -> bool:
    """Whether a key is set or drawn."""
    if path in scenario.patients:
        return True
    part: object = scenario
    for name in path.split("."):
        part = part.get(name) if isinstance(part, dict) else getattr(part, name, None)
    return part is not None
