"""Fifty kills at random moments, then to the end: nobody lost, nobody twice, the same bytes."""

import random
import time
from pathlib import Path

import pytest

import metasim as ms
from tests import faults

PATIENTS, CHUNK, KILLS = 20_000, 25, 50


@pytest.mark.verify
def test_fifty_kills_lose_nothing(tmp_path: Path) -> None:
    asked = ms.load("luminal_a_surgery", {"run.patients": PATIENTS, "run.record": "metastases"})
    ms.run(asked, output=tmp_path / "whole", executor="serial", progress=False)
    moments = random.Random(1)
    kills = 0
    while kills < KILLS:
        run = faults.start(tmp_path / "a", PATIENTS, CHUNK, workers=2)
        before = faults.parts(tmp_path / "a")
        if moments.random() < 0.8:  # while chunks land; else in the start, perhaps before any
            faults.wait_until(
                lambda n=before, r=run: faults.parts(tmp_path / "a") > n or r.poll() == 0
            )
            time.sleep(moments.uniform(0.0, 0.2))
        else:
            time.sleep(moments.uniform(0.0, 2.0))
        if run.poll() is not None:
            break
        faults.kill_group(run)
        kills += 1
    assert kills == KILLS, "the run was over before the last kill: make it longer"
    run = faults.start(tmp_path / "a", PATIENTS, CHUNK, workers=2)
    assert run.wait(600) == 0
    assert faults.tables(tmp_path / "a") == faults.tables(tmp_path / "whole")
    patients = ms.open_results(tmp_path / "a").patients["patient"]
    assert patients.tolist() == list(range(PATIENTS))
