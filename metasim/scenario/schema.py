"""The scenario: what is asked. Frozen pydantic models; units and a description on every field.

Keys are addressed by dotted paths (``soil.bone.niche``). Units stand in the key's name
(``_per_day``, ``_days``, ``_cells``, ``_fraction``, ``_mm``); a probability, odds, level or factor
is dimensionless. The models check types and ranges of single values; what concerns several keys
at once is in `metasim.scenario.checks`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from metasim.scenario.origin import Origin
from metasim.terms import Gate


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def _number(unit: str, **limits: float) -> Any:
    return Field(json_schema_extra={"unit": unit}, **limits)  # type: ignore[arg-type]


Level = Annotated[float, _number("", ge=0, le=1)]
Probability = Annotated[float, _number("", ge=0, le=1)]
Fraction = Annotated[float, _number("", ge=0, le=1)]
NonNegative = Annotated[float, _number("", ge=0)]
Positive = Annotated[float, _number("", gt=0)]
Real = Annotated[float, _number("")]
PerDay = Annotated[float, _number("1/day", ge=0)]
Days = Annotated[float, _number("days", gt=0)]
Years = Annotated[float, _number("years", gt=0)]
Cells = Annotated[float, _number("cells", ge=1, le=1e13)]
CellCount = Annotated[int, _number("cells", ge=1, le=10_000_000_000_000)]
Millimetres = Annotated[float, _number("mm", gt=0, le=1000)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_\-]*$")]


class Run(_Part):
    """How many patients, how long, in which steps, by which engine."""

    patients: Annotated[int, _number("", ge=1, le=100_000_000)] = 100
    """Number of virtual patients."""
    years: Years = 15.0
    """Years each patient is followed, counted from `follow_from`."""
    follow_from: Literal["start", "diagnosis"] = "start"
    """Where `years` starts: day 0 of the simulation, or each patient's diagnosis."""
    undiagnosed_years: Years = 40.0
    """With follow_from = "diagnosis": a patient not diagnosed by then ends there, undiagnosed."""
    dt_days: Days = 7.0
    """Length of a time step."""
    engine: Literal["colonies", "cells"] = "colonies"
    """Who draws: groups of identical cells (fast, any size), or every cell as an agent."""
    rng_seed: Annotated[int, _number("", ge=0, lt=2**63)] = 1
    """Seed of the random numbers (not the cancer cell)."""
    record: Literal["summary", "patients", "metastases", "everything"] | None = None
    """What is written; unset: everything up to 1,000 patients, then metastases."""
    record_every_days: Days = 182.625
    """Interval between recorded days of counts.parquet and stages.parquet."""
    max_cells: Annotated[int, _number("cells", ge=1)] = 200_000
    """Cell engine: more agents than this end the run with a message."""
    max_colonies: Annotated[int, _number("", ge=1)] = 100_000
    """Colony engine: more colonies than this in one patient end the run with a message."""


class Pair(_Part):
    """A ligand of the soil that a receptor of the seed answers."""

    ligand: Name
    """Ligand, a key of soil.ORGAN.ligands."""
    receptor: Name
    """Receptor, a key of seed.receptors."""
    factor: Literal["chemotaxis", "adhesion"]
    """The factor to which level(ligand) * level(receptor) adds."""


class GateOdds(_Part):
    """One gate: base odds and the weight of each soil factor on the log-odds (0: no effect)."""

    base_odds: NonNegative
    """Odds of passing where all factors are 0 and the multiplier is 1."""
    weights: dict[
        Literal[
            "chemotaxis",
            "adhesion",
            "basement_membrane",
            "endothelial_barrier",
            "hypoxia",
            "oxidants",
            "immune_surveillance",
            "niche",
        ],
        Real,
    ] = {}
    """Change of log-odds per unit of each soil factor."""


class Gates(_Part):
    """The five gates of the cascade."""

    invasion: GateOdds
    """Crossing the border of the tumour (else the cell dies)."""
    intravasation: GateOdds
    """Entering blood or lymph (else the cell dies)."""
    arrest: GateOdds
    """Being held in a capillary bed (else the cell is carried on)."""
    extravasation: GateOdds
    """Crossing the vessel wall into the organ (else the cell dies)."""
    colonization: GateOdds
    """Founding a colony (else the cell dies)."""


