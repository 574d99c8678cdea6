"""Offer: from the practice's schedule and a client's wish to the times that can be booked.

One SELECT a table makes the slot problem, the engine answers it. Hold, booking and offer build the problem here, so
that what is offered can be booked.
"""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Literal
from uuid import UUID

from msgspec import Struct

from availability import (
    Answer,
    Assignment,
    Closure,
    Need,
    Resource,
    Rule,
    Slot,
    SlotProblem,
    Span,
    Step,
    Visit,
    solve,
)
from booking.db import appointment_types as types_db
from booking.db import connections, practices, schedule
from booking.db.appointment_types import AppointmentType
from booking.db.holds import Wish
from booking.db.pool import Connection, Pool
from booking.db.practices import Practice
from booking.local_days import day_start, local_date

MOST_DAYS = 62
NO_PREFERENCE: Assignment = {}


class NotBookableOnline(Exception):
    """This appointment type cannot be booked online as asked. Please choose another one, or call the practice."""


class OfferedSlot(Struct, frozen=True, kw_only=True):
    """A time that can be booked, and one set of resources that would serve it."""

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
    """

    as_of: datetime | None
    mode: Literal["instant", "request"]
    days: list[OfferedDay]
    next: datetime | None


async def offered_types(
    conn: Connection, practice: Practice, *, species: str | None = None, new_client: bool | None = None
) -> list[AppointmentType]:
    """Return what a client may book online or ask to be called back for."""
    return [
        one
        for one in await types_db.appointment_types(conn, practice.practice_id)
        if one.bookable_online
        and (species is None or species in one.species)
        and (new_client is None or welcomes(one, new_client=new_client))
    ]


def welcomes(appointment_type: AppointmentType, *, new_client: bool) -> bool:
    """Say whether the type is for new clients, or for known ones."""
    return appointment_type.who_may_book in ("everyone", "new" if new_client else "existing")


async def wished_type(conn: Connection, practice: Practice, wish: Wish) -> AppointmentType:
    """Return the type wished for. Raises `NotBookableOnline` where the wish goes beyond what is offered."""
    offered = await offered_types(conn, practice, species=wish.species, new_client=wish.new_client)
    for one in offered:
        if one.appointment_type_id == wish.appointment_type_id and one.mode == "instant":
            return one
    raise NotBookableOnline(NotBookableOnline.__doc__)


async def choosable_providers(
    conn: Connection, practice: Practice, appointment_type: AppointmentType
) -> list[schedule.Resource]:
    """Return the providers among whom a client may choose for a type."""
    roles = {need.role for step in appointment_type.steps for need in step.needs}
    everybody = await schedule.resources(conn, practice.practice_id)
    return [one for one in everybody if one.kind == "provider" and roles.intersection(one.roles)]


async def offer(
    pool: Pool,
    practice: Practice,
    wish: Wish,
    first: date,
    last: date,
    *,
    now: datetime,
    own_hold: UUID | None = None,
) -> Offer:
    """Return the bookable times on the local days from first to last; what `own_hold` has taken counts as free.

    Raises `NotBookableOnline`, and `ValueError` where the days are out of order or more than 62.
    """
    if not 0 <= (last - first).days < MOST_DAYS:
        raise ValueError(f"Ask for 1 to {MOST_DAYS} days, the first one first.")
    async with pool.acquire() as conn:
        appointment_type = await wished_type(conn, practice, wish)
        window = Span(
            start=day_start(first, practice.timezone), end=day_start(last + timedelta(days=1), practice.timezone)
        )
        problem, freshness = await slot_problem(
            conn, practice, appointment_type, wish, window, now=now, own_hold=own_hold
        )
    answer = await answer_of(problem)
    by_day = {
        day: [OfferedSlot(start=slot.start, end=slot.end, resources=single(slot)) for slot in slots]
        for day, slots in groupby(answer.slots, lambda slot: local_date(slot.start, practice.timezone))
    }
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return Offer(
        as_of=freshness.as_of,
        mode="request" if freshness.stale else "instant",
        days=[OfferedDay(date=day, slots=by_day.get(day, [])) for day in days],
        next=answer.next,
    )


async def alternatives(
    pool: Pool,
    practice: Practice,
    wish: Wish,
    start: datetime,
    *,
    now: datetime,
    own_hold: UUID | None = None,
    most: int = 6,
) -> list[OfferedSlot]:
    """Return the bookable times nearest to one that was lost: on its day, or from there on where that has too few."""
    day = local_date(start, practice.timezone)
    slots: list[OfferedSlot] = []
    for last in (day, day + timedelta(days=6)):
        found = await offer(pool, practice, wish, day, last, now=now, own_hold=own_hold)
        slots = [slot for one in found.days for slot in one.slots]
        if len(slots) >= most:
            break
    return sorted(sorted(slots, key=lambda slot: abs(slot.start - start))[:most], key=lambda slot: slot.start)


class Freshness(Struct, frozen=True, kw_only=True):
    """How old our mirror of the PIMS is. `stale`: older than the practice allows for near times."""

    as_of: datetime | None
    stale: bool


async def freshness_of(conn: Connection, practice: Practice, now: datetime) -> Freshness:
    """Say how far the mirror can be trusted; a practice without a PIMS is always fresh."""
    connection = await connections.connection_of(conn, practice.practice_id)
    if connection is None:
        return Freshness(as_of=now, stale=False)
    as_of = connection.as_of
    return Freshness(as_of=as_of, stale=as_of is None or now - as_of > practice.freshness_limit)


async def slot_problem(
    conn: Connection,
    practice: Practice,
    appointment_type: AppointmentType,
    wish: Wish,
    window: Span,
    *,
    now: datetime,
    own_hold: UUID | None = None,
    prefer: Assignment = NO_PREFERENCE,
    search_on: bool = True,
) -> tuple[SlotProblem, Freshness]:
    """Read the schedule around a window and put the wish into it.

    `search_on` False: the horizon ends with the window, so that no `next` is looked for where it has no time. What
    `own_hold` has taken counts as free. Resources in `prefer` are listed first, which makes the engine choose
    them where several assignments work.
    """
    practice_id = practice.practice_id
    around = appointment_type.length + appointment_type.buffer_before + appointment_type.buffer_after
    start, end = window.start - around, window.end + around
    resources = await schedule.resources(conn, practice_id)
    block_offs = await schedule.block_offs(conn, practice_id)
    closures = await practices.closures(
        conn, practice_id, local_date(start, practice.timezone), local_date(end, practice.timezone)
    )
    rules = await schedule.rules(conn, practice_id)
    taken = await schedule.taken(conn, practice_id, start, end, now=now, own_hold=own_hold)
    booked_on = await schedule.booked_on(
        conn,
        practice_id,
        appointment_type.appointment_type_id,
        day_start(local_date(window.start, practice.timezone), practice.timezone),
        day_start(local_date(window.end, practice.timezone) + timedelta(days=1), practice.timezone),
        timezone=practice.timezone,
        now=now,
        own_hold=own_hold,
    )
    freshness = await freshness_of(conn, practice, now)
    visit = Visit(
        appointment_type=str(appointment_type.appointment_type_id),
        steps=tuple(
            Step(
                duration=step.duration,
                needs=tuple(
                    Need(
                        role=need.role,
                        any_of=candidates(need.role, resources, wish.provider_id, prefer),
                        count=need.count,
                    )
                    for need in step.needs
                ),
            )
            for step in appointment_type.steps
        ),
        grid=appointment_type.grid,
        buffer_before=appointment_type.buffer_before,
        buffer_after=appointment_type.buffer_after,
        notice=max(appointment_type.notice, practice.stale_notice) if freshness.stale else appointment_type.notice,
        horizon=appointment_type.horizon if search_on else min(appointment_type.horizon, window.end - now),
        max_per_day=appointment_type.max_per_day,
        booked_on={day.day: day.appointments for day in booked_on},
    )
    problem = SlotProblem(
        timezone=practice.timezone,
        now=now,
        window=window,
        closures=tuple(Closure(first=one.first, last=one.last) for one in closures),
        hours=practice.hours or None,
        resources=tuple(
            Resource(
                id=str(one.resource_id),
                person=one.person,
                capacity=one.capacity,
                hours=one.hours,
                overrides=one.overrides,
                busy=tuple(
                    Span(start=span.starts_at, end=span.ends_at)
                    for span in taken
                    if span.resource_id == one.resource_id
                ),
                block_offs=tuple(block.time for block in block_offs if block.resource_id == one.resource_id),
            )
            for one in resources
        ),
        rules=tuple(
            Rule(
                name=rule.name,
                effect=rule.effect,
                when=rule.when,
                appointment_types=None if rule.appointment_types is None else texts(rule.appointment_types),
                resources=None if rule.resources is None else texts(rule.resources),
                release=rule.release,
            )
            for rule in rules
        ),
        visits=(visit,),
    )
    return problem, freshness


def candidates(
    role: str, resources: list[schedule.Resource], provider_id: UUID | None, prefer: Assignment
) -> tuple[str, ...]:
    """Return who can serve a role: the preferred first; of the providers only the one wished for, if one is."""
    able = [one for one in resources if role in one.roles]
    if provider_id is not None and any(one.kind == "provider" for one in able):
        able = [one for one in able if one.resource_id == provider_id]
    preferred = prefer.get(role, [])
    return tuple(sorted((str(one.resource_id) for one in able), key=lambda id_: id_ not in preferred))


def texts(ids: list[UUID]) -> tuple[str, ...]:
    """Return ids as the engine knows them."""
    return tuple(map(str, ids))


async def answer_of(problem: SlotProblem) -> Answer:
    """Let the engine answer in a thread, so that a hard problem keeps nobody else waiting."""
    return await asyncio.to_thread(solve, problem)


def single(slot: Slot) -> Assignment:
    """Return the resources of a slot for one visit."""
    if isinstance(slot.resources, list):
        raise TypeError("The slot is for several visits.")
    return slot.resources
