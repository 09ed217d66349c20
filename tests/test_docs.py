"""What README and docs show is run as it stands; the generated pages leave nothing out.

A fenced block of Python runs in one session a page, a `console` block line by line (`$ ` before
each command), and a `toml` block that begins with `# NAME.toml` is written as that file; all pages
share a folder. A comment before a block says otherwise: `<!-- verify -->` (too slow for the fast
suite), or `<!-- not run: why -->`. Runs draw one figure each in the fast suite.
"""

import inspect
import os
import re
import shlex
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner as Runner

import metasim
from metasim.cli import app
from metasim.results.columns import COLUMNS, ROWS
from metasim.results.tables import FAILURES, SCHEMAS, SUMMARY, TOLD

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "docs" / "_ext"))
PAGES = sorted(
    path
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if not {"generated", "_build"} & set(path.relative_to(ROOT).parts)
)
BLOCK = re.compile(r"(?:<!-- (?P<note>[^>]*?) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```",
                   re.M | re.S)  # fmt: skip
MAKES = re.compile(r"^(make \w+.*|python -m (pip|pytest) .*)$")  # run by CI as they stand
NOT_RUN = 6
"""Blocks that cannot run here: a cluster, R, two rows of tables, a home folder, a package."""


def blocks(path):
    return [
        (m["note"] or "", m["kind"], m["text"]) for m in BLOCK.finditer(path.read_text("utf-8"))
    ]


def run_page(path, slow):
    space = {}
    for note, kind, text in blocks(path):
        if note.startswith("not run") or ((note == "verify") != slow and kind != "toml"):
            continue
        if kind == "python":
            exec(compile(text, str(path), "exec"), space)
        elif kind == "toml" and (name := re.match(r"# ([\w/]+\.toml)\n", text)):
            Path(name[1]).parent.mkdir(parents=True, exist_ok=True)
            Path(name[1]).write_text(text, "utf-8")
        elif kind == "console":
            for line in text.splitlines():
                assert line.startswith("$ "), f"{path.name}: {line}"
                command(line[2:], path)


def command(line, path):
    if MAKES.match(line):
        return
    words = shlex.split(line, comments=True)
    words = words[3:] if words[:3] == ["python", "-m", "metasim"] else words[1:]
    assert line.startswith(("metasim ", "python -m metasim ")), f"{path.name}: {line}"
    done = Runner().invoke(app, words)
    assert done.exit_code == 0, f"{path.name}: {line}\n{done.output}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    here = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("docs"))
    small = metasim.load("luminal_a_surgery").replace({"run.patients": 30})
    run = metasim.run(small)
    for name in ("population", "luminal_a", "luminal_a_surgery"):  # what other pages take as done
        run.save(f"results/{name}")
    yield
    os.chdir(here)


RUN = [p for p in PAGES if any(k in ("python", "console") for _, k, _ in blocks(p))]
SLOW = [p for p in PAGES if any(note == "verify" for note, _, _ in blocks(p))]


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_blocks_run(path, folder, one_figure):
    run_page(path, slow=False)


@pytest.mark.verify
@pytest.mark.parametrize("path", SLOW, ids=lambda path: path.stem)
def test_slow_blocks_run(path, folder):
    run_page(path, slow=True)


@pytest.mark.verify
@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_blocks_run_with_all_figures(path, folder):
    run_page(path, slow=False)


def test_blocks_that_cannot_run_are_counted_and_say_why():
    notes = [note for path in PAGES for note, _, _ in blocks(path) if note.startswith("not run")]
    assert len(notes) == NOT_RUN
    assert all(re.match(r"not run: needs .{5,}", note) for note in notes)


def test_every_public_name_has_a_page_and_an_example_and_says_its_arguments():
    import python_page

    names, examples = python_page.public(), python_page.examples()
    assert {n for n in metasim.__all__ if n.islower()} - {"plots", "outcomes", "__version__"} <= {
        n.removeprefix("metasim.") for n in names
    }
    assert not examples.keys() - names.keys()
    shown = {n for n, value in names.items() if "Example:" in (inspect.getdoc(value) or "")}
    assert not names.keys() - examples.keys() - shown
    for name, value in names.items():
        text = inspect.getdoc(value) or ""
        assert text, name
        if inspect.isfunction(value) and "Args:" in text:
            given = [p for p in inspect.signature(value).parameters if p != "self"]
            assert not [p for p in given if not re.search(rf"\b{p}\b", text)], name


def test_examples_of_public_names_run(folder, one_figure):
    import python_page

    space = {"ms": metasim}
    for name, lines in python_page.examples().items():
        if name == "metasim.watch":
            continue  # a movie takes long; the tests of watch make one
        exec(compile(lines, name, "exec"), space)


def test_every_column_of_every_table_has_a_meaning():
    schemas = {"summary": SUMMARY, "failures": FAILURES, **SCHEMAS}
    assert schemas.keys() == COLUMNS.keys() == ROWS.keys()
    for name, schema in schemas.items():
        told = TOLD[name].names if name in TOLD else []
        assert [c.name for c in COLUMNS[name]] == [*schema.names, *told]
        assert all(c.meaning.endswith(".") for c in COLUMNS[name])
        days = [c for c in COLUMNS[name] if c.name.endswith("day")]
        assert all(c.unit == "days" for c in days)


def test_generated_pages_name_every_key_and_every_catalogue_entry():
    import catalogue_page
    import command_page
    import scenario_page

    from metasim.scenario.catalogue import SHIPPED

    reference = scenario_page.page()
    for key in ("soil.ORGAN.niche", "run.rng_seed", "treatment.N.delay_days", "patients.KEY"):
        assert f"`{key}" in reference, key
    page = catalogue_page.page()
    sections = ("organs", "subtypes", "treatments", "care", "scenarios")
    assert not [n for s in sections for n in SHIPPED.names(s) if f"`{n}`" not in page]
    commands = command_page.page()
    assert "## run" in commands and "`--set" in commands


def test_the_gallery_shows_every_registered_figure_with_its_columns(tmp_path):
    import gallery_page

    from metasim.results.plots import REGISTRY

    for name in REGISTRY:  # drawn already: the page takes what lies there
        (tmp_path / f"{name}.png").touch()
    page = gallery_page.page(tmp_path)
    for name, kind in REGISTRY.items():
        assert f"ax = ms.plots.{name}(" in page and kind.shows in page
        assert all(f"| `{column}` |" in page for column in kind.columns)
