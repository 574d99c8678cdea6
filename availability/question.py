"""One problem on its masks: which starts are bookable, for the whole window where masks settle it, else day by day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from availability.accepted import Accepted
from availability.bits import Minutes, members, span, without
from availability.board import Board
from availability.commitments import groups_of
from availability.coupled import Day
from availability.gates import Gates
from availability.masks import Masks
from availability.model import EFFORT
from availability.plan import Plan, plan_of_visits
from availability.problem import SlotProblem
from availability.seating import Seating, Served, seat_all


class Question:
    """What is asked, and everything that does not depend on the day."""

    def __init__(self, problem: SlotProblem, masks: Masks, effort: float = EFFORT) -> None:
        self.problem = problem
        self.masks = masks
        self.effort = effort
        self.plan = plan_of_visits(problem.visits, problem.arrangement, problem.same_roles)
        self.gates = Gates(masks, problem)
        self.accepted = Accepted(masks, problem, effort)
        self.left_out: list[str] = []
        """What could not be decided, in words."""

    @property
    def warnings(self) -> list[str]:
        """Commitments that find no place, and whatever is left out."""
        return [*self.accepted.warnings, *self.left_out]

    def seating(self) -> Seating:
        """Starts in the window as far as the kernel can tell, commitments left out of account."""
        board = Board(self.masks, self.problem.now, 0, self.masks.calendar.size)
        return seat_all(board, self.plan, self.gates.starts, self.gates)

    def served(self) -> Served:
        """Every bookable start, on the masks' minutes, with the first choice as listed."""
        seating = self.seating()
        if not self.accepted.movables and not seating.unsettled:
            return seating.served()
        starts, choices = [], []
        for part in self.days(seating.starts | seating.unsettled):
            bookable = part.day.bookable(self.plan, part.starts)
            self.warn_undecided(part)
            for start, choice in sorted(part.day.first_choices(self.plan, bookable).items()):
                starts.append(part.day.board.begin + start)
                choices.append(choice)
        return Served(starts, range(len(starts)), choices)

    def days(self, possible: Minutes, *besides: Plan) -> Iterator[DayOfStarts]:
        """The local dates on which there are possible starts, each with the commitments that matter there.

        `besides`: other plans that will be asked about on the same dates.
        """
        calendar = self.masks.calendar
        plans = [self.plan, *besides]
        groups = frozenset[str]().union(*(groups_of(plan, self.masks) for plan in plans))
        while possible:
            on = calendar.date_at((possible & -possible).bit_length() - 1)
            midnight, next_midnight = calendar.day(on)
            starts = possible & span(midnight, next_midnight)
            possible = without(possible, starts)
            begin = midnight - max(plan.before for plan in plans)
            end = next_midnight + max(plan.reach for plan in plans)
            movables = self.accepted.touching(groups, begin, end)
            if any(each.id in self.accepted.undecided for each in movables):
                self.left_out.append(f"starts on {on} are left out: a commitment there could not be decided in time")
                continue
            board = self.accepted.board_for(movables, begin, end)
            known = self.accepted.known(movables, board) if movables else None
            day = Day(board, self.gates, movables, known, self.effort)
            yield DayOfStarts(on, day, starts >> board.begin, span(midnight - board.begin, next_midnight - board.begin))

    def warn_undecided(self, part: DayOfStarts) -> None:
        """Tell of the starts that the solver could not decide."""
        for start in members(part.day.undecided):
            instant = self.masks.calendar.instant(part.day.board.begin + start)
            self.left_out.append(f"{instant:%Y-%m-%dT%H:%MZ} could not be decided in time and is left out")


class DayOfStarts(NamedTuple):
    """A local date, its possible starts and all of its minutes, on the day's board."""

    on: date
    day: Day
    starts: Minutes
    minutes: Minutes
