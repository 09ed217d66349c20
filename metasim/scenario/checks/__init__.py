"""What must hold between several keys of a scenario, after each value is valid by itself."""

from collections.abc import Iterator

from metasim.errors import Mistake
from metasim.law.factors import weighable
from metasim.law.sizes import sphere_cells
from metasim.scenario.catalogue import Catalogue
from metasim.scenario.checks.care import check_care
from metasim.scenario.checks.detection import check_detection, diagnosed
from metasim.scenario.checks.effort import check_effort
from metasim.scenario.checks.mixture import check_correlations
from metasim.scenario.checks.nodes import check_nodes
from metasim.scenario.checks.order import check_order
from metasim.scenario.checks.patients import check_patients
from metasim.scenario.checks.sampling import check_tests
from metasim.scenario.checks.treatments import check_names, check_plan
from metasim.scenario.checks.vessels import TOLERANCE, check_vessels
from metasim.scenario.keys import nearest
from metasim.scenario.schema import Scenario
from metasim.terms import Gate

__all__ = ["check", "check_names"]


def check(scenario: Scenario, catalogue: Catalogue) -> list[Mistake]:
    """All mistakes that concern several keys at once.

    Args:
        scenario: each of its values is valid by itself.
        catalogue: whose names are hinted at.
    """
    parts = (
        check_effort,
        _organs,
        _pairs,
        _weights,
        _seed,
        _clinic,
        check_detection,
        check_order,
        check_nodes,
        check_tests,
        check_vessels,
        check_patients,
        check_correlations,
        check_care,
    )
    found = [mistake for part in parts for mistake in part(scenario)]
    return [*found, *check_plan(scenario, catalogue)]


def _organs(scenario: Scenario) -> Iterator[Mistake]:
    if not scenario.soil:
        yield Mistake("soil", "there must be at least one organ", 'such as organs = "default"')
        return
    named = [("primary.organ", scenario.primary.organ)]
    for key, organ in named:
        if organ not in scenario.soil:
            yield Mistake(key, f'there is no organ "{organ}"', nearest(organ, scenario.soil))


def _pairs(scenario: Scenario) -> Iterator[Mistake]:
    seed = scenario.seed
    given = {f"seed.receptors.{name}": name for name in seed.receptors}
    for name, phenotype in seed.phenotypes.items():
        given |= {f"seed.phenotypes.{name}.receptors.{r}": r for r in phenotype.receptors}
    yield from _unmatched(scenario, "receptor", given)
    given = {f"soil.{o}.ligands.{n}": n for o, soil in scenario.soil.items() for n in soil.ligands}
    yield from _unmatched(scenario, "ligand", given)


def _weights(scenario: Scenario) -> Iterator[Mistake]:
    """Weights of factors at gates that do not weigh them."""
    for gate in Gate:
        known = weighable(gate)
        for name in getattr(scenario.gates, gate).weights:
            if name not in known:
                message = f'"{name}" has no say at this gate'
                yield Mistake(f"gates.{gate}.weights.{name}", message, nearest(name, known))


def _unmatched(scenario: Scenario, role: str, given: dict[str, str]) -> Iterator[Mistake]:
    """Receptors or ligands of pairs that nothing has, and the other way round."""
    place = "seed.receptors" if role == "receptor" else "soil.ORGAN.ligands"
    paired = {getattr(pair, role) for pair in scenario.pairs.values()}
    for name, pair in scenario.pairs.items():
        wanted = getattr(pair, role)
        if wanted not in given.values():
            message = f'there is no {role} "{wanted}" in {place}'
            yield Mistake(f"pairs.{name}.{role}", message, nearest(wanted, set(given.values())))
    for key, name in given.items():
        if name not in paired:
            yield Mistake(key, f'no pair has the {role} "{name}"', nearest(name, sorted(paired)))


def _seed(scenario: Scenario) -> Iterator[Mistake]:
    seed, drawn = scenario.seed, scenario.patients
    shares = [f"seed.clusters.{name}.share_fraction" for name in seed.clusters]
    total = sum(cluster.share_fraction for cluster in seed.clusters.values())
    if total > 1 + TOLERANCE and not any(share in drawn for share in shares):
        message = f"the share_fraction of all clusters sum to {total:g}; at most 1 is allowed"
        yield Mistake("seed.clusters", message)
    initial = [f"seed.phenotypes.{name}.initial_fraction" for name in seed.phenotypes]
    total = sum(phenotype.initial_fraction for phenotype in seed.phenotypes.values())
    if initial and abs(total - 1) > TOLERANCE and not any(key in drawn for key in initial):
        message = f"the initial_fraction of all phenotypes sum to {total:g}; they must sum to 1"
        yield Mistake("seed.phenotypes", message)
    for name, phenotype in seed.phenotypes.items():
        key = f"seed.phenotypes.{name}.becomes"
        for other in phenotype.becomes:
            if other not in seed.phenotypes:
                message = f'there is no phenotype "{other}"'
                yield Mistake(f"{key}.{other}", message, nearest(other, seed.phenotypes))
        if name in phenotype.becomes:
            yield Mistake(f"{key}.{name}", "a phenotype cannot become itself")
        if (total := sum(phenotype.becomes.values())) > 1 + TOLERANCE:
            yield Mistake(key, f"the probabilities sum to {total:g}; at most 1 is allowed")


def _clinic(scenario: Scenario) -> Iterator[Mistake]:
    clinic, drawn = scenario.clinic, scenario.patients
    age = "clinic.age_years"
    if clinic.other_death_per_year and clinic.age_years is None and age not in drawn:
        message = f"needs {age}: other causes kill by age"
        yield Mistake("clinic.other_death_per_year", message)
    key = "clinic.diagnosis_diameter_mm"
    diameter, lethal = clinic.diagnosis_diameter_mm, clinic.lethal_cells
    others = diagnosed(scenario, but=("diagnosis_diameter_mm",))
    if diameter and lethal and not others and not {key, "clinic.lethal_cells"} & drawn.keys():
        cells = sphere_cells(diameter, clinic.cells_per_cm3)
        if cells > lethal:
            message = f"{diameter:g} mm are {cells:.2g} cells, above the lethal {lethal:.2g}"
            yield Mistake(key, message, "nobody would be diagnosed")
