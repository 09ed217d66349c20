"""How the primary is found in the colony engine: by symptoms, its diameter, or screening."""

from metasim.engines.colonies.kernel import inlined, kernel
from metasim.law import clinic as rule
from metasim.law import detection, sizes
from metasim.terms import DAYS_PER_YEAR, Detection

_SCREENING = float(Detection.SCREENING)

symptom_hazard = inlined(detection.symptom_hazard)
screening_offered = inlined(detection.screening_offered)
detection_mode = inlined(detection.detection_mode)
lead_time_days = kernel(detection.lead_time_of(inlined))
screening_sensitivity = inlined(rule.screening_sensitivity)
sphere_mm = inlined(sizes.sphere_mm)


@inlined
def found_primary(rng, now, rules, size, felt):
    """Whether the primary is found today: by symptoms, its size, or on a screening visit.

    `felt`: symptoms of an organ lead to it.
    """
    if rules.symptom_per_day_per_cell > 0.0 and now.step > 0:
        now.symptom_clock -= symptom_hazard(
            now.primary_before, float(size), rules.symptom_per_day_per_cell, rules.dt_days
        )
    felt = felt or size >= rules.diagnosis_cells or now.symptom_clock <= 0.0
    mode = detection_mode(felt, now.day, now.missed_day, rules.screening_interval_days)
    found = visited(rng, now, rules, size) or felt
    if found:
        now.detection = mode
    return found


@inlined
def visited(rng, now, rules, size):
    """Whether a screening visit finds the primary today."""
    if not now.day >= now.screening_day:
        return False
    now.screening_day += rules.screening_interval_days
    age_years = rules.age_years + now.day / DAYS_PER_YEAR
    if not screening_offered(age_years, rules.screening_from_years, rules.screening_to_years):
        return False
    sensitivity = screening_sensitivity(size, rules.screening_half_cells, rules.screening_slope)
    if size > 0 and rng.random() < sensitivity:
        return True
    now.missed_day = now.day
    return False


@kernel
def note_finding(now, law, rules, room):
    """Diameter of the primary that is found today, and the time that a visit gained."""
    primary, rates = room.colonies[0], law.rates
    now.diameter_mm = sphere_mm(primary.size, rules.cells_per_cm3)
    if now.detection != _SCREENING:
        return
    here = law.growth[primary.organ]
    for k in range(len(room.kinds)):
        room.kinds[k].forecast = room.cells[0, k]
    growth = (
        rates.growth_law, here[0].capacity, rates.power_exponent, primary.vascularised,
        rates.avascular_cells,
    )  # fmt: skip
    clock = (now.symptom_clock, rules.symptom_per_day_per_cell, rules.diagnosis_cells)
    now.lead_time_days = lead_time_days(
        room.kinds.forecast, here.rho, here.death, growth, clock, rules.dt_days
    )
