"""How the primary is found in the cell engine: by symptoms, its diameter, or screening."""

import math
from typing import Any

import numpy as np

from metasim.engines.cells.cascade import Cascade
from metasim.law.clinic import screening_sensitivity
from metasim.law.detection import (
    detection_mode,
    lead_time_days,
    screening_offered,
    symptom_hazard,
)
from metasim.law.sizes import sphere_mm
from metasim.terms import DAYS_PER_YEAR, Detection


class Detecting(Cascade):
    """The primary is found, or not yet.

    Attributes:
        diagnosis_day: NaN: not yet, as what follows.
        diameter_mm: of the primary at diagnosis.
        detection: a number of `metasim.terms.Detection`.
        lead_time_days: that screening gained.
        primary_before: cells of the primary when the step began.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        course = self.course
        self.diagnosis_day = self.diameter_mm = self.detection = self.lead_time_days = math.nan
        interval = course.screening_interval_days[0]
        self._screened = math.inf if math.isinf(interval) else self.uniform() * interval
        self._missed_day = math.nan
        self.primary_before = self.colonies[0].size
        self._symptom_clock = math.inf
        if course.symptom_per_day_per_cell[0] > 0.0:
            self._symptom_clock = self.rng.exponential()

    @property
    def day(self) -> float:
        """Day of the patient."""
        return self.ledger.day

    def _find_primary(self, felt: bool) -> bool:
        """Whether the primary is found today; `felt`: symptoms of an organ lead to it."""
        course, size = self.course, self.colonies[0].size
        per_day_per_cell = course.symptom_per_day_per_cell[0]
        if per_day_per_cell > 0.0 and self.day > 0.0:
            self._symptom_clock -= symptom_hazard(
                self.primary_before, size, per_day_per_cell, course.dt_days
            )
        felt = bool(felt or size >= course.diagnosis_cells[0] or self._symptom_clock <= 0.0)
        interval = course.screening_interval_days[0]
        mode = detection_mode(felt, self.day, self._missed_day, interval)
        found = self._visited(size) or felt
        if found:
            self.detection, self.diameter_mm = mode, sphere_mm(size, course.cells_per_cm3[0])
            if mode == Detection.SCREENING:
                self.lead_time_days = self._lead_time()
        return found

    def _visited(self, size: int) -> bool:
        """Whether a screening visit finds the primary today."""
        course = self.course
        if not self.day >= self._screened:
            return False
        self._screened += course.screening_interval_days[0]
        age = course.age_years[0] + self.day / DAYS_PER_YEAR
        if not screening_offered(age, course.screening_from_years[0], course.screening_to_years[0]):
            return False
        half, slope = course.screening_half_cells[0], course.screening_slope[0]
        if self.uniform() < screening_sensitivity(size, half, slope):
            return True
        self._missed_day = self.day
        return False

    def _lead_time(self) -> float:
        primary, law, course = self.colonies[0], self.law, self.course
        organ = primary.organ
        growth = (
            int(law.growth_law[0]), law.capacity[organ], law.power_exponent[0],
            primary.vascularised, law.avascular_cells[0],
        )  # fmt: skip
        clock = (
            self._symptom_clock, course.symptom_per_day_per_cell[0], course.diagnosis_cells[0],
        )  # fmt: skip
        sizes = np.array([len(kind) for kind in primary.cells], dtype=np.float64)
        return lead_time_days(
            sizes, law.rho[organ], law.death[organ], growth, clock, course.dt_days
        )
