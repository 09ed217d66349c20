"""From a scenario file to a `Scenario`: layers, values of the user's own, all mistakes at once.

The layers, later ones winning: every file of the `extends` chain from its root; before each
file's own keys the entries of the catalogue that it names (organ graph, subtype, soils, pairs,
standard care); last, values given beside the file (`--set`, `replace`).
"""

import copy
import dataclasses
import pathlib
from collections.abc import Mapping
from itertools import takewhile
from typing import Any, NamedTuple

from pydantic import BaseModel

from metasim.checked import checked
from metasim.errors import MOST_MISTAKES, Mistake, OptionError, ScenarioError
from metasim.scenario.care import place_care, refuse_marks
from metasim.scenario.catalogue import BESIDE, Catalogue, around
from metasim.scenario.checks import check, check_names
from metasim.scenario.correlations import NAME
from metasim.scenario.distributions import parted
from metasim.scenario.entries import complete_treatments, named_layers
from metasim.scenario.fields import REMOVED
from metasim.scenario.files import File, chain
from metasim.scenario.keys import Path, few_hints, find, is_list_of_tables, join, shown, split
from metasim.scenario.layers import (
    Layer,
    layer,
    merge,
    place_in_distributions,
    place_in_lists,
)
from metasim.scenario.messages import validate
from metasim.scenario.origin import Origin
from metasim.scenario.posterior import draws_layers
from metasim.scenario.schema import Scenario
from metasim.scenario.shares import take_shares
from metasim.scenario.sources import mistakes_of_sources
from metasim.scenario.table import PLACE, read_table
from metasim.scenario.text import MOST_DEPTH, excess, parse_value

_MOST_ROUNDS = 20  # of taking bad values out
_STAND_INS = {
    "kind": "unnamed", "start": 0.0, "cycles": 2, "residual_fraction": 1.0, "log_kill": 1.0,
    "dose_gray": 1.0, "hazard_per_day": 1.0,
}  # fmt: skip
"""What stands for a wrong value of a treatment while the rest is checked: without an effect, say,
the treatment would be called one that does nothing."""


class Given(NamedTuple):
    """A value given beside the file, by something else than `--set`.

    Attributes:
        value: the value.
        by: what gave it, such as "--patients"; messages and origins name it.
    """

    value: object
    by: str


@checked()
def load(source: str | pathlib.Path, overrides: Mapping[str, object] | None = None) -> Scenario:
    """Read a scenario.

    Args:
        source: path of a TOML file, or the name of a shipped scenario ("luminal_a") or of a base
            scenario of the catalogue ("breast").
        overrides: key path -> value (or `Given`), as for `Scenario.replace`.

    Raises:
        ScenarioError: with all mistakes at once.

    Example:
        >>> few = ms.load("luminal_a", {"run.patients": 20})
        >>> few.run.patients, few.soil["bone"].label
        (20, 'Bone')
    """
    files = chain(source)
    catalogue = _also_here(files[-1].catalogue)
    layers = [own for file in files for own in _layers_of(file)]
    layers += _layers_of_changes("--set", overrides or {}, catalogue)
    if files[-1].table.get("explicit") is not True:
        layers += [Layer(name, mistakes=found) for name, found in mistakes_of_sources(catalogue)]
    return _build(str(source), files[-1].name, layers, catalogue)


def replace(scenario: Scenario, changes: Mapping[str, object]) -> Scenario:
    """`scenario` with other values; see `Scenario.replace`."""
    base = layer("", _plain(scenario), "user")
    base.origins = dict(scenario._origins)
    base.is_whole = True
    catalogue = _also_here(scenario._catalogue)
    layers = [base, *_layers_of_changes("replace", changes, catalogue)]
    return _build("replace", "replace", layers, catalogue)


def _also_here(catalogue: Catalogue) -> Catalogue:
    """The catalogue of values given beside a file: the file's, and that of the folder one is in."""
    beside = [place.folder for place in catalogue.near if not place.everywhere]
    return around(*beside, pathlib.Path(BESIDE))


