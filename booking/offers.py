"""Offer: from the practice's schedule and a client's wish to the times that can be booked.

What is offered is what `claims` would accept: both ask the engine the same problem.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from msgspec import Struct

from availability import Assignment, Span
from booking.db import schedule
from booking.db.appointment_types import AppointmentType
from booking.db.holds import Wish
from booking.db.pool import Connection, Pool, of_practice
from booking.db.practices import Practice
from booking.local_days import day_start, days_between, local_date
from booking.slot_problem import NOTHING, Posed, answer_of, serving, slot_problem
from booking.standing import Standing, standing, standing_at

MOST_DAYS = 62
MOST_PATIENTS = 4


class NotBookableOnline(Exception):
    """This appointment type cannot be booked online as asked. Please choose another one, or call the practice."""


class CallbackOnly(NotBookableOnline):
    """The practice arranges this visit with you by phone. Please ask for an appointment, and they will call you."""


class OfferedSlot(Struct, frozen=True, kw_only=True):
    """A time that can be booked, and one set of resources that would serve it, for however many patients."""

    start: datetime
    end: datetime
    resources: Assignment


class OfferedDay(Struct, frozen=True, kw_only=True):
    """A local day and its times."""

    date: date
    slots: list[OfferedSlot]


class Offer(Struct, frozen=True, kw_only=True):
    """The days asked for, each with its times, which may be none.

    `mode` is `request` where what we know of the PIMS (`as_of`) is too old: near times are left out then, and the
    client is told that they can ask for one. `next`: the first time after the days asked for, where they have none.
    `stands`: the schedule that it rests on.
    """

    as_of: datetime | None
    mode: Literal["instant", "request"]
    days: list[OfferedDay]
    next: datetime | None
    stands: Standing


async def offered_types(
    conn: Connection, practice: Practice, *, species: str | None = None, new_client: bool | None = None
) -> list[AppointmentType]:
    """Return what a client may book online or ask to be called back for."""
    return [
        one
        for one in (await standing(conn, practice.practice_id)).types
        if one.bookable_online
        and (species is None or species in one.species)
        and (new_client is None or welcomes(one, new_client=new_client))
    ]


def welcomes(appointment_type: AppointmentType, *, new_client: bool) -> bool:
    """Say whether the type is for new clients, or for known ones."""
    return appointment_type.who_may_book in ("everyone", "new" if new_client else "existing")


async def wished_type(conn: Connection, practice: Practice, wish: Wish) -> AppointmentType:
    """Return the type wished for, for the first patient. Raises `NotBookableOnline`, as `wished_types` does."""
    return (await wished_types(conn, practice, wish))[0]


async def wished_types(conn: Connection, practice: Practice, wish: Wish) -> tuple[AppointmentType, ...]:
    """Return the type wished for, once for each patient and as long as it takes for that one.

    Raises `NotBookableOnline` where the wish goes beyond what is offered, of its kind `CallbackOnly`.
    """
    return types_for(await standing(conn, practice.practice_id), wish)


def types_for(stands: Standing, wish: Wish) -> tuple[AppointmentType, ...]:
    """Return the same as `wished_types`, to those who know what stands."""
    if not 1 <= len(wish.patients) <= MOST_PATIENTS:
        raise NotBookableOnline(NotBookableOnline.__doc__)
    for one in stands.types:
        if one.appointment_type_id != wish.appointment_type_id:
            continue
        if not (wish.by_staff or (one.bookable_online and welcomes(one, new_client=wish.new_client))):
            continue
        if wish.by_staff and one.steps:
            return tuple(one.for_patient(species, new_client=wish.new_client) for species in wish.patients)
        if not set(wish.patients) <= set(one.species):
            continue
        if one.calls_back:
            raise CallbackOnly(CallbackOnly.__doc__)
        return tuple(one.for_patient(species, new_client=wish.new_client) for species in wish.patients)
    raise NotBookableOnline(NotBookableOnline.__doc__)


async def choosable_providers(
    conn: Connection, practice: Practice, appointment_type: AppointmentType
) -> list[schedule.Resource]:
    """Return the providers among whom a client may choose for a type."""
    roles = {need.role for step in appointment_type.steps for need in step.needs}
    everybody = (await standing(conn, practice.practice_id)).resources
    return [one for one in everybody if one.kind == "provider" and roles.intersection(one.roles)]


async def offer(
    pool: Pool,
    practice: Practice,
    wish: Wish,
    first: date,
    last: date,
    *,
    now: datetime,
    own: tuple[UUID, ...] = (),
    lasting: timedelta = NOTHING,
) -> Offer:
    """Return the bookable times on the local days from first to last.

    `own`: a hold, or appointments, of the asker; what they take counts as free. `lasting`: for how long the answer is
    to hold, as far as time alone could change it.

    Raises `NotBookableOnline`, and `ValueError` where the days are out of order or more than 62.
    """
    if not 0 <= (last - first).days < MOST_DAYS:
        raise ValueError(f"Ask for 1 to {MOST_DAYS} days, the first one first.")
    start, after = day_start(first, practice.timezone), day_start(last + timedelta(days=1), practice.timezone)
    async with of_practice(pool, practice.practice_id) as conn:
        version = await schedule.version(conn, practice.practice_id)
        stands = await standing_at(conn, practice.practice_id, version)
        types = types_for(stands, wish)
        window = Span(start=start, end=after)
        posed = await slot_problem(
            conn, practice, types, wish, window, now=now, own=own, lasting=lasting, version=version
        )
    slots, freshness = await _offered(posed), posed.freshness
    further: list[OfferedSlot] = []
    furthest = now + types[0].horizon + timedelta(minutes=1)
    if not slots and furthest > after:
        window = Span(start=max(after, now), end=furthest)
        async with of_practice(pool, practice.practice_id) as conn:
            posed = await slot_problem(conn, practice, types, wish, window, now=now, own=own, lasting=lasting)
        further = await _offered(posed)
    return Offer(
        as_of=freshness.as_of,
        mode="request" if freshness.stale else "instant",
        days=_by_day(slots, first, last, practice.timezone),
        next=further[0].start if further else None,
        stands=stands,
    )


async def _offered(posed: Posed) -> list[OfferedSlot]:
    answer = await answer_of(posed)
    return [OfferedSlot(start=one.start, end=one.end, resources=serving(one)) for one in answer.slots]


def _by_day(slots: list[OfferedSlot], first: date, last: date, timezone: str) -> list[OfferedDay]:
    """Part slots, which are in order of time, into local days."""
    days, begin = [], 0
    for day in days_between(first, last):
        after = day_start(day + timedelta(days=1), timezone)
        end = bisect_left(slots, after, lo=begin, key=lambda slot: slot.start)
        days.append(OfferedDay(date=day, slots=slots[begin:end]))
        begin = end
    return days


async def slots_between(
    pool: Pool,
    practice: Practice,
    types: tuple[AppointmentType, ...],
    wish: Wish,
    start: datetime,
    end: datetime,
    *,
    now: datetime,
    own: tuple[UUID, ...],
) -> list[OfferedSlot]:
    """Return the bookable times from one instant to before another."""
    window = Span(start=start, end=end)
    async with of_practice(pool, practice.practice_id) as conn:
        posed = await slot_problem(conn, practice, types, wish, window, now=now, own=own)
    return await _offered(posed)


async def alternatives(
    pool: Pool,
    practice: Practice,
    wish: Wish,
    start: datetime,
    *,
    now: datetime,
    own: tuple[UUID, ...] = (),
    most: int = 6,
) -> list[OfferedSlot]:
    """Return the bookable times nearest to one that was lost: on its day, or from there on where that has too few."""
    async with of_practice(pool, practice.practice_id) as conn:
        types = await wished_types(conn, practice, wish)
    day = local_date(start, practice.timezone)
    slots: list[OfferedSlot] = []
    for days in (1, 7):
        span = day_start(day, practice.timezone), day_start(day + timedelta(days=days), practice.timezone)
        slots = await slots_between(pool, practice, types, wish, *span, now=now, own=own)
        if len(slots) >= most:
            break
    return sorted(sorted(slots, key=lambda slot: abs(slot.start - start))[:most], key=lambda slot: slot.start)
