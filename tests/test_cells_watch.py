"""Watching: the live table, the movie, cells.parquet, and Mesa's own page."""

import importlib.util
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from matplotlib import animation
from PIL import Image
from rich.console import Console

from metasim.engines.cells import CancerCell
from metasim.engines.record import joined
from metasim.errors import LimitError, OptionError
from metasim.parameters.course import course_of
from metasim.runner.cohort import Cohort
from metasim.terms import Stage
from metasim.watching import board, model_of, watch
from metasim.watching.colours import STAGE_COLOURS
from tests import twin

PLACES = {
    "breast": (0.06, 0.72),
    "nodes": (0.1, 0.78),
    "lung": (-0.05, 0.75),
    "liver": (-0.04, 0.62),
}
FEW = twin.scenario(
    run={"years": 0.05, "patients": 3, "engine": "cells"},
    soil={name: {"position": place} for name, place in PLACES.items()},
)


def console() -> Console:
    return Console(width=120, record=True, force_terminal=False, file=open("/dev/null", "w"))


def test_sparkline_is_a_curve_on_a_log_scale() -> None:
    assert board.sparkline([0, 1, 10, 100, 1000]) == " ▁▃▆█"
    assert board.sparkline([0, 0]) == "  "
    assert board.sparkline([]) == ""
    assert len(board.sparkline(list(range(1000)), 24)) == 24


def test_table_shows_what_the_model_holds() -> None:
    screen = console()
    model = watch(FEW, console=screen)
    text = screen.export_text()
    assert f"day {model.day:,.0f}" in text
    cells = model.census()
    cells[Stage.CIRCULATION - 1] = model.ledger.carried
    for organ, column in zip(model.organs, cells.T, strict=True):
        line = next(line for line in text.splitlines() if organ.replace("_", " ") in line)
        numbers = [int(n) if n != "·" else 0 for n in re.findall(r" (\d+|·)(?= |$)", line)]
        assert numbers == column.tolist()


def test_watched_patient_is_the_patient_of_the_run() -> None:
    model = model_of(FEW, patient=2)
    model.run_model()
    cohort = Cohort(FEW)
    law, course = cohort.laws.of({}), course_of(FEW)
    record, good, failures = cohort._cells(law, course, first=2, count=1)
    assert good.tolist() == [0] and not failures
    watched = joined([model.record()], *record.organ_cells.shape[1:])
    assert repr([part.tolist() for part in watched]) == repr([part.tolist() for part in record])
    with pytest.raises(OptionError, match="patient 3: the run has patients 0 to 2"):
        model_of(FEW, patient=3)


def test_movie_and_cells_are_written(tmp_path: Path) -> None:
    movie, cells = tmp_path / "few.gif", tmp_path / "cells.parquet"
    model = watch(FEW, movie=movie, cells=cells, console=console())
    with Image.open(movie) as film:
        assert film.n_frames > model.steps
        film.seek(film.n_frames - 1)
        colours = {c for _, c in film.convert("RGB").getcolors(1 << 20)}
    assert tuple(bytes.fromhex(STAGE_COLOURS[Stage.PRIMARY_GROWTH][1:])) in colours
    table = pq.read_table(cells)
    assert table.num_rows == len(model.ledger.rows) > 500
    assert table.column_names[:6] == [
        "cell", "day", "from_stage", "to_stage", "organ", "phenotype",
    ]  # fmt: skip


def test_movie_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animation.FFMpegWriter, "isAvailable", classmethod(lambda cls: False))
    with pytest.raises(OptionError, match=r"needs ffmpeg on the PATH; \.gif"):
        watch(FEW, movie=tmp_path / "few.mp4", console=console())
    with pytest.raises(OptionError, match=r"the format is \.gif or \.mp4"):
        watch(FEW, movie=tmp_path / "few.avi", console=console())
    with pytest.raises(OptionError, match="cannot be written"):
        watch(FEW, movie=tmp_path / "nowhere" / "few.gif", console=console())
    assert list(tmp_path.iterdir()) == []


def test_runaway_keeps_what_was_seen(tmp_path: Path) -> None:
    asked = twin.scenario(growth={"rho_per_day": 0.3}, run={"max_cells": 400})
    screen = console()
    with pytest.raises(LimitError, match=r"run.max_cells = 400") as error:
        watch(asked, cells=tmp_path / "cells.parquet", console=screen)
    assert error.value.record.organ_cells.sum() > 0
    assert pq.read_table(tmp_path / "cells.parquet").num_rows >= 400
    assert "growth" in screen.export_text()


def test_own_cells_can_be_watched() -> None:
    class Own(CancerCell):
        pass

    assert all(isinstance(c, Own) for c in watch(FEW, console=console(), cell_class=Own).agents)


@pytest.mark.skipif(importlib.util.find_spec("solara") is None, reason="needs the extra viz")
def test_runs_inside_solara_viz() -> None:
    import solara
    from mesa.visualization import SolaraViz, make_plot_component

    model = model_of(FEW)
    page = SolaraViz(model, components=[make_plot_component({"lung": "red", "liver": "blue"})])
    _, context = solara.render(page, handle_error=False)
    model.step()
    assert model.steps == 1
    context.close()