class Rates(_Part):
    """When cells move: exit rates of the stages (whether they advance is the gates')."""

    invasion_per_day: PerDay
    """Rate at which a cell of a colony of `invasion_reference_cells` tries to cross its border."""
    invasion_reference_cells: Cells = 1e9
    """Colony size N_ref at which `invasion_per_day` holds."""
    border_exponent: Annotated[float, _number("", ge=0, le=2)] = 2 / 3
    """phi: cells leave at rate * (N/N_ref)^(phi-1) each; 2/3 surface, 1 whole volume."""
    intravasation_per_day: PerDay = 1.0
    """Rate at which an invaded cell tries to enter a vessel."""
    extravasation_per_day: PerDay = 1.0
    """Rate at which an arrested cell tries to cross the vessel wall."""
    washout_per_day: PerDay = 0.0
    """Rate at which an arrested cell is washed on into the blood or lymph."""
    colonization_per_day: PerDay = 1.0
    """Rate at which an active disseminated tumour cell tries to found a colony."""
    dormancy_per_day: PerDay = 0.0
    """Rate at which an active disseminated tumour cell falls dormant."""
    reawakening_per_day: PerDay = 0.0
    """Rate at which a dormant disseminated tumour cell becomes active again."""
    dormant_death_per_day: PerDay = 0.0
    """Death rate of dormant disseminated tumour cells."""


class Circulation(_Part):
    """What happens between two beds."""

    death_prob_per_pass: Probability
    """Probability that a single circulating cell is destroyed at each bed it meets (q)."""


class Cluster(_Part):
    """A size class of circulating clusters."""

    size_cells: Annotated[int, _number("cells", ge=2, le=10_000)]
    """Cells per cluster."""
    share_fraction: Fraction
    """Share of the invading cells that leave in clusters of this class."""
    death_prob_per_pass: Probability
    """Probability that the whole cluster is destroyed at each bed it meets."""
    arrest_odds_factor: Positive = 1.0
    """Multiplies the odds of arrest of a single cell."""


class Traits(_Part):
    """Properties of the cancer cell that meet the soil's; all are levels in [0, 1]."""

    proteolysis: Level = 0.0
    """Digests basement membrane."""
    barrier_crossing: Level = 0.0
    """Opens endothelial barriers such as the blood-brain barrier (COX2, HBEGF, ST6GALNAC5)."""
    hypoxia_tolerance: Level = 0.0
    """Tolerates lack of oxygen."""
    antioxidant_capacity: Level = 0.0
    """Neutralises oxidants."""
    immune_evasion: Level = 0.0
    """Escapes immune surveillance."""
    niche_response: Level = 1.0
    """Response to the growth factors of the niche."""


class Phenotype(_Part):
    """A heritable variant of the seed; what is not given is the seed's own value."""

    initial_fraction: Fraction = 0.0
    """Share of the primary's first cells."""
    receptors: dict[Name, Level] = {}
    """Receptor levels that differ from the seed's."""
    proteolysis: Level | None = None
    """As seed.proteolysis; unset: the seed's."""
    barrier_crossing: Level | None = None
    """As seed.barrier_crossing; unset: the seed's."""
    hypoxia_tolerance: Level | None = None
    """As seed.hypoxia_tolerance; unset: the seed's."""
    antioxidant_capacity: Level | None = None
    """As seed.antioxidant_capacity; unset: the seed's."""
    immune_evasion: Level | None = None
    """As seed.immune_evasion; unset: the seed's."""
    niche_response: Level | None = None
    """As seed.niche_response; unset: the seed's."""
    growth_factor: NonNegative = 1.0
    """Multiplies the growth rate rho."""
    turnover_factor: NonNegative = 1.0
    """Multiplies the turnover (death rate)."""
    becomes: dict[Name, Probability] = {}
    """Probability per division that a daughter is of the named phenotype (EMT, MET ...)."""


class Seed(Traits):
    """The cancer cell."""

    subtype: Name | None = None
    """Catalogue entry these values start from."""
    receptors: dict[Name, Level] = {}
    """Receptor levels."""
    clusters: dict[Name, Cluster] = {}
    """Size classes of clusters; the rest of the cells travels alone."""
    phenotypes: dict[Name, Phenotype] = {}
    """Variants of the seed; none: all cells are alike."""


