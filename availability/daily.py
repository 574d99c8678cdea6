"""The same wall-clock minutes on date after date, all at once: grids and opening hours are mostly this.

Between two clock changes every date is 180 bytes, so the same bytes are written one behind the other.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import time, timedelta

from availability.bits import Minutes, span
from availability.local_time import DAY_MINUTES, MINUTE, Calendar

_DAY_BYTES = DAY_MINUTES // 8
_NOTHING = bytes(_DAY_BYTES)


def every_plain_day(calendar: Calendar, pattern: Minutes, numbers: Container[int] | None = None) -> Minutes:
    """The minutes of a pattern on all dates on which no clock changes, or on those of them with these numbers."""
    written = pattern.to_bytes(_DAY_BYTES, "little")
    found = begin = 0
    for end in (*calendar.changing, len(calendar.dates)):
        if numbers is None:
            data = written * (end - begin)
        else:
            data = b"".join([written if number in numbers else _NOTHING for number in range(begin, end)])
        found |= int.from_bytes(data, "little") << calendar.midnights[begin]
        begin = end + 1
    return found


def within_a_day(start: time, duration: timedelta) -> Minutes | None:
    """The minutes of the day that something takes; None where it takes parts of minutes, or of another day."""
    begin, length = start.hour * 60 + start.minute, duration // MINUTE
    if start.second or start.microsecond or duration % MINUTE or begin + length > DAY_MINUTES:
        return None
    return span(begin, begin + length)
