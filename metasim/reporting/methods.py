"""The methods of a run in words that can go into a paper."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from metasim.reporting.saved import by_status, values_of
from metasim.results.summary import PLURALS

if TYPE_CHECKING:
    from metasim.results.store import Results


def methods(results: "Results") -> str:
    """A paragraph: model, patients, follow-up, treatments, what was counted and how, values."""
    run, clock = results.scenario["run"], results.description
    about = results.summary.attrs
    version = results.provenance.get("metasim", "of unknown version")
    patients = results.provenance.get("patients", clock.patients)
    sentences = [
        f"We simulated {patients:,} virtual patients with metasim {version}, an agent-based model "
        "of the seven stages of the metastatic cascade of breast cancer on a graph of "
        f"{len(clock.organs)} organs ({', '.join(o.label.lower() for o in clock.organs)}).",
        _follow_up(run),
        _treatments(results),
        f"Random numbers were drawn from seed {run.get('rng_seed')}, each patient from a stream of "
        "her own, so that results do not depend on the computer or the number of processors.",
        f"We counted {PLURALS[about['counted']]}. Shares of patients are given with Wilson's 95 % "
        "intervals, numbers per patient with intervals of a Poisson mean widened by the observed "
        "dispersion, times as medians and quartiles.",
        "Cumulative incidence is the Aalen-Johansen estimate with death as a competing event, "
        "survival the Kaplan-Meier estimate; intervals hold the chance of the simulation, and not "
        "that values of the model may be wrong.",
        _values(by_status(values_of(results.scenario_toml))),
    ]
    return " ".join(filter(None, sentences))


def _follow_up(run: Mapping[str, object]) -> str:
    origin = "diagnosis" if run.get("follow_from") == "diagnosis" else "the start of the simulation"
    engine = run.get("engine", "colonies")
    drawn = "every cell as an agent" if engine == "cells" else "groups of identical cells"
    small = ""
    if run.get("small_cells") is not None and run.get("small_steps", 1) != 1:
        small = f" (colonies below {run['small_cells']:g} cells in {run['small_steps']} at once)"
    return (
        f"Patients were followed for {run['years']:g} years from {origin}, in steps of "
        f"{run.get('dt_days', 7):g} days{small}; the engine drew {drawn}."
    )


def _treatments(results: "Results") -> str:
    names = [one.name.replace("_", " ") for one in results.description.treatments]
    if not names:
        return "No patient was treated."
    shown = _joined(names if len(names) <= 8 else [*names[:7], f"{len(names) - 7} more"])
    return f"The plan of treatment, where its conditions held, was: {shown}."


def _values(counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    words = {"calibrated": "fitted to published figures", "assumed": "assumed",
             "user": "given by us", "measured": "measured in published work",
             "derived": "derived from published work", "saved": "of a saved scenario"}  # fmt: skip
    said = _joined([f"{number:,} {words[status]}" for status, number in counts.items()])
    return f"Of the {sum(counts.values()):,} values of the scenario, {said}."


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
