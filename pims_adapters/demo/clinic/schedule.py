"""The wall-clock side of the schedule: when columns are open, when blocks fall, whether a time is theirs to give.

Spans here are naive local times `[start, end)`; instants are turned into them at the practice's zone.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from pims_adapters.demo.clinic.records import Block, Column, Holiday, Weekly, length

Span = tuple[datetime, datetime]
ONE_DAY = timedelta(days=1)


def happenings(weekly: Weekly, first: date, last: date) -> list[Span]:
    """Return where a recurring time begins on one of the days from `first` to `last`."""
    if weekly.rrule is None:
        starts = [weekly.starts] if first <= weekly.starts.date() <= last else []
    else:
        begin, end = datetime.combine(first, time()), datetime.combine(last + ONE_DAY, time())
        rule = rrulestr(weekly.rrule, dtstart=_not_long_before(weekly, first))
        starts = [at for at in rule.between(begin, end, inc=True) if at < end]
    return [(at, at + length(weekly)) for at in starts if at.date() not in weekly.except_dates]


def opened(column: Column, first: date, last: date) -> list[Span]:
    """Return a column's own hours on those days; a special day replaces what the week says."""
    special = {day.date: day.hours for day in column.special_days if first <= day.date <= last}
    spans = [
        span
        for weekly in column.hours or []
        for span in happenings(weekly, first, last)
        if span[0].date() not in special
    ]
    for day, hours in special.items():
        spans += [
            (
                datetime.combine(day, time.fromisoformat(span.opens)),
                datetime.combine(day, time.fromisoformat(span.closes)),
            )
            for span in hours
        ]
    return sorted(spans)


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """Return what is left of the spans where the taken ones are cut out."""
    left = list(spans)
    for begin, end in taken:
        left = [
            piece
            for start, stop in left
            for piece in ((start, min(stop, begin)), (max(start, end), stop))
            if piece[0] < piece[1]
        ]
    return sorted(set(left))


def refusal(start: datetime, end: datetime, blocks: Iterable[Block], holidays: Iterable[Holiday]) -> str | None:
    """Return why staff keep this local time free, or None where they do not."""
    for holiday in holidays:
        if start.date() <= holiday.last_day and end > datetime.combine(holiday.first_day, time()):
            return f"The practice is closed: {holiday.name}."
    for block in blocks:
        for begin, stop in happenings(block.time, start.date() - ONE_DAY, end.date()):
            if begin < end and start < stop:
                return f"{block.column} is blocked off from {begin:%H:%M} to {stop:%H:%M}: {block.reason}."
    return None


def to_instant(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(ZoneInfo("UTC"))


def to_local(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def _not_long_before(weekly: Weekly, day: date) -> datetime:
    """Return the rule's start moved on by whole periods, so that a far date is not reached week by week."""
    every = re.search("INTERVAL=([0-9]+)", weekly.rrule or "")
    period = timedelta(weeks=int(every[1]) if every else 1)
    return weekly.starts + max((day - weekly.starts.date()) // period - 1, 0) * period
