"""What a fit leaves: posterior.parquet, best.toml, report.md."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tomlkit
from numpy.typing import NDArray

from metasim.targets.fit.free import changes_of
from metasim.targets.fit.run import Fit
from metasim.targets.schema import Free
from metasim.targets.scorecard import number

if TYPE_CHECKING:
    import pandas as pd

    from metasim.scenario.schema import Scenario

Floats = NDArray[np.float64]
_UNDECIDED: Final = 0.8  # of the prior's spread that is left
_TRADED: Final = 0.6  # correlation
_ENOUGH: Final = 50  # effective draws
TOO_FEW: Final = (
    "Too few draws count: where no point comes near the targets, the emulator cannot tell the "
    "points apart. Take the posterior as rough, and look at the z-scores first."
)


def save_fit(fit: Fit, source: str, scenario: "Scenario | None", folder: Path) -> list[Path]:
    """Write what a fit leaves; each file appears whole.

    Args:
        fit: from `run_fit`.
        source: the scenario that was fitted, which best.toml extends.
        scenario: the same, loaded; None: cohorts had their own, so that there is no best.toml.
        folder: where to.
    """
    out = [_written(folder / "report.md", report(fit, source))]
    if scenario is not None:
        out.append(_written(folder / "best.toml", best_toml(fit, source, scenario, folder)))
    if len(fit.draws):
        out += _figures(fit, folder)
        path = folder / "posterior.parquet"
        fit.posterior().to_parquet(path.with_suffix(".tmp"), index=False)
        os.replace(path.with_suffix(".tmp"), path)
        out.append(path)
    return out


def _figures(fit: Fit, folder: Path) -> list[Path]:
    from metasim.results.plots.save import save_figure
    from metasim.targets.fit.plots import posteriors, predictions

    drawn = {"posteriors": posteriors(fit)[0], "predictions": predictions(fit)}
    out = []
    for name, ax in drawn.items():
        out += save_figure(ax, folder / name)
    return out


def table_of(fit: Fit) -> "pd.DataFrame":
    """What is known of the free keys, see `metasim.targets.fit.run.Fit.table`."""
    import pandas as pd

    left, rows = narrowed(fit), []
    for place, free in enumerate(fit.problem.keys):
        middle, low, high = interval(fit, place) if len(fit.draws) else (np.nan,) * 3
        rows.append({
            "key": free.label, "prior_low": free.prior.low, "prior_high": free.prior.high,
            "best": free.value(float(fit.best[place])), "median": middle, "low": low, "high": high,
            "spread_left": left[place],
        })  # fmt: skip
    return pd.DataFrame(rows).set_index("key")


def judged_of(fit: Fit) -> "pd.DataFrame":
    """How every target fares, see `metasim.targets.fit.run.Fit.judged`."""
    import pandas as pd

    z, rows = fit.problem.z(fit.best_values, fit.best_errors), []
    for place, target in enumerate(fit.problem.targets):
        low, high = predicted(fit, place)
        rows.append({
            "target": target.id, "use": target.use, "published": target.value,
            "best": fit.best_values[place], "z": z[place], "low": low, "high": high,
        })  # fmt: skip
    return pd.DataFrame(rows).set_index("target")


def predicted(fit: Fit, place: int) -> tuple[float, ...]:
    """Central 95 % of a target's simulated values at the draws; nan if it cannot be told."""
    if not len(fit.draws):
        return np.nan, np.nan
    good = np.isfinite(fit.values[:, place])
    if not fit.weights[good].sum():
        return np.nan, np.nan
    weights = fit.weights[good] / fit.weights[good].sum()
    return quantiles(fit.values[good, place], weights, (0.025, 0.975))


def centre(fit: Fit) -> Floats:
    """The point that best.toml gives: the quick layer's."""
    return fit.best


def best_toml(fit: Fit, source: str, scenario: "Scenario", folder: Path) -> str:
    """A scenario file that extends the fitted one, its values marked as calibrated."""
    values = fit.problem.values(centre(fit))
    mine = {key: values[f.name] for f in fit.problem.keys if not f.cohort for key in f.moves}
    document = tomlkit.document()
    targets = fit.problem.plan.targets
    cited = targets.title or targets.source
    document.add(tomlkit.comment(f"Fitted by metasim to: {cited}"))
    path = Path(source)
    document["extends"] = os.path.relpath(path, folder) if path.is_file() else source
    for key, value in changes_of(scenario, mine).items():
        annotated = tomlkit.inline_table()
        annotated.update({"value": value, "status": "calibrated", "note": f"fitted to: {cited}"})
        if key.startswith("patients."):
            document.setdefault("patients", tomlkit.table())[key.removeprefix("patients.")] = (
                annotated
            )
            continue
        table: Any = document
        *above, name = key.split(".")
        for part in above:
            table = table.setdefault(part, tomlkit.table())
        table[name] = annotated
    return tomlkit.dumps(document)


def report(fit: Fit, source: str) -> str:
    """The report as Markdown."""
    lines = [f"# Fit of {source} to {fit.problem.plan.targets.title or 'targets'}", ""]
    lines += [*_parameters(fit), *_undecided(fit), *_traded(fit), *_targets(fit), *_effort(fit)]
    return "\n".join(lines) + "\n"


