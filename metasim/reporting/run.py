"""The report of a run."""

import io
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from metasim.errors import MetasimError
from metasim.reporting import html
from metasim.reporting.methods import methods
from metasim.reporting.saved import Value, values_of
from metasim.results.plots import FIGURES
from metasim.results.plots.save import worth_drawing
from metasim.results.plots.style import styled
from metasim.results.summary import PLURALS, said_never_given
from metasim.scenario.catalogue import Catalogue
from metasim.scenario.sources import cite
from metasim.terms import VERSION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from metasim.results.store import Results

_FEW_PATIENTS: Final = 100
_LARGEST_SVG: Final = 400_000


def report(results: "Results", folder: Path) -> str:
    """The page.

    Args:
        results: a finished run.
        folder: where it lies; the command to run it again names it.
    """
    patients = results.provenance.get("patients", results.description.patients)
    about = (
        f"{patients:,} virtual patients, simulated with metasim "
        f"{results.provenance.get('metasim', '')} on {results.provenance.get('started', '?')[:10]}."
    )
    values = values_of(results.scenario_toml)
    sections = [
        ("Warnings", html.listing(warned, "warnings") if (warned := warnings(results)) else ""),
        ("Summary", _summary(results)),
        ("Figures", "".join(_figures(results))),
        ("Methods", html.paragraph(methods(results))),
        ("Scenario: what differs", _differing(results, values)),
        ("Sources", _sources(values)),
        ("Run it again", _again(results, folder)),
    ]
    title = results.title or folder.name
    return html.page(title, about, [(head, inside) for head, inside in sections if inside])


def warnings(results: "Results") -> list[str]:
    """What a reader should know before believing a number; a sentence each."""
    about, out = results.summary.attrs, []
    if about["failed"]:
        first = results.failures["error"].iloc[0]
        out.append(f"{about['failed']:,} patients failed and are left out; the first: {first}")
    if about["left_out"]:
        out.append(f"{about['left_out']:,} patients were never diagnosed and are left out.")
    out += [f"{said_never_given(name).capitalize()}." for name in about["never_given"]]
    if about["patients"] < _FEW_PATIENTS:
        out.append(f"Only {about['patients']:,} patients: the intervals are wide.")
    version = results.provenance.get("metasim")
    if version != VERSION:
        out.append(f"Simulated by metasim {version}, reported by {VERSION}.")
    out.append("A simulation to reason with, not advice for a patient: see how far to trust it.")
    return out


def _summary(results: "Results") -> str:
    about = results.summary.attrs
    if not about["patients"]:
        return html.paragraph("Nobody was diagnosed, so there is nothing to count.")
    origin = "diagnosis" if about["since"] == "diagnosis" else "the start"
    heads = ["organ", "patients with at least one, %", "95 %", "metastases per patient", "95 %",
             f"first, months since {origin}", "quartiles"]  # fmt: skip
    lines = []
    for row in results.summary.to_dict("records"):
        lines.append([
            row["label"] + (" (local)" if row["site"] == "primary" else ""),
            f"{100 * row['share_with']:.1f}",
            f"{100 * row['share_low']:.1f} to {100 * row['share_high']:.1f}",
            f"{row['metastases_per_patient']:.3g}",
            f"{row['metastases_low']:.3g} to {row['metastases_high']:.3g}",
            *_months(row),
        ])  # fmt: skip
    counted = f"Counted: {PLURALS[about['counted']]}, in {about['patients']:,} patients."
    return html.rows(heads, lines, "Metastases by organ") + html.paragraph(counted, "muted")


def _months(row: dict[Any, Any]) -> tuple[str, str]:
    if row["first_median_months"] != row["first_median_months"]:
        return "–", "–"
    median, low, high = (row[f"first_{key}_months"] for key in ("median", "q1", "q3"))
    return f"{median:.0f}", f"{low:.0f} to {high:.0f}"


def _figures(results: "Results") -> Iterator[str]:
    for name in worth_drawing(results):
        kind = FIGURES[name]
        yield f"<h3>{html.text(kind.title)}</h3>"
        try:
            table = kind.data(results)
            data, format_ = drawn(kind.draw(table))
        except MetasimError as error:
            yield html.paragraph(f"It cannot be drawn: {error}", "muted")
            continue
        columns = html.rows(["column", "meaning"], kind.columns.items(), f"Columns of {kind.title}")
        numbers = html.frame(table, f"Data of {kind.title}", name)
        below = html.details(f"its data, {len(table):,} rows", columns + numbers)
        yield html.picture(data, format_, f"{kind.title}: {kind.shows}", kind.shows, below)


def drawn(axes: "Axes") -> tuple[bytes, str]:
    """A figure as SVG, or as PNG where that would be large."""
    figure = cast("Figure", axes.figure)
    for kind, options in (("svg", {"metadata": {"Date": None, "Creator": None}}),
                          ("png", {"dpi": 130, "metadata": {"Software": None}})):  # fmt: skip
        buffer = io.BytesIO()
        with styled({"svg.hashsalt": "metasim"}):
            figure.savefig(buffer, format=kind, **cast(Any, options))
        if kind == "png" or buffer.tell() <= _LARGEST_SVG:
            return buffer.getvalue(), kind
    raise AssertionError("a PNG is always taken")


def _differing(results: "Results", values: list[Value]) -> str:
    given = [one for one in values if one.is_given]
    intro = (
        "Given by scenario files and options; all other values are the catalogue's, or defaults."
    )
    heads = ["key", "value", "unit", "given by", "status", "source"]
    shown = html.rows(heads, [tuple(one) for one in given], "Values that differ from the catalogue")
    every = html.rows(heads, [tuple(one) for one in values], "All values of the scenario")
    return (
        html.paragraph(intro)
        + shown
        + html.details(f"all {len(values):,} values", every)
        + html.details(
            "the scenario as a file, complete in itself", html.code(results.scenario_toml)
        )
    )


def _sources(values: list[Value]) -> str:
    keys = sorted({one.source for one in values if one.source})
    if not keys:
        return html.paragraph("No value of the scenario names a source.")
    cited = [cite(Catalogue(), key) for key in keys]
    return html.paragraph("Please cite, beside metasim:") + html.listing(cited)


def _again(results: "Results", folder: Path) -> str:
    made = results.provenance.get("command")
    again = results.provenance.get("run_again") or "metasim run scenario.toml"
    parts = [
        html.paragraph("From the file scenario.toml of the results folder, which is complete:"),
        html.code(f"cd {shlex.quote(folder.name)}\n{again}"),
    ]
    if isinstance(made, list) and made:
        line = " ".join(shlex.quote(str(word)) for word in [Path(str(made[0])).name, *made[1:]])
        parts += [html.paragraph("It was made by:"), html.code(line)]
    names = ("metasim", "python", "numpy", "scipy", "numba", "mesa", "pyarrow", "platform")
    known = [(n, results.provenance[n]) for n in names if n in results.provenance]
    parts.append(html.rows(["software", "version"], known, "Versions"))
    return "".join(parts)
