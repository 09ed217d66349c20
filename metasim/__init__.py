"""metasim: an agent-based simulation of the breast-cancer metastatic cascade.

Run a scenario, look at the outcome, tweak the soil::

    import metasim as ms

    base = ms.load("luminal_a")
    soft = base.replace({"soil.bone.niche": 0.9})
    a, b = ms.run(base), ms.run(soft)
    a.metastases, a.summary
    ms.plots.organ_counts(a)

Names are loaded when first used, so that importing metasim is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from metasim.public import HOMES, MODULES
from metasim.terms import VERSION as __version__

__all__ = [
    "FACTORS",
    "CancerCell",
    "CascadeModel",
    "Comparison",
    "Event",
    "Factor",
    "Fit",
    "Gate",
    "LimitError",
    "MetasimError",
    "MetasimWarning",
    "Mistake",
    "OptionError",
    "Results",
    "ResultsError",
    "Rivals",
    "Route",
    "RunInterrupted",
    "Scenario",
    "ScenarioError",
    "Sensitivity",
    "Stage",
    "Sweep",
    "UnknownOption",
    "__version__",
    "compare",
    "fit",
    "fit_rivals",
    "load",
    "model_of",
    "open_results",
    "open_sensitivity",
    "open_sweep",
    "outcomes",
    "plots",
    "read_targets",
    "run",
    "sensitivity",
    "split",
    "summarise",
    "sweep",
    "validate",
    "watch",
]

if TYPE_CHECKING:
    from metasim.engines.cells import CancerCell, CascadeModel
    from metasim.errors import (
        LimitError,
        MetasimError,
        MetasimWarning,
        Mistake,
        OptionError,
        ResultsError,
        RunInterrupted,
        ScenarioError,
        UnknownOption,
    )
    from metasim.law.factors import FACTORS, Factor
    from metasim.results import outcomes, plots
    from metasim.results.compare import Comparison, compare
    from metasim.results.sensitivity import Sensitivity, open_sensitivity
    from metasim.results.split import split
    from metasim.results.store import Results, open_results
    from metasim.results.summary import summarise
    from metasim.results.sweeps import Sweep, open_sweep
    from metasim.runner.cohort import run
    from metasim.runner.sensitivity import sensitivity
    from metasim.runner.sweep import sweep
    from metasim.scenario.load import load
    from metasim.scenario.schema import Scenario
    from metasim.targets.fit.api import Rivals, fit, fit_rivals
    from metasim.targets.fit.run import Fit
    from metasim.targets.load import read_targets
    from metasim.targets.validate import validate
    from metasim.terms import Event, Gate, Route, Stage
    from metasim.watching import model_of, watch


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return import_module(MODULES[name])
    if name in HOMES:
        module, _, own = HOMES[name].partition(":")
        return getattr(import_module(module), own)
    raise AttributeError(f"module 'metasim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
