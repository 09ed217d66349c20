"""Text as a terminal can take it: no control characters, folded by cells, in its encoding."""

import codecs
import re
import unicodedata
from typing import Final

_UNSAFE: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters but the line feed, those that turn the direction of writing, lone surrogates
(bytes of file names that are no text)."""

_IN_ASCII: Final = {
    "≥": ">=", "≤": "<=", "±": "+-", "×": "x", "·": ".", "…": "...", "−": "-", "–": "-", "—": "-",
    "‘": "'", "’": "'", "“": '"', "”": '"', "µ": "u", "μ": "u", "°": " deg", "→": "->",
    "▁": ".", "▂": ":", "▃": "-", "▄": "=", "▅": "+", "▆": "*", "▇": "#", "█": "@",
    "─": "-", "━": "-", "│": "|", "╸": "-", "╺": "-", "•": "*",
}  # fmt: skip


def plain(text: object, *, lines: bool = True) -> str:
    r"""Text in which nothing acts on the terminal: control characters are shown, not sent.

    Args:
        text: what a user, a file or an error says.
        lines: keep line feeds; else they are shown too.

    Example:
        >>> plain("red \x1b[31m")
        'red \\x1b[31m'
    """
    said = _UNSAFE.sub(lambda found: _shown(found[0]), str(text))
    return said if lines else said.replace("\n", "\\n")


def toml_to_read(text: str) -> str:
    """TOML with control characters in its strings as escapes of TOML: still the same values."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def encodable(text: str, encoding: str | None) -> str:
    """Text that an encoding can hold, other characters put in ASCII.

    Args:
        text: any text.
        encoding: of a stream; None or unknown ones are taken as ASCII.

    Example:
        >>> encodable("≥ 2 ± 1, né", "latin-1")
        '>= 2 ± 1, né'
    """
    try:
        codec = codecs.lookup(encoding or "ascii").name
        text.encode(codec)
        return text
    except LookupError:
        codec = "ascii"
    except UnicodeEncodeError:
        pass
    return "".join(one if _holds(codec, one) else _in_ascii(one) for one in text)


def is_unicode(encoding: str | None) -> bool:
    """Whether an encoding holds every character."""
    return (encoding or "ascii").lower().startswith("utf")


def fold(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """Lines of at most so many cells of a terminal; words that are longer stay whole.

    Args:
        text: words; white space between them is one space.
        width: cells of a line. Most East Asian characters and emoji take two, accents none.
        first: what the first line begins with.
        rest: what the others begin with.
    """
    lines, line, begun = [], first, False
    for word in text.split():
        if begun and cells(line) + 1 + cells(word) > width:
            lines.append(line)
            line, begun = rest, False
        line += f" {word}" if begun else word
        begun = True
    return [*lines, line] if begun else lines


def cells(text: str) -> int:
    """Cells of a terminal that a text takes."""
    from rich.cells import cell_len

    return cell_len(text)


def pad(text: str, width: int) -> str:
    """Text with spaces after it to fill so many cells of a terminal; longer text stays as it is."""
    return text + " " * max(0, width - cells(text))


def _shown(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no text, as Python keeps it in a name
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _holds(codec: str, character: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _in_ascii(character: str) -> str:
    if character in _IN_ASCII:
        return _IN_ASCII[character]
    base = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    if base or unicodedata.combining(character):
        return base
    return character.encode("ascii", "backslashreplace").decode()
