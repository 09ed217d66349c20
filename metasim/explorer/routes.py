"""What the page can ask for, in JSON: sessions, runs, answers, patients, cells, files."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from starlette.responses import Response

from metasim.errors import OptionError
from metasim.explorer import knobs, takeaway, uploads, views
from metasim.explorer.cells import Watched
from metasim.explorer.desk import Asked, Work
from metasim.explorer.jobs import Job
from metasim.explorer.limits import MOST_PATIENTS
from metasim.explorer.sessions import Base, Pinned, Session
from metasim.scenario.catalogue import RUNNABLE, SHIPPED
from metasim.scenario.listing import entries
from metasim.scenario.load import load

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from metasim.results.store import Results

_MOST_STEPS: Final = 500


def _open(asked: Asked) -> dict[str, Any]:
    given = asked.json.get("scenario")
    base = asked.start["base"] if given in (None, asked.start["base"].name) else shipped(given)
    session = asked.sessions.open(base)
    start = asked.start if base is asked.start["base"] else {"changes": {}, "patients": None}
    return {
        "session": session.name,
        "scenarios": [
            {"name": one.name, "title": one.title, "comment": one.comment}
            for one in entries() if one.section == RUNNABLE
        ],
        "start": {"changes": start["changes"], "patients": start["patients"]},
        "outline": views.outline(),
        "most_patients": MOST_PATIENTS,
        **_shown(session),
    }  # fmt: skip


def shipped(name: object) -> Base:
    """A scenario that ships with metasim.

    Raises:
        OptionError: there is none of that name.
    """
    if not isinstance(name, str) or name not in SHIPPED.names(RUNNABLE):
        raise OptionError(f"there is no scenario {str(name)[:60]!r} that ships with metasim")
    return Base(name, load(name))


def _shown(session: Session) -> dict[str, Any]:
    base = session.base
    about = {"scenario": base.name, "kind": base.kind, "baseline": session.baseline
             and session.baseline.label}  # fmt: skip
    return {**about, "knobs": knobs.knobs_of(base.scenario)}


def _close(asked: Asked) -> dict[str, Any]:
    asked.sessions.close(asked.session)
    return {}


def _scenario(asked: Asked) -> dict[str, Any]:
    name = asked.json.get("name")
    start: Base = asked.start["base"]
    asked.sessions.rebase(asked.session, start if name == start.name else shipped(name))
    return _shown(asked.session)


def _upload(asked: Asked) -> dict[str, Any]:
    base = uploads.scenario_of(asked.body, asked.query.get("name", ""))
    asked.sessions.rebase(asked.session, base)
    return _shown(asked.session)


def _results_file(asked: Asked) -> dict[str, Any]:
    session = asked.session
    with session.lock:
        if session.folder is None or asked.query.get("first"):
            if session.folder is not None:
                shutil.rmtree(session.folder, ignore_errors=True)
            session.folder = Path(tempfile.mkdtemp(prefix="metasim-explore-"))
        uploads.keep(asked.body, asked.query.get("name", ""), session.folder)
    return {}


def _results_open(asked: Asked) -> dict[str, Any]:
    session = asked.session
    if session.folder is None:
        raise OptionError("no file of a results folder was uploaded")
    found = uploads.results_of(session.folder)
    shutil.rmtree(session.folder, ignore_errors=True)
    session.folder = None
    base = uploads.scenario_of(found.scenario_toml.encode(), "results.toml")
    with session.lock:
        patients = found.description.patients
        session.baseline = Pinned("uploaded results", given=found, asked=patients)
        session.kept = True
        asked.sessions.rebase(session, base)
    return _shown(session)


def _run(asked: Asked) -> dict[str, Any]:
    changes = asked.json.get("changes", {})
    if not isinstance(changes, dict):
        raise OptionError("changes have to be a table of keys and values")
    patients = asked.whole("patients", -(2**62), 2**62)
    job = asked.sessions.run(asked.session, changes, patients)
    state = _state(asked.session, job)
    state["treatments"] = knobs.treatments_of(job.cohort.scenario)
    return state


def _cancel(asked: Asked) -> dict[str, Any]:
    asked.sessions.cancel(asked.session)
    return {}


def _pin(asked: Asked) -> dict[str, Any]:
    asked.sessions.pin(asked.session, str(asked.json.get("label", "")) or "pinned")
    return {"baseline": asked.session.baseline and asked.session.baseline.label}


def _unpin(asked: Asked) -> dict[str, Any]:
    asked.sessions.unpin(asked.session)
    return {"baseline": asked.session.baseline and asked.session.baseline.label}


def _state(session: Session, job: Job) -> dict[str, Any]:
    return {
        "job": job.number,
        "state": job.state,
        "message": job.message,
        "done": min(job.cohort.done, job.asked),
        "ready": job.ready,
        "preparing": not job.cohort.done and not job.is_over and not _compiled(),
        "asked": job.asked,
        "seconds": round(job.seconds, 2),
        "version": job.version,
        "first_failure": job.cohort.first_failure,
        "command": takeaway.command(session.base, session.changes, job.asked),
    }


def _compiled() -> bool:
    from metasim.engines.colonies import compiled

    return compiled()


def _now(session: Session) -> tuple["Results", Job]:
    """What there is to look at.

    Raises:
        OptionError: nothing yet.
    """
    job = session.job
    if job is None or not job.ready:
        raise OptionError("there is no result yet")
    return job.cohort.results(job.ready), job


def _beside(session: Session, job: Job) -> "Results | None":
    pinned = session.baseline
    if pinned is None or pinned.cohort is job.cohort:
        return None
    return pinned.results(job.ready)


def _answer(asked: Asked) -> dict[str, Any]:
    """State of the run, and numbers if there are newer ones than the page has."""
    session, job = asked.session, asked.session.job
    if job is None:
        return {"state": "nothing"}
    state = _state(session, job)
    seen = (asked.query.get("job"), asked.query.get("version"))
    if job.ready and seen != (str(job.number), str(job.version)):
        state["numbers"] = _numbers(session, job)
    return state


def _numbers(session: Session, job: Job) -> dict[str, Any]:
    """Table and map; kept, as another version of the run may have the same patients."""
    ready, pinned = job.ready, session.baseline
    known = session.numbers
    if known is None or known[0] != (job.number, ready, pinned):
        found = views.numbers(job.cohort.results(ready), _beside(session, job))
        found["baseline"] = pinned and pinned.label
        known = session.numbers = ((job.number, ready, pinned), found)
    return known[1]


def _curves(asked: Asked) -> dict[str, Any]:
    session = asked.session
    now, job = _now(session)
    other = _beside(session, job)
    known = [now] if other is None else [now, other]
    counted = asked.query.get("counted", "detected")
    if counted not in ("founded", "micro", "macro", "detected"):
        raise OptionError("counted is one of founded, micro, macro, detected")
    pinned = session.baseline.cohort if session.baseline is not None else None
    cohorts = [job.cohort, *([] if pinned in (None, job.cohort) else [pinned])]
    return {
        "curves": [views.curves(one, counted) for one in known],
        "funnel": [views.funnel(one.found_funnel) for one in cohorts if one is not None],
    }


def _patients(asked: Asked) -> dict[str, Any]:
    return views.swimmer(_now(asked.session)[0])


def _patient(asked: Asked) -> dict[str, Any]:
    _, job = _now(asked.session)
    patient = asked.path["patient"]
    if not 0 <= patient < job.ready:
        raise OptionError(f"there is no patient {patient}; there are 0 to {job.ready - 1:,}")
    return views.patient(job.cohort.alone(patient), patient)


def _watch(asked: Asked) -> dict[str, Any]:
    session = asked.session
    patient = asked.whole("patient", 0, MOST_PATIENTS - 1)
    with session.lock:
        watched = Watched(session.scenario, patient)
        if session.watched is not None:
            session.watched.close()
        session.watched = watched
    return watched.state()


def _watched(asked: Asked) -> Watched:
    if asked.session.watched is None:
        raise OptionError("no patient is watched")
    return asked.session.watched


def _step(asked: Asked) -> dict[str, Any]:
    watched = _watched(asked)
    watched.step(asked.whole("steps", 1, _MOST_STEPS))
    return watched.state()


def _cell(asked: Asked) -> dict[str, Any]:
    return _watched(asked).history(asked.path["cell"])


def _take(asked: Asked) -> Response:
    session, what = asked.session, asked.path["what"]
    now, job = _now(session)
    if what == "scenario.toml":
        return _file(takeaway.differing_toml(session, job.ready).encode(), what, "application/toml")
    if what == "whole.toml":
        text = takeaway.whole_toml(job.cohort.scenario, job.ready)
        return _file(text.encode(), what, "application/toml")
    if what == "results.zip":
        return _file(takeaway.archive(now), what, "application/zip")
    name, _, kind = what.partition(".")
    media = "text/csv" if kind == "csv" else "application/vnd.apache.parquet"
    return _file(takeaway.table(now, name, kind), what, media)


def _figure(asked: Asked) -> Response:
    from metasim.results.plots import FIGURES

    name, kind = asked.path["name"], asked.path["kind"]
    now, job = _now(asked.session)
    if name not in FIGURES:
        raise OptionError(f"there is no figure {name[:40]!r}")
    figure = FIGURES[name]
    if name == "funnel":
        if job.cohort.found_funnel is None:
            raise OptionError("the funnel is not counted yet")
        axes = figure.draw(job.cohort.found_funnel)
    elif name in ("colonies", "seeding_tree"):
        given = asked.query.get("patient", "0")
        patient = min(int(given) if given.isdecimal() and len(given) < 9 else 0, job.ready - 1)
        axes = figure(job.cohort.alone(patient), patient=patient)
    else:
        axes = figure(now)
    data = takeaway.figure(cast("Figure", axes.figure), kind)
    return _file(data, f"{name}.{kind}", takeaway.FORMATS[kind])


def _file(data: bytes, name: str, media: str) -> Response:
    return Response(
        data, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


_OWN: Final = "/api/s/{session}"
TABLE: Final[tuple[tuple[str, str, Work], ...]] = (
    ("POST", "/api/open", _open),
    ("POST", f"{_OWN}/close", _close),
    ("POST", f"{_OWN}/scenario", _scenario),
    ("POST", f"{_OWN}/upload", _upload),
    ("POST", f"{_OWN}/results-file", _results_file),
    ("POST", f"{_OWN}/results-open", _results_open),
    ("POST", f"{_OWN}/run", _run),
    ("POST", f"{_OWN}/cancel", _cancel),
    ("POST", f"{_OWN}/pin", _pin),
    ("POST", f"{_OWN}/unpin", _unpin),
    ("GET", f"{_OWN}/answer", _answer),
    ("GET", f"{_OWN}/curves", _curves),
    ("GET", f"{_OWN}/patients", _patients),
    ("GET", f"{_OWN}/patient/{{patient:int}}", _patient),
    ("POST", f"{_OWN}/watch", _watch),
    ("POST", f"{_OWN}/watch/step", _step),
    ("GET", f"{_OWN}/watch/cell/{{cell:int}}", _cell),
    ("GET", f"{_OWN}/take/{{what}}", _take),
    ("GET", f"{_OWN}/figure/{{name}}.{{kind}}", _figure),
)
"""Method, path, and what is done."""
