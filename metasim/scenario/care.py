"""Standard care: rules of the catalogue that come before a scenario's own treatments.

`care = "2020s"` names a list of treatments with conditions. Each of them carries the name of the
care it belongs to, so that another care can take their place while the scenario's own stay.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

from metasim.errors import Mistake
from metasim.scenario.fields import REMOVED
from metasim.scenario.keys import is_list_of_tables, join
from metasim.scenario.layers import Layer, put
from metasim.scenario.origin import Origin

_CARE, _LIST = ("care",), ("treatment",)


@dataclass
class _Item:
    """A treatment with the origins of its values, by their paths below it."""

    table: Any
    origins: dict[str, Origin] = field(default_factory=dict)

    @property
    def is_rule(self) -> bool:
        return isinstance(self.table, dict) and "care" in self.table


def mark_rules(entry: Layer, name: str) -> None:
    """Mark the treatments of a catalogue entry of standard care with its name."""
    listed: Any = entry.values.get(_LIST)
    for i, item in enumerate(listed if is_list_of_tables(listed) else []):
        if isinstance(item, dict):
            item["care"] = name
            entry.origins[f"treatment.{i}.care"] = Origin(entry.name, "assumed")


def place_care(layers: list[Layer]) -> None:
    """Put the rules of standard care before the treatments that layers list themselves.

    Afterwards every layer that lists treatments, or names another care, lists the whole plan;
    numbers in paths such as `treatment.0.start` count in the whole plan.
    """
    if not any(_CARE in own.values for own in layers):
        return
    plan: list[_Item] = []
    for own in layers:
        before = [item for item in plan if item.is_rule], [i for i in plan if not i.is_rule]
        rules, others = before
        listed = own.values.get(_LIST)
        if listed is not None:
            given = _items(own, listed)
            if any(item.is_rule for item in given) or own.is_whole:
                rules = [item for item in given if item.is_rule]
                others = others if not own.is_whole else [i for i in given if not i.is_rule]
            else:
                others = given
        if own.values.get(_CARE) == REMOVED:
            rules = []
        if (rules, others) != before or listed is not None:
            plan = [*rules, *others]
            _list(own, plan)
        _edit(own, plan)


def refuse_marks(own: Layer) -> None:
    """Note as mistakes the treatments of a user's layer that claim to be rules of a care."""
    listed: Any = own.values.get(_LIST)
    for i, item in enumerate(listed if is_list_of_tables(listed) else []):
        if isinstance(item, dict) and item.pop("care", None) is not None:
            message = "is set by metasim; give the care of the whole scenario"
            own.mistakes.append(Mistake(f"treatment.{i}.care", message, 'such as care = "2020s"'))


def _items(own: Layer, listed: Any) -> list[_Item]:
    if not isinstance(listed, list):
        return []
    items = [_Item(table) for table in listed]
    for path, origin in own.origins.items():
        head, _, rest = path.partition(".")
        number, _, below = rest.partition(".")
        if head == "treatment" and number.isdecimal() and int(number) < len(items):
            items[int(number)].origins[below] = origin
    return items


def _list(own: Layer, plan: list[_Item]) -> None:
    """Make a layer list this plan."""
    edits = {path: own.values[path] for path in own.values if path[:1] == _LIST and path[1:]}
    kept = {join(path) for path in edits}
    own.origins = {
        path: origin
        for path, origin in own.origins.items()
        if not path.startswith("treatment.") or path in kept
    }
    for i, item in enumerate(plan):
        own.origins |= {f"treatment.{i}.{below}": origin for below, origin in item.origins.items()}
    own.values = {_LIST: [copy.deepcopy(item.table) for item in plan] or REMOVED, **{
        path: value for path, value in own.values.items() if path != _LIST
    }}  # fmt: skip


def _edit(own: Layer, plan: list[_Item]) -> None:
    """Carry single values that a layer gives (`treatment.0.start`) over to the plan."""
    for path, value in own.values.items():
        if path[:1] != _LIST or not path[2:] or not isinstance(path[1], int):
            continue
        if path[1] < len(plan) and isinstance(plan[path[1]].table, dict):
            item = plan[path[1]] = copy.deepcopy(plan[path[1]])
            put(item.table, path[2:], value)
            below = join(path[2:])
            item.origins[below] = own.origins.get(join(path), Origin(own.name, "user"))
