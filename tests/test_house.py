"""Functions that can be read: not too long, not too many arguments (docs/architecture.md)."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_LINES, MOST_ARGUMENTS = 60, 10


def body_lines(function):
    """Lines of a function's body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def positional(function):
    given = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    return len(given) - (given[:1] in (["self"], ["cls"]))


def too_much(source, name):
    """Functions of a file that are too long or take too much, and how much."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines, arguments = body_lines(node), positional(node)
            if lines > MOST_LINES or arguments > MOST_ARGUMENTS:
                found[f"{name}:{node.name}"] = (lines, arguments)
    return found


def exceptions():
    """Functions that the architecture page excuses, with the reasons."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `(metasim/[^`]+)` \| (.+?) \|$", page, re.M)
    assert all(len(reason.split()) > 3 for _, reason in rows)
    return {name for name, _ in rows}


def test_functions_are_short_and_take_few_arguments():
    found = {}
    for path in sorted((ROOT / "metasim").rglob("*.py")):
        found |= too_much(path.read_text(), path.relative_to(ROOT).as_posix())
    excused = exceptions()
    assert set(found) - excused == set(), found
    assert excused - set(found) == set()  # no excuse outlives what it excuses


def test_what_is_too_much_is_seen():
    lines = "\n".join(f"    x = {i}" for i in range(61))
    assert too_much(f'def long():\n    """A docstring."""\n{lines}\n', "f") == {"f:long": (61, 0)}
    short = lines.rsplit("\n", 1)[0]
    assert not too_much(f'def short():\n    """A\n\n    docstring."""\n{short}\n', "f")
    assert too_much(f"def wide({', '.join('abcdefghijk')}): pass", "f") == {"f:wide": (1, 11)}
    assert not too_much(f"def wide(self, {', '.join('abcdefghij')}, *, z): pass", "f")
