"""Which keys a scenario has: those that are given, and those that count as 0 where they are not."""

from typing import Any

from metasim.law.factors import weighable
from metasim.scenario.keys import Path
from metasim.scenario.schema import Scenario


def names_below(scenario: Scenario, tree: Any, path: Path) -> list[str]:
    """Names of the keys below a path, those included whose value is 0 if not given.

    Args:
        scenario: what is asked.
        tree: the same as nested tables.
        path: of a table of it.
    """
    for part in path:
        tree = tree.get(part) if isinstance(tree, dict) else None
    names = [str(name) for name in tree] if isinstance(tree, dict) else []
    pairs = scenario.pairs.values()
    unsaid = {
        "weights": weighable(str(path[-2])) if len(path) > 1 else [],
        "ligands": [pair.ligand for pair in pairs],
        "receptors": [pair.receptor for pair in pairs],
        "becomes": list(scenario.seed.phenotypes),
    }
    return [*dict.fromkeys([*names, *unsaid.get(str(path[-1]) if path else "", [])])]


def becomes_itself(path: Path) -> bool:
    """Whether a key says how often a phenotype becomes itself, which none can have."""
    return path[:2] == ("seed", "phenotypes") and path[3:4] == ("becomes",) and path[2] == path[4]
