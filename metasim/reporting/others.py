"""Reports of a comparison and of a fit, from the folders that these leave."""

import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from metasim.errors import ResultsError
from metasim.reporting import html
from metasim.reporting.markdown import sections
from metasim.results.compare import Comparison
from metasim.results.compare_report import comparison_about, letter, open_comparison, ratio_text
from metasim.results.folder import plain_errors
from metasim.results.plots import REGISTRY
from metasim.results.summary import PLURALS

_LARGEST_TEXT: Final = 4_000_000
_LARGEST_PICTURE: Final = 8_000_000
_PNG: Final = b"\x89PNG\r\n"


def comparison_report(folder: Path) -> str:
    """The page of a comparison.

    Raises:
        ResultsError: its files are missing or damaged.
    """
    from metasim.reporting.run import drawn

    compared = open_comparison(folder)
    kind = REGISTRY["comparison"]
    table = kind.data(compared)
    data, format_ = drawn(kind.draw(table))
    below = html.details("its data", html.frame(table, "Data of the comparison", "comparison"))
    figure = html.picture(data, format_, f"{kind.title}: {kind.shows}", kind.shows, below)
    runs = [(letter(compared, label), label, title) for label, title in
            zip(compared.labels, compared.titles, strict=True)]  # fmt: skip
    shown = [
        ("Warnings", html.listing(compared.notes, "warnings") if compared.notes else ""),
        ("Runs", html.rows(["", "run", "title"], runs, "The runs that are compared")),
        ("Differences", "".join(_differences(compared))),
        ("Figures", figure + "".join(_pictures(folder, ["survival"]))),
        ("Methods", html.paragraph(_methods(compared))),
        ("Tables", html.frame(compared.differences, "Differences", "differences")
         + html.frame(compared.ratios, "Hazard and rate ratios", "ratios")),
        ("Run it again", html.code(_command(folder, compared))),
    ]  # fmt: skip
    title = " against ".join(reversed([compared.labels[0], ", ".join(compared.labels[1:])]))
    return html.page(title, "A comparison by metasim.", [one for one in shown if one[1]])


def _command(folder: Path, compared: Comparison) -> str:
    made = comparison_about(folder).get("command")
    words = [Path(str(made[0])).name, *made[1:]] if isinstance(made, list) and made else []
    return " ".join(shlex.quote(str(w)) for w in words or ["metasim", "compare", *compared.labels])


def _differences(compared: Comparison) -> Iterator[str]:
    frame = compared.differences
    for run in compared.labels[1:]:
        name = letter(compared, run)
        yield f"<h3>{html.text(f'{name} ({run}) against A ({compared.labels[0]})')}</h3>"
        mine = frame[(frame["measure"] == "share") & (frame["run"] == run)]
        lines = [
            (row["label"], f"{100 * row['first']:.1f}", f"{100 * row['other']:.1f}",
             f"{100 * row['difference']:+.1f}",
             f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}")
            for row in mine.to_dict("records")
        ]  # fmt: skip
        heads = ["% with at least one", "A", name, f"{name} - A, points", "95 %"]
        yield html.rows(heads, lines, f"Shares of patients, {run}")
        ratios = compared.ratios[compared.ratios["run"] == run].to_dict("records")
        rows = [(row["outcome"], row["events_first"], row["events_other"], ratio_text(row))
                for row in ratios]  # fmt: skip
        yield html.rows(["events", "A", name, f"hazard ratio {name}/A (95 %)"], rows, "Ratios")


def _methods(compared: Comparison) -> str:
    pairs = (
        "The same virtual patients were simulated under each plan, and compared pair by pair; "
        "differences of shares have Bonett and Price's interval for pairs."
        if compared.paired
        else "The runs were compared as independent groups; differences of shares have Newcombe's "
        "interval."
    )
    number = " and ".join(f"{n:,}" for n in dict.fromkeys(compared.patients))
    origin = "diagnosis" if compared.since == "diagnosis" else "the start"
    return (
        f"We compared {len(compared.labels)} runs of {number} virtual patients each, followed from "
        f"{origin}. {pairs} We counted {PLURALS[compared.counted]}. Hazard ratios are Cox's, cause-"
        "specific, and rate ratios the log-rank ones of the EBCTCG. Intervals are of 95 %, and "
        "hold the chance of the simulation only."
    )


def fit_report(folder: Path) -> str:
    """The page of a fit, or of rivals.

    Raises:
        ResultsError: its files are missing or damaged.
    """
    title, shown = "Fit", []
    rivals = sorted(path.parent for path in folder.glob("*/report.md"))
    if (folder / "rivals.md").is_file():
        title, found = sections(_text(folder / "rivals.md"))
        shown += [(f"Rivals: {head}" if head != "Report" else "Rivals", body)
                  for head, body in found]  # fmt: skip
    for one in [folder] if (folder / "report.md").is_file() else rivals:
        named, found = sections(_text(one / "report.md"))
        title = title if title != "Fit" else named
        before = "" if one == folder else f"{one.name}: "
        shown += [(before + head, body) for head, body in found]
        if pictures := "".join(_pictures(one, ["posteriors", "predictions"])):
            shown.append((f"{before}Figures", pictures))
        shown += [(f"{before}{head}", body) for head, body in _fitted(one)]
    return html.page(title or folder.name, "A fit to published figures by metasim.", shown)


def _fitted(folder: Path) -> Iterator[tuple[str, str]]:
    best, posterior = folder / "best.toml", folder / "posterior.parquet"
    if best.is_file():
        text = _text(best)
        extends = ""
        try:
            extends = str(tomllib.loads(text).get("extends", ""))
        except tomllib.TOMLDecodeError as error:
            raise ResultsError(f"{best}: damaged ({error})") from error
        yield (
            "Best scenario",
            html.paragraph(f"It extends {extends}; its values are marked as calibrated.")
            + html.code(text)
            + html.paragraph("Run it:")
            + html.code("metasim run best.toml"),
        )
    if posterior.is_file():
        yield "Posterior", html.details("the draws", _posterior(posterior))


def _posterior(path: Path) -> str:
    import pandas as pd
    import pyarrow as pa

    try:
        draws = pd.read_parquet(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ResultsError(f"{path}: damaged or truncated") from error
    return html.frame(draws, "Draws of the posterior", "posterior")


def _pictures(folder: Path, names: list[str]) -> Iterator[str]:
    """Pictures that were drawn before, and lie in the folder or its figures."""
    for name in names:
        for path in (folder / f"{name}.png", folder / "figures" / f"{name}.png"):
            if path.is_file() and path.stat().st_size <= _LARGEST_PICTURE:
                data = path.read_bytes()
                if data.startswith(_PNG):
                    yield html.picture(data, "png", f"Figure: {name}", name.capitalize())
                break


def _text(path: Path) -> str:
    with plain_errors(path):
        if path.stat().st_size > _LARGEST_TEXT:
            raise ResultsError(f"{path}: larger than 4 MB, not metasim's")
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ResultsError(f"{path}: damaged (not UTF-8)") from error
