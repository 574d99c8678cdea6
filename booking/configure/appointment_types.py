"""What the console's form sets of an appointment type: the few fields that a practice changes from day to day."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from booking.configure.changes import ConfigurationRefused, NothingThere, Proposal, change
from booking.db.appointment_types import Audience, TypeStep
from booking.db.configuration import TypeSettings, lock_item
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.db.staff import Staff
from booking.scopes import OF_ROLE


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
    pool: Pool, practice: Practice, staff: Staff, appointment_type_id: UUID, form: TypeChange, *, now: datetime
) -> None:
    """Change a type. Raises `ChangeRefused` with a sentence for the person at the form."""
    if "configuration:write" not in OF_ROLE[staff.role]:
        raise ChangeRefused("Only owners and managers can change appointment types.")
    async with of_practice(pool, practice.practice_id) as conn, conn.transaction():
        before = await lock_item(conn, practice.practice_id, "appointment_type", appointment_type_id)
        if before is None or not isinstance(before.settings, TypeSettings):
            raise ChangeRefused("This appointment type no longer exists.")
        after = msgspec.structs.replace(
            before.settings,
            name=form.name.strip(),
            bookable_online=form.bookable_online,
            steps=with_length(before.settings.steps, form.length),
            who_may_book=form.who_may_book,
            notice=form.notice,
        )
        proposal = Proposal(kind="appointment_type", id=appointment_type_id, settings=after)
        try:
            await change(conn, practice.practice_id, proposal, by=staff.staff_id, now=now)
        except ConfigurationRefused as refused:
            raise ChangeRefused(refused.wrong[0].message) from refused
        except NothingThere as gone:
            raise ChangeRefused("This appointment type no longer exists.") from gone


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
