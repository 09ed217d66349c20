"""The table of quantities."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from metasim.targets.quantities.estimate import Estimate


class Parameters(BaseModel):
    """Parameters of a quantity; what a target gives in `of`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True)
class Quantity:
    """How a figure is computed from patients.

    Attributes:
        name: what a target calls it.
        unit: unit of its values.
        compute: (sample, parameters) -> estimate; of a ratio (sample, other sample, parameters).
        parameters: model of its parameters.
        is_ratio: it compares two samples.
        positive: its values are never below 0.
        along: name of the parameter that a curve runs along; empty: none.
    """

    name: str
    unit: str
    compute: Callable[..., Estimate]
    parameters: type[Parameters]
    is_ratio: bool = False
    positive: bool = True
    along: str = ""

    @property
    def meaning(self) -> str:
        """First line of the function's docstring."""
        return (self.compute.__doc__ or "").partition("\n")[0]

    def of(self, given: dict[str, Any]) -> Parameters:
        """Its parameters, checked."""
        return self.parameters.model_validate(given)


QUANTITIES: Final[dict[str, Quantity]] = {}
"""All quantities by name."""


def quantity(
    name: str,
    unit: str,
    parameters: type[Parameters] = Parameters,
    *,
    is_ratio: bool = False,
    positive: bool = True,
    along: str = "",
) -> Callable[[Callable[..., Estimate]], Callable[..., Estimate]]:
    """Register a function as a quantity; arguments as the attributes of `Quantity`."""

    def register(compute: Callable[..., Estimate]) -> Callable[..., Estimate]:
        QUANTITIES[name] = Quantity(name, unit, compute, parameters, is_ratio, positive, along)
        return compute

    return register
