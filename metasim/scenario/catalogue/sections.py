"""The sections of a catalogue: what its folders hold, and how a scenario names their entries."""

from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).resolve().parent
"""The catalogue that ships with metasim."""

_PACKAGE: Final = FOLDER.parents[1]
_BIOLOGY: Final = ("seed", "pairs", "gates", "rates", "circulation", "growth", "angiogenesis")


class Section(NamedTuple):
    """A section of the catalogue: a folder whose files are entries of one sort.

    Attributes:
        one: what an entry is called.
        named_by: the key of a scenario that names an entry; `*` stands for any name.
        at: the table of the scenario that an entry's values belong to; empty: the whole scenario.
        tables: tables that an entry may give, if its values belong to the whole scenario.
        replaces: tables that an entry replaces as a whole.
    """

    one: str
    named_by: tuple[str, ...]
    at: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()

    def is_named_by(self, path: tuple[str | int, ...]) -> bool:
        """Whether an entry is named at a key path."""
        pairs = zip(self.named_by, path, strict=False)
        return len(path) == len(self.named_by) and all(part in ("*", at) for part, at in pairs)


SECTIONS: Final[dict[str, Section]] = {
    "scenarios": Section("base scenario", ("extends",)),
    "organs": Section("organ graph", ("organs",), (), ("soil", "vessels", "patients"),
                      ("soil", "vessels")),
    "subtypes": Section("subtype", ("seed", "subtype"), (), (*_BIOLOGY, "patients")),
    "soils": Section("soil", ("soil", "*", "entry"), ("soil", "*")),
    "pairs": Section("pair", ("pairs", "*", "entry"), ("pairs", "*")),
    "care": Section("standard care", ("care",), (), ("treatment",)),
    "treatments": Section("treatment", ("treatment", "*", "kind"), ("treatment", "*")),
}  # fmt: skip
"""Folder of a catalogue -> what lies there."""

RUNNABLE: Final = "shipped"
"""The section of the scenarios that ship with metasim to be run; no other catalogue has one."""


def shipped_folder() -> Path:
    """Where the scenarios shipped with metasim lie: in the package, or beside it in a checkout."""
    packaged = _PACKAGE / "scenarios"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "scenarios"
