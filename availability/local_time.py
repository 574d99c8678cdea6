"""Between a practice's wall clock and minutes since the masks' origin: the only place that knows zones.

A local time that does not exist in spring is moved forward by the gap, one that occurs twice in autumn means its first
occurrence. Both are what `fold=0` says (PEP 495), read with the offset from before the change.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate, count, repeat
from operator import add, sub
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
DAY_SECONDS = 24 * 60 * 60
EPOCH_DAY = EPOCH.toordinal()
DAY_MINUTES = 24 * 60


def minute_of(instant: datetime) -> int:
    """Whole minutes since 1970, rounded down."""
    passed = instant - EPOCH
    return passed.days * DAY_MINUTES + passed.seconds // 60


def minute_from(instant: datetime) -> int:
    """Whole minutes since 1970, rounded up."""
    passed = instant - EPOCH
    return passed.days * DAY_MINUTES - (-passed.seconds // 60) + (passed.seconds % 60 == 0 and passed.microseconds > 0)


def _minutes_behind(offset: timedelta | None) -> int:
    """How many whole minutes later than in UTC it is midnight under an offset, rounded down."""
    if offset is None:
        raise ValueError("a zone without offsets")
    return -offset // MINUTE


def instant_of(minute: int) -> datetime:
    """The instant (UTC) that lies so many minutes after 1970."""
    return EPOCH + MINUTE * minute


@lru_cache(maxsize=4096)
def lasting(minutes: int) -> timedelta:
    """So many minutes as a duration; few different ones lie between starts, and to make one takes long."""
    return MINUTE * minutes


class Calendar:
    """The local dates `first` to `last` laid out on minutes; bit 0 is the first minute of `first`."""

    def __init__(self, zone: ZoneInfo, first: date, last: date) -> None:
        self.zone = zone
        self.first = first
        self.last = last
        self.first_day = first.toordinal()
        days = (last - first).days + 1
        self.dates: list[date] = list(accumulate(repeat(DAY, days - 1), add, initial=first))
        # Every date is asked for: some zones change their clock for a month only.
        local_midnights = accumulate(repeat(DAY, days), add, initial=datetime.combine(first, time.min))
        offsets = list(map(zone.utcoffset, local_midnights))
        behind = {offset: _minutes_behind(offset) for offset in set(offsets)}
        in_utc = count((self.first_day - EPOCH_DAY) * DAY_MINUTES, DAY_MINUTES)
        midnights = [midnight + behind[offset] for midnight, offset in zip(in_utc, offsets, strict=False)]
        self.origin = midnights[0]
        self.midnights = [minute - self.origin for minute in midnights]
        """Where each date begins, and where the last one ends."""
        self.size = self.midnights[-1]
        lengths = map(sub, self.midnights[1:], self.midnights)
        self.changing = [number for number, length in enumerate(lengths) if length != DAY_MINUTES]
        """The numbers of the dates on which a clock changes; no zone has ever changed its twice within a day."""
        self._instants: dict[int, datetime] = {}

    def day(self, on: date) -> tuple[int, int]:
        """First minute of a local date, and of the next."""
        index = (on - self.first).days
        return self.midnights[index], self.midnights[index + 1]

    def plain(self, on: date) -> bool:
        """Whether no clock changes on the date."""
        begin, end = self.day(on)
        return end - begin == DAY_MINUTES

    def change(self, on: date) -> tuple[int, int]:
        """When the clock changes on a date: from which of its wall-clock minutes, and by how many minutes later."""
        midnight = datetime.combine(on, time.min)
        before = self.zone.utcoffset(midnight)
        after = self.zone.utcoffset(midnight + MINUTE * (DAY_MINUTES - 1))

        def changed(minute: int) -> bool:
            return self.zone.utcoffset(midnight + MINUTE * minute) != before

        return bisect_left(range(DAY_MINUTES), True, key=changed), _minutes_behind(after) - _minutes_behind(before)

    def date_at(self, minute: int) -> date:
        """The local date that a minute belongs to."""
        return self.dates[bisect_right(self.midnights, minute) - 1]

    def minute(self, local: datetime, *, up: bool = False) -> int:
        """Where a wall-clock time lies, seconds rounded down or up."""
        index = local.toordinal() - self.first_day
        if 0 <= index < len(self.dates) and self.midnights[index + 1] - self.midnights[index] == DAY_MINUTES:
            within = local.hour * 60 + local.minute + (up and (local.second > 0 or local.microsecond > 0))
            return self.midnights[index] + within
        seconds = self._seconds(local)
        return (-(-seconds // 60) if up else seconds // 60) - self.origin

    def minute_at(self, instant: datetime) -> int:
        """Where an instant lies, seconds rounded down."""
        return minute_of(instant) - self.origin

    def instant(self, minute: int) -> datetime:
        """The instant (UTC) of a minute."""
        return instant_of(self.origin + minute)

    def instants(self, minutes: Sequence[int]) -> list[datetime]:
        """The instants (UTC) of ascending minutes; kept, since the next question asks for many of them again."""
        try:
            return list(map(self._instants.__getitem__, minutes))
        except KeyError:
            gaps = map(lasting, map(sub, minutes[1:], minutes))
            instants = list(accumulate(gaps, add, initial=self.instant(minutes[0])))
        self._instants |= zip(minutes, instants, strict=True)
        return instants

    def local(self, minute: int) -> datetime:
        """What the wall clock shows."""
        return instant_of(self.origin + minute).astimezone(self.zone).replace(tzinfo=None)

    def stretch(self, start: datetime, duration: timedelta, *, widened: bool) -> tuple[int, int]:
        """A span of wall-clock time as minutes: seconds widen what is closed and narrow what is open."""
        end = start + duration
        begins, ends = self.minute(start, up=not widened), self.minute(end, up=widened)
        if ends == begins + 1 and self._seconds(end) <= self._seconds(start):
            # Widening must not bring back what vanishes.
            return begins, begins
        return begins, ends

    def _seconds(self, local: datetime) -> int:
        """Seconds from 1970 to a wall-clock time, by the offset that counts; a fraction counts as a whole one."""
        offset = self.zone.utcoffset(local.replace(fold=0) if local.fold else local)
        if offset is None:
            raise ValueError(self.zone)
        days = local.toordinal() - EPOCH_DAY - offset.days
        within = local.hour * 3600 + local.minute * 60 + local.second + (local.microsecond > 0)
        return days * DAY_SECONDS + within - offset.seconds
