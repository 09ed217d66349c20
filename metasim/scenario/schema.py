"""The scenario: what is asked. Frozen pydantic models; units and a description on every field.

Keys are addressed by dotted paths (``soil.bone.niche``). Units stand in the key's name
(``_per_day``, ``_days``, ``_cells``, ``_fraction``, ``_mm``); a probability, odds, level or factor
is dimensionless. The models check types and ranges of single values; what concerns several keys
at once is in `metasim.scenario.checks`.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PrivateAttr

from metasim.scenario.biology import (
    Angiogenesis,
    Circulation,
    Gates,
    Growth,
    Pair,
    Rates,
    Seed,
    Soil,
)
from metasim.scenario.catalogue import Catalogue
from metasim.scenario.fields import (
    DRAWN,
    FIXED,
    PASSAGE,
    CellCount,
    Cells,
    Correlation,
    EntryName,
    Fraction,
    Millimetres,
    Name,
    Part,
    Period,
    Positive,
    Real,
    Varies,
    Whole,
    Years,
    number,
)
from metasim.scenario.origin import Origin
from metasim.scenario.treatment import Treatment
from metasim.terms import MACRO_CELLS, MICRO_CELLS


class Run(Part):
    """How many patients, how long, in which steps, by which engine."""

    patients: Annotated[Whole, number("", ge=1, le=100_000_000)] = 100
    """Number of virtual patients."""
    years: Years = 15.0
    """Years each patient is followed, counted from `follow_from`."""
    follow_from: Literal["start", "diagnosis"] = "start"
    """Where `years` starts: day 0 of the simulation, or each patient's diagnosis."""
    undiagnosed_years: Annotated[float, number("years", gt=0, le=1000)] = 40.0
    """With follow_from = "diagnosis": a patient not diagnosed by then ends there, undiagnosed."""
    dt_days: Annotated[float, number("days", ge=1e-9, le=1e7)] = 7.0
    """Length of a time step."""
    small_cells: Annotated[float | None, number("cells", gt=0, le=1e15)] = None
    """A colony of fewer cells lives only on every `small_steps`-th step, then for all the days
    since it last lived: quicker, and hardly another law; unset: all live on every step."""
    small_steps: Annotated[Whole, number("", ge=1, le=1000)] = 1
    """Steps that a colony of fewer than `small_cells` cells lives at once."""
    engine: Literal["colonies", "cells"] = "colonies"
    """Who draws: groups of identical cells (fast, any size), or every cell as an agent."""
    rng_seed: Annotated[Whole, number("", ge=0, lt=2**63)] = 1
    """Seed of the random numbers (not the cancer cell)."""
    record: Literal["summary", "patients", "metastases", "everything"] | None = None
    """What is written; unset: everything up to 1,000 patients, then metastases."""
    record_every_days: Period = 182.625
    """Interval between recorded days of counts.parquet and stages.parquet."""
    max_cells: Annotated[Whole, number("cells", ge=1, le=10_000_000)] = 200_000
    """Cell engine: more agents than this end the run with a message."""
    max_colonies: Annotated[Whole, number("", ge=1, le=10_000_000)] = 100_000
    """Colony engine: more colonies than this in one patient end the run with a message."""


class Primary(Part):
    """The primary tumour on day 0."""

    varies: ClassVar[Varies] = DRAWN

    organ: Name = "breast"
    """Organ it grows in."""
    initial_cells: CellCount
    """Cells on day 0; it counts as vascularised if this exceeds angiogenesis.onset_cells."""


class Clinic(Part):
    """The clinical course."""

    varies: ClassVar[Varies] = DRAWN

    cells_per_cm3: Positive = 1e9
    """Cells per cubic centimetre of tumour: turns diameters into cells."""
    diagnosis_diameter_mm: Millimetres | None = None
    """The primary is diagnosed at this diameter; unset: at none."""
    symptom_per_day_per_cm3: Annotated[float, number("1/day/cm3", ge=0, le=1e6)] | None = None
    """Hazard of symptoms per volume of the primary; they lead to diagnosis; unset: none."""
    screening_interval_days: Period | None = None
    """Interval of screening visits, the first at a random day within it; unset: no screening."""
    screening_from_years: Annotated[float, number("years", ge=0, le=130)] | None = None
    """Age from which women are screened; unset: from day 0 on."""
    screening_to_years: Annotated[float, number("years", ge=0, le=130)] | None = None
    """Age up to which women are screened; unset: to the end."""
    screening_half_mm: Millimetres = 10.0
    """Diameter of a primary that a screening visit finds with probability 1/2."""
    screening_slope: Annotated[float, number("", gt=0, le=30)] = 3.0
    """Slope of the log-odds of being found with the log of the diameter."""
    follow_up_days: Period | None = None
    """Interval of visits from diagnosis on, at which metastases and progression are seen; unset:
    they are seen on the day."""
    restaging: Annotated[bool, FIXED] = False
    """Whether diagnosis, a relapse found on a visit, and symptoms of organs lead to imaging of all
    organs on that day, and symptoms before diagnosis to the diagnosis."""
    lethal_cells: Cells | None = None
    """Total burden of metastases and primary that kills; unset: nobody dies of it."""
    micro_cells: Annotated[Cells, FIXED] = float(MICRO_CELLS)
    """A colony of at least this many cells is a micrometastasis; below, isolated tumour cells."""
    macro_cells: Annotated[Cells, FIXED] = float(MACRO_CELLS)
    """A colony above this many cells is a macrometastasis (2 mm in diameter at 1e9 cells/cm3)."""
    pathology_cells: Annotated[Cells | None, FIXED] = None
    """Smallest metastasis that pathology finds in a lymph node, which is then positive; unset:
    micro_cells."""
    age_years: Annotated[float, number("years", ge=0, le=130)] | None = None
    """Age on day 0."""
    other_death_per_year: Annotated[float, number("1/year", ge=0, le=1000)] | None = None
    """Hazard of death from other causes extrapolated to age 0 (Gompertz); unset: none."""
    other_death_growth_per_year: Annotated[float, number("1/year", gt=0, le=100)] = 0.1
    """Growth of that hazard with age: hazard(age) = other_death_per_year * exp(this * age)."""


