"""One patient of a scenario as a cell model to step through."""

from typing import TYPE_CHECKING, Any

from metasim.checked import checked, keywords
from metasim.errors import OptionError
from metasim.parameters.course import course_of
from metasim.parameters.rates import law_of
from metasim.runner import streams
from metasim.scenario.draws import draw_parameters
from metasim.scenario.schema import Scenario

if TYPE_CHECKING:
    from metasim.engines.cells import CascadeModel


def model_options() -> set[str]:
    """Names of what `metasim.CascadeModel` may be given beside the patient."""
    from metasim.engines.cells import CascadeModel

    return keywords(CascadeModel) - {"law", "course", "organs", "phenotypes", "rng"}


@checked(model_options)
def model_of(scenario: Scenario, patient: int = 0, **options: Any) -> "CascadeModel":
    """The Mesa model of one of a scenario's patients, the same cells that a run would draw.

    Args:
        scenario: from `metasim.load`.
        patient: number of the patient, from 0.
        **options: for `metasim.engines.cells.CascadeModel`: `cell_class`, `history` ...

    Raises:
        LimitError: the primary has more than `run.max_cells` cells.
        OptionError: there is no such patient.

    Example:
        >>> model = ms.model_of(ms.load("few_cells"))
        >>> model.step()
        >>> bool(model.census().sum() > 0)  # cells by stage and organ
        True
    """
    from metasim.engines.cells import CascadeModel

    if not 0 <= patient < scenario.run.patients:
        raise OptionError(
            f"patient {patient}: the run has patients 0 to {scenario.run.patients - 1}"
        )
    drawn = draw_parameters(scenario, patient, 1)
    return CascadeModel(
        law_of(scenario, drawn).patient(0),
        course_of(scenario, drawn, patient).patient(0),
        tuple(scenario.soil),
        tuple(scenario.seed.phenotypes) or ("tumour",),
        streams.generator(scenario.run.rng_seed, patient, streams.COURSE),
        **{"max_cells": scenario.run.max_cells, **options},
    )
