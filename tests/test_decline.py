"""A colony in decline (birth 0.1, death 0.11 per day) against the closed forms, in both engines."""

import numpy as np
import pytest

from metasim.engines import cells, colonies
from metasim.law import closed_forms
from metasim.parameters.course import course_of
from metasim.parameters.rates import law_of
from tests import twin
from tests.significance import caught, holds, mean_p, share_p

BIRTH, DEATH, DAYS, INITIAL = 0.1, 0.11, 40.0, 12


def sizes(engine, death, patients):
    """Cells of the primary at the end, one per patient."""
    asked = twin.scenario(
        run={"years": DAYS / 365.25, "dt_days": 2.0, "record_every_days": DAYS},
        rates={"invasion_per_day": 0.0},
        growth={"law": "exponential", "rho_per_day": 0.0, "turnover_per_day": death},
        primary={"initial_cells": INITIAL},
    )
    law = law_of(asked)
    law = law._replace(rho=law.rho + (BIRTH - death))
    streams = [[np.random.default_rng((seed, i)) for i in range(2)] for seed in range(patients)]
    found = twin.records_of(engine, law, course_of(asked), streams, False)
    return np.array([record.cells[0, 0] for record in found])


@pytest.mark.parametrize(("engine", "patients"), [(colonies, 3000), (cells, 250)])
def test_extinction_and_mean(engine, patients):
    mean = closed_forms.growth_mean(INITIAL, BIRTH, DEATH, DAYS)
    sd = closed_forms.growth_variance(INITIAL, BIRTH, DEATH, DAYS) ** 0.5
    gone = closed_forms.extinction(BIRTH, DEATH, DAYS) ** INITIAL

    def p_values(death):
        found = sizes(engine, death, patients)
        return mean_p(found.astype(float), mean, sd), share_p((found == 0).sum(), patients, gone)

    assert all(holds(p) for p in p_values(DEATH))
    assert any(caught(p) for p in p_values(DEATH + 0.02))  # planted fault
