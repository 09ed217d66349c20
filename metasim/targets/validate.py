"""Hold scenarios against published figures: run what the targets need, and score each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from metasim.checked import checked
from metasim.errors import Mistake, OptionError
from metasim.results.store import Results
from metasim.runner.cohort import run
from metasim.scenario.explicit import explicit_toml
from metasim.scenario.schema import Scenario
from metasim.targets.load import Targets, TargetsError
from metasim.targets.published import standard_error
from metasim.targets.sample import Nobody, NotSimulated, Sample
from metasim.targets.score import BETWEEN_COHORTS, CLOSE, FAR, Score, scores
from metasim.targets.simulate import Plan, plan, samples_of

MOST_PATIENTS: Final = 20_000
"""Patients of a scenario at most, unless told otherwise."""
_PILOT: Final = 2_000
_SMALL: Final = 0.3  # simulation error beside the published one


@dataclass(frozen=True)
class Validation:
    """A judged set of targets.

    Attributes:
        targets: the targets.
        scores: one per target, in order.
        samples: cohort -> simulated patients, for curves.
        patients: cohort -> how many patients of each of its scenarios were simulated.
    """

    targets: Targets
    scores: list[Score]
    samples: dict[str, Sample | Nobody | NotSimulated]
    patients: dict[str, int]

    def refuse_nobody(self) -> None:
        """Refuse conditions that leave nobody.

        Raises:
            TargetsError: naming every such target.
        """
        wrong = [s for s in self.scores if s.verdict.startswith("nobody")]
        if wrong:
            said = [Mistake(f"targets.{s.target.id}", s.verdict.partition(": ")[2]) for s in wrong]
            raise TargetsError(self.targets.source, said)


@checked()
def validate(
    targets: Targets,
    scenario: str | Scenario | None = None,
    *,
    most_patients: int = MOST_PATIENTS,
    changes: dict[str, object] | None = None,
    workers: int | None = None,
    progress: bool = True,
    prepare: Callable[[Scenario], object] | None = None,
) -> Validation:
    """Simulate every cohort once and score its targets.

    A first round of 2,000 patients tells how many are needed to make the error of the simulation
    0.3 times that of the published figure (which includes what differs between real cohorts).

    Args:
        targets: from `read_targets`.
        scenario: of the cohorts that name none.
        most_patients: of each scenario, at most.
        changes: key path -> value, in every scenario.
        workers: local processes; None: as many as pay.
        progress: show progress on standard error.
        prepare: called with a scenario before the first patient.

    Raises:
        TargetsError: no scenario simulates a cohort.

    Example:
        >>> targets = ms.read_targets("calibration")
        >>> judged = ms.validate(targets)  # doctest: +SKIP
        >>> [score.z for score in judged.scores]  # doctest: +SKIP
    """
    if most_patients < 1:
        raise OptionError(f"--most-patients {most_patients}: at least 1 patient is needed")
    made = plan(targets, scenario, changes)
    runs: dict[str, Results] = {}
    sizes: dict[str, int] = {}

    def complete(wanted: dict[str, int]) -> dict[str, Sample | Nobody | NotSimulated]:
        for several in made.scenarios.values():
            for one in several:
                text = explicit_toml(one)
                if text not in runs and prepare is not None:
                    prepare(one)
                if sizes.get(text, 0) < wanted[text]:
                    asked = one.replace({"run.patients": wanted[text]})
                    runs[text] = run(asked, progress=progress, workers=workers)
                    sizes[text] = wanted[text]
        by_cohort = {
            name: [runs[explicit_toml(one)] for one in several]
            for name, several in made.scenarios.items()
        }
        return samples_of(targets, by_cohort)

    pilot = min(_PILOT, most_patients)
    texts = [explicit_toml(one) for several in made.scenarios.values() for one in several]
    samples = complete(dict.fromkeys(texts, pilot))
    first = scores(targets, samples, made.missing)
    samples = complete(_needed(made, first, pilot, most_patients))
    final = scores(targets, samples, made.missing)
    patients = {
        name: max(sizes[explicit_toml(one)] for one in several)
        for name, several in made.scenarios.items()
    }
    return Validation(targets, final, samples, patients)


def judge(targets: Targets, results: Sequence[Results]) -> Validation:
    """Score targets in finished runs, pooled: every cohort is taken from them.

    Args:
        targets: from `read_targets`.
        results: recorded at level metastases or more.

    Raises:
        TargetsError: a target is a ratio to another cohort, which one run cannot hold.
    """
    wrong = [t for t in targets.targets if isinstance(t.versus, str)]
    if wrong:
        message = f"is a ratio to cohort {wrong[0].versus}, which a results folder does not hold"
        raise TargetsError(targets.source, [Mistake(f"targets.{wrong[0].id}.versus", message)])
    for one in results:
        one.arrow("metastases")  # says so where it was not recorded
    samples = samples_of(targets, dict.fromkeys(targets.cohorts, results))
    size = sum(len(one.patients) for one in results)
    sizes = dict.fromkeys(targets.cohorts, size)
    return Validation(targets, scores(targets, samples), samples, sizes)


def _needed(made: Plan, first: Sequence[Score], pilot: int, most: int) -> dict[str, int]:
    """Patients of each scenario (by its text) that make the simulation's error small."""
    out: dict[str, int] = {}
    for one in first:
        wanted = most
        if one.judged and one.simulated is not None:
            published = np.hypot(
                standard_error(one.target, one.unit), BETWEEN_COHORTS * one.target.value
            )
            ratio = one.simulated.standard_error / (_SMALL * published) if published else np.inf
            wanted = int(np.clip(np.ceil(pilot * ratio**2), pilot, most)) if ratio < 1e3 else most
        cohorts = [one.target.cohort]
        cohorts += [one.target.versus] if isinstance(one.target.versus, str) else []
        for name in cohorts:
            for scenario in made.scenarios.get(name, ()):
                text = explicit_toml(scenario)
                out[text] = max(out.get(text, pilot), wanted)
    return out


@dataclass(frozen=True)
class Bar:
    """What a scorecard has to reach.

    Attributes:
        share: of the targets that have to lie within |z| < 2; those not simulated do not.
        furthest: |z| that none may exceed.
    """

    share: float
    furthest: float = FAR

    @classmethod
    def parse(cls, text: str) -> "Bar":
        """A bar as "90%" or "90%:4".

        Raises:
            OptionError: it is neither.
        """
        share, _, furthest = text.partition(":")
        try:
            bar = cls(float(share.removesuffix("%")) / 100, float(furthest or FAR))
        except ValueError:
            bar = cls(-1)
        if not (share.endswith("%") and 0 <= bar.share <= 1 and bar.furthest > 0):
            raise OptionError(
                f'--require {text}: give a percentage of targets with |z| < 2, such as "90%", '
                'and after a colon the |z| that none may exceed, such as "90%:4"'
            )
        return bar

    def verdict(self, judged: Sequence[Score]) -> tuple[bool, str]:
        """Whether it is reached, and in words why."""
        close = sum(abs(s.z) < CLOSE for s in judged)
        worst = max((abs(s.z) for s in judged if s.judged), default=0.0)
        met = close >= self.share * len(judged) and worst <= self.furthest
        untold = sum(not s.judged for s in judged)
        said = f"{close} of {len(judged)} targets have |z| < 2"
        said += f" ({untold} could not be judged)" if untold else ""
        said += f", the largest |z| is {worst:.1f}; required: {self.share:.0%} and at most "
        return met, f"{said}{self.furthest:g}"
