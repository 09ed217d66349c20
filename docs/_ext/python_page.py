"""The Python reference: a page for each public name, from its docstring, with its example."""

import inspect
import tomllib
from pathlib import Path

import metasim
from metasim.results import outcomes, plots

EXAMPLES = Path(__file__).with_name("examples.toml")
SPACES = {"metasim": metasim, "metasim.plots": plots, "metasim.outcomes": outcomes}


def public() -> dict[str, object]:
    """Dotted public name -> object."""
    out: dict[str, object] = {}
    for space, module in SPACES.items():
        listed = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if inspect.isfunction(value)
            and value.__module__ == module.__name__
            and not name.startswith("_")
        ]
        for name in listed:
            value = getattr(module, name)
            if not name.startswith("_") and not inspect.ismodule(value):
                out[f"{space}.{name}"] = value
    return out


def examples() -> dict[str, str]:
    """Dotted public name -> lines that use it, where its docstring has no example of its own.

    The tests run them one after the other.
    """
    return tomllib.loads(EXAMPLES.read_text("utf-8"))


def pages() -> dict[str, str]:
    """File name -> page, and the index of them."""
    names, code = public(), examples()
    out = {f"{name}.md": _page(name, value, code.get(name, "")) for name, value in names.items()}
    index = (
        "# Python reference\n\nEvery public name. Numbers are plain numbers: their units stand in the\n"
        "names (`_per_day`, `_days`, `_cells`, `_fraction`, `_prob`) or in the description.\n"
        "The examples follow on from `import metasim as ms`.\n\n"
    )
    for space in SPACES:
        inside = [name for name in names if name.rpartition(".")[0] == space]
        lines = "".join(f"- [`{n}`]({n}.md): {_first(names[n])}\n"
                        for n in inside)  # fmt: skip
        index += f"## {space}\n\n{lines}\n"
    listing = "\n".join(names)
    out["index.md"] = index + f"```{{toctree}}\n:hidden:\n\n{listing}\n```\n"
    return out


def _first(value: object) -> str:
    if not (inspect.isclass(value) or callable(value)):
        return "Data."
    return (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")


def _page(name: str, value: object, example: str) -> str:
    if inspect.isclass(value):
        directive, options = "autoclass", "   :members:\n" if _plain(value) else ""
    elif callable(value):
        directive, options = "autofunction", ""
    else:
        directive, options = "autodata", "   :no-value:\n"
    home = getattr(value, "__module__", None)
    real = getattr(value, "__qualname__", None)
    target = f"{home}.{real}" if home and real and directive != "autodata" else _home(name)
    shown = f"## Example\n\n```python\n{example.strip()}\n```\n" if example else ""
    return f"# {name}\n\n```{{eval-rst}}\n.. {directive}:: {target}\n{options}```\n\n{shown}"


def _plain(value: type) -> bool:
    return not issubclass(value, BaseException) and not hasattr(value, "model_fields")


def _home(name: str) -> str:
    space, _, last = name.rpartition(".")
    if last in ("FIGURES", "REGISTRY"):  # documented where they are defined
        return f"metasim.results.plots.registry.{last}"
    return f"{SPACES[space].__name__}.{last}"
