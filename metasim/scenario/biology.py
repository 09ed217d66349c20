"""The biology of a scenario: seed, soil, gates, rates and growth (sections 2 to 4 of docs/model).

What names soil factors is built from their table (`metasim.law.factors`), what names growth laws
from theirs (`metasim.law.growth`): type checkers see plain text and tables without those keys.
"""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, create_model

from metasim.law.factors import FACTORS, Meeting
from metasim.law.growth import LAWS
from metasim.scenario.fields import (
    CHANGED,
    DRAWN,
    FIXED,
    OTHER,
    PASSAGE,
    Cells,
    Concerns,
    Coordinate,
    Fraction,
    Level,
    Name,
    NonNegative,
    Odds,
    Part,
    PerDay,
    Positive,
    Probability,
    SignedPerDay,
    Varies,
    Weight,
    Whole,
    number,
)


def _with_levels(base: type[Part], levels: dict[str, tuple[Any, Any, str]]) -> type[Part]:
    """A table with further keys: name -> type, default, description."""
    fields: dict[str, Any] = {
        name: (hint, Field(default=default, description=description))
        for name, (hint, default, description) in levels.items()
    }
    made: type[Part] = create_model(base.__name__, __base__=base, __module__=__name__, **fields)
    return made


_ANSWERED = [factor for factor in FACTORS if factor.meeting is not Meeting.PAIRS]

if TYPE_CHECKING:
    FactorName: TypeAlias = str
    PairFactorName: TypeAlias = str
    GrowthLawName: TypeAlias = str
else:
    FactorName = Literal[tuple(factor.name for factor in FACTORS)]
    PairFactorName = Literal[tuple(f.name for f in FACTORS if f.meeting is Meeting.PAIRS)]
    GrowthLawName = Literal[tuple(law.name for law in LAWS)]


class Pair(Part):
    """A ligand of the soil that a receptor of the seed answers."""

    entry: Name | None = None
    """Pair of the catalogue that these values start from."""
    ligand: Name
    """Ligand, a key of soil.ORGAN.ligands."""
    receptor: Name
    """Receptor, a key of seed.receptors."""
    factor: PairFactorName
    """The factor to which level(ligand) * level(receptor) adds."""


class GateOdds(Part):
    """One gate: base odds and the weight of each soil factor on the log-odds (0: no effect)."""

    varies: ClassVar[Varies] = CHANGED
    concerns: ClassVar[Concerns] = PASSAGE

    base_odds: Odds
    """Odds of passing where all factors are 0 and the multiplier is 1."""
    weights: dict[FactorName, Weight] = Field(default_factory=dict)
    """Change of log-odds per unit of each soil factor."""


class Gates(Part):
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


class Rates(Part):
    """When cells move: exit rates of the stages (whether they advance is the gates')."""

    varies: ClassVar[Varies] = CHANGED
    concerns: ClassVar[Concerns] = PASSAGE

    invasion_per_day: Annotated[PerDay, OTHER]
    """Rate at which a cell of a colony of `invasion_reference_cells` tries to cross its border."""
    invasion_reference_cells: Annotated[Cells, OTHER] = 1e9
    """Colony size N_ref at which `invasion_per_day` holds."""
    border_exponent: Annotated[float, number("", ge=0, le=2), OTHER] = 2 / 3
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


class Circulation(Part):
    """What happens between two beds."""

    varies: ClassVar[Varies] = CHANGED
    concerns: ClassVar[Concerns] = PASSAGE

    death_prob_per_pass: Probability
    """Probability that a single circulating cell is destroyed at each bed it meets (q)."""


class Cluster(Part):
    """A size class of circulating clusters."""

    varies: ClassVar[Varies] = CHANGED
    concerns: ClassVar[Concerns] = PASSAGE

    size_cells: Annotated[Whole, number("cells", ge=2, le=10_000), FIXED]
    """Cells per cluster."""
    share_fraction: Fraction
    """Share of the invading cells that leave in clusters of this class."""
    death_prob_per_pass: Probability
    """Probability that the whole cluster is destroyed at each bed it meets."""
    arrest_odds_factor: Positive = 1.0
    """Multiplies the odds of arrest of a single cell."""


class Traits(Part):
    """Properties of the cancer cell that meet the soil's; all are levels in [0, 1]."""


if not TYPE_CHECKING:
    Traits = _with_levels(Traits, {f.trait: (Level, f.trait_default, f.answer) for f in _ANSWERED})


class Variant(Part):
    """What comes first in a phenotype."""

    initial_fraction: Annotated[Fraction, DRAWN, OTHER] = 0.0
    """Share of the primary's first cells."""
    receptors: dict[Name, Level] = Field(default_factory=dict)
    """Receptor levels that differ from the seed's."""


if not TYPE_CHECKING:
    Variant = _with_levels(
        Variant,
        {
            f.trait: (Level | None, None, f"As seed.{f.trait}; unset: the seed's.")
            for f in _ANSWERED
        },
    )


class Phenotype(Variant):
    """A heritable variant of the seed; what is not given is the seed's own value."""

    varies: ClassVar[Varies] = CHANGED
    concerns: ClassVar[Concerns] = PASSAGE

    growth_factor: Annotated[NonNegative, OTHER] = 1.0
    """Multiplies the growth rate rho."""
    turnover_factor: Annotated[NonNegative, OTHER] = 1.0
    """Multiplies the turnover (death rate)."""
    resistance: Annotated[dict[Name, Level], FIXED] = Field(default_factory=dict)
    """Drug -> share of its effect that this phenotype is spared."""
    becomes: Annotated[dict[Name, Probability], OTHER] = Field(default_factory=dict)
    """Probability per division that a daughter is of the named phenotype (EMT, MET ...)."""


