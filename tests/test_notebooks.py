"""Every notebook runs as it stands, in a folder of its own, and is shipped with its results."""

import json
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
KERNEL = "this_python"
FEWER = {
    "02_your_own_cell": ('"run.engine": "cells"', '"run.engine": "cells", "run.patients": 6'),
    "03_treatment": ("PATIENTS = 2000", "PATIENTS = 400"),
    "04_fit_to_your_data": ('"patients": 600, "draws": 100', '"patients": 300, "draws": 20'),
}
"""Notebook -> what of it asks for fewer patients in the fast suite; `make verify` runs all."""


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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_is_shipped_with_its_results(path, kernel, tmp_path):
    check(path, kernel, tmp_path, *FEWER.get(path.stem, ("", "")), slow=False)


@pytest.mark.verify
@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.stem in FEWER], ids=lambda p: p.stem)
def test_notebook_runs_as_it_stands(path, kernel, tmp_path):
    check(path, kernel, tmp_path)


def is_slow(cell):
    """Whether a cell runs in the tests of `make verify` only; it draws nothing."""
    return "verify" in cell.metadata.get("tags", [])


def check(path, kernel, tmp_path, many="", few="", slow=True):
    shipped = nbformat.read(path, as_version=4)
    code = [cell for cell in shipped.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not complaints(shipped)
    assert path.stat().st_size < 1_500_000

    fresh = nbformat.read(path, as_version=4)
    fresh.cells = [cell for cell in fresh.cells if slow or not is_slow(cell)]
    assert many in "".join(cell.source for cell in fresh.cells)
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs = []
            cell.source = cell.source.replace(many, few) if many else cell.source
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(
        fresh, timeout=900 if slow else 300, kernel_name=kernel, resources=resources
    ).execute()
    assert not complaints(fresh)
    assert pictures(fresh) == pictures(shipped) > 0
