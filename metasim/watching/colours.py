"""One colour per stage, the same in the live table and in the movie."""

from metasim.terms import Stage

STAGE_COLOURS = {  # after Okabe and Ito, for all kinds of colour vision
    Stage.PRIMARY_GROWTH: "#7A7A7A",
    Stage.INVASION: "#E69F00",
    Stage.CIRCULATION: "#D55E00",
    Stage.ARREST: "#CC79A7",
    Stage.EXTRAVASATION: "#56B4E9",
    Stage.MICROMETASTASIS: "#009E73",
    Stage.MACROMETASTASIS: "#0072B2",
}
