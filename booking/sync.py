"""Sync: bring what changed in the practice's PIMS into our mirror, page by page.

Each page is one transaction: records, cursor and a new schedule version together, so that a page is applied whole or
not at all, and by one worker.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID, uuid4

import structlog
from msgspec import Struct

from availability import Occupied
from booking.claims import take
from booking.contacts import Contact, read_email, read_phone
from booking.db import claims, clients, connections, mirror, practices, write_backs
from booking.db.connections import Connection
from booking.db.pool import Connection as Conn
from booking.db.pool import Pool
from booking.db.practices import Practice
from booking.local_days import days_touched
from pims_adapters import contract as pims

MOST_PAGES = 1000
FREES_ITS_TIME = ("cancelled", "no_show")

log = structlog.get_logger()


class Synced(Struct, frozen=True, kw_only=True):
    """How many changes were applied, and whether the mirror now shows all that the PIMS has."""

    changes: int
    complete: bool


async def sync(
    pool: Pool, adapter: pims.PimsAdapter, connection: Connection, *, clock: Callable[[], datetime]
) -> Synced:
    """Read pages until the PIMS has no more. Raises the adapter's `PimsError`s."""
    applied = 0
    cursor = connection.cursor
    for _ in range(MOST_PAGES):
        try:
            page = await adapter.changes(cursor)
        except pims.CursorExpired:
            log.warning("sync.cursor_expired", connection=str(connection.connection_id))
            page = await adapter.changes(None)
        async with pool.acquire() as conn, conn.transaction():
            if not await connections.lock_sync(conn, connection.practice_id, connection.connection_id, cursor):
                return Synced(changes=applied, complete=False)  # another worker is at it, or has been
            await _apply(conn, connection.practice_id, page, clock())
            await connections.advance(
                conn,
                connection.practice_id,
                connection.connection_id,
                page.cursor,
                None if page.more else min(page.as_of, clock()),
            )
        applied += len(page.changes)
        cursor = page.cursor
        if not page.more:
            return Synced(changes=applied, complete=True)
    return Synced(changes=applied, complete=False)


async def _apply(conn: Conn, practice_id: UUID, page: pims.ChangePage, now: datetime) -> None:
    """Apply one page in its order; appointments under the locks of their days, like every claim."""
    if not page.changes:
        return
    practice = await practices.practice_by_id(conn, practice_id)
    if practice is None:
        raise LookupError("A connection's practice is kept as long as the connection.")
    days = {
        day
        for change in page.changes
        if isinstance(change, pims.Appointment)
        for day in days_touched(change.start, change.end, practice.timezone)
    }
    await claims.lock_days(conn, practice_id, days)
    resource_ids = await mirror.resource_ids(conn, practice_id)
    for change in page.changes:
        match change:
            case pims.Practice():
                await practices.set_hours(conn, practice_id, change.timezone, change.hours)
            case pims.Resource():
                await mirror.put_resource(conn, practice_id, uuid4(), change)
                resource_ids = await mirror.resource_ids(conn, practice_id)
            case pims.Closure():
                await mirror.put_closure(conn, practice_id, uuid4(), change)
            case pims.BlockOff():
                if change.resource in resource_ids:
                    await mirror.put_block_off(conn, practice_id, uuid4(), resource_ids[change.resource], change)
            case pims.AppointmentType():
                await mirror.put_appointment_type(conn, practice_id, uuid4(), change)
            case pims.Client():
                await _put_client(conn, practice, change, now)
            case pims.Patient():
                await _recognize(conn, practice_id, "patient", change)
                if not await mirror.put_patient(conn, practice_id, uuid4(), change):
                    log.warning("sync.patient_of_unknown_client", practice=str(practice_id), pims_id=change.pims_id)
            case pims.Appointment():
                await _put_appointment(conn, practice, change, resource_ids, now)
            case pims.Gone():
                await _forget(conn, practice_id, change)
    await practices.raise_schedule_version(conn, practice_id)


async def _put_client(conn: Conn, practice: Practice, record: pims.Client, now: datetime) -> None:
    await _recognize(conn, practice.practice_id, "client", record)
    client_id = await mirror.put_client(conn, practice.practice_id, uuid4(), record, now)
    await mirror.forget_contacts(conn, practice.practice_id, client_id)
    typed: list[tuple[str, Contact | None]] = [
        *((phone, read_phone(phone, practice.region)) for phone in record.phones),
        *((email, read_email(email)) for email in record.emails),
    ]
    for as_typed, contact in typed:
        if contact is not None:  # what cannot be read reaches nobody; the PIMS keeps it as it is
            await clients.insert_contact(conn, practice.practice_id, client_id, contact, as_typed)


async def _recognize(
    conn: Conn, practice_id: UUID, kind: pims.Kind, record: pims.Client | pims.Patient | pims.Appointment
) -> None:
    """Recognize a record that we wrote, which may come back before we have heard that it was written."""
    if record.marker is None:
        return
    subject_id = await write_backs.subject_of_key(conn, practice_id, kind, record.marker)
    if subject_id is not None:
        await write_backs.set_pims_id(conn, practice_id, kind, subject_id, record.pims_id)


async def _put_appointment(
    conn: Conn, practice: Practice, record: pims.Appointment, resource_ids: dict[str, UUID], now: datetime
) -> None:
    """Mirror an appointment and what it takes, double bookings included; one that did not change keeps its claims."""
    practice_id = practice.practice_id
    # A column that the PIMS has not told us of cannot be booked with us either: its time does not matter.
    uses = {resource_ids[pims_id] for pims_id in record.resources if pims_id in resource_ids}
    takes = uses if record.status not in FREES_ITS_TIME else set()
    await _recognize(conn, practice_id, "appointment", record)
    known = await mirror.mirrored_appointment(conn, practice_id, record.pims_id)
    if known is None:
        appointment_id = uuid4()
        await mirror.insert_from_pims(conn, practice_id, appointment_id, record, now)
    else:
        appointment_id = known.appointment_id
        await mirror.update_from_pims(conn, practice_id, appointment_id, record)
        if (known.starts_at, known.ends_at, set(known.resource_ids)) == (record.start, record.end, takes):
            return
        await mirror.set_resources(conn, practice_id, appointment_id, {"resource": sorted(map(str, uses))})
        await claims.free_appointment(conn, practice_id, appointment_id)
    parts = [Occupied(resource=str(one), start=record.start, end=record.end) for one in sorted(takes)]
    await take(conn, practice, parts, now=now, appointment_id=appointment_id)


async def _forget(conn: Conn, practice_id: UUID, gone: pims.Gone) -> None:
    if gone.of == "appointment":
        known = await mirror.mirrored_appointment(conn, practice_id, gone.pims_id)
        if known is not None:
            await claims.free_appointment(conn, practice_id, known.appointment_id)
    await mirror.forget(conn, practice_id, gone)
