"""From targets to patients: which scenario simulates a cohort, and the targets' values in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from metasim.errors import Mistake, ScenarioError
from metasim.results.store import Results
from metasim.results.tables import TABLES_AT
from metasim.runner.patients import Cohort as Patients
from metasim.scenario.catalogue import RUNNABLE, SHIPPED
from metasim.scenario.explicit import explicit_toml
from metasim.scenario.files import locate
from metasim.scenario.keys import nearest
from metasim.scenario.load import load
from metasim.scenario.schema import Scenario, Tests
from metasim.targets.load import Targets, TargetsError
from metasim.targets.quantities import QUANTITIES, Estimate
from metasim.targets.sample import Nobody, NotSimulated, Sample
from metasim.targets.schema import Target

RECORD: Final = "metastases"
_CHUNK: Final = 4096  # patients that are simulated at once


@dataclass(frozen=True)
class Plan:
    """What simulates the cohorts of some targets.

    Attributes:
        targets: the targets.
        scenarios: cohort -> its scenarios.
        missing: cohort -> why nothing simulates it yet.
    """

    targets: Targets
    scenarios: Mapping[str, tuple[Scenario, ...]]
    missing: Mapping[str, str]

    def changed(self, changes: Mapping[str, object]) -> "Plan":
        """The same with other values in every scenario."""
        scenarios = {
            name: tuple(one.replace(changes) for one in several)
            for name, several in self.scenarios.items()
        }
        return Plan(self.targets, scenarios, self.missing)


def plan(
    targets: Targets,
    given: str | Scenario | None = None,
    changes: Mapping[str, object] | None = None,
) -> Plan:
    """Find the scenario of every cohort.

    Args:
        targets: from `read_targets`.
        given: scenario of the cohorts that name none.
        changes: key path -> value, in every scenario.

    Raises:
        TargetsError: no scenario simulates a cohort, or it lacks an organ; all mistakes at once.
    """
    used = {t.cohort for t in targets.targets}
    used |= {t.versus for t in targets.targets if isinstance(t.versus, str)}
    scenarios: dict[str, tuple[Scenario, ...]] = {}
    missing: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for name in used & targets.cohorts.keys():
        cohort = targets.cohorts[name]
        asked = cohort.scenario if cohort.scenario is not None else given
        sources = list(asked) if isinstance(asked, list) else [asked]
        at = f"cohorts.{name}.scenario"
        unknown = [s for s in sources if isinstance(s, str) and not _exists(s, targets.folder)]
        if unknown and cohort.planned:
            missing[name] = f"no scenario {unknown[0]}"
            continue
        if asked is None:
            message = "no scenario simulates this cohort"
            hint = "name one here, or give one beside the targets (--scenario, or the fitted one)"
            mistakes.append(Mistake(at, message, hint))
            continue
        if unknown:
            message = f'there is no scenario "{unknown[0]}", so nothing simulates this cohort'
            mistakes.append(Mistake(at, message, nearest(unknown[0], SHIPPED.names(RUNNABLE))))
            continue
        own = {"run.record": RECORD, **dict(cohort.set), **dict(changes or {})}
        try:
            scenarios[name] = tuple(_loaded(s, targets.folder, own) for s in sources)
        except ScenarioError as error:
            mistakes += [Mistake(f"{at}: {m.key}", m.message, m.hint) for m in error.mistakes]
    mistakes += _organ_mistakes(targets, scenarios)
    if mistakes:
        raise TargetsError(targets.source, mistakes)
    order = {name: scenarios[name] for name in targets.cohorts if name in scenarios}
    return Plan(targets, order, missing)


def _exists(source: str, folder: Path | None) -> bool:
    if folder is not None and (folder / source).is_file():
        return True
    try:
        return locate(source).is_file()
    except ScenarioError:
        return False


def _loaded(source: Any, folder: Path | None, changes: Mapping[str, object]) -> Scenario:
    if isinstance(source, Scenario):
        return source.replace(changes)
    beside = folder / source if folder is not None else None
    return load(beside if beside is not None and beside.is_file() else source, changes)


def _organ_mistakes(
    targets: Targets, scenarios: Mapping[str, tuple[Scenario, ...]]
) -> list[Mistake]:
    out = []
    for target in targets.targets:
        organ = target.of.get("organ")
        for scenario in scenarios.get(target.cohort, ()):
            if organ is not None and organ not in scenario.soil:
                message = f'cohort {target.cohort} has no organ "{organ}"'
                hint = nearest(str(organ), scenario.soil)
                out.append(Mistake(f"targets.{target.id}.of.organ", message, hint))
                break
    return out


def simulate(scenario: Scenario, patients: int) -> Results:
    """The first so many patients of a scenario, here and in memory.

    Args:
        scenario: of recording level `RECORD`, which a plan gives its scenarios.
        patients: how many.
    """
    cohort = Patients(scenario)
    spans = [(first, min(_CHUNK, patients - first)) for first in range(0, patients, _CHUNK)]
    chunks = [cohort.chunk(*span) for span in spans]
    tables = {
        name: pa.concat_tables([chunk[name] for chunk in chunks])
        for name in (*TABLES_AT[RECORD], "failures")
    }
    return _Simulated(scenario, tables)


def simulate_cohorts(
    scenarios: Mapping[str, Sequence[Scenario]], patients: Mapping[str, int]
) -> dict[str, list[Results]]:
    """The patients of several cohorts; scenarios that differ in title and tests share theirs.

    Tests of blood and marrow change no course, so that the patients who have them stand for those
    who do not.

    Args:
        scenarios: cohort -> its scenarios, each of recording level `RECORD`.
        patients: cohort -> how many of each of its scenarios; those that share have the most.
    """
    keys = {name: [_course_key(one) for one in several] for name, several in scenarios.items()}
    tested: dict[str, dict[str, Scenario]] = {}
    sizes: dict[str, int] = {}
    for name, several in scenarios.items():
        for one, key in zip(several, keys[name], strict=True):
            tested.setdefault(key, {}).setdefault(one.tests.model_dump_json(), one)
            sizes[key] = max(sizes.get(key, 0), patients[name])
    untested = Tests().model_dump_json()
    found: dict[tuple[str, str], Results] = {}
    for key, ways in tested.items():
        names = [way for way in ways if way != untested] or [untested]
        for way in names:
            found[key, way] = simulate(ways[way], sizes[key])
        found.setdefault((key, untested), found[key, names[0]])
    return {
        name: [
            found[key, one.tests.model_dump_json()]
            for one, key in zip(several, keys[name], strict=True)
        ]
        for name, several in scenarios.items()
    }


def _course_key(scenario: Scenario) -> str:
    """What tells patients apart: the scenario without title, tests and how many there are."""
    return scenario.model_dump_json(exclude={"title": True, "tests": True, "run": {"patients"}})


class _Simulated(Results):
    """Results of a scenario that nobody saves: it is written out when asked for only.

    Writing and reading it again would take as long as to simulate a thousand patients.
    """

    def __init__(self, scenario: Scenario, tables: Mapping[str, pa.Table]) -> None:
        plain = scenario.model_dump(mode="json", exclude_none=True)
        super().__init__(plain, {"record": RECORD, "rows": {}}, tables)
        self._of = scenario

    @property
    def scenario_toml(self) -> str:
        """The scenario as text."""
        return explicit_toml(self._of)


def samples_of(
    targets: Targets, runs: Mapping[str, Sequence[Results]]
) -> dict[str, Sample | Nobody | NotSimulated]:
    """The selected patients of each cohort, or why there are none."""
    out: dict[str, Sample | Nobody | NotSimulated] = {}
    for name, several in runs.items():
        try:
            out[name] = Sample(several).select(targets.cohorts[name].where)
        except (Nobody, NotSimulated) as why:
            out[name] = why
    return out


def estimate(
    target: Target, samples: Mapping[str, Sample | Nobody | NotSimulated], **changed: object
) -> Estimate:
    """A target's value in simulated patients.

    Args:
        target: the published figure.
        samples: cohort -> patients.
        **changed: parameters of the quantity that are others.

    Raises:
        NotSimulated: the runs lack what it is computed from.
        Nobody: the conditions leave nobody.
    """
    quantity = QUANTITIES[target.quantity]
    parameters = quantity.of({**target.of, **changed})
    sample = _sample(samples, target.cohort)
    if not quantity.is_ratio:
        return quantity.compute(sample.select(target.where), parameters)
    if isinstance(target.versus, str):
        other = _sample(samples, target.versus).select(target.where)
    else:
        other = sample.select(target.versus or {})
    return quantity.compute(sample.select(target.where), other, parameters)


def _sample(samples: Mapping[str, Sample | Nobody | NotSimulated], cohort: str) -> Sample:
    if cohort not in samples:
        raise NotSimulated(f"no scenario of cohort {cohort}")
    found = samples[cohort]
    if not isinstance(found, Sample):
        raise found
    return found
