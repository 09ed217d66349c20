"""Two or more scenarios fitted to the same targets: which of them the targets prefer."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from metasim.targets.fit.run import Fit


@dataclass(frozen=True)
class Rival:
    """How a scenario fares against others.

    Attributes:
        name: of the scenario.
        probability: of the model after the targets were seen, all being alike before.
        predictive_score: log predictive density of the `check` targets, which the fit did not
            see; higher is better; nan without such targets.
        held_back: number of these targets.
        close: share of the fitted targets with |z| < 2 at the best point.
    """

    name: str
    probability: float
    predictive_score: float
    held_back: int
    close: float


def compare_rivals(fits: dict[str, Fit]) -> list[Rival]:
    """Model probabilities from the evidence, and predictive scores on held-back targets.

    Args:
        fits: name -> fit with draws, all to the same targets.
    """
    evidence = np.array([fit.log_evidence for fit in fits.values()])
    shares = np.exp(evidence - logsumexp(evidence))
    out = []
    for (name, fit), share in zip(fits.items(), shares, strict=True):
        z = fit.problem.z(fit.best_values, fit.best_errors)[fit.problem.fitted]
        score, size = predictive_score(fit)
        out.append(Rival(name, float(share), score, size, float((np.abs(z) < 2).mean())))
    return out


def predictive_score(fit: Fit) -> tuple[float, int]:
    """Log predictive density of the targets held back, and how many there are."""
    held = ~fit.problem.fitted
    if not held.any() or fit.emulator is None:
        return np.nan, 0
    log = fit.emulator.log_likelihood(fit.draws, fit.problem.published, fit.problem.spread, held)
    return float(logsumexp(log, b=fit.weights)), int(held.sum())


def rivals_text(rivals: list[Rival]) -> str:
    """The comparison as Markdown."""
    out = ["# Rival laws", ""]
    out.append(
        "| scenario | probability | score of held-back targets | fitted targets with abs(z) < 2 |"
    )
    out += ["|---|---|---|---|"]
    for one in rivals:
        score = f"{one.predictive_score:.2f} ({one.held_back})" if one.held_back else "-"
        out.append(f"| {one.name} | {one.probability:.3g} | {score} | {one.close:.0%} |")
    best = max(rivals, key=lambda one: one.probability)
    out += ["", f"Preferred by the fitted targets: {best.name}."]
    if best.held_back:
        ahead = max(rivals, key=lambda one: one.predictive_score)
        out += [f"Predicts the held-back targets best: {ahead.name}."]
    return "\n".join([*out, ""])
