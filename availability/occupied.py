"""What a slot takes of each resource once it is booked."""

from __future__ import annotations

from availability.answer import Occupied, Slot
from availability.bits import Stretch
from availability.local_time import instant_of, minute_of
from availability.plan import Choice, Plan, plan_of_visits
from availability.problem import SlotProblem


def occupied(problem: SlotProblem, slot: Slot) -> list[Occupied]:
    """The spans of each resource, buffers included, by resource and time.

    Spans that follow one another are one. Where a resource with capacity serves two seats at once, both spans are told.
    """
    plan = plan_of_visits(problem.visits, problem.arrangement, problem.same_roles)
    each_visit = slot.resources if isinstance(slot.resources, list) else [slot.resources]
    choice = tuple(tuple(each_visit[seat.visits[0]][seat.role]) for seat in plan.seats)
    start = minute_of(slot.start)
    return [
        Occupied(resource=resource, start=instant_of(start + begin), end=instant_of(start + end))
        for resource, stretches in sorted(taken_by(plan, choice).items())
        for begin, end in stretches
    ]


def taken_by(plan: Plan, choice: Choice) -> dict[str, list[Stretch]]:
    """Per resource the minutes, relative to the start, that a choice takes; one stretch per unit of capacity."""
    taken: dict[str, list[Stretch]] = {}
    for seat, resources in zip(plan.seats, choice, strict=True):
        for resource in resources:
            taken.setdefault(resource, []).extend(seat.taken)
    return {resource: _joined(stretches) for resource, stretches in taken.items()}


def _joined(stretches: list[Stretch]) -> list[Stretch]:
    joined: list[Stretch] = []
    for begin, end in sorted(stretches):
        for position, (other_begin, other_end) in enumerate(joined):
            if other_end == begin:
                joined[position] = other_begin, end
                break
        else:
            joined.append((begin, end))
    return sorted(joined)
