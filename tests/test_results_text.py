"""Text of users is text in every figure; figures of threads leave no settings behind."""

import re
import threading
import warnings
from functools import cache

import matplotlib
import matplotlib.pyplot as plt
import pytest
import tomlkit
from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure
from matplotlib.text import Text

import metasim as ms
from metasim.errors import MetasimWarning, OptionError
from metasim.results import Results, plots
from metasim.results.compare import compare
from metasim.results.plots import text as texts
from metasim.results.plots.style import STYLE, styled
from metasim.results.plots.text import plain
from tests.outcomes_synthetic import course_results

HOSTILE = r"Arm at $5 to $6: a $ b_$c^ [/spine] \$7 %s {0}"


@cache
def hostile(words: str, first: int = 0) -> Results:
    """Results whose title and labels are hostile."""
    made = course_results(12, phenotypes=True, first=first)
    scenario = tomlkit.parse(made.scenario_toml).unwrap()
    scenario["title"] = words
    for organ, soil in scenario["soil"].items():
        soil["label"] = f"{words} {organ}" if organ != "bone" else words
    tables = {name: made.arrow(name).to_table() for name in made.provenance["rows"]}
    about = {key: value for key, value in made.provenance.items() if key != "description"}
    return Results(tomlkit.dumps(scenario), about, tables)


def drawings(words):
    one, two = hostile(words), hostile(words, 1000)
    compared = compare([one, two], [words, f"{words} again"])
    return {
        **{name: draw for name, draw in ((n, getattr(plots, n)) for n in plots.FIGURES)},
        "survival of two": lambda _: plots.survival([one, two]),
        "hazard of two": lambda _: plots.hazard([one, two]),
        "comparison": lambda _: plots.comparison(compared),
        "hazard_ratios": lambda _: plots.hazard_ratios(compared),
    }


OURS = re.compile(r"(grown |1 in |)?\$[\d.]+\\times 10\^\{-?\d+\}\$(-fold)?")


def test_text_of_users_is_text_in_every_figure():
    words = HOSTILE
    for name, draw in drawings(words).items():
        ax = draw(hostile(words))  # lays out: mathematics would be parsed
        shown = []
        for one in ax.figure.findobj(Text):
            text = one.get_text()
            if is_math_text(text):  # powers of ten only
                assert OURS.fullmatch(text) or "mathdefault" in text, (name, text)
            else:
                shown.append(one._preprocess_math(text)[0])
        assert words.replace(" ", "") in "".join("".join(shown).split()), name


def test_names_that_begin_with_an_underscore_are_in_the_legend():
    with styled():
        ax = Figure().add_subplot()
        ax.plot([1], label=plain("_hidden"))
        assert [one.get_text().strip() for one in ax.legend().get_texts()] == ["_hidden"]


def test_sweeps_are_drawn_with_any_text(tmp_path):
    scenario = ms.load("luminal_a_surgery").replace({"run.patients": 5, "run.years": 3.0})
    scenario = scenario.replace({"title": "a $ b_$c^", "soil.bone.label": "$x$_$"})
    from metasim.runner.design import parse

    done = ms.sweep(scenario, [parse("soil.bone.niche=0:1:1"), parse("soil.lung.niche=0:1:1")],
                    output=tmp_path / "sweep", progress=False)  # fmt: skip
    for ax in (plots.response(done), plots.heat_map(done), plots.heat_map(done, organ="bone")):
        ax.figure.draw_without_rendering()


def test_letters_that_the_font_lacks_come_from_another_or_are_said(monkeypatch):
    with styled():
        assert plain("bell\x07") == r"bell\x07"
        before = texts.family()
        assert plain("Knochen — кость") == "Knochen — кость"  # the font has them
        assert texts.family() == before
        in_another = "\u20dd"  # of a font that comes with Matplotlib
        assert plain(f"x{in_another}") == f"x{in_another}"
        assert texts.family() != before
    assert matplotlib.rcParams["font.family"] == before
    with styled(), pytest.warns(MetasimWarning, match="no installed font has the letters 骨"):
        monkeypatch.setattr(texts, "_family_with", lambda letter: None)
        assert plain("骨 bone") == "? bone"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monkeypatch.setattr(texts, "_family_with", lambda letter: "STIXGeneral")
        with styled():
            assert plain("骨") == "骨"
            assert "STIXGeneral" in texts.family()


def test_fonts_of_boxes_are_no_help():
    family = texts._family_with("\ue09c")  # a private letter: such fonts have every one
    assert family is None or "last" not in family.lower()


def test_threads_that_draw_leave_the_settings_alone():
    results = course_results(20)
    results.summary, results.patients, results.metastases, results.events  # noqa: B018
    before = dict(matplotlib.rcParams)
    seen, errors = [], []

    def draw(k):
        try:
            for _ in range(2):
                ax = (plots.organ_counts, plots.survival)[k % 2](results)
                seen.append(ax.title.get_fontsize())
        except BaseException as error:  # told below
            errors.append(error)

    threads = [threading.Thread(target=draw, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert set(seen) == {STYLE["axes.titlesize"]}
    assert dict(matplotlib.rcParams) == before


def test_a_style_of_matplotlib_goes_over_that_of_metasim():
    results = course_results(20)
    before = dict(matplotlib.rcParams)
    own = {"axes.facecolor": "#eeeeff", "font.size": 13}
    ax = plots.organ_counts(results, style=own)
    assert matplotlib.colors.to_hex(ax.get_facecolor()) == "#eeeeff"
    assert plots.organ_counts(results, style="ggplot").get_axisbelow()
    assert plots.comparison(compare([results, results], ["a", "b"]), style=["ggplot", own])
    with pytest.raises(OptionError, match="style 'ggplotz'"):
        plots.organ_counts(results, style="ggplotz")
    assert dict(matplotlib.rcParams) == before
    figure, ax = plt.subplots()
    assert plots.survival(results, ax, style="bmh") is ax
    plt.close(figure)
    assert isinstance(plots.body(results).figure, Figure)
