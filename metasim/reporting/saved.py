"""A saved scenario as rows: its values, and where each came from, as its comments say."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from metasim.scenario.origin import DEFAULT, STATUSES

_TABLE: Final = re.compile(r"\[+(.+?)\]+\s*$")
_VALUE: Final = re.compile(r"(?P<key>[^=]+?) = (?P<value>.*)  # (?P<said>.*)$")


class Value(NamedTuple):
    """One value of a saved scenario.

    Attributes:
        key: dotted key path; treatments without their number.
        value: as TOML.
        unit: its unit; empty: none.
        layer: file, catalogue entry or option that gave it, or "default".
        status: "measured", "derived", "calibrated", "assumed" or "user".
        source: key of a source, or a citation; empty: none.
    """

    key: str
    value: str
    unit: str
    layer: str
    status: str
    source: str

    @property
    def is_given(self) -> bool:
        """A scenario file or an option gave it, not the catalogue and no default."""
        return self.layer != DEFAULT and "catalogue " not in f"{self.layer} "


def values_of(toml: str) -> list[Value]:
    """The values of an explicit scenario with what its comments say of them."""
    out, table = [], ""
    for line in toml.splitlines():
        if head := _TABLE.fullmatch(line):
            table = head[1]
        elif found := _VALUE.fullmatch(line):
            said = found["said"].split("; ")
            place = next((i for i, word in enumerate(said) if word in STATUSES), None)
            if place is None or place == 0:
                continue
            key = f"{table}.{found['key']}" if table else found["key"]
            unit = said[0] if place > 1 else ""
            source = "; ".join(said[place + 1 :])
            out.append(Value(key, found["value"], unit, said[place - 1], said[place], source))
    return out


def by_status(values: Iterable[Value]) -> Mapping[str, int]:
    """How many values have which status, the best founded first."""
    counts = dict.fromkeys(STATUSES, 0)
    for one in values:
        counts[one.status] += 1
    return {status: number for status, number in counts.items() if number}
