"""Words for a terminal of any kind: every width, every encoding, and text that is only text."""

from metasim.terminal.console import console, say, tell
from metasim.terminal.streams import Guard, guarded, hold_descriptors
from metasim.terminal.text import cells, encodable, fold, pad, plain

__all__ = [
    "Guard",
    "cells",
    "console",
    "encodable",
    "fold",
    "guarded",
    "hold_descriptors",
    "pad",
    "plain",
    "say",
    "tell",
]
