"""The pages of the model: each number exists and is computed; nothing foreign is cited."""

import ast
import re
from pathlib import Path

import pytest

import metasim
from metasim.law.factors import FACTORS, Meeting
from metasim.law.growth import LAWS

ROOT = Path(__file__).parent.parent
PACKAGE = Path(metasim.__file__).parent
MODEL = ROOT / "docs" / "model"
TITLE = re.compile(r"^\*\*Equation (\d+\.\d+) \(([^)]+)\)\*\*", re.M)
CITED = re.compile(
    r"Equations? (\d+\.\d+)(?:(?:,| and) (\d+\.\d+))?(?: \(([^)]+)\)|, ([a-z ]+)\))?"
)
NAMED = re.compile(r"Equation\s+(\d+\.\d+) \(([a-z ]+)\)|\(Equation\s+(\d+\.\d+), ([a-z ]+)\)")
SECTION = re.compile(r"[Ss]ections? (\d+)(?: (?:and|to) (\d+))?\s+of\s+docs/model")


def titles():
    """Number -> name of every equation of the pages."""
    found = [pair for page in MODEL.glob("*.md") for pair in TITLE.findall(page.read_text())]
    assert len(found) == len(dict(found)), "a number is given twice"
    return dict(found)


def docstrings(source):
    """Name and docstring of everything in a source that has one."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            yield getattr(node, "name", ""), ast.get_docstring(node) or "", node


def computed():
    """Number -> functions whose docstring cites it."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        for name, text, node in docstrings(path.read_text()):
            if isinstance(node, ast.FunctionDef):
                for match in CITED.finditer(" ".join(text.split())):
                    for number in filter(None, match.groups()[:2]):
                        found.setdefault(number, set()).add(name)
    return found


def texts(*folders):
    for folder in folders:
        for path in [*folder.rglob("*.py"), *folder.rglob("*.md")]:
            if path != Path(__file__) and not {"generated", "_build"} & set(path.parts):
                yield path, " ".join(path.read_text("utf-8").split())


def test_every_equation_is_cited_by_a_function_that_computes_it():
    assert len(titles()) >= 45
    assert not titles().keys() - computed().keys()
    by = computed()
    assert "opposed_factor" in by["3.4"] and "birth_death" in by["4.8"]
    assert "walk_matrix" in by["2.3"] and "gate_odds" in by["3.1"] and "doomed" in by["7.4"]


def test_every_number_that_is_cited_exists_under_its_name():
    known = titles()
    sections = {int(number.split(".")[0]) for number in known} | {1, 9, 10}
    for path, text in texts(PACKAGE, ROOT / "tests", ROOT / "docs"):
        for match in CITED.finditer(text):
            assert {*filter(None, match.groups()[:2])} <= known.keys(), (path, match.group())
        for match in NAMED.finditer(text):
            number, name = (part for part in match.groups() if part)
            assert known[number] == name, (path, match.group())
        for match in SECTION.finditer(text):
            assert {int(n) for n in match.groups() if n} <= sections, (path, match.group())


@pytest.mark.parametrize(
    ("text", "fault"),
    [("Equation 3.99 (opposed factor)", "3.99"), ("(Equation 3.4, answered factor)", "3.4")],
)
def test_a_wrong_citation_is_seen(text, fault):
    cited = [match.group(1) for match in CITED.finditer(text)]
    named = [[part for part in match.groups() if part] for match in NAMED.finditer(text)]
    assert fault in cited
    assert fault not in titles() or [fault, titles()[fault]] not in named


def test_nothing_cites_a_document_outside_the_project():
    foreign = re.compile(
        "|".join(["MODEL" + " section", "/wo" + "rk/", "evidence" + "/", r"[A-Z]{5,}\.md\b"])
    )
    ours = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE.md", "SECURITY.md"}
    pages = [*texts(PACKAGE, ROOT / "tests", ROOT / "docs")]
    pages += [(ROOT / "README.md", (ROOT / "README.md").read_text())]
    for path, text in pages:
        assert not [m for m in foreign.findall(text) if m not in ours], path


def test_every_link_of_the_pages_leads_somewhere():
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    for page in pages:
        if {"generated", "_build"} & set(page.parts):
            continue  # Sphinx checks them when it builds the site
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text()):
            assert (page.parent / target).exists(), (page, target)


def test_the_tables_of_the_pages_are_those_of_the_law():
    gates = (MODEL / "gates.md").read_text()
    rows = [line for line in gates.splitlines() if line.startswith("| `")]
    assert len(rows) == len(FACTORS)
    for factor, row in zip(FACTORS, rows, strict=True):
        signs = ", ".join(
            f"{'+' if sign > 0 else '-'} {gate}" for gate, sign in factor.sign.items()
        )
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[:2] == [f"`{factor.name}`", factor.meeting.value]
        assert cells[4] == signs
        if factor.meeting is not Meeting.PAIRS:
            assert cells[2:4] == [f"`soil.ORGAN.{factor.name}`", f"`{factor.trait}`"]
    growth = (MODEL / "growth.md").read_text().lower()
    assert all(law.name in growth for law in LAWS)


def test_the_documented_factor_and_law_are_those_that_a_test_adds():
    from tests.test_tables_of_the_law import LINEAR, STIFFNESS

    def plain(text):
        return "".join(text.split())

    assert plain(STIFFNESS) in plain((MODEL / "gates.md").read_text())
    assert plain(LINEAR) in plain((MODEL / "growth.md").read_text())


def test_displayed_equations_stand_alone():
    """GitHub and MyST both render them only between empty lines, with as many ends as starts."""
    for page in MODEL.glob("*.md"):
        text = page.read_text()
        assert text.count("$$") % 2 == 0, page
        for line in text.splitlines():
            assert "$$" not in line or (line.startswith("$$") and line.rstrip(",").endswith("$$"))
        assert not re.search(r"\S[^\n]*\n\$\$", text), page
