"""Survival, relapse, sites and phenotypes as tables: against lifelines and plain counting."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from lifelines import AalenJohansenFitter, KaplanMeierFitter

from metasim.errors import OptionError, ResultsError
from metasim.results.outcomes import (
    OUTCOMES,
    SAME_TIME_DAYS,
    cumulative_incidence,
    distant_metastasis_free_survival,
    overall_survival,
    sites,
    survival_after_relapse,
    time_to,
)
from metasim.results.phenotypes import (
    composition_over_time,
    drugs_resisted,
    metastasis_composition,
)
from metasim.results.statistics import wilson_interval
from metasim.results.tally import ANY_DISTANT
from metasim.results.timeline import timeline, treatment_spans, typical_patients
from metasim.terms import DAYS_PER_MONTH, DAYS_PER_YEAR
from tests.outcomes_synthetic import course_results

results = cache(lambda: course_results(300))
mixed = cache(lambda: course_results(150, phenotypes=True))


@pytest.fixture(params=["diagnosis", "start"])
def either_origin(request):
    return course_results(200, follow_from=request.param)


def life_table(results):
    """Days since the origin of death, first distant metastasis and end, counted by hand."""
    patients = results.patients
    if results.scenario["run"]["follow_from"] == "diagnosis":
        patients = patients.dropna(subset="diagnosis_day")
        origin = patients["diagnosis_day"]
    else:
        origin = 0.0
    columns = ["death_day", "first_distant_day", "end_day"]
    return patients.set_index("patient")[columns].sub(np.asarray(origin), axis=0)


def same_curve(ours, time, event):
    theirs = KaplanMeierFitter().fit(time, event)
    expected = theirs.survival_function_at_times(ours["years"]).to_numpy()
    assert ours["survival"].to_numpy() == pytest.approx(expected, abs=1e-9)
    assert ours.attrs["events"] == event.sum() > 5
    assert ours.attrs["patients"] == len(time) == ours["at_risk"].iloc[0]


def test_overall_survival_is_lifelines(either_origin):
    lives = life_table(either_origin)
    time = lives["death_day"].fillna(lives["end_day"]) / DAYS_PER_YEAR
    ours = overall_survival(either_origin)
    same_curve(ours, time.clip(lower=0), lives["death_day"].notna())
    assert ours.attrs["left_out"] == 200 - len(lives)


def test_distant_metastasis_free_survival_is_lifelines(either_origin):
    lives = life_table(either_origin)
    lives = lives[~(lives["first_distant_day"] <= 0)]
    first = lives["first_distant_day"].fillna(lives["death_day"])
    time = first.fillna(lives["end_day"]) / DAYS_PER_YEAR
    ours = distant_metastasis_free_survival(either_origin)
    same_curve(ours, time.clip(lower=0), first.notna())
    assert (ours["low"] <= ours["survival"]).all()
    assert (ours["survival"] <= ours["high"]).all()


@pytest.mark.parametrize("organ", ["bone", "brain"])
def test_cumulative_incidence_is_lifelines(organ):
    lives = life_table(results())
    seen = results().metastases.query("organ == @organ").groupby("patient")["detected_day"].min()
    diagnosed = results().patients.set_index("patient")["diagnosis_day"]
    first = (seen - diagnosed).reindex(lives.index)
    end = first.fillna(lives["death_day"]).fillna(lives["end_day"]).clip(lower=0) / DAYS_PER_YEAR
    cause = np.where(first.notna(), 1, np.where(lives["death_day"].notna(), 2, 0))
    end = end + 1e-9 * np.arange(len(end))  # lifelines would break ties at random
    theirs = AalenJohansenFitter().fit(end, cause, event_of_interest=1)
    ours = cumulative_incidence(results()).query("organ == @organ")
    assert ours["share"].iloc[-1] == pytest.approx(theirs.cumulative_density_.iloc[-1, 0], abs=1e-6)
    later = np.searchsorted(ours["years"], 5.0, side="right") - 1
    expected = theirs.cumulative_density_.loc[:5.0].iloc[-1, 0]
    assert ours["share"].iloc[later] == pytest.approx(expected, abs=1e-6)


def test_who_is_at_risk_of_what():
    times = {outcome: time_to(results(), outcome) for outcome in OUTCOMES}
    lives = life_table(results())
    spread_before = lives.index[lives["first_distant_day"] <= 0]
    assert len(spread_before) > 0
    for outcome in ("death", "cancer_death"):
        assert times[outcome].index.tolist() == lives.index.tolist()
    for outcome in ("distant", "distant_or_death", "recurrence"):
        assert not times[outcome].index.isin(spread_before).any()
        assert times[outcome].index.isin(lives.index).all()
    both = times["distant"]["cause"] == 1
    assert (times["distant_or_death"]["cause"] == 1).sum() == (times["distant"]["cause"] > 0).sum()
    # recurrence counts the nodes and the breast too
    recurred = times["recurrence"]
    assert (recurred["years"] <= times["distant"]["years"]).all()
    assert (recurred["cause"] == 1).sum() > both.sum()


def test_recurrence_in_an_organ_waits_for_that_organ():
    bone = time_to(results(), "recurrence", "bone")
    events = results().events
    first = events[(events["event"] == "relapse") & (events["organ"] == "bone")]
    first = first.groupby("patient")["day"].min()
    diagnosed = results().patients.set_index("patient")["diagnosis_day"]
    happened = bone.index[bone["cause"] == 1]
    years = ((first - diagnosed) / DAYS_PER_YEAR).loc[happened]
    assert len(happened) > 10
    assert (years > 0).all()
    assert bone.loc[happened, "years"].to_numpy() == pytest.approx(years.to_numpy())


def test_unknown_outcome_and_organ_are_named():
    with pytest.raises(OptionError, match="'relaps'; choose from death, cancer_death, distant"):
        time_to(results(), "relaps")
    with pytest.raises(OptionError, match="no organ 'bones'; choose from breast, "):
        time_to(results(), "recurrence", "bones")
    with pytest.raises(ResultsError, match="--record patients"):
        overall_survival(course_results(20, record="summary"))


def test_survival_after_relapse_by_first_site():
    table = survival_after_relapse(results()).set_index("organ")
    patients = results().patients.dropna(subset="first_distant_day")
    assert table.loc[ANY_DISTANT, "patients"] == len(patients) == table["patients"][:-1].sum()
    bone = patients[patients["first_distant_organ"] == "bone"]
    end = bone["death_day"].fillna(bone["end_day"]) - bone["first_distant_day"]
    fitted = KaplanMeierFitter().fit(end / DAYS_PER_MONTH, bone["death_day"].notna())
    assert table.loc["bone", "median_months"] == pytest.approx(fitted.median_survival_time_)
    assert table.loc["bone", "low_months"] < table.loc["bone", "median_months"]
    assert "breast" not in table.index
    nobody = survival_after_relapse(course_results(20, per_patient=0))
    assert nobody["median_months"].isna().all()


def test_sites_at_relapse_and_death_are_plain_shares():
    table = sites(results())
    rows = table.set_index("organ")
    patients = results().patients.set_index("patient")
    first = results().metastases.groupby(["organ", "patient"], observed=True)["detected_day"].min()
    for organ in ("bone", "lung"):
        there = first[organ].reindex(patients.index)
        early = there <= patients["first_distant_day"] + SAME_TIME_DAYS
        relapsed = patients["first_distant_day"].notna()
        assert rows.loc[organ, "at_relapse"] == pytest.approx(early.sum() / relapsed.sum())
        died = patients["death_day"].notna()
        share = (there[died] <= patients.loc[died, "death_day"]).sum() / died.sum()
        assert rows.loc[organ, "at_death"] == pytest.approx(share)
        low, high = wilson_interval(round(share * died.sum()), died.sum())
        ends = rows.loc[organ, ["at_death_low", "at_death_high"]].tolist()
        assert ends == pytest.approx([float(low), float(high)])
    assert rows.loc["bone", "at_relapse"] < rows.loc["bone", "at_death"] < 1
    assert table.attrs["died"] == patients["death_day"].notna().sum()
    assert sites(course_results(20, per_patient=0))["at_death"].isna().all()


def test_composition_of_metastases_and_over_time():
    ends = metastasis_composition(mixed())
    raw = mixed().metastases.query("cells > 0").reset_index(drop=True)
    assert ends["resistant"].to_numpy() == pytest.approx(raw["cells_resistant"] / raw["cells"])
    assert (ends["sensitive"] + ends["resistant"]).to_numpy() == pytest.approx(1)
    assert drugs_resisted(mixed()) == {"resistant": ["chemotherapy"]}
    course = composition_over_time(mixed())
    assert (course["years"] >= 0).all()
    early, late = course.query("years < 3"), course.query("years > 8")
    assert late["resistant"].mean() > early["resistant"].mean() + 0.2
    one = course.iloc[0]
    day = one["years"] * DAYS_PER_YEAR
    day += mixed().patients.set_index("patient").loc[one["patient"], "diagnosis_day"]
    cells = mixed().counts.query("patient == @one.patient and organ != 'breast'")
    cells = cells[np.isclose(cells["day"], day)]
    assert one["resistant"] == pytest.approx(cells["cells_resistant"].sum() / cells["cells"].sum())


def test_composition_says_what_was_not_recorded():
    with pytest.raises(ResultsError, match="'metastases' does not count cells by phenotype"):
        metastasis_composition(results())
    with pytest.raises(ResultsError, match="'counts' does not count cells by phenotype"):
        composition_over_time(course_results(20, phenotypes=True, by_day=False))


def test_timeline_names_treatments_and_finds_their_spans():
    events = timeline(results())
    starts = events[events["event"] == "treatment_start"]
    assert set(starts["name"]) == {"chemotherapy", "endocrine"}
    assert set(events.loc[events["event"] == "relapse", "name"]) == {"relapse"}
    assert events.loc[events["event"] == "diagnosis", "years"].abs().max() == 0
    spans = treatment_spans(events)
    assert len(spans) == len(starts)
    chemotherapy = spans[spans["name"] == "chemotherapy"]
    assert chemotherapy["years"].to_numpy() == pytest.approx(30 / DAYS_PER_YEAR)
    assert (chemotherapy["until"] <= 150 / DAYS_PER_YEAR + 1e-9).all()


def test_spans_pair_each_start_with_the_next_end():
    rows = [
        (0, 0.0, "treatment_start", "x"),
        (0, 1.0, "treatment_end", "x"),
        (0, 2.0, "treatment_start", "x"),
        (0, 3.0, "treatment_end", "x"),
        (0, 0.5, "treatment_start", "y"),
        (1, 0.7, "drug_start", "x"),
    ]
    spans = treatment_spans(pd.DataFrame(rows, columns=["patient", "years", "event", "name"]))
    found = set(spans.fillna(-1).itertuples(index=False, name=None))
    assert found == {(0, "x", 0.0, 1.0), (0, "x", 2.0, 3.0), (0, "y", 0.5, -1), (1, "x", 0.7, -1)}


def test_typical_patients_are_those_with_a_recurrence_in_order_of_life():
    chosen = typical_patients(results(), 30)
    events = results().events
    assert len(set(chosen)) == 30
    assert set(chosen) <= set(events.loc[events["event"] == "relapse", "patient"])
    lives = life_table(results())
    length = lives["death_day"].fillna(lives["end_day"]).loc[chosen]
    assert length.is_monotonic_increasing
    assert len(typical_patients(course_results(20, per_patient=0), 30)) > 10
