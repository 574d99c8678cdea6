"""A standing schedule as bits: when each resource is open and blocked off, and when the rules hold.

All the zone and recurrence arithmetic happens here. Nobody's busy time is looked at, nor what time it is; so a layout
can be kept for as long as hours, closures, block-offs and rules stay as they are, and cut to the dates of a question.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from availability.bits import Minutes, Stretch, span, union, without
from availability.daily import every_plain_day, within_a_day
from availability.errors import ProblemError
from availability.local_time import DAY, Calendar
from availability.problem import Closure, DayHours, Recurring, Resource, SlotProblem
from availability.recurrence import RecurrenceError, days_of, moved_on, occurrences

OCCURRENCES = 200_000
"""As many occurrences of all recurring times together are laid out."""


class Layout(NamedTuple):
    """The standing schedule of a problem between two dates. Bit 0 is the first minute of the first date."""

    problem: SlotProblem
    calendar: Calendar
    all: Minutes
    practice_hours: Minutes | None
    """The practice's hours; None where nothing limits the resources' own."""
    opening: Minutes
    """When the practice as a whole is open."""
    own_open: dict[str, Minutes]
    """The resource's own hours and overrides, without closures."""
    open: dict[str, Minutes]
    """When a resource may serve as far as hours go: its own, the practice's, closures."""
    clear: dict[str, Minutes]
    """When it is not blocked off."""
    rule_minutes: list[Minutes]
    """When each rule holds, whatever it says and of whom."""

    def fits(self, problem: SlotProblem) -> bool:
        """Whether a problem's schedule stands as it is laid out here, for those of the resources that it has."""
        mine = self.problem
        if (mine.timezone, mine.closures, mine.hours) != (problem.timezone, problem.closures, problem.hours):
            return False
        if [rule.when for rule in mine.rules] != [rule.when for rule in problem.rules]:
            return False
        stands = {resource.id: resource for resource in mine.resources}
        return all(resource.id in stands and _alike(stands[resource.id], resource) for resource in problem.resources)

    def cover(self, first: date, last: date) -> bool:
        """Whether these dates are laid out."""
        return self.calendar.first <= first and last <= self.calendar.last

    def cut(self, first: date, last: date, resources: Iterable[Resource]) -> Layout:
        """The part between two of its dates, for some of its resources: what laying these out anew would give."""
        calendar = Calendar(self.calendar.zone, first, last)
        begin = calendar.origin - self.calendar.origin
        all_ = span(0, calendar.size)

        def part(mask: Minutes) -> Minutes:
            return all_ if mask is self.all else mask >> begin & all_

        ids = [resource.id for resource in resources]
        return Layout(
            self.problem,
            calendar,
            all_,
            None if self.practice_hours is None else part(self.practice_hours),
            part(self.opening),
            {each: part(self.own_open[each]) for each in ids},
            {each: part(self.open[each]) for each in ids},
            {each: part(self.clear[each]) for each in ids},
            [part(each) for each in self.rule_minutes],
        )


def _alike(one: Resource, other: Resource) -> bool:
    return (one.hours, one.overrides, one.block_offs) == (other.hours, other.overrides, other.block_offs)


def lay_out(problem: SlotProblem, first: date, last: date) -> Layout:
    """Lay out the standing schedule of a problem that has been checked. Raises ProblemError where a time never ends."""
    calendar = Calendar(ZoneInfo(problem.timezone), first, last)
    recurring = _Recurrences(calendar)
    all_ = span(0, calendar.size)
    closed = _closed(problem.closures, calendar)
    practice_hours = None if problem.hours is None else recurring.minutes(problem.hours, "hours", widened=False)
    opening = all_ if practice_hours is None else practice_hours
    if closed:
        opening = without(opening, closed)
    own_open, open_, clear = {}, {}, {}
    for number, resource in enumerate(problem.resources):
        own = all_
        if resource.hours is not None:
            own = recurring.minutes(resource.hours, f"resources[{number}].hours", widened=False)
        if resource.overrides:
            own = _overridden(own, resource, calendar)
        own_open[resource.id] = own
        open_[resource.id] = own if opening is all_ else own & opening
        clear[resource.id] = all_
        if resource.block_offs:
            blocked = recurring.minutes(resource.block_offs, f"resources[{number}].block_offs", widened=True)
            clear[resource.id] = without(all_, blocked)
    rule_minutes = [
        recurring.minutes(rule.when, f"rules[{number}].when", widened=True) for number, rule in enumerate(problem.rules)
    ]
    return Layout(problem, calendar, all_, practice_hours, opening, own_open, open_, clear, rule_minutes)


