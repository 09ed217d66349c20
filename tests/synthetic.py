"""Made-up results with realistic numbers, to test tables and figures without an engine."""

import numpy as np
import pyarrow as pa
import tomlkit

from metasim.results import MemoryWriter, Results
from metasim.results.parts import Span
from metasim.results.tables import SCHEMAS, conform
from metasim.terms import DAYS_PER_YEAR, MACRO_CELLS, MICRO_CELLS, Stage

LN_CAPACITY = np.log(3.1e12)
DETECTION = 5e8
YEARS = 15
STEP = 182.625

# key: (share of metastases, share of cardiac output, site, x, y)
ORGANS = {
    "breast": (0.04, 0.003, "primary", 0.055, 0.725),
    "axillary_nodes": (0.22, 0.002, "regional", 0.095, 0.77),
    "lung": (0.16, 0.025, "distant", -0.05, 0.745),
    "liver": (0.16, 0.065, "distant", -0.04, 0.635),
    "bone": (0.30, 0.05, "distant", -0.05, 0.42),
    "brain": (0.06, 0.12, "distant", 0.0, 0.945),
    "other": (0.06, 0.735, "distant", 0.05, 0.58),
}
FINE = {
    "adrenals": (0.03, 0.003, "distant", 0.035, 0.645),
    "ovaries": (0.02, 0.001, "distant", 0.04, 0.525),
    "kidneys": (0.01, 0.17, "distant", 0.05, 0.615),
    "skin": (0.03, 0.05, "distant", 0.16, 0.56),
    "pleura": (0.03, 0.004, "distant", 0.07, 0.69),
    "spleen": (0.002, 0.03, "distant", 0.065, 0.65),
    "gut": (0.01, 0.16, "distant", 0.0, 0.565),
    "stomach": (0.01, 0.01, "distant", 0.03, 0.66),
    "pancreas": (0.005, 0.01, "distant", 0.01, 0.63),
    "heart": (0.002, 0.05, "distant", 0.02, 0.735),
    "muscle": (0.003, 0.12, "distant", 0.055, 0.34),
    "thyroid": (0.002, 0.015, "distant", 0.0, 0.845),
    "bladder": (0.001, 0.001, "distant", 0.0, 0.49),
}


def scenario_toml(
    patients: int = 1000, organs: dict[str, tuple] = ORGANS, follow_from: str = "diagnosis"
) -> str:
    """An explicit scenario, as far as results look at it."""
    primary = next(iter(organs))
    flow = {key: value[1] for key, value in organs.items() if key != "lung"}
    total = sum(flow.values())
    blood: dict[str, dict[str, float]] = {key: {"veins": 1.0} for key in organs}
    if "lung" in organs:
        blood |= {"lung": {"arteries": 1.0}, "veins": {"lung": 1.0}}
        blood["arteries"] = {key: share / total for key, share in flow.items()}
    if "liver" in organs:
        for key in ("gut", "stomach", "spleen", "pancreas"):
            if key in organs:
                blood[key] = {"liver": 1.0}
        if "gut" not in organs:
            blood["other"] = {"liver": 0.35, "veins": 0.65}
    lymph = {}
    if "axillary_nodes" in organs:
        lymph = {primary: {"axillary_nodes": 1.0}, "axillary_nodes": {"veins": 1.0}}
    return tomlkit.dumps(
        {
            "title": "Luminal A, primary removed at diagnosis",
            "run": {
                "patients": patients,
                "years": float(YEARS),
                "follow_from": follow_from,
                "record_every_days": STEP,
            },
            "soil": {
                key: {
                    "label": key.replace("_", " "),
                    "site": site,
                    "position": [x, y],
                    "detection_cells": DETECTION,
                }
                for key, (_, _, site, x, y) in organs.items()
            },
            "vessels": {"blood": blood, "lymph": lymph},
            "clinic": {"lethal_cells": 1e12},
        }
    )


