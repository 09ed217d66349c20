"""From a targets file to targets, with all mistakes at once."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from metasim.checked import checked
from metasim.errors import Mistake, ScenarioError
from metasim.scenario.keys import closest, nearest, shown
from metasim.targets.quantities import QUANTITIES, Quantity
from metasim.targets.schema import Cohort, Fit, Free, Part, Target, TargetsFile
from metasim.targets.where import mistakes_in_where

SHIPPED: Final = ("calibration", "population", "seed_or_flow", "treatments")
"""Targets files of the package, by name."""


class TargetsError(ScenarioError):
    """A targets file that cannot be used, with all its mistakes at once."""


@dataclass(frozen=True)
class Targets:
    """Published figures, ready to be held against runs.

    Attributes:
        source: the file or name they came from.
        title: one line for reports.
        cohorts: the cohorts they speak of, by name.
        targets: the figures.
        fit: what may be fitted to them.
        folder: where scenario files that cohorts name are looked for first.
    """

    source: str
    title: str
    cohorts: Mapping[str, Cohort]
    targets: tuple[Target, ...]
    fit: Fit = field(default_factory=Fit)
    folder: Path | None = None

    def unit(self, target: Target) -> str:
        """Unit of a target's quantity."""
        return QUANTITIES[target.quantity].unit


@checked()
def read_targets(source: str | Path) -> Targets:
    """Read a targets file: TOML, CSV, or the name of a shipped one.

    Args:
        source: path of a `.toml` or `.csv` file, or one of `SHIPPED`.

    Raises:
        TargetsError: with all mistakes at once.

    Example:
        >>> targets = ms.read_targets("calibration")
        >>> targets.source
        'calibration'
    """
    path = Path(source)
    if path.suffix == ".csv":
        from metasim.targets.importing import table_of

        return parse_targets(table_of(path), str(source), path.parent)
    if not path.exists() and str(source) in SHIPPED:
        text = (files("metasim.targets") / "data" / f"{source}.toml").read_text(encoding="utf-8")
        return parse_targets(tomllib.loads(text), str(source))
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        hint = nearest(str(source), SHIPPED) or f"shipped are {', '.join(SHIPPED)}"
        raise TargetsError(str(source), [Mistake("", "there is no such targets file", hint)]) from (
            None
        )
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TargetsError(str(source), [Mistake("", f"is not TOML: {error}")]) from None
    return parse_targets(table, str(source), path.parent)


def parse_targets(
    table: Mapping[str, Any], source: str = "targets", folder: Path | None = None
) -> Targets:
    """Targets of a table as TOML gives it.

    Raises:
        TargetsError: with all mistakes at once.
    """
    try:
        file = TargetsFile.model_validate(dict(table))
    except ValidationError as error:
        by_key = {m.key: m for m in _schema_mistakes(error, table)}
        raise TargetsError(source, list(by_key.values())) from None
    if mistakes := list(_mistakes(file)):
        raise TargetsError(source, mistakes)
    return Targets(source, file.title, file.cohorts, tuple(file.targets), file.fit, folder)


def _schema_mistakes(error: ValidationError, table: Mapping[str, Any]) -> Iterator[Mistake]:
    """Pydantic's errors in plain words."""
    for item in error.errors(include_url=False):
        loc = _existing(table, item["loc"])
        key, name = ".".join(map(str, loc)), str(loc[-1]) if loc else ""
        known = list(_model_at(loc[:-1]).model_fields)
        if item["type"] == "missing":
            yield Mistake(".".join(map(str, item["loc"])), "is required and not given")
        elif item["type"] == "extra_forbidden":
            yield Mistake(key, "there is no such key", nearest(name, known))
        else:
            wanted = item["msg"].removeprefix("Input should be ").replace("a valid ", "a ")
            value = item["input"]
            choices = str(item.get("ctx", {}).get("expected", "")).replace("'", "").split(" or ")
            hint = closest(value, choices) if isinstance(value, str) else None
            said = f'did you mean "{hint}"?' if hint else ""
            yield Mistake(key, f"must be {wanted}, not {shown(value)}", said)


def _existing(tree: Any, loc: tuple[Any, ...]) -> tuple[Any, ...]:
    """The part of an error's location that is a path of the file."""
    path: tuple[Any, ...] = ()
    for part in loc:
        inside = (isinstance(tree, dict) and part in tree) or (
            isinstance(tree, list) and isinstance(part, int)
        )
        if not inside:
            break
        path, tree = (*path, part), tree[part]
    return path


def _model_at(loc: tuple[Any, ...]) -> type[Part]:
    models: dict[Any, type[Part]] = {"cohorts": Cohort, "targets": Target}
    models["fit"] = Free if len(loc) > 2 else Fit
    return models.get(loc[0], TargetsFile) if loc else TargetsFile


