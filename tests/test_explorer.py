"""The explorer without a browser: knobs, runs, what it gives to take away, what it refuses."""

import http.client
import io
import re
import shlex
import subprocess
import sys
import threading
import time
import zipfile

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("starlette")

import metasim as ms
from metasim.errors import OptionError, ScenarioError
from metasim.explorer import jobs, limits, sessions
from metasim.explorer.growing import Growing
from metasim.explorer.knobs import knobs_of, short_treatment
from metasim.explorer.server import listen
from metasim.explorer.uploads import scenario_of
from metasim.scenario.catalogue import RUNNABLE, SHIPPED
from metasim.scenario.closed import catalogue_only
from tests.explorer import serving
from tests.faults import ROOT


@pytest.fixture(scope="module")
def served():
    with serving() as one:
        yield one


# knobs


def test_every_number_of_an_organ_is_a_knob_within_its_bounds():
    scenario = ms.load("luminal_a_surgery")
    found = knobs_of(scenario)
    for organ in found["organs"]:
        knobs = {k["key"]: k for group in organ["groups"] for k in group["knobs"]}
        soil = scenario.soil[organ["organ"]]
        multipliers = {f"soil.{organ['organ']}.multiplier.{g.value}" for g in ms.Gate}
        levels = {f"soil.{organ['organ']}.{f.name}" for f in ms.FACTORS if f.soil}
        assert multipliers | levels <= set(knobs)
        assert len([k for k in knobs if ".ligands." in k]) == len(soil.ligands)
        for key, knob in knobs.items():
            assert knob["means"] or ".ligands." in key or ".symptoms." in key, key
            assert knob["status"] in ("measured", "derived", "calibrated", "assumed", "user")
            assert knob["low"] <= knob["value"] <= knob["high"]
            assert knob["from"] <= knob["value"] <= knob["to"] or knob["scale"] == "log"
        for end in ("from", "to"):  # a slider cannot be moved out of what is allowed
            turned = {k: knob[end] for k, knob in knobs.items() if not k.endswith("lymph_fraction")}
            scenario.replace(turned)
    subtype = next(e for e in found["entries"] if e["key"] == "seed.subtype")
    assert subtype["value"] == "luminal_a" and "triple_negative" in subtype["names"]


@pytest.mark.parametrize("name", SHIPPED.names(RUNNABLE))
def test_a_treatment_in_short_is_the_same_treatment(name):
    scenario = ms.load(name)
    if scenario.treatment:
        mine = [one for one in scenario.treatment if one.care is None]
        short = [short_treatment(one, scenario) for one in mine]
        assert scenario.replace({"treatment": short or "none"}) == scenario


# a cohort that grows


def test_the_first_patients_are_those_of_a_run_of_so_many():
    """Whatever the pieces, and although more are computed than are looked at."""
    import numpy as np

    scenario = ms.load("luminal_a_surgery", {"run.record": "metastases"})
    growing = Growing(scenario)
    for span in reversed(growing.missing(170)):
        growing.compute(span, np.zeros(1, np.int64))
    assert growing.done == 300
    found, due = growing.results(170), ms.run(scenario.replace({"run.patients": 170}))
    pd.testing.assert_frame_equal(found.summary, due.summary)
    pd.testing.assert_frame_equal(found.metastases, due.metastases)
    pd.testing.assert_frame_equal(found.patients, due.patients)


def test_a_raised_flag_ends_a_piece_and_nothing_of_it_is_kept():
    import numpy as np

    growing = Growing(ms.load("luminal_a_surgery"))
    with pytest.raises(KeyboardInterrupt):
        growing.compute(growing.missing(150)[0], np.ones(1, np.int64))
    assert growing.done == 0


