"""Where a patient stands while it is simulated: rows with named columns, and room for them.

The colonies, events and recorded days of all patients of a chunk are written one behind the other
(`metasim.engines.record.ChunkRecord`); what this module holds is used anew by every patient.
"""

from typing import NamedTuple

import numpy as np

from metasim.engines.record import ChunkRecord, Rows
from metasim.law.arrays import Array, Flags, Ints
from metasim.terms import Stage, Tally

_WHOLE, _REAL, _FLAG = np.int64, np.float64, np.bool_

# how a patient, or a step of its colonies, came out
OK, TOO_MANY_COLONIES, TOO_MANY_CELLS, STOPPED = range(4)
NO_ROOM, NO_ROOM_FOR_EVENTS, NO_ROOM_FOR_DAYS = range(4, 7)  # to be drawn again with more of it
MOST_CELLS = 1e15  # of one colony; int64 holds 9e18

NONE = np.int64(-1)  # no organ, no treatment
# where a unit is; also the first index of the pools of doomed units. numpy's integers: for each
# literal that is handed to it, a function would be compiled anew
INVADED, ARRESTED, ACTIVE, DORMANT, COLONIZING = np.arange(5)
# rows of the tallies: stage number - 1
PRIMARY, INVASION, CIRCULATION, ARREST, EXTRAVASATION, MICRO, MACRO = (int(s) - 1 for s in Stage)
STAGES = (INVASION, ARREST, EXTRAVASATION, EXTRAVASATION)  # of the places
CELLS, ENTERED, LEFT, DIED, REMOVED, NET_GROWTH = (int(tally) for tally in Tally)
WAITING, ON, OVER = 0, 1, 2  # a treatment

NOW = np.dtype(
    [
        ("status", _WHOLE),  # OK, or why the patient cannot go on
        ("step", _WHOLE),
        ("last_step", _WHOLE),
        ("day", _REAL),
        ("over", _FLAG),  # this was the last step
        ("visit", _FLAG),  # imaging sees metastases today
        ("relapses", _FLAG),  # today the first metastasis was seen in some organ
        ("news", _FLAG),  # something was seen today that a treatment may wait for
        ("kills", _FLAG),  # a treatment kills today
        ("watched", _FLAG),  # a treatment must be asked for on every day
        ("n_colonies", _WHOLE),
        ("n_alive", _WHOLE),  # colonies
        ("n_units", _WHOLE),
        ("n_moved", _WHOLE),  # units that were on their way when the step began
        ("n_colonizing", _WHOLE),  # units that found a colony in this step
        ("next_due", _REAL),  # step before which no unit leaves its place
        ("other_law", _FLAG),  # the law has changed since the step before
        ("n_departed", _WHOLE),
        ("n_events", _WHOLE),
        ("n_recorded", _WHOLE),
        ("regime", _WHOLE),  # bits of the changing treatments that are active
        ("gap_destined", _REAL),  # exponential variate left until the next unit leaves
        ("gap_doomed", _REAL),
        ("next_visit_day", _REAL),
        ("screening_day", _REAL),
        ("missed_day", _REAL),  # last screening visit that missed the primary
        ("symptom_clock", _REAL),  # hazard of symptoms of the primary that is left to go through
        ("primary_before", _REAL),  # cells of the primary when the step began
        ("other_death_day", _REAL),
        ("diagnosis_day", _REAL),
        ("relapse_day", _REAL),  # first distant metastasis seen
        ("ask_again_day", _REAL),  # when treatment is to be asked for, if nothing new is seen
        ("death_day", _REAL),
        ("death_cause", _WHOLE),
        ("stage_t", _REAL),
        ("stage_n", _REAL),
        ("stage_m", _REAL),
        ("diameter_mm", _REAL),  # of the primary at diagnosis
        ("detection", _REAL),
        ("lead_time_days", _REAL),
        ("nodes_positive", _WHOLE),  # at diagnosis; -1: not yet
        ("nodes_micro", _WHOLE),
        ("nodes_itc", _WHOLE),
        ("burden", _REAL),  # cells of all colonies
    ],
    align=True,
)
UNIT = np.dtype(
    [
        ("place", _WHOLE),
        ("organ", _WHOLE),
        ("phenotype", _WHOLE),
        ("cluster", _WHOLE),  # its class; 0: a single cell
        ("parent", _WHOLE),
        ("route", _WHOLE),
        ("clock", _REAL),  # hazard that it had to go through, before it leaves its place, on
        ("since_step", _WHOLE),  # this step
        ("per_step", _REAL),  # hazard that it goes through in a step
        ("due", _REAL),  # so it leaves on the first step that is not before this
    ]
)
"""A destined unit on its way."""