class Multiplier(_Part):
    """The plain knobs of an organ: each multiplies the odds of one gate; 1 is neutral."""

    invasion: NonNegative = 1.0
    """Multiplies the odds of leaving a tumour here."""
    intravasation: NonNegative = 1.0
    """Multiplies the odds of entering a vessel here."""
    arrest: NonNegative = 1.0
    """Multiplies the odds of arrest in this organ's capillary bed."""
    extravasation: NonNegative = 1.0
    """Multiplies the odds of crossing the vessel wall into this organ."""
    colonization: NonNegative = 1.0
    """Multiplies the odds of founding a colony in this organ."""


class Soil(_Part):
    """An organ: its soil, its place on the body, its clinical thresholds."""

    label: str = ""
    """Name on figures; empty: the key."""
    site: Literal["primary", "regional", "distant"] = "distant"
    """How the clinic counts a metastasis here; `primary` marks a local one."""
    position: Annotated[tuple[Real, Real], Field(strict=False)] = (0.0, 0.5)
    """Place on the body outline: x from the midline (patient's left is positive), y from the
    feet (0) to the crown (1), in body heights."""
    basement_membrane: Level = 0.0
    """Basement membrane that proteolysis digests."""
    endothelial_barrier: Level = 0.0
    """Tightness of the vessel wall (blood-brain barrier: 1)."""
    hypoxia: Level = 0.0
    """Lack of oxygen."""
    oxidants: Level = 0.0
    """Oxidative stress on arriving cells."""
    immune_surveillance: Level = 0.0
    """Immune cells that clear arriving cells."""
    niche: Level = 0.0
    """Growth factors that help arriving cells to colonize."""
    ligands: dict[Name, Level] = {}
    """Levels of chemoattractants and adhesion molecules."""
    multiplier: Multiplier = Multiplier()
    growth_factor: NonNegative = 1.0
    """Multiplies the growth rate rho of colonies here."""
    turnover_factor: NonNegative = 1.0
    """Multiplies the turnover of colonies here."""
    capacity_cells: Cells | None = None
    """Carrying capacity K of a colony here; unset: growth.capacity_cells."""
    dormancy_factor: NonNegative = 1.0
    """Multiplies the rate at which disseminated tumour cells here fall dormant."""
    reawakening_factor: NonNegative = 1.0
    """Multiplies the rate at which dormant cells here reawaken."""
    lymph_fraction: Fraction = 0.0
    """Share of the cells leaving this organ that enter lymph; the rest enter blood."""
    detection_cells: Cells = 5e8
    """A metastasis of this size is seen by imaging."""
    lethal_cells: Cells | None = None
    """Burden of the organ that kills; unset: only the total burden does."""


class Growth(_Part):
    """Growth of a colony (MODEL section 4)."""

    law: Literal["exponential", "logistic", "gompertz", "power"]
    """g(N): rho | rho (1-N/K) | rho ln(K/N) | rho N^(p-1)."""
    rho_per_day: PerDay
    """rho (for the power law in cells^(1-p) per day)."""
    turnover_per_day: PerDay
    """d: death rate of each cell; the division rate is max(0, d + g(N))."""
    capacity_cells: Cells = 3.1e12
    """K, the vascularised carrying capacity."""
    power_exponent: Annotated[float, _number("", ge=0, le=2)] = 1.0
    """p of the power law."""


class Angiogenesis(_Part):
    """The angiogenic switch. Without it (per_day unset) every colony is vascularised at once."""

    avascular_cells: Cells = 1e6
    """Size at which a colony without vessels stops growing."""
    onset_cells: Cells = 5e5
    """Size from which a colony may switch."""
    per_day: PerDay | None = None
    """Rate of the switch; unset: colonies are vascularised from their founding."""


class Primary(_Part):
    """The primary tumour on day 0."""

    organ: Name = "breast"
    """Organ it grows in."""
    initial_cells: CellCount
    """Cells on day 0; it counts as vascularised if this exceeds angiogenesis.onset_cells."""


class Clinic(_Part):
    """The clinical course."""

    cells_per_cm3: Positive = 1e9
    """Cells per cubic centimetre of tumour: turns diameters into cells."""
    diagnosis_diameter_mm: Millimetres | None = None
    """The primary is diagnosed at this diameter; unset: never."""
    lethal_cells: Cells | None = None
    """Total burden of metastases and primary that kills; unset: nobody dies of it."""


