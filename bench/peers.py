"""The colony engine against COPASI and libRoadRunner on one model, with the exact moments of it.

6 organs x 4 stages (colony, invaded, arrested, disseminated); cells divide, die and move by rates
taken from the law's arrays. All are linear, so mean and variance are known exactly, and each
program is held against them in the same run: a variance counts as right while it lies where chance
alone may take it, given the number of runs and the exact fourth cumulant. COPASI's leaping methods
get the loosest Epsilon at which they are right. The odds of colonization fall with the tumour's
size: about thirty colonies at every size, while the cells on their way grow with it.

The peers work in continuous time, the engine in steps of half a day. Its rates are such that a
cell's mean stay in a stage (10 days) is the same: the cells on their way are then 0.8 % too many.
Alone: python -m bench peers
"""

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.stats import chi2, norm

from bench.report import Report
from metasim.engines.colonies import prepare
from metasim.law.arrays import Law
from metasim.law.vessels import walk_matrix
from metasim.parameters.course import course_of
from metasim.parameters.rates import law_of
from metasim.runner import streams
from metasim.scenario.schema import Scenario
from metasim.terms import Tally, install_line

Array = NDArray[np.float64]

DAYS = 60.0
SIZES = (10**3, 10**5, 10**7, 10**9)
ORGANS = ("breast", "lung", "liver", "bone", "brain", "other")
_STAGES = 4
_ROWS = ((0, 5, 6), (1,), (3,), (4,))  # of the tallies, for the four stages
_RUNS = 200
_FEWEST_RUNS = 100  # fewer say too little about a variance
_LEVEL = 1e-4  # of one variance: some sixty of them are right at once with over 99 %
_OFF_PERCENT = 1.0  # of the mean, that is allowed to all beyond chance
_SECONDS = 20.0  # for each program and size
_HOPELESS = 60.0  # seconds for a single run
_MOST_STEPS = 2_000_000_000  # of COPASI, which gives up after a million unless told
_EXACT = ("COPASI direct", "libRoadRunner gillespie")  # right by construction
_LEAPING = ("tau-leap", "adaptive")
_COPASI = {"direct": "Stochastic (Direct method)", "tau-leap": "Stochastic (τ-Leap)",
           "adaptive": "Stochastic (Adaptive SSA/τ-Leap)"}  # fmt: skip
_DT_DAYS = 0.5
_STAGE_PER_DAY = 0.1
_EPSILONS = (0.1, 0.03, 0.01, 0.003, 0.001)  # COPASI's own: 0.001 tau-leap, 0.03 adaptive


class UnfinishedError(Exception):
    """A program gave up before the last day."""


@dataclass(frozen=True)
class Model:
    """A linear jump process: reaction r takes one of `source[r]` and leaves `change[r]`.

    Attributes:
        rates: (R,) per day and individual.
        source: (R,) state whose individuals react.
        change: (R, S) what a reaction adds to each state.
        initial: (S,) individuals at the start.
    """

    rates: Array
    source: NDArray[np.int64]
    change: NDArray[np.int64]
    initial: Array

    def cumulants(self) -> Array:
        """Exact cumulants of (cells in colonies, cells on their way) after `DAYS`: (2, 4).

        The individuals at the start are independent, so that their cumulants add up; the raw
        moments of the descendants of one follow from the backward equations.
        """
        size = len(self.initial)
        pairs = np.full((len(self.rates), 2), size)  # what a reaction leaves; `size` is nobody
        for r, (source, change) in enumerate(zip(self.source, self.change, strict=True)):
            made = change.copy()
            made[source] += 1
            left = np.repeat(np.arange(size), made)
            pairs[r, : len(left)] = left
        out = []
        for counted in np.tile(_PARTS, (1, len(ORGANS))):
            start = np.array([counted**k for k in range(1, 5)])
            end = solve_ivp(self._slope, (0, DAYS), start.ravel(), args=(pairs,), rtol=1e-10,
                            atol=1e-14).y[:, -1]  # fmt: skip
            out.append(_cumulants(end.reshape(4, size)) @ self.initial)
        return np.array(out)

    def _slope(self, _: float, y: Array, pairs: NDArray[np.int64]) -> Array:
        size = len(self.initial)
        moments = np.zeros((5, size + 1))
        moments[0], moments[1:, :size] = 1.0, y.reshape(4, size)
        one, other = moments[:, pairs[:, 0]], moments[:, pairs[:, 1]]
        slopes = []
        for k in range(1, 5):
            left = sum(comb(k, j) * one[j] * other[k - j] for j in range(k + 1))
            speed = self.rates * (left - moments[k, self.source])
            slopes.append(np.bincount(self.source, speed, size))
        return np.concatenate(slopes)