def _mistakes(file: TargetsFile) -> Iterator[Mistake]:
    """What is wrong with more than one value."""
    if not file.targets:
        yield Mistake("targets", "there is none: a file needs at least one [[targets]]")
    for name, cohort in file.cohorts.items():
        yield from mistakes_in_where(cohort.where, f"cohorts.{name}.where")
    seen: set[str] = set()
    for target in file.targets:
        at = f"targets.{target.id}"
        if target.id in seen:
            yield Mistake(f"{at}.id", "is given twice")
        seen.add(target.id)
        if target.cohort not in file.cohorts:
            message = f"there is no cohort {shown(target.cohort)}, so no scenario simulates it"
            yield Mistake(f"{at}.cohort", message, nearest(target.cohort, file.cohorts))
        yield from mistakes_in_where(target.where, f"{at}.where")
        quantity = QUANTITIES.get(target.quantity)
        if quantity is None:
            message = f"there is no quantity {shown(target.quantity)}"
            hint = nearest(target.quantity, QUANTITIES) or f"known: {', '.join(QUANTITIES)}"
            yield Mistake(f"{at}.quantity", message, hint)
            continue
        yield from _parameter_mistakes(target, quantity, at)
        yield from _versus_mistakes(target, quantity, file, at)
        yield from _number_mistakes(target, quantity, at)
    for name in file.fit.sizes.keys() - file.cohorts.keys():
        yield Mistake(f"fit.sizes.{name}", "there is no such cohort", nearest(name, file.cohorts))
    for key, free in file.fit.free.items():
        yield from prior_mistakes(free, f"fit.free.{key}")
        yield from _ratio_mistakes(file.fit.free, key)


def _parameter_mistakes(target: Target, quantity: Quantity, at: str) -> Iterator[Mistake]:
    try:
        quantity.parameters.model_validate(target.of)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            name = str(item["loc"][0])
            key = f"{at}.of.{name}"
            known = list(quantity.parameters.model_fields)
            if item["type"] == "extra_forbidden":
                hint = nearest(name, known) or "it has no parameters"
                yield Mistake(key, f"{target.quantity} has no such parameter", hint)
            elif item["type"] == "missing":
                yield Mistake(key, f"is required by {target.quantity} and not given")
            else:
                wanted = item["msg"].removeprefix("Input should be ").replace("a valid ", "a ")
                yield Mistake(key, f"must be {wanted}, not {shown(item['input'])}")


def _versus_mistakes(
    target: Target, quantity: Quantity, file: TargetsFile, at: str
) -> Iterator[Mistake]:
    if quantity.is_ratio and target.versus is None:
        message = "is required: the group (a table like `where`) or cohort that the ratio is to"
        yield Mistake(f"{at}.versus", message)
    elif not quantity.is_ratio and target.versus is not None:
        yield Mistake(f"{at}.versus", f"{target.quantity} is no ratio, so there is no versus")
    elif isinstance(target.versus, str) and target.versus not in file.cohorts:
        message = f"there is no cohort {shown(target.versus)}"
        yield Mistake(f"{at}.versus", message, nearest(target.versus, file.cohorts))
    elif isinstance(target.versus, dict):
        yield from mistakes_in_where(target.versus, f"{at}.versus")


def _number_mistakes(target: Target, quantity: Quantity, at: str) -> Iterator[Mistake]:
    value, low, high = target.value, target.low, target.high
    if (low is None) != (high is None):
        yield Mistake(f"{at}.low", "low and high are given together or not at all")
    elif low is not None and high is not None and not low <= value <= high:
        message = f"the interval {low:g} to {high:g} does not hold the value {value:g}"
        yield Mistake(f"{at}.low", message)
    if quantity.unit == "%":
        for name, number in (("value", value), ("low", low), ("high", high)):
            if number is not None and not 0 <= number <= 100:
                yield Mistake(f"{at}.{name}", f"a percentage is from 0 to 100, not {number:g}")
        if target.events is not None and target.total is not None and target.events > target.total:
            message = f"{target.events:g} events are more than the total of {target.total:g}"
            yield Mistake(f"{at}.events", message)
    elif quantity.positive and value < 0:
        yield Mistake(f"{at}.value", f"{target.quantity} is never below 0, not {value:g}")


def _ratio_mistakes(free: Mapping[str, Free], key: str) -> Iterator[Mistake]:
    """A ratio to what is not free, or in a circle to itself."""
    at, place = key, f"fit.free.{key}.ratio_to"
    for _ in range(len(free)):
        to = free[at].ratio_to
        if to is None:
            return
        if to not in free:
            if at == key:
                yield Mistake(place, f"{to} is not free", nearest(to, free))
            return
        at = to
    yield Mistake(place, "leads back to itself", "give one of these keys a prior of its own")


def prior_mistakes(free: Free, at: str) -> Iterator[Mistake]:
    """What is wrong with a prior in itself."""
    if not free.low < free.high:
        yield Mistake(f"{at}.low", f"low ({free.low:g}) must be below high ({free.high:g})")
    elif free.scale == "log" and free.low <= 0:
        yield Mistake(f"{at}.low", f"on a log scale low must be above 0, not {free.low:g}")
    if (free.centre is None) != (free.sd is None):
        yield Mistake(f"{at}.centre", "centre and sd are given together or not at all")
    elif free.centre is not None and not free.low <= free.centre <= free.high:
        yield Mistake(f"{at}.centre", f"{free.centre:g} does not lie between low and high")
