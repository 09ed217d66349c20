"""The search for the best point, priors of ratios, targets of several files, cohorts that share."""

from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

import metasim as ms
from bench.mechanisms import mechanisms, row
from metasim.cli import app
from metasim.targets import simulate as simulating
from metasim.targets.fit import quick
from metasim.targets.fit.free import FreeKey, check_priors, point_of, values_of
from metasim.targets.further import with_further
from metasim.targets.load import TargetsError, parse_targets, read_targets
from metasim.targets.schema import Free
from metasim.targets.simulate import plan, simulate_cohorts

EVEN = Free(low=0, high=1)


def curved(size=8, targets=30, prior=EVEN, steep=8.0):
    """A made-up problem: targets that answer the keys with a bend, and some noise; its truth."""
    rng = np.random.default_rng(4)
    slopes, truth = steep * rng.normal(size=(targets, size)), rng.uniform(0.25, 0.7, size)
    points = []

    def compute(u):
        points.extend(u)
        off = u - truth
        values = off @ slopes.T + off**2 @ np.abs(slopes.T) / 2
        values += 0.025 * steep * np.random.default_rng(len(points)).normal(size=values.shape)
        values[u[:, 0] > 0.75] = np.nan  # keys that make no scenario together
        return values, np.where(np.isnan(values), np.nan, 0.1)

    keys = tuple(FreeKey(f"key{i}", prior) for i in range(size))
    names = [SimpleNamespace(id=f"t{i}") for i in range(targets)]
    problem = SimpleNamespace(keys=keys, targets=names, fitted=np.ones(targets, bool),
                              patients=1, z=lambda values, _: values)  # fmt: skip
    return problem, compute, truth, slopes, points


def found(problem, compute, **options):
    start = np.full((1, len(problem.keys)), 0.5)
    return quick.search(problem, compute, start, lambda _: None, **options)


def test_the_search_finds_the_truth_and_how_well_it_is_known(monkeypatch):
    problem, compute, truth, slopes, points = curved()
    best = found(problem, compute)
    assert np.abs(best.point - truth).max() < 0.03
    assert len(points) < 120
    wanted = np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes + 12 * np.eye(len(truth)))))
    assert np.sqrt(np.diag(best.covariance)) == pytest.approx(wanted, rel=0.4)
    again = found(problem, curved()[1])
    assert np.array_equal(again.point, best.point)
    right = quick._Known.line
    wrong = lambda self: right(self)._replace(slopes=-right(self).slopes)  # noqa: E731
    monkeypatch.setattr(quick._Known, "line", wrong)
    assert np.abs(found(problem, compute).point - truth).max() > 0.05


def test_slopes_that_are_noise_are_not_taken_for_knowledge():
    slopes, noise = np.full((4, 2), 30.0) * [1, 0.1], np.diag([10.0, 400.0])
    line = quick._Line(np.zeros(4), slopes, noise)
    spread = np.sqrt(12 * np.diag(quick._covariance(line)))
    assert spread[0] < 0.2 and spread[1] > 0.95


def test_a_prior_with_a_centre_draws_the_search_to_it():
    centred = Free(low=0, high=1, centre=0.5, sd=0.2)
    free, held = (found(*curved(prior=p, steep=0.5)[:2]).point for p in (EVEN, centred))
    assert np.abs(held - 0.5).sum() < 0.7 * np.abs(free - 0.5).sum()


def test_one_target_that_cannot_be_met_does_not_outweigh_all_others():
    assert quick.cost_of(np.array([[3.0, 2.0], [10.0, 0.0]])) == pytest.approx([13.0, 51.0])


def test_a_prior_may_be_of_a_ratio():
    liver, lung = "soil.liver.multiplier.colonization", "soil.lung.multiplier.colonization"
    known = {"scale": "log", "centre": 2.0, "sd": 0.5, "ratio_to": lung}
    keys = [FreeKey(liver, Free(low=0.5, high=8, **known)),
            FreeKey(lung, Free(low=1e-3, high=1, scale="log"))]  # fmt: skip
    values = values_of(keys, np.array([[0.5, 0.0], [0.9, 1.0]]))
    ratio = values[liver] / values[lung]
    assert ratio == pytest.approx([keys[0].value(0.5), keys[0].value(0.9)])
    base = ms.load("patients")
    at = point_of(keys, lambda _: base)
    back = values_of(keys, at)
    for key, value in back.items():
        organ = base.soil[key.split(".")[1]]
        assert value == pytest.approx(organ.multiplier.colonization, rel=1e-3)
    check_priors(base, keys, "x")
    assert point_of([FreeKey("clinic.diagnosis_diameter_mm", EVEN)], lambda _: base) is None


