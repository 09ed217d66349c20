"""What a run would take: steps, visits, records, memory, and what a step does to a cell.

Each bound is refused with the key that makes it large, before the first patient.
"""

import math
from collections.abc import Iterator
from typing import Final

from metasim.errors import Mistake
from metasim.scenario.checks.spans import span, with_changes
from metasim.scenario.fields import PASSAGE
from metasim.scenario.keys import find, split
from metasim.scenario.schema import Scenario
from metasim.terms import DAYS_PER_YEAR, MOST_AT_ONCE, Stage, Tally

MOST_STEPS: Final = 1_000_000
"""Steps of one patient, and visits: what engines keep by the step has to fit into memory."""
MOST_BYTES: Final = 4e9
"""Memory that the law of a chunk of patients, or their records, may take."""
MOST_LOG_GROWTH: Final = 600.0
"""Growth over a step, as a logarithm, that is still a finite number of cells."""
MOST_TURNOVER: Final = 100.0
"""Deaths of a cell over a step, on average, up to which the growth of a step is drawn rightly."""
MOST_NAMES: Final = 200
"""Organs; of phenotypes and cluster classes a tenth, of pairs five times as many."""

_LARGEST_COLONY = 1e13


def check_effort(scenario: Scenario) -> Iterator[Mistake]:
    """What is too much for a run."""
    if too_many := [*_steps(scenario), *_numbers(scenario)]:
        yield from too_many
        return
    yield from _visits(scenario)
    yield from _memory(scenario)
    yield from _rates(scenario)


def longest(scenario: Scenario) -> float:
    """Days that a patient can be followed at most."""
    run = scenario.run
    years = run.years + (run.undiagnosed_years if run.follow_from == "diagnosis" else 0.0)
    return years * DAYS_PER_YEAR


def _steps(scenario: Scenario) -> Iterator[Mistake]:
    run = scenario.run
    days = run.years * DAYS_PER_YEAR
    if run.dt_days > days:
        message = f"a step of {run.dt_days:g} days is longer than the run ({days:g} days)"
        yield Mistake("run.dt_days", message, "make dt_days smaller or run.years larger")
    if run.small_cells is None and run.small_steps > 1:
        message = "has no effect: nothing says which colonies are small"
        yield Mistake("run.small_steps", message, "give run.small_cells")
    days = longest(scenario)
    if days / run.dt_days > MOST_STEPS:
        message = f"{days:g} days are more than {MOST_STEPS:,} steps of {run.dt_days:g} days"
        yield Mistake("run.dt_days", message, "make dt_days larger or the years fewer")