def stretches(recurring: Recurring, calendar: Calendar, *, widened: bool) -> list[Stretch]:
    """Every occurrence that touches the calendar, as minutes."""
    starts = occurrences(recurring, calendar.zone, _first_start(recurring, calendar), calendar.last)
    return [calendar.stretch(start, recurring.duration, widened=widened) for start in starts]


def since_midnight(clock: str) -> timedelta:
    """`HH:MM` as time since midnight."""
    return timedelta(hours=int(clock[:2]), minutes=int(clock[3:5]))


class _Recurrences:
    """Recurring times as minutes. What many resources share, such as opening hours, is laid out once."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._left = OCCURRENCES
        self._laid_out: dict[tuple[Recurring, bool], Minutes] = {}

    def minutes(self, recurring: Iterable[Recurring], path: str, *, widened: bool) -> Minutes:
        """All minutes of all occurrences."""
        found = 0
        for number, each in enumerate(recurring):
            try:
                key = moved_on(each, _first_start(each, self._calendar)), widened
                if key not in self._laid_out:
                    self._laid_out[key] = self._minutes_of(key[0], widened=widened)
            except RecurrenceError as error:
                raise ProblemError(f"{path}[{number}].rrule", str(error)) from error
            if self._left < 0:
                raise ProblemError(f"{path}[{number}].rrule", "one recurring time too many to be laid out")
            found = found | self._laid_out[key] if found else self._laid_out[key]
        return found

    def _minutes_of(self, recurring: Recurring, *, widened: bool) -> Minutes:
        """All minutes of all occurrences."""
        calendar = self._calendar
        days = days_of(recurring, calendar.zone, _first_start(recurring, calendar), calendar.last)
        pattern = within_a_day(recurring.starts.time(), recurring.duration)
        if days is None or pattern is None:
            each_occurrence = stretches(recurring, calendar, widened=widened)
            self._left -= len(each_occurrence)
            return union(each_occurrence, calendar.size)
        # Most take the same minutes of one date after the other.
        self._left -= len(days)
        numbers = {day - calendar.first_day for day in days}
        found = every_plain_day(calendar, pattern, numbers)
        for number in numbers.intersection(calendar.changing):
            start = datetime.combine(calendar.dates[number], recurring.starts.time())
            found |= span(*calendar.stretch(start, recurring.duration, widened=widened))
        return found


def _first_start(recurring: Recurring, calendar: Calendar) -> date:
    """Whatever began before the first date may still last into it."""
    return calendar.first - DAY * (recurring.duration.days + 1)


def _closed(closures: Iterable[Closure], calendar: Calendar) -> Minutes:
    closed = 0
    for closure in closures:
        first, last = max(closure.first, calendar.first), min(closure.last, calendar.last)
        if first <= last:
            closed |= span(calendar.day(first)[0], calendar.day(last)[1])
    return closed


def _overridden(own: Minutes, resource: Resource, calendar: Calendar) -> Minutes:
    """A resource's own hours, those of some dates replaced."""
    overrides = [each for each in resource.overrides if calendar.first <= each.date <= calendar.last]
    for override in overrides:
        own = without(own, span(*calendar.day(override.date)))
    for override in overrides:
        own |= union((_day_hours(override.date, hours, calendar) for hours in override.hours), calendar.size)
    return own


def _day_hours(on: date, hours: DayHours, calendar: Calendar) -> Stretch:
    midnight = datetime.combine(on, time.min)
    return (
        calendar.minute(midnight + since_midnight(hours.opens)),
        calendar.minute(midnight + since_midnight(hours.closes)),
    )
