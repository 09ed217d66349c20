"""From a scenario file to a `Scenario`: layers, values of the user's own, all mistakes at once.

The layers, later ones winning: every file of the `extends` chain from its root; before each
file's own keys the organ graph and then the seed subtype that it names; last, values given
beside the file (`--set`, `replace`).
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from metasim.errors import Mistake, OptionError, ScenarioError
from metasim.scenario import catalogue
from metasim.scenario.checks import check
from metasim.scenario.files import File, chain, read
from metasim.scenario.keys import leaves, nearest, shown
from metasim.scenario.layers import REMOVED, Layer, layer, merge
from metasim.scenario.messages import culprit, translate
from metasim.scenario.origin import Origin
from metasim.scenario.schema import Scenario


def load(source: str | Path, overrides: Mapping[str, object] | None = None) -> Scenario:
    """Read a scenario.

    Args:
        source: path of a TOML file, or the name of a shipped scenario ("luminal_a") or of a base
            scenario of the catalogue ("breast").
        overrides: key path -> value, as for `Scenario.replace`.

    Raises:
        ScenarioError: with all mistakes at once.
    """
    layers: list[Layer] = []
    for file in chain(source):
        layers += _layers_of(file)
    layers += _layers_of_changes("--set", overrides or {})
    return _build(str(source), layers)


def replace(scenario: Scenario, changes: Mapping[str, object]) -> Scenario:
    """`scenario` with other values; see `Scenario.replace`."""
    base = layer("", scenario.model_dump(exclude_none=True), "user")
    base.origins = scenario._origins
    return _build("replace", [base, *_layers_of_changes("replace", changes)])


def parse_override(text: str) -> tuple[str, object]:
    """Key path and value of a `KEY=VALUE` of the command line.

    The value is read as TOML; what is not TOML is taken as text: `engine=cells`.

    Raises:
        OptionError: there is no key or no `=`.
    """
    key, equals, value = text.partition("=")
    key = key.strip().replace('"', "").replace("'", "")
    if not equals or not key:
        raise OptionError(f'--set {text}: expected KEY=VALUE, such as "soil.bone.niche=0.9"')
    try:
        table = tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError):
        return key, value.strip()
    return key, table["value"] if table.keys() == {"value"} else value.strip()


def _layers_of(file: File) -> list[Layer]:
    table = {key: value for key, value in file.table.items() if key not in ("extends", "explicit")}
    own = layer(file.name, table, "assumed" if file.is_ours else "user")
    explicit = file.table.get("explicit", False)
    if explicit is not True and explicit is not False:
        own.mistakes.append(Mistake("explicit", f"must be true or false, not {shown(explicit)}"))
    if explicit is True:
        if "extends" in file.table:
            message = "an explicit file is complete, so it cannot extend another"
            own.mistakes.append(Mistake("extends", message))
        return [own]
    return [*_named_layers(own), own]


def _layers_of_changes(name: str, changes: Mapping[str, object]) -> list[Layer]:
    out = []
    for key, value in changes.items():
        table = _plain(value)
        head, _, rest = key.partition(".")
        for part in [rest] if head == "patients" and rest else reversed(rest.split(".")):
            table = {part: table} if rest else table
        own = layer(name, {head: table}, "user")
        out += [*_named_layers(own), own]
    return out


def _named_layers(own: Layer) -> list[Layer]:
    """The catalogue entries that a layer names, as layers below it."""
    out = []
    for path, kind, replaces in (
        (("organs",), "organs", ("soil", "vessels")),
        (("seed", "subtype"), "subtypes", ()),
    ):
        name = own.values.get(path)
        if not isinstance(name, str) or name == REMOVED:
            continue
        found = catalogue.path_of(kind, name)
        if found is None:
            known = catalogue.names(kind)
            message = f"the catalogue has no {kind} entry {shown(name)}"
            own.mistakes.append(Mistake(".".join(path), message, nearest(name, known)))
            continue
        file = read(found, f"catalogue {kind}/{name}")
        table = {key: value for key, value in file.table.items() if key != "title"}
        out.append(layer(file.name, table, "assumed", replaces))
    return out


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


def _build(source: str, layers: list[Layer]) -> Scenario:
    """Merge, validate and check; every mistake is found in one go."""
    mistakes = [(own.name, mistake) for own in layers for mistake in own.mistakes]
    tree, origins = merge(layers)
    scenario = _validated(tree, origins, mistakes)
    usable = layers
    for _ in range(3):  # past a bad value the rest can still be checked, with what it hides
        if scenario is not None:
            break
        usable = _without_bad_values(usable)
        tree, below = merge(usable)
        scenario = _validated(tree, below, [])
    if scenario is not None:
        known = {mistake.key for _, mistake in mistakes}
        found = [mistake for mistake in check(scenario) if mistake.key not in known]
        mistakes += [(_layer_of(mistake.key, origins), mistake) for mistake in found]
    if mistakes or scenario is None:
        leaf = layers[-1].name if layers else source
        raise ScenarioError(source, [_placed(m, name, source, leaf) for name, m in mistakes])
    scenario._origins = origins
    return scenario