class Surgery(_Part):
    """Removal of all but a residual fraction of one organ's cells."""

    kind: Literal["surgery"]
    """What is done."""
    organ: Name
    """Organ whose tumour cells are removed."""
    start: Literal["diagnosis"] | Annotated[float, _number("days", ge=0)]
    """The day, or the event that it follows."""
    delay_days: Annotated[float, _number("days", ge=0)] = 0.0
    """Days from `start`."""
    residual_fraction: Fraction = 0.0
    """Each cell is left behind with this probability."""


class Lognormal(_Part):
    """exp of a normal: `median` and `sigma` of the log, kept within [low, high]."""

    median: Positive
    """Median, in the unit of the key."""
    sigma: NonNegative
    """Standard deviation of the natural logarithm."""
    low: Real | None = None
    """Smallest value."""
    high: Real | None = None
    """Largest value."""


class Normal(_Part):
    """Normal, kept within [low, high] (a truncated normal)."""

    mean: Real
    """Mean before truncation, in the unit of the key."""
    sd: NonNegative
    """Standard deviation before truncation."""
    low: Real | None = None
    """Smallest value."""
    high: Real | None = None
    """Largest value."""


class Uniform(_Part):
    """Uniform between low and high."""

    low: Real
    """Smallest value, in the unit of the key."""
    high: Real
    """Largest value."""


class Choice(_Part):
    """One of `values`, with `weights` (equal if unset)."""

    values: list[Real]
    """Values, in the unit of the key."""
    weights: list[NonNegative] | None = None
    """Relative frequencies, one per value; unset: all alike."""


class Distribution(_Part):
    """How a parameter differs between patients: exactly one of the four."""

    lognormal: Lognormal | None = None
    """Log-normal, for positive quantities."""
    normal: Normal | None = None
    """Normal, truncated to [low, high]."""
    uniform: Uniform | None = None
    """Uniform."""
    choice: Choice | None = None
    """One of several values."""


class Scenario(_Part):
    """A fully explicit scenario: everything a run needs.

    Load one with `metasim.load`; change values with `replace`.
    """

    title: str = ""
    """One line for tables and figures."""
    organs: Name | None = None
    """Catalogue entry of the organ graph that `soil` and `vessels` start from."""
    run: Run
    """How many patients, how long, in which steps."""
    seed: Seed
    """The cancer cell."""
    pairs: dict[Name, Pair] = {}
    """Ligand-receptor pairs."""
    gates: Gates
    """Odds of passing each stage."""
    rates: Rates
    """Pace of each stage."""
    circulation: Circulation
    """The hazards of the blood."""
    growth: Growth
    """Growth of a colony."""
    angiogenesis: Angiogenesis = Angiogenesis()
    """The angiogenic switch."""
    primary: Primary
    """The primary tumour on day 0."""
    clinic: Clinic = Clinic()
    """The clinical course."""
    soil: dict[Name, Soil]
    """The organs, in the order of tables and figures."""
    vessels: dict[Literal["blood", "lymph"], dict[Name, dict[Name, Fraction]]]
    """vessels.ROUTE.FROM.TO = share of FROM's outflow by this route. Names that are not organs are
    junctions without a capillary bed (arteries, veins)."""
    patients: dict[str, Distribution] = {}
    """Key path -> distribution, drawn once per patient."""
    treatment: Annotated[tuple[Surgery, ...], Field(strict=False)] = ()
    """Treatments, in the order given."""

    _origins: dict[str, Origin] = PrivateAttr(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Whether all values are equal; where they came from does not matter."""
        if not isinstance(other, Scenario):
            return NotImplemented
        return self.model_dump() == other.model_dump()

    __hash__ = None  # type: ignore[assignment]

    def replace(self, changes: Mapping[str, object]) -> Self:
        """This scenario with other values.

        Args:
            changes: key path -> value, such as `{"soil.bone.niche": 0.9}`. A table is merged into
                the one that stands there; None or "none" takes a value away; `organs` and
                `seed.subtype` bring in the catalogue entry they name. Later ones win.

        Raises:
            ScenarioError: with all mistakes at once.
        """
        from metasim.scenario.load import replace  # the loader needs this model

        return replace(self, changes)


GATE_NAMES = tuple(gate.value for gate in Gate)
