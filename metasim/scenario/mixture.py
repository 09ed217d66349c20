"""Several subtypes in one scenario: what each brings, as one layer of values by subtype.

`[patients] "seed.subtype" = { choice = { values = [...] } }` names catalogue entries. A key of
which they all say the same becomes a plain value, or a distribution; one in which they differ
becomes a distribution by subtype, so that nothing behind the scenario needs the catalogue.
"""

from typing import Any, Final

from metasim.errors import Mistake
from metasim.scenario.fields import REMOVED
from metasim.scenario.keys import join, split
from metasim.scenario.layers import Layer
from metasim.scenario.origin import STATUSES, Origin

SUBTYPE: Final = "seed.subtype"
"""The key whose draw mixes subtypes."""


def names_drawn(distribution: object) -> list[str]:
    """Names of subtypes in a distribution as a file gives it; empty if it names none."""
    choice = distribution.get("choice") if isinstance(distribution, dict) else None
    values = choice.get("values") if isinstance(choice, dict) else None
    return [x for x in values if isinstance(x, str)] if isinstance(values, list) else []


def mixed(entries: dict[str, Layer]) -> Layer:
    """One layer of several subtypes' values.

    Beside a distribution by subtype stands the plain value of the first subtype that has one: it is
    what patients have of whose subtype nothing is said.

    Args:
        entries: name of a subtype -> the layer of its catalogue entry.
    """
    out = Layer("catalogue subtypes")
    given = {name: _by_key(own) for name, own in entries.items()}
    for key in dict.fromkeys(key for values in given.values() for key in values):
        has = {name: values[key] for name, values in given.items() if key in values}
        first = next(iter(has.values()))
        for own in entries.values():
            if (path := split(key)) in own.values:
                out.values.setdefault(path, own.values[path])
                out.origins.setdefault(key, own.origins[key])
        alike = all(value == first for value in has.values())
        if alike and not isinstance(first, dict):
            continue
        origins = [entries[name].origins.get(f"patients.{key}") or entries[name].origins[key]
                   for name in has]  # fmt: skip
        out.origins[f"patients.{key}"] = _origin(out.name, origins)
        out.values["patients", key] = first if alike else {"by_subtype": has}
        if not alike and not all(isinstance(x, dict | int | float) for x in has.values()):
            out.mistakes.append(Mistake(key, "differs between subtypes, but is not a number"))
    out.values[split(SUBTYPE)] = REMOVED  # there is no one subtype
    return out


def _by_key(own: Layer) -> dict[str, Any]:
    """Key path -> plain value or distribution; where there are both, the distribution."""
    plain = {join(path): v for path, v in own.values.items() if path[0] != "patients" and v != {}}
    drawn = {str(path[1]): v for path, v in own.values.items() if path[0] == "patients"}
    return plain | drawn


def _origin(layer: str, origins: list[Origin]) -> Origin:
    """One origin of several: the least certain status, all sources."""
    status = max((origin.status for origin in origins), key=STATUSES.index)
    sources = dict.fromkeys(origin.source for origin in origins if origin.source)
    notes = dict.fromkeys(origin.note for origin in origins if origin.note)
    return Origin(layer, status, "; ".join(sources), "; ".join(notes))