def make_tables(
    first: int = 0,
    count: int = 1000,
    organs: dict[str, tuple] = ORGANS,
    per_patient: float = 40.0,
    diagnosed: bool = True,
) -> dict[str, pa.Table]:
    """Tables of patients [first, first + count); the same for the same arguments."""
    rng = np.random.default_rng([1, first])
    names = np.array(list(organs))
    site = np.array([value[2] for value in organs.values()])
    weight = np.array([value[0] for value in organs.values()])
    ids = np.arange(first, first + count)
    pace = np.exp(-3.6) / 30.44 * rng.lognormal(0, 0.6, count)
    diagnosis = -np.log(1 - np.log(rng.lognormal(21.9, 0.8, count)) / LN_CAPACITY) / pace
    diagnosis = np.round(diagnosis / 7) * 7
    diagnosis[(diagnosis > 20 * DAYS_PER_YEAR) | (not diagnosed)] = np.nan
    undiagnosed = np.isnan(diagnosis)
    end = np.where(undiagnosed, 40, np.nan_to_num(diagnosis) / DAYS_PER_YEAR + YEARS)
    end = np.round(end * DAYS_PER_YEAR / 7) * 7

    # Metastases, patient by patient in order of founding.
    number = rng.poisson(per_patient * rng.lognormal(-0.7, 1.2, count))
    owner = np.repeat(np.arange(count), number)
    total = len(owner)
    born = np.where(undiagnosed, end, diagnosis)[owner] * rng.beta(6, 1.2, total)
    born = np.round(born / 7) * 7
    order = np.lexsort((born, owner))
    born = born[order]
    index = np.arange(total) - np.repeat(np.cumsum(number) - number, number) + 1
    organ = rng.choice(len(names), total, p=weight / weight.sum())
    parent = np.where(rng.random(total) < 0.3, (rng.random(total) * index).astype(int), 0)
    route = np.where(site[organ] == "regional", "lymph", "blood")
    speed = pace[owner] * rng.lognormal(-0.25, 0.3, total)
    sleep = np.where(rng.random(total) < 0.6, rng.exponential(12 * DAYS_PER_YEAR, total), 0)
    dies = rng.random(total) < 0.8
    extinct = np.where(dies, born + 7 * np.ceil(rng.exponential(3, total)), np.nan)

    def reaches(cells: float) -> np.ndarray:
        day = born + sleep - np.log(1 - np.log(cells) / LN_CAPACITY) / speed
        return np.where(dies, np.nan, np.round(day / 7) * 7)

    def size(day: np.ndarray) -> np.ndarray:
        age = np.maximum(day - born - sleep, 0)
        alive = (day >= born) & ~(extinct <= day)
        return np.where(alive, np.exp(LN_CAPACITY * (1 - np.exp(-speed * age))), 0).astype(int)

    lethal = np.full(count, np.inf)
    np.minimum.at(lethal, owner, np.nan_to_num(reaches(2e11), nan=np.inf))
    death = np.where(lethal < end, lethal, np.nan)
    end = np.fmin(end, death)
    last = end[owner]

    def seen(day: np.ndarray) -> np.ndarray:
        return np.where(day <= last, day, np.nan)

    detected = seen(reaches(DETECTION))
    distant = np.where(site[organ] == "distant", detected, np.nan)
    first_distant = np.full(count, np.inf)
    np.fmin.at(first_distant, owner, np.nan_to_num(distant, nan=np.inf))
    where = np.full(count, None, dtype=object)
    hit = distant == first_distant[owner]
    where[owner[hit]] = names[organ[hit]]
    first_distant[np.isinf(first_distant)] = np.nan
    primary = np.where(undiagnosed, 4e8, 0).astype(int)

    tables = {
        "metastases": {
            "patient": ids[owner],
            "metastasis": index,
            "parent": parent,
            "organ": names[organ],
            "route": route,
            "founded_day": born,
            "founders": np.where(rng.random(total) < 0.1, 6, 1),
            "micro_day": seen(reaches(MICRO_CELLS)),
            "macro_day": seen(reaches(MACRO_CELLS)),
            "detected_day": detected,
            "extinct_day": seen(extinct),
            "cells": size(last),
        },
        "patients": {
            "patient": ids,
            "diagnosis_day": diagnosis,
            "first_distant_day": first_distant,
            "first_distant_organ": where,
            "death_day": death,
            "death_cause": np.where(np.isnan(death), None, "burden"),
            "end_day": end,
            "primary_cells": primary,
            "growth.rho_per_day": pace,
        },
        "events": {
            "patient": np.repeat(ids[~undiagnosed], 2),
            "day": np.repeat(diagnosis[~undiagnosed], 2),
            "event": np.tile(["diagnosis", "surgery"], (~undiagnosed).sum()),
            "organ": np.full(2 * (~undiagnosed).sum(), names[0]),
        },
    }
    tables["counts"] = _counts(ids, names, owner, organ, size, end, pace, diagnosis)
    tables["stages"] = _stages(ids, names, number, weight, end)
    return {name: _arrow(name, columns) for name, columns in tables.items()}


