"""What a page gives to take away: scenario, command line, tables, figures."""

import io
import shlex
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import tomlkit

from metasim.errors import OptionError
from metasim.explorer.knobs import short_treatment
from metasim.explorer.sessions import Base, Session
from metasim.scenario.explicit import explicit_toml, toml_value
from metasim.scenario.schema import Scenario

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from metasim.results.store import Results

TABLES: Final = ("summary", "patients", "metastases", "events")
FORMATS: Final = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}


def command(base: Base, changes: Mapping[str, Any], patients: int) -> str:
    """The command line that gives the numbers of the page."""
    words = ["metasim", "run", base.name]
    for key, value in changes.items():
        words += ["--set", f"{key}={toml_value(value)}"]
    words += ["--patients", str(patients)]
    if base.scenario.run.engine != "colonies":
        words += ["--engine", "colonies"]
    return " ".join(map(shlex.quote, words))


def differing_toml(session: Session, patients: int) -> str:
    """A scenario file that says only what differs from what it extends.

    Where a rule of standard care was turned, which no file can say, it is the whole scenario.
    """
    turned = [int(key.split(".")[1]) for key in session.changes if key.startswith("treatment.")]
    if any(session.scenario.treatment[i].care is not None for i in turned):
        return whole_toml(session.scenario, patients)
    base, changes = session.base, {**session.changes, "run.patients": patients}
    if base.scenario.run.engine != "colonies":
        changes["run.engine"] = "colonies"
    document = tomlkit.document()
    if base.kind == "upload":
        document.add(tomlkit.comment(f"Save it beside {base.name}, which it extends."))
    document["extends"] = base.name
    if any(key.split(".")[0] == "treatment" for key in changes):
        changes = _with_treatments(changes, session.scenario)
    for key, value in changes.items():
        table: Any = document
        head, _, rest = key.partition(".")
        parts = [head, rest] if head == "patients" and rest else key.split(".")
        for part in parts[:-1]:
            table = table.setdefault(part, tomlkit.table())
        table[parts[-1]] = _item(value)
    return tomlkit.dumps(document)


def _with_treatments(changes: dict[str, Any], scenario: Scenario) -> dict[str, Any]:
    """Changes with the treatments as a list; a file cannot change single values of one."""
    rest = {key: value for key, value in changes.items() if key.split(".")[0] != "treatment"}
    mine = [one for one in scenario.treatment if one.care is None]
    return {**rest, "treatment": [short_treatment(one, scenario) for one in mine] or "none"}


def _item(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        array = tomlkit.aot()
        for item in value:
            table = tomlkit.table()
            table.update(item)
            array.append(table)
        return array
    return value


def whole_toml(scenario: Scenario, patients: int) -> str:
    """The whole scenario, which stands alone."""
    return explicit_toml(scenario.replace({"run.patients": patients, "run.record": None}))


def table(results: "Results", name: str, kind: str) -> bytes:
    """A table as CSV or Parquet.

    Raises:
        OptionError: there is no such table, or kind.
    """
    if name not in TABLES or kind not in ("csv", "parquet"):
        raise OptionError(f"no table {name}.{kind}; there are {', '.join(TABLES)}, as csv, parquet")
    frame = results.summary if name == "summary" else getattr(results, name)
    if kind == "csv":
        return cast(bytes, frame.to_csv(index=False).encode())
    frame = frame.copy(deep=False)
    frame.attrs = {}
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def archive(results: "Results") -> bytes:
    """The results folder as a ZIP archive; `metasim plot` and others open it once unpacked."""
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="metasim-explore-") as place:
        folder = results.save(Path(place) / "results")
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as whole:
            for path in sorted(folder.iterdir()):
                whole.write(path, f"results/{path.name}")
    return buffer.getvalue()


def figure(drawn: "Figure", kind: str) -> bytes:
    """A figure as PNG (200 dpi), SVG or PDF.

    Raises:
        OptionError: there is no such format.
    """
    if kind not in FORMATS:
        raise OptionError(f"no format {kind[:20]!r}; there are {', '.join(FORMATS)}")
    buffer = io.BytesIO()
    meta = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
    from metasim.results.plots.style import styled

    with styled():
        drawn.savefig(buffer, format=kind, dpi=200, metadata=meta.get(kind, {"CreationDate": None}))
    return buffer.getvalue()
