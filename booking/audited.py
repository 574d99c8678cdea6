"""Audited: what staff do with bookings stands in the audit log, with who, what, before and after."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from booking.db import appointments
from booking.db.appointments import Appointment
from booking.db.changes import Stood
from booking.db.pool import Connection
from booking.db.staff import record_change


def stood(one: Appointment) -> Stood:
    """Return how an appointment stands."""
    return Stood(
        reference=one.reference,
        status=one.status,
        starts_at=one.starts_at,
        ends_at=one.ends_at,
        resources=one.resources,
    )


@asynccontextmanager
async def audited(
    conn: Connection, practice_id: UUID, reference: str, actor: UUID | None, now: datetime
) -> AsyncIterator[None]:
    """Record what changes of a booking within, in the same transaction; without an actor it was no member of staff."""
    if actor is None:
        yield
        return
    before = await appointments.booking_by_reference(conn, practice_id, reference)
    yield
    was = {one.appointment_id: stood(one) for one in before}
    for one in await appointments.booking_by_reference(conn, practice_id, reference):
        await record(conn, practice_id, one.appointment_id, was.get(one.appointment_id), stood(one), actor, now)


async def record(
    conn: Connection,
    practice_id: UUID,
    appointment_id: UUID,
    before: Stood | None,
    after: Stood,
    actor: UUID,
    now: datetime,
) -> None:
    """Write down one appointment's change, if it is one."""
    if before != after:
        await record_change(
            conn,
            practice_id,
            actor_id=actor,
            what="appointment",
            subject_id=appointment_id,
            before=before,
            after=after,
            now=now,
        )
