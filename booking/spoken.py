"""Spoken: days, lengths and lists as people at a practice say them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def listed(words: Sequence[str]) -> str:
    """Return words as one list: `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def weekdays(numbers: Iterable[int]) -> str:
    """Return days of the week (0 is Monday) by name: `Mondays and Fridays`."""
    return listed([WEEKDAYS[number] for number in sorted(set(numbers))])


def length(span: timedelta) -> str:
    """Return a length as `1 hour 30 minutes`."""
    minutes = span // timedelta(minutes=1)
    parts = ((minutes // 1440, "day"), (minutes // 60 % 24, "hour"), (minutes % 60, "minute"))
    return " ".join(f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in parts if number) or "0 minutes"


def day(on: date) -> str:
    """Return a date as `Friday, March 6`."""
    return f"{on:%A, %B} {on.day}"


def clock(local: datetime) -> str:
    """Return a time of day as `9:40 AM`."""
    return f"{local.hour % 12 or 12}:{local:%M %p}"
