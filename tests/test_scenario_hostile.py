"""Random scenarios are refused in one message, or run to a finite end; so do mangled files."""

import pyarrow as pa
import pytest

import metasim as ms
from metasim.errors import ScenarioError
from metasim.scenario.load import load
from tests import hostile


def refuse_or_read(path, seeds):
    read = 0
    for seed in seeds:
        path.write_bytes(hostile.mangled(seed))
        try:
            load(path)
            read += 1
        except ScenarioError as error:
            assert error.mistakes
            assert all(str(mistake).isprintable() for mistake in error.mistakes), seed
    return read


def run_all(seeds):
    ran = 0
    for seed in seeds:
        found = hostile.scenario(seed)
        if found is not None:
            try:
                hostile.check_run(found)
            except Exception as error:
                raise AssertionError(f"seed {seed}: {error!r}") from error
            ran += 1
    return ran


def test_mangled_files_are_read_or_refused(tmp_path):
    assert 5 < refuse_or_read(tmp_path / "x.toml", range(80)) < 70


def test_random_scenarios_are_refused_or_end():
    assert 5 < run_all(range(30)) < 27


@pytest.mark.parametrize("planted", [-1, float("inf")])
def test_a_count_that_is_negative_or_infinite_is_noticed(planted):
    class Planted:
        def __init__(self, results):
            self.results = results

        def arrow(self, name):
            return self if name == "patients" else self.results.arrow(name)

        def to_table(self):
            table = self.results.arrow("patients").to_table()
            column = table.column_names.index("primary_cells")
            return table.set_column(column, "primary_cells", pa.array([planted] * len(table)))

    found = load("growth_only", {"run.patients": 2, "run.record": "everything"})
    hostile.check_run(found)
    with pytest.raises(AssertionError, match="primary_cells"):
        hostile.check_run(found, lambda *_, **__: Planted(ms.run(found, progress=False)))


@pytest.mark.verify
def test_thousands_of_mangled_files_are_read_or_refused(tmp_path):
    refuse_or_read(tmp_path / "x.toml", range(1000, 6000))


@pytest.mark.verify
@pytest.mark.parametrize("part", range(20))
def test_thousands_of_random_scenarios_are_refused_or_end(part):
    run_all(range(1000 + 200 * part, 1200 + 200 * part))
