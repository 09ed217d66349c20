"""HTML of a report: elements whose text is always escaped, and the page around them.

The page holds its style, its pictures and its tables, and no script: a Content Security Policy in
it has the browser refuse any, and everything from elsewhere.
"""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS: Final = 40
"""Rows of a table that are shown; all of them are in the file beside it."""
MOST_TABLE_BYTES: Final = 2_000_000
"""Size of a table that is held as a file."""

MEDIA: Final = {"svg": "image/svg+xml", "png": "image/png"}

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE: Final = """
:root { color-scheme: light dark; --page: #fff; --ink: #1c1c1c; --muted: #595959; --line: #d3cec6;
  --card: #f6f4f0; --accent: #005a91; --warn: #8a4b00; }
@media (prefers-color-scheme: dark) { :root { --page: #14161a; --ink: #ececec; --muted: #b0b0b0;
  --line: #3a3f48; --card: #1d2026; --accent: #7cc0f0; --warn: #f0b060; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 980px; padding: 1rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: .4rem 0; } h2 { font-size: 1.25rem; margin: 2rem 0 .5rem;
  border-bottom: 1px solid var(--line); } h3 { font-size: 1.05rem; margin: 1.2rem 0 .3rem; }
a { color: var(--accent); } .muted, figcaption { color: var(--muted); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem;
  font-variant-numeric: tabular-nums; } th, td { padding: .25rem .6rem; text-align: left;
  border-bottom: 1px solid var(--line); vertical-align: top; } td.number { text-align: right; }
figure { margin: 1rem 0; } figure img { max-width: 100%; height: auto; background: #fff;
  border-radius: 6px; } pre { background: var(--card); padding: .7rem; overflow-x: auto;
  border-radius: 6px; font-size: .85rem; } code { font-family: ui-monospace, monospace; }
ul.warnings { border-left: 4px solid var(--warn); padding: .3rem 0 .3rem 1.6rem; }
details > summary { cursor: pointer; } nav ul { padding-left: 1.2rem; }
@media print { details { display: none; } body { max-width: none; } }
"""


def text(value: object) -> str:
    """Text as HTML shows it, whatever is in it; control characters become spaces."""
    plain = "".join(c if c.isprintable() or c == "\n" else " " for c in str(value))
    return escape(plain, quote=True)


def paragraph(words: object, kind: str = "") -> str:
    """A paragraph of plain text."""
    mark = f' class="{kind}"' if kind else ""
    return f"<p{mark}>{text(words)}</p>"


def listing(items: Iterable[object], kind: str = "") -> str:
    """A list of plain texts."""
    mark = f' class="{kind}"' if kind else ""
    return f"<ul{mark}>{''.join(f'<li>{text(item)}</li>' for item in items)}</ul>"


def code(words: str) -> str:
    """Text as it is typed, in a block."""
    return f'<pre tabindex="0"><code>{text(words)}</code></pre>'


def details(summary: object, inside: str) -> str:
    """What is shown on request."""
    return f"<details><summary>{text(summary)}</summary>{inside}</details>"


def rows(heads: Sequence[object], lines: Iterable[Sequence[object]], label: str) -> str:
    """A table of texts and numbers.

    Args:
        heads: of the columns.
        lines: rows; numbers are set to the right.
        label: what a screen reader calls the table.
    """
    head = "".join(f'<th scope="col">{text(one)}</th>' for one in heads)
    body = "".join(f"<tr>{''.join(map(_cell, line))}</tr>" for line in lines)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{text(label)}">{table}</div>'
    )


def _cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        shown = "" if np.isnan(value) else f"{value:.4g}"
        return f'<td class="number">{shown}</td>'
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{text('' if value is None else value)}</td>"


def frame(table: "pd.DataFrame", label: str, name: str) -> str:
    """A data frame: its first rows, and all of it as a CSV file in the page.

    Args:
        table: the data frame.
        label: what it is.
        name: of the file.
    """
    plain = table.copy(deep=False)
    plain.attrs = {}
    shown = plain.head(MOST_ROWS)
    lines = [[_value(one) for one in line] for line in shown.itertuples(index=False)]
    out = rows([str(one) for one in shown.columns], lines, label)
    data = plain.to_csv(index=False).encode()
    if len(data) <= MOST_TABLE_BYTES:
        link = f"data:text/csv;base64,{base64.b64encode(data).decode()}"
        said = f"all {len(plain):,} rows as CSV"
        out += f'<p><a download="{text(name)}.csv" href="{link}">{text(said)}</a></p>'
    elif len(plain) > MOST_ROWS:
        out += paragraph(f"The first {MOST_ROWS} of {len(plain):,} rows.", "muted")
    return out


def _value(value: Any) -> object:
    return None if value is None or value != value else value


def picture(data: bytes, kind: str, alt: str, caption: str, below: str = "") -> str:
    """A figure held in the page.

    Args:
        data: bytes of the picture.
        kind: "svg" or "png".
        alt: what it shows, in words.
        caption: plain text under it.
        below: HTML under that.
    """
    link = f"data:{MEDIA[kind]};base64,{base64.b64encode(data).decode()}"
    image = f'<img src="{link}" alt="{text(alt)}">'
    return f"<figure>{image}<figcaption>{text(caption)}</figcaption>{below}</figure>"


def page(title: str, about: str, sections: Sequence[tuple[str, str]]) -> str:
    """The whole page.

    Args:
        title: plain text.
        about: plain text under it.
        sections: heading (plain text) and content (HTML) of each.
    """
    links = "".join(f'<li><a href="#s{k}">{text(head)}</a></li>'
                    for k, (head, _) in enumerate(sections))  # fmt: skip
    body = "".join(
        f'<section aria-labelledby="s{k}"><h2 id="s{k}">{text(head)}</h2>{inside}</section>'
        for k, (head, inside) in enumerate(sections)
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{_STYLE}</style></head><body><main>"
        f'<h1>{text(title)}</h1>{paragraph(about, "muted")}<nav aria-label="Contents">'
        f"<ul>{links}</ul></nav>{body}</main></body></html>\n"
    )
