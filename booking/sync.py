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
from msgspec.structs import replace

from availability import Occupied
from booking.claims import take
from booking.connect.mapping import ImportSettings, mapped, outside
from booking.contacts import Contact, read_email, read_phone
from booking.db import claims, clients, connections, mirror, practices, write_backs
from booking.db.claims import Holder
from booking.db.connections import Connection
from booking.db.mirror import said_of
from booking.db.pool import Connection as Conn
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.local_days import days_touched
from pims_adapters import contract as pims

MOST_PAGES = 1000
FREES_ITS_TIME = ("cancelled", "no_show")
OURS_TO_NOTE = ("confirmed", "arrived", "fulfilled", "no_show")
KINDS: dict[type, pims.Kind] = {pims.Client: "client", pims.Patient: "patient", pims.Appointment: "appointment"}

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
    feed, cursor = adapter.feeds[0].name, connection.cursor
    for _ in range(MOST_PAGES):
        async with of_practice(pool, connection.practice_id) as conn:
            written_before = await connections.changes_written(conn, connection.practice_id)
        try:
            page = await adapter.changes(feed, cursor)
        except pims.CursorExpired:
            log.warning("sync.cursor_expired", connection=str(connection.connection_id))
            page = await adapter.changes(feed, None)
        page = replace(page, changes=[*mapped(page.changes, connection.maps)])
        try:
            async with of_practice(pool, connection.practice_id) as conn, conn.transaction():
                if not await connections.lock_sync(conn, connection.practice_id, connection.connection_id, cursor):
                    return Synced(changes=applied, complete=False)  # another worker is at it, or has been
                if await _apply(conn, connection, page, clock()):
                    await _check_not_overtaken(conn, connection.practice_id, written_before)
                await connections.advance(
                    conn,
                    connection.practice_id,
                    connection.connection_id,
                    page.cursor,
                    None if page.more else min(page.as_of, clock()),
                )
        except _Overtaken:
            continue
        applied += len(page.changes)
        cursor = page.cursor
        if not page.more:
            return Synced(changes=applied, complete=True)
    return Synced(changes=applied, complete=False)


class _Overtaken(Exception):
    """Rolls a page back that may show an appointment as it was before the PIMS changed it on our word."""


async def _check_not_overtaken(conn: Conn, practice_id: UUID, written_before: int) -> None:
    """Raise `_Overtaken` where a change of ours was written since the page was asked for: it is to be read again."""
    if await connections.changes_written(conn, practice_id) != written_before:
        raise _Overtaken


async def _apply(conn: Conn, connection: Connection, page: pims.ChangePage, now: datetime) -> bool:
    """Apply one page: what others refer to first, and of a record that changed twice its last state.

    True: it had news for an appointment of ours.
    """
    if not page.changes:
        return False
    practice_id, window = connection.practice_id, connection.import_settings
    practice = await practices.practice_by_id(conn, practice_id)
    if practice is None:
        raise LookupError("A connection's practice is kept as long as the connection.")
    last = {
        (type(change), change.pims_id): change
        for change in page.changes
        if not isinstance(change, pims.Gone | pims.Merged)
    }
    for change in last.values():
        match change:
            case pims.Practice():
                await practices.set_hours(conn, practice_id, change.timezone, change.hours)
            case pims.Resource():
                await mirror.put_resource(conn, practice_id, uuid4(), change)
            case pims.Closure():
                await mirror.put_closure(conn, practice_id, uuid4(), change)
            case pims.AppointmentType():
                await mirror.put_appointment_type(conn, practice_id, uuid4(), change)
    await _recognize(conn, practice_id, [*last.values()])
    resource_ids = await mirror.resource_ids(conn, practice_id)
    for change in last.values():
        # A column that the PIMS has not told us of cannot be booked with us either: its time does not matter.
        if isinstance(change, pims.BlockOff) and change.resource in resource_ids:
            await mirror.put_block_off(conn, practice_id, uuid4(), resource_ids[change.resource], change)
    await _put_clients(conn, practice, [one for one in last.values() if isinstance(one, pims.Client)], now)
    for change in last.values():
        if isinstance(change, pims.Patient) and not await mirror.put_patient(conn, practice_id, uuid4(), change):
            log.warning("sync.patient_of_unknown_client", practice=str(practice_id), pims_id=change.pims_id)
    appointments = [one for one in last.values() if isinstance(one, pims.Appointment)]
    news = await _put_appointments(conn, practice, appointments, resource_ids, window, now)
    for gone in page.changes:
        if isinstance(gone, pims.Gone):
            await _forget(conn, practice_id, gone, now)
    await practices.raise_schedule_version(conn, practice_id)
    return news


