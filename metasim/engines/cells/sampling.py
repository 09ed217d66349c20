"""Tests of blood, plasma and marrow in the cell engine: what they are expected to find.

What tests look for is on its way for minutes, or lies where nobody counts it one by one; so the
expectation of the law stands for it here, too.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from metasim.law.growth import border_rate
from metasim.law.sampling import circulating, disseminated, sleepers, tumour_dna
from metasim.terms import Event

if TYPE_CHECKING:
    from metasim.engines.cells.cascade import Cascade
    from metasim.engines.cells.cell import Colony


def add_inflow(model: "Cascade", colony: "Colony", size: int) -> None:
    """Cells of a colony, of this size when the step began, that cross into the marrow per day."""
    crossings = model.law.marrow_crossings
    crossings = np.broadcast_to(crossings, model.law.rho.shape)[colony.organ]
    model.inflow += _cells_of(colony) * _leaving_per_day(model, size) * crossings


def close_inflow(model: "Cascade") -> None:
    """The step is over: some of what came in fell asleep."""
    law, days = model.law, model.course.dt_days
    fate = law.marrow_sleeps[0], law.marrow_leaves_per_day[0]
    for k, inflow in enumerate(model.inflow):
        model.asleep[k] = sleepers(model.asleep[k], inflow, *fate, days)


def thin_marrow(model: "Cascade", survival: Any) -> None:
    """What a treatment leaves of the dormant cells, by its (O, K) survival."""
    if model.course.marrow_organ >= 0:
        model.asleep *= survival[model.course.marrow_organ]


def make_tests(model: "Cascade", diagnosis_day: float) -> None:
    """Tests at diagnosis and, where asked for, on visits after it."""
    course, day = model.course, model.ledger.day
    later = course.tests_on_visits and model.visit and day > diagnosis_day
    if not (day == diagnosis_day or later):
        return
    if course.blood_tested:
        model.ledger.note(Event.CTC, value=_in_blood(model))
    if course.marrow_organ >= 0:
        model.ledger.note(Event.DTC, course.marrow_organ, value=_in_marrow(model))
    if course.plasma_tested:
        model.ledger.note(Event.CTDNA, value=_in_plasma(model))


def _in_blood(model: "Cascade") -> float:
    beds = np.broadcast_to(model.law.circulating_beds, model.law.rho.shape)
    days = float(model.course.sample_days[0])
    return float(
        sum(
            circulating(cells, _leaving_per_day(model, colony.size), met, days)
            for colony in model.alive
            for cells, met in zip(_cells_of(colony), beds[colony.organ], strict=True)
        )
    )


def _in_plasma(model: "Cascade") -> float:
    days = float(model.course.plasma_days[0])
    return float(
        sum(
            tumour_dna(cells, death, days)
            for colony in model.alive
            for cells, death in zip(_cells_of(colony), model.law.death[colony.organ], strict=True)
        )
    )


def _in_marrow(model: "Cascade") -> float:
    law = model.law
    fate = float(law.marrow_wakes_per_day[0]), float(law.marrow_active_days[0])
    both = zip(model.asleep, model.inflow, strict=True)
    found = sum(disseminated(asleep, inflow, *fate) for asleep, inflow in both)
    return float(found * model.course.aspirate_fraction)


def _cells_of(colony: "Colony") -> Any:
    return np.array([len(cells) for cells in colony.cells], dtype=np.float64)


def _leaving_per_day(model: "Cascade", size: int) -> float:
    law = model.law
    return border_rate(
        law.invasion_per_day[0], size, law.invasion_reference_cells[0], law.border_exponent[0]
    )
