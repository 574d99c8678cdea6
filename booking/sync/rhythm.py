"""Rhythm: when a feed is asked next. Nobody asks at the same moment as everybody else."""

from __future__ import annotations

import random
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from booking.connect.mapping import ImportSettings
from booking.db.feeds import Feed

OFTEN = timedelta(minutes=1)
SPREAD_OVER_THE_NIGHT = timedelta(minutes=30)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=5)
LONGEST_PAUSE_AT_NIGHT = timedelta(hours=1)


def next_time(
    feed: Feed, timezone: str, now: datetime, *, most: timedelta = OFTEN, nights: ImportSettings | None = None
) -> datetime:
    """Return when a feed that was read is due again.

    `most`: a feed that is asked often is asked at least so often. `nights`: when the practice wants the nightly ones.
    """
    if feed.at is not None:
        at, zone = (feed.at, timezone) if nights is None else (f"{nights.hour:02}:00", nights.timezone)
        return next_night(at, zone, now) + SPREAD_OVER_THE_NIGHT * random.random()  # noqa: S311 - spreads load
    every = min(feed.every, most) if feed.every <= OFTEN else feed.every
    return now + every * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load


def next_night(at: str, timezone: str, now: datetime) -> datetime:
    """Return the next instant at which the practice's clocks show a time (`HH:MM`)."""
    zone = ZoneInfo(timezone)
    clock = time.fromisoformat(at)
    day = now.astimezone(zone).date()
    tonight = datetime.combine(day, clock, tzinfo=zone)
    if tonight <= now:
        tonight = datetime.combine(day + timedelta(days=1), clock, tzinfo=zone)
    return tonight.astimezone(UTC)


def after_failure(feed: Feed, now: datetime) -> datetime:
    """Return when a feed is tried again that failed `feed.failures` times before this one: ever later, to a limit."""
    longest = LONGEST_PAUSE if feed.at is None else LONGEST_PAUSE_AT_NIGHT
    pause = min(FIRST_PAUSE * (1 << min(feed.failures, 20)), longest)
    return now + pause * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load