async def _recognize(conn: Conn, practice_id: UUID, records: list[pims.Change]) -> None:
    """Recognize records that we wrote, which may come back before we have heard that they were written."""
    ours: list[tuple[UUID, pims.Kind, str]] = []
    for record in records:
        if isinstance(record, pims.Client | pims.Patient | pims.Appointment) and record.marker is not None:
            kind = KINDS[type(record)]
            subject_id = await write_backs.subject_of_key(conn, practice_id, kind, record.marker)
            if subject_id is not None:
                ours.append((subject_id, kind, record.pims_id))
    for subject_id, kind, pims_id in sorted(ours, key=lambda one: one[0]):
        await write_backs.set_pims_id(conn, practice_id, kind, subject_id, pims_id)


async def _put_clients(conn: Conn, practice: Practice, records: list[pims.Client], now: datetime) -> None:
    contacts: list[tuple[UUID, Contact, str]] = []
    client_ids: list[UUID] = []
    for record in records:
        client_id = await mirror.put_client(conn, practice.practice_id, uuid4(), record, now)
        client_ids.append(client_id)
        read = [(read_phone(typed, practice.region), typed) for typed in record.phones]
        read += [(read_email(typed), typed) for typed in record.emails]
        # What cannot be read reaches nobody; the PIMS keeps it as it is.
        contacts += [(client_id, contact, typed) for contact, typed in read if contact is not None]
    await mirror.forget_contacts(conn, practice.practice_id, client_ids)
    await clients.insert_contacts(conn, practice.practice_id, contacts)


async def _put_appointments(
    conn: Conn,
    practice: Practice,
    records: list[pims.Appointment],
    resource_ids: dict[str, UUID],
    window: ImportSettings | None,
    now: datetime,
) -> bool:
    """Mirror appointments and what they take, double bookings included; one that did not change keeps its claims.

    Where a change of ours is on its way, what the PIMS only repeats does not undo it; what is news there does. True:
    there was news for an appointment of ours.
    """
    practice_id = practice.practice_id
    await mirror.lock_mirrored(conn, practice_id, [one.pims_id for one in records])
    days = {day for one in records for day in days_touched(one.start, one.end, practice.timezone)}
    await claims.lock_days(conn, practice_id, days)
    known = await mirror.mirrored_appointments(conn, practice_id, [one.pims_id for one in records])
    news = False
    added: list[tuple[UUID, pims.Appointment]] = []
    takes: list[tuple[Holder, Occupied]] = []
    for record in records:
        uses = {resource_ids[pims_id] for pims_id in record.resources if pims_id in resource_ids}
        ours = known.get(record.pims_id)
        if ours is None:
            if outside(record, window, now):
                continue
            appointment_id, status = uuid4(), record.status
            added.append((appointment_id, record))
        else:
            appointment_id = ours.appointment_id
            said = said_of(record)
            await mirror.update_from_pims(conn, practice_id, appointment_id, record)
            if ours.ahead and ours.said in (None, said):
                continue
            # What was noted of a visit with us stands until the PIMS says something else than before.
            repeated = ours.said is not None and ours.said.status == record.status
            status = ours.status if repeated and ours.status in OURS_TO_NOTE else record.status
            busy = uses if status not in FREES_ITS_TIME else set()
            await mirror.move_from_pims(conn, practice_id, appointment_id, status, record)
            if ours.ahead:
                await mirror.followed_by_hand(conn, practice_id, appointment_id, now)
            if (ours.starts_at, ours.ends_at, set(ours.resource_ids)) == (record.start, record.end, busy):
                continue
            news = news or ours.source != "pims"
            await mirror.set_resources(conn, practice_id, appointment_id, {"resource": sorted(map(str, uses))})
            await claims.free_appointment(conn, practice_id, appointment_id)
        holder = Holder(appointment_id=appointment_id)
        busy = uses if status not in FREES_ITS_TIME else set()
        takes += [(holder, Occupied(resource=str(one), start=record.start, end=record.end)) for one in sorted(busy)]
    await mirror.insert_from_pims(conn, practice_id, added, now)
    await take(conn, practice, takes)
    return news


async def _forget(conn: Conn, practice_id: UUID, gone: pims.Gone, now: datetime) -> None:
    if gone.of == "appointment":
        known = await mirror.mirrored_appointments(conn, practice_id, [gone.pims_id])
        for one in known.values():
            await claims.free_appointment(conn, practice_id, one.appointment_id)
            await mirror.followed_by_hand(conn, practice_id, one.appointment_id, now)
    await mirror.forget(conn, practice_id, gone)
