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

from metasim.terms import VERSION as __version__

_HOME = {
    "load": "metasim.scenario.load",
    "Scenario": "metasim.scenario.schema",
    "run": "metasim.runner.cohort",
    "sweep": "metasim.runner.sweep",
    "sensitivity": "metasim.runner.sensitivity",
    "open_sweep": "metasim.results.sweeps",
    "open_sensitivity": "metasim.results.sensitivity",
    "Results": "metasim.results.store",
    "open_results": "metasim.results.store",
    "summarise": "metasim.results.summary",
    "compare": "metasim.results.compare",
    "MetasimError": "metasim.errors",
    "ScenarioError": "metasim.errors",
    "ResultsError": "metasim.errors",
    "LimitError": "metasim.errors",
    "CancerCell": "metasim.engines.cells",
    "watch": "metasim.watch",
}
_MODULES = {"plots": "metasim.results.plots", "outcomes": "metasim.results.outcomes"}

__all__ = [*_HOME, *_MODULES, "__version__"]

if TYPE_CHECKING:
    from metasim.engines.cells import CancerCell
    from metasim.errors import LimitError, MetasimError, ResultsError, ScenarioError
    from metasim.results import outcomes, plots
    from metasim.results.compare import compare
    from metasim.results.sensitivity import open_sensitivity
    from metasim.results.store import Results, open_results
    from metasim.results.summary import summarise
    from metasim.results.sweeps import open_sweep
    from metasim.runner.cohort import run
    from metasim.runner.sensitivity import sensitivity
    from metasim.runner.sweep import sweep
    from metasim.scenario.load import load
    from metasim.scenario.schema import Scenario
    from metasim.watch import watch


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'metasim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
