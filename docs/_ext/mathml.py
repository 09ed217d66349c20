"""Formulas as MathML, which browsers draw themselves: no script and no network."""

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

_SIZED = re.compile(r"\\[bB]igg?[lr]?\s*(\\[A-Za-z]+|\\[{}])")
"""A size before a bracket that is a command: the converter would print its name."""


def _mathml(text: str, **options: str) -> str:
    """MathML of a formula.

    Raises:
        ValueError: the formula has a command that the converter does not know.
    """
    formula = convert(_SIZED.sub(r"\1", text), **options)
    if unknown := re.search(r"\\[A-Za-z{}]+", formula):
        raise ValueError(f"{unknown[0]} of the formula {text} is not known")
    return re.sub(r"<mi>(&#x0230[89AB];)</mi>", r"<mo>\1</mo>", formula)  # floors and ceilings


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(_mathml(node.astext()))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    number = f'<span class="eqno">({node["number"]})</span>' if node.get("number") else ""
    name = f' id="{node["ids"][0]}"' if node["ids"] else ""
    formula = _mathml(node.astext(), display="block")
    translator.body.append(f'<div class="math-block"{name}>{formula}{number}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.config["html_math_renderer"] = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
