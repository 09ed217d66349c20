"""Made-up results with a full clinical course: relapse, treatments, symptoms, phenotypes."""

import numpy as np
import pandas as pd
import pyarrow as pa
import tomlkit

from metasim.results import Results
from metasim.results.description import Description
from metasim.results.folder import stamp
from metasim.results.tables import TABLES_AT, conform
from metasim.results.tally import tally
from tests.synthetic import make_tables, scenario_toml

RESISTANT = {"sensitive": {}, "resistant": {"resistance": {"chemotherapy": 0.9}}}


def with_relapses(tables: dict[str, pa.Table], richly: bool) -> dict[str, pa.Table]:
    """The tables with relapse and death events; `richly` also with treatments and symptoms."""
    frame = {name: tables[name].to_pandas() for name in ("metastases", "patients", "events")}
    seen = frame["metastases"].dropna(subset="detected_day")
    first = seen.groupby(["patient", "organ"], observed=True)["detected_day"].min().reset_index()
    relapses = first.rename(columns={"detected_day": "day"}).assign(event="relapse")
    died = frame["patients"].dropna(subset="death_day")
    deaths = pd.DataFrame({"patient": died["patient"], "day": died["death_day"], "event": "death"})
    parts = [frame["events"].assign(event=frame["events"]["event"].astype(str)), relapses, deaths]
    if richly:
        diagnosed = frame["patients"].dropna(subset="diagnosis_day").iloc[::2]
        for name, start, stop in (("chemotherapy", 30, 150), ("endocrine", 150, 1976)):
            mine = diagnosed[["patient"]].assign(treatment=name)
            begun = diagnosed["diagnosis_day"] + start
            ended = np.fmin(diagnosed["diagnosis_day"] + stop, diagnosed["end_day"])
            parts.append(mine.assign(day=begun, event="treatment_start"))
            parts.append(mine.assign(day=ended, event="treatment_end"))
        bone = relapses[relapses["organ"] == "bone"]
        end = bone["patient"].map(frame["patients"].set_index("patient")["end_day"])
        parts += tests_at_diagnosis(frame["patients"])
        for k, symptom in enumerate(("bone_pain", "pathological_fracture")):
            later = bone.assign(day=bone["day"] + 200 * (k + 1), event=symptom)
            parts.append(later[later["day"] < end])
    parts = [part for part in parts if len(part)]
    events = pd.concat(parts, ignore_index=True).sort_values(["patient", "day"])
    columns = {
        name: events[name].tolist() for name in ("patient", "day", "value") if name in events
    }
    for name in ("event", "organ", "treatment"):
        if name in events:
            text = events[name].astype(object).where(events[name].notna(), None)
            columns[name] = pa.array(text.tolist(), pa.string()).dictionary_encode()
    return {**tables, "events": pa.table(columns)}


def tests_at_diagnosis(patients: pd.DataFrame) -> list[pd.DataFrame]:
    """Tests of patients at diagnosis, which find more in those with a distant metastasis later."""
    diagnosed = patients.dropna(subset="diagnosis_day")
    later = diagnosed["first_distant_day"].notna().to_numpy()
    rng = np.random.default_rng(7)
    rows = diagnosed[["patient"]].assign(day=diagnosed["diagnosis_day"])
    return [
        rows.assign(event=test, value=rng.poisson(mean * np.where(later, 3.0, 1.0)).astype(float))
        for test, mean in (("ctc", 0.7), ("dtc", 0.3), ("ctdna", 4.0))
    ]


def with_phenotypes(tables: dict[str, pa.Table], by_day: bool) -> dict[str, pa.Table]:
    """The tables with cells of two phenotypes; the resistant ones gain with time."""
    rng = np.random.default_rng(3)
    out = dict(tables)
    for name in ("metastases", "counts") if by_day else ("metastases",):
        table = tables[name]
        cells = table["cells"].to_numpy()
        day = table["day" if name == "counts" else "founded_day"].to_numpy()
        share = np.clip(day / 9000 + 0.1 * rng.random(len(cells)), 0, 1)
        resistant = np.floor(cells * share).astype(np.int64)
        table = table.append_column("cells_sensitive", pa.array(cells - resistant))
        out[name] = table.append_column("cells_resistant", pa.array(resistant))
    return out


def course_results(
    patients: int = 200,
    *,
    per_patient: float = 40.0,
    first: int = 0,
    rng_seed: int = 1,
    richly: bool = True,
    phenotypes: bool = False,
    by_day: bool = True,
    record: str = "everything",
    diagnosed: bool = True,
    title: str = "Made up",
    **run: object,
) -> Results:
    """Results in memory; `first` other than 0 gives other patients under the same numbers."""
    scenario = tomlkit.parse(scenario_toml(patients)).unwrap()
    scenario["title"] = title
    scenario["run"] |= {"rng_seed": rng_seed, **run}
    if phenotypes:
        scenario["seed"] = {"phenotypes": RESISTANT}
    else:
        scenario["seed"] = {}
    tables = make_tables(first, patients, per_patient=per_patient, diagnosed=diagnosed)
    for name, table in tables.items():
        numbers = pa.array(table["patient"].to_numpy() - first)
        tables[name] = table.set_column(0, "patient", numbers)
    tables = with_relapses(tables, richly)
    if phenotypes:
        tables = with_phenotypes(tables, by_day)
    text = tomlkit.dumps(scenario)
    kept = {name: conform(name, tables[name]) for name in TABLES_AT[record]}
    kept["summary"] = tally(tables["metastases"], tables["patients"], scenario)
    rows = {name: table.num_rows for name, table in kept.items()}
    about = {"metasim": "0", "rng_seed": rng_seed}
    return Results(text, stamp(about, record, rows, Description.of(scenario)), kept)