def parse_override(text: str) -> tuple[str, object]:
    """Key path and value of a `KEY=VALUE` of the command line.

    The value is read as TOML; what is not TOML is taken as text: `engine=cells`.

    Raises:
        OptionError: there is no key or no `=`.
    """
    key, equals, value = text.partition("=")
    key = key.strip().replace('"', "").replace("'", "")
    if not equals or not key:
        said = f'--set {text[:200]}: expected KEY=VALUE, such as "soil.bone.niche=0.9"'
        raise OptionError(said)
    found = find(split(key))
    is_text = found is not None and found.type is str
    return key, parse_value(value, is_text=is_text)


def _layers_of(file: File) -> list[Layer]:
    table = {key: value for key, value in file.table.items() if key not in ("extends", "explicit")}
    explicit = file.table.get("explicit", False)
    status = "saved" if explicit is True else "assumed" if file.is_ours else "user"
    own = layer(file.name, table, status)
    own.mistakes += _misplaced(table)
    if explicit is not True and explicit is not False:
        own.mistakes.append(Mistake("explicit", f"must be true or false, not {shown(explicit)}"))
    if explicit is True:
        if "extends" in file.table:
            message = "an explicit file is complete, so it cannot extend another"
            own.mistakes.append(Mistake("extends", message))
        own.is_whole = True
        return [own, *_patients_layers(own, file.path.parent)]
    complete_treatments(own, file.catalogue)
    refuse_marks(own)
    named = named_layers(own, file.catalogue)
    return [*named, own, *_patients_layers(own, file.path.parent)]


def _layers_of_changes(
    name: str, changes: Mapping[str, object], catalogue: Catalogue
) -> list[Layer]:
    out = []
    for key, value in changes.items():
        given = value if isinstance(value, Given) else Given(value, name)
        wrong = _excess(key, given.value)
        if wrong is not None:
            out.append(Layer(given.by, mistakes=[wrong]))
            continue
        table = _plain(given.value)
        head, _, rest = key.partition(".")
        if wrong_place := _misplaced({head: table}):
            out.append(Layer(given.by, mistakes=wrong_place))
            continue
        for part in [rest] if head == "patients" and rest else reversed(rest.split(".")):
            table = {part: table} if rest else table
        own = layer(given.by, {head: table}, "user")
        _into_distributions(own)
        complete_treatments(own, catalogue)
        refuse_marks(own)
        out += [*named_layers(own, catalogue), own, *_patients_layers(own, pathlib.Path())]
    return out


def _into_distributions(own: Layer) -> None:
    """Put parameters of distributions (`patients.KEY.lognormal.sigma`) where they belong."""
    for path in [path for path in own.values if path[0] == "patients" and len(path) == 2]:
        key, way = parted(str(path[1]))
        if way:
            own.values["patients", key, *way] = own.values.pop(path)
            own.origins[f"patients.{key}"] = own.origins.pop(join(path))


def _misplaced(table: Mapping[str, object]) -> list[Mistake]:
    """Correlations beside `patients` instead of within."""
    hint = "did you mean patients.correlation?"
    return [Mistake(NAME, "there is no such key", hint)] if NAME in table else []


def _excess(key: object, value: object) -> Mistake | None:
    """What of a change is beyond the bounds of a scenario's text."""
    if not isinstance(key, str):
        return Mistake(shown(key), "is no key path; give it as text")
    if key.count(".") > MOST_DEPTH:
        return Mistake(key, "there is no such key")
    wrong = excess({key.replace(".", " ")[:20]: value} if len(key) <= 200 else {key: value})
    if wrong is None:
        return None
    return dataclasses.replace(wrong, key=key if len(key) <= 200 else key[:40])


def _patients_layers(own: Layer, folder: pathlib.Path) -> list[Layer]:
    """The table of patients and the posterior that a layer names, as layers above it."""
    return [*_table_layers(own, folder), *draws_layers(own, folder)]


def _table_layers(own: Layer, folder: pathlib.Path) -> list[Layer]:
    """The table of patients that a layer names, as a layer above it.

    Args:
        own: the layer; the name is taken from it.
        folder: that of the file, from which a relative path leads on.
    """
    name = own.values.pop(PLACE, None)
    if name is None:
        return []
    if not isinstance(name, str):
        own.mistakes.append(
            Mistake(".".join(PLACE), f"takes the path of a file, not {shown(name)}")
        )
        return []
    columns, mistakes = read_table(folder / name)
    tree: dict[str, Any] = {"patients": {k: {"each": {"values": v}} for k, v in columns.items()}}
    if columns and ("run", "patients") not in own.values:
        tree["run"] = {"patients": len(next(iter(columns.values())))}
    for key in columns:
        if ("patients", key) in own.values:
            place = f"patients.{key}"
            own.mistakes.append(Mistake(place, f"is also a column of {name}; give it once"))
    out = layer(name, tree, "user")
    out.mistakes += mistakes
    return [out]


