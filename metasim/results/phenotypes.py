"""What the metastases are made of: shares of phenotypes, and of resistant cells.

Tables count cells by phenotype in columns `cells_PHENOTYPE` where there are several phenotypes.
"""

from typing import TYPE_CHECKING

from metasim.errors import ResultsError
from metasim.results.outcomes import followed_patients
from metasim.results.store import Results
from metasim.terms import DAYS_PER_YEAR

if TYPE_CHECKING:
    import pandas as pd

_PREFIX = "cells_"


def phenotype_names(results: Results, table: str = "metastases") -> list[str]:
    """Phenotypes by which a table counts cells; empty if it does not."""
    columns = results.arrow(table).schema.names
    return [name.removeprefix(_PREFIX) for name in columns if name.startswith(_PREFIX)]


def drugs_resisted(results: Results) -> dict[str, list[str]]:
    """Phenotypes that resist drugs, at least in part, and which."""
    phenotypes = results.description.phenotypes
    return {one.name: list(one.resists) for one in phenotypes if one.resists}


def metastasis_composition(results: Results) -> "pd.DataFrame":
    """Phenotypes of each metastasis that has cells on the patient's last day.

    Returns:
        A row per such metastasis: patient, metastasis, organ, cells, a column per phenotype and
        `resistant`, as shares of its cells.

    Raises:
        ResultsError: the run has a single phenotype, or its metastases were not recorded.
    """
    table, names = results.metastases, _several(results, "metastases")
    table = table[table["cells"] > 0].reset_index(drop=True)
    return _shares(results, table, names, ["patient", "metastasis", "organ", "cells"])


def composition_over_time(results: Results) -> "pd.DataFrame":
    """Phenotypes of the tumour cells outside the primary's organ, over time.

    Returns:
        A row per patient and recorded day on which there are such cells: patient, years (since
        the patient's origin), cells, a column per phenotype and `resistant`, as shares of them.

    Raises:
        ResultsError: the run has a single phenotype, or did not record cells by phenotype and
            day.
    """
    names = _several(results, "counts")
    table = results.counts
    table = table[~table["organ"].isin(results.description.keys_at("primary"))]
    columns = ["cells", *(_PREFIX + name for name in names)]
    table = table.groupby(["patient", "day"], as_index=False)[columns].sum()
    origin = table["patient"].map(followed_patients(results)["origin"])
    table = table.assign(years=(table["day"] - origin) / DAYS_PER_YEAR)
    table = table[(table["cells"] > 0) & (table["years"] >= 0)].reset_index(drop=True)
    return _shares(results, table, names, ["patient", "years", "cells"])


def _several(results: Results, table: str) -> list[str]:
    names = phenotype_names(results, table)
    if not names:
        raise ResultsError(
            f"the table {table!r} does not count cells by phenotype (columns {_PREFIX}NAME): "
            "the scenario has a single one, or this version did not record it"
        )
    return names


def _shares(
    results: Results, table: "pd.DataFrame", names: list[str], keys: list[str]
) -> "pd.DataFrame":
    shares = table[[_PREFIX + name for name in names]].div(table["cells"], axis=0)
    shares.columns = names
    resistant = shares[[n for n in drugs_resisted(results) if n in names]].sum(axis=1)
    return table[keys].join(shares).assign(resistant=resistant)
