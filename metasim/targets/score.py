"""How far a simulated figure is from the published one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from metasim.targets.load import Targets
from metasim.targets.published import interval, standard_error
from metasim.targets.quantities import Estimate
from metasim.targets.sample import Nobody, NotSimulated, Sample
from metasim.targets.schema import Target
from metasim.targets.simulate import estimate

BETWEEN_COHORTS: Final = 0.1
"""What differs between any two real cohorts, as a share of the figure."""

CLOSE: Final = 2.0
FAR: Final = 4.0
AGREES, DIFFERS, FAILS = "agrees", "differs", "fails"


def z_score(
    simulated: float, simulated_error: float, published: float, published_error: float
) -> float:
    """Score z = (simulated - published) / sqrt(se_pub^2 + se_sim^2 + (0.1 published)^2).

    Args:
        simulated: the simulated figure.
        simulated_error: its standard error, by the number of virtual patients.
        published: the published figure.
        published_error: its standard error; 0 if it was published without an interval.
    """
    spread = np.sqrt(published_error**2 + simulated_error**2 + (BETWEEN_COHORTS * published) ** 2)
    return float((simulated - published) / spread) if spread > 0 else np.nan


@dataclass(frozen=True)
class Score:
    """A target beside its simulated value.

    Attributes:
        target: the published figure.
        unit: of its quantity.
        published: its interval; None: it has none.
        simulated: the value in the run; None: there is none.
        z: see `z_score`; nan if it cannot be told.
        verdict: agrees (|z| < 2), differs (up to 4), fails, or why it cannot be told.
    """

    target: Target
    unit: str
    published: tuple[float, float] | None
    simulated: Estimate | None
    z: float
    verdict: str

    @property
    def judged(self) -> bool:
        """Whether there is a z-score."""
        return bool(np.isfinite(self.z))


def score(targets: Targets, target: Target, found: Estimate) -> Score:
    """Score a simulated value against its target."""
    unit = targets.unit(target)
    ends = interval(target, unit)
    z = z_score(found.value, found.standard_error, target.value, standard_error(target, unit))
    size = abs(z)
    verdict = AGREES if size < CLOSE else DIFFERS if size < FAR else FAILS
    if not np.isfinite(z):
        verdict = f"cannot be told from {found.patients:,} patients"
    return Score(target, unit, ends, found, z, verdict)


def scores(
    targets: Targets,
    samples: Mapping[str, Sample | Nobody | NotSimulated],
    missing: Mapping[str, str] | None = None,
) -> list[Score]:
    """Score all targets in order.

    Args:
        targets: the targets.
        samples: cohort -> patients.
        missing: cohort -> why nothing simulates it yet.
    """
    out = []
    for target in targets.targets:
        unit = targets.unit(target)
        ends = interval(target, unit)
        try:
            if missing and target.cohort in missing:
                raise NotSimulated(missing[target.cohort])
            out.append(score(targets, target, estimate(target, samples)))
        except NotSimulated as why:
            out.append(Score(target, unit, ends, None, np.nan, f"not simulated: {why}"))
        except Nobody as why:
            out.append(Score(target, unit, ends, None, np.nan, f"nobody: {why}"))
    return out
