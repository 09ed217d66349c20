"""The published trials that drug effects are calibrated to, in the women of the population.

Run `python -m tests.trials [patients]` to print the comparison.
"""

import sys
from dataclasses import dataclass
from functools import cache

import metasim as ms
from metasim.targets.load import Targets
from metasim.targets.quantities import Estimate
from metasim.targets.schema import Target
from metasim.targets.simulate import Plan, estimate, plan, samples_of

PATIENTS = 10_000
RNG_SEEDS = (31, 32, 33)
_ALLOWED = 0.03  # of a ratio that was published without an interval


@dataclass(frozen=True)
class Trial:
    """A cohort of `treatments` that is compared with another.

    Attributes:
        fitted: the target that the drug's effect was fitted to; the simulated interval lies within
            the published one.
        weaker: planted fault: what makes the treatment too weak to reproduce it.
        stronger: and too strong.
        also: targets that were not fitted; the simulated ratio lies within their interval.
    """

    fitted: str
    weaker: dict[str, float]
    stronger: dict[str, float]
    also: tuple[str, ...] = ()


TRIALS = {
    "trastuzumab": Trial(
        "trastuzumab_recurrence", {"hazard_per_day": 0.018}, {"hazard_per_day": 0.08},
        ("trastuzumab_death",),
    ),
    "bisphosphonate": Trial(
        "bisphosphonate_bone", {"duration_days": 90.0}, {"change.soil.bone.growth_factor": 0.1},
        ("bisphosphonate_distant",),
    ),
    "bisphosphonate_postmenopausal": Trial(
        "bisphosphonate_postmenopausal_bone", {"duration_days": 180.0}, {"hazard_per_day": 0.01},
    ),
    "chemotherapy": Trial("chemotherapy_recurrence", {"cycles": 2}, {"cycles": 20}),
    "endocrine": Trial(
        "endocrine_death", {"responding_fraction": 0.2}, {"responding_fraction": 0.6}
    ),
}  # fmt: skip
"""Cohort -> trial: EBCTCG 2021, 2015 (all women, post-menopausal women), 2008, 2005."""


@cache
def shipped() -> tuple[Targets, Plan]:
    """The shipped targets, and what simulates their cohorts."""
    targets = ms.read_targets("treatments")
    return targets, plan(targets)


def target(name: str) -> Target:
    """A target of `treatments`."""
    return next(t for t in shipped()[0].targets if t.id == name)


def ratios(
    name: str, patients: int, rng_seed: int, fault: dict[str, float] | None = None
) -> dict[str, Estimate]:
    """Simulated ratios of a trial, by target.

    Args:
        name: of the treated cohort.
        patients: virtual patients, the same in both arms.
        rng_seed: of the runs.
        fault: other values of the drug, the last treatment.
    """
    trial, (targets, made) = TRIALS[name], shipped()
    (treated,) = made.scenarios[name]
    planted = {f"treatment.{len(treated.treatment) - 1}.{k}": v for k, v in (fault or {}).items()}
    shared = {"run.patients": patients, "run.rng_seed": rng_seed}
    control = target(trial.fitted).versus
    runs = {
        control: [untreated(control, patients, rng_seed)],
        name: [ms.run(treated.replace(shared | planted), progress=False)],
    }
    samples = samples_of(targets, runs)
    return {one: estimate(target(one), samples) for one in (trial.fitted, *trial.also)}


@cache
def untreated(cohort: str, patients: int, rng_seed: int) -> ms.Results:
    """The other arm, which several trials and their faults have in common."""
    (scenario,) = shipped()[1].scenarios[cohort]
    shared = {"run.patients": patients, "run.rng_seed": rng_seed}
    return ms.run(scenario.replace(shared), progress=False)


def interval(one: Target) -> tuple[float, float]:
    """The published interval, or the value and what is allowed."""
    if one.low is None or one.high is None:
        return one.value - _ALLOWED, one.value + _ALLOWED
    return one.low, one.high


def inside(found: dict[str, Estimate], trial: Trial) -> bool:
    """Whether the simulated ratios agree with the published ones."""
    low, high = interval(target(trial.fitted))
    fitted = found[trial.fitted]
    others = [(found[one].value, *interval(target(one))) for one in trial.also]
    return bool(
        low < fitted.low and fitted.high < high and all(a < value < b for value, a, b in others)
    )


if __name__ == "__main__":
    patients = int(sys.argv[1]) if len(sys.argv) > 1 else PATIENTS
    for name in TRIALS:
        for rng_seed in RNG_SEEDS:
            found = ratios(name, patients, rng_seed)
            for one, ratio in found.items():
                low, high = interval(target(one))
                said = f"published {target(one).value:.2f} ({low:.2f}-{high:.2f})"
                print(f"rng_seed {rng_seed}: {one} {ratio.value:.3f} "
                      f"({ratio.low:.3f}-{ratio.high:.3f}), {said}", flush=True)  # fmt: skip
