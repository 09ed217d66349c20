"""Every notebook runs as it stands, in a folder of its own, and is shipped with its results.

The fast suite runs the first, with fewer patients, and looks up what the others import and use.
"""

import ast
import importlib
import json
import re
import sys
from functools import reduce
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import metasim

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
KERNEL = "this_python"
MANY, FEW = '"run.patients": 500', '"run.patients": 60'
"""How many patients the first notebook simulates as it stands, and in the fast suite."""


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel of the interpreter that runs the tests, whatever kernels the machine knows."""
    folder = tmp_path / "jupyter" / "kernels" / KERNEL
    folder.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": KERNEL, "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # figures are to come out inline
    return KERNEL


def outputs(notebook):
    return [out for cell in notebook.cells for out in cell.get("outputs", [])]


def pictures(notebook):
    return sum("image/png" in out.get("data", {}) for out in outputs(notebook))


def complaints(notebook):
    return [
        out
        for out in outputs(notebook)
        if out.output_type == "error"
        or (out.get("name") == "stderr" and "Traceback" in out.get("text", ""))
    ]


def test_there_are_notebooks():
    assert "01_quickstart.ipynb" in [path.name for path in NOTEBOOKS]


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_shipped_with_its_results(path):
    shipped = nbformat.read(path, as_version=4)
    code = code_of(shipped)
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not complaints(shipped)
    assert pictures(shipped) > 0
    assert path.stat().st_size < 1_500_000


def look_up(text):
    """What Python code imports of metasim, uses of `ms`, and loads: all of it is there.

    Returns:
        How many names it uses.

    Raises:
        AttributeError, ImportError: a name is not there.
        MetasimError: a scenario is not.
    """
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("metasim"):
            home = importlib.import_module(node.module)
            found += [getattr(home, alias.name) for alias in node.names]
        elif isinstance(node, ast.Attribute) and re.fullmatch(r"ms(\.\w+)+", ast.unparse(node)):
            found.append(reduce(getattr, ast.unparse(node).split(".")[1:], metasim))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("ms.load", "run"):
            found += [
                metasim.load(arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant)
            ]
    return len(found)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_uses_is_there(path):
    source = "\n".join(cell.source for cell in code_of(nbformat.read(path, as_version=4)))
    assert look_up(source) > 2
    for wrong in ("from metasim.terms import Gates", "ms.plots.pie()", "ms.load('luminal_q')"):
        with pytest.raises((AttributeError, metasim.MetasimError)):
            look_up(wrong)


def test_the_first_notebook_runs(kernel, tmp_path):
    check(NOTEBOOKS[0], kernel, tmp_path, MANY, FEW)


@pytest.mark.verify
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_as_it_stands(path, kernel, tmp_path):
    check(path, kernel, tmp_path)


def check(path, kernel, tmp_path, many="", few=""):
    shipped, fresh = (nbformat.read(path, as_version=4) for _ in range(2))
    assert many in "".join(cell.source for cell in fresh.cells)
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs = []
            cell.source = cell.source.replace(many, few) if many else cell.source
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(fresh, timeout=900, kernel_name=kernel, resources=resources).execute()
    assert not complaints(fresh)
    assert pictures(fresh) == pictures(shipped) > 0