def interval(fit: Fit, place: int) -> tuple[float, float, float]:
    """Posterior median of what a prior is of, with its central 90 % interval."""
    values = fit.problem.keys[place].value(fit.draws[:, place])
    low, middle, high = quantiles(values, fit.weights, (0.05, 0.5, 0.95))
    return middle, low, high


def quantiles(values: Floats, weights: Floats, shares: tuple[float, ...]) -> tuple[float, ...]:
    """Quantiles of weighted values."""
    order = np.argsort(values, kind="stable")
    places = np.cumsum(weights[order]) - weights[order] / 2
    return tuple(float(x) for x in np.interp(shares, places, values[order]))


def narrowed(fit: Fit) -> Floats:
    """Spread of each key's posterior beside its prior's, in the prior's own probabilities, (d,)."""
    if not len(fit.draws):
        return np.sqrt(12 * np.diag(fit.covariance))
    mean = fit.weights @ fit.draws
    return np.asarray(np.sqrt(12 * (fit.weights @ (fit.draws - mean) ** 2)))


def _parameters(fit: Fit) -> list[str]:
    out = ["## Priors and posteriors", ""]
    out += ["| key | prior | best | posterior median (90 % interval) | spread left |"]
    out += ["|---|---|---|---|---|"]
    left = narrowed(fit)
    for place, free in enumerate(fit.problem.keys):
        prior = _prior_said(free.prior)
        said = "-"
        if len(fit.draws):
            middle, low, high = interval(fit, place)
            said = f"{middle:.4g} ({low:.4g} to {high:.4g})"
        best = f"{free.value(float(fit.best[place])):.4g}"
        out.append(f"| `{free.label}` | {prior} | {best} | {said} | {left[place]:.0%} |")
    out += ["", "Spread left: of the posterior, beside the prior's."]
    if not len(fit.draws):
        out[-1] += " Without draws it is worked out from the slopes at the best point."
    notes = [f"- `{f.label}`: {f.prior.note}" for f in fit.problem.keys if f.prior.note]
    return [*out, "", *(["What the priors are known from:", "", *notes, ""] if notes else [])]


def _prior_said(prior: Free) -> str:
    """A prior in words: its range, and the middle with a standard deviation to either side."""
    said = f"{prior.low:g} to {prior.high:g}"
    if prior.centre is not None and prior.sd is not None:
        spread = f"times/÷ {np.exp(prior.sd):.3g}" if prior.scale == "log" else f"± {prior.sd:g}"
        said = f"{prior.centre:g} {spread}, {said}"
    return f"{said}, {prior.scale}"


def _undecided(fit: Fit) -> list[str]:
    wide = [f.label for f, x in zip(fit.problem.keys, narrowed(fit), strict=True) if x > _UNDECIDED]
    out = ["## What the targets do not decide", ""]
    if not wide:
        return [*out, "Every free key is narrower than its prior.", ""]
    return [*out, *(
        f"- `{name}`: what was known before is about all that is known now." for name in wide
    ), ""]  # fmt: skip


def _traded(fit: Fit) -> list[str]:
    if len(fit.draws):
        spread = np.atleast_2d(np.cov(fit.draws.T, aweights=fit.weights))
    else:
        spread = fit.covariance
    scale = np.sqrt(np.diag(spread))
    correlation = spread / np.outer(scale, scale)
    names = [free.label for free in fit.problem.keys]
    pairs = [
        f"- `{names[i]}` and `{names[j]}`: correlation {correlation[i, j]:+.2f}"
        for i in range(len(names))
        for j in range(i)
        if abs(correlation[i, j]) > _TRADED
    ]
    nothing = f"No two keys have a correlation beyond {_TRADED:g}."
    return ["## Pairs that trade off", "", *(pairs or [nothing]), ""]


def _targets(fit: Fit) -> list[str]:
    z = fit.problem.z(fit.best_values, fit.best_errors)
    out = ["## Targets", "", "| target | use | published | best | z | predicted (95 %) |"]
    out += ["|---|---|---|---|---|---|"]
    for place, target in enumerate(fit.problem.targets):
        unit = fit.problem.plan.targets.unit(target)
        low, high = predicted(fit, place)
        known = np.isfinite(low)
        said = f"{number(low, unit)} to {number(high, unit)}" if known else "-"
        label = target.label or target.id
        out.append(
            f"| {label}, {unit} | {target.use} | {number(target.value, unit)} | "
            f"{number(fit.best_values[place], unit)} | {z[place]:+.1f} | {said} |"
        )
    check = "Targets of use `check` were held back from the fit: they test it."
    return [*out, "", check, "The predicted interval holds the chance of the simulation too.", ""]


def _effort(fit: Fit) -> list[str]:
    several = fit.problem.plan.scenarios
    size = sum(fit.problem.sizes[name] * len(some) for name, some in several.items())
    out = ["## Effort", "", f"- Simulations: {fit.known:,}, {fit.simulated:,} of them now"]
    out += [f"- Patients of each: at most {size:,}", f"- Time: {fit.seconds:.0f} s"]
    if len(fit.draws):
        out += [f"- Draws: {len(fit.draws):,}, effective {fit.effective:.0f}"]
        out += [f"- Log evidence: {fit.log_evidence:.2f}"]
        if fit.effective < min(_ENOUGH, len(fit.draws) / 2):
            out += ["", TOO_FEW]
    return out


def _written(path: Path, text: str) -> Path:
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)
    return path
