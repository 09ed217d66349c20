"""The Markdown that metasim itself writes (reports of fits), as HTML; all else of it is text."""

import re
from collections.abc import Iterator

from metasim.reporting import html

_CODE = re.compile(r"`([^`]*)`")
_RULE = re.compile(r"\|[-:| ]+\|")


def sections(markdown: str) -> tuple[str, list[tuple[str, str]]]:
    """The title, and heading and HTML of each section."""
    title = ""
    found: list[tuple[str, list[str]]] = [("Report", [])]
    for line in markdown.splitlines():
        if line.startswith("# "):
            title = title or line[2:]
        elif line.startswith("## "):
            found.append((line[3:], []))
        else:
            found[-1][1].append(line)
    return title, [(head, "".join(_blocks(lines))) for head, lines in found if any(lines)]


def _blocks(lines: list[str]) -> Iterator[str]:
    """Paragraphs, lists and tables of consecutive lines."""
    group: list[str] = []
    for line in [*lines, ""]:
        if line and (not group or _kind(line) == _kind(group[0])):
            group.append(line)
            continue
        if group:
            yield _block(group)
        group = [line] if line else []


def _kind(line: str) -> str:
    return line[0] if line[0] in "|-" else "text"


def _block(group: list[str]) -> str:
    kind = _kind(group[0])
    if kind == "|":
        lines = [_cells(line) for line in group if not _RULE.fullmatch(line)]
        head = "".join(f'<th scope="col">{_inline(one)}</th>' for one in lines[0])
        body = "".join(f"<tr>{''.join(f'<td>{_inline(one)}</td>' for one in line)}</tr>"
                       for line in lines[1:])  # fmt: skip
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return f'<div class="scroll" role="region" tabindex="0" aria-label="Table">{table}</div>'
    if kind == "-":
        items = "".join(f"<li>{_inline(line.removeprefix('- '))}</li>" for line in group)
        return f"<ul>{items}</ul>"
    return f"<p>{_inline(' '.join(group))}</p>"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _inline(words: str) -> str:
    """Text, with `code` as code."""
    parts = _CODE.split(words)
    return "".join(
        f"<code>{html.text(part)}</code>" if i % 2 else html.text(part)
        for i, part in enumerate(parts)
    )
