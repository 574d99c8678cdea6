"""One stored event: what iCalendar (RFC 5545) says of it, in instants, and which times it takes.

A stored event is a whole: the event itself, and where it recurs those of its occurrences that were changed.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
from msgspec import Struct

from pims_adapters.caldav import rules

DAY = timedelta(days=1)
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)
"""What `icalendar` raises for text that is no iCalendar: it says nowhere what it may be."""

Span = tuple[datetime, datetime]
VEvent = Any
"""An `icalendar.Event`, whose own types say of each property that it may be any of thirty things."""


class Entry(Struct, frozen=True, kw_only=True):
    """One VEVENT. All-day and floating times are the practice's; `zone`: in which it recurs."""

    start: datetime
    end: datetime
    zone: tzinfo
    all_day: bool
    cancelled: bool
    free: bool
    summary: str
    recurs: icalendar.vRecur | None
    odd: bool
    instead_of: datetime | None
    excluded: tuple[datetime | date, ...]
    added: tuple[datetime, ...]

    @property
    def takes_time(self) -> bool:
        return not self.free and not self.cancelled and self.end > self.start


class Stored(Struct, frozen=True, kw_only=True):
    """What a calendar keeps under one name. `main` is missing where only some occurrences of a series were sent on."""

    calendar: str
    name: str
    etag: str | None
    text: str
    uid: str
    main: Entry | None
    changed: tuple[Entry, ...]

    @property
    def recurring(self) -> bool:
        return self.main is None or self.main.odd or self.main.recurs is not None or bool(self.main.added)


def read(calendar: str, name: str, etag: str | None, text: str, zone: ZoneInfo) -> Stored | None:
    """Read what is stored under a name; None where it is no event that could take time, or cannot be read."""
    try:
        events = icalendar.Calendar.from_ical(text).walk("VEVENT")
        entries = [_entry(event, zone) for event in events]
        uid = str(events[0].get("UID", "")) if events else ""
    except UNREADABLE:
        return None
    if not entries:
        return None
    main = [entry for entry in entries if entry.instead_of is None]
    return Stored(
        calendar=calendar,
        name=name,
        etag=etag,
        text=text,
        uid=uid,
        main=main[0] if main else None,
        changed=tuple(entry for entry in entries if entry.instead_of is not None),
    )


def busy(stored: Stored, begin: datetime, end: datetime) -> Iterator[Span]:
    """Yield the times that the event takes between two instants."""
    for entry in stored.changed:
        if entry.takes_time and entry.start < end and entry.end > begin:
            yield entry.start, entry.end
    main = stored.main
    if main is None or not main.takes_time:
        return
    if main.odd:
        if main.start < end:
            yield max(begin, main.start), end
        return
    for start in starts(stored, begin - (main.end - main.start) - DAY, end):
        span = start, ending(main, start)
        if span[0] < end and span[1] > begin:
            yield span


def starts(stored: Stored, begin: datetime, end: datetime) -> list[datetime]:
    """Return when the unchanged occurrences between two instants start."""
    main = stored.main
    if main is None:
        return []
    found = {main.start, *main.added}
    if main.recurs is not None:
        found |= {
            local.replace(tzinfo=main.zone) for local in rules.starts(main.recurs, main.start, main.zone, begin, end)
        }
    elsewhere = {entry.instead_of for entry in stored.changed}
    return sorted(
        start
        for start in found
        if begin <= start < end
        and start not in elsewhere
        and start not in main.excluded
        and start.astimezone(main.zone).date() not in main.excluded
    )


def ending(entry: Entry, start: datetime) -> datetime:
    """Return when an occurrence ends. All-day ones end at a midnight, however long the day is."""
    if not entry.all_day:
        return start + (entry.end - entry.start)
    days = entry.end.date() - entry.start.date()
    return datetime.combine(start.date() + days, time(), tzinfo=entry.zone)


def _entry(event: VEvent, zone: ZoneInfo) -> Entry:
    if any(name in ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID") for name, _ in event.errors):
        raise ValueError("its times cannot be read")
    begins = event["DTSTART"].dt
    all_day = not isinstance(begins, datetime)
    if "DTEND" in event:
        ends = event["DTEND"].dt
    elif "DURATION" in event:
        ends = begins + event["DURATION"].dt
    else:
        ends = begins + DAY if all_day else begins
    own_zone = begins.tzinfo if isinstance(begins, datetime) and begins.tzinfo else zone
    recurs = event.get("RRULE")
    odd = any(name in ("RRULE", "RDATE", "EXDATE") for name, _ in event.errors) or isinstance(recurs, list)
    odd = odd or (recurs is not None and not rules.is_plain(recurs, begins))
    replaces = event.get("RECURRENCE-ID")
    status = str(event.get("STATUS", "")).upper()
    return Entry(
        start=instant(begins, zone),
        end=instant(ends, zone),
        zone=own_zone,
        all_day=all_day,
        cancelled=status == "CANCELLED",
        free=str(event.get("TRANSP", "")).upper() == "TRANSPARENT",
        summary=str(event.get("SUMMARY", "")),
        recurs=None if odd else recurs,
        odd=odd,
        instead_of=None if replaces is None else instant(replaces.dt, zone),
        excluded=() if odd else tuple(_excluded(event, zone)),
        added=() if odd else tuple(instant(one, zone) for one in _listed(event, "RDATE")),
    )


def instant(when: date | datetime, zone: ZoneInfo) -> datetime:
    """Return the instant of a time, or the local midnight of a date."""
    if not isinstance(when, datetime):
        return datetime.combine(when, time(), tzinfo=zone)
    return when if when.tzinfo is not None else when.replace(tzinfo=zone)


def _excluded(event: VEvent, zone: ZoneInfo) -> Iterator[datetime | date]:
    for one in _listed(event, "EXDATE"):
        yield instant(one, zone) if isinstance(one, datetime) else one


def _listed(event: VEvent, name: str) -> Iterator[date | datetime]:
    found = event.get(name, [])
    for line in found if isinstance(found, list) else [found]:
        for one in line.dts:
            # A period (RDATE only) is a start and an end or a length; it takes the length of the others.
            yield one.dt[0] if isinstance(one.dt, tuple) else one.dt
