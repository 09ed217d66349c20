"""What results know of the run that made them: one frozen description, with every default.

It is made of the explicit scenario when a run ends and saved in provenance.json under
"description"; folders that have none (written by earlier versions) get theirs when opened.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from metasim.terms import MACRO_CELLS, MICRO_CELLS, treatment_names

Site = Literal["primary", "regional", "distant"]
Origin = Literal["start", "diagnosis"]
Shares = dict[str, dict[str, float]]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Organ(_Frozen):
    """An organ as tables and figures show it.

    Attributes:
        key: its name in scenario and tables.
        label: its name for readers; never empty.
        site: whose metastases count as local ("primary"), regional or distant.
        position: x and y on the body in body heights, or None.
        detection_cells: size from which imaging sees a metastasis there, or None.
        lethal_cells: burden in cells that kills, or None.
    """

    key: str
    label: str
    site: Site = "distant"
    position: tuple[float, float] | None = None
    detection_cells: float | None = None
    lethal_cells: float | None = None


class Treatment(_Frozen):
    """A treatment of the plan.

    Attributes:
        name: as in the events table.
        kind: of the catalogue, or the scenario's own.
        organ: which organ it is for, or None.
        once: whether it is over at once: neither lasting nor in cycles.
        care: standard care whose rule it is, or None.
    """

    name: str
    kind: str
    organ: str | None = None
    once: bool = False
    care: str | None = None


class Phenotype(_Frozen):
    """A phenotype of the seed, with the drugs that it resists at least in part."""

    name: str
    resists: tuple[str, ...] = ()


class Description(_Frozen):
    """The run as its results see it; reading an unknown attribute is an error.

    Attributes:
        title: one line for tables and figures; may be empty.
        patients: how many were asked for.
        years: years each patient is followed, or None.
        rng_seed: seed of the random numbers, or None.
        follow_from: what time counts from: "start" (day 0) or "diagnosis".
        organs: in the order of tables and figures.
        blood: node -> node -> share of the outflow, or empty.
        lymph: the same of the lymph vessels.
        treatments: the plan, in order.
        phenotypes: of the seed; empty if there is a single one.
        micro_cells: least size of a micrometastasis in cells.
        macro_cells: largest size of one in cells.
        lethal_cells: burden of all organs in cells that kills, or None.
        drawn: the keys that differ between patients, and how they are drawn.
        group: which of the patients these are, see `metasim.results.split`; empty: all.
    """

    title: str = ""
    patients: int
    years: float | None = None
    rng_seed: int | None = None
    follow_from: Origin = "start"
    organs: tuple[Organ, ...]
    blood: Shares = {}
    lymph: Shares = {}
    treatments: tuple[Treatment, ...] = ()
    phenotypes: tuple[Phenotype, ...] = ()
    micro_cells: float = MICRO_CELLS
    macro_cells: float = MACRO_CELLS
    lethal_cells: float | None = None
    drawn: dict[str, Any] = {}
    group: str = ""

    @classmethod
    def of(cls, scenario: Mapping[str, Any]) -> Self:
        """From an explicit scenario as plain dictionaries.

        Raises:
            ValueError: it is no explicit scenario; says which key is wrong.
        """
        try:
            about = _gathered(scenario)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no explicit scenario of metasim ({_said(error)})") from error
        return cls.read(about)

    @classmethod
    def read(cls, saved: object) -> Self:
        """From what `saved` gave.

        Raises:
            ValueError: it is no description; says which key is wrong.
        """
        try:
            found = cls.model_validate_json(_json(saved))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"{place}: {first['msg'].lower()}") from error
        if not found.organs:
            raise ValueError("organs: there is none")
        return found

    def saved(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return self.model_dump(mode="json")

    @cached_property
    def by_key(self) -> dict[str, Organ]:
        """Organs by their key."""
        return {organ.key: organ for organ in self.organs}

    @property
    def local_last(self) -> list[Organ]:
        """Organs with that of the primary at the end, as tables list them."""
        return sorted(self.organs, key=lambda organ: organ.site == "primary")

    def keys_at(self, *sites: Site) -> list[str]:
        """Keys of the organs of these sites."""
        return [organ.key for organ in self.organs if organ.site in sites]


def _json(value: object) -> str:
    import json

    return json.dumps(value, default=str)


def _said(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _gathered(scenario: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of an explicit scenario that a description holds; pydantic checks their values."""
    run, clinic = scenario["run"], scenario.get("clinic", {})
    vessels = scenario.get("vessels", {})
    plan = scenario.get("treatment", [])
    names = treatment_names((one["kind"], one.get("organ")) for one in plan)
    phenotypes = scenario.get("seed", {}).get("phenotypes", {})
    about = {
        "title": scenario.get("title", ""),
        "patients": run["patients"],
        **_given(run, "years", "rng_seed", "follow_from"),
        "organs": [_organ(key, soil) for key, soil in scenario["soil"].items()],
        "blood": vessels.get("blood", {}),
        "lymph": vessels.get("lymph", {}),
        "treatments": [_treatment(name, one) for name, one in zip(names, plan, strict=True)],
        "phenotypes": [
            {"name": name, "resists": [d for d, x in traits.get("resistance", {}).items() if x > 0]}
            for name, traits in phenotypes.items()
        ],
        **_given(clinic, "micro_cells", "macro_cells", "lethal_cells"),
        "drawn": scenario.get("patients", {}),
    }
    return about


def _given(table: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: table[key] for key in keys if table.get(key) is not None}


def _organ(key: str, soil: Mapping[str, Any]) -> dict[str, Any]:
    label = soil.get("label", "") or key.replace("_", " ")
    known = _given(soil, "site", "position", "detection_cells", "lethal_cells")
    return {"key": key, "label": label, **known}


def _treatment(name: str, one: Mapping[str, Any]) -> dict[str, Any]:
    lasts = one.get("change") or one.get("hazard_per_day") is not None
    once = not lasts and one.get("cycles", 1) == 1
    return {"name": name, "once": once, **_given(one, "kind", "organ", "care")}
