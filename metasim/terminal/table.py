"""Tables for a terminal of any width: side by side where they fit, else one line per number."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from metasim.terminal.text import cells, encodable, fold, is_unicode, plain

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.table import Table
    from rich.text import Text

_NAME_CELLS: Final = 12  # to which the first column may be folded
_HEAD_IN_ASCII: Final = "    \n    \n -- \n    \n    \n    \n    \n    \n"


class FittingTable:
    """A table whose first column names the rows; drops no name and no number, however narrow.

    Its texts are plain: what looks like markup of the terminal is printed as it stands, control
    characters are shown, and what the terminal's encoding lacks is put in ASCII. Widths are those
    of the terminal's cells, two for most East Asian characters.

    Args:
        title: above the table; may have several lines.
        columns: headings, text or `rich.text.Text`; may have several lines.
        caption: under the table.
        words: numbers of the columns that hold words; they stand on the left.
        folds: numbers of the columns that may be folded.
        edges: an empty line above and below.
        padding: of cells, as for `rich.table.Table`.
    """

    def __init__(
        self,
        title: str,
        columns: Sequence["str | Text"],
        caption: str = "",
        *,
        words: Sequence[int] = (0,),
        folds: Sequence[int] = (0,),
        edges: bool = False,
        padding: tuple[int, int, int, int] = (0, 1, 0, 1),
    ) -> None:
        self.title = title
        self.columns = list(columns)
        self.caption = caption
        self.words = words
        self.folds = folds
        self.edges = edges
        self.padding = padding
        self.rows: list[tuple[list[str | Text], bool]] = []

    def add_row(self, *texts: "str | Text", end_section: bool = False) -> None:
        """Add a row; `end_section` draws a line below it."""
        self.rows.append((list(texts), end_section))

    def lines(self, width: int, encoding: str = "utf-8") -> Iterator[str]:
        """The table as lines: of each row its name, and under it each number with its heading."""

        def said(text: "str | Text", first: str = "") -> list[str]:
            return fold(_put(text, encoding), width, first, f"{first}  ")

        for line in self.title.split("\n"):
            yield from said(line)
        headings = [" ".join(str(column).split()) for column in self.columns[1:]]
        for row, _ in self.rows:
            yield from said(row[0])
            for heading, cell in zip(headings, row[1:], strict=True):
                if str(cell):
                    yield from said(f"{heading}: {cell}", "  ")
        yield from said(self.caption)
        yield ""

    def least_width(
        self, console: "Console", options: "ConsoleOptions", table: "Table | None" = None
    ) -> int:
        """Cells below which numbers would be cut off: names are folded as far as they may be."""
        from rich.measure import Measurement

        table = table or self.side_by_side(options.encoding)
        whole = Measurement.get(console, options.update(max_width=100_000), table).maximum
        saved = 0
        for column in self.folds:
            texts = [self.columns[column], *(row[column] for row, _ in self.rows)]
            widest = max(cells(_put(text, options.encoding, lines=False)) for text in texts)
            saved += max(0, widest - _NAME_CELLS)
        return whole - saved

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> Iterator[Any]:
        """What rich prints."""
        from rich.text import Text

        table = self.side_by_side(options.encoding)
        if self.least_width(console, options, table) <= options.max_width:
            yield table
        else:
            for line in self.lines(options.max_width, options.encoding):
                yield Text(line, overflow="fold")

    def side_by_side(self, encoding: str = "utf-8") -> "Table":
        """The table of rich, as an encoding can hold it."""
        from rich.box import SIMPLE_HEAD, Box
        from rich.table import Table
        from rich.text import Text

        def put(text: "str | Text", style: str = "", lines: bool = True) -> Text:
            own = text.style if isinstance(text, Text) else style
            return Text(_put(text, encoding, lines), style=own, overflow="fold")

        table = Table(
            title=put(self.title, "italic") if self.title else None,
            title_justify="left",
            caption=put(self.caption, "dim italic") if self.caption else None,
            caption_justify="left",
            box=SIMPLE_HEAD if is_unicode(encoding) else Box(_HEAD_IN_ASCII, ascii=True),
            show_edge=self.edges,
            padding=self.padding,
            pad_edge=False,
        )
        for number, heading in enumerate(self.columns):
            folds = number in self.folds
            table.add_column(
                put(heading),
                justify="left" if number in self.words else "right",
                overflow="fold",
                no_wrap=not folds,
                min_width=_NAME_CELLS if folds else None,
            )
        for row, ends in self.rows:
            table.add_row(*(put(cell, lines=False) for cell in row), end_section=ends)
        return table


def _put(text: "str | Text", encoding: str, lines: bool = True) -> str:
    return encodable(plain(text, lines=lines), encoding)
