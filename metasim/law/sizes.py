"""Sizes of tumours: diameters as numbers of cells."""

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", float, NDArray[np.float64])

STAGE_MM = (20.0, 50.0)
"""Diameters above which a primary is T2 and T3 (AJCC)."""


def sphere_cells(diameter_mm: Number, cells_per_cm3: Number) -> Number:
    """Cells of a spherical tumour of a diameter in mm (Equation 8.1, cells of a diameter)."""
    return math.pi / 6.0 * (diameter_mm / 10.0) ** 3 * cells_per_cm3


def sphere_mm(cells: Number, cells_per_cm3: Number) -> Number:
    """Diameter in mm of a spherical tumour of so many cells: Equation 8.1 solved for it."""
    diameter: Number = 10.0 * (6.0 / math.pi * cells / cells_per_cm3) ** (1.0 / 3.0)
    return diameter