class Tests(Part):
    """Tests of blood, plasma and marrow at diagnosis, before surgery acts; they change nothing."""

    varies: ClassVar[Varies] = DRAWN

    blood_ml: Annotated[float | None, number("mL", gt=0, le=10_000), FIXED] = None
    """Blood sample in which circulating tumour cells are counted; unset: none is taken."""
    ctc_recovery_fraction: Fraction = 0.8
    """Share of the tumour cells of a blood sample that the assay finds; assumed."""
    blood_litres: Annotated[float, number("L", ge=0.001, le=1000)] = 4.0
    """Volume of all blood; assumed."""
    bed_transit_days: Annotated[float, number("days", gt=0, le=1000)] = 0.35 / 1440
    """Time that blood takes from one bed to the next; assumed: two beds in 0.7 minutes."""
    aspirate_fraction: Annotated[
        float | None, Field(gt=0, le=1, json_schema_extra={"unit": ""}), FIXED
    ] = None
    """Share of the disseminated tumour cells of the marrow that an aspirate holds; unset: none is
    taken."""
    marrow_organ: Annotated[Name, FIXED] = "bone"
    """Organ that holds the marrow."""
    plasma_ml: Annotated[float | None, number("mL", gt=0, le=10_000), FIXED] = None
    """Plasma sample in which mutant copies of tumour DNA are counted; unset: none is taken."""
    plasma_litres: Annotated[float, number("L", ge=0.001, le=1000)] = 2.4
    """Volume of all plasma; assumed: 60 % of 4 litres of blood."""
    ctdna_recovery_fraction: Fraction = 0.5
    """Share of the mutant copies of a plasma sample that the assay finds; assumed."""
    ctdna_half_life_days: Annotated[float, number("days", gt=0, le=1000)] = 0.5 / 24
    """Half-life of tumour DNA in the plasma; assumed: half an hour."""
    ctdna_copies_per_cell: Annotated[float, number("copies", ge=0, le=1e6)] = 1.0
    """Mutant copies in the genome of a tumour cell that the assay looks for; assumed: one, of one
    variant on one of two chromosomes. A test of many variants finds more."""
    ctdna_released_fraction: Fraction = 1.4e-4
    """Share of the DNA of a cell that dies which reaches the plasma; assumed: as inferred for lung
    cancer with the same half-life (section 14 of docs/model)."""
    on_visits: Annotated[bool, FIXED] = False
    """Whether tests are also made on follow-up visits after the diagnosis."""


Sds = Annotated[float, number("standard deviations", gt=0)]


class Lognormal(Part):
    """exp of a normal: `median` and `sigma` of the log, kept within [low, high].

    An end is a value, or so many `sigma` from the median, so that it moves with both.
    """

    median: Annotated[float, number("", gt=0)]
    """Median, in the unit of the key."""
    sigma: Annotated[float, number("", ge=0)]
    """Standard deviation of the natural logarithm."""
    low: Real | None = None
    """Smallest value."""
    high: Real | None = None
    """Largest value."""
    low_sds: Sds | None = None
    """Instead of `low`: the smallest value is the median times exp(-low_sds sigma)."""
    high_sds: Sds | None = None
    """Instead of `high`: the largest value is the median times exp(high_sds sigma)."""


class Normal(Part):
    """Normal, kept within [low, high] (a truncated normal).

    An end is a value, or so many `sd` from the mean, so that it moves with both.
    """

    mean: Real
    """Mean before truncation, in the unit of the key."""
    sd: Annotated[float, number("", ge=0)]
    """Standard deviation before truncation."""
    low: Real | None = None
    """Smallest value."""
    high: Real | None = None
    """Largest value."""
    low_sds: Sds | None = None
    """Instead of `low`: the smallest value lies so many `sd` below the mean."""
    high_sds: Sds | None = None
    """Instead of `high`: the largest value lies so many `sd` above the mean."""