FIGURE = {"id": "a", "cohort": "c", "quantity": "site_percent", "of": {"organ": "bone"}, "value": 9}


@pytest.mark.parametrize(
    ("fit", "said"),
    [
        ({"free": {"a": {"low": 0, "high": 1, "ratio_to": "b"}}}, "b is not free"),
        ({"free": {"a": {"low": 0, "high": 1, "ratio_to": "b"},
                   "b": {"low": 0, "high": 1, "ratio_to": "a"}}}, "leads back to itself"),
        ({"sizes": {"d": 1}}, "there is no such cohort"),
        ({"further": {"calibration": ["sites_*"]}}, "calibration has no target sites_*"),
        ({"further": {"calibratoin": ["*"]}}, 'did you mean "calibration"'),
    ],
)  # fmt: skip
def test_what_a_fit_table_cannot_say(fit, said):
    table = {"cohorts": {"c": {"scenario": "luminal_a"}}, "targets": [FIGURE], "fit": fit}
    with pytest.raises(TargetsError) as caught:
        with_further(parse_targets(table))
    assert said in str(caught.value)


def test_the_population_is_fitted_with_targets_of_two_files():
    own, both = read_targets("population"), with_further(read_targets("population"))
    more = [t.id for t in both.targets[len(own.targets) :]]
    assert len(more) == 20 and {t.partition("_")[0] for t in more} == {"site", "survival"}
    assert set(both.cohorts) - set(own.cohorts) == {"operated"}
    keys = [FreeKey(name, prior) for name, prior in both.fit.free.items()]
    base = ms.load("patients")
    check_priors(base, keys, "population")
    at = point_of(keys, lambda _: base)
    assert (
        at is not None and ((at > 0.011) & (at < 0.989)).all()
    )  # its values are within the priors
    assert all(key.prior.note for key in keys)


def test_cohorts_that_differ_in_title_and_tests_share_their_patients(monkeypatch):
    asked = []
    monkeypatch.setattr(simulating, "simulate", lambda one, size: asked.append((one, size)) or one)
    made = plan(read_targets("population"))
    runs = simulate_cohorts(made.scenarios, dict.fromkeys(made.scenarios, 7) | {"stage_i_iii": 9})
    assert len(asked) == 3
    assert runs["ultrasound_series"] == runs["stage_i_iii"] == runs["operated_mixed_1977_2005"]
    assert asked[0][1] == 9 and asked[0][0].tests.blood_ml == 7.5  # the one that is tested
    assert runs["population_2010_14"] != runs["stage_i_iii"]


def test_a_fit_needs_no_scenario_where_the_file_names_one(tmp_path):
    path, out = tmp_path / "mine.toml", tmp_path / "x"
    path.write_text("""
[fit]
scenario = "luminal_a_surgery"
patients = 30
draws = 0
[fit.free]
"soil.bone.multiplier.colonization" = { low = 0.2, high = 5, centre = 1, sd = 1, note = "wide" }
[cohorts.c]
scenario = "luminal_a_surgery"
set = { "run.years" = 4.0 }
[[targets]]
id = "a"
cohort = "c"
quantity = "site_percent"
of = { organ = "bone" }
value = 90
total = 20
""")  # fmt: skip
    arguments = ["fit", "--targets", str(path), "--executor", "serial", "--rounds", "1", "--output"]
    done = CliRunner().invoke(app, [*arguments, str(out), "--start", "luminal_a_surgery"])
    assert done.exit_code == 0, done.output
    assert "quick: cost" in done.output and "wide" in (out / "report.md").read_text()
    best = ms.load(out / "best.toml")
    assert best._origins["soil.bone.multiplier.colonization"].status == "calibrated"


def test_every_mechanism_can_be_taken_away():
    base = ms.load("operated_untreated_1978_93")
    laws = {name: base.replace(values) for name, values in mechanisms().items()}
    assert len(laws) > 11 and laws.pop("all of them") == base
    assert all(law != base for law in laws.values())
    alike = laws["subtypes differ in growth, shedding and reawakening"]
    assert all(drawn.factor_by_subtype is None for drawn in alike.patients.values())
    verdicts = ((1.0, "agrees"), (-3.0, "differs"), (9.0, "fails"), (np.nan, "no"))
    judged = [SimpleNamespace(z=z, judged=np.isfinite(z), verdict=said) for z, said in verdicts]
    assert row(judged) == (1, 1, 1, 1, 1 + 9 + 16 + 16)
