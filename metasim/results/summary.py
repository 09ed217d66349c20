"""The table the project is for: how often, how many, how soon, organ by organ."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from metasim.checked import checked
from metasim.errors import OptionError
from metasim.results.statistics import mean_interval, weighted_quantiles, wilson_interval
from metasim.results.store import Results
from metasim.results.tables import TABLES_AT
from metasim.results.tally import ANY_DISTANT, CLASSES
from metasim.terminal.table import FittingTable
from metasim.terms import DAYS_PER_MONTH

if TYPE_CHECKING:
    import pandas as pd

Counted = Literal["auto", "detected", "macro", "micro", "founded"]

PLURALS: Final = {
    "founded": "metastases of any size (ever founded)",
    "micro": "micrometastases and larger ones",
    "macro": "macrometastases",
    "detected": "metastases seen by imaging",
}
_ENOUGH_SHARE: Final = 0.01
COUNTS: Final = (
    "share_with",
    "share_low",
    "share_high",
    "metastases_per_patient",
    "metastases_low",
    "metastases_high",
)
_NUMBERS: Final = (*COUNTS, "first_median_months", "first_q1_months", "first_q3_months")


@checked()
def summarise(results: Results, counted: Counted = "auto") -> "pd.DataFrame":
    """Metastases organ by organ.

    Shares carry Wilson's interval; means per patient the Poisson interval widened by the observed
    dispersion; of patients with draws of a posterior, both hold the uncertainty of the parameters
    too, if metastases were recorded. Times are median and quartiles over the patients with at
    least one. Patients count from diagnosis if the scenario follows them from there (those never
    diagnosed are left out), else from day 0.

    Args:
        results: a finished run, of any recording level.
        counted: which metastases: that were ever founded, or ever reached a class. "auto" takes
            the highest class that at least 1 % of the patients reached in some organ.

    Returns:
        A row per organ, local metastases (in the primary's organ) last, then one over all distant
        organs. Columns: organ, label, site, share_with, share_low, share_high,
        metastases_per_patient, metastases_low, metastases_high, first_median_months,
        first_q1_months, first_q3_months, counted. `attrs` holds counted, since ("diagnosis" or
        "start"), patients (counted), left_out (never diagnosed), failed, never_given (the
        treatments that no patient got), and draws (of a posterior that intervals hold; 0: none).

    Raises:
        OptionError: `counted` is none of the classes.

    Example:
        >>> results = ms.run(ms.load("luminal_a", {"run.patients": 20}))
        >>> ms.summarise(results, "founded").attrs["patients"] <= 20
        True
    """
    import pandas as pd

    if counted not in ("auto", *CLASSES):
        raise OptionError(f"counted = {counted!r}; choose from auto, {', '.join(CLASSES)}")
    tally = results.tally.to_pandas()
    chosen = _highest_class(tally) if counted == "auto" else counted
    run = results.description
    draws, left = _left_by_draws(results, chosen)
    rows = []
    for organ in [*(organ.key for organ in run.local_last), ANY_DISTANT]:
        part = tally[(tally["organ"] == organ) & (tally["counted"] == chosen)]
        label = organ if organ == ANY_DISTANT else results.label(organ)
        rows.append(
            {
                "organ": organ,
                "label": label,
                "site": "distant" if organ == ANY_DISTANT else run.by_key[organ].site,
                **_row(part, *left.get(organ, (1.0, 1.0))),
                "counted": chosen,
            }
        )
    frame = pd.DataFrame(rows)
    patients = int(part["patients"].sum())
    asked = results.provenance.get("patients", run.patients)
    failed = results.provenance.get("rows", {}).get("failures", 0)
    frame.attrs = {
        "counted": chosen,
        "since": run.follow_from,
        "patients": patients,
        "left_out": asked - failed - patients,
        "failed": failed,
        "never_given": never_given(results),
        "draws": draws,
    }
    return frame


def _left_by_draws(results: Results, counted: str) -> tuple[int, dict[str, tuple[float, float]]]:
    """Number of draws; organ -> what is left of the patients, for shares and for numbers."""
    from metasim.results.posterior import draws_of, numbers_of, share_left

    draw = draws_of(results)
    if draw is None:
        return 0, {}
    left = {
        str(organ): (share_left(np.minimum(values, 1), draw), share_left(values, draw))
        for organ, values in numbers_of(results, counted).items()
    }
    return draw.nunique(), left


def render(summary: "pd.DataFrame") -> FittingTable:
    """The summary as a table for the terminal, saying what is counted and since when."""
    about = summary.attrs
    since = "diagnosis" if about["since"] == "diagnosis" else "the start"
    title = f"{about['patients']:,} patients: {PLURALS[about['counted']]}"
    if about["left_out"]:
        title += f"\n{about['left_out']:,} never diagnosed are left out"
    if about["failed"]:
        title += f"\n{about['failed']:,} failed and are left out (failures.parquet says why)"
    if about.get("draws"):
        title += f"\nintervals hold the uncertainty of {about['draws']:,} draws of the parameters"
    for name in about["never_given"]:
        title += f"\n{said_never_given(name)}"
    table = FittingTable(
        title,
        ("organ", "patients with ≥1", "metastases\nper patient", "first\n(months)"),
        f"first: median (quartiles), months since {since};\nothers: 95 % intervals",
    )
    last_organ = len(summary) - 2
    for number, row in enumerate(summary.to_dict("records")):
        label = row["label"] + (" (local)" if row["site"] == "primary" else "")
        share = mean = "-"
        if about["patients"]:
            low, high = _percent(row["share_low"]), _percent(row["share_high"])
            share = f"{_percent(row['share_with'])} % ({low}-{high})"
            mean = _mean(row)
        table.add_row(label, share, mean, _months(row), end_section=number == last_organ)
    return table


def never_given(results: Results) -> list[str]:
    """Treatments of the plan that no patient got, by name; empty if events are not recorded.

    Rules of standard care are left out: many are for other patients than a scenario has.
    """
    names = [t.name for t in results.description.treatments if t.care is None]
    if not names or "events" not in TABLES_AT[results.record]:
        return []
    given = set(results.arrow("events").to_table(columns=["treatment"])["treatment"].to_pylist())
    return [name for name in names if name not in given]


def said_never_given(treatment: str) -> str:
    """What to say of one of those."""
    return f"treatment {treatment}: never given to any patient"


def _highest_class(tally: "pd.DataFrame") -> str:
    reached = tally[tally["metastases"] > 0].groupby(["counted", "organ"])["patients"].sum()
    patients = tally.groupby(["counted", "organ"])["patients"].sum()
    shares = (reached / patients).groupby(level="counted").max()
    enough = shares.index[shares >= _ENOUGH_SHARE]
    return next((name for name in reversed(CLASSES) if name in enough), "founded")


def _row(part: "pd.DataFrame", of_shares: float, of_numbers: float) -> dict[str, float]:
    """Numbers of an organ.

    Args:
        part: its rows of the tally.
        of_shares: what is left of the patients for the interval of the share.
        of_numbers: the same for the metastases per patient.
    """
    number, weight = part["metastases"].to_numpy(), part["patients"].to_numpy()
    n, having = weight.sum(), weight[number > 0].sum()
    if not n:  # nobody was diagnosed
        return dict.fromkeys(_NUMBERS, np.nan)
    total, squares = (number * weight).sum(), (number.astype(float) ** 2 * weight).sum()
    first = part["first_day"].to_numpy()[number > 0] / DAYS_PER_MONTH
    values = [
        having / n,
        *wilson_interval(of_shares * having, of_shares * n),
        total / n,
        *mean_interval(of_numbers * total, of_numbers * squares, of_numbers * n),
        *weighted_quantiles(first, weight[number > 0], [0.5, 0.25, 0.75]),
    ]
    return dict(zip(_NUMBERS, map(float, values), strict=True))


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def short(value: float) -> str:
    """A positive number with about two digits."""
    digits = 0 if value >= 10 else 1 if value >= 1 else 2
    return f"{value:,.{digits}f}" if value >= 0.1 else f"{value:.2g}"


def _mean(row: Mapping[Any, Any]) -> str:
    """Mean and interval, all to the decimals that the mean asks for."""
    mean = row["metastases_per_patient"] or row["metastases_high"]
    digits = 0 if mean >= 10 else 1 if mean >= 1 else 2 if mean >= 0.1 else 3
    form = f",.{digits}f" if mean >= 0.001 else ".0e"
    value, low, high = (
        f"{row[f'metastases_{name}']:{form}}" for name in ("per_patient", "low", "high")
    )
    return f"{value} ({low}-{high})"


def _months(row: Mapping[Any, Any]) -> str:
    if np.isnan(row["first_median_months"]):
        return "-"
    return "{first_median_months:.0f} ({first_q1_months:.0f}-{first_q3_months:.0f})".format(**row)
