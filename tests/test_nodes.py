"""Lymph nodes counted one by one: where founders settle, which count, what surgery takes."""

from pathlib import Path

import numpy as np
import pytest

import metasim as ms
from metasim.engines import cells, colonies
from metasim.engines.cells import nodes as nodes_of_cells
from metasim.errors import ScenarioError
from metasim.law import closed_forms, nodes
from metasim.parameters.course import course_of
from tests import twin
from tests.significance import caught, counts_p, holds, mean_p
from tests.test_clinic import records

ENGINES = pytest.mark.parametrize("engine", [colonies, cells], ids=["colonies", "cells"])
ORACLE = Path(__file__).parent / "oracles" / "nodes.toml"
NODES, PASS = 6, 0.6
INF = float("inf")


def run(**changes):
    changes = {k.replace("__", "."): v for k, v in changes.items()}
    return ms.run(ms.load(ORACLE, changes), progress=False)


# the law


def test_a_founder_passes_nodes_that_are_full_or_gone():
    empty = [0.0] * 4
    at = [nodes.node_of(u, 0.5, 4, 0, empty, INF) for u in (0.9, 0.5, 0.4, 0.25, 0.2, 0.1)]
    assert at == [1, 1, 2, 2, 3, 4]
    full = [7.0, 2.0, 9.0, 9.0]  # the last keeps all though it is full
    assert [nodes.node_of(u, 0.5, 4, 0, full, 7.0) for u in (0.9, 0.4)] == [2, 4]
    assert [nodes.node_of(u, 0.5, 4, 2, empty, INF) for u in (0.9, 0.4)] == [3, 4]
    assert nodes.node_of(0.9, 0.5, 4, 4, empty, INF) == 4
    assert nodes.node_of(0.9, 0.5, 1, 0, empty, INF) == 1


def test_a_node_is_of_the_class_of_its_largest_deposit():
    sizes = (0, 1, 199, 200, 299, 300, 4000, 4001)
    found = [nodes.node_class(n, 300, 200, 4000) for n in sizes]
    assert found == [nodes.NEGATIVE, *[nodes.ITC] * 2, *[nodes.NEGATIVE] * 2,
                     *[nodes.MICRO] * 2, nodes.MACRO]  # fmt: skip


@pytest.mark.parametrize(
    ("micro", "macro", "by_node", "by_colony"),
    [(0, 0, 0, 0), (12, 0, 1, 1), (0, 1, 2, 2), (2, 1, 2, 2), (3, 1, 3, 2), (0, 4, 3, 3),
     (8, 1, 3, 2), (9, 1, 4, 2), (0, 9, 3, 3), (0, 10, 4, 4)],
)  # fmt: skip
def test_n_goes_by_positive_nodes(micro, macro, by_node, by_colony):
    assert nodes.stage_n(micro, micro, macro) == by_node
    assert nodes.stage_n(micro, 0, macro) == by_colony


def test_an_operation_takes_the_first_nodes_that_are_left():
    assert nodes.nodes_taken(0, 3, 20) == 3
    assert nodes.nodes_taken(3, 3, 20) == 6
    assert nodes.nodes_taken(19, 3, 20) == nodes.nodes_taken(3, 0, 20) == 20
    assert nodes.beyond_prob(0.5, 1, 3, 5) == 0.25
    assert nodes.beyond_prob(0.5, 1, 1, 5) == 1.0
    assert nodes.beyond_prob(0.5, 3, 5, 5) == 0.0


# closed forms


def test_founders_settle_along_the_chain():
    shares = closed_forms.node_shares(NODES, PASS)
    assert shares.sum() == pytest.approx(1.0)
    course = course_of(ms.load(ORACLE))
    founders = 2e-7 * 200_000 * course.dt_days * (course.follow_steps - 3)
    distinct = closed_forms.nodes_with_founders(founders, NODES, PASS)

    def p_values(**changes):
        table = run(**changes).metastases
        of_node = table["node"].value_counts().reindex(range(1, NODES + 1), fill_value=0)
        number = table.groupby("patient")["node"].nunique()
        number = number.reindex(range(1200), fill_value=0)
        return counts_p(of_node, shares), mean_p(number, distinct)

    assert all(holds(p) for p in p_values())
    assert all(caught(p) for p in p_values(soil__nodes__node_pass_prob=0.5))


