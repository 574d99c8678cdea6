"""Configure: what staff may change of the practice's set-up.

The next offer follows a change, and the audit log keeps who made it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from booking.db import appointment_types as types_db
from booking.db import practices
from booking.db.appointment_types import AppointmentType, Audience, TypeStep
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.db.staff import Staff, record_change

MAY_CONFIGURE = ("owner", "manager")
LONGEST_NOTICE = timedelta(days=365)


class TypeChange(Struct, frozen=True, kw_only=True):
    """What staff set of an appointment type."""

    name: str
    bookable_online: bool
    length: timedelta
    who_may_book: Audience
    notice: timedelta


class ChangeRefused(Exception):
    """The change cannot stand; its words say why."""


async def change_appointment_type(
    pool: Pool, practice: Practice, staff: Staff, appointment_type_id: UUID, change: TypeChange, *, now: datetime
) -> AppointmentType:
    """Change a type. Raises `ChangeRefused` with a sentence for the person at the form."""
    if staff.role not in MAY_CONFIGURE:
        raise ChangeRefused("Only owners and managers can change appointment types.")
    async with of_practice(pool, practice.practice_id) as conn, conn.transaction():
        before = await types_db.lock_appointment_type(conn, practice.practice_id, appointment_type_id)
        if before is None:
            raise ChangeRefused("This appointment type no longer exists.")
        after = msgspec.structs.replace(
            before,
            name=change.name.strip(),
            bookable_online=change.bookable_online,
            steps=with_length(before.steps, change.length),
            who_may_book=change.who_may_book,
            notice=change.notice,
        )
        _check(after, change)
        await types_db.change_appointment_type(conn, practice.practice_id, after)
        await practices.raise_schedule_version(conn, practice.practice_id)
        await record_change(
            conn,
            practice.practice_id,
            actor_id=staff.staff_id,
            what="appointment_type",
            subject_id=appointment_type_id,
            before=before,
            after=after,
            now=now,
        )
    return after


def with_length(steps: tuple[TypeStep, ...], length: timedelta) -> tuple[TypeStep, ...]:
    """Give a visit a length by its longest step; the other steps keep theirs."""
    if not steps:
        return steps
    longest = max(range(len(steps)), key=lambda n: steps[n].duration)
    others = sum((step.duration for n, step in enumerate(steps) if n != longest), timedelta())
    if length - others < timedelta(minutes=1):
        raise ChangeRefused(f"The other parts of the visit take {others // timedelta(minutes=1)} minutes already.")
    changed = msgspec.structs.replace(steps[longest], duration=length - others)
    return (*steps[:longest], changed, *steps[longest + 1 :])


def _check(after: AppointmentType, change: TypeChange) -> None:
    """Refuse what no client could use or understand."""
    if not 1 <= len(after.name) <= 60:  # noqa: PLR2004 - the form says so too
        raise ChangeRefused("The name must have 1 to 60 letters.")
    if after.mode == "instant" and not timedelta(minutes=5) <= change.length <= timedelta(hours=12):
        raise ChangeRefused("The length must be from 5 minutes to 12 hours.")
    if not timedelta() <= after.notice <= LONGEST_NOTICE:
        raise ChangeRefused("The notice must be from 0 minutes to a year.")
    if after.bookable_online and after.mode == "instant" and not after.steps:
        raise ChangeRefused("Nobody is assigned to this type yet, so it cannot be booked online.")