def _cumulants(moments: Array) -> Array:
    """First four cumulants from as many raw moments, along the first axis."""
    m1, m2, m3, m4 = moments
    return np.array([
        m1,
        m2 - m1**2,
        m3 - 3 * m2 * m1 + 2 * m1**3,
        m4 - 4 * m3 * m1 - 3 * m2**2 + 12 * m2 * m1**2 - 6 * m1**4,
    ])  # fmt: skip


_PARTS = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0]])  # colonies; on their way


def scenario(cells: int) -> Scenario:
    """A tumour of that size in the breast, that sheds into a ring of five other organs."""
    per_day = -np.log1p(-_STAGE_PER_DAY * _DT_DAYS) / _DT_DAYS  # to leave at 0.1 a day on average
    passing = ("invasion", "intravasation", "arrest", "extravasation")
    share = dict.fromkeys(ORGANS[1:], 0.2)
    names = ("intravasation", "extravasation", "colonization")
    return Scenario.model_validate(
        {
            "run": {"years": DAYS / 365.25, "dt_days": _DT_DAYS, "record_every_days": DAYS},
            "seed": {},
            "gates": {**{gate: {"base_odds": 1.0} for gate in passing},
                      "colonization": {"base_odds": 500.0 / cells}},
            "rates": {"invasion_per_day": 1e-2, "border_exponent": 1.0,
                      **{f"{name}_per_day": per_day for name in names}},
            "circulation": {"death_prob_per_pass": 0.2},
            "growth": {"law": "exponential", "rho_per_day": 0.02, "turnover_per_day": 0.03},
            "primary": {"organ": "breast", "initial_cells": cells},
            "soil": {organ: {} for organ in ORGANS},
            "vessels": {"blood": {"breast": {"pool": 1.0}, "pool": share,
                                  **{organ: {"pool": 1.0} for organ in ORGANS[1:]}}},
        }
    )  # fmt: skip


def model_of(law: Law, cells: int) -> Model:
    """The jump process of a law with one phenotype, no clusters, no dormancy, no washout."""
    walk = walk_matrix(law.hop, law.gate_arrest, law.death_per_pass)[0, : len(ORGANS), 0, 0]
    intravasation, extravasation, colonization = (
        float(-np.expm1(-rate[0, 0] * _DT_DAYS) / _DT_DAYS)
        for rate in (law.intravasation_per_day, law.extravasation_per_day, law.colonization_per_day)
    )
    shed = law.invasion_per_day[0, 0]
    reactions: list[tuple[float, int, list[int]]] = []
    for o in range(len(ORGANS)):
        colony, invaded, arrested, disseminated = (_STAGES * o + stage for stage in range(_STAGES))
        death = law.death[0, o, 0]
        reactions += [(death + law.rho[0, o, 0], colony, [colony, colony]), (death, colony, [])]
        for rate, passing, start, end in (
            (shed, law.gate_invasion, colony, invaded),
            (extravasation, law.gate_extravasation, arrested, disseminated),
            (colonization, law.gate_colonization, disseminated, colony),
        ):
            chance = passing[0, o, 0]
            reactions += [(rate * chance, start, [end]), (rate * (1 - chance), start, [])]
        onward = law.gate_intravasation[0, o, 0] * walk[o]
        reactions += [(intravasation * p, invaded, [_STAGES * j + 2]) for j, p in enumerate(onward)]
        reactions.append((intravasation * (1 - onward.sum()), invaded, []))
    reactions = [reaction for reaction in reactions if reaction[0] > 0]
    change = np.zeros((len(reactions), _STAGES * len(ORGANS)), np.int64)
    for r, (_, source, products) in enumerate(reactions):
        change[r, source] -= 1
        for made in products:
            change[r, made] += 1
    initial = np.zeros(change.shape[1])
    initial[0] = cells
    rates, sources = (np.array(column) for column in list(zip(*reactions, strict=True))[:2])
    return Model(rates, sources, change, initial)