DEPARTED = np.dtype(
    [
        ("organ", _WHOLE),
        ("phenotype", _WHOLE),
        ("cluster", _WHOLE),
        ("parent", _WHOLE),
        ("units", _WHOLE),
    ]
)
"""Destined units of a kind that left a colony in this step."""

POOL = np.dtype([("units", _WHOLE), ("turned", _WHOLE), ("landed", _WHOLE)])
"""Doomed units at a place; besides, in this step: those that turned doomed as they left it, and
those that come to it."""

SITE = np.dtype(
    [
        ("burden", _REAL),  # cells in colonies
        ("seen_day", _REAL),  # of the first metastasis seen in it
        ("nodes_taken", _WHOLE),  # the first of the chain
        ("taken_from", _WHOLE),  # nodes above this number, up to the next, are taken today
        ("taken_to", _WHOLE),
        ("nodes_day", _REAL),  # on which the burden of its nodes was added up
    ]
)
"""An organ."""

KIND = np.dtype(
    [
        ("birth", _REAL),
        ("arrived", _WHOLE),
        ("forecast", _REAL),
        ("asleep", _REAL),
        ("inflow", _REAL),
    ]
)
"""A phenotype of the colony at hand: birth rate, cells that changed to it in this step. And cells
of the primary as it would grow on; dormant cells of the marrow, and those that cross into it per
day, on average."""

SURVIVAL = np.dtype([("awake", _REAL), ("asleep", _REAL), ("seen", _REAL), ("beyond", _REAL)])
"""What survives treatment on this day. Besides, `seen` counts in colonies that were seen, `beyond`
for units on their way: those that are bound beyond the nodes taken."""

TREATED = np.dtype(
    [
        ("status", _WHOLE),
        ("cycles", _WHOLE),  # given
        ("start_day", _REAL),
        ("smallest_cells", _REAL),  # smallest burden seen since the start
    ]
)


class Room(NamedTuple):
    """Where a patient's state stands; n rows for colonies and for units."""

    now: Rows  # (1,) NOW
    colonies: Rows  # (n,) COLONY, a part of those of the chunk
    cells: Ints  # (n, K), as `colonies`
    alive: Ints  # (n,) rows of the living colonies
    units: Rows  # (n,) UNIT
    departed: Rows  # (n,) DEPARTED
    leaving: Ints  # (O, K, C, 7) doomed units that left, by the stage of their colony
    pools: Rows  # (4, O, K, C) POOL
    tally: Ints  # (7, O, 6) of the days since the last recorded one
    sites: Rows  # (O,) SITE
    nodes: Array  # (O, most nodes) of each node, its burden or its largest deposit
    kinds: Rows  # (K,) KIND
    survival: Rows  # (O, K) SURVIVAL
    treated: Rows  # (T,) TREATED
    felt: Flags  # (S,) symptoms
    events: Rows  # (E,) EVENT, a part of those of the chunk, as what follows
    recorded_days: Array  # (R,)
    metastases: Rows  # (R, O) CLASSES
    organ_cells: Ints  # (R, O, K)
    tallies: Ints  # (R, 7, O, 6)


def room_for(
    out: ChunkRecord, rows: int, classes: int, treatments: int, symptoms: int, nodes: int
) -> Room:
    """Room for a patient of a chunk.

    Args:
        out: what the chunk's patients are written to.
        rows: room for so many units, and living colonies.
        classes: number of cluster classes C.
        treatments: number of treatments T.
        symptoms: number of symptoms S.
        nodes: most lymph nodes of an organ.
    """
    _, organs, kinds = out.organ_cells.shape
    return Room(
        now=np.zeros(1, NOW),
        colonies=out.colonies,
        cells=out.cells,
        alive=np.empty(rows, _WHOLE),
        units=np.empty(rows, UNIT),
        departed=np.empty(rows, DEPARTED),
        leaving=np.zeros((organs, kinds, classes, len(Stage)), _WHOLE),
        pools=np.zeros((4, organs, kinds, classes), POOL),
        tally=np.zeros((len(Stage), organs, len(Tally)), _WHOLE),
        sites=np.zeros(organs, SITE),
        nodes=np.zeros((organs, nodes)),
        kinds=np.zeros(kinds, KIND),
        survival=np.zeros((organs, kinds), SURVIVAL),
        treated=np.zeros(treatments, TREATED),
        felt=np.zeros(symptoms, _FLAG),
        events=out.events,
        recorded_days=out.recorded_days,
        metastases=out.metastases,
        organ_cells=out.organ_cells,
        tallies=out.tallies,
    )
