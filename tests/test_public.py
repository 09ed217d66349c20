"""The public surface: which names there are, in every order of imports, and what they say."""

import ast
import doctest
import inspect
import itertools
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import metasim as ms
from metasim.checked import keywords
from metasim.public import HOMES, MODULES
from tests.faults import ROOT

NAMES = sorted({*HOMES, *MODULES})
EXPLAINED = [name for name in HOMES if name != "FACTORS"]  # a tuple; `Factor` explains its rows


def test_the_lists_of_names_agree():
    assert sorted(ms.__all__) == sorted([*NAMES, "__version__"])
    assert dir(ms) == sorted(ms.__all__)
    tree = ast.parse((ROOT / "metasim/__init__.py").read_text(encoding="utf-8"))
    typed = next(node for node in tree.body if isinstance(node, ast.If))
    told = [a.name for node in typed.body for a in node.names if isinstance(node, ast.ImportFrom)]
    assert sorted(told) == NAMES


def test_no_public_name_is_that_of_a_package():
    """Importing the package would put it in the place of the name."""
    parts = {path.stem for path in (ROOT / "metasim").iterdir() if path.suffix in ("", ".py")}
    assert not parts & set(NAMES)


def test_names_are_the_same_in_every_order_of_imports():
    """In a process of its own: this one has imported everything."""
    code = """
import sys, itertools, importlib
homes = ["metasim.watching", "metasim.results.plots", "metasim.cli"]
def forget():
    for name in [n for n in sys.modules if n == "metasim" or n.startswith("metasim.")]:
        del sys.modules[name]
kept = None
for first in [None, *homes]:
    forget()
    if first is not None:
        importlib.import_module(first)
    import metasim as ms
    if first == homes[0]:
        for home in homes:
            importlib.import_module(home)
    found = {name: (type(getattr(ms, name)).__name__, getattr(ms, name).__module__
                    if hasattr(getattr(ms, name), "__module__") else "") for name in ms.__all__}
    kept = kept or found
    assert found == kept, (first, {n for n in found if found[n] != kept[n]})
assert callable(ms.watch)
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_importing_metasim_loads_no_library():
    code = "import sys, metasim; print({'numpy', 'pydantic', 'rich', 'typer'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout == "set()\n"


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'simulate'"):
        ms.simulate  # noqa: B018


@pytest.mark.parametrize("name", EXPLAINED)
def test_every_public_name_is_explained_with_an_example(name):
    found = getattr(ms, name)
    said = inspect.getdoc(found) or ""
    assert said[0].isupper()
    assert "Example:" in said, "no example"
    if not isinstance(found, type):
        assert not [p for p in keywords(found) if f"{p}:" not in said], "a parameter is not told"
    for member in vars(found).values() if isinstance(found, type) else ():
        own = getattr(member, "fget", member)
        if inspect.isfunction(own) and not own.__name__.startswith("_"):
            assert own.__doc__ or own.__module__ != found.__module__, own


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_function_behind_a_module_is_explained(module):
    home = getattr(ms, module)
    for name, found in vars(home).items():
        if not name.startswith("_") and inspect.isfunction(found):
            assert found.__doc__, name
            assert found.__doc__[0].isupper(), name
    assert home.__doc__


def test_the_examples_give_what_they_say(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    finder = doctest.DocTestFinder(recurse=False)
    parts = {name: getattr(ms, name) for name in EXPLAINED}
    parts["checked"] = import_module("metasim.checked").checked
    for name, found in parts.items():
        with monkeypatch.context() as quiet:
            quiet.setenv("COLUMNS", "100")
            for example in finder.find(found, name, globs={"ms": ms}):
                runner.run(example)
    assert runner.tries > 50
    assert runner.failures == 0, capsys.readouterr().out


CALLS = {
    "load": ("overrids", "overrides", ["luminal_a_surgery"]),
    "run": ("ovewrite", "overwrite", [None]),
    "sweep": ("point", "points", [None, {}]),
    "sensitivity": ("worker", "workers", [None]),
    "watch": ("hstory", "history", [None]),
    "model_of": ("cell_clas", "cell_class", [None]),
    "compare": ("lables", "labels", [[]]),
    "open_results": ("foldr", "folder", []),
    "open_sweep": ("foldr", "folder", []),
    "open_sensitivity": ("foldr", "folder", []),
    "summarise": ("count", "counted", [None]),
    "split": ("bye", "by", [None]),
    "read_targets": ("sorce", "source", []),
    "fit": ("free_keys", "free", ["luminal_a"]),
    "fit_rivals": ("free_keys", "free", [[]]),
    "validate": ("most_patient", "most_patients", [None]),
}


def test_every_public_function_is_called_wrongly_below():
    functions = {name for name in HOMES if inspect.isfunction(getattr(ms, name))}
    assert functions == set(CALLS)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_unknown_option_is_refused_with_the_nearest_name(name):
    wrong, right, given = CALLS[name]
    with pytest.raises(ms.OptionError, match=f'"{wrong}".*did you mean "{right}"'):
        getattr(ms, name)(*given, **{wrong: 1})
    with pytest.raises(TypeError):
        getattr(ms, name)(*given, **{wrong: 1})


@pytest.mark.parametrize("name", sorted(ms.plots.REGISTRY))
def test_unknown_option_of_a_figure_is_refused(name):
    with pytest.raises(ms.OptionError, match=r'"stile".*did you mean "style"'):
        getattr(ms.plots, name)(None, stile="dark")


def test_all_unknown_options_are_named_at_once():
    with pytest.raises(ms.UnknownOption) as error:
        ms.run(ms.load("luminal_a_surgery"), worker=2, ovewrite=True)
    assert str(error.value) == (
        'run: there is no option "worker" (did you mean "workers"?); '
        'there is no option "ovewrite" (did you mean "overwrite"?)'
    )


def test_option_of_the_other_engine_is_refused():
    with pytest.raises(ms.OptionError, match='cell_class is for engine = "cells"'):
        ms.run(ms.load("luminal_a_surgery"), cell_class=ms.CancerCell)


def test_version_is_one(monkeypatch):
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dynamic"] == ["version"]
    assert "version" not in project
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {ms.__version__}\n" in cited
    assert f"\n## {ms.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_pip_is_told_the_name_that_is_ours():
    """The name `metasim` on the Python Package Index is somebody else's."""
    said = 0
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("metasim/**/*.py"),
                 *ROOT.glob("bench/**/*.py"), *ROOT.glob("notebooks/*.ipynb")]:  # fmt: skip
        for line in path.read_text(encoding="utf-8").splitlines():
            for before, after in itertools.pairwise(line.split("pip install")):
                del before
                said += 1
                assert not after.strip(" `'\"").startswith("metasim["), (path, line)
                assert not after.strip(" `'\"").startswith("metasim "), (path, line)
    assert said >= 5


def test_extras_that_messages_name_exist():
    import re
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == import_module("metasim.terms").DISTRIBUTION
    texts = [Path(path).read_text(encoding="utf-8") for pattern in ("*.md", "docs/**/*.md",
             "metasim/**/*.py", "bench/*.py") for path in ROOT.glob(pattern)]  # fmt: skip
    said = r"install ['\"](?:\.|metasim-cascade)\[(\w+)\]['\"]|install_line\(['\"](\w+)['\"]\)"
    named = {a or b for text in texts for a, b in re.findall(said, text)}
    assert {"dask", "sensitivity", "peers"} <= named
    assert named <= set(project["optional-dependencies"])


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/develop/release.md"])
def test_paths_that_pages_for_developers_name_exist(page):
    import re

    said = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:metasim|tests|docs|\.ci)/[\w./-]+)`", said))
    assert len(named) >= 3
    assert not [path for path in named if not (ROOT / path).exists()]