def sbml(model: Model) -> str:
    """The model as SBML, which both programs read."""
    species = "".join(
        f'<species id="S{i}" compartment="c" initialAmount="{n:.0f}" hasOnlySubstanceUnits="true" '
        'boundaryCondition="false" constant="false" substanceUnits="item"/>'
        for i, n in enumerate(model.initial)
    )
    reactions = "".join(
        f'<reaction id="R{r}" reversible="false" fast="false"><listOfReactants>'
        f'<speciesReference species="S{s}" stoichiometry="1" constant="true"/></listOfReactants>'
        + _products(model.change[r], s)
        + '<kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/>'
        f"<ci>k{r}</ci><ci>S{s}</ci></apply></math></kineticLaw></reaction>"
        for r, s in enumerate(model.source)
    )
    constants = "".join(
        f'<parameter id="k{r}" value="{rate!r}" constant="true"/>'
        for r, rate in enumerate(model.rates.tolist())
    )
    return (
        '<?xml version="1.0"?><sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" '
        'level="3" version="1"><model id="cascade" substanceUnits="item" extentUnits="item" '
        'timeUnits="second" volumeUnits="litre"><listOfCompartments><compartment id="c" size="1" '
        f'constant="true"/></listOfCompartments><listOfSpecies>{species}</listOfSpecies>'
        f"<listOfParameters>{constants}</listOfParameters>"
        f"<listOfReactions>{reactions}</listOfReactions></model></sbml>"
    )


def _products(change: NDArray[np.int64], source: int) -> str:
    made = change.copy()
    made[source] += 1
    items = "".join(
        f'<speciesReference species="S{i}" stoichiometry="{n}" constant="true"/>'
        for i, n in enumerate(made) if n
    )  # fmt: skip
    return f"<listOfProducts>{items}</listOfProducts>" if items else ""


Runner = Callable[[int], Array]
"""(number of the run) -> (cells in colonies, cells on their way) after `DAYS`."""


def _metasim(cells: int) -> Runner:
    asked = scenario(cells)
    draw = prepare(law_of(asked), course_of(asked))

    def run(k: int) -> Array:
        record = draw(0, streams.generator(1, k, 1), streams.generator(1, k, 2), True)
        stages = record.tallies[-1, :, :, Tally.CELLS].sum(axis=1)
        counted = [stages[list(rows)].sum() for rows in _ROWS]
        return _PARTS @ np.array(counted, dtype=float)

    return run


def _copasi(method: str, epsilon: float | None = None) -> Callable[[Model], Runner]:
    def prepare_run(model: Model) -> Runner:
        import basico

        basico.load_model_from_string(sbml(model))
        settings = {"name": _COPASI[method]} | ({} if epsilon is None else {"Epsilon": epsilon})
        basico.set_task_settings(basico.T.TIME_COURSE, {"method": settings})
        said = basico.get_task_settings(basico.T.TIME_COURSE)["method"]
        assert all(said[name] == value for name, value in settings.items())

        def run(k: int) -> Array:
            table = basico.run_time_course(
                DAYS, intervals=1, use_seed=True, seed=k + 1, use_numbers=True,
                update_model=False, max_steps=_MOST_STEPS,
            )  # fmt: skip
            if abs(table.index[-1] - DAYS) > 1e-9:
                raise UnfinishedError
            last = table.iloc[-1][[f"S{i}" for i in range(len(model.initial))]].to_numpy(float)
            return _PARTS @ last.reshape(len(ORGANS), _STAGES).sum(axis=0)

        return run

    return prepare_run


def _roadrunner(model: Model) -> Runner:
    import roadrunner

    program = roadrunner.RoadRunner(sbml(model))
    program.setIntegrator("gillespie")
    program.timeCourseSelections = ["time", *(f"S{i}" for i in range(len(model.initial)))]

    def run(k: int) -> Array:
        program.resetToOrigin()
        program.integrator.seed = k + 1
        last = np.asarray(program.simulate(0, DAYS, 2))[-1, 1:]
        return _PARTS @ last.reshape(len(ORGANS), _STAGES).sum(axis=0)

    return run


Variants = list[tuple[str, Callable[[Model], Runner]]]
"""A program in its variants, the quickest first: how it is spoken of, and what makes it ready."""


