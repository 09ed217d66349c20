"""The command line, from the commands themselves."""

from typing import Any

import typer
from as_markdown import code, table

from metasim.cli import app

INTRODUCTION = """# Command line

`metasim COMMAND --help` says the same in a terminal; `python -m metasim COMMAND` is the same program.

| exit code | meaning |
|---|---|
| 0 | the command did what was asked |
| 1 | `validate --require` was not met |
| 2 | the input is wrong; a message names the key and what is allowed |
| 3 | the run is finished, but some patients failed and were left out |
| 4 | the work is done and kept, but a table or figure could not be shown; a message says which |
| 130 | Ctrl-C |

"""


def page() -> str:
    """The whole page: a section for each command."""
    group: Any = typer.main.get_command(app)
    out = INTRODUCTION
    for name, command in sorted(group.commands.items()):
        if not command.hidden:
            out += f"## {name}\n\n{_text(command.help)}\n\n" + _usage(name, command)
    return out


def _text(text: str | None) -> str:
    return (text or "").replace("\b", "").replace("\f", "")


def _usage(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    words = [p.metavar or p.name.upper() for p in arguments]
    words = [w if p.required else f"[{w}]" for w, p in zip(words, arguments, strict=True)]
    usage = " ".join(["metasim", name, *words, "[OPTIONS]"])
    rows = [(code(p.metavar or p.name.upper()), _text(p.help), "") for p in arguments]
    rows += [(_names(p), _text(p.help), _default(p)) for p in options]
    return f"```text\n{usage}\n```\n\n" + table(("", "meaning", "default"), rows)


def _names(option: Any) -> str:
    kind = "" if option.is_flag else f" {option.metavar or option.name.upper()}"
    return ", ".join(code(name + kind) for name in [*option.opts, *option.secondary_opts])


def _default(option: Any) -> str:
    value = option.default
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return code(value) if plain else ""