class Uniform(Part):
    """Uniform between low and high."""

    low: Real
    """Smallest value, in the unit of the key."""
    high: Real
    """Largest value."""


class Choice(Part):
    """One of `values`, with `weights` (equal if unset)."""

    values: list[Real | Name]
    """Values, in the unit of the key; of seed.subtype, names of subtypes."""
    weights: list[Annotated[float, number("", ge=0)]] | None = None
    """Relative frequencies, one per value; unset: all alike. Of subtypes, they sum to 1."""


class Each(Part):
    """A value for each patient, as a table of patients gives it."""

    values: list[Real]
    """Values, in the unit of the key; that of patient 0 first."""


class Draws(Part):
    """Draws of a posterior: a patient has one of them, the same for all keys that are drawn so."""

    weights: list[Annotated[float, number("", ge=0)]]
    """Relative frequencies, one per draw; the same in every key."""
    value: list[Real] | None = None
    """Values of the key itself, in its unit; without one of the distributions beside it."""
    median: list[Real] | None = None
    """Medians of the log-normal beside it, which each patient's value is drawn from."""
    sigma: list[Real] | None = None
    """Standard deviations of the logarithm of that log-normal."""
    mean: list[Real] | None = None
    """Means of the normal beside it."""
    sd: list[Real] | None = None
    """Standard deviations of that normal."""
    low: list[Real] | None = None
    """Smallest values of the distribution beside it."""
    high: list[Real] | None = None
    """Largest values of it."""
    factor_by_subtype: dict[Name, list[Annotated[float, number("", gt=0)]]] | None = None
    """Subtype -> factors by which the values of its patients are multiplied."""


class Spread(Part):
    """How a parameter differs between patients: exactly one of the four."""

    lognormal: Lognormal | None = None
    """Log-normal, for positive quantities."""
    normal: Normal | None = None
    """Normal, truncated to [low, high]."""
    uniform: Uniform | None = None
    """Uniform."""
    choice: Choice | None = None
    """One of several values."""


class Distribution(Spread):
    """How a parameter differs between patients: exactly one of the six, or draws of it."""

    each: Each | None = None
    """Not drawn: a value for each patient."""
    draws: Draws | None = None
    """Draws of a posterior, of the key or of parameters of the distribution beside it."""
    by_subtype: dict[Name, bool | Real | Spread] | None = None
    """What patients of each subtype have: a value, or a distribution (one of the first four)."""
    factor_by_subtype: dict[Name, Annotated[float, number("", gt=0)]] | None = None
    """Factor by which the values that are drawn are multiplied in patients of each subtype; of a
    subtype that is not named, 1."""


_Graphs = dict[Literal["blood", "lymph"], dict[Name, dict[Name, Fraction]]]


class Scenario(Part):
    """A fully explicit scenario: everything a run needs.

    Load one with `metasim.load`; change values with `replace`.

    Example:
        >>> ms.load("luminal_a").replace({"soil.bone.niche": 0.5}).soil["bone"].niche
        0.5
    """

    title: str = ""
    """One line for tables and figures."""
    organs: Name | None = None
    """Catalogue entry of the organ graph that `soil` and `vessels` start from."""
    care: EntryName | None = None
    """Catalogue entry of standard care, whose rules come before the treatments given here."""
    run: Run
    """How many patients, how long, in which steps."""
    seed: Seed
    """The cancer cell."""
    pairs: dict[Name, Pair] = Field(default_factory=dict)
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
    tests: Tests = Tests()
    """Tests of blood, plasma and marrow."""
    soil: dict[Name, Soil]
    """The organs, in the order of tables and figures."""
    vessels: Annotated[
        dict[Literal["blood", "lymph"], dict[Name, dict[Name, Fraction]]], DRAWN, PASSAGE
    ]
    """vessels.ROUTE.FROM.TO = share of FROM's outflow by this route. Names that are not organs are
    junctions without a capillary bed (arteries, veins)."""
    patients: dict[str, Distribution] = Field(default_factory=dict)
    """Key path -> distribution, drawn once per patient. `seed.subtype` mixes subtypes."""
    correlation: dict[str, dict[str, Correlation]] = Field(default_factory=dict)
    """patients.correlation.KEY.KEY = rank correlation (Spearman's) of two keys that are drawn."""
    treatment: Annotated[tuple[Treatment, ...], Field(strict=False)] = ()
    """Treatments: the rules of `care`, then those given here, in their order."""

    _origins: dict[str, Origin] = PrivateAttr(default_factory=dict)
    _catalogue: Catalogue = PrivateAttr(default_factory=Catalogue)

    def __eq__(self, other: object) -> bool:
        """Whether all values are equal; where they came from does not matter."""
        if not isinstance(other, Scenario):
            return NotImplemented
        return self.model_dump() == other.model_dump()

    __hash__ = None  # type: ignore[assignment]

    def replace(self, changes: Mapping[str, object]) -> "Scenario":
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

    def _repr_html_(self) -> str:
        from metasim.scenario.notebook import html  # needs this model

        return html(self)
