"""At what rate the cells of a colony divide."""

from metasim.engines.colonies.kernel import inlined
from metasim.law import growth

net_growth = inlined(growth.net_growth_of(inlined))
birth_rate = inlined(growth.birth_rate)


@inlined
def birth_of(law, organ, k, size, vascularised):
    """Division rate of phenotype k in a colony of so many cells, 1/day."""
    rates, here = law.rates, law.growth[organ, k]
    net = net_growth(
        rates.growth_law, float(size), here.rho, here.capacity, rates.power_exponent,
        vascularised, rates.avascular_cells,
    )  # fmt: skip
    return birth_rate(here.death, net)
