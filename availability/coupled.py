"""Starts that are no matter of masks alone: beside commitments, or where the kernel's search gave up.

One way to place all commitments proves, by the kernel, every start at which the visits fit beside them. A few ways
found greedily prove most starts of a day; then CP-SAT is asked for one that proves another, until there is none.
"""

from __future__ import annotations

from collections.abc import Sequence

from availability.bits import Minutes, members, without
from availability.board import Board
from availability.commitments import Movable, Placing, groups_of, place_in_turn
from availability.gates import Gates
from availability.model import EFFORT, Item, Verdict, find_places
from availability.plan import Choice, Plan, Seat
from availability.seating import clusters_of, seat_all

GREEDY_FAILURES = 3
"""After so many starts for which placing in turn failed, the solver is asked about all that are left."""


class Day:
    """What can be booked on one board, a local date, beside commitments that lie on it entirely.

    `known` is one way to place all commitments without the visits, if there is one at hand. `effort` limits each
    solve; starts about which it ran out are `undecided`, neither offered nor refused.
    """

    def __init__(
        self,
        board: Board,
        gates: Gates | None,
        movables: Sequence[Movable] = (),
        known: Sequence[Placing] | None = None,
        effort: float = EFFORT,
    ) -> None:
        self.board = board
        self.gates = gates
        self.movables = movables
        self.effort = effort
        self.undecided: Minutes = 0
        self._settled: list[Board] = []
        """The board with all commitments on it, in every way that has been found."""
        self._examples: dict[int, Choice] = {}
        if known is not None:
            self._settle(known)

    def taking(self, placing: Placing) -> Day:
        """The same date once something has been booked on it."""
        board = self.board.taking(placing.taken)
        placings = place_in_turn(board, self.movables)
        return Day(board, self.gates, self.movables, placings, self.effort)

    def asking(self, gates: Gates) -> Day:
        """The same date for another visit."""
        day = Day(self.board, gates, self.movables, None, self.effort)
        day._settled = self._settled.copy()  # another of our own kind; what was found is true for it too
        return day

    def fits(self, plan: Plan, wanted: Minutes) -> list[dict[str, Minutes]]:
        """For each seat and candidate the starts at which it could serve alone."""
        return [{resource: self._fit(seat, resource) & wanted for resource in seat.candidates} for seat in plan.seats]

    def bookable(self, plan: Plan, wanted: Minutes) -> Minutes:
        """Those of the wanted starts at which the plan and all commitments find their place."""
        possible = seat_all(self.board, plan, wanted, self.gates)
        if not self.movables and not possible.unsettled:
            self._examples.update(possible.served().each())
            return possible.starts
        left = possible.starts | possible.unsettled
        for settled in reversed(self._settled):
            left = self._without_proven(settled, plan, left)
        failures = 0
        for start in members(possible.starts & left):
            if failures == GREEDY_FAILURES:
                break
            if left >> start & 1:
                visits = Placing(plan, start, possible.choice_at(start))
                placings = place_in_turn(self.board.taking(visits.taken), self.movables)
                if placings is None:
                    failures += 1
                else:
                    left = self._without_proven(self._settle(placings), plan, left)
        left = self._without_solved(plan, left)
        return without(possible.starts | possible.unsettled, left)

    def first_choices(self, plan: Plan, bookable: Minutes) -> dict[int, Choice]:
        """For starts known to be bookable the first choice in the order listed: seat by seat, each as early as it can.

        Seats that commitments cannot touch are left to the kernel.
        """
        reached = frozenset[str]().union(*(each.groups for each in self.movables))
        settled = seat_all(self.board, plan, bookable, self.gates)
        if not settled.unsettled and not groups_of(plan, self.board.masks) & reached:
            return dict(settled.served().each())
        touched = [
            number
            for cluster in clusters_of(plan, self.board.masks, self.gates)
            if settled.unsettled or any(self._groups(plan.seats[each]) & reached for each in cluster)
            for number in cluster
        ]
        found = {start: self._examples[start] for start in members(bookable)}
        self._fill(plan, touched, bookable, found)
        return found

    def _fill(self, plan: Plan, seats: list[int], starts: Minutes, found: dict[int, Choice]) -> None:
        """Fix the next place of the next seat to the first candidate that works, each for the starts it works at."""
        open_seats = [number for number in seats if len(plan.seats[number].fixed) < plan.seats[number].count]
        if not open_seats:
            found.update(seat_all(self.board, plan, starts, self.gates).served().each())
            return
        seat = plan.seats[open_seats[0]]
        for resource in seat.candidates:
            if resource in seat.fixed or not starts:
                continue
            tried = plan.fixing(open_seats[0], resource)
            works = self.bookable(tried, starts)
            if works:
                self._fill(tried, seats, works, found)
                starts = without(starts, works)

    def _settle(self, placings: Sequence[Placing]) -> Board:
        settled = self.board.taking(taken for placing in placings for taken in placing.taken)
        self._settled.append(settled)
        return settled

    def _without_proven(self, settled: Board, plan: Plan, left: Minutes) -> Minutes:
        """What is left once the starts beside these placings are taken away."""
        if not left:
            return 0
        seating = seat_all(settled, plan, left, self.gates)
        self._examples.update(seating.served().each())
        return without(left, seating.starts)

    def _without_solved(self, plan: Plan, left: Minutes) -> Minutes:
        """What the solver does not find possible."""
        while left:
            items = [Item(each.plan, each.starts_on(self.board), None) for each in self.movables]
            placed = find_places(self.board, [Item(plan, left, self.gates), *items], self.effort)
            if placed is Verdict.UNDECIDED:
                self.undecided |= left
            if isinstance(placed, Verdict):
                break
            visits, *placings = placed
            self._examples[visits.start] = visits.choice
            left = self._without_proven(self._settle(placings), plan, without(left, 1 << visits.start))
        return left

    def _fit(self, seat: Seat, resource: str) -> Minutes:
        fit = self.board.fits(seat, resource)
        return fit & self.board.cut(self.gates.lead(seat.leads, resource)) if self.gates and seat.leads else fit

    def _groups(self, seat: Seat) -> set[str]:
        return {self.board.masks.group_of[resource] for resource in seat.candidates}
