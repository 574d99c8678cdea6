"""The practice's schedule as bits: when each resource is open, blocked off and taken, and what the rules deny.

All the zone and recurrence arithmetic happens here, once; a caller who keeps the `Masks` asks the next question on the
same schedule (another appointment type, another window inside the prepared one) for a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from availability.bits import Minutes, Runs, Stretch, depth, levels, span, union, without
from availability.busy import BusyReader
from availability.daily import every_plain_day, within_a_day
from availability.errors import ProblemError
from availability.local_time import DAY, Calendar
from availability.problem import DayHours, Grid, Recurring, Resource, Rule, SlotProblem
from availability.recurrence import RecurrenceError, days_of, moved_on, occurrences

OCCURRENCES = 200_000
"""As many occurrences of all recurring times together are laid out."""

LEVELS = 200_000_000
"""As many bytes the levels of resources with capacity may fill; one takes a bit for every minute."""


class Masks:
    """One schedule between two dates. Bit 0 is the first minute of the first date."""

    def __init__(self, problem: SlotProblem, first: date, last: date) -> None:
        self.problem = problem
        self.calendar = Calendar(ZoneInfo(problem.timezone), first, last)
        self.all: Minutes = span(0, self.calendar.size)
        self._left = OCCURRENCES
        self._laid_out: dict[tuple[Recurring, bool], Minutes] = {}
        self._room = LEVELS
        self.closed: Minutes = self._closures()
        self.practice_hours: Minutes | None = None
        """The practice's hours; None where nothing limits the resources' own."""
        if problem.hours is not None:
            self.practice_hours = self._recurring(problem.hours, "hours", widened=False)
        self.opening: Minutes = self.all if self.practice_hours is None else self.practice_hours
        """When the practice as a whole is open."""
        if self.closed:
            self.opening = without(self.opening, self.closed)
        self.resources = {resource.id: resource for resource in problem.resources}
        self.group_of = {
            resource.id: f"alone {resource.id}" if resource.person is None else f"person {resource.person}"
            for resource in problem.resources
        }
        """Whose busy time a resource shares: its person's, or nobody's."""
        self.open: dict[str, Minutes] = {}
        """When a resource may serve as far as hours go: its own, the practice's, closures."""
        self.own_open: dict[str, Minutes] = {}
        """The resource's own hours and overrides, without closures."""
        self.clear: dict[str, Minutes] = {}
        """When it is not blocked off."""
        for number, resource in enumerate(problem.resources):
            self._lay_out(resource, f"resources[{number}]")
        self.members: dict[str, list[Resource]] = {}
        for resource in problem.resources:
            self.members.setdefault(self.group_of[resource.id], []).append(resource)
        self._busy = BusyReader(self.calendar.origin, self.calendar.size)
        self.taken = {group: self._taken(members) for group, members in self.members.items()}
        """Minutes in which at least one, at least two, … units of a group are taken."""
        self.rule_minutes = [
            self._recurring(rule.when, f"rules[{number}].when", widened=True)
            for number, rule in enumerate(problem.rules)
        ]
        self.grids: dict[tuple[Grid, str | None], Minutes] = {}
        """Kept by `grid.grid_minutes`: a grid and what it counts from."""
        self._denied: dict[tuple[str, str | None], tuple[Minutes, list[tuple[timedelta, Minutes]]]] = {}
        self._workable: dict[tuple[str, Minutes], Runs] = {}

    def cover(self, first: datetime, last: datetime, more: int) -> bool:
        """Whether the dates from one instant to the other are laid out, and so many more on either side."""
        calendar, midnights = self.calendar, self.calendar.midnights
        if more >= len(midnights):
            return False
        return midnights[more] <= calendar.minute_at(first) and calendar.minute_at(last) < midnights[-1 - more]

    def serves(self, problem: SlotProblem) -> bool:
        """Whether another question is about the same schedule."""
        mine = self.problem
        return (mine.resources is problem.resources or mine.resources == problem.resources) and (
            mine.timezone,
            mine.closures,
            mine.hours,
            mine.rules,
        ) == (problem.timezone, problem.closures, problem.hours, problem.rules)

    def denied(self, resource: str, appointment_type: str | None) -> tuple[Minutes, list[tuple[timedelta, Minutes]]]:
        """Minutes in which rules keep a type off a resource: those that stand, and those that are released in time."""
        if not self.problem.rules:
            return 0, []
        key = resource, appointment_type
        if key not in self._denied:
            standing = 0
            released = []
            for rule, minutes in zip(self.problem.rules, self.rule_minutes, strict=True):
                if forbids(rule, resource, appointment_type):
                    if rule.release is None:
                        standing |= minutes
                    else:
                        released.append((rule.release, minutes))
            self._denied[key] = standing, released
        return self._denied[key]

    def workable(self, resource: str, appointment_type: str | None) -> Runs:
        """When the resource can work for the type, standing rules included; kept for the next question."""
        standing, _ = self.denied(resource, appointment_type)
        key = resource, standing
        if key not in self._workable:
            levels, capacity = self.taken[self.group_of[resource]], self.resources[resource].capacity
            full = levels[capacity - 1] if capacity <= len(levels) else 0
            free = without(self.open[resource], full)
            if self.clear[resource] is not self.all:
                free &= self.clear[resource]
            self._workable[key] = Runs(without(free, standing) if standing else free)
        return self._workable[key]

    def _closures(self) -> Minutes:
        closed = 0
        for closure in self.problem.closures:
            first, last = max(closure.first, self.calendar.first), min(closure.last, self.calendar.last)
            if first <= last:
                closed |= span(self.calendar.day(first)[0], self.calendar.day(last)[1])
        return closed

    def _lay_out(self, resource: Resource, path: str) -> None:
        own = self.all
        if resource.hours is not None:
            own = self._recurring(resource.hours, f"{path}.hours", widened=False)
        for override in resource.overrides:
            if self.calendar.first <= override.date <= self.calendar.last:
                own = without(own, span(*self.calendar.day(override.date)))
        for override in resource.overrides:
            if self.calendar.first <= override.date <= self.calendar.last:
                own |= union((self._day_hours(override.date, hours) for hours in override.hours), self.calendar.size)
        self.own_open[resource.id] = own
        self.open[resource.id] = own if self.opening is self.all else own & self.opening
        self.clear[resource.id] = self.all
        if resource.block_offs:
            closed = self._recurring(resource.block_offs, f"{path}.block_offs", widened=True)
            self.clear[resource.id] = without(self.all, closed)

    def _day_hours(self, on: date, hours: DayHours) -> Stretch:
        midnight = datetime.combine(on, time.min)
        return (
            self.calendar.minute(midnight + since_midnight(hours.opens)),
            self.calendar.minute(midnight + since_midnight(hours.closes)),
        )

    def _recurring(self, recurring: Iterable[Recurring], path: str, *, widened: bool) -> Minutes:
        """All minutes of all occurrences. What many resources share, such as opening hours, is laid out once."""
        found = 0
        for number, each in enumerate(recurring):
            try:
                key = moved_on(each, self._first_start(each)), widened
                if key not in self._laid_out:
                    self._laid_out[key] = self._minutes_of(key[0], widened=widened)
            except RecurrenceError as error:
                raise ProblemError(f"{path}[{number}].rrule", str(error)) from error
            if self._left < 0:
                raise ProblemError(f"{path}[{number}].rrule", "one recurring time too many to be laid out")
            found = found | self._laid_out[key] if found else self._laid_out[key]
        return found

    def stretches(self, recurring: Recurring, *, widened: bool) -> list[Stretch]:
        """Every occurrence that touches the calendar, as minutes."""
        calendar = self.calendar
        starts = occurrences(recurring, calendar.zone, self._first_start(recurring), calendar.last)
        return [calendar.stretch(start, recurring.duration, widened=widened) for start in starts]

    def _minutes_of(self, recurring: Recurring, *, widened: bool) -> Minutes:
        """All minutes of all occurrences."""
        calendar = self.calendar
        days = days_of(recurring, calendar.zone, self._first_start(recurring), calendar.last)
        pattern = within_a_day(recurring.starts.time(), recurring.duration)
        if days is None or pattern is None:
            stretches = self.stretches(recurring, widened=widened)
            self._left -= len(stretches)
            return union(stretches, calendar.size)
        # Most take the same minutes of one date after the other.
        self._left -= len(days)
        numbers = {day - calendar.first_day for day in days}
        found = every_plain_day(calendar, pattern, numbers)
        for number in numbers.intersection(calendar.changing):
            start = datetime.combine(calendar.dates[number], recurring.starts.time())
            found |= span(*calendar.stretch(start, recurring.duration, widened=widened))
        return found

    def _first_start(self, recurring: Recurring) -> date:
        """Whatever began before the first date may still last into it."""
        return self.calendar.first - DAY * (recurring.duration.days + 1)

    def _taken(self, members: list[Resource]) -> tuple[Minutes, ...]:
        capacity = max(member.capacity for member in members)
        if capacity == 1:
            once = 0
            for member in members:
                once |= self._busy.taken_by(member.busy)
            return (once,) if once else ()
        spans = [stretch for member in members for stretch in self._busy.stretches(member.busy)]
        self._room -= min(depth(spans), capacity) * self.calendar.size // 8
        if self._room < 0:
            number = self.problem.resources.index(members[0])
            raise ProblemError(f"resources[{number}].busy", "overlaps itself too often to be laid out")
        return levels(spans, self.calendar.size, capacity)


def forbids(rule: Rule, resource: str, appointment_type: str | None) -> bool:
    """Whether a rule, where it holds, keeps an appointment type (None: a commitment, of no type) off a resource."""
    if rule.resources is not None and resource not in rule.resources:
        return False
    named = rule.appointment_types is None or appointment_type in rule.appointment_types
    return named if rule.effect == "deny" else not named


def since_midnight(clock: str) -> timedelta:
    """`HH:MM` as time since midnight."""
    return timedelta(hours=int(clock[:2]), minutes=int(clock[3:5]))
