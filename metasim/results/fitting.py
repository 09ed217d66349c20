"""Tables for a terminal of any width: side by side where they fit, else one line per number."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.table import Table

_NAME_LETTERS: Final = 12  # to which the first column may be folded
_BETWEEN: Final = 3  # letters that the border and padding of a column take


class FittingTable:
    """A table whose first column names the rows; drops no name and no number, however narrow.

    Its texts are plain: what looks like markup of the terminal is printed as it stands.

    Args:
        title: above the table; may have several lines.
        columns: headings; may have several lines.
        caption: under the table.
    """

    def __init__(self, title: str, columns: Sequence[str], caption: str = "") -> None:
        self.title = title
        self.columns = list(columns)
        self.caption = caption
        self.rows: list[tuple[list[str], bool]] = []

    def add_row(self, *cells: str, end_section: bool = False) -> None:
        """Add a row; `end_section` draws a line below it."""
        self.rows.append((list(cells), end_section))

    def least_width(self) -> int:
        """Width in letters below which numbers would be cut off."""
        texts = [self.columns, *(cells for cells, _ in self.rows)]
        widths = [
            max(len(line) for cells in texts for line in cells[k].split("\n") or [""])
            for k in range(len(self.columns))
        ]
        widths[0] = min(widths[0], _NAME_LETTERS)
        return sum(widths) + _BETWEEN * len(widths)

    def lines(self, width: int) -> Iterator[str]:
        """The table as lines: of each row its name, and under it each number with its heading."""
        for line in self.title.split("\n"):
            yield from _folded(line, width, "")
        for cells, _ in self.rows:
            yield from _folded(cells[0], width, "")
            for heading, cell in zip(self.columns[1:], cells[1:], strict=True):
                yield from _folded(f"{' '.join(heading.split())}: {cell}", width, "  ")
        yield from _folded(" ".join(self.caption.split()), width, "")
        yield ""

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> Iterator[Any]:
        """What rich prints."""
        from rich.text import Text

        if self.least_width() <= options.max_width:
            yield self._side_by_side()
        else:
            for line in self.lines(options.max_width):
                yield Text(line)

    def _side_by_side(self) -> "Table":
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=Text(self.title, style="italic"),
            title_justify="left",
            caption=Text(self.caption, style="dim italic") if self.caption else None,
            caption_justify="left",
            box=SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
        )
        table.add_column(Text(self.columns[0]), overflow="fold", min_width=_NAME_LETTERS)
        for heading in self.columns[1:]:
            table.add_column(Text(heading), justify="right", no_wrap=True)
        for cells, last in self.rows:
            table.add_row(*map(Text, cells), end_section=last)
        return table


def _folded(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        text, max(width, 12), initial_indent=indent, subsequent_indent=indent + "  "
    )
