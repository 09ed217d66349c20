"""Survival statistics: Kaplan-Meier, hazards, and two groups compared (log-rank, Cox).

Kaplan-Meier is lifelines'. What lifelines does not offer is computed here and tested against it:
the parts of the log-rank test that make a rate ratio, and Cox's model of two groups in pairs, which
says 0, infinite or nothing where the likelihood has no maximum, and is a hundred times faster. All
intervals have 95 % coverage unless `level` says otherwise. At equal times events come before
censoring; times that differ by rounding only are equal (`metasim.results.statistics.moments_of`).
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metasim.results.statistics import moments_of, rate_interval, z

Floats = NDArray[np.float64]
_CONVERGED: Final = 1e-10
_MOST_STEPS: Final = 200
_SAME_SHARE: Final = 1e-9  # curves that come this near to one half reach it
_SAME_SCORES: Final = 1e-20  # squared scores of pairs, per squared score of patients: rounding


@dataclass(frozen=True)
class Survival:
    """Share still free of an event: step functions that hold from each time to the next.

    Attributes:
        time: 0 and every time at which something happened, shape (m,).
        share: P(no event by then), shape (m,).
        low: lower end of the pointwise interval, shape (m,).
        high: upper end, shape (m,).
        at_risk: patients still followed and free of it just before, shape (m,).
    """

    time: Floats
    share: Floats
    low: Floats
    high: Floats
    at_risk: NDArray[np.int64]

    def median(self) -> tuple[float, float, float]:
        """Time by which half had the event, low and high end; inf where it is not reached.

        The first time at which the curve is at one half or below; rounding does not count.
        """
        low, middle, high = (
            float(self.time[np.argmax(reached)]) if reached.any() else np.inf
            for reached in (
                share <= 0.5 + _SAME_SHARE for share in (self.low, self.share, self.high)
            )
        )
        return middle, low, high


@dataclass(frozen=True)
class Ratio:
    """A ratio of hazards or rates with its interval; nan where it cannot be told."""

    value: float
    low: float
    high: float

    @classmethod
    def of_log(cls, log: float, error: float, level: float) -> Self:
        """From the logarithm of the ratio and the standard error of that."""
        half = z(level) * error
        return cls(*(float(np.exp(x)) for x in (log, log - half, log + half)))


def kaplan_meier(time: ArrayLike, event: ArrayLike, level: float = 0.95) -> Survival:
    """Kaplan-Meier estimate; Greenwood's variance, interval on the log(-log) scale.

    Args:
        time: when each patient's follow-up ended, >= 0, shape (n,).
        event: whether with the event (1) or censored (0), shape (n,).
        level: coverage.
    """
    times, events = np.asarray(time, float), np.asarray(event, float)
    moments, where, at_risk = _risk_sets(times)
    numbers = at_risk.astype(np.int64)
    if not len(times):
        return Survival(moments, np.ones(1), np.ones(1), np.ones(1), numbers)
    from lifelines import KaplanMeierFitter  # takes a second to load

    fit = KaplanMeierFitter(alpha=1 - level).fit(moments[where], events)
    share = fit.survival_function_.to_numpy()[:, 0]
    share = np.where(at_risk > _at_moments(where, events, len(moments)), share, 0.0)
    low, high = fit.confidence_interval_.to_numpy().T
    inside = (share > 0) & (share < 1)
    return Survival(
        moments, share, np.where(inside, low, share), np.where(inside, high, share), numbers
    )


def piecewise_hazard(
    time: ArrayLike, event: ArrayLike, edges: ArrayLike, level: float = 0.95
) -> tuple[Floats, Floats, Floats]:
    """Events per unit of time at risk in each interval, with exact Poisson intervals.

    Args:
        time: when each patient's follow-up ended, >= 0, shape (n,).
        event: whether with the event (1) or censored (0), shape (n,).
        edges: ends of the intervals, ascending, shape (m + 1,).
        level: coverage.

    Returns:
        Rate, low and high end, each of shape (m,); nan where nobody was at risk.
    """
    times, events, cuts = np.asarray(time, float), np.asarray(event), np.asarray(edges, float)
    # an interval holds its right edge: who falls there, but for rounding, was at risk in it
    near = np.clip(np.searchsorted(cuts, times), 1, len(cuts) - 1)
    nearest = np.where(times - cuts[near - 1] < cuts[near] - times, cuts[near - 1], cuts[near])
    times = np.where(np.isclose(times, nearest, rtol=1e-12, atol=0), nearest, times)
    number = np.histogram(np.searchsorted(cuts, times[events == 1]), np.arange(len(cuts)) + 0.5)[0]
    survived = np.clip(times[:, None], cuts[:-1], cuts[1:]) - cuts[:-1]
    exposure = np.where((total := survived.sum(axis=0)) > 0, total, np.nan)
    return number / exposure, *rate_interval(number, exposure, level)


def log_rank(time: ArrayLike, event: ArrayLike, group: ArrayLike) -> tuple[float, float]:
    """Observed less expected events in group 1 under equal hazards, and the variance of that.

    Args:
        time: when each patient's follow-up ended, >= 0, shape (n,).
        event: whether with the event (1) or censored (0), shape (n,).
        group: 0 or 1, shape (n,).
    """
    times, events, ones = (np.asarray(value, float) for value in (time, event, group))
    moments, where, at_risk = _risk_sets(times)
    died = _at_moments(where, events, len(moments))
    share = _at_risk(where, ones, len(moments)) / np.maximum(at_risk, 1)
    variance = died * share * (1 - share) * (at_risk - died) / np.maximum(at_risk - 1, 1)
    return float(events @ ones - died @ share), float(variance.sum())


def rate_ratio(time: ArrayLike, event: ArrayLike, group: ArrayLike, level: float = 0.95) -> Ratio:
    """Ratio of event rates, group 1 to group 0, as in the meta-analyses of the EBCTCG.

    Peto's one-step estimate exp((O - E) / V) from the log-rank test: close to the hazard ratio
    where that is not far from 1. Pairs count as independent. Arguments as for `log_rank`.
    """
    excess, variance = log_rank(time, event, group)
    if not variance:
        return Ratio(np.nan, np.nan, np.nan)
    return Ratio.of_log(excess / variance, variance**-0.5, level)


def hazard_ratio(
    time: ArrayLike,
    event: ArrayLike,
    group: ArrayLike,
    pair: ArrayLike | None = None,
    level: float = 0.95,
) -> tuple[Ratio, float]:
    """Cox's hazard ratio, group 1 to group 0; ties by Efron's method.

    Args:
        time: when each patient's follow-up ended, >= 0, shape (n,).
        event: whether with the event (1) or censored (0), shape (n,).
        group: 0 or 1, shape (n,).
        pair: number of the pair that each patient belongs to, shape (n,); the interval then
            counts that pairs are alike (Lin and Wei's robust variance).
        level: coverage.

    Returns:
        The ratio, and the gain from pairing: variance without `pair` over variance with it, 1
        without. Where the likelihood has no maximum but rises for ever the ratio is 0 or inf,
        without an interval; where it is flat nothing can be told, and all is nan. Pairs that do
        not differ at all leave no variance: the ratio is 1, without an interval, the gain nan.
    """
    times, events, ones = (np.asarray(value, float) for value in (time, event, group))
    sets = _EfronSets.of(times, events, ones)
    observed = float(events @ ones)
    bound = sets.bound(observed)
    if bound is not None:
        return Ratio(bound, np.nan, np.nan), 1.0
    log, information = sets.maximum(observed)
    if not information > 0:
        return Ratio(np.nan, np.nan, np.nan), 1.0
    variance = 1 / information
    if pair is None:
        return Ratio.of_log(log, variance**0.5, level), 1.0
    scores = sets.scores(log, events, ones)
    _, number = np.unique(np.asarray(pair), return_inverse=True)
    squares = float((np.bincount(number, scores) ** 2).sum())
    if squares <= _SAME_SCORES * float((scores**2).sum()):
        return Ratio(float(np.exp(log)), np.nan, np.nan), np.nan
    robust = squares * variance**2
    return Ratio.of_log(log, robust**0.5, level), variance / robust


@dataclass(frozen=True)
class _EfronSets:
    """Who is at risk at each event, one row per event; of d tied ones, the l-th counts l/d gone."""

    where: NDArray[np.int64]  # (n,) moment of each patient
    row_moment: NDArray[np.int64]  # (events,)
    gone: Floats  # (events,) l/d
    zeros: Floats  # (events,) at risk in group 0
    ones: Floats  # (events,) at risk in group 1

    @classmethod
    def of(cls, times: Floats, events: Floats, group: Floats) -> Self:
        moments, where, _ = _risk_sets(times)
        size = len(moments)
        died = _at_moments(where, events, size).astype(np.int64)
        moment = np.repeat(np.arange(size), died)
        first = np.repeat(np.cumsum(died) - died, died)
        gone = (np.arange(died.sum()) - first) / died[moment]
        zeros, ones = (
            _at_risk(where, mine, size)[moment]
            - gone * _at_moments(where, events * mine, size)[moment]
            for mine in (1 - group, group)
        )
        return cls(where, moment, gone, zeros, ones)

    def bound(self, observed: float) -> float | None:
        """The ratio where the likelihood has no maximum: 0, inf, or nan if it is flat; else None.

        Only events at which both groups are at risk tell anything. The likelihood rises towards 0
        where all of these fall on group 0, towards inf where all fall on group 1.

        Args:
            observed: events of group 1.
        """
        certain, possible = int((self.zeros == 0).sum()), int((self.ones > 0).sum())
        if certain == possible:
            return np.nan
        return 0.0 if observed <= certain else np.inf if observed >= possible else None

    def maximum(self, observed: float) -> tuple[float, float]:
        """Logarithm of the ratio, and the information there; nan if it is out of reach.

        Args:
            observed: events of group 1.
        """
        log = 0.0
        for _ in range(_MOST_STEPS):
            expected = self.share(log)
            information = float((expected * (1 - expected)).sum())
            if not information > 0:
                break
            step = float(np.clip((observed - expected.sum()) / information, -1, 1))
            log += step
            if abs(step) <= _CONVERGED:
                return log, information
        return np.nan, np.nan

    def share(self, log: float) -> Floats:
        """Probability that the event of each row falls on group 1."""
        return np.asarray(np.exp(log) * self.ones / (self.zeros + np.exp(log) * self.ones))

    def scores(self, log: float, events: Floats, group: Floats) -> Floats:
        """Score residual of each patient, shape (n,); they sum to 0 at the estimate."""
        size, share = int(self.where.max()) + 1, self.share(log)
        hazard = 1 / (self.zeros + np.exp(log) * self.ones)
        dying = np.maximum(np.bincount(self.row_moment, minlength=size), 1)
        score = events * (group - (np.bincount(self.row_moment, share, size) / dying)[self.where])
        for sign, weight in ((group, hazard), (-1.0, hazard * share)):
            here = np.bincount(self.row_moment, weight, size)
            gone = np.bincount(self.row_moment, weight * self.gone, size)
            passed = np.cumsum(here)[self.where] - events * gone[self.where]
            score -= np.exp(log * group) * sign * passed
        return np.asarray(score)


def _risk_sets(times: Floats) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Distinct times with 0, the place of each patient's time among them, patients at risk."""
    moments, where = moments_of(times)
    return moments, where, _at_risk(where, np.ones(len(times)), len(moments))


def _at_risk(where: NDArray[np.int64], weight: Floats, size: int) -> Floats:
    """Weight of the patients whose follow-up ends at or after each moment, shape (size,)."""
    return np.asarray(_at_moments(where, weight, size)[::-1].cumsum()[::-1])


def _at_moments(where: NDArray[np.int64], weight: Floats, size: int) -> Floats:
    """Weight of the patients whose follow-up ends at each moment, shape (size,)."""
    return np.bincount(where, weight, minlength=size).astype(float)  # of nobody, it counts in int
