"""Shares of patients: where metastases are seen, how many sites, what tests find."""

from typing import TYPE_CHECKING, Literal

import numpy as np

from metasim.results.outcomes import SAME_TIME_DAYS
from metasim.targets.quantities.estimate import Estimate
from metasim.targets.quantities.registry import Parameters, quantity
from metasim.targets.sample import NotSimulated, Sample

if TYPE_CHECKING:
    import pandas as pd


class Site(Parameters):
    """An organ and when."""

    organ: str
    """Organ of the metastasis."""
    when: Literal["ever", "first", "exclusively", "diagnosis"] = "ever"
    """ever: by the end; first: at the first distant relapse; exclusively: there and nowhere else
    at the first relapse; diagnosis: by then, among all patients instead of the relapsed."""


class Sites(Parameters):
    """How many sites and when."""

    at_least: int = 2
    """Number of distant organs."""
    when: Literal["ever", "first"] = "first"
    """By the end, or at the first distant relapse."""


class SitesWhen(Parameters):
    """When."""

    when: Literal["ever", "first"] = "first"
    """By the end, or at the first distant relapse."""


class Found(Parameters):
    """How much a test has to find."""

    at_least: float = 1.0
    """Smallest value that counts."""


@quantity("site_percent", "%", Site)
def site_percent(sample: Sample, of: Site) -> Estimate:
    """Share of relapsed patients with a metastasis seen in an organ (of all, at diagnosis)."""
    sample._check_organ(of.organ)
    if of.when == "diagnosis":
        origin = sample.column("diagnosis_day").dropna()
        there = sample.sites[sample.sites["organ"] == of.organ].set_index("patient")["day"]
        return Estimate.percent(int((there <= origin.reindex(there.index)).sum()), len(origin))
    when: Literal["ever", "first"] = "ever" if of.when == "ever" else "first"
    sites, number = _sites(sample, when), _numbers(sample, when)
    there = sites[sites["organ"] == of.organ]["patient"]
    if of.when == "exclusively":
        there = there[there.map(number) == 1]
    return Estimate.percent(len(there), len(number))


@quantity("metastatic_at_diagnosis_percent", "%")
def metastatic_at_diagnosis_percent(sample: Sample, of: Parameters) -> Estimate:
    """Share of diagnosed patients in stage M1."""
    stage = sample.column("stage_m").dropna()
    return Estimate.percent(int((stage == "M1").sum()), len(stage))


@quantity("several_sites_percent", "%", Sites)
def several_sites_percent(sample: Sample, of: Sites) -> Estimate:
    """Share of relapsed patients with metastases in at least so many distant organs."""
    number = _numbers(sample, of.when)
    return Estimate.percent(int((number >= of.at_least).sum()), len(number))


@quantity("sites_mean", "organs", SitesWhen)
def sites_mean(sample: Sample, of: SitesWhen) -> Estimate:
    """Mean number of distant organs with metastases among relapsed patients."""
    return Estimate.mean(_numbers(sample, of.when))


@quantity("circulating_cells_percent", "%", Found)
def circulating_cells_percent(sample: Sample, of: Found) -> Estimate:
    """Share of patients with so many circulating tumour cells in 7.5 mL at diagnosis."""
    return _test(sample, "ctc", of.at_least)


@quantity("marrow_cells_percent", "%", Found)
def marrow_cells_percent(sample: Sample, of: Found) -> Estimate:
    """Share of patients with disseminated tumour cells in a marrow aspirate at diagnosis."""
    return _test(sample, "dtc", of.at_least)


def _test(sample: Sample, event: str, at_least: float) -> Estimate:
    """Share of the tests at diagnosis that found so much; events of the test carry a value."""
    tests = sample.events(event)
    if "value" not in tests:
        raise NotSimulated("no column value in the events table")
    diagnosed = tests["patient"].map(sample.patients["diagnosis_day"])
    first = tests[tests["day"] <= diagnosed].groupby("patient")["value"].last()
    return Estimate.percent(int((first >= at_least).sum()), len(first))


def _numbers(sample: Sample, when: Literal["ever", "first"]) -> "pd.Series[int]":
    """Number of organs by relapsed patient."""
    return sample.once(
        ("numbers", when), lambda: _sites(sample, when).groupby("patient")["organ"].size()
    )


def _sites(sample: Sample, when: Literal["ever", "first"]) -> "pd.DataFrame":
    """Rows of `Sample.sites` that count: all, or those seen with the first."""

    def first_only() -> "pd.DataFrame":
        first = sample.sites.groupby("patient")["day"].transform("min")
        return sample.sites[np.asarray(sample.sites["day"] - first <= SAME_TIME_DAYS)]

    return sample.sites if when == "ever" else sample.once("first sites", first_only)
