"""The practice's calendar: which local day an instant falls on, and when a local day starts and ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_datetime


def local_date(instant: datetime, timezone: str) -> date:
    """Return the local date on which an instant falls."""
    return instant.astimezone(ZoneInfo(timezone)).date()


def day_start(day: date, timezone: str) -> datetime:
    """Return the instant at which a local date begins."""
    return datetime.combine(day, time(), ZoneInfo(timezone)).astimezone(UTC)


def days_between(first: date, last: date) -> list[date]:
    """Return the dates from first to last, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def days_touched(start: datetime, end: datetime, timezone: str) -> list[date]:
    """Return the local dates on which any part of the span `[start, end)` lies."""
    return days_between(local_date(start, timezone), local_date(end - timedelta(microseconds=1), timezone))


def in_zone(instant: datetime, timezone: str) -> datetime:
    """Return the same instant with the practice's wall-clock time."""
    return instant.astimezone(ZoneInfo(timezone))


def spoken_time(instant: datetime, timezone: str) -> str:
    """Return a time as people say it, in the practice's zone: `Tuesday, March 3, 10:15 AM`."""
    return format_datetime(in_zone(instant, timezone), "EEEE, MMMM d, h:mm a", locale="en")


def zone_exists(timezone: str) -> bool:
    """Say whether there is a time zone of this name."""
    try:
        return bool(ZoneInfo(timezone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def same_clock(one: str, other: str, now: datetime) -> bool:
    """Say whether two zones show the same time for a year, as `US/Eastern` and `America/New_York` do."""
    if one == other:
        return True
    if not zone_exists(one) or not zone_exists(other):
        return False
    instants = (now + timedelta(hours=12) * n for n in range(800))
    return all(in_zone(at, one).utcoffset() == in_zone(at, other).utcoffset() for at in instants)
