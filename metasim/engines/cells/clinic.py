"""The clinical course of the cell engine's patient: what is seen, what is done, what kills."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from metasim.engines.cells.cascade import DORMANT, PLACES
from metasim.engines.cells.cell import CancerCell, Colony
from metasim.engines.cells.detecting import Detecting
from metasim.engines.cells.nodes import NodeCounts, count_nodes, take_nodes
from metasim.engines.cells.sampling import thin_marrow
from metasim.engines.record import DEATH_NONE, DEATH_OTHER, DEATH_TOTAL
from metasim.law.clinic import (
    completed,
    cycle_due,
    due_day,
    hazard_days,
    next_visit,
    other_death_day,
    progressed,
    stage_t,
)
from metasim.law.eligibility import Amounts, Classes, eligible
from metasim.terms import DAYS_PER_YEAR, Event, Stage, Tally


@dataclass
class Given:
    """A treatment that is under way."""

    start: float
    smallest: float
    """Smallest burden of the metastases seen since the start."""
    cycles: int = 0


class Clinic(Detecting):
    """Diagnosis, visits, treatment and death; `CascadeModel` adds the record.

    Attributes:
        waiting_for: treatments that have not begun, by number.
        given: those under way.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        course = self.course
        self.death_day = math.nan
        self.death_cause = DEATH_NONE
        self.staging = (math.nan, math.nan, math.nan)
        self.nodes = NodeCounts()
        self._next_visit = math.nan
        self.last_step = course.undiagnosed_steps if course.from_diagnosis else course.follow_steps
        self.waiting_for = [int(t) for t in np.flatnonzero(course.offered)]
        self.given: dict[int, Given] = {}
        self._felt: set[int] = set()
        hazard = course.other_death_per_day[0]
        growth = course.other_death_growth_per_day[0]
        self._other_death = math.inf
        if hazard > 0.0:
            self._other_death = other_death_day(self.rng.exponential(), hazard, growth)

    def _look(self) -> None:
        """Whether imaging sees metastases today: always, or on visits from diagnosis on."""
        every = self.course.follow_up_days[0]
        self.visit = every == 0.0 or self.day >= self._next_visit
        if every > 0.0 and self.visit:
            self._next_visit = next_visit(self.day, self.diagnosis_day, every)

    # what is seen

    def _diagnose(self, felt: bool) -> None:
        """The primary may be found; `felt`: symptoms of an organ lead to it."""
        course = self.course
        if not math.isnan(self.diagnosis_day) or not self._find_primary(felt):
            return
        self.diagnosis_day = self.day
        self.ledger.note(Event.DIAGNOSIS, course.primary_organ)
        if course.from_diagnosis:
            self.last_step = self.steps + course.follow_steps
        if course.follow_up_days[0] > 0.0:  # the first visit
            self.visit = True
            self._next_visit = next_visit(self.day, self.day, course.follow_up_days[0])
            self._image(course.restaging_cells if course.restaging else course.detection_cells)
        self.staging = self._stage(self.colonies[0].size)

    def _stage(self, size: int) -> tuple[float, float, float]:
        """T, N and M as numbers, see `metasim.law.clinic`."""
        course = self.course
        seen = any(course.distant[organ] for organ in self.ledger.seen)
        t = stage_t(size, course.t2_cells[0], course.t3_cells[0])
        self.nodes = count_nodes(self)
        return float(t), self.nodes.n, float(seen)

    def _image(self, visible_cells: Any) -> None:
        """Imaging of all organs sees metastases of these sizes (O,)."""
        for colony in self.alive:
            if colony.number > 0:
                self.ledger.reach(colony, colony.size, visible_cells[colony.organ])

    def _restage_patient(self, felt: bool) -> None:
        """Book a visit; diagnosis, a relapse found on it, or a symptom leads to imaging."""
        ledger = self.ledger
        if self.visit and self.day > self.diagnosis_day:
            ledger.note(Event.VISIT)
        if felt or self.day in (self.diagnosis_day, *ledger.seen.values()):
            ledger.note(Event.RESTAGING)
            self._image(self.course.restaging_cells)
            self.visit = True

    def _feel(self) -> bool:
        """Symptoms of organs whose burden has passed a threshold; whether there is a new one."""
        before = len(self._felt)
        burden = self._burden()
        for s, (organ, cells) in enumerate(
            zip(self.course.symptom_organ, self.course.symptom_cells, strict=True)
        ):
            if s not in self._felt and burden[organ] >= cells:
                self._felt.add(s)
                self.ledger.note(Event.SYMPTOM, int(organ), s)
        return len(self._felt) > before

    def _burden(self) -> Any:
        """(O,) cells in colonies."""
        burden = np.zeros(len(self.organs))
        for colony in self.alive:
            burden[colony.organ] += colony.size
        return burden

    # what is done

    def _treat(self) -> None:
        """Treatment that is due begins, acts, or ends; what it changes holds from now on."""
        plan, ledger = self.course.plan, self.ledger
        metastases = [c for c in self.alive if c.number > 0]
        burden = sum(c.size for c in metastases)
        seen = sum(c.size for c in metastases if not math.isnan(c.detected_day))
        lasting = list(self.given)
        for t in [t for t in self.waiting_for if self.day >= self._due(t)]:
            self.waiting_for.remove(t)
            if self._suits(t, burden):
                self.given[t] = Given(self.day, seen)
                if not plan.removes[t]:
                    ledger.note(Event.TREATMENT_START, int(plan.organ[t]), t)
        for t, it in sorted(self.given.items()):
            if t in lasting and plan.duration_days[t] > 0.0:
                acted = hazard_days(self.day, self.course.dt_days, it.start, plan.duration_days[t])
                self._thin(t, np.exp(-plan.hazard_per_day[t] * acted))
            it.smallest = min(it.smallest, seen)
            worse = progressed(self.day, it.start, seen, it.smallest)
            over = bool(plan.to_progression[t] and self.visit and worse)
            while not over and self._cycle_due(t, it):
                self._cycle(t, it)
            over = over or completed(
                self.day, it.start, plan.duration_days[t], it.cycles, plan.cycles[t]
            )
            if over:
                del self.given[t]
                if not plan.removes[t] and (plan.cycles[t] > 1 or plan.duration_days[t] > 0.0):
                    ledger.note(Event.TREATMENT_END, int(plan.organ[t]), t)
        self._close_colonies()
        regime = 0
        for t in self.given:
            regime |= int(plan.regime[t]) if self.course.responds[t] else 0
        if self.regimes[regime] is not self.law:
            self._obey(self.regimes[regime])

    def _cycle(self, t: int, it: Given) -> None:
        """The next cycle of a treatment that acts at once."""
        plan = self.course.plan
        it.cycles += 1
        if plan.removes[t]:
            self.ledger.note(Event.SURGERY, int(plan.organ[t]), t)
        elif it.cycles > 1:
            self.ledger.note(Event.CYCLE, int(plan.organ[t]), t)
        self._thin(t, plan.survival[t])
        take_nodes(self, t)

    def _cycle_due(self, t: int, it: Given) -> bool:
        """Whether its next cycle is due; all that fall into one step are given."""
        plan = self.course.plan
        return cycle_due(self.day, it.start, it.cycles, plan.cycles[t], plan.interval_days[t])

    def _due(self, t: int) -> float:
        """Day from which a treatment is due; NaN or infinite: not yet."""
        plan, seen = self.course.plan, self.ledger.seen
        trigger = int(plan.trigger[t])
        distant = [day for organ, day in seen.items() if self.course.distant[organ]]
        relapse_day = min(distant, default=math.nan)
        seen_day = seen.get(trigger, math.nan)
        return due_day(trigger, plan.delay_days[t], self.diagnosis_day, relapse_day, seen_day)

    def _suits(self, t: int, burden: int) -> bool:
        """Whether this patient gets a treatment that is due."""
        plan = self.course.plan
        age = self.course.age_years[0] + self.day / DAYS_PER_YEAR
        wanted = np.flatnonzero(plan.only_organs[t])
        nodes_positive = self.nodes.positive if self.nodes.positive >= 0 else math.nan
        amounts = Amounts(burden, age, nodes_positive, self.diameter_mm)
        classes = Classes(*self.staging, self.detection)
        return bool(
            eligible(amounts, classes, plan.only_if, t)
            and (len(wanted) == 0 or any(organ in self.ledger.seen for organ in wanted))
        )

    def _thin(self, t: int, survival: Any) -> None:
        """Each cell of a colony, and each unit on its way as a whole, survives or not."""
        plan = self.course.plan
        if not self.course.responds[t]:
            return
        for colony in self.alive:
            if self._in_sight(colony) or not plan.seen_only[t]:
                self.thin_colony(colony, survival)
        if plan.seen_only[t]:
            return
        if not plan.spares_dormant[t]:
            thin_marrow(self, survival)
        for place, by_organ in enumerate(self.waiting):
            if not (plan.spares_dormant[t] and place == DORMANT):
                for units in by_organ:
                    self.spare(units, PLACES[place].stage, survival)

    def thin_colony(self, colony: Colony, survival: Any) -> None:
        """Each cell of a colony survives or not, by the (O, K) survival of a treatment."""
        stage = colony.stage_at(colony.size)
        for cells in colony.cells:
            self.spare(cells, stage, survival)
        self._restage(colony, stage)

    def spare(self, cells: list[CancerCell], stage: Stage, survival: Any) -> None:
        """Take out those cells of an organ, or units as a whole, that do not survive."""
        if not cells:
            return
        stays = survival[cells[0].organ, [cell.phenotype for cell in cells]]
        for cell in self._take_out(cells, self.rng.random(len(cells)) >= stays):
            self.ledger.book(Tally.REMOVED, stage, cell.organ, cell.cells)

    def _in_sight(self, colony: Colony) -> bool:
        day = self.diagnosis_day if colony.number == 0 else colony.detected_day
        return not math.isnan(day)

    # what kills

    def _die(self) -> None:
        burden = self._burden()
        lethal = np.flatnonzero(burden >= self.course.lethal_cells)
        if len(lethal):
            self.death_cause = int(lethal[0])
        elif burden.sum() >= self.course.lethal_total_cells[0]:
            self.death_cause = DEATH_TOTAL
        elif self.day >= self._other_death:
            self.death_cause = DEATH_OTHER
        if self.death_cause != DEATH_NONE:
            self.death_day = self.day
            self.ledger.note(Event.DEATH, max(self.death_cause, -1))