def programs() -> Iterator[tuple[str, Variants]]:
    """The peers that are installed."""
    if find_spec("basico"):
        yield "COPASI direct", [("", _copasi("direct"))]
        for method in _LEAPING:
            yield f"COPASI {method}", [(f", Epsilon {epsilon:g}", _copasi(method, epsilon))
                                       for epsilon in _EPSILONS]  # fmt: skip
    if find_spec("roadrunner"):
        yield "libRoadRunner gillespie", [("", _roadrunner)]


def measured(run: Runner) -> tuple[float, Array]:
    """Processor seconds a run, and the outcomes of as many runs as the time allows, (n, 2).

    Raises:
        UnfinishedError: the program gave up.
    """
    start = time.process_time()
    outcomes = [run(0)]  # loads what has to be loaded; counted only if it is all there is time for
    if time.process_time() - start < _SECONDS:
        outcomes, start = [], time.process_time()
        while len(outcomes) < _RUNS and time.process_time() - start < _SECONDS:
            outcomes.append(run(len(outcomes) + 1))
    return (time.process_time() - start) / len(outcomes), np.array(outcomes)


def verdict(outcomes: Array, cumulants: Array) -> tuple[str, bool | None]:
    """Mean and variance against the exact ones, in words; whether right, None: too few runs.

    A variance of n runs has the relative error sqrt(excess / n + 2 / (n - 1)); its distribution is
    taken for that chi-squared which has the same.
    """
    n = len(outcomes)
    mean, variance, _, fourth = cumulants.T
    if n < _FEWEST_RUNS:
        return f"{n} runs, too few for a variance", None
    off = (outcomes.mean(axis=0) / mean - 1) * 100
    ratio = outcomes.var(axis=0, ddof=1) / variance
    freedom = 2 / (fourth / variance**2 / n + 2 / (n - 1))
    low, high = (chi2.ppf(p, freedom) / freedom for p in (_LEVEL / 2, 1 - _LEVEL / 2))
    chance = norm.isf(_LEVEL / 2) * np.sqrt(variance / n) / mean * 100
    near = np.abs(off) < _OFF_PERCENT + chance
    right = bool(((low < ratio) & (ratio < high)).all() and near.all())
    spoken = " and ".join(f"{r:.2f} (chance: {a:.2f} to {b:.2f})"
                          for r, a, b in zip(ratio, low, high, strict=True))  # fmt: skip
    return (
        f"mean off by {off[0]:+.2f} % and {off[1]:+.2f} %, variance {spoken} of the exact: "
        f"{'right' if right else 'WRONG'}, {n} runs"
    ), right


def run(report: Report) -> None:
    """The engine against the fastest peer that keeps the right variance, size by size."""
    report.section("peers: 6 organs x 4 stages, 60 days, seconds a run (colonies; on their way)")
    peers = dict(programs())
    if not peers:
        report.note(f"skipped: {install_line('peers')} brings COPASI and libRoadRunner")
        return
    warnings.filterwarnings("ignore", module="basico")
    before: dict[str, float] = {}
    for cells in SIZES:
        model = model_of(law_of(scenario(cells)), cells)
        exact = model.cumulants()
        own, outcomes = measured(_metasim(cells))
        report.note(f"{cells:,} cells: metasim {own:.2g} s; {verdict(outcomes, exact)[0]}")
        right: dict[str, float] = {}
        for name, variants in peers.items():
            if name in _EXACT and before.get(name, 0.0) * 100 > _HOPELESS:
                before[name] *= 100  # events are in proportion to cells
                report.note(f"  {name}: not run, about {before[name]:,.0f} s a run expected")
                continue
            for variant, prepared in variants:
                try:
                    before[name], outcomes = measured(prepared(model))
                except UnfinishedError:
                    report.note(f"  {name}{variant}: gave up before the last day")
                    continue
                text, good = verdict(outcomes, exact)
                report.note(f"  {name}{variant}: {before[name]:.2g} s; {text}")
                if good or (good is None and name in _EXACT):
                    right[name + variant] = before[name]
                    break
        if right:
            best = min(right, key=right.__getitem__)
            what = f"1e{len(str(cells)) - 1} cells, in the time of {best}"
            report.line(what, own / right[best], "x",
                        0.1 if cells >= 10**7 else 1.0)  # fmt: skip
