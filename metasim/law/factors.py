"""The table of soil factors: what a factor is called, where it stands, and what answers it.

A factor is one row here. Everything else derives from the row: the keys `soil.ORGAN.NAME`,
`seed.TRAIT` and `seed.phenotypes.NAME.TRAIT` of a scenario with their descriptions, the weights
that `gates.GATE.weights` may hold, the odds of the gates (Equation 3.1), and with them `metasim
show`, `metasim schema`, sensitivity and both engines. docs/model/ says how to add one.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from metasim.terms import Gate


class Meeting(StrEnum):
    """How soil and seed meet in a factor; x is the factor, l and t are levels in [0, 1]."""

    PAIRS = "pairs"
    """x is the sum over ligand-receptor pairs of ligand * receptor (Equation 3.3)."""
    OPPOSED = "opposed"
    """A barrier of the soil that a trait overcomes: x = l (1 - t) (Equation 3.4)."""
    ANSWERED = "answered"
    """A stimulus of the soil that a trait answers: x = l t (Equation 3.5)."""


class Factor(NamedTuple):
    """A row of the table.

    Attributes:
        name: its name in `gates.GATE.weights`; of a level also the key `soil.ORGAN.NAME`.
        label: its name in running text.
        meeting: how soil and seed meet in it.
        sign: usual sign of its weights, by gate: +1 if it helps a cell past, -1 if it hinders.
        soil: what the level of the soil means; empty for pairs, whose levels are ligands.
        trait: key of the seed's answer, `seed.TRAIT`; empty for pairs, answered by receptors.
        answer: what the trait does.
        trait_default: level of the trait where none is given.
        gates: gates that may weigh it.

    Example:
        >>> niche = next(factor for factor in ms.FACTORS if factor.name == "niche")
        >>> niche.sign[ms.Gate.COLONIZATION]
        1
    """

    name: str
    label: str
    meeting: Meeting
    sign: dict[Gate, int]
    soil: str = ""
    trait: str = ""
    answer: str = ""
    trait_default: float = 0.0
    gates: tuple[Gate, ...] = tuple(Gate)


FACTORS: Final = (
    Factor(
        "chemotaxis", "chemotaxis", Meeting.PAIRS, {Gate.EXTRAVASATION: +1, Gate.COLONIZATION: +1}
    ),
    Factor("adhesion", "adhesion", Meeting.PAIRS, {Gate.ARREST: +1}),
    Factor(
        "basement_membrane",
        "basement membrane",
        Meeting.OPPOSED,
        {Gate.INVASION: -1, Gate.EXTRAVASATION: -1},
        "Basement membrane that proteolysis digests.",
        "proteolysis",
        "Digests basement membrane.",
    ),
    Factor(
        "endothelial_barrier",
        "endothelial barrier",
        Meeting.OPPOSED,
        {Gate.EXTRAVASATION: -1},
        "Tightness of the vessel wall (blood-brain barrier: 1).",
        "barrier_crossing",
        "Opens endothelial barriers such as the blood-brain barrier (COX2, HBEGF, ST6GALNAC5).",
    ),
    Factor(
        "hypoxia",
        "hypoxia",
        Meeting.OPPOSED,
        {Gate.INVASION: +1, Gate.COLONIZATION: -1},
        "Lack of oxygen.",
        "hypoxia_tolerance",
        "Tolerates lack of oxygen.",
    ),
    Factor(
        "oxidants",
        "oxidants",
        Meeting.OPPOSED,
        {Gate.EXTRAVASATION: -1, Gate.COLONIZATION: -1},
        "Oxidative stress on arriving cells.",
        "antioxidant_capacity",
        "Neutralises oxidants.",
    ),
    Factor(
        "immune_surveillance",
        "immune surveillance",
        Meeting.OPPOSED,
        {Gate.COLONIZATION: -1},
        "Immune cells that clear arriving cells.",
        "immune_evasion",
        "Escapes immune surveillance.",
    ),
    Factor(
        "niche",
        "niche (growth factors)",
        Meeting.ANSWERED,
        {Gate.COLONIZATION: +1},
        "Growth factors that help arriving cells to colonize.",
        "niche_response",
        "Response to the growth factors of the niche.",
        1.0,
    ),
)
"""All factors; their order is that of keys in a scenario."""


def weighable(gate: Gate | str) -> list[str]:
    """Names of the factors that a gate may weigh."""
    return [factor.name for factor in FACTORS if gate in factor.gates]
