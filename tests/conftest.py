"""For all tests: those that need what only Unix has are skipped elsewhere; PDFs are drawn fast."""

import os

import pytest

COMPILE_NOTHING = {
    "test_cells_engine.py", "test_cells_watch.py", "test_extremes.py", "test_law.py",
    "test_parameters.py", "test_results_plots.py",
    "test_scenario_catalogue.py", "test_scenario_draws.py", "test_scenario_layers.py",
    "test_scenario_mistakes.py",
}  # fmt: skip
"""Files that do without the compiled engine, for as long as it takes to compile."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Of two workers, one begins with what needs the engine and compiles it for both."""
    without = [item for item in items if item.path.name in COMPILE_NOTHING]
    others = [item for item in items if item.path.name not in COMPILE_NOTHING]
    half = min(len(items) // 2, len(others))
    items[:] = [*others[:half], *without, *others[half:]]
    if os.name == "nt":
        for item in items:
            if item.get_closest_marker("unix"):
                item.add_marker(pytest.mark.skip(reason="needs signals, devices or pipes of Unix"))


@pytest.fixture(autouse=True, scope="session")
def outlines_in_pdf():
    """Letters of PDFs as outlines: putting fonts into them takes half of all drawing.

    `test_saved_figures_are_the_same_bytes_each_time` saves them as users do.
    """
    from metasim.results.plots.style import STYLE

    STYLE["pdf.fonttype"] = 3


def draw_one(patch):
    from metasim.reporting import run
    from metasim.results.plots import save

    every = save.worth_drawing
    for module in (save, run):
        patch.setattr(module, "worth_drawing", lambda results: every(results)[:1])


@pytest.fixture
def one_figure(monkeypatch):
    """Runs and reports draw the first of their figures; other tests draw each of them."""
    draw_one(monkeypatch)


@pytest.fixture(scope="module")
def one_figure_in_module():
    """As `one_figure`, for all tests of a file."""
    with pytest.MonkeyPatch.context() as patch:
        draw_one(patch)
        yield