def test_nodes_that_surgery_left_share_the_founders_that_come_later():
    at = 60.0
    sentinel = {"kind": "biopsy", "organ": "nodes", "start": at, "nodes": 2}
    results = run(treatment=[sentinel], run__patients=600)
    table = results.metastases
    before = table[table["founded_day"] <= at]
    assert ((before["extinct_day"] == at) == (before["node"] <= 2)).all()
    later = table[table["founded_day"] > at]
    assert later["extinct_day"].isna().all()
    of_node = later["node"].value_counts().reindex(range(3, NODES + 1), fill_value=0)
    assert holds(counts_p(of_node, closed_forms.node_shares(NODES - 2, PASS)))
    assert caught(counts_p(of_node, closed_forms.node_shares(NODES - 2, 0.5)))
    assert later["node"].min() == 3
    assert (results.patients["nodes_removed"] == 2).all()


# both engines


def quiet(**changes):
    """Founders come, but nothing grows or dies, and what they found hardly sheds."""
    plain = {
        "run": {"years": 0.1, "dt_days": 1.0, "record_every_days": 1e5},
        "growth": {"rho_per_day": 0.0, "turnover_per_day": 0.0},
        "rates": {
            "invasion_per_day": 0.004, "invasion_reference_cells": 1000.0, "border_exponent": 2.0,
        },
        "primary": {"initial_cells": 1000},
        "soil": {
            "breast": {"lymph_fraction": 1.0},
            "nodes": {"nodes": 5, "node_pass_prob": 0.4, "multiplier": {"arrest": 99.0}},
        },
    }  # fmt: skip
    return twin.scenario(**twin._merged(plain, changes))