def _counts(ids, names, owner, organ, size, end, pace, diagnosis):
    days = np.arange(0, end.max() + STEP, STEP)
    shape = (len(ids), len(names))
    slot = owner * len(names) + organ
    columns = {name: [] for name in SCHEMAS["counts"].names}
    for day in days:
        followed = day <= end
        cells = size(np.full(len(owner), day))
        grown = np.where(~(diagnosis <= day), np.exp(LN_CAPACITY * (1 - np.exp(-pace * day))), 0)
        classes = [(1, MICRO_CELLS), (MICRO_CELLS, MACRO_CELLS), (MACRO_CELLS, np.inf)]
        tallies = [
            np.bincount(slot, (cells >= low) & (cells < high), shape[0] * shape[1]).reshape(shape)
            for low, high in classes
        ]
        burden = np.bincount(slot, cells, shape[0] * shape[1]).reshape(shape)
        burden[:, 0] += np.floor(grown).astype(burden.dtype)
        values = [np.repeat(ids, shape[1]), np.full(burden.size, day), np.tile(names, shape[0])]
        values += [array.ravel().astype(int) for array in (*tallies, burden)]
        keep = np.repeat(followed, shape[1])
        for column, value in zip(columns.values(), values, strict=True):
            column.append(value[keep])
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _stages(ids, names, number, weight, end):
    """One row per patient, organ and stage on the last day; ten founders' attempts a success."""
    entering = {
        Stage.INVASION: 1e9,
        Stage.CIRCULATION: 4e8,
        Stage.ARREST: 2e5,
        Stage.EXTRAVASATION: 3e3,
        Stage.MICROMETASTASIS: 1.0,
        Stage.MACROMETASTASIS: 0.05,
    }
    rows = {name: [] for name in SCHEMAS["stages"].names}

    def add(organ, stage, cells, entered, left):
        values = (ids, end, organ, stage.label, cells, entered, left, left, 0, 0)
        for column, value in zip(rows.values(), values, strict=True):
            column.append(np.broadcast_to(np.asarray(value), ids.shape))

    add(names[0], Stage.PRIMARY_GROWTH, 0 * number, 0 * number, number * 10**10)
    for stage, factor in entering.items():
        share = weight / weight.sum()
        for organ, part in zip(names, share, strict=True):
            if stage <= Stage.INVASION and organ != names[0]:
                continue
            mine = 1.0 if stage <= Stage.INVASION else part
            count = np.floor(number * factor * mine).astype(np.int64)
            add(organ, stage, 0 * count, count, count)
    return {name: np.concatenate(parts) for name, parts in rows.items()}


def _arrow(name, columns):
    def convert(key, values):
        if values.dtype == object or values.dtype.kind == "U":
            return pa.array(values.tolist(), pa.string()).dictionary_encode()
        return pa.array(values, from_pandas=True)

    return conform(name, pa.table({key: convert(key, value) for key, value in columns.items()}))


def make_results(
    patients: int = 1000,
    organs: dict[str, tuple] = ORGANS,
    per_patient: float = 40.0,
    record: str = "everything",
    follow_from: str = "diagnosis",
    diagnosed: bool = True,
) -> Results:
    """Results in memory."""
    writer = MemoryWriter(scenario_toml(patients, organs, follow_from), record=record)
    tables = make_tables(0, patients, organs, per_patient, diagnosed)
    writer.write_chunk(Span(0, patients), writer.pack(tables))
    return writer.finish({"metasim": "0", "rng_seed": 1})
