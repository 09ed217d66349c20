"""Patients from a table: a row a patient, and a saved scenario that needs no table."""

import numpy as np
import pytest

import metasim as ms
from tests import faults

RHO, AGE = "growth.rho_per_day", "soil.bone.niche"
ROWS = [(0.002 + 1e-4 * k / 3, 0.1 + 0.07 * k) for k in range(12)]


def write(folder, text="", csv=None, extends="luminal_a_surgery"):
    """A scenario file beside a table."""
    lines = [f"{RHO},{AGE}", *(f"{rho!r},{age!r}" for rho, age in ROWS)]
    (folder / "cohort.csv").write_text("\n".join(lines) if csv is None else csv)
    head = f'extends = "{extends}"\n' if extends else ""
    (folder / "mine.toml").write_text(f'{head}[patients]\ntable = "cohort.csv"\n{text}')
    return folder / "mine.toml"


def test_each_patient_is_a_row_and_the_rest_is_drawn(tmp_path, monkeypatch):
    monkeypatch.chdir("/")  # the path is relative to the file
    asked = ms.load(write(tmp_path))
    assert asked.run.patients == len(ROWS)
    done = ms.run(asked, output=tmp_path / "a", workers=2, chunk=5, progress=False)
    assert done.patients[RHO].tolist() == [rho for rho, _ in ROWS]
    assert done.patients[AGE].tolist() == [age for _, age in ROWS]
    drawn = ms.run(ms.load("luminal_a_surgery", {"run.patients": 12}), progress=False).patients
    others = [key for key in drawn if "." in key and key not in (RHO, AGE)]
    assert others
    assert done.patients[others].equals(drawn[others])  # the very draws of the scenario below


def test_saved_scenario_runs_again_without_the_table(tmp_path):
    asked = ms.load(write(tmp_path))
    ms.run(asked, output=tmp_path / "a", executor="serial", progress=False)
    (tmp_path / "cohort.csv").unlink()
    saved = ms.load(tmp_path / "a" / "scenario.toml")
    assert saved == asked
    ms.run(saved, output=tmp_path / "b", chunk=5, workers=2, progress=False)
    a, b = faults.tables(tmp_path / "a"), faults.tables(tmp_path / "b")
    for name in a.keys() - {"scenario.toml"}:  # its comments say where values came from
        assert a[name] == b[name]
    alone = ms.run(saved, patient=7, progress=False).patients
    assert alone[RHO].tolist() == [ROWS[7][0]]


def test_fewer_patients_take_the_first_rows_and_an_option_names_a_table_too(tmp_path, monkeypatch):
    path = write(tmp_path)
    few = ms.load(path, {"run.patients": 3})
    assert ms.run(few, progress=False).patients[RHO].tolist() == [rho for rho, _ in ROWS[:3]]
    monkeypatch.chdir(tmp_path)
    other = ms.load("luminal_a_surgery", {"patients.table": "cohort.csv"})
    assert other.patients[RHO] == ms.load(path).patients[RHO]
    swept = ms.sweep(few, {AGE: [0.2, 0.8]}, executor="serial", progress=False)
    assert swept.table["patients"].eq(3).all()  # what varies is fixed at each point


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ("", "needs a line of key paths and a line for each patient"),
        (f"{RHO}\n", "needs a line of key paths"),
        (f"{RHO},growth.rho\n1e-3,2\n", 'patients.growth.rho: there is no key "growth.rho"'),
        (f"{RHO},{AGE}\n1e-3,\n", f"{AGE}: line 2: a value is missing"),
        (f"{RHO}\n1e-3\nfast\n", f'{RHO}: line 3: "fast" is not a number'),
        (f"{RHO}\n1e-3\nnan\n", "is not a number"),
        (f"{RHO},{AGE}\n1e-3\n", "line 2 has 1 values, the first line 2"),
        (f"{RHO},{RHO}\n1,2\n", "is a column twice"),
        (f"{RHO},\n1,2\n", "column 2 has no name"),
        (f"{AGE}\n0.5\n1.5\n", "patient 1 has 1.5; it takes a number from 0 to 1"),
        (f"patient,{AGE}\n1,0.5\n2,0.5\n", "numbers the rows 0, 1, 2"),
        ("run.patients\n7\n", "only numbers of the biology and the clinic can be drawn"),
        ("soil.bone.label\n7\n", "is not a number"),
    ],
)
def test_mistake_in_a_table_is_one_message_that_names_its_place(tmp_path, csv, message):
    with pytest.raises(ms.ScenarioError) as caught:
        ms.load(write(tmp_path, csv=csv))
    assert message in str(caught.value)
    assert "cohort.csv" in str(caught.value)


def test_too_few_rows_no_file_no_path_and_a_key_given_twice(tmp_path):
    with pytest.raises(ms.ScenarioError, match=r"12 patients have.*is 13.*12 at most"):
        ms.load(write(tmp_path), {"run.patients": 13})
    with pytest.raises(ms.ScenarioError, match=r"but run\.patients is 20"):
        ms.load(write(tmp_path, "[run]\npatients = 20\n"))
    with pytest.raises(ms.ScenarioError, match=rf"patients\.{RHO}: is also a column of cohort"):
        ms.load(write(tmp_path, f'"{RHO}" = {{ uniform = {{ low = 1e-3, high = 2e-3 }} }}\n'))
    path = write(tmp_path)
    (tmp_path / "cohort.csv").unlink()
    with pytest.raises(ms.ScenarioError, match=r"cohort\.csv cannot be read: No such file"):
        ms.load(path)
    path.write_text('extends = "luminal_a_surgery"\n[patients]\ntable = 3\n')
    with pytest.raises(ms.ScenarioError, match="takes the path of a file, not 3"):
        ms.load(path)
    rows = "\n".join(["1e-3"] * 10_001)
    with pytest.raises(ms.ScenarioError, match="has 10,001 patients; a table has at most 10,000"):
        ms.load(write(tmp_path, csv=f"{RHO}\n{rows}\n"))


def test_spreadsheets_marks_blank_lines_and_quotes_are_read(tmp_path):
    csv = f'\ufeffpatient,"{AGE}"\r\n0,"0.25"\r\n\r\n1, 0.5 \r\n'
    asked = ms.load(write(tmp_path, csv=csv))
    np.testing.assert_array_equal(asked.patients[AGE].each.values, [0.25, 0.5])
    assert asked.run.patients == 2
