"""Recurrence rules (RFC 5545, 3.3.10): which of them we follow, and as what text the engine takes them.

python-dateutil looks for the next occurrence until the year 9999, and only its steps bound how long that takes: rules
that it could look through second by second, or day by day in vain, are called odd, and whoever meets one takes all time
from its start on for taken.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo

import icalendar
from dateutil.rrule import rrulestr

ALWAYS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY"}
ALLOWED = {
    "DAILY": ALWAYS,
    "WEEKLY": ALWAYS,
    "MONTHLY": ALWAYS | {"BYMONTHDAY", "BYMONTH", "BYSETPOS"},
    "YEARLY": ALWAYS | {"BYMONTHDAY", "BYMONTH", "BYSETPOS", "BYYEARDAY", "BYWEEKNO"},
}
OLDEST = 1970
MOST = 2000
LOOK_AHEAD = timedelta(days=5 * 366)


def is_plain(rule: icalendar.vRecur, start: date) -> bool:
    """Tell whether a rule can be followed."""
    parts = {name.upper() for name in rule}
    freq = str((rule.get("FREQ") or [""])[0]).upper()
    if freq not in ALLOWED or not parts <= ALLOWED[freq] or start.year < OLDEST:
        return False
    try:
        rrulestr(text_of(rule, UTC), dtstart=datetime(2026, 1, 1))  # noqa: DTZ001 - read, not followed
    except (ValueError, TypeError, KeyError):  # what it raises for values that no rule has
        return False
    return True


def text_of(rule: icalendar.vRecur, zone: tzinfo) -> str:
    """Return the rule in local time: a UTC `UNTIL` becomes the same instant there, and a date the end of that day."""
    until = (rule.get("UNTIL") or [None])[0]
    text = bytes(rule.to_ical()).decode()  # type: ignore[no-untyped-call]
    if until is None:
        return text
    if not isinstance(until, datetime):
        until = datetime(until.year, until.month, until.day, 23, 59, 59)  # noqa: DTZ001 - local
    elif until.tzinfo is not None:
        until = until.astimezone(zone)
    others = [part for part in text.split(";") if not part.upper().startswith("UNTIL=")]
    return ";".join([*others, f"UNTIL={until:%Y%m%dT%H%M%S}"])


def starts(rule: icalendar.vRecur, start: datetime, zone: tzinfo, begin: datetime, end: datetime) -> list[datetime]:
    """Return the local starts between two instants."""
    first, last = (when.astimezone(zone).replace(tzinfo=None) for when in (begin, end))
    local = rrulestr(text_of(rule, zone), dtstart=start.replace(tzinfo=None))
    return local.between(first, last, inc=True)[:MOST]


def goes_on(rule: icalendar.vRecur, start: datetime, zone: tzinfo, after: datetime) -> bool:
    """Tell whether it happens in the five years after an instant."""
    return bool(starts(rule, start, zone, after, max(after, start) + LOOK_AHEAD))


def same_clock(one: tzinfo, other: tzinfo, since: datetime) -> bool:
    """Tell whether two zones show the same time, whatever their names, for the years to come."""
    samples = [since.replace(tzinfo=UTC) + timedelta(days=days) for days in range(0, 3 * 366, 5)]
    return all(when.astimezone(one).utcoffset() == when.astimezone(other).utcoffset() for when in samples)