def _plain(value: object) -> Any:
    """A Python value as TOML would give it."""
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(exclude_none=True))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None:
        return REMOVED
    return value.item() if hasattr(value, "item") else value  # a number of numpy's


def _build(source: str, leaf: str, layers: list[Layer], catalogue: Catalogue) -> Scenario:
    """Merge, validate and check; every mistake is found in one go.

    Args:
        source: what errors name as their place.
        leaf: the layer that `source` stands for; mistakes of other layers say whose they are.
        layers: root first.
        catalogue: where names that a value may hold are looked for.
    """
    with few_hints(2 * MOST_MISTAKES):
        return _built(source, leaf, layers, catalogue)


def _built(source: str, leaf: str, layers: list[Layer], catalogue: Catalogue) -> Scenario:
    place_care(layers)
    place_in_lists(layers)
    place_in_distributions(layers)
    mistakes = [(own.name, mistake) for own in layers for mistake in own.mistakes]
    tree, origins = merge(layers)
    scenario, wrong = validate(tree)
    mistakes += [(_layer_of(layers, path), mistake) for path, mistake in wrong]
    usable = layers
    for _ in range(_MOST_ROUNDS):  # without the bad values, the rest can still be checked
        if scenario is not None or not wrong:
            break
        usable = _without(usable, [path for path, _ in wrong])
        before = wrong
        scenario, wrong = validate(merge(usable)[0])
        if wrong == before:
            break
    if scenario is not None:
        known = {mistake.key for _, mistake in mistakes}
        taken = take_shares(scenario, origins)
        scenario, scenario._origins = taken.scenario, taken.origins
        found = [*taken.mistakes, *check(scenario, catalogue)]
        found += [m for m in check_names(scenario, catalogue) if not _is_saved(origins, m.key)]
        found = [mistake for mistake in found if mistake.key not in known]
        mistakes += [(_layer_of(layers, split(mistake.key)), mistake) for mistake in found]
        origins = taken.origins
    if mistakes or scenario is None:
        raise ScenarioError(source, [
            mistake if name in ("", leaf) else dataclasses.replace(mistake, place=name)
            for name, mistake in mistakes
        ])  # fmt: skip
    scenario._origins, scenario._catalogue = origins, catalogue
    return scenario


def _is_saved(origins: dict[str, Origin], key: str) -> bool:
    """Whether a value, or the list that it is of, is a saved run's: its names were known then."""
    origin = origins.get(key) or origins.get(key.rpartition(".")[0])
    return origin is not None and origin.status == "saved"


def _layer_of(layers: list[Layer], path: Path) -> str:
    """Who says the last of a path: a layer, or the entry that completed it; empty: nobody does."""
    own = next((own for own in reversed(layers) if own.sets(path)), None)
    if own is None:
        return ""
    origin = own.origins.get(join(path)) if path[:1] == ("treatment",) else None
    return origin.layer if origin is not None and own.name else own.name


def _without(layers: list[Layer], paths: list[Path]) -> list[Layer]:
    """The layers without the values at those paths, each taken from the last that gives it."""
    out = [dataclasses.replace(own, values=dict(own.values)) for own in layers]
    for path in paths:
        for own in reversed(out):
            if found := own.sets(path):
                for key in found:
                    below = path[len(key) :]
                    if below[1:] and is_list_of_tables(own.values[key]):
                        own.values[key] = _mended(own.values[key], below)
                    else:
                        del own.values[key]
                break
    return out


def _mended(items: list[Any], path: Path) -> list[Any]:
    """A list of treatments without the value at a path, or with one that stands in for it.

    Of a list within a treatment, all goes.
    """
    items = copy.deepcopy(items)
    table: Any = items[int(path[0])]
    *above, name = takewhile(lambda part: isinstance(part, str), path[1:])
    for part in above:
        table = table.get(part, {})
    table.pop(name, None)
    if above == ["change"]:
        table[name] = 1.0
    elif not above and name in _STAND_INS:
        table[name] = _STAND_INS[name]
    return items
