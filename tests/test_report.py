"""Reports: one HTML file that holds all it needs, shows the numbers of the tables, runs nothing."""

import base64
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

import metasim as ms
from metasim.errors import ResultsError
from metasim.reporting.html import page, text
from metasim.reporting.markdown import sections
from metasim.reporting.saved import by_status, values_of
from metasim.reporting.write import page_of, write_report
from metasim.results.compare_report import open_comparison, save_tables
from metasim.scenario.explicit import describe, explicit_toml
from tests.test_cli import metasim

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'& $x$"


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.links, self.words = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "run"
    few = ms.load("luminal_a", {"run.patients": 60, "soil.bone.niche": 0.7, "title": MARKUP})
    ms.run(few, output=out)
    return out


@pytest.fixture(scope="module")
def report(folder):
    return Page(write_report(folder).read_text(encoding="utf-8"))


def test_a_report_holds_all_it_needs_and_runs_nothing(report):
    assert not {"script", "iframe", "object", "embed", "link", "form"} & set(report.tags)
    assert all(re.match(r"data:(image/(svg\+xml|png)|text/csv);base64,|#s\d+$", one)
               for one in report.links)  # fmt: skip
    assert MARKUP.replace("\n", " ") in report.text


def test_it_shows_the_numbers_of_the_summary(folder, report):
    for row in ms.open_results(folder).summary.to_dict("records"):
        assert f"{100 * row['share_with']:.1f}" in report.text
        assert row["label"] in report.text


def test_figures_come_with_their_data(folder, report):
    results = ms.open_results(folder)
    data = [base64.b64decode(one.partition(",")[2]) for one in report.links if "csv" in one]
    due = ms.plots.FIGURES["organ_counts"].data(results)
    due.attrs = {}
    assert due.to_csv(index=False).encode() in data
    assert sum("image/" in one for one in report.links) == len(
        [kind for kind in ms.plots.FIGURES.values() if kind.applies(results)]
    )


def test_it_says_what_differs_and_how_to_run_it_again(report):
    assert "soil.bone.niche 0.7 --set user" in report.text
    assert "run.patients 60 --set user" in report.text
    assert "metasim run scenario.toml" in report.text
    assert "mueller2001: Mueller et al." in report.text
    assert "We simulated 60 virtual patients with metasim" in report.text
    assert "Only" in report.text and "the intervals are wide" in report.text


def test_the_command_writes_it_where_it_is_told(folder, tmp_path, one_figure):
    done = metasim("report", folder, "--output", tmp_path / "new" / "a.html")
    assert done.exit_code == 0 and (tmp_path / "new" / "a.html").is_file()
    assert metasim("report", tmp_path).exit_code == 2
    assert metasim("report", tmp_path / "nowhere").exit_code == 2


def test_the_report_is_replaced_with_the_results(tmp_path, one_figure):
    few = ms.load("luminal_a", {"run.patients": 4})
    ms.run(few, output=tmp_path / "a")
    assert write_report(tmp_path / "a") == tmp_path / "a" / "report.html"
    ms.run(few, output=tmp_path / "a", overwrite=True)
    assert not (tmp_path / "a" / "report.html").exists()


def test_values_of_a_saved_scenario_are_those_that_were_saved():
    scenario = ms.load("trastuzumab", {"soil.bone.niche": 0.25})
    found = values_of(explicit_toml(scenario))
    due = describe(scenario)
    assert len(found) == len(due)
    said = sorted((one.layer, one.status, one.source, one.unit) for one in found)
    assert said == sorted((row.layer, row.status, row.source, row.unit) for row in due)
    assert sum(by_status(found).values()) == len(due)
    given = {one.key for one in found if one.is_given}
    assert "soil.bone.niche" in given and "soil.bone.hypoxia" not in given


def test_a_comparison_is_saved_opened_and_reported(tmp_path):
    base = ms.load("luminal_a", {"run.patients": 60})
    runs = [ms.run(base), ms.run(base.replace({"soil.bone.niche": 0.0}))]
    compared = ms.compare(runs, ["as it is", "<b>poor</b>"])
    save_tables(compared, tmp_path, ["metasim", "compare", "a", "b c"])
    again = open_comparison(tmp_path)
    pd.testing.assert_frame_equal(again.differences, compared.differences)
    assert (again.labels, again.notes, again.paired) == (compared.labels, compared.notes, True)
    found = Page(page_of(tmp_path))
    assert "<b>poor</b> against as it is" in found.text and "b" not in found.tags
    assert "metasim compare a 'b c'" in found.text and "compared pair by pair" in found.text
    for wrong in ("{}", "[", '{"labels": "x"}'):
        (tmp_path / "comparison.json").write_text(wrong, encoding="utf-8")
        with pytest.raises(ResultsError, match=r"comparison\.json: damaged"):
            page_of(tmp_path)
    (tmp_path / "comparison.json").unlink()
    with pytest.raises(ResultsError, match="metasim compare --output writes it"):
        page_of(tmp_path)


FIT = """# Fit of <i>x</i> to figures

## Priors and posteriors

| key | prior | best |
|---|---|---|
| `soil.bone.niche` | 0 to 1, linear | 0.4 |

Spread left: of the posterior.

## What the targets do not decide

- `a`: what was known before
"""


def test_a_fit_is_reported_from_what_it_leaves(tmp_path):
    (tmp_path / "report.md").write_text(FIT, encoding="utf-8")
    (tmp_path / "best.toml").write_text('extends = "luminal_a"\n', encoding="utf-8")
    draws = pd.DataFrame({"soil.bone.niche": [0.1, 0.2], "weight": [0.5, 0.5]})
    draws.to_parquet(tmp_path / "posterior.parquet")
    found = Page(page_of(tmp_path))
    assert "Fit of <i>x</i> to figures" in found.text and "i" not in found.tags
    assert found.tags.count("table") == 2 and "metasim run best.toml" in found.text
    assert {"code", "li"} <= set(found.tags)
    (tmp_path / "posterior.parquet").write_bytes(b"no")
    with pytest.raises(ResultsError, match=r"posterior\.parquet: damaged"):
        page_of(tmp_path)


def test_markdown_is_text_but_for_what_metasim_writes():
    title, found = sections(FIT)
    assert title == "Fit of <i>x</i> to figures"
    assert [head for head, _ in found] == [
        "Priors and posteriors",
        "What the targets do not decide",
    ]
    assert "<td><code>soil.bone.niche</code></td>" in found[0][1]
    assert "<script>" not in "".join(body for _, body in sections("a <script> `<script>`")[1])


def test_what_is_no_report_is_said(tmp_path):
    with pytest.raises(ResultsError, match="not a results folder of metasim"):
        page_of(tmp_path)


def test_text_is_escaped_whatever_it_holds():
    assert text('<a href="x">\x00') == "&lt;a href=&quot;x&quot;&gt; "
    assert "<script>" not in page("<script>", "<script>", [("<script>", "")])
