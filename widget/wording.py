"""Dates, times, lengths and names as people read them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from babel.dates import format_date, format_datetime, get_timezone_name

from booking.local_days import in_zone
from booking.offers import OfferedSlot

LOCALE = "en"
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SPECIES = {
    "dog": "Dog",
    "cat": "Cat",
    "rabbit": "Rabbit",
    "guinea_pig": "Guinea pig",
    "bird": "Bird",
    "reptile": "Reptile",
    "ferret": "Ferret",
    "small_mammal": "Small mammal",
}
PLURALS = {"fish": "fish", "small_mammal": "small mammals", "exotic": "exotic pets", "other": "other pets"}
PHONE_DIGITS = 12


def day(value: date | datetime) -> str:
    """Return `Tuesday, March 3`."""
    return format_date(value, "EEEE, MMMM d", locale=LOCALE)


def weekday(value: date) -> str:
    """Return `Tue`."""
    return format_date(value, "EEE", locale=LOCALE)


def month_day(value: date) -> str:
    """Return `Mar 3`."""
    return format_date(value, "MMM d", locale=LOCALE)


def clock(value: datetime, timezone: str) -> str:
    """Return `10:15 AM`, by the practice's clock."""
    return format_datetime(in_zone(value, timezone), "h:mm\u202fa", locale=LOCALE)


def when(value: datetime, timezone: str) -> str:
    """Return `Tuesday, March 3, 10:15 AM`, by the practice's clock."""
    return f"{day(in_zone(value, timezone))}, {clock(value, timezone)}"


def zone_of(at: datetime, timezone: str) -> str:
    """Return the name of the practice's zone at an instant: `Eastern Standard Time`."""
    name: str = get_timezone_name(in_zone(at, timezone), locale=LOCALE)
    return name


def minutes_left(seconds: int) -> str:
    """Return `9:05`."""
    return f"{seconds // 60}:{seconds % 60:02}"


def served(slot: OfferedSlot, names: dict[str, str]) -> list[str]:
    """Return the names, among these, of who would serve a slot."""
    return [names[id_] for ids in slot.resources.values() for id_ in ids if id_ in names]


def length(value: timedelta) -> str:
    """Return `45 minutes`, `2 hours`, `1 hour 30 minutes`."""
    hours, minutes = divmod(value // MINUTE, 60)
    return " ".join(number(n, unit) for n, unit in ((hours, "hour"), (minutes, "minute")) if n)


def number(n: int, noun: str) -> str:
    """Return `1 time`, `3 times`, `no times`."""
    return f"{n or 'no'} {noun if n == 1 else f'{noun}s'}"


def species(value: str) -> str:
    """Return a species as a heading: `Guinea pig`."""
    return SPECIES.get(value, value.replace("_", " ").capitalize())


def species_plural(value: str) -> str:
    """Return a species within a sentence: `guinea pigs`."""
    return PLURALS.get(value, f"{species(value).lower()}s")


def listed(values: list[str], last: str = "and") -> str:
    """Return `dogs, cats and rabbits`."""
    return f" {last} ".join(filter(None, [", ".join(values[:-1]), *values[-1:]]))


def phone(value: str) -> str:
    """Return a North American number as people write it, `(212) 555-0101`; any other as it is."""
    if value.startswith("+1") and len(value) == PHONE_DIGITS:
        return f"({value[2:5]}) {value[5:8]}-{value[8:]}"
    return value


def dialed(value: str) -> str:
    """Return a phone number as a `tel:` link wants it."""
    return "".join(sign for sign in value if sign.isdigit() or sign == "+")


FILTERS: dict[str, Callable[..., object]] = {
    "day": day,
    "weekday": weekday,
    "month_day": month_day,
    "clock": clock,
    "when": when,
    "zone_of": zone_of,
    "minutes_left": minutes_left,
    "served": served,
    "length_words": length,
    "counted": number,
    "species": species,
    "species_plural": species_plural,
    "listed": listed,
    "phone": phone,
    "dialed": dialed,
}
