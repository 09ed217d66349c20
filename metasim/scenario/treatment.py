"""Treatments of a scenario (section 6 of docs/model): remove, kill, change."""

from typing import Annotated, Literal

from pydantic import Field

from metasim.scenario.fields import (
    Days,
    EntryName,
    Fraction,
    Level,
    Name,
    NonNegative,
    Part,
    Period,
    Whole,
    number,
)

RELAPSE_IN = "relapse in "
"""How `start` names the first relapse in one organ: "relapse in bone"."""


StageT = Literal["T1", "T2", "T3"]
StageN = Literal["N0", "N1mi", "N1", "N2", "N3"]
StageM = Literal["M0", "M1"]


class Between(Part):
    """A range, both ends included; an end that is not given is open."""

    min: Annotated[float, number("", ge=0, le=1e18)] | None = None
    """Smallest value."""
    max: Annotated[float, number("", ge=0, le=1e18)] | None = None
    """Largest value."""


class Condition(Part):
    """Who gets a treatment: all that is given must hold when it is due, else it is not given."""

    subtype: list[Name] | None = None
    """Subtypes of the seed."""
    er_positive: bool | None = None
    """Whether the tumour has oestrogen receptors; where that is unknown, it is given to nobody."""
    her2_positive: bool | None = None
    """Whether the tumour overexpresses HER2; likewise."""
    stage_t: list[StageT] | None = None
    """T at diagnosis; before the diagnosis it is given to nobody, as the next two."""
    stage_n: list[StageN] | None = None
    """N at diagnosis."""
    stage_m: list[StageM] | None = None
    """M at diagnosis."""
    nodes_positive: Between | None = None
    """Positive regional nodes at diagnosis; before it, it is given to nobody, as the next two."""
    diameter_mm: Between | None = None
    """Diameter of the primary at diagnosis."""
    detection: list[Literal["symptom", "screening", "interval"]] | None = None
    """How the primary was found."""
    organ: list[Name] | None = None
    """Organs; in at least one of them a metastasis has been seen."""
    burden_cells: Between | None = None
    """Cells of all metastases together."""
    age_years: Between | None = None
    """Age when it is due (clinic.age_years is the age on day 0)."""


class Treatment(Part):
    """A treatment. It may remove, kill and change at once; catalogue entries fill in its kind."""

    kind: Name
    """Catalogue entry these values start from, or a name of your own."""
    start: (
        Literal["diagnosis", "relapse"]
        | Annotated[str, Field(pattern=f"^{RELAPSE_IN}.+$")]
        | Annotated[float, number("days", ge=0, le=1e7)]
    )
    """The day, or the event that it follows: "diagnosis", "relapse" (the first distant metastasis
    seen) or "relapse in ORGAN"."""
    delay_days: Annotated[float, number("days", ge=0, le=1e7)] = 0.0
    """Days from `start`."""
    cycles: Annotated[Whole, number("", ge=1, le=10_000)] = 1
    """How often it removes or kills at once."""
    interval_days: Period = 21.0
    """Days from one cycle to the next."""
    duration_days: Days | None = None
    """How long it changes, or kills by a hazard; unset: for the rest of the life."""
    stop: Literal["progression"] | None = None
    """"progression": it ends when the metastases seen have grown to 1.728 times their smallest
    burden since its start (by a fifth in diameter), or the first is seen."""
    only_if: Condition | None = None
    """Who gets it; unset: everyone."""
    given_fraction: Fraction = 1.0
    """Share of those it is for who get it."""
    responding_fraction: Fraction = 1.0
    """Share of patients whose tumour responds; to the others it is given in vain, at every time and
    by every treatment of its `kind`."""

    organ: Name | None = None
    """Organ that it acts on; unset: the whole body."""
    seen_only: bool = False
    """It removes or kills only colonies that imaging sees, not what else is in the organ."""
    residual_fraction: Fraction | None = None
    """It removes: each cell is left behind with this probability."""
    nodes: Annotated[Whole, number("", ge=1, le=200)] | None = None
    """It takes out so many lymph nodes of the organ, whole: the first of the chain (a sentinel
    biopsy); unset: surgery concerns the whole organ (a dissection)."""
    log_kill: NonNegative | None = None
    """It kills: each cell survives a cycle with probability exp(-log_kill)."""
    dose_gray: Annotated[float, number("Gy", ge=0, le=1000)] | None = None
    """It irradiates: total dose of a cycle, D."""
    fractions: Annotated[Whole, number("", ge=1, le=1000)] = 1
    """Equal fractions n that the dose is given in."""
    alpha_per_gray: Annotated[float, number("1/Gy", ge=0, le=1000)] = 0.0
    """Each cell survives with probability exp(-alpha D - beta D^2 / n)."""
    beta_per_gray2: Annotated[float, number("1/Gy^2", ge=0, le=1000)] = 0.0
    """The quadratic part of the kill by radiation."""
    hazard_per_day: Annotated[float, number("1/day", ge=0, le=1e6)] | None = None
    """It kills each cell at this rate while it lasts."""
    change: dict[str, NonNegative] = Field(default_factory=dict)
    """Key path -> factor on it while it lasts; "soil.*.niche" is the key in every organ."""
    drug: Name | None = None
    """What cells may resist (seed.phenotypes.NAME.resistance); unset: nothing resists it."""
    penetrance: dict[Name, Level] = Field(default_factory=dict)
    """Share of its effect (of the log-kill, hazard or log-factor) that reaches an organ: 1 if not
    given."""
    spares_dormant: bool = False
    """Dormant disseminated tumour cells survive it."""
    care: EntryName | None = None
    """Standard care whose rule this is, as the scenario's `care` sets it; unset: its own."""

    @property
    def effect(self) -> tuple[object, ...]:
        """What it changes; equal for treatments that are one drug, given for several reasons."""
        tables = (tuple(sorted(table.items())) for table in (self.change, self.penetrance))
        return self.kind, self.drug, self.organ, *tables

    @property
    def relapse_organ(self) -> str | None:
        """The organ in which a relapse starts it; None: something else does."""
        if isinstance(self.start, str) and self.start.startswith(RELAPSE_IN):
            return self.start.removeprefix(RELAPSE_IN)
        return None
