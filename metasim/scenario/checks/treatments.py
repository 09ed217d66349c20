"""Checks of the treatment plan: treatments that are impossible, empty, endless or never come."""

from collections.abc import Iterator

from metasim.errors import Mistake
from metasim.scenario.catalogue import Catalogue
from metasim.scenario.checks.care import organs_of
from metasim.scenario.checks.conditions import check_conditions
from metasim.scenario.checks.effect import idle, unset
from metasim.scenario.entries import drugs
from metasim.scenario.existing import becomes_itself, names_below
from metasim.scenario.fields import CHANGED
from metasim.scenario.keys import find, join, nearest, split
from metasim.scenario.schema import Scenario
from metasim.scenario.subtypes import subtypes_of
from metasim.scenario.treatment import Treatment
from metasim.terms import DAYS_PER_YEAR

MOST_CHANGES = 6
"""Changing treatments of a plan that differ: each doubles the number of laws."""


def check_plan(scenario: Scenario, catalogue: Catalogue) -> Iterator[Mistake]:
    """All mistakes of the treatments."""
    for i, treatment in enumerate(scenario.treatment):
        wrong = [
            *_mistakes(scenario, treatment, catalogue),
            *check_conditions(scenario, treatment, i, catalogue),
        ]
        for key, message, hint in wrong:
            yield Mistake(f"treatment.{i}{key}", message, hint)
    yield from _repeated(scenario)
    changing = len({treatment.effect for treatment in scenario.treatment if treatment.change})
    if changing > MOST_CHANGES:
        message = f"{changing} treatments change something; at most {MOST_CHANGES} are allowed"
        yield Mistake("treatment", message, "put what is given together into one")


def check_names(scenario: Scenario, catalogue: Catalogue) -> Iterator[Mistake]:
    """Drugs and subtypes that neither the scenario nor the catalogue knows."""
    given = {treatment.drug for treatment in scenario.treatment if treatment.drug}
    unknown = [
        (f"seed.phenotypes.{name}.resistance.{drug}", drug)
        for name, phenotype in scenario.seed.phenotypes.items()
        for drug in phenotype.resistance
        if drug not in given
    ]
    known = {*sorted(given), *drugs(catalogue)} if unknown else set()
    for key, drug in unknown:
        if drug not in known:
            yield Mistake(key, f'no treatment has the drug "{drug}"', nearest(drug, known))
    wanted = [
        (f"treatment.{i}.only_if.subtype.{j}", name)
        for i, treatment in enumerate(scenario.treatment)
        for j, name in enumerate((treatment.only_if and treatment.only_if.subtype) or [])
    ]
    mixed = subtypes_of(scenario)
    wanted += [
        (f"patients.{path}", name)
        for path, distribution in scenario.patients.items()
        for table in (distribution.by_subtype, distribution.factor_by_subtype)
        for name in (table or {} if mixed else {})
    ]
    wanted = [(key, name) for key, name in wanted if name not in mixed]
    subtypes = [*mixed, *catalogue.names("subtypes")] if wanted else []
    for key, name in wanted:
        if name not in subtypes:
            yield Mistake(key, f'there is no subtype "{name}"', nearest(name, subtypes))


def _repeated(scenario: Scenario) -> Iterator[Mistake]:
    """Treatments given twice at a time, which would silently act twice."""
    first: dict[str, int] = {}
    for i, t in enumerate(scenario.treatment):
        start = (t.start, t.delay_days) if isinstance(t.start, str) else t.start + t.delay_days
        j = first.setdefault(repr((t.kind, t.organ, t.seen_only, start, t.only_if)), i)
        if i != j:
            what = f'"{t.kind}"' + (f' of "{t.organ}"' if t.organ else "")
            message = f"{what} begins at the same time as treatment.{j}, for the same patients"
            yield Mistake(f"treatment.{i}", message, "give one of them, or another start")