class Seed(Traits):
    """The cancer cell."""

    varies: ClassVar[Varies] = CHANGED
    concerns: ClassVar[Concerns] = PASSAGE

    subtype: Name | None = None
    """Catalogue entry these values start from; mixed if patients draw it."""
    er_positive: bool | None = None
    """Whether the tumour has oestrogen receptors (ER); unset: unknown."""
    her2_positive: bool | None = None
    """Whether the tumour overexpresses HER2; unset: unknown."""
    receptors: dict[Name, Level] = Field(default_factory=dict)
    """Receptor levels."""
    clusters: dict[Name, Cluster] = Field(default_factory=dict)
    """Size classes of clusters; the rest of the cells travels alone."""
    phenotypes: dict[Name, Phenotype] = Field(default_factory=dict)
    """Variants of the seed; none: all cells are alike."""


class Multiplier(Part):
    """The plain knobs of an organ: each multiplies the odds of one gate; 1 is neutral."""

    varies: ClassVar[Varies] = CHANGED
    concerns: ClassVar[Concerns] = PASSAGE

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


class Place(Part):
    """What comes first in an organ: how it is called, and where it lies."""

    label: str = ""
    """Name on figures; empty: the key."""
    site: Literal["primary", "regional", "distant"] = "distant"
    """How the clinic counts a metastasis here; `primary` marks a local one."""
    position: Annotated[tuple[Coordinate, Coordinate], Field(strict=False), FIXED] = (0.0, 0.5)
    """Place on the body outline: x from the midline (patient's left is positive), y from the
    feet (0) to the crown (1), in body heights."""


if not TYPE_CHECKING:
    Place = _with_levels(Place, {f.name: (Level, 0.0, f.soil) for f in _ANSWERED})


class Soil(Place):
    """An organ: its soil, its place on the body, its clinical thresholds."""

    varies: ClassVar[Varies] = CHANGED
    concerns: ClassVar[Concerns] = PASSAGE

    entry: Name | None = None
    """Soil of the catalogue that these values start from."""
    takes_from: Name | None = None
    """Organ whose inflow this one takes a share of, by every route; where `vessels` says nothing of
    its outflow, it drains as that organ does. Reading a file works this into `vessels`."""
    taken_fraction: Annotated[Fraction | None, FIXED] = None
    """The share that it takes of what `takes_from` would get."""
    ligands: dict[Name, Level] = Field(default_factory=dict)
    """Levels of chemoattractants and adhesion molecules."""
    multiplier: Multiplier = Multiplier()
    growth_factor: Annotated[NonNegative, OTHER] = 1.0
    """Multiplies the growth rate rho of colonies here."""
    turnover_factor: Annotated[NonNegative, OTHER] = 1.0
    """Multiplies the turnover of colonies here."""
    capacity_cells: Annotated[Cells | None, OTHER] = None
    """Carrying capacity K of a colony here; unset: growth.capacity_cells."""
    dormancy_factor: NonNegative = 1.0
    """Multiplies the rate at which disseminated tumour cells here fall dormant."""
    reawakening_factor: NonNegative = 1.0
    """Multiplies the rate at which dormant cells here reawaken."""
    lymph_fraction: Fraction = 0.0
    """Share of the cells leaving this organ that enter lymph; the rest enter blood."""
    nodes: Annotated[Whole | None, number("", ge=1, le=200), FIXED] = None
    """Lymph nodes, one behind the other, of a regional organ; unset: they are not told apart, and
    each colony stands for a node."""
    node_pass_prob: Annotated[float | None, number("", ge=0, lt=1), DRAWN, OTHER] = None
    """Probability that a node passes the founder of a colony on to the next one."""
    node_cells: Annotated[Cells | None, DRAWN, OTHER] = None
    """A node with this burden is full and passes every founder on; unset: never full."""
    detection_cells: Annotated[Cells, DRAWN, OTHER] = 5e8
    """A metastasis of this size is seen by imaging."""
    restaging_cells: Annotated[Cells | None, DRAWN, OTHER] = None
    """A metastasis of this size is seen by the imaging of clinic.restaging; unset:
    detection_cells."""
    symptoms: Annotated[dict[Name, Cells], DRAWN, OTHER] = Field(default_factory=dict)
    """Symptom -> burden of the organ from which it is felt."""
    lethal_cells: Annotated[Cells | None, DRAWN, OTHER] = None
    """Burden of the organ that kills; unset: only the total burden does."""


class Growth(Part):
    """Growth of a colony (section 4 of docs/model)."""

    varies: ClassVar[Varies] = CHANGED

    law: GrowthLawName = Field(description=f"g(N): {' | '.join(law.formula for law in LAWS)}.")
    rho_per_day: SignedPerDay
    """rho (for the power law in cells^(1-p) per day); negative for the exponential law only: a
    colony in decline."""
    turnover_per_day: PerDay
    """d: death rate of each cell; the division rate is max(0, d + g(N))."""
    capacity_cells: Cells = 3.1e12
    """K, the vascularised carrying capacity."""
    power_exponent: Annotated[float, number("", ge=0, le=2)] = 1.0
    """p of the power law."""


class Angiogenesis(Part):
    """The angiogenic switch. Without it (per_day unset) every colony is vascularised at once."""

    varies: ClassVar[Varies] = CHANGED

    avascular_cells: Cells = 1e6
    """Size at which a colony without vessels stops growing."""
    onset_cells: Cells = 5e5
    """Size from which a colony may switch."""
    per_day: PerDay | None = None
    """Rate of the switch; unset: colonies are vascularised from their founding."""
