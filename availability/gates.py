"""Which starts are let through, before anybody is looked for: window, notice, horizon, grid and caps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from availability.bits import Minutes, span, without
from availability.grid import grid_minutes
from availability.local_time import minute_from, minute_of
from availability.masks import Masks
from availability.plan import Seat
from availability.problem import SlotProblem


class Gates:
    """The limits of one question, on the masks' minutes.

    `led`: resources that serve the first need of visits that their `booked_on` does not count yet, on whatever day.
    """

    def __init__(self, masks: Masks, problem: SlotProblem, led: Sequence[str] = ()) -> None:
        self.masks = masks
        self._led = led
        self.visits = problem.visits
        first = problem.visits[0]
        origin = masks.calendar.origin
        begin = max(minute_from(problem.window.start), minute_from(problem.now + first.notice)) - origin
        end = minute_from(problem.window.end) - origin
        if first.horizon is not None:
            end = min(end, minute_of(problem.now + first.horizon) + 1 - origin)
        self.starts: Minutes = span(begin, min(end, masks.calendar.size))
        for number, visit in enumerate(problem.visits):
            if visit.max_per_day is not None:
                alike = self.alike(number, tuple(range(len(problem.visits))))
                self.starts &= self._below_cap(visit.max_per_day, alike, visit.booked_on)
        self._leads: dict[tuple[tuple[int, ...], str], Minutes] = {}
        self._by_resource = (
            bool(first.grid_for)
            or first.grid.anchor == "opening"
            or any(visit.max_per_resource_day is not None for visit in problem.visits)
        )
        """Whether it matters who serves the first need."""

    def lead(self, leads: tuple[int, ...], resource: str) -> Minutes:
        """Starts at which the resource may serve the first need of these visits (numbers in `visits`)."""
        key = leads, resource if self._by_resource else ""
        if key not in self._leads:
            allowed = self.starts
            if 0 in leads:
                first = self.visits[0]
                allowed &= grid_minutes(self.masks, first.grid_for.get(resource, first.grid), resource)
            for number in leads:
                visit = self.visits[number]
                if visit.max_per_resource_day is not None:
                    booked_on = self.masks.resources[resource].booked_on
                    left = visit.max_per_resource_day - self._led.count(resource)
                    allowed &= self._below_cap(left, self.alike(number, leads), booked_on)
            self._leads[key] = allowed
        return self._leads[key]

    def left_on(self, day: date, number: int, resource: str) -> int | None:
        """How many more visits the cap per resource of a visit allows on a date; None without a cap."""
        most = self.visits[number].max_per_resource_day
        if most is None:
            return None
        return most - self._led.count(resource) - self.masks.resources[resource].booked_on.get(day, 0)

    def alike(self, number: int, leads: tuple[int, ...]) -> int:
        """How many of the visits `leads` are of the type of visit `number`."""
        appointment_type = self.visits[number].appointment_type
        return sum(self.visits[each].appointment_type == appointment_type for each in leads)

    def leads_collide(self, seat: Seat, other: Seat) -> bool:
        """Whether a cap per resource counts both seats together."""
        return any(
            self.visits[a].appointment_type == self.visits[b].appointment_type
            and not (self.visits[a].max_per_resource_day is None and self.visits[b].max_per_resource_day is None)
            for a in seat.leads
            for b in other.leads
        )

    def _below_cap(self, most: int, more: int, booked_on: dict[date, int]) -> Minutes:
        """Minutes of the dates on which so many more are still within the cap."""
        if more > most:
            return 0
        calendar = self.masks.calendar
        allowed = self.masks.all
        for on, booked in booked_on.items():
            if booked + more > most and calendar.first <= on <= calendar.last:
                allowed = without(allowed, span(*calendar.day(on)))
        return allowed
