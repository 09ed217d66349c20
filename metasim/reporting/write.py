"""From a folder to its report."""

import os
from pathlib import Path

from metasim.errors import ResultsError
from metasim.results.folder import plain_errors

NAME = "report.html"


def write_report(folder: str | Path, output: str | Path | None = None) -> Path:
    """Write the report of a run, a comparison or a fit: one HTML file, which appears whole.

    Args:
        folder: as `metasim run`, `metasim compare --output` or `metasim fit` left it.
        output: the file; None: report.html in the folder.

    Raises:
        ResultsError: the folder is none of these or damaged, or the file cannot be written.
    """
    place = Path(folder)
    text = page_of(place)
    path = place / NAME if output is None else Path(output)
    unfinished = path.with_name(f".{path.name}.tmp")
    with plain_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, path)
    return path


def page_of(folder: Path) -> str:
    """The report as text.

    Raises:
        ResultsError: the folder is none of a run, a comparison or a fit, or damaged.
    """
    from metasim.reporting import others, run
    from metasim.results.store import open_results

    if not folder.is_dir():
        raise ResultsError(f"{folder}: no such folder")
    if (folder / "provenance.json").is_file():
        return run.report(open_results(folder), folder.resolve())
    if (folder / "differences.csv").is_file():
        return others.comparison_report(folder)
    if (folder / "rivals.md").is_file() or (folder / "report.md").is_file():
        return others.fit_report(folder)
    open_results(folder)  # says what it is, if it is anything of metasim's
    raise ResultsError(f"{folder}: not the folder of a run, a comparison or a fit")
