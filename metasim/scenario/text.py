"""TOML text as tables, within stated bounds: whatever the text, it is read or refused at once.

Bounds on depth, on the length of names, numbers and texts and on how many values there are hold
before anything walks the tables, so that nothing later meets a tree it cannot cope with.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from metasim.errors import Mistake
from metasim.scenario.keys import Path, join, shown

MOST_BYTES: Final = 1_000_000
MOST_DEPTH: Final = 12
"""Tables and lists within each other; the schema has 7."""
MOST_VALUES: Final = 10_000
"""Values of a file; the longest catalogue entry has 400, a complete scenario up to 1,000."""
MOST_CHARACTERS: Final = 2_000
"""Characters of a text; of a name a tenth of it."""

MOST_LISTED: Final = 10_000
"""Values of a list; of tables, such as `[[treatment]]`, a hundredth of it."""

_MOST_PARTS = 32
_NUMBER_BITS = 1023  # of a float
# parts of a dotted key; tomllib takes the square of their number in time
_DOTTED = re.compile(
    r"""(?<![\w-])(?:(?:"[^"\n]*+"|'[^'\n]*+'|[\w-]++)[ \t]*+\.[ \t]*+)"""
    f"{{{_MOST_PARTS}}}"
)


def parse(text: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        ValueError: it is not TOML, or nested too deeply; the message says why.
    """
    if _DOTTED.search(text):
        raise ValueError(f"a key has more than {_MOST_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        if "integer string conversion" in str(error):
            raise ValueError("a whole number has more than 4,300 digits") from None
        raise


def excess(tree: object) -> Mistake | None:
    """What of a tree is beyond the bounds, or None; never recurses, whatever the tree."""
    for number, (path, value) in enumerate(_walk(tree)):
        if number > MOST_VALUES:
            return Mistake("", f"has more than {MOST_VALUES:,} values")
        key = join(tuple(str(part)[:40] for part in path[:MOST_DEPTH]))
        if len(path) > MOST_DEPTH:
            message = f"is nested too deeply: at most {MOST_DEPTH} tables and lists may be"
            return Mistake(key, message)
        if path and len(str(path[-1])) > MOST_CHARACTERS // 10:
            message = f"its name has {len(str(path[-1])):,} characters"
            return Mistake(key, f"{message}; at most {MOST_CHARACTERS // 10} are allowed")
        items = value if isinstance(value, list | tuple) else (value,)
        most = MOST_LISTED // 100 if any(isinstance(i, Mapping) for i in items) else MOST_LISTED
        if len(items) > most:
            return Mistake(key, f"the list has {len(items):,} values; at most {most:,} are allowed")
        for item in items:
            if isinstance(item, str) and len(item) > MOST_CHARACTERS:
                message = f"the text has {len(item):,} characters; at most {MOST_CHARACTERS:,} are"
                return Mistake(key, f"{message} allowed")
            if isinstance(item, int) and item.bit_length() > _NUMBER_BITS:
                return Mistake(key, f"a number is too large: {shown(item)}")
    return None


def _walk(tree: object) -> Iterator[tuple[Path, object]]:
    """Path and value of everything in a tree, level by level, down to one level too deep.

    A list counts as one value, but for the tables and lists in it.
    """
    level: list[tuple[Path, object]] = [((), tree)]
    while level:
        below: list[tuple[Path, object]] = []
        for path, value in level:
            yield path, value
            if len(path) > MOST_DEPTH:
                continue
            if isinstance(value, Mapping):
                below += [((*path, name), item) for name, item in value.items()]
            elif isinstance(value, list | tuple):
                below += [((*path, i), item) for i, item in enumerate(value)
                          if isinstance(item, Mapping | list | tuple)]  # fmt: skip
        level = below


_LOOSE = re.compile(r"[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?")


def parse_value(text: str, *, is_text: bool = False) -> Any:
    """A value as TOML has it, a number as Python has it (`.5`, `5.`, `1.e3`), or else a text.

    Args:
        text: what is to be read.
        is_text: a text belongs there, so that what is not TOML is one.
    """
    try:
        table = parse(f"value = {text}")
    except ValueError:
        table = {}
    if table.keys() == {"value"}:
        return table["value"]
    text = text.strip()
    if not is_text and "." in text and _LOOSE.fullmatch(text):
        try:
            return float(text)
        except ValueError:  # underscores where none may be
            return text
    return text