def _mistakes(
    scenario: Scenario, t: Treatment, catalogue: Catalogue
) -> Iterator[tuple[str, str, str]]:
    removes = t.residual_fraction is not None or t.nodes is not None
    at_once = removes or t.log_kill is not None or t.dose_gray is not None
    lasts = bool(t.change) or t.hazard_per_day is not None
    if not at_once and not lasts:
        message = f'"{t.kind}" does nothing: it neither removes, kills nor changes'
        known = catalogue.names("treatments")
        yield "", message, "" if t.kind in known else nearest(t.kind, known)
    if t.dose_gray and not (t.alpha_per_gray or t.beta_per_gray2):
        yield ".dose_gray", "does nothing without alpha_per_gray or beta_per_gray2", ""
    if removes and t.responding_fraction < 1.0:
        yield ".responding_fraction", "what is operated on cannot fail to respond", ""
    if t.cycles > 1 and not at_once:
        yield ".cycles", "repeats nothing: the treatment does not act at once", ""
    if t.stop and not lasts and t.cycles == 1:
        yield ".stop", "ends nothing: the treatment is over at once", ""
    if t.duration_days is not None and not lasts:
        yield ".duration_days", "lasts over nothing: no change and no hazard_per_day", ""
    if t.change and t.duration_days is not None and t.duration_days < scenario.run.dt_days:
        message = f"{t.duration_days:g} days of a change are less than a step"
        yield ".duration_days", message, f"run.dt_days is {scenario.run.dt_days:g}"
    for given, what in ((removes, "operated on"), (t.dose_gray is not None, "irradiated")):
        if given and t.organ is None and not t.seen_only:
            yield ".organ", f"is required: the organ that is {what}", ""
    if t.care is None:  # rules of care are asked for together, and may come after the end
        for key, organ in organs_of(t).items():
            if organ not in scenario.soil:
                yield key, f'there is no organ "{organ}"', nearest(organ, scenario.soil)
        yield from _timing(scenario, t)
    for path in t.change:
        yield from _change(scenario, path)


def _timing(scenario: Scenario, t: Treatment) -> Iterator[tuple[str, str, str]]:
    run = scenario.run
    days = run.years * DAYS_PER_YEAR
    if run.follow_from == "diagnosis" and not isinstance(t.start, str):
        days += run.undiagnosed_years * DAYS_PER_YEAR
    begin = t.delay_days + (0.0 if isinstance(t.start, str) else t.start)
    place = ".delay_days" if isinstance(t.start, str) else ".start"
    if begin > days:
        yield place, f"day {begin:g} never comes: the run has {days:g} days", ""
    elif begin + (t.cycles - 1) * t.interval_days > days:
        last = begin + (t.cycles - 1) * t.interval_days
        message = f"the last cycle would be {last:g} days on; the run has {days:g} days"
        yield ".cycles", message, "give fewer cycles or a shorter interval_days"
    relapse = isinstance(t.start, str) and t.start == "relapse"
    if relapse and not any(soil.site == "distant" for soil in scenario.soil.values()):
        yield ".start", '"relapse" never comes: no organ is distant', ""


def _change(scenario: Scenario, path: str) -> Iterator[tuple[str, str, str]]:
    place = f".change.{path}"
    parts = path.split(".")
    if parts[:2] == ["soil", "*"] and scenario.soil:
        parts[1] = next(iter(scenario.soil))
    key = find(split(".".join(parts)))
    if key is not None and key.is_number and key.varies is not CHANGED:
        yield place, "is nothing that a treatment can change", ""
        return
    tree = scenario.model_dump()
    for depth, name in enumerate(parts):
        names = names_below(scenario, tree, tuple(parts[:depth]))
        if name not in names:
            where = join(tuple(parts[:depth])) or "the scenario"
            yield place, f'there is no such key: {where} has no "{name}"', nearest(name, names)
            return
    if key is None or not key.is_number:
        yield place, "is not a number", ""
    elif becomes_itself(tuple(parts)):
        yield place, "a phenotype cannot become itself", ""
    elif reason := unset(scenario, tuple(parts)) or idle(scenario, tuple(parts)):
        yield place, reason, ""
