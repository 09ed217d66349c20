"""Precision on request: `--until "bone.share +- 0.5%"`.

The run goes on in rounds until the 95 % interval of the summary is as narrow as asked. Where a
round ends depends on the patients alone, not on workers or chunks, so that the run can be repeated
and resumed. Looking at the interval several times makes its coverage a little less than 95 %.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from metasim.errors import OptionError
from metasim.results.store import Results
from metasim.results.summary import summarise
from metasim.results.tally import ANY_DISTANT

FIRST_ROUND: Final = 1000
_MOST_PATIENTS: Final = 100_000_000
_QUANTITIES: Final = {
    "share": ["share_with", "share_low", "share_high"],
    "metastases": ["metastases_per_patient", "metastases_low", "metastases_high"],
}
_FORM: Final = re.compile(r"\s*(\w[\w-]*)\.(\w+)\s*(?:\+-|\+/-|±)\s*([0-9.eE+-]+)\s*(%?)\s*")


@dataclass(frozen=True)
class Precision:
    """Half the width that an interval may have.

    Attributes:
        text: as asked.
        organ: its key, or `any_distant`.
        quantity: "share" (of patients with metastases there) or "metastases" (per patient).
        half_width: in absolute terms; or, if `relative`, as a part of the estimate.
        relative: of metastases given in per cent.
    """

    text: str
    organ: str
    quantity: str
    half_width: float
    relative: bool

    def reached(self, found: Results) -> float:
        """Half width of the interval as a multiple of what is asked: at most 1 when reached.

        Args:
            found: the results so far; only their tally is used.
        """
        rows = summarise(found).set_index("organ")
        value, low, high = rows.loc[[self.organ], _QUANTITIES[self.quantity]].to_numpy()[0]
        wanted = self.half_width * value if self.relative else self.half_width
        return float((high - low) / 2 / wanted) if wanted > 0 else math.inf

    def next_round(self, patients: int, ratio: float) -> int:
        """How many patients the next round should end with.

        Raises:
            OptionError: that is more than a run may have.
        """
        needed = patients * ratio**2 * 1.05
        if needed > _MOST_PATIENTS:
            raise OptionError(
                f"--until {self.text!r}: after {patients:,} patients the interval is {ratio:.2g} "
                f"times as wide as asked; that would take more than {_MOST_PATIENTS:,} patients"
            )
        return math.ceil(min(needed, 8 * patients) / FIRST_ROUND) * FIRST_ROUND


def parse(text: str, scenario: Mapping[str, Any]) -> Precision:
    """What `--until` says.

    Args:
        text: ORGAN.share +- X% (percentage points), or ORGAN.metastases +- X or X% (of the mean).
        scenario: the explicit scenario as plain dicts; ORGAN is one of its organs or any_distant.

    Raises:
        OptionError: it cannot be read, or there is no such organ.
    """
    match = _FORM.fullmatch(text)
    if match is None or match[2] not in _QUANTITIES:
        raise OptionError(
            f"--until {text!r}: expected ORGAN.share or ORGAN.metastases, +- and a half width, "
            'such as "bone.share +- 0.5%"'
        )
    organ, quantity, number, percent = match.groups()
    names = ["any_distant", *scenario["soil"]]
    if organ not in names:
        raise OptionError(f"--until {text!r}: no organ {organ!r}; choose from {', '.join(names)}")
    try:
        half_width = float(number) / (100 if percent else 1)
    except ValueError:
        half_width = math.nan
    if not 0 < half_width < math.inf:
        raise OptionError(f"--until {text!r}: the half width has to be a number above 0")
    relative = bool(percent) and quantity == "metastases"
    if half_width >= 1 and (relative or quantity == "share"):
        raise OptionError(f"--until {text!r}: any number of patients would do; ask for less")
    key = ANY_DISTANT if organ == "any_distant" else organ
    return Precision(text, key, quantity, half_width, relative)
