"""Preview: the next two weeks as a client would see them, as the set-up is and as it would be after a change.

The change is made and taken back in one transaction, so that it is checked as any other and nobody else sees it.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from availability import Span
from booking.configure.changes import NothingThere, Proposal, apply
from booking.db import configuration, practices
from booking.db.holds import Wish
from booking.db.pool import Connection, Pool, of_practice
from booking.local_days import day_start, days_between, local_date
from booking.offers import NotBookableOnline, offered_types, wished_types
from booking.slot_problem import Posed, answer_of, slot_problem

DAYS = 14
MOST_TYPES = 60
MOST_TIMES = 200


class PreviewTime(Struct, frozen=True, kw_only=True, rename="camel", order=True):
    """A time that a client could book."""

    start: datetime
    appointment_type: UUID


class PreviewDay(Struct, frozen=True, kw_only=True, rename="camel"):
    """A local day: how many times there are and would be, and which come and go, at most 200 of each."""

    date: date
    before: int
    after: int
    added: Annotated[list[PreviewTime], Meta(max_length=MOST_TIMES)]
    removed: Annotated[list[PreviewTime], Meta(max_length=MOST_TIMES)]


async def preview(pool: Pool, practice_id: UUID, proposal: Proposal, *, now: datetime) -> list[PreviewDay]:
    """Return the next 14 local days with and without a change; nothing is written. Raises what the change would."""
    async with of_practice(pool, practice_id) as conn:
        change = conn.transaction()
        await change.start()
        try:
            problems_before, timezone = await _problems(conn, practice_id, now)
            await apply(conn, practice_id, proposal, now=now)
            # So that nothing kept under the set-up's present name is taken for what it would become.
            await configuration.settle(conn)
            problems_after, _ = await _problems(conn, practice_id, now)
        finally:
            await change.rollback()
    before, after = await _times(problems_before), await _times(problems_after)
    counted = [Counter(local_date(one.start, timezone) for one in times) for times in (before, after)]
    first = local_date(now, timezone)
    return [
        PreviewDay(
            date=day,
            before=counted[0][day],
            after=counted[1][day],
            added=_on(day, after - before, timezone),
            removed=_on(day, before - after, timezone),
        )
        for day in days_between(first, first + timedelta(days=DAYS - 1))
    ]


async def _problems(conn: Connection, practice_id: UUID, now: datetime) -> tuple[dict[UUID, Posed], str]:
    """Return the slot problem of each type that shows times to clients, and the practice's zone."""
    practice = await practices.practice_by_id(conn, practice_id)
    if practice is None:
        raise NothingThere(NothingThere.__doc__)
    first = local_date(now, practice.timezone)
    window = Span(
        start=day_start(first, practice.timezone), end=day_start(first + timedelta(days=DAYS), practice.timezone)
    )
    problems = {}
    for one in (await offered_types(conn, practice))[:MOST_TYPES]:
        wish = Wish(
            appointment_type_id=one.appointment_type_id,
            patients=tuple(one.species[:1]),
            new_client=one.who_may_book == "new",
        )
        try:
            types = await wished_types(conn, practice, wish)
        except NotBookableOnline:
            continue
        problems[one.appointment_type_id] = await slot_problem(conn, practice, types, wish, window, now=now)
    return problems, practice.timezone


async def _times(problems: dict[UUID, Posed]) -> set[PreviewTime]:
    return {
        PreviewTime(start=slot.start, appointment_type=id_)
        for id_, posed in problems.items()
        for slot in (await answer_of(posed)).slots
    }


def _on(day: date, times: set[PreviewTime], timezone: str) -> list[PreviewTime]:
    return sorted(one for one in times if local_date(one.start, timezone) == day)[:MOST_TIMES]
