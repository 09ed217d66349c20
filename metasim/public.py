"""The public names of metasim, in one place: what `metasim.NAME` is and where it is defined."""

from typing import Final

HOMES: Final[dict[str, str]] = {
    # scenarios
    "load": "metasim.scenario.load:load",
    "Scenario": "metasim.scenario.schema:Scenario",
    # what is done with them
    "run": "metasim.runner.cohort:run",
    "sweep": "metasim.runner.sweep:sweep",
    "sensitivity": "metasim.runner.sensitivity:sensitivity",
    "watch": "metasim.watching:watch",
    "model_of": "metasim.watching:model_of",
    "read_targets": "metasim.targets.load:read_targets",
    "validate": "metasim.targets.validate:validate",
    "fit": "metasim.targets.fit.api:fit",
    "fit_rivals": "metasim.targets.fit.api:fit_rivals",
    # what comes of that
    "Results": "metasim.results.store:Results",
    "open_results": "metasim.results.store:open_results",
    "summarise": "metasim.results.summary:summarise",
    "split": "metasim.results.split:split",
    "compare": "metasim.results.compare:compare",
    "Comparison": "metasim.results.compare:Comparison",
    "Fit": "metasim.targets.fit.run:Fit",
    "Rivals": "metasim.targets.fit.api:Rivals",
    "Sweep": "metasim.results.sweeps:Sweep",
    "open_sweep": "metasim.results.sweeps:open_sweep",
    "Sensitivity": "metasim.results.sensitivity:Sensitivity",
    "open_sensitivity": "metasim.results.sensitivity:open_sensitivity",
    # cells of your own
    "CancerCell": "metasim.engines.cells:CancerCell",
    "CascadeModel": "metasim.engines.cells:CascadeModel",
    # names of the model
    "Stage": "metasim.terms:Stage",
    "Gate": "metasim.terms:Gate",
    "Route": "metasim.terms:Route",
    "Event": "metasim.terms:Event",
    "Factor": "metasim.law.factors:Factor",
    "FACTORS": "metasim.law.factors:FACTORS",
    # what to catch
    "MetasimError": "metasim.errors:MetasimError",
    "Mistake": "metasim.errors:Mistake",
    "ScenarioError": "metasim.errors:ScenarioError",
    "OptionError": "metasim.errors:OptionError",
    "UnknownOption": "metasim.errors:UnknownOption",
    "ResultsError": "metasim.errors:ResultsError",
    "LimitError": "metasim.errors:LimitError",
    "RunInterrupted": "metasim.errors:RunInterrupted",
    "MetasimWarning": "metasim.errors:MetasimWarning",
}
"""Name -> module and name in it. None is the name of a package of metasim as well: importing that
would put the package in its place."""

MODULES: Final[dict[str, str]] = {
    "plots": "metasim.results.plots",
    "outcomes": "metasim.results.outcomes",
}
"""Name -> module whose public names are reached through it."""
