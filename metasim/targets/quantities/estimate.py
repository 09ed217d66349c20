"""An estimate with its interval, and the estimators that several quantities share."""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike

from metasim.results.statistics import wilson_interval, z

_WIDTHS: Final = 2 * z(0.95)


@dataclass(frozen=True)
class Estimate:
    """What a run says of a figure.

    Attributes:
        value: the estimate; nan if it cannot be told.
        low: lower end of its 95 % interval, by the number of virtual patients.
        high: upper end; inf if it is not reached.
        patients: whom it rests on.
    """

    value: float
    low: float
    high: float
    patients: int

    @property
    def standard_error(self) -> float:
        """Half the width of the interval over 1.96; nan if that has an end only."""
        width = self.high - self.low
        return width / _WIDTHS if np.isfinite(width) else np.nan

    @classmethod
    def unknown(cls, patients: int = 0) -> Self:
        """It cannot be told."""
        return cls(np.nan, np.nan, np.nan, patients)

    @classmethod
    def percent(cls, having: float, size: int) -> Self:
        """A share of patients, with Wilson's interval; unknown without patients."""
        if not size:
            return cls.unknown()
        low, high = wilson_interval(having, size)
        return cls(100 * having / size, 100 * float(low), 100 * float(high), size)

    @classmethod
    def mean(cls, values: ArrayLike) -> Self:
        """A mean, with its normal interval; unknown of fewer than two values."""
        x = np.asarray(values, float)
        if len(x) < 2:
            return cls.unknown(len(x))
        half = z(0.95) * float(x.std(ddof=1)) / np.sqrt(len(x))
        return cls(float(x.mean()), float(x.mean() - half), float(x.mean() + half), len(x))

    @classmethod
    def quantile(cls, values: ArrayLike, share: float) -> Self:
        """A quantile, with the interval that its order statistics give (binomial, normal)."""
        x = np.sort(np.asarray(values, float))
        if not len(x):
            return cls.unknown()
        half = z(0.95) * np.sqrt(share * (1 - share) / len(x))
        ends = np.clip([share - half, share, share + half], 0, 1)
        low, middle, high = (float(value) for value in np.quantile(x, ends))
        return cls(middle, low, high, len(x))

    @classmethod
    def around(cls, value: float, error: float, patients: int) -> Self:
        """From a standard error."""
        half = z(0.95) * error
        return cls(value, value - half, value + half, patients)


def known(*columns: Any) -> Any:
    """The rows in which no column is missing, as float arrays."""
    arrays = [np.asarray(column, float) for column in columns]
    good = np.all([np.isfinite(array) for array in arrays], axis=0)
    return [array[good] for array in arrays]
