"""A day of the practice's schedule as its staff see it: what stands on it, what is held, what is closed, how fresh."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from availability import Recurring, Span
from availability.recurrence import RecurrenceError, occurrences
from booking.db import appointments, connections, holds, practices, schedule
from booking.db.appointments import ScheduleEntry
from booking.db.connections import Connection
from booking.db.holds import HeldTime
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.db.schedule import Resource
from booking.local_days import day_start


class ClosedTime(Struct, frozen=True, kw_only=True):
    """One occurrence of a block-off."""

    resource_id: UUID
    starts_at: datetime
    ends_at: datetime
    reason: str


class ScheduleDay(Struct, frozen=True, kw_only=True):
    """A local day. `open`: when each active resource works; `resources`: those that work or have something to do."""

    day: date
    closed: bool
    resources: list[Resource]
    open: dict[UUID, list[Span]]
    appointments: list[ScheduleEntry]
    holds: list[HeldTime]
    block_offs: list[ClosedTime]
    connection: Connection | None


async def schedule_day(pool: Pool, practice: Practice, day: date, *, now: datetime) -> ScheduleDay:
    """Return what staff see of a local day."""
    practice_id, zone = practice.practice_id, ZoneInfo(practice.timezone)
    start, end = day_start(day, practice.timezone), day_start(day + timedelta(days=1), practice.timezone)
    async with of_practice(pool, practice.practice_id) as conn:
        resources = await schedule.resources(conn, practice_id)
        block_offs = await schedule.block_offs(conn, practice_id)
        closed = bool(await practices.closures(conn, practice_id, day, day))
        entries = await appointments.schedule_between(conn, practice_id, start, end)
        held = await holds.held_between(conn, practice_id, start, end, now=now)
        connection = await connections.connection_of(conn, practice_id)
    open_times = {one.resource_id: [] if closed else working_time(practice, one, day) for one in resources}
    busy = {id_ for entry in entries for id_ in entry.resource_ids} | {id_ for one in held for id_ in one.resource_ids}
    return ScheduleDay(
        day=day,
        closed=closed,
        resources=[one for one in resources if open_times[one.resource_id] or one.resource_id in busy],
        open=open_times,
        appointments=entries,
        holds=held,
        block_offs=[
            ClosedTime(
                resource_id=block.resource_id,
                starts_at=max(span.start, start),
                ends_at=min(span.end, end),
                reason=block.reason,
            )
            for block in block_offs
            for span in times_on(block.time, zone, day)
            if span.start < end and span.end > start
        ],
        connection=connection,
    )


def working_time(practice: Practice, resource: Resource, day: date) -> list[Span]:
    """Return when a resource works on a local day, closures aside: by its override, else its hours, else the doors'."""
    zone = ZoneInfo(practice.timezone)
    for override in resource.overrides:
        if override.date == day:
            return [
                Span(start=wall_clock(day, hours.opens, zone), end=wall_clock(day, hours.closes, zone))
                for hours in override.hours
            ]
    hours = practice.hours or None if resource.hours is None else resource.hours
    if hours is None:
        return [
            Span(start=day_start(day, practice.timezone), end=day_start(day + timedelta(days=1), practice.timezone))
        ]
    return [span for time in hours for span in times_on(time, zone, day)]


def times_on(recurring: Recurring, zone: ZoneInfo, day: date) -> list[Span]:
    """Return the occurrences that touch a local day. One whose rule cannot be read is taken to last all day."""
    # One that began some days ago may still go on.
    first = day - timedelta(days=recurring.duration // timedelta(days=1) + 1)
    try:
        starts = occurrences(recurring, zone, first, day)
    except RecurrenceError:
        return [Span(start=day_start(day, zone.key), end=day_start(day + timedelta(days=1), zone.key))]
    spans = [Span(start=instant(start, zone), end=instant(start + recurring.duration, zone)) for start in starts]
    return [span for span in spans if span.start < span.end and span.end > day_start(day, zone.key)]


def wall_clock(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """Return the instant at which a local day's clocks show `HH:MM`; `24:00` is its end."""
    hours, minutes = map(int, clock.split(":"))
    return instant(datetime.combine(day, time()) + timedelta(hours=hours, minutes=minutes), zone)


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant of a local time; of one that occurs twice, the first."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)
