"""On which minutes a visit may start: counted from midnight or each opening, or listed, in wall-clock time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from availability.bits import Minutes, span, stretches_of
from availability.local_time import DAY_MINUTES, Calendar
from availability.masks import Masks, since_midnight
from availability.plan import minutes
from availability.problem import Grid

MINUTE = timedelta(minutes=1)


def grid_minutes(masks: Masks, grid: Grid, resource: str) -> Minutes:
    """The grid over all dates of the masks, where `resource` serves the first need."""
    anchored = grid.starts is None and grid.anchor == "opening"
    counts_from = None if not anchored else resource if masks.practice_open is None else "the practice"
    key = grid, counts_from
    if key not in masks.grids:
        if anchored:
            opening = masks.open[resource] if masks.practice_open is None else masks.practice_open
            masks.grids[key] = _from_openings(masks.calendar, grid, opening)
        elif grid.starts is not None:
            times = [since_midnight(each) // MINUTE for each in grid.starts]
            masks.grids[key] = _every_day(masks.calendar, times)
        else:
            times = list(range(minutes(grid.offset), DAY_MINUTES, _every(grid)))
            masks.grids[key] = _every_day(masks.calendar, times)
    return masks.grids[key]


def _every(grid: Grid) -> int:
    return minutes(grid.every) if grid.every else DAY_MINUTES


def _every_day(calendar: Calendar, times: list[int]) -> Minutes:
    """The same wall-clock times on every date."""
    pattern = _bits(times)
    found = 0
    for day, midnight in zip(calendar.dates, calendar.midnights, strict=False):
        if calendar.plain(day):
            found |= pattern << midnight
        else:
            start = datetime.combine(day, time.min)
            found |= _bits(calendar.minute(start + MINUTE * each) for each in times)
    return found


def _from_openings(calendar: Calendar, grid: Grid, opening: Minutes) -> Minutes:
    """Counted from each start of open time on a date to the end of that stretch."""
    every, offset = _every(grid), minutes(grid.offset)
    found = 0
    for day in calendar.dates:
        midnight, next_midnight = calendar.day(day)
        for begin, end in stretches_of((opening >> midnight) & span(0, next_midnight - midnight)):
            if calendar.plain(day):
                found |= _bits(range(begin + offset, end, every)) << midnight
            else:
                local = calendar.local(midnight + begin)
                times = (calendar.minute(local + MINUTE * each) for each in range(offset, 2 * DAY_MINUTES, every))
                found |= _bits(each for each in times if midnight + begin <= each < midnight + end)
    return found


def _bits(each: Iterable[int]) -> Minutes:
    found = 0
    for minute in each:
        if minute >= 0:
            found |= 1 << minute
    return found
