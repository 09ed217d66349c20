"""The cell engine: every cell (or circulating cluster) is a Mesa agent.

The slow, readable twin of `metasim.engines.colonies`: the same arrays, the same step law, drawn
cell by cell. `cell` says what a cell does at each stage, `cascade` in which order, `model` adds the
clinic and the record, `ledger` keeps the books. Importing this package imports mesa.
"""

from metasim.engines.cells.cell import CancerCell, Colony
from metasim.engines.cells.model import CascadeModel, simulate

__all__ = ["CancerCell", "CascadeModel", "Colony", "simulate"]
