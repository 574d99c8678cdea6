"""What must still find its place: commitments, who is related to whom, and placing them one after the other.

Placing first come, first served is a proof where it succeeds. Where it fails, `model` decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from availability.bits import Minutes, members, span
from availability.board import Board, Taking
from availability.local_time import minute_from, minute_of
from availability.masks import Masks
from availability.plan import Choice, Plan, plan_of_commitment
from availability.problem import Commitment
from availability.seating import seat_all


class Movable(NamedTuple):
    """A commitment on the masks' minutes."""

    id: str
    plan: Plan
    first: int
    last: int
    """It starts at one of these minutes or between them."""
    groups: frozenset[str]
    """Whose time it may take."""

    @property
    def reach(self) -> int:
        """The first minute that it can no longer take."""
        return self.last + self.plan.reach

    def starts_on(self, board: Board) -> Minutes:
        """When it may start, as minutes of the board."""
        return span(self.first - board.begin, self.last + 1 - board.begin)


class Placing(NamedTuple):
    """A plan put somewhere: its start on a board, and who serves."""

    plan: Plan
    start: int
    choice: Choice

    def moved(self, by: int) -> Placing:
        """The same placing on a board that begins so much earlier."""
        return self._replace(start=self.start + by)

    @property
    def taken(self) -> list[Taking]:
        """What it takes of whom, on the same board."""
        return [
            (resource, (self.start + begin, self.start + end))
            for seat, resources in zip(self.plan.seats, self.choice, strict=True)
            for resource in resources
            for begin, end in seat.taken
        ]


def movable(commitment: Commitment, masks: Masks) -> Movable:
    """The commitment laid out on the masks."""
    plan = plan_of_commitment(commitment)
    origin = masks.calendar.origin
    return Movable(
        commitment.id,
        plan,
        minute_from(commitment.earliest) - origin,
        minute_of(commitment.latest) - origin,
        groups_of(plan, masks),
    )


def groups_of(plan: Plan, masks: Masks) -> frozenset[str]:
    """Whose time a plan may take."""
    return frozenset(masks.group_of[resource] for seat in plan.seats for resource in seat.candidates)


def related(movables: Iterable[Movable], groups: frozenset[str], begin: int, end: int) -> list[Movable]:
    """The commitments that something taking these groups' time in `[begin, end)` may push around, one by the other."""
    rest = list(movables)
    reached: list[tuple[frozenset[str], int, int]] = [(groups, begin, end)]
    found = set()
    while reached:
        groups, begin, end = reached.pop()
        apart = []
        for each in rest:
            if each.first < end and begin < each.reach and each.groups & groups:
                found.add(each.id)
                reached.append((each.groups, each.first, each.reach))
            else:
                apart.append(each)
        rest = apart
    return [each for each in movables if each.id in found]


def place_in_turn(board: Board, movables: Sequence[Movable]) -> list[Placing] | None:
    """A place for each, chosen greedily: those with least choice first, each as early as it can be, then as late."""
    for late in (False, True):
        placings = _place(board, movables, late=late)
        if placings is not None:
            return placings
    return None


def _place(board: Board, movables: Sequence[Movable], *, late: bool) -> list[Placing] | None:
    placings = {}
    for each in sorted(movables, key=lambda each: (each.last - each.first, each.first, each.id)):
        seating = seat_all(board, each.plan, each.starts_on(board), None)
        if not seating.starts:
            return None
        start = seating.starts.bit_length() - 1 if late else members(seating.starts & -seating.starts)[0]
        placing = Placing(each.plan, start, seating.choice_at(start))
        board = board.taking(placing.taken)
        placings[each.id] = placing
    return [placings[each.id] for each in movables]
