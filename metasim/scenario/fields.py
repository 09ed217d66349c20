"""What a scenario is made of: numbers with unit and limits, names, tables."""

from enum import IntEnum
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

REMOVED: Final = "none"
"""A value that takes away what earlier layers say of a key."""


class Varies(IntEnum):
    """What a key's number may do; a key is declared so where it stands in the schema.

    A table declares it for its keys (`varies`), a field for itself (`Annotated[..., DRAWN]`), which
    wins. What declares nothing is `FIXED`: a new key may neither be drawn nor changed until it says
    so, and `metasim.parameters` refuses what says so and is read by nothing.
    """

    FIXED = 0
    """It is the same for every patient."""
    DRAWN = 1
    """It may differ between patients (`[patients]`)."""
    CHANGED = 2
    """It may differ between patients, and a treatment may change it."""


FIXED, DRAWN, CHANGED = Varies


class Concerns(IntEnum):
    """What a key's number is about; declared as `Varies` is."""

    OTHER = 0
    """Anything else: growth, the clinic, the run."""
    PASSAGE = 1
    """How units pass from colony to colony. Where it differs between patients, so do the tables of
    `metasim.parameters.passage`, by far the largest of the law."""


OTHER, PASSAGE = Concerns


class Part(BaseModel):
    """A frozen table of the scenario: strict types, no unknown keys, finite numbers."""

    varies: ClassVar[Varies] = FIXED
    concerns: ClassVar[Concerns] = OTHER
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def number(unit: str, **limits: float) -> Any:
    """A field that holds a number in a unit, within limits (ge, gt, le, lt)."""
    return Field(json_schema_extra={"unit": unit}, **limits)  # type: ignore[call-overload]


def _whole(value: object) -> object:
    """A float without a fraction as the whole number that it is: `patients = 1e3`."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
Level = Annotated[float, number("", ge=0, le=1)]
Probability = Annotated[float, number("", ge=0, le=1)]
Fraction = Annotated[float, number("", ge=0, le=1)]
# far above what anything real needs, far below what would overflow when keys are multiplied
NonNegative = Annotated[float, number("", ge=0, le=1e12)]
Positive = Annotated[float, number("", gt=0, le=1e12)]
Odds = Annotated[float, number("", ge=0, le=1e20)]
Weight = Annotated[float, number("", ge=-1000, le=1000)]
Coordinate = Annotated[float, number("", ge=-10, le=10)]
Correlation = Annotated[float, number("", ge=-1, le=1)]
Real = Annotated[float, number("")]
PerDay = Annotated[float, number("1/day", ge=0, le=1e6)]
SignedPerDay = Annotated[float, number("1/day", ge=-1e6, le=1e6)]
Days = Annotated[float, number("days", gt=0, le=1e7)]
Period = Annotated[float, number("days", ge=0.01, le=1e7)]
Years = Annotated[float, number("years", gt=0, le=1e9)]
Cells = Annotated[float, number("cells", ge=1, le=1e13)]
CellCount = Annotated[Whole, number("cells", ge=1, le=10_000_000_000_000)]
Millimetres = Annotated[float, number("mm", gt=0, le=1000)]
EntryName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]*$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_\-]*$")]
