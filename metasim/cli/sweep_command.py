"""What `metasim sweep` and `metasim sensitivity` do: run, draw, print where it lies."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metasim.cli.finish import Finish
from metasim.runner.vary import parse
from metasim.scenario.schema import Scenario
from metasim.terminal import pad, plain, say

if TYPE_CHECKING:
    from metasim.results.sensitivity import Sensitivity
    from metasim.results.sweeps import Sweep

_SHOWN = 3


def run_sweep(
    scenario: Scenario,
    vary: list[str],
    folder: Path,
    *,
    figures: bool,
    quiet: bool,
    finish: Finish,
    **options: Any,
) -> int:
    """Run a sweep and draw it; arguments as for `metasim.runner.sweep.sweep`.

    Returns:
        How many patients failed.
    """
    from metasim.runner.sweep import sweep

    done = sweep(scenario, [parse(one) for one in vary], output=folder, progress=not quiet,
                 **options)  # fmt: skip
    _close(done, folder, figures, quiet, finish)
    return len(done.failures)


def run_sensitivity(
    scenario: Scenario,
    vary: list[str],
    folder: Path,
    *,
    figures: bool,
    quiet: bool,
    finish: Finish,
    **options: Any,
) -> int:
    """Run a sensitivity study, print what drives each organ, draw it.

    Returns:
        How many patients failed.
    """
    from metasim.runner.sensitivity import sensitivity

    study = sensitivity(
        scenario, [parse(one) for one in vary], output=folder, progress=not quiet, **options
    )
    if not quiet:
        with finish.showing("ranking"):
            _print_ranking(study, scenario)
    _close(study, folder, figures, quiet, finish)
    return len(study.sweep.failures)


def _print_ranking(study: "Sensitivity", scenario: Scenario) -> None:
    print("what drives each organ, the strongest first, with 95 % intervals")
    for organ, rows in study.table.groupby("organ", sort=False):
        best = rows[rows["clear"]].nlargest(_SHOWN, "index")
        said = [f"{key} {index:.2g} +- {half:.1g}" for key, index, half in
                zip(best["key"], best["index"], best["half_width"], strict=True)]  # fmt: skip
        nothing = "nothing stands out from chance" if rows["index"].any() else "no metastases"
        soil = scenario.soil.get(str(organ))
        label = soil.label if soil and soil.label else str(organ).replace("_", " ")
        print(f"{pad(plain(label, lines=False), 18)} {', '.join(said) or nothing}")


def _close(
    done: "Sweep | Sensitivity", folder: Path, figures: bool, quiet: bool, finish: Finish
) -> None:
    say("results", f"{folder}{os.sep}")
    if figures:
        paths = draw_study(done, folder / "figures", finish)
        if paths and not quiet:
            say("figures", f"{folder / 'figures'}{os.sep} ({len(paths) // 2} as PNG and PDF)")


def draw_study(done: "Sweep | Sensitivity", folder: Path, finish: Finish) -> list[Path]:
    """Draw the figures of a study as far as they can be drawn; returns the files."""

    def draw(_: str) -> list[Path]:
        from metasim.results.plots.sweep import save_sweep_figures

        return save_sweep_figures(done, folder)

    return finish.figures(lambda: ["of the study"], draw)
