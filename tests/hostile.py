"""Scenarios at random: values from the bounds of the schema, and shipped files with bytes mangled.

Every one is refused in one clear message, or runs to a finite end without negative counts.
"""

import math
import random
import re
from typing import Any

import numpy as np

import metasim as ms
from metasim.scenario import keys, messages
from metasim.scenario.catalogue import RUNNABLE, SHIPPED
from metasim.scenario.treatment import Treatment

TO_RUN = SHIPPED.names(RUNNABLE)
_TINY = {
    "run.patients": 2, "run.max_colonies": 300, "run.max_cells": 3000,
    "run.record_every_days": 100.0, "run.follow_from": "start",
}  # fmt: skip
_EXTREMES = (0.0, 1e-300, 1e-12, 1e-3, 0.5, 1.0, 2.0, 1e3, 1e6, 1e12, 1e22, 1.7e308, -1.0, 2**64)


def numbers(scenario: Any) -> list[str]:
    """Paths of all numbers of a scenario, those given and those left at their defaults."""
    given = [
        keys.join(path)
        for path, value in keys.leaves(scenario.model_dump(exclude_none=True))
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    unset = [keys.join(path) for path in messages._places() if "NAME" not in path]
    unset = [path for path in unset if (key := keys.find(keys.split(path))) and key.is_number]
    return sorted({*given, *unset} - {*_TINY})


def value(chance: random.Random, path: str) -> float:
    """A value for a number: within its bounds, at one of them, or hostile."""
    key = keys.find(keys.split(path))
    if key is None and path.startswith("treatment."):
        key = keys.Key(Treatment).child(path.split(".")[2])
    limits = key.limits if key is not None else {}
    low = limits.get("ge", limits.get("gt", -1e3))
    high = limits.get("le", limits.get("lt", 1e3))
    kind = chance.random()
    if kind < 0.3:
        return chance.choice(_EXTREMES)
    if kind < 0.5:
        return chance.choice((low, high))
    if low >= 0 and kind < 0.8:  # by its logarithm
        least = max(low, high * 1e-12, 1e-12)
        found = math.exp(chance.uniform(math.log(least), math.log(max(high, least))))
    else:
        found = chance.uniform(low, high)
    return round(found) if key is not None and key.type is int else found


def changes(chance: random.Random, name: str) -> dict[str, object]:
    """A shipped scenario, made tiny, with one to four of its numbers changed."""
    paths = chance.sample(numbers(ms.load(name)), chance.choice((1, 1, 2, 4)))
    out: dict[str, object] = {path: value(chance, path) for path in paths}
    if chance.random() < 0.3:
        out["growth.law"] = chance.choice(("exponential", "logistic", "gompertz", "power"))
    out["run.record"] = chance.choice(("everything", "metastases"))
    return {**_TINY, "run.years": chance.choice((3.0, 15.0)), **out}


def scenario(seed: int) -> Any:
    """A random scenario, or None: it was refused, in messages of one line each."""
    chance = random.Random(seed)
    name = chance.choice(TO_RUN)
    asked = changes(chance, name)
    try:
        found = ms.load(name, asked)
        steps = found.run.years * 365.25 / found.run.dt_days
        return found if steps < 20_000 else None
    except ms.ScenarioError as error:
        assert error.mistakes
        assert all(str(mistake).isprintable() for mistake in error.mistakes), (seed, asked)
        return None


def check_run(found: Any, run: Any = ms.run) -> None:
    """Two patients end, with finite numbers and no negative count, or with a stated limit."""
    try:
        results = run(found, progress=False, workers=1)
    except ms.LimitError as error:
        assert re.search(r"outgrew|more than", str(error)), error
        return
    failures = results.arrow("failures").to_table().to_pylist()
    for row in failures:
        assert re.search(r"outgrew|more than", row["error"]), row
    names = ["patients", "metastases"]
    names += ["counts", "stages"] if found.run.record == "everything" else []
    for name in names:
        table = results.arrow(name).to_table().to_pandas().select_dtypes("number")
        for column in table.columns.difference(["net_growth", "parent"]):
            there = table[column].dropna().to_numpy()
            if column in found.patients:
                continue
            assert np.isfinite(there).all(), (name, column)
            assert (there >= 0).all(), (name, column, there.min())


def mangled(seed: int) -> bytes:
    """A shipped file with some of its bytes, words or lines changed, moved or repeated."""
    chance = random.Random(seed)
    path = SHIPPED.section(RUNNABLE) / f"{chance.choice(TO_RUN)}.toml"
    data = bytearray(path.read_bytes())
    junk = [
        b"=",
        b"[",
        b"]",
        b"{",
        b'"',
        b"\n",
        b".",
        b"9" * 5000,
        b"nan",
        b"\x00",
        b"\xff",
        b"[[",
        b"none",
        b"-1",
        b"1e400",
        b"a." * 40,
        b"'''",
        b"{value=",
        b"true",
        b"\xef\xbb\xbf",
    ]
    for _ in range(chance.choice((1, 2, 5, 20))):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((0, 1, 8, 40)))
        what = chance.random()
        if what < 0.4:
            data[at:end] = chance.choice(junk)
        elif what < 0.7:
            data[at:end] = b""
        else:
            data[at:at] = data[end : end + chance.choice((5, 60))]
    return bytes(data)
