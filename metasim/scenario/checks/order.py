"""Checks of values that contradict each other: thresholds in the wrong order, what can never be.

What is drawn contradicts only if it does for every patient.
"""

from collections.abc import Iterator

from metasim.errors import Mistake
from metasim.law.sizes import sphere_cells
from metasim.scenario.checks.detection import diagnosed
from metasim.scenario.checks.spans import span, with_changes
from metasim.scenario.schema import Scenario


def check_order(scenario: Scenario) -> Iterator[Mistake]:
    """All contradictions between values."""
    yield from _thresholds(scenario)
    yield from _primary(scenario)
    yield from _decline(scenario)
    yield from _treatments(scenario)


def _thresholds(scenario: Scenario) -> Iterator[Mistake]:
    ordered = [
        ("clinic.micro_cells", "clinic.macro_cells",
         "a micrometastasis would be larger than a macrometastasis"),
    ]  # fmt: skip
    if scenario.angiogenesis.per_day is not None:
        ordered.append(("angiogenesis.onset_cells", "angiogenesis.avascular_cells",
                        "a colony would stop growing before it can switch"))  # fmt: skip
    for organ, soil in scenario.soil.items():
        detection, lethal = f"soil.{organ}.detection_cells", f"soil.{organ}.lethal_cells"
        ordered.append(("clinic.micro_cells", detection,
                        "imaging would see what is no micrometastasis yet"))  # fmt: skip
        restaging = f"soil.{organ}.restaging_cells"
        ordered.append(("clinic.micro_cells", restaging,
                        "imaging would see what is no micrometastasis yet"))  # fmt: skip
        ordered.append((restaging, detection, "restaging would see less than a visit"))
        ordered.append((detection, lethal, "metastases would kill before imaging sees one"))
        ordered += [
            (f"soil.{organ}.symptoms.{name}", lethal, "nobody would live to feel it")
            for name in soil.symptoms
        ]
    for smaller, larger, why in ordered:
        small, large = span(scenario, smaller), span(scenario, larger)
        if small and large and small[0] > large[1]:
            message = f"{small[0]:.12g} cells are above {larger} ({large[1]:.12g}): {why}"
            yield Mistake(smaller, message, f"lower it, or raise {larger}")


def _primary(scenario: Scenario) -> Iterator[Mistake]:
    organ = scenario.primary.organ
    if organ not in scenario.soil:
        return
    initial = span(scenario, "primary.initial_cells")
    assert initial is not None
    for key in (f"soil.{organ}.lethal_cells", "clinic.lethal_cells"):
        lethal = span(scenario, key)
        if lethal and initial[0] >= lethal[1]:
            message = f"{initial[0]:.12g} cells kill on day 0: {key} is {lethal[1]:.12g}"
            yield Mistake("primary.initial_cells", message, "start with fewer, or raise that")
    key = "clinic.diagnosis_diameter_mm"
    diameter, density = span(scenario, key), span(scenario, "clinic.cells_per_cm3")
    capacity = span(scenario, f"soil.{organ}.capacity_cells")
    capacity = capacity or span(scenario, "growth.capacity_cells")
    waited = scenario.run.follow_from == "diagnosis"  # else it may be meant, as of a few cells
    others = diagnosed(scenario, but=("diagnosis_diameter_mm",))
    if waited and diameter and density and capacity and not others:
        cells = sphere_cells(diameter[0], density[0])
        stops = scenario.growth.law in ("logistic", "gompertz")
        if stops and cells > capacity[1] and initial[1] < cells:
            message = f"{diameter[0]:g} mm are {cells:.2g} cells, above the capacity"
            message += f" ({capacity[1]:.2g}) at which the primary stops growing"
            yield Mistake(key, message, "nobody would be diagnosed")


def _decline(scenario: Scenario) -> Iterator[Mistake]:
    """Growth rates below 0: of the exponential law only, and no faster than cells die."""
    key = "growth.rho_per_day"
    rho = span(scenario, key)
    if rho is None or rho[0] >= 0:
        return
    if scenario.growth.law != "exponential":
        message = f"{rho[0]:.12g} is below 0, where only the exponential law may decline"
        yield Mistake(key, message, f'growth.law is "{scenario.growth.law}"')
        return
    phenotypes: list[str | None] = [f"seed.phenotypes.{n}" for n in scenario.seed.phenotypes]
    for organ in scenario.soil:
        for place in phenotypes or [None]:
            fall, death = _fall(scenario, organ, place), _least_turnover(scenario, organ, place)
            if fall > death * (1 + 1e-12):
                message = f"a colony in {organ} would decline at {fall:.6g} a day, its cells "
                message += f"die at {death:.6g}: they would have to divide less than never"
                yield Mistake(key, message, "growth.turnover_per_day has to be as large")
                return


def _fall(scenario: Scenario, organ: str, place: str | None) -> float:
    """How fast a colony can decline at most, as a positive rate."""
    rate = -(with_changes(scenario, "growth.rho_per_day") or (0.0, 0.0))[0]
    for part in (f"soil.{organ}", place):
        if part is not None:
            rate *= (with_changes(scenario, f"{part}.growth_factor") or (1.0, 1.0))[1]
    return rate


def _least_turnover(scenario: Scenario, organ: str, place: str | None) -> float:
    low = (with_changes(scenario, "growth.turnover_per_day") or (0.0, 0.0))[0]
    for part in (f"soil.{organ}", place):
        if part is not None:
            low *= (with_changes(scenario, f"{part}.turnover_factor") or (1.0, 1.0))[0]
    return low


def _treatments(scenario: Scenario) -> Iterator[Mistake]:
    age = span(scenario, "clinic.age_years")
    run = scenario.run
    years = run.years + (run.undiagnosed_years if run.follow_from == "diagnosis" else 0.0)
    for i, t in enumerate(scenario.treatment):
        if t.dose_gray is None and (t.alpha_per_gray or t.beta_per_gray2):
            name = "alpha_per_gray" if t.alpha_per_gray else "beta_per_gray2"
            yield Mistake(f"treatment.{i}.{name}", "does nothing without dose_gray")
        wanted = t.only_if.age_years if t.only_if else None
        if (
            t.care is None
            and age
            and wanted
            and wanted.min is not None
            and age[1] + years < wanted.min
        ):
            message = f"nobody gets so old: {age[1]:g} on day 0, {age[1] + years:g} at the end"
            yield Mistake(f"treatment.{i}.only_if.age_years", message)