@ENGINES
def test_full_nodes_pass_founders_on(engine):
    chain = {"node_pass_prob": 0.0, "node_cells": 2.0}
    found = records(quiet(soil={"nodes": chain}), engine, 3)
    for record in found:
        here = record.colonies[record.colonies["organ"] == 1]
        expected = np.minimum(1 + np.arange(len(here)) // 2, 5)
        assert (here["node"] == expected).all() and len(here) > 10
        assert (record.colonies["node"][record.colonies["organ"] != 1] == 0).all()


def sizes(*cells):
    """Classes of clusters, an equal share of the cells in each."""
    same = {"share_fraction": 0.25, "death_prob_per_pass": 0.0, "arrest_odds_factor": 1.0}
    return {"clusters": {f"of_{n}": {"size_cells": n, **same} for n in cells}}


CLASSES = {"micro_cells": 2.0, "pathology_cells": 3.0, "macro_cells": 8.0}


@ENGINES
def test_a_node_counts_once_by_its_largest_deposit_at_diagnosis(engine):
    """Deposits keep the size of their founders: isolated, overlooked, micro or macro."""
    clinic = {"screening_interval_days": 30.0, "screening_half_mm": 0.001, **CLASSES}
    asked = quiet(seed=sizes(2, 4, 9), clinic=clinic)
    fewer, found = 0, set()
    for record in records(asked, engine, 40 if engine is colonies else 12):
        assert (record.colonies["size"] == record.colonies["founders"])[1:].all()
        there = record.colonies["founded_day"] <= record.diagnosis_day
        here = record.colonies[there & (record.colonies["node"] > 0)]
        largest = {node: here["size"][here["node"] == node].max() for node in set(here["node"])}
        count = [list(largest.values()).count(size) for size in (1, 2, 4, 9)]
        patient = record.patient
        assert patient["nodes_itc"] == count[0]
        assert patient["nodes_micro"] == count[2]
        assert patient["nodes_positive"] == count[2] + count[3]
        positive = count[2] + count[3]
        n = 1 if count[2] else 0
        if count[3]:
            n = 2 if positive <= 3 else 3
        assert record.staging[1] == n
        fewer += len(here) > len(largest)
        found.add(n)
    assert fewer > 5 and len(found) >= 3


@ENGINES
def test_sentinel_nodes_are_taken_whole_and_the_rest_stays(engine):
    day = 25.0
    biopsy = {"kind": "biopsy", "organ": "nodes", "start": day, "nodes": 2}
    clearing = {"kind": "clearing", "organ": "nodes", "start": day + 5.0, "residual_fraction": 0.0}
    for plan, removed in (([biopsy], 2), ([biopsy, clearing], 5)):
        asked = quiet(treatment=plan)
        for record in records(asked, engine, 6):
            chain = record.colonies[record.colonies["node"] > 0]
            last = day + 5.0 if removed == 5 else day
            before, after = (chain[chain["founded_day"] <= d] for d in (day, last))
            sentinel = before["node"] <= 2
            assert (before["extinct_day"][sentinel] == day).all() and sentinel.any()
            rest = before["extinct_day"][~sentinel]
            assert (rest == last).all() if removed == 5 else np.isnan(rest).all()
            later = chain[chain["founded_day"] > last]
            assert (later["node"] > removed).all() if removed < 5 else (later["node"] == 5).all()
            assert np.isnan(later["extinct_day"]).all() and len(after) >= len(before)
            assert record.patient["nodes_removed"] == removed
            assert record.patient["nodes_positive"] == -1  # nobody was diagnosed


def test_without_nodes_metastases_are_counted():
    results = ms.run(ms.load("triple_negative_surgery", {"run.patients": 30}), progress=False)
    patients, table = results.patients, results.metastases
    assert table["node"].isna().all() and patients["nodes_removed"].isna().all()
    diagnosed = patients["diagnosis_day"].notna()
    assert (patients["nodes_positive"].notna() == diagnosed).all()
    regional = table[table["organ"] == "axillary_nodes"].merge(patients, on="patient")
    early = regional[regional["micro_day"] <= regional["diagnosis_day"]]
    number = early.groupby("patient").size().reindex(patients["patient"], fill_value=0)
    most = number.to_numpy()[diagnosed]
    assert (patients["nodes_positive"][diagnosed] <= most).all()
    n0 = patients["stage_n"][diagnosed] == "N0"
    assert ((patients["nodes_positive"][diagnosed] == 0) == n0).all()


# mistakes


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"soil.lung.nodes": 3}, "soil.lung.nodes", "only a regional organ has lymph nodes"),
        ({"soil.nodes.nodes": 201}, "soil.nodes.nodes", "from 1 to 200"),
        ({"soil.nodes.node_pass_prob": 1.0}, "soil.nodes.node_pass_prob", "below 1"),
        ({"soil.nodes.node_pass_prob": None}, "soil.nodes.node_pass_prob", "is required"),
        ({"soil.nodes.nodes": None}, "soil.nodes.node_pass_prob", "does nothing without"),
        ({"soil.lung.node_cells": 1e6}, "soil.lung.node_cells", "does nothing without"),
        ({"patients": {"soil.lung.node_cells": {"uniform": {"low": 1e6, "high": 1e7}}}},
         "patients.soil.lung.node_cells", "while soil.lung.nodes is unset"),
        ({"clinic.pathology_cells": 100.0}, "clinic.pathology_cells", "isolated tumour cells"),
        ({"treatment": [{"nodes": 7, "organ": "nodes"}]}, "treatment.0.nodes",
         "7 are more than soil.nodes.nodes = 6"),
        ({"treatment": [{"nodes": 1, "organ": "lung"}]}, "treatment.0.nodes", "has no nodes"),
        ({"treatment": [{"nodes": 1}]}, "treatment.0.organ", "is required"),
        ({"treatment": [{"nodes": 1, "organ": "nodes", "residual_fraction": 0.1}]},
         "treatment.0.residual_fraction", "taken whole"),
        ({"treatment": [{"nodes": 1, "organ": "nodes", "log_kill": 0.1}]},
         "treatment.0.log_kill", "taken whole"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(changes, key, words):
    for treatment in changes.get("treatment", []):
        treatment.update(kind="biopsy", start=5.0)
    with pytest.raises(ScenarioError) as caught:
        ms.load(ORACLE).replace(changes)
    (mistake,) = caught.value.mistakes
    assert mistake.key == key
    assert words in str(mistake)


# at rest


def counted_right(engine):
    """Deposits that rest all the time; patients whose nodes are counted right, and wrong.

    Each began as one cell, and is to be counted at what that grows to on average (Equation 5.5).
    """
    asked = twin.scenario(
        run={"small_cells": 12.0, "small_steps": 1000},
        growth={"rho_per_day": 0.04},
        soil={"nodes": {"growth_factor": 3.0}},
        clinic={"diagnosis_diameter_mm": 3.5, "cells_per_cm3": 16_000.0},
    )
    right = wrong = 0
    for record in records(asked, engine, 60 if engine is colonies else 20):
        days = record.patient["diagnosis_day"] - record.colonies["founded_day"]
        grown = np.exp(0.12 * days[(record.colonies["organ"] == 1) & (days >= 0.0)])
        positive, itc = (grown >= 4.0).sum(), (grown < 4.0).sum()
        if positive > 0:
            found = record.patient["nodes_positive"], record.patient["nodes_itc"]
            right += found == (positive, itc)
            wrong += found != (positive, itc)
    return right, wrong


@ENGINES
def test_deposits_at_rest_are_counted_at_their_size_of_today(engine):
    right, wrong = counted_right(engine)
    assert right > 3
    assert wrong == 0


def test_deposits_counted_as_they_were_are_noticed(monkeypatch):
    monkeypatch.setattr(nodes_of_cells, "grown_at_rest", lambda cells, *_: cells)
    assert counted_right(cells)[1] > 3
