"""Markdown from values."""

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; bars and line breaks in its cells are made harmless."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell(value) for value in line)} |\n" for line in lines) + "\n"


def cell(value: object) -> str:
    """Text that may stand in a cell."""
    return " ".join(str(value).replace("|", "\\|").split())


def code(text: object) -> str:
    """Text in the type of code; nothing stays nothing."""
    return f"`{text}`" if str(text) else ""
