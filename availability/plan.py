"""What has to be filled: the visits, or a commitment, laid out in minutes from their start, role by role.

A *seat* is a role to be filled for all the steps that name it. Steps, buffers, several visits and roles kept from one
visit to the next become a list of seats here; nothing after this module knows of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Literal, NamedTuple

from availability.bits import Stretch, merge
from availability.local_time import DAY_MINUTES
from availability.problem import Commitment, Need, Step, Visit


def minutes(duration: timedelta) -> int:
    """A duration of whole minutes as a number."""
    return duration.days * DAY_MINUTES + duration.seconds // 60


class Work(NamedTuple):
    """Minutes after the start in which a seat's resources serve: they must be open, free and allowed by the rules."""

    begin: int
    length: int
    appointment_type: str | None
    """None for a commitment: it is of no type."""
    visit_begin: int
    """When the visit starts that this is a part of; a rule's `release` looks at it."""


class Seat(NamedTuple):
    """A role to be filled by `count` resources, the same ones in all of its steps."""

    role: str
    count: int  # type: ignore[assignment]  # no one counts a seat's fields
    candidates: tuple[str, ...]
    works: tuple[Work, ...]
    buffers: tuple[Stretch, ...]
    """Minutes, relative to the start, in which the resources must be free but not open."""
    taken: tuple[Stretch, ...]
    """Minutes, relative to the start, that the seat takes of each of its resources: work and buffers."""
    visits: tuple[int, ...]
    """Which visits it belongs to."""
    leads: tuple[int, ...]
    """Of which visits it is the first need: their grid and their caps per resource look at it."""
    fixed: tuple[str, ...] = ()
    """Candidates that are settled already; the search for the best choice fills seats one by one."""


class Plan(NamedTuple):
    """Everything that one start decides."""

    seats: tuple[Seat, ...]
    length: int
    """From the start to the end of the last step."""
    before: int
    """How far buffers reach back before the start."""
    reach: int
    """From the start to the end of the last buffer."""

    def fixing(self, number: int, resource: str) -> Plan:
        """The plan with one more resource of a seat fixed; the seat's others come after it in the order listed."""
        seat = self.seats[number]
        fixed = (*seat.fixed, resource)
        later = seat.candidates[seat.candidates.index(resource) + 1 :] if len(fixed) < seat.count else ()
        tried = seat._replace(fixed=fixed, candidates=(*fixed, *later))
        return self._replace(seats=(*self.seats[:number], tried, *self.seats[number + 1 :]))


Choice = tuple[tuple[str, ...], ...]
"""Per seat of a plan, the resources that serve it."""


class _Open:
    """A seat while it is being laid out."""

    def __init__(self, role: str, count: int, candidates: tuple[str, ...]) -> None:
        self.role = role
        self.count = count
        self.candidates = dict.fromkeys(candidates)
        self.works: list[Work] = []
        self.buffers: list[Stretch] = []
        self.visits: dict[int, None] = {}
        self.leads: list[int] = []

    def closed(self) -> Seat:
        works = _joined(self.works)
        return Seat(
            self.role,
            self.count,
            tuple(self.candidates),
            tuple(works),
            tuple(self.buffers),
            tuple(merge(self.buffers + [(work.begin, work.begin + work.length) for work in works])),
            tuple(self.visits),
            tuple(self.leads),
        )


def _opened(seats: dict[tuple[int | None, str], _Open], key: tuple[int | None, str], need: Need) -> _Open:
    """The seat with this key, for one more need."""
    seat = seats.get(key)
    if seat is None:
        seat = seats[key] = _Open(need.role, need.count, need.any_of)
    else:
        # Whoever keeps a role over several steps must be among the candidates of each.
        seat.candidates = {each: None for each in seat.candidates if each in need.any_of}
    return seat


def plan_of_visits(
    visits: tuple[Visit, ...],
    arrangement: Literal["back_to_back", "together"],
    same_roles: tuple[str, ...],
) -> Plan:
    """All the visits of one booking, from the start of the first."""
    seats: dict[tuple[int | None, str], _Open] = {}
    in_a_row = arrangement == "back_to_back"
    begin = length = before = reach = 0
    for number, visit in enumerate(visits):
        first = number == 0 or not in_a_row
        last = number == len(visits) - 1 or not in_a_row
        buffer_before = minutes(visit.buffer_before) if first else 0
        buffer_after = minutes(visit.buffer_after) if last else 0
        end = begin
        for step_number, step in enumerate(visit.steps):
            step_begin, end = end, end + minutes(step.duration)
            for need_number, need in enumerate(step.needs):
                key = (None if in_a_row and need.role in same_roles else number, need.role)
                seat = _opened(seats, key, need)
                seat.works.append(Work(step_begin, end - step_begin, visit.appointment_type, begin))
                seat.visits[number] = None
                if step_number == need_number == 0:
                    seat.leads.append(number)
                if step_number == 0 and buffer_before:
                    seat.buffers.append((step_begin - buffer_before, step_begin))
                if step_number == len(visit.steps) - 1 and buffer_after:
                    seat.buffers.append((end, end + buffer_after))
        length = max(length, end)
        before = max(before, buffer_before - begin)
        reach = max(reach, end + buffer_after)
        begin = end if in_a_row else 0
    return Plan(tuple(seat.closed() for seat in seats.values()), length, before, reach)


def plan_of_commitment(commitment: Commitment) -> Plan:
    """A commitment from its start: no buffers, no appointment type."""
    seats: dict[tuple[int | None, str], _Open] = {}
    begin = 0
    for step in commitment.steps:
        end = begin + minutes(step.duration)
        for need in step.needs:
            seat = _opened(seats, (0, need.role), need)
            seat.works.append(Work(begin, end - begin, None, 0))
            seat.visits[0] = None
        begin = end
    return Plan(tuple(seat.closed() for seat in seats.values()), begin, 0, begin)


def length_of(steps: tuple[Step, ...]) -> timedelta:
    """How long the steps take one after the other."""
    return sum((step.duration for step in steps), timedelta(0))


def most_at_once(stretches: list[Stretch]) -> Iterator[tuple[int, int, int]]:
    """Where stretches overlap: `(begin, end, how many)` for every piece that two or more share."""
    changes = Counter[int]()
    for begin, end in stretches:
        changes[begin] += 1
        changes[end] -= 1
    depth, since = 0, 0
    for minute in sorted(changes):
        if depth > 1:
            yield since, minute, depth
        depth += changes[minute]
        since = minute


def _joined(works: list[Work]) -> list[Work]:
    """Work of one visit that follows without a gap, as one: fewer masks to look at."""
    joined: list[Work] = []
    for work in works:
        last = joined[-1] if joined else None
        if last and last.begin + last.length == work.begin and last[2:] == work[2:]:
            joined[-1] = last._replace(length=last.length + work.length)
        else:
            joined.append(work)
    return joined