def test_a_run_that_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr(jobs, "MOST_RUN_SECONDS", 0.2)
    pool = jobs.Pool(1)
    job = jobs.Job(Growing(ms.load("luminal_a_surgery")), 20_000)
    pool.submit(job)
    until = time.monotonic() + 30
    while not job.is_over and time.monotonic() < until:
        time.sleep(0.02)
    pool.close()
    assert job.state == "stopped" and "the most that a run may take" in job.message
    assert job.seconds < 10


def test_a_fault_fails_its_job_and_no_other(monkeypatch):
    pool = jobs.Pool(1)
    broken, fine = (jobs.Job(Growing(ms.load("luminal_a_surgery")), 150) for _ in range(2))
    monkeypatch.setattr(broken.cohort, "compute", lambda *_: 1 // 0)
    for job in (broken, fine):
        pool.submit(job)
    until = time.monotonic() + 60
    while not (broken.is_over and fine.is_over) and time.monotonic() < until:
        time.sleep(0.02)
    pool.close()
    assert broken.state == "failed" and "ZeroDivisionError" in broken.message
    assert fine.state == "done" and fine.ready == 150


# runs


def test_a_run_is_compared_with_the_scenario_as_it_is_pair_by_pair(served):
    page = served.page()
    found = page.run({"soil.bone.niche": 0.1}, 300)
    assert found["state"] == "done" and found["ready"] == 300
    numbers = found["numbers"]
    assert numbers["compared"] and numbers["paired"] and numbers["baseline"] == "as it is"
    base = ms.load("luminal_a_surgery", {"run.patients": 300})
    due = ms.compare([ms.run(base), ms.run(base.replace({"soil.bone.niche": 0.1}))], ["a", "b"])
    shares = due.differences[due.differences["measure"] == "share"].set_index("organ")
    for row in numbers["rows"]:
        for key in ("first", "difference", "low", "high"):
            assert row["share"][key] == pytest.approx(shares.loc[row["organ"], key])
    bone = next(row for row in numbers["rows"] if row["organ"] == "bone")
    assert bone["share"]["high"] < 0
    status, curves = page.get(f"curves?counted={numbers['counted']}")
    assert status == 200 and len(curves["curves"]) == 2 and len(curves["funnel"][0]) == 7


def test_a_pinned_baseline_stays_when_knobs_move_on(served):
    page = served.page()
    page.run({"soil.bone.niche": 0.1}, 150)
    assert page.post("pin", {"label": "poor bone"})[1] == {"baseline": "poor bone"}
    numbers = page.run({"soil.bone.niche": 0.1, "soil.lung.niche": 0.9}, 150)["numbers"]
    assert numbers["baseline"] == "poor bone" and numbers["compared"]
    bone = next(row for row in numbers["rows"] if row["organ"] == "bone")
    assert abs(bone["share"]["difference"]) < 0.02
    assert page.post("unpin")[1] == {"baseline": "as it is"}


def test_mistakes_come_with_their_keys_in_the_words_of_the_command_line(served):
    page = served.page()
    changes = {"soil.bone.nich": 1, "run.years": -1}
    found = page.run(changes)
    with pytest.raises(ScenarioError) as due:
        ms.load("luminal_a_surgery").replace(changes)
    assert [m["key"] for m in found["mistakes"]] == [m.key for m in due.value.mistakes]
    assert [m["message"] for m in found["mistakes"]] == [m.message for m in due.value.mistakes]
    too_much = page.run({"run.years": 250}, limits.MOST_PATIENTS + 1)
    assert [m["key"] for m in too_much["mistakes"]] == ["run.patients", "run.years"]
    for odd in (0, -3):
        assert page.run({}, odd)["mistakes"][0]["key"] == "run.patients"
    assert page.run({"run.patients": "many"})["mistakes"][0]["key"] == "run.patients"


def test_cancel_keeps_what_has_come(served):
    page = served.page()
    page.run({"soil.lung.niche": 0.31}, 20_000, wait=False)
    while page.get("answer")[1]["ready"] < 300:
        time.sleep(0.02)
    assert page.post("cancel")[0] == 200
    found = page.over(5)
    assert found["state"] == "stopped" and 300 <= found["ready"] < 20_000
    assert found["numbers"]["patients"] > 0


def test_a_patient_is_the_one_of_the_run(served):
    page = served.page()
    page.run({}, 150)
    whole = ms.run(ms.load("luminal_a_surgery", {"run.patients": 150}))
    seeded = int(whole.metastases["patient"].iloc[0])
    status, found = page.get(f"patient/{seeded}")
    assert status == 200
    mine = whole.metastases[whole.metastases["patient"] == seeded]
    assert found["about"]["found"] == len(mine)
    events = whole.events[whole.events["patient"] == seeded]
    assert [one["event"] for one in found["events"]] == events["event"].astype(str).tolist()
    assert page.get("patient/150")[0] == 422
    assert page.get("patients")[1]["rows"]


def test_cells_are_watched_step_by_step(served):
    page = served.page("few_cells")
    status, found = page.post("watch", {"patient": 1})
    assert status == 200 and found["step"] == 0 and found["running"]
    found = page.post("watch/step", {"steps": 2})[1]
    model = ms.model_of(ms.load("few_cells"), 1)
    model.step()
    model.step()
    assert found["step"] == 2 and found["census"] == model.census().tolist()
    cell = found["colonies"][0]["cells"][0]
    history = page.get(f"watch/cell/{cell}")[1]
    assert history["moves"][0]["from"] is None and history["moves"][0]["day"] == 0
    assert page.get("watch/cell/999999999")[1]["moves"] == []
    large = served.page().post("watch", {"patient": 0})
    assert large[0] == 422 and "more than run.max_cells" in large[1]["message"]


# what is taken away


def test_the_file_and_the_command_line_give_the_numbers_of_the_page(served, tmp_path):
    page = served.page()
    changes = {
        "soil.bone.niche": 0.25,
        "seed.subtype": "luminal_b",
        "treatment": [
            {"kind": "surgery", "organ": "breast", "residual_fraction": 0.0},
            {"kind": "endocrine", "change": {"growth.rho_per_day": 0.5}},
        ],
    }
    found = page.run(changes, 160)
    status, head, data = page.file("take/scenario.toml")
    assert status == 200 and head["content-disposition"] == 'attachment; filename="scenario.toml"'
    (tmp_path / "own.toml").write_bytes(data)
    (tmp_path / "whole.toml").write_bytes(page.file("take/whole.toml")[2])
    own = ms.load(tmp_path / "own.toml")
    assert own.run.patients == 160 and own == ms.load("luminal_a_surgery").replace(
        {**changes, "run.patients": 160}
    )
    words = shlex.split(found["command"])
    assert words[:3] == ["metasim", "run", "luminal_a_surgery"]
    command = [sys.executable, "-m", *words, "--output", "results", "--quiet", "--no-figures"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    summary = pd.read_csv(io.BytesIO(page.file("take/summary.csv")[2]))
    for other in (ms.open_results(tmp_path / "results"), ms.run(ms.load(tmp_path / "whole.toml"))):
        pd.testing.assert_frame_equal(summary, other.summary.reset_index(drop=True))


def test_tables_archive_and_figures_can_be_opened(served, tmp_path):
    page = served.page()
    page.run({}, 150)
    for name in ("summary", "patients", "metastases", "events"):
        frame = pd.read_parquet(io.BytesIO(page.file(f"take/{name}.parquet")[2]))
        assert len(frame) == len(pd.read_csv(io.BytesIO(page.file(f"take/{name}.csv")[2])))
    zipfile.ZipFile(io.BytesIO(page.file("take/results.zip")[2])).extractall(tmp_path)
    assert len(ms.open_results(tmp_path / "results").patients) == 150
    begins = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for name in ("body", "funnel"):
        for kind, first in begins.items():
            status, _, data = page.file(f"figure/{name}.{kind}")
            assert status == 200 and data.startswith(first)
    assert page.file("figure/body.exe")[0] == 422
    assert page.file("take/passwords.csv")[0] == 422


# what is uploaded


def test_an_uploaded_scenario_is_checked_as_on_the_command_line(served):
    page = served.page()
    wrong = b'extends = "luminal_a_surgery"\n[soil.bone]\nniche = 2\nnich = 1\n'
    status, found = page.served.ask("POST", f"s/{page.name}/upload?name=mine.toml", wrong)
    assert status == 422
    assert {m["key"] for m in found["mistakes"]} == {"soil.bone.niche", "soil.bone.nich"}
    assert found["message"].startswith("mine.toml: 2 mistakes")
    right = wrong.replace(b"niche = 2\nnich = 1", b"niche = 0.5")
    status, found = page.served.ask("POST", f"s/{page.name}/upload?name=mine.toml", right)
    assert status == 200 and found["scenario"] == "mine.toml"
    assert page.run({}, 150)["command"] == "metasim run mine.toml --patients 150"


def test_an_uploaded_results_folder_is_what_runs_are_compared_with(served, tmp_path):
    folder = tmp_path / "old"
    ms.run(ms.load("luminal_a_surgery", {"run.patients": 150}), output=folder)
    page = served.page()

    def take(name, data):
        path = f"s/{page.name}/results-file?name={name}"
        return page.served.ask("POST", path, data)

    for path in folder.iterdir():
        if path.is_file():
            assert take(path.name, path.read_bytes())[0] == 200
    assert take("../../evil.parquet", b"x")[0] == 422
    status, found = page.post("results-open")
    assert status == 200 and found["scenario"] == "results.toml", found
    numbers = page.run({"soil.bone.niche": 0.1}, 150)["numbers"]
    assert numbers["baseline"] == "uploaded results" and numbers["paired"]
    take("provenance.json", b"{}")
    status, found = page.post("results-open")
    assert status == 422 and "not a results folder" in found["message"]
    assert str(tmp_path) not in found["message"] and "/tmp" not in found["message"]


@pytest.mark.parametrize(
    "text",
    [
        'extends = "{path}"\n',
        'extends = "../secret"\n',
        'extends = "luminal_a_surgery"\n[patients]\ntable = "{path}"\n',
        'extends = "luminal_a_surgery"\n[patients]\ndraws = "{path}"\n',
        'extends = "luminal_a_surgery"\npatients = {{ value = {{ table = "{path}" }} }}\n',
        'extends = "luminal_a_surgery"\n"patients" = {{ "table" = {{ value = "{path}" }} }}\n',
    ],
)
def test_no_way_of_naming_a_file_opens_it(text, tmp_path):
    secret = tmp_path / "secret.toml"
    secret.write_text('extends = "luminal_a_surgery"\ntitle = "secret"\n', encoding="utf-8")
    with pytest.raises(ScenarioError) as refused:
        scenario_of(text.format(path=secret).encode(), "x.toml")
    assert "cannot be read from here" in str(refused.value)


def test_all_that_opens_files_can_be_closed():
    """Who lets a scenario name a further kind of file has to close that too."""
    folder = ROOT / "metasim" / "scenario"
    opening = {p.name for p in folder.rglob("*.py") if re.search(r"\bopen\(", p.read_text("utf-8"))}
    closing = {p.name for p in folder.rglob("*.py") if "is_closed()" in p.read_text("utf-8")}
    assert opening == closing - {"closed.py"} == {"files.py", "table.py", "posterior.py"}


def test_no_change_of_a_page_opens_a_file(tmp_path):
    (tmp_path / "t.csv").write_text("clinic.age_years\n50\n", encoding="utf-8")
    base = ms.load("luminal_a_surgery")
    for change in (
        {"patients.table": str(tmp_path / "t.csv")},
        {"patients": {"table": str(tmp_path / "t.csv")}},
        {"patients": {"value": {"table": str(tmp_path / "t.csv")}}},
    ):
        with catalogue_only(), pytest.raises(ScenarioError):
            base.replace(change)
    base.replace({"patients.table": str(tmp_path / "t.csv")})  # as it may be elsewhere


# who may ask


@pytest.mark.parametrize(
    "headers, host",
    [
        ({"Origin": "http://evil.example"}, None),
        ({"Origin": "null"}, None),
        ({"Origin": "http://127.0.0.1:1"}, None),
        ({"Sec-Fetch-Site": "cross-site"}, None),
        ({}, "evil.example"),
        ({}, "127.0.0.1.evil.example"),
        ({}, "evil.example:80@127.0.0.1"),
    ],
)
def test_other_sites_are_refused(served, headers, host):
    page = served.page()
    path = f"{served.prefix}/api/s/{page.name}/cancel"
    status, _, data = served.raw("POST", path, {}, headers, host)
    assert status == 403 and b"metasim" not in data.lower()
    own = {"Origin": f"http://127.0.0.1:{served.port}", "Sec-Fetch-Site": "same-origin"}
    assert served.raw("POST", path, {}, own)[0] == 200


def test_without_the_token_nothing_is_answered(served):
    for path in ("/", "/api/open", "/x/", f"/{served.explorer.token[:-1]}/", "//api/open"):
        status, head, _ = served.raw("GET", path)
        assert status == 403
        assert "default-src 'none'" in head["content-security-policy"]
    status, head, page = served.raw("GET", f"{served.prefix}/")
    assert status == 200 and b"<title>metasim explorer" in page
    assert "unsafe" not in head["content-security-policy"]
    assert head["referrer-policy"] == "no-referrer" and head["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "path",
    [
        "/page/../server.py", "/page/..%2fserver.py", "/page/%2e%2e/server.py",
        "/page/..%5c..%5cserver.py", "/page//etc/passwd", "/page/%2fetc%2fpasswd",
        "/../../../../etc/passwd", "/page/server.py", "/page/__init__.py",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_page(served, path):
    status, _, data = served.raw("GET", served.prefix + path)
    assert status in (403, 404) and b"import" not in data and b"root:" not in data


def test_what_is_too_large_is_refused_unread(served):
    page = served.page()
    path = f"{served.prefix}/api/s/{page.name}/upload?name=a.toml"
    said = {"Content-Length": str(limits.MOST_BODY_BYTES + 1)}
    assert served.raw("POST", path, b"", said)[0] == 413
    assert served.raw("POST", path, b"", {"Content-Length": "-1"})[0] in (400, 413)
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    chunks = chunk * (limits.MOST_BODY_BYTES // 65536 + 2) + b"0\r\n\r\n"
    wire = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    wire.putrequest("POST", path)
    wire.putheader("Transfer-Encoding", "chunked")  # its length is not said
    wire.endheaders()
    try:
        wire.send(chunks)
        assert wire.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # it hung up before all was sent
    finally:
        wire.close()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000, b'{"changes": []}', b"\xff"])
def test_what_is_no_request_is_refused_in_words(served, body):
    page = served.page()
    status, found = served.ask("POST", f"s/{page.name}/run", body)
    assert status == 422 and found["message"]


def test_a_page_that_is_gone_says_so(served):
    page = served.page()
    page.post("close")
    status, found = page.get("answer")
    assert status == 410 and found["gone"]


def test_there_is_an_end_to_pages(monkeypatch):
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 2)
    pool = jobs.Pool(1)
    all_of_them = sessions.Sessions(pool)
    base = sessions.Base("luminal_a_surgery", ms.load("luminal_a_surgery"))
    first = all_of_them.open(base)
    all_of_them.open(base)
    with pytest.raises(OptionError, match="2 pages are open"):
        all_of_them.open(base)
    first.used -= limits.IDLE_SECONDS + 1
    assert all_of_them.open(base) is not None and all_of_them.find(first.name) is None
    pool.close()


def test_the_explorer_listens_on_this_machine_only():
    one = listen(0)
    assert one.getsockname()[0] == "127.0.0.1"
    with pytest.raises(OptionError, match="another may be free"):
        listen(one.getsockname()[1])
    one.close()


def test_a_dozen_pages_at_once_none_sees_the_numbers_of_another(served):
    """Each with a niche of its own; each gets what that niche gives, whatever the others do."""
    niches = [round(0.08 * k, 2) for k in range(12)]
    found, slow = {}, []

    def one(niche):
        page = served.page()
        begun = time.monotonic()
        page.run({"soil.bone.niche": niche}, 150, wait=False)
        found[niche] = page.over(120)
        slow.append(time.monotonic() - begun)

    threads = [threading.Thread(target=one, args=(niche,)) for niche in niches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == niches
    for niche in (niches[0], niches[7], niches[11]):
        base = {"run.patients": 150, "run.record": "metastases", "soil.bone.niche": niche}
        due = ms.run(ms.load("luminal_a_surgery", base)).summary
        shown = [r for r in found[niche]["numbers"]["rows"] if r["organ"] != "death"]
        assert [r["share_with"] for r in shown] == due["share_with"].tolist()
    for niche, state in found.items():
        assert f"soil.bone.niche={niche}" in state["command"] and state["state"] == "done"


def test_a_folder_with_too_many_values_is_not_read(tmp_path, monkeypatch):
    from metasim.errors import ResultsError
    from metasim.explorer import uploads

    monkeypatch.setattr(uploads, "MOST_UPLOAD_VALUES", 10)
    pq.write_table(pa.table({"a": list(range(11))}), tmp_path / "patients.parquet")
    with pytest.raises(ResultsError, match="11 values are more than 10"):
        uploads.results_of(tmp_path)


def test_care_and_mixed_subtypes_are_knobs(served):
    care = {
        "care": "2020s", "clinic.age_years": 55, "soil.axillary_nodes.nodes": 20,
        "soil.axillary_nodes.node_pass_prob": 0.5,
        "patients.seed.subtype": {"choice": {"values": ["luminal_a", "triple_negative"]}},
    }  # fmt: skip
    scenario = ms.load("luminal_a_surgery").replace(care)
    found = knobs_of(scenario)
    entries = {one["key"]: one for one in found["entries"]}
    assert entries["care"]["value"] == "2020s" and "none" in entries["care"]["names"]
    assert entries["seed.subtype"]["mixed"] and entries["seed.subtype"]["value"] == ""
    rules = [one for one in found["treatments"] if one["care"]]
    assert len(rules) == len(scenario.treatment) - 1 and all(r["knobs"] for r in rules)
    status, state = served.page().post("run", {"changes": care, "patients": 150})
    assert status == 200 and len(state["treatments"]) == len(scenario.treatment)


def test_a_turned_rule_of_care_is_in_the_file_that_is_taken_away(served, tmp_path):
    page = served.page()
    changes = {
        "care": "1980s", "clinic.age_years": 55, "soil.axillary_nodes.nodes": 20,
        "soil.axillary_nodes.node_pass_prob": 0.5, "treatment.0.delay_days": 9.0,
    }  # fmt: skip
    page.run(changes, 150)
    (tmp_path / "own.toml").write_bytes(page.file("take/scenario.toml")[2])
    own = ms.load(tmp_path / "own.toml", {"run.patients": 40})
    due = ms.load("luminal_a_surgery").replace({**changes, "run.patients": 40})
    assert own.treatment[0].delay_days == 9.0 and len(own.treatment) == len(due.treatment)
    pd.testing.assert_frame_equal(ms.run(own).metastases, ms.run(due).metastases)
