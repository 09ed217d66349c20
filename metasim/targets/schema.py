"""A targets file: published figures, the cohorts they speak of, and what may be fitted to them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1)]
Value = bool | int | float | str


class Part(BaseModel):
    """A table of the file: frozen, and nothing in it that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Span(Part):
    """Limits of a number; those given all hold."""

    above: float | None = None
    """More than this."""
    at_least: float | None = None
    """This or more."""
    up_to: float | None = None
    """This or less."""
    below: float | None = None
    """Less than this."""


Condition = Value | list[Value] | Span
"""What a column has to be: a value, one of several values, or within limits."""


class Cohort(Part):
    """The virtual patients that targets speak of."""

    scenario: Text | list[Text] | None = None
    """Scenario file or name; several are pooled, the same number of patients each; unset: the
    scenario that is given beside the file."""
    set: dict[str, Any] = Field(default_factory=dict)
    """Key path -> value, on top of the scenario."""
    where: dict[str, Condition] = Field(default_factory=dict)
    """Who was selected into the published cohort: column of the patients table -> condition."""
    planned: bool = False
    """The scenario need not exist yet: its targets are then reported as not simulated."""
    about: str = ""
    """Whom the publication speaks of."""


class Target(Part):
    """One published figure."""

    id: Text
    """Name of the target, unique in the file."""
    cohort: Text
    """Whose figure it is."""
    quantity: Text
    """How the same figure is computed from a run, see `metasim.targets.quantities`."""
    of: dict[str, Any] = Field(default_factory=dict)
    """Parameters of the quantity: an organ, a time, a share."""
    where: dict[str, Condition] = Field(default_factory=dict)
    """Which patients of the cohort: column of the patients table -> condition."""
    versus: dict[str, Condition] | Text | None = None
    """Of a ratio: the group or the cohort that it is to."""
    value: float
    """The published figure, in the unit of the quantity."""
    low: float | None = None
    """Lower end of its 95 % interval."""
    high: float | None = None
    """Upper end."""
    events: Annotated[float, Field(ge=0)] | None = None
    """How many patients or events it counts."""
    total: Annotated[float, Field(gt=0)] | None = None
    """Of how many patients, or in how many person-years."""
    topic: str = ""
    """Heading in the scorecard."""
    label: str = ""
    """Short name in the scorecard and in figures."""
    source: str = ""
    """Where it was published."""
    read: str = ""
    """How it was read: in the article, quoted elsewhere, derived."""
    use: Literal["fit", "check"] = "fit"
    """Whether a fit may see it, or it is held back to judge the fit."""
    curve: str = ""
    """Targets of one curve are drawn together."""
    x: float | None = None
    """Place on that curve."""


class Free(Part):
    """What is known of a free key before the targets are seen."""

    low: float
    """Smallest value."""
    high: float
    """Largest value."""
    scale: Literal["linear", "log"] = "linear"
    """Scale on which the prior is even (or normal)."""
    centre: float | None = None
    """With `sd`: the prior is a normal on its scale with this centre, cut off at low and high."""
    sd: Annotated[float, Field(gt=0)] | None = None
    """Standard deviation on that scale (of the natural logarithm if the scale is log)."""
    also: list[Text] = Field(default_factory=list)
    """Further key paths that always have the same value, such as the spread of another organ."""
    ratio_to: Text | None = None
    """Another free key: low, high, centre and sd are then of the ratio of this key to that one."""
    note: str = ""
    """What the prior is known from."""


class Fit(Part):
    """What may be fitted."""

    free: dict[str, Free] = Field(default_factory=dict)
    """Key path -> prior. "COHORT:KEY" frees a key in the scenarios of one cohort only."""
    scenario: Text | None = None
    """Scenario whose values are fitted, unless the command names one: best.toml extends it."""
    further: dict[Text, list[Text]] = Field(default_factory=dict)
    """Another targets file, or the name of a shipped one -> ids of targets there that a fit sees
    too; `*` stands for any text."""
    patients: Annotated[int, Field(ge=1)] | None = None
    """Patients of each scenario and point, unless the command says otherwise; unset: 2,000."""
    sizes: dict[Text, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Cohort -> its patients beside `patients`; unset: 1."""
    draws: Annotated[int, Field(ge=0)] | None = None
    """Draws of the posterior, unless the command says otherwise; unset: 500."""


class TargetsFile(Part):
    """A targets file as it is written."""

    title: str = ""
    """One line for reports."""
    cohorts: dict[Text, Cohort] = Field(default_factory=dict)
    """The cohorts, by name."""
    targets: list[Target] = Field(default_factory=list)
    """The published figures."""
    fit: Fit = Fit()
    """What may be fitted to them."""
