"""Files to start from: a scenario, or an entry of one's own catalogue and a scenario that uses it.

They are written from the schema and the table of factors, so that they name every level there is.
"""

import textwrap
from pathlib import PurePosixPath
from typing import Final

from metasim.law.factors import FACTORS, Meeting
from metasim.scenario.catalogue import BESIDE
from metasim.scenario.keys import find, split
from metasim.scenario.load import load

BASE: Final = "luminal_a_surgery"
"""The scenario that the files extend."""

SECTION_OF: Final = {
    "scenario": "scenarios",
    "organ": "soils",
    "subtype": "subtypes",
    "treatment": "treatments",
}
"""What can be started -> the section of the catalogue that its names are of."""

_ANNOTATED = (
    'A value with its source is { value = 0.5, status = "measured", source = "KEY" }, where KEY is',
    f'a table of {BESIDE}/sources.toml with citation = "..." and, if known, doi = "...".',
)
_WIDTH = 100
_LEVELS = [factor for factor in FACTORS if factor.meeting is not Meeting.PAIRS]


def files_of(what: str, name: str) -> dict[PurePosixPath, str]:
    """The files to start from.

    Args:
        what: one of `SECTION_OF`.
        name: of the new scenario, organ, subtype or treatment.

    Returns:
        Path below the folder of the scenario -> text; the scenario is the last.
    """
    scenario = PurePosixPath(f"{name}.toml")
    if what == "scenario":
        return {scenario: _scenario(name)}
    entry = PurePosixPath(BESIDE, SECTION_OF[what], f"{name}.toml")
    text, use = {"organ": _organ, "subtype": _subtype, "treatment": _treatment}[what](name)
    head = f"# {BASE} with {what} {name}, which is {entry}.\n"
    return {entry: text, scenario: f"{head}{_top(name)}\n{use}"}


def _top(name: str) -> str:
    return f'title = "{name}"\nextends = "{BASE}"\n\n[run]\npatients = 200\n'


def _line(value: str, comment: str) -> str:
    """A line of a file and what it means, above it if there is no room beside it."""
    line = f"{value:<34}  # {comment}"
    if len(line) > _WIDTH:
        return _comments(*textwrap.wrap(comment, _WIDTH - 2)) + f"{value}\n"
    return f"{line}\n"


def _about(key: str, value: str) -> str:
    """A line of a file, with what the schema says of its key."""
    found = find(split(key))
    assert found is not None
    return _line(value, " ".join(found.description.split()))


def _comments(*lines: str) -> str:
    return "".join(f"# {line}\n" for line in lines)


def _scenario(name: str) -> str:
    return (
        _comments(f"{name}: what it asks, and what to look at.")
        + f'title = "{name}"\n'
        + _line(f'extends = "{BASE}"', "what it starts from: a name of `metasim list`, or a file")
        + "\n[run]\n"
        + _about("run.patients", "patients = 200")
        + _about("run.years", "years = 15.0")
        + "\n"
        + _comments(f"What differs from {BASE}; `metasim show {BASE}` lists every key.")
        + "[soil.bone]\n"
        + _about("soil.bone.niche", "niche = 0.5")
        + _about("soil.bone.multiplier.colonization", "multiplier.colonization = 1.0")
        + "\n[seed]\n"
        + _about("seed.niche_response", "niche_response = 0.96")
        + "\n"
        + _comments(f"The treatments replace those of {BASE}.")
        + '[[treatment]]\nkind = "surgery"\norgan = "breast"\n\n'
        + _comments("[[treatment]]", 'kind = "chemotherapy"', "cycles = 6")
    )


def _organ(name: str) -> tuple[str, str]:
    at = f"soil.{name}."
    text = (
        _comments(f"{name}: what is known of its soil.", *_ANNOTATED)
        + f'title = "{name}"\n'
        + _about(f"{at}label", f'label = "{name}"')
        + _about(f"{at}position", "position = [0.12, 0.45]")
        + "\n"
        + _comments("Levels from 0 to 1.")
        + "".join(_about(at + f.name, f"{f.name} = 0.3") for f in _LEVELS)
        + _line("ligands.CXCL12 = 0.3", "What receptors of the seed answer (see [pairs]).")
        + "\n"
        + _about(f"{at}multiplier.colonization", "multiplier.colonization = 1.0")
        + _about(f"{at}detection_cells", "detection_cells = 5e8")
        + _about(f"{at}symptoms", "# symptoms.pain = 2e9")
        + _about(f"{at}lethal_cells", "# lethal_cells = 2e10")
    )
    use = (
        f'[soil.{name}]\nentry = "{name}"\n'
        + _line('takes_from = "other"', "the organ whose inflow it takes a share of")
        + _about(f"{at}taken_fraction", "taken_fraction = 0.05")
        + f"\n[vessels.blood.{name}]\n"
        + _line("veins = 1.0", "where its blood goes; not said: where that of `takes_from` goes")
    )
    return text, use


def _subtype(name: str) -> tuple[str, str]:
    seed = load(BASE).seed
    text = (
        _comments(
            f"{name}: how it differs from other subtypes. The values are {BASE}'s.", *_ANNOTATED
        )
        + f'title = "{name}"\n\n'
        + _comments(f"Levels from 0 to 1; these are {BASE}'s.")
        + "[seed]\n"
        + "".join(
            _about(f"seed.{f.trait}", f"{f.trait} = {getattr(seed, f.trait)}") for f in _LEVELS
        )
        + "\n"
        + _comments("Receptors answer ligands of the soil (see [pairs]).")
        + "".join(f"receptors.{one} = {level}\n" for one, level in seed.receptors.items())
    )
    return text, f'[seed]\nsubtype = "{name}"\n'


def _treatment(name: str) -> tuple[str, str]:
    at = "treatment.0."
    text = (
        _comments(f"{name}: what it does, and on whose evidence.", *_ANNOTATED)
        + f'title = "{name}"\n'
        + _about(f"{at}start", 'start = "diagnosis"')
        + _about(f"{at}delay_days", "delay_days = 28.0")
        + _about(f"{at}duration_days", "duration_days = 365.25")
        + _about(f"{at}drug", f'drug = "{name}"')
        + "\n"
        + _comments("What it does; at least one of these.")
        + _about(f"{at}hazard_per_day", "hazard_per_day = 0.002")
        + _about(f"{at}log_kill", "# log_kill = 2.0")
        + _about(f"{at}cycles", "# cycles = 6")
        + _about(f"{at}change", '# change."soil.bone.niche" = 0.5')
        + "\n"
        + _about(f"{at}penetrance", "# penetrance.brain = 0.1")
        + _about(f"{at}only_if", '# only_if.organ = ["bone"]')
    )
    use = f'[[treatment]]\nkind = "surgery"\norgan = "breast"\n\n[[treatment]]\nkind = "{name}"\n'
    return text, use
