"""The picker: two weeks of days and the times of one of them, wherever a time is chosen."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec
from litestar.datastructures import MultiDict
from litestar.exceptions import ClientException
from msgspec import Struct

from booking.db.appointment_types import AppointmentType
from booking.db.holds import Wish
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.db.schedule import Resource
from booking.local_days import in_zone, local_date
from booking.offers import Offer, OfferedSlot, choosable_providers, offer, wished_type
from widget.forms import Form

DAYS = 14
NOON, EVENING = 12, 17


class PartOfDay(Struct, frozen=True, kw_only=True):
    """Morning, afternoon or evening, and its times."""

    name: str
    slots: list[OfferedSlot]


class Picker(Struct, frozen=True, kw_only=True):
    """What is offered from `first` on, and the chosen day of it. None: no such day, or nothing on any."""

    wish: Wish
    appointment_type: AppointmentType
    providers: list[Resource]
    served_by: dict[str, str]
    offer: Offer
    moment: datetime
    today: date
    first: date
    day: date | None
    parts: list[PartOfDay]
    earlier: date | None
    later: date | None
    next_day: date | None


async def pick(
    pool: Pool,
    practice: Practice,
    wish: Wish,
    query: MultiDict[str],
    *,
    now: datetime,
    own: tuple[UUID, ...] = (),
) -> Picker:
    """Return the days from the one that the address names (`from`), with the times of its `day`.

    Raises `NotBookableOnline`.
    """
    async with of_practice(pool, practice.practice_id) as conn:
        appointment_type = await wished_type(conn, practice, wish)
        providers = await choosable_providers(conn, practice, appointment_type)
    if wish.provider_id not in [one.resource_id for one in providers]:
        wish = msgspec.structs.replace(wish, provider_id=None)
    today = local_date(now, practice.timezone)
    last = today + appointment_type.horizon
    first = min(max(_date(query.get("from", "")) or today, today), last)
    found = await offer(pool, practice, wish, first, first + timedelta(days=DAYS - 1), now=now, own=own)
    day = _chosen_day(found, query.get("day", ""))
    later = first + timedelta(days=DAYS)
    return Picker(
        wish=wish,
        appointment_type=appointment_type,
        providers=providers,
        served_by={str(one.resource_id): one.name for one in providers},
        offer=found,
        moment=now,
        today=today,
        first=first,
        day=day,
        parts=_parts(found, day, practice.timezone),
        earlier=max(first - timedelta(days=DAYS), today) if first > today else None,
        later=later if later <= last else None,
        next_day=local_date(found.next, practice.timezone) if found.next else None,
    )


def start_of(form: Form) -> datetime | None:
    """Read the chosen time."""
    typed = form.line("start", most=40, missing="Please choose a time.")
    if not typed:
        return None
    try:
        start = datetime.fromisoformat(typed)
    except ValueError:
        raise ClientException from None
    if start.tzinfo is None:
        raise ClientException
    return start


def _parts(found: Offer, day: date | None, timezone: str) -> list[PartOfDay]:
    slots = next((one.slots for one in found.days if one.date == day), [])
    parts: dict[str, list[OfferedSlot]] = {"Morning": [], "Afternoon": [], "Evening": []}
    for slot in slots:
        hour = in_zone(slot.start, timezone).hour
        parts["Morning" if hour < NOON else "Afternoon" if hour < EVENING else "Evening"].append(slot)
    return [PartOfDay(name=name, slots=slots) for name, slots in parts.items() if slots]


def _chosen_day(found: Offer, asked: str) -> date | None:
    days = [one.date for one in found.days if one.slots]
    return day if (day := _date(asked)) in days else next(iter(days), None)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-01-01") else None
    except ValueError:
        return None