def _numbers(scenario: Scenario) -> Iterator[Mistake]:
    """Tables of too many names, whose products the law holds in memory."""
    seed = scenario.seed
    for key, table, most in (
        ("soil", scenario.soil, MOST_NAMES),
        ("seed.phenotypes", seed.phenotypes, MOST_NAMES // 10),
        ("seed.clusters", seed.clusters, MOST_NAMES // 10),
        ("pairs", scenario.pairs, 5 * MOST_NAMES),
        ("patients", scenario.patients, 5 * MOST_NAMES),
    ):
        if len(table) > most:
            yield Mistake(key, f"has {len(table):,} entries; at most {most:,} are allowed")


def _visits(scenario: Scenario) -> Iterator[Mistake]:
    days = longest(scenario)
    for name in ("clinic.screening_interval_days", "clinic.follow_up_days"):
        ends = span(scenario, name)
        if ends and days / ends[0] > MOST_STEPS:
            message = f"{days:g} days are more than {MOST_STEPS:,} visits, one in {ends[0]:g} days"
            yield Mistake(name, message, "make it longer, or the years fewer")


def _memory(scenario: Scenario) -> Iterator[Mistake]:
    run = scenario.run
    organs, phenotypes = len(scenario.soil), max(1, len(scenario.seed.phenotypes))
    cells = span(scenario, "primary.initial_cells")
    if run.engine == "cells" and cells and cells[0] > run.max_cells:
        message = f"{cells[0]:,.0f} cells are more than run.max_cells ({run.max_cells:,})"
        yield Mistake("primary.initial_cells", message, 'engine = "colonies" takes any number')
    records = min(longest(scenario) / run.record_every_days, longest(scenario) / run.dt_days) + 3
    each = 8.0 * organs * (len(Stage) * len(Tally) + 3 + phenotypes)
    size = records * each * min(run.patients, MOST_AT_ONCE["everything"])
    if size > MOST_BYTES and run.record in (None, "everything"):
        message = f"{records:,.0f} recorded days of {organs} organs take {size / 1e9:.3g} GB"
        yield Mistake("run.record_every_days", message, "make it longer, or run.record less")
    regimes = 2 ** min(len({t.effect for t in scenario.treatment if t.change}), 6)
    found = (find(split(path)) for path in scenario.patients)
    drawn = any(key is not None and key.is_number and key.concerns is PASSAGE for key in found)
    patients = min(run.patients, max(MOST_AT_ONCE.values())) if drawn else 1
    classes = 1 + len(scenario.seed.clusters)
    size = 8.0 * 3 * (2 * organs) ** 2 * phenotypes * classes * regimes * patients
    if size > MOST_BYTES:
        message = (
            f"{organs} organs, {phenotypes} phenotypes, {classes} sizes of units and {regimes} "
        )
        message += f"laws of treatment for {patients:,} patients take {size / 1e9:.3g} GB"
        yield Mistake("soil", message, "merge organs or phenotypes, or draw nothing of their law")


def _rates(scenario: Scenario) -> Iterator[Mistake]:
    """Growth and turnover over a step, the largest of all organs and phenotypes."""
    growth, dt = scenario.growth, scenario.run.dt_days * scenario.run.small_steps
    rho = max(abs(x) for x in _of(scenario, "growth.rho_per_day"))
    factor = 1.0
    if growth.law == "gompertz":
        factor = math.log(_LARGEST_COLONY)
    elif growth.law == "power":
        exponent = _of(scenario, "growth.power_exponent")[1]
        factor = _LARGEST_COLONY ** max(0.0, exponent - 1.0)
    most = rho * factor * _largest_factor(scenario, "growth_factor") * dt
    if most > MOST_LOG_GROWTH:
        message = f"a colony could grow by a factor of exp({most:.3g}) in a step of {dt:g} days; "
        message += f"at most exp({MOST_LOG_GROWTH:g}) is allowed"
        yield Mistake("growth.rho_per_day", message, "lower it and its factors, or run.dt_days")
    age, rise = "clinic.age_years", "clinic.other_death_growth_per_year"
    log_hazard = _of(scenario, age)[1] * _of(scenario, rise)[1]
    if log_hazard > MOST_LOG_GROWTH and span(scenario, "clinic.other_death_per_year"):
        yield Mistake(rise, f"the hazard would be exp({log_hazard:.3g}) times that at age 0")
    turnover = _of(scenario, "growth.turnover_per_day")[1]
    most = turnover * _largest_factor(scenario, "turnover_factor") * dt
    if most > MOST_TURNOVER:
        message = f"a cell could die {most:.3g} times in a step of {dt:g} days; at most "
        message += f"{MOST_TURNOVER:g} times is allowed"
        key = _largest_key(scenario, "turnover_factor")
        yield Mistake(key, message, "lower it and its factors, or run.dt_days")


def _of(scenario: Scenario, path: str) -> tuple[float, float]:
    return with_changes(scenario, path) or (0.0, 0.0)


def _factors(scenario: Scenario, name: str, table: str) -> dict[str, float]:
    names = scenario.soil if table == "soil" else scenario.seed.phenotypes
    keys = [f"{table}.{one}.{name}" for one in names]
    return {key: _of(scenario, key)[1] for key in keys}


def _largest_factor(scenario: Scenario, name: str) -> float:
    """The largest factor of an organ times the largest of a phenotype."""
    out = 1.0
    for table in ("soil", "seed.phenotypes"):
        out *= max(_factors(scenario, name, table).values(), default=1.0)
    return out


def _largest_key(scenario: Scenario, name: str) -> str:
    """The factor that is largest, or the rate itself if none is above 1."""
    found = _factors(scenario, name, "soil") | _factors(scenario, name, "seed.phenotypes")
    key = max(found, key=found.__getitem__, default="")
    return key if key and found[key] > 1 else "growth.turnover_per_day"
