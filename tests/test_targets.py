"""Targets: quantities against values worked out by hand, scores, files and their mistakes."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.datasets import load_gbsg2
from typer.testing import CliRunner

from metasim.cli import app
from metasim.results.store import Results
from metasim.targets.load import SHIPPED, TargetsError, parse_targets, read_targets
from metasim.targets.quantities import QUANTITIES
from metasim.targets.sample import Nobody, NotSimulated, Sample
from metasim.targets.score import z_score
from metasim.targets.scorecard import frame
from metasim.targets.simulate import plan
from metasim.targets.validate import Bar, judge, validate

YEAR = 365.25
SCENARIO = """
title = "by hand"
[run]
patients = 6
follow_from = "diagnosis"
[seed]
subtype = "luminal_a"
[growth]
law = "exponential"
rho_per_day = 0.01
[clinic]
cells_per_cm3 = 1e9
[soil.breast]
site = "primary"
[soil.bone]
[soil.lung]
"""


def results(patients, metastases=(), events=()):
    """Results from rows: patients as dicts, metastases as (patient, organ, detected day)."""
    base = {"diagnosis_day": 100.0, "first_distant_day": None, "first_distant_organ": None,
            "death_day": None, "end_day": 100.0 + 10 * YEAR, "stage_m": "M0"}  # fmt: skip
    rows = [{"patient": k, **base, **own} for k, own in enumerate(patients)]
    for row in rows:
        seen = sorted(
            (day, organ) for patient, organ, day in metastases if patient == row["patient"]
        )
        if seen:
            row["first_distant_day"], row["first_distant_organ"] = seen[0]
    names = pa.dictionary(pa.int32(), pa.string())
    patients = pa.Table.from_pylist(rows)
    for name in ("first_distant_day", "death_day"):
        patients = patients.set_column(
            patients.column_names.index(name), name, patients[name].cast(pa.float64())
        )
    sites = pa.table({
        "patient": pa.array([m[0] for m in metastases], pa.int64()),
        "organ": pa.array([m[1] for m in metastases], pa.string()).cast(names),
        "detected_day": pa.array([m[2] for m in metastases], pa.float64()),
    })  # fmt: skip
    happened = pa.table({
        "patient": pa.array([e[0] for e in events], pa.int64()),
        "day": pa.array([e[1] for e in events], pa.float64()),
        "event": pa.array([e[2] for e in events], pa.string()).cast(names),
        "organ": pa.array([e[3] for e in events], pa.string()).cast(names),
        "value": pa.array([e[4] if len(e) > 4 else None for e in events], pa.float64()),
    })  # fmt: skip
    tables = {"patients": patients, "metastases": sites, "events": happened}
    return Results(SCENARIO, {"record": "metastases", "rows": {}}, tables)


def value(name, run, where=None, **of):
    quantity = QUANTITIES[name]
    return quantity.compute(Sample([run]).select(where or {}), quantity.of(of))


def at(years):
    return 100.0 + years * YEAR


@pytest.fixture(scope="module")
def six():
    """Six: bone in two years, bone and lung at once in three, lung in four, M1, two free."""
    return results(
        [
            {"death_day": at(4), "end_day": at(4), "nodes_positive": 0, "diameter_mm": 10.0},
            {"death_day": at(6), "end_day": at(6), "nodes_positive": 5, "diameter_mm": 30.0},
            {"nodes_positive": 2, "diameter_mm": 25.0},
            {"nodes_positive": 1, "diameter_mm": 20.0, "stage_m": "M1"},
            {"nodes_positive": 0, "diameter_mm": 12.0, "end_day": at(1)},
            {"nodes_positive": 0, "diameter_mm": 15.0},
        ],
        [(0, "bone", at(2)), (0, "bone", at(2.5)), (1, "bone", at(3)), (1, "lung", at(3.1)),
         (2, "lung", at(4)), (2, "bone", at(6)), (3, "lung", at(0))],
        [(0, 100.0, "ctc", "bone", 2.0), (1, 100.0, "ctc", "bone", 0.0)],
    )  # fmt: skip


BY_HAND = [
    ("site_percent", {"organ": "bone"}, 75.0),  # of four with a distant site
    ("site_percent", {"organ": "bone", "when": "first"}, 50.0),
    ("site_percent", {"organ": "bone", "when": "exclusively"}, 25.0),
    ("site_percent", {"organ": "lung", "when": "diagnosis"}, 100 / 6),
    ("metastatic_at_diagnosis_percent", {}, 100 / 6),
    ("several_sites_percent", {}, 25.0),
    ("several_sites_percent", {"when": "ever"}, 50.0),
    ("sites_mean", {"when": "ever"}, 1.5),
    ("circulating_cells_percent", {}, 50.0),
    ("nodes_percent", {}, 50.0),
    ("nodes_percent", {"at_least": 1, "at_most": 3}, 100 / 3),
    ("nodes_percent", {"at_least": 2, "at_most": 2, "among": "positive"}, 100 / 3),
    ("nodes_mean", {}, 8 / 3),
    ("diameter_quantile_mm", {"percentile": 50}, 17.5),
    ("doubling_time_days", {}, np.log(2) / 0.01),
    # free at diagnosis: five; at risk 5 to year 1, 4 to year 2, 3 to year 3, 2 to year 4
    ("hazard_percent_per_year", {"from_year": 0, "to_year": 2}, 100 / (1 + 2 * 4)),
    ("hazard_percent_per_year", {"from_year": 2, "to_year": 4}, 100 * 2 / (1 + 2 + 2)),
    ("incidence_percent", {"years": 3}, 50.0),  # 1 - 3/4 * 2/3
    ("incidence_percent", {"years": 3, "death": "competing"}, 50.0),
    ("event_free_percent", {"outcome": "death", "years": 5}, 80.0),  # one of five at risk
    ("time_quantile_years", {"outcome": "distant", "percent": 25}, 2.0),
    ("survival_after_metastasis_years", {"percent": 25}, 2.0),
    ("survival_after_metastasis_months", {"percent": 25}, 24.0),
]


@pytest.mark.parametrize(("name", "of", "wanted"), BY_HAND, ids=lambda x: str(x)[:40])
def test_quantities_are_what_a_hand_works_out(six, name, of, wanted):
    found = value(name, six, **of)
    assert found.value == pytest.approx(wanted, rel=1e-9)
    assert found.low <= found.value <= found.high


def test_marrow_needs_its_event_and_missing_columns_are_said(six):
    with pytest.raises(NotSimulated, match="no event dtc in the events table"):
        value("marrow_cells_percent", six)
    with pytest.raises(NotSimulated, match="no column er_positive in the patients table"):
        value("nodes_percent", six, {"er_positive": True})


def test_every_quantity_is_tested():
    here = {name for name, _, _ in BY_HAND}
    elsewhere = {"marrow_cells_percent", "hazard_ratio", "cox_hazard_ratio", "rank_correlation",
                 "logistic_log_odds", "logistic_slope"}  # fmt: skip
    assert here | elsewhere == set(QUANTITIES)


@pytest.fixture(scope="module")
def german():
    """The 686 patients of the German Breast Cancer Study Group 2, as if they had been simulated."""
    data = load_gbsg2()
    rows = [
        {"diagnosis_day": 0.0, "end_day": float(r.time), "diameter_mm": float(r.tsize),
         "nodes_positive": int(r.pnodes), "age_years": float(r.age), "care": r.horTh,
         "death_day": float(r.time) if r.cens else None}
        for r in data.itertuples()
    ]  # fmt: skip
    return data, results(rows)


def test_survival_of_the_german_study_is_that_of_lifelines(german):
    data, run = german
    for care in ("yes", "no"):
        mine = data[data["horTh"] == care]
        km = KaplanMeierFitter().fit(mine["time"] / YEAR, mine["cens"])
        found = value("event_free_percent", run, {"care": care}, outcome="death", years=5)
        assert found.value == pytest.approx(100 * km.predict(5.0), rel=1e-9)
        quantile = value("time_quantile_years", run, {"care": care}, outcome="death", percent=30)
        assert quantile.value == pytest.approx(km.percentile(0.7), rel=1e-9)


def test_regressions_of_the_german_study(german):
    data, run = german
    table = pd.DataFrame({
        "x": np.log2(data["pnodes"] + 1), "size": data["tsize"], "age": data["age"],
        "time": data["time"], "event": data["cens"],
    })  # fmt: skip
    cox = CoxPHFitter().fit(table, "time", "event")
    found = value("cox_hazard_ratio", run, outcome="death")
    assert found.value == pytest.approx(np.exp(cox.params_["x"]), rel=1e-4)
    assert found.standard_error == pytest.approx(found.value * cox.standard_errors_["x"], rel=0.05)
    sample = Sample([run])
    ratio = QUANTITIES["hazard_ratio"]
    found = ratio.compute(sample.select({"care": "yes"}), sample.select({"care": "no"}),
                          ratio.of({"outcome": "death"}))  # fmt: skip
    plain = CoxPHFitter().fit(
        pd.DataFrame({"x": data["horTh"] == "yes", "t": data["time"], "e": data["cens"]}).astype(
            float
        ), "t", "e")  # fmt: skip
    assert found.value == pytest.approx(float(np.exp(plain.params_["x"])), rel=1e-4)
    rank = value("rank_correlation", run)
    assert rank.value == pytest.approx(data["tsize"].corr(data["pnodes"], method="spearman"))


def test_a_logistic_curve_is_recovered():
    rng = np.random.default_rng(1)
    size = np.exp(rng.normal(np.log(20), 0.5, 20_000))
    positive = rng.random(20_000) < 1 / (1 + np.exp(0.4 - 0.8 * np.log2(size / 20)))
    run = results([{"diameter_mm": float(d), "nodes_positive": int(p)}
                   for d, p in zip(size, positive, strict=True)])  # fmt: skip
    for name, truth in (("logistic_log_odds", -0.4), ("logistic_slope", 0.8)):
        found = value(name, run)
        assert abs(found.value - truth) < 4 * found.standard_error
        assert 0 < found.standard_error < 0.05


def ratio_of(one, other, **of):
    ratio = QUANTITIES["hazard_ratio"]
    return ratio.compute(Sample([one]), Sample([other]), ratio.of({"outcome": "death", **of}))


def test_a_hazard_ratio_of_a_window_is_that_of_its_years():
    rng = np.random.default_rng(4)
    early, late = rng.exponential(8.0, 400), rng.exponential(8.0, 400)
    treated = np.where(early < 3, 2 * early, 6 + late)  # half the hazard in six years, then alike
    arms = []
    for years in (np.where(early < 3, early, 3 + late), treated):
        died = years < 10
        rows = [{"death_day": at(y) if d else None, "end_day": at(min(y, 10.0))}
                for y, d in zip(years, died, strict=True)]  # fmt: skip
        arms.append(results(rows))
    whole, first, then = (
        ratio_of(arms[1], arms[0], **of).value
        for of in ({}, {"to_year": 3}, {"from_year": 6, "to_year": 10})
    )
    assert first == pytest.approx(0.5, abs=0.15)
    assert then == pytest.approx(1.0, abs=0.25)
    assert first < whole < then
    longer = {"from_year": 6, "to_year": 50}
    assert (
        ratio_of(arms[1], arms[0], **longer).value == ratio_of(arms[1], arms[0], from_year=6).value
    )


def test_arms_are_compared_in_the_patients_that_both_have():
    rows = [{"death_day": at(1 + k), "end_day": at(1 + k)} for k in range(6)]
    later = [{"death_day": at(1.5 + k), "end_day": at(1.5 + k)} for k in range(6)]
    soon = [{"death_day": at(0.1), "end_day": at(0.1)}] * 20  # only one arm goes on to these
    found = ratio_of(results(later), results(rows + soon))
    assert found == ratio_of(results(later), results(rows))
    assert found.patients == 12


def test_a_death_of_another_cause_is_no_death_from_the_cancer():
    causes = ["bone", "other_cause", "total_burden", "other_cause"]
    rows = [{"death_day": at(k + 1), "end_day": at(k + 1), "death_cause": cause}
            for k, cause in enumerate(causes)]  # fmt: skip
    run = results([*rows, {"death_cause": None}])
    # at risk 5 in year 1 and 3 in year 3; both others are censored
    assert value("event_free_percent", run, outcome="cancer_death", years=5).value == (
        pytest.approx(100 * 4 / 5 * 2 / 3)
    )
    assert value("event_free_percent", run, outcome="death", years=5).value == pytest.approx(20.0)


def test_z_is_as_defined():
    assert z_score(12.0, 0.3, 10.0, 0.4) == pytest.approx(2 / np.sqrt(0.4**2 + 0.3**2 + 1))


def test_shipped_files_can_be_read_and_hold_the_evidence():
    sizes = {name: len(read_targets(name).targets) for name in SHIPPED}
    assert sizes == {"calibration": 22, "population": 73, "seed_or_flow": 6, "treatments": 12}
    for name in SHIPPED:
        assert all(t.source and t.read for t in read_targets(name).targets)


FILE = {
    "cohorts": {"all": {"scenario": "luminal_a_surgery"}},
    "targets": [{"id": "a", "cohort": "all", "quantity": "site_percent", "of": {"organ": "bone"},
                 "value": 60.0, "total": 100}],
}  # fmt: skip


def changed(**own):
    return {**FILE, "targets": [{**FILE["targets"][0], **own}]}


MISTAKES = [
    (changed(quantity="site_percnt"), 'did you mean "site_percent"?'),
    (changed(cohort="al"), 'there is no cohort "al", so no scenario simulates it'),
    (changed(low=61, high=70), "the interval 61 to 70 does not hold the value 60"),
    (changed(value=160), "a percentage is from 0 to 100, not 160"),
    (changed(events=120), "120 events are more than the total of 100"),
    (changed(use="chek"), 'did you mean "check"?'),
    (changed(valu=1), 'did you mean "value"?'),
    (changed(of={"organ": "bone", "wen": "ever"}), 'did you mean "when"?'),
    (changed(where={"subtpe": "x"}), 'did you mean "subtype"?'),
    (changed(versus="all"), "is no ratio"),
    (changed(of={}), "is required by site_percent"),
    ({**FILE, "targets": []}, "there is none"),
    ({**FILE, "fit": {"free": {"x.y": {"low": 2, "high": 1}}}}, "low (2) must be below high (1)"),
]


@pytest.mark.parametrize(("table", "said"), MISTAKES, ids=lambda x: x if isinstance(x, str) else "")
def test_mistakes_are_said_with_their_key(table, said):
    with pytest.raises(TargetsError) as caught:
        parse_targets(table)
    assert said in str(caught.value)


def test_all_mistakes_come_at_once():
    with pytest.raises(TargetsError, match="2 mistakes"):
        parse_targets(changed(quantity="nothing", cohort="nobody"))


def test_organs_and_scenarios_that_do_not_exist():
    with pytest.raises(TargetsError, match=r'no organ "bon".*did you mean "bone"'):
        plan(parse_targets(changed(of={"organ": "bon"})))
    with pytest.raises(TargetsError, match='no scenario "luminal_x"'):
        plan(parse_targets({**FILE, "cohorts": {"all": {"scenario": "luminal_x"}}}))
    with pytest.raises(TargetsError, match="no scenario simulates this cohort"):
        plan(parse_targets({**FILE, "cohorts": {"all": {}}}))


def test_targets_from_a_csv_are_those_of_toml(tmp_path):
    path = tmp_path / "mine.csv"
    cells = {
        "id": "a", "cohort": "all", "scenario": "luminal_a_surgery", "quantity": "site_percent",
        "of.organ": "bone", "where.diameter_mm": ">20 <=30", "where.subtype": "luminal_a|luminal_b",
        "value": "60", "total": "100",
    }  # fmt: skip
    path.write_text(f"{','.join(cells)}\n{','.join(cells.values())}\n")
    (target,) = read_targets(path).targets
    assert target.of == {"organ": "bone"} and target.value == 60
    assert target.where["diameter_mm"].model_dump(exclude_none=True) == {"above": 20, "up_to": 30}
    assert target.where["subtype"] == ["luminal_a", "luminal_b"]
    path.write_text("id,quantty\na,b\n")
    with pytest.raises(TargetsError, match='did you mean "quantity"'):
        read_targets(path)


def test_a_planned_cohort_is_reported_and_nothing_is_made_up(six):
    cohorts = {"all": {"scenario": "not_yet", "planned": True}}
    judged = validate(parse_targets(FILE | {"cohorts": cohorts}), progress=False)
    assert {s.verdict.partition(":")[0] for s in judged.scores} == {"not simulated"}
    assert frame(judged.scores)["simulated"].isna().all()


def test_finished_results_are_judged_and_nobody_is_refused(six):
    judged = judge(parse_targets(changed(value=75.0)), [six])
    assert judged.scores[0].verdict == "agrees" and judged.scores[0].z == pytest.approx(0)
    judged = judge(parse_targets(changed(where={"diameter_mm": {"above": 99}})), [six])
    with pytest.raises(TargetsError, match="leaves none of 6 patients"):
        judged.refuse_nobody()
    with pytest.raises(Nobody):
        Sample([six]).select({"diameter_mm": 99.0})


def test_the_bar():
    bar = Bar.parse("90%:3")
    assert (bar.share, bar.furthest) == (0.9, 3.0)
    judged = judge(parse_targets(changed(value=75.0)), [results([{}] * 3, [(0, "bone", 500.0)])])
    assert bar.verdict(judged.scores)[0] is (abs(judged.scores[0].z) < 2)


def test_the_command_runs_judges_and_ends_as_asked(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "id,scenario,quantity,of.organ,value,total\na,luminal_a_surgery,site_percent,bone,5,400\n"
    )
    out = tmp_path / "out"
    arguments = ["validate", str(path), "--most-patients", "300", "--output", str(out), "--quiet"]
    done = CliRunner().invoke(app, [*arguments, "--require", "100%"])
    assert done.exit_code == 1, done.output
    table = pd.read_csv(out / "scorecard.csv")
    wanted = "id cohort quantity subgroup published low high simulated sim_low sim_high z verdict"
    assert list(table.columns[:12]) == wanted.split()
    assert table["z"][0] > 4 and table["verdict"][0] == "fails"
    assert (out / "targets.png").exists()
    assert CliRunner().invoke(app, ["validate", str(path), "--require", "lots"]).exit_code == 2
