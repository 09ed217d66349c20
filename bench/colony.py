"""The colony engine: patients a second on one core, and what its cost does not depend on."""

import subprocess
import sys
import time
from statistics import median

import metasim as ms
from bench.report import Report
from metasim.scenario.schema import Scenario

_PATIENTS = 4096

_MEMORY = """
import resource, sys, tempfile
import metasim as ms
scenario = ms.load("luminal_a_surgery").replace(
    {"run.patients": int(sys.argv[1]), "run.record": "patients"}
)
with tempfile.TemporaryDirectory() as folder:
    ms.run(scenario, output=folder + "/out", progress=False, workers=1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def patients_per_second(scenario: Scenario, repeats: int = 3) -> float:
    """Median over some runs on one core, after a short one that loads everything."""
    ms.run(scenario.replace({"run.patients": 10}), progress=False, workers=1)
    rates = []
    for _ in range(repeats):
        start = time.process_time()
        ms.run(scenario, progress=False, workers=1)
        rates.append(scenario.run.patients / (time.process_time() - start))
    return median(rates)


def steady(cells: int) -> Scenario:
    """A tumour that keeps its size and sheds, and founds nothing: only its size differs."""
    return ms.load("luminal_a_surgery").replace(
        {
            "run.patients": 256, "run.follow_from": "start", "run.record": "metastases",
            "patients": None, "treatment": [], "growth.rho_per_day": 0.0,
            "primary.initial_cells": cells, "clinic.lethal_cells": None,
            "soil.breast.lethal_cells": None, "gates.colonization.base_odds": 0.0,
            "clinic.diagnosis_diameter_mm": None,
        }
    )  # fmt: skip


SURGERY = {"kind": "surgery", "organ": "breast"}
SIX = (
    SURGERY, {"kind": "radiotherapy", "organ": "breast"}, {"kind": "chemotherapy"},
    {"kind": "endocrine"}, {"kind": "bisphosphonate"},
    {"kind": "antibody", "start": "diagnosis", "hazard_per_day": 0.005, "duration_days": 1826.25},
)  # fmt: skip


def treated(*plan: dict[str, object]) -> Scenario:
    """luminal_a_surgery with a plan."""
    return ms.load("luminal_a_surgery").replace(
        {"run.patients": _PATIENTS, "run.record": "metastases", "treatment": plan}
    )


def peak_memory(patients: int) -> float:
    """Peak memory in MiB of a process that runs so many patients into a folder."""
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY, str(patients)], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def run(report: Report) -> None:
    """The colony engine's figures."""
    report.section("colony engine, one core (processor time)")
    untreated = ms.load("untreated").replace(
        {"run.patients": _PATIENTS, "run.follow_from": "start", "run.record": "metastases"}
    )
    colonies = len(ms.run(untreated, progress=False, workers=1).metastases) / _PATIENTS
    rate = patients_per_second(untreated)
    report.line(f"untreated, 15 years, weekly steps, {colonies:.0f} colonies a patient",
                rate, "patients/s", 1500.0, more_is_better=True)  # fmt: skip
    report.line("the same against the goal", rate, "patients/s", 5000.0, more_is_better=True)
    removed = patients_per_second(treated(SURGERY))
    report.line("luminal_a_surgery, primary removed at diagnosis", removed,
                "patients/s", 1500.0, more_is_better=True)  # fmt: skip
    report.line("cost of six treatments, in that of surgery alone",
                removed / patients_per_second(treated(*SIX)), "x", 1.3)  # fmt: skip
    small, large = (1 / patients_per_second(steady(n)) for n in (10**6, 10**12))
    report.line("cost of a 1e12-cell tumour, in those of a 1e6-cell one", large / small, "x", 1.2)
    few, many = peak_memory(2_000), peak_memory(16_000)
    report.line("peak memory of 16,000 patients, in that of 2,000", many / few, "x", 1.1)
