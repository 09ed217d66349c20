"""The pages that are written from the code and the data, so that they cannot disagree with them."""

import json
import shutil
from pathlib import Path

import catalogue_page
import command_page
import gallery_page
import python_page
import scenario_page
import tables_page
from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parents[1]
WRITERS = {
    "catalogue.md": catalogue_page.page,
    "scenario.md": scenario_page.page,
    "tables.md": tables_page.page,
    "command_line.md": command_page.page,
}


def write(folder: Path) -> None:
    """Write every generated page into a folder, leaving what has not changed alone."""
    from metasim.scenario.explicit import json_schema

    for name, page in WRITERS.items():
        put(folder / name, page())
    for name, text in python_page.pages().items():
        put(folder / "python" / name, text)
    put(folder / "published" / "scenario.schema.json", json.dumps(json_schema(), indent=2))
    put(folder / "gallery.md", gallery_page.page(folder / "gallery"))
    for notebook in sorted((DOCS.parent / "notebooks").glob("*.ipynb")):
        target = folder / "tutorials" / notebook.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(notebook, target)


def put(path: Path, text: str) -> None:
    """Write a page, unless it stands there already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx looks for them."""
    write(DOCS / "generated")
    return {"parallel_read_safe": True}
