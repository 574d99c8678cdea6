"""On which minutes a visit may start: counted from midnight or each opening, or listed, in wall-clock time."""

from __future__ import annotations

from collections.abc import Iterable

from availability.bits import Minutes, shifted, span, stretches_of
from availability.daily import every_plain_day
from availability.layout import since_midnight
from availability.local_time import DAY_MINUTES, MINUTE, Calendar
from availability.masks import Masks
from availability.plan import minutes
from availability.problem import Grid


def grid_minutes(masks: Masks, grid: Grid, resource: str) -> Minutes:
    """The grid over all dates of the masks, where `resource` serves the first need; kept with the masks."""
    by_resource = grid.starts is None and grid.anchor == "opening" and masks.practice_hours is None
    key = grid, resource if by_resource else None
    if key not in masks.grids:
        masks.grids[key] = grid_from(masks.calendar, grid, masks.open[resource] if by_resource else masks.opening)
    return masks.grids[key]


def grid_from(calendar: Calendar, grid: Grid, opening: Minutes) -> Minutes:
    """The grid on every date of the calendar; `opening` is what one anchored there counts from."""
    if grid.starts is not None:
        return _every_day(calendar, _bits(since_midnight(each) // MINUTE for each in grid.starts))
    every = minutes(grid.every) if grid.every else DAY_MINUTES
    if grid.anchor == "opening":
        return _from_openings(calendar, every, minutes(grid.offset), opening)
    return _every_day(calendar, _counted(minutes(grid.offset), DAY_MINUTES, every))


def _every_day(calendar: Calendar, pattern: Minutes) -> Minutes:
    """The same wall-clock times on every date."""
    found = every_plain_day(calendar, pattern)
    for number in calendar.changing:
        midnight = calendar.midnights[number]
        change, later = calendar.change(calendar.dates[number])
        earlier = pattern & span(0, change)
        found |= earlier << midnight
        found |= shifted(pattern ^ earlier, midnight + later)
    return found


def _from_openings(calendar: Calendar, every: int, offset: int, opening: Minutes) -> Minutes:
    """Counted from each start of open time on a date to the end of that stretch."""
    found = 0
    for day in calendar.dates:
        midnight, next_midnight = calendar.day(day)
        for begin, end in stretches_of((opening >> midnight) & span(0, next_midnight - midnight)):
            if calendar.plain(day):
                found |= _counted(begin + offset, end, every) << midnight
            else:
                local = calendar.local(midnight + begin)
                times = (calendar.minute(local + MINUTE * each) for each in range(offset, 2 * DAY_MINUTES, every))
                found |= _bits(each - midnight for each in times if begin <= each - midnight < end) << midnight
    return found


def _counted(begin: int, end: int, every: int) -> Minutes:
    """The minutes of `range(begin, end, every)`; each round doubles how far they are known."""
    found = 1 << begin
    known = every
    while known < end - begin:
        found |= found << known
        known *= 2
    return found & span(0, end)


def _bits(each: Iterable[int]) -> Minutes:
    found = 0
    for minute in each:
        if minute >= 0:
            found |= 1 << minute
    return found
