"""Text of users in figures: shown as it stands, in a font that has its letters."""

import warnings
from functools import cache
from typing import Final

import matplotlib
from matplotlib import font_manager

from metasim.errors import MetasimWarning

_PLACEHOLDER: Final = "?"
_BOXES: Final = ("last resort", "lastresort", "unifont upper csur", "adobe blank")
"""Fonts that have a box or nothing for every character."""


def plain(text: str) -> str:
    """Text for a figure whose every character stands for itself.

    Dollar signs do not begin mathematics, characters of control are written out, and an
    underscore at the beginning does not hide a key from the legend. Letters that the font lacks
    are taken from any installed font that has them; where none has, a question mark stands for
    them, and a warning says so. To be called on what is drawn, last of all and once, inside
    `metasim.results.plots.style.styled`.
    """
    text = "".join(map(_seen, text))
    text = _legible(text)
    if text.startswith("_"):
        text = " " + text
    return text.replace("$", r"\$")


def _seen(letter: str) -> str:
    """A character, or how it is written if it is one of control."""
    control = not letter.isprintable() and not letter.isspace() and letter.isascii()
    return repr(letter)[1:-1] if control else letter


def _legible(text: str) -> str:
    """The text with what no font has replaced; takes fonts that are needed into the style."""
    if text.isascii():
        return text
    families = list(matplotlib.rcParams["font.family"])
    covered = frozenset().union(*(_letters(family) for family in families))
    missing = {letter for letter in text if letter.isprintable()} - covered
    for letter in sorted(missing):
        family = _family_with(letter)
        if family is None:
            text = text.replace(letter, _PLACEHOLDER)
        elif family not in families:
            families.append(family)
    matplotlib.rcParams["font.family"] = families
    if unknown := sorted(letter for letter in missing if _family_with(letter) is None):
        _say_missing("".join(unknown))
    return text


def family() -> list[str]:
    """Fonts for texts that exist already, in the order in which a letter is looked for."""
    return list(matplotlib.rcParams["font.family"])


def _say_missing(letters: str) -> None:
    shown = letters if len(letters) <= 12 else f"{letters[:12]} ..."
    warnings.warn(
        f"no installed font has the letters {shown} of a title or label; figures show "
        f"{_PLACEHOLDER} for them. Install a font that has them, such as one of Noto Sans",
        MetasimWarning,
        stacklevel=3,
    )


@cache
def _letters(name: str) -> frozenset[str]:
    """Characters of a font family, or of a generic one such as sans-serif."""
    path = font_manager.findfont(font_manager.FontProperties(family=[name]))
    return _of_file(path)


@cache
def _of_file(path: str) -> frozenset[str]:
    try:
        return frozenset(map(chr, font_manager.get_font(path).get_charmap()))
    except (OSError, RuntimeError):  # a font that cannot be read
        return frozenset()


@cache
def _family_with(letter: str) -> str | None:
    """An installed font family that has a character, sans-serif if there is one."""
    entries = sorted(
        font_manager.fontManager.ttflist,
        key=lambda e: ("sans" not in e.name.lower(), e.style != "normal", e.name, e.fname),
    )
    for entry in entries:
        if entry.name.lower().startswith(_BOXES):
            continue
        if letter in _of_file(entry.fname):
            return str(entry.name)
    return None
