"""What is fitted: free keys, cohorts, targets; and a target's values at a point of the priors."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from metasim.errors import ScenarioError
from metasim.scenario.explicit import explicit_toml
from metasim.scenario.schema import Scenario
from metasim.targets.fit.free import FreeKey, changes_of, values_of
from metasim.targets.published import standard_error
from metasim.targets.sample import Nobody, NotSimulated
from metasim.targets.schema import Target
from metasim.targets.score import BETWEEN_COHORTS
from metasim.targets.simulate import Plan, estimate, samples_of, simulate_cohorts
from metasim.terms import VERSION

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """Targets, the scenarios of their cohorts, and the keys that are free.

    Points of the quick layer share the random numbers of the patients: they differ by what the
    keys do. Those of the posterior have patients of their own: what is learnt from all of them
    together is then more than one of them tells, and its error is known.

    Attributes:
        plan: targets and scenarios; without targets that nothing simulates.
        keys: the free keys.
        patients: virtual patients of each scenario, but for the `sizes` of the targets file.
    """

    plan: Plan
    keys: tuple[FreeKey, ...]
    patients: int

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """The targets that are simulated."""
        return tuple(t for t in self.plan.targets.targets if t.cohort not in self.plan.missing)

    @cached_property
    def published(self) -> Floats:
        """Published values, shape (T,)."""
        return np.array([t.value for t in self.targets])

    @cached_property
    def spread(self) -> Floats:
        """Standard error of the published values and between cohorts, shape (T,)."""
        own = [standard_error(t, self.plan.targets.unit(t)) for t in self.targets]
        return np.asarray(np.hypot(own, BETWEEN_COHORTS * self.published), dtype=np.float64)

    @cached_property
    def fitted(self) -> NDArray[np.bool_]:
        """Which targets the fit may see, shape (T,)."""
        return np.array([t.use == "fit" for t in self.targets])

    @cached_property
    def texts(self) -> dict[str, tuple[str, ...]]:
        """Cohort -> its scenarios as text, which tells them apart."""
        return {
            cohort: tuple(explicit_toml(one) for one in several)
            for cohort, several in self.plan.scenarios.items()
        }

    @cached_property
    def fingerprint(self) -> str:
        """Tells fits apart: a resumed fit must have the same."""
        texts = [text for several in self.texts.values() for text in several]
        about = [VERSION, repr(self.keys), repr(self.targets), repr(self.sizes), *texts]
        return sha256("\n".join(about).encode()).hexdigest()

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Cohort -> virtual patients of each of its scenarios."""
        shares = self.plan.targets.fit.sizes
        return {
            name: max(1, round(self.patients * shares.get(name, 1.0)))
            for name in self.plan.scenarios
        }

    def values(self, u: Floats) -> dict[str, float]:
        """Values of the free keys at a point u of the unit cube, shape (d,)."""
        return {name: float(value) for name, value in values_of(self.keys, u).items()}

    def scenario_at(
        self, cohort: str, scenario: Scenario, u: Floats, own_patients: bool = False
    ) -> Scenario:
        """A cohort's scenario at a point; with `own_patients` other patients than at others."""
        values = self.values(u)
        mine = {
            key: values[f.name] for f in self.keys if f.cohort in ("", cohort) for key in f.moves
        }
        changes = changes_of(scenario, mine)
        if own_patients:
            said = np.append(u, scenario.run.rng_seed).tobytes()
            changes["run.rng_seed"] = int.from_bytes(sha256(said).digest()[:7], "big")
        return scenario.replace(changes)

    def simulated(self, u: Floats, own_patients: bool = False) -> tuple[Floats, Floats]:
        """Simulated values of the targets at a point, and their standard errors.

        Args:
            u: in the unit cube, shape (d,).
            own_patients: with random numbers of its own, the same in all cohorts.

        Returns:
            Two arrays of shape (T,); nan where a value cannot be told at this point, and all nan
            where the values of the keys make no scenario together.
        """
        values, errors = np.full((2, len(self.targets)), np.nan)
        try:
            there = {
                cohort: [self.scenario_at(cohort, one, u, own_patients) for one in several]
                for cohort, several in self.plan.scenarios.items()
            }
        except ScenarioError:
            return values, errors
        samples = samples_of(self.plan.targets, simulate_cohorts(there, self.sizes))
        for place, target in enumerate(self.targets):
            try:
                one_value = estimate(target, samples)
            except (Nobody, NotSimulated):
                continue
            if np.isfinite(one_value.standard_error):
                values[place], errors[place] = one_value.value, one_value.standard_error
        return values, errors

    def z(self, values: Floats, errors: Floats) -> Floats:
        """The z-scores of simulated values, shape (..., T)."""
        return np.asarray((values - self.published) / np.hypot(self.spread, errors))
