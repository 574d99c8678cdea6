"""Drift: compare what the PIMS lists with our mirror, record by record. What differs has a budget of zero.

It asks and compares, and changes nothing: what `pages` and `silence` have missed is to show here. A change of ours
that is still on its way there is no drift.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any
from uuid import UUID

from booking.connect.mapping import mapped, outside
from booking.db import drift as drift_db
from booking.db import mirror as mirror_db
from booking.db import mirrored_appointments, mirrored_people, practices
from booking.db.connections import Connection
from booking.db.drift import Difference, DriftReport
from booking.db.mirror import ClosedTime, said
from booking.db.mirrored_appointments import Mirrored
from booking.db.mirrored_people import MirroredClient, MirroredPatient
from booking.db.pool import Connection as Conn
from booking.db.pool import Pool, of_practice
from booking.sync.appointments import FREES_ITS_TIME, OURS_TO_NOTE
from booking.sync.silence import BY_DAYS, PEOPLE, SET_UP, Asked, had
from pims_adapters import contract as pims

MOST_NAMED = 200
MOST_DAYS = 62


async def compare(
    pool: Pool,
    adapter: pims.PimsAdapter,
    connection: Connection,
    first: date,
    last: date,
    *,
    clock: Callable[[], datetime],
) -> DriftReport:
    """Compare some local days (at most 62) and keep the report for staff. Raises the adapter's `PimsError`s."""
    if not 0 <= (last - first).days < MOST_DAYS:
        raise ValueError(f"Compare 1 to {MOST_DAYS} days, the first one first.")
    practice_id = connection.practice_id
    async with of_practice(pool, practice_id) as conn:
        practice = await practices.practice_by_id(conn, practice_id)
    if practice is None:
        raise LookupError("A connection's practice is kept as long as the connection.")
    read = {kind for feed in adapter.feeds for kind in feed.kinds}
    compared, complete, found = 0, True, list[Difference]()
    for kind in (*SET_UP, *PEOPLE, *BY_DAYS):
        if kind not in read:
            continue
        asked = Asked(kind=kind, first=first, last=last, timezone=practice.timezone)
        listing = await _listed(adapter, asked)
        if listing is None or not listing.complete:
            complete = False
            continue
        async with of_practice(pool, practice_id) as conn, conn.transaction():
            theirs = [
                one
                for one in mapped(listing.records, connection.maps)
                if not (isinstance(one, pims.Appointment) and outside(one, connection.import_settings, clock()))
            ]
            compared += len(theirs)
            found += await _differences(conn, connection, asked, theirs)
    report = DriftReport(
        at=clock(),
        first=first,
        last=last,
        complete=complete,
        compared=compared,
        differing=len(found),
        differences=found[:MOST_NAMED],
    )
    async with of_practice(pool, practice_id) as conn:
        await drift_db.put_report(conn, practice_id, connection.connection_id, report)
    return report


async def _listed(adapter: pims.PimsAdapter, asked: Asked) -> pims.Listing | None:
    """Ask for a listing; None where this system cannot list records of this kind."""
    if not isinstance(adapter, pims.ListsRecords):
        return None
    try:
        return await adapter.listing(asked.kind, asked.first, asked.last)
    except pims.PimsRejected:
        return None


async def _differences(conn: Conn, connection: Connection, asked: Asked, theirs: list[pims.Change]) -> list[Difference]:
    practice_id, kind = connection.practice_id, asked.kind
    shown = {one.pims_id: one for one in theirs}
    expected = {*await had(conn, practice_id, asked)}
    found = [Difference(kind=kind, pims_id=one, only="here") for one in sorted(expected - shown.keys())]
    match kind:
        case "appointment":
            found += await _of_appointments(conn, connection, [*theirs])
        case "blockoff":
            closed = {one.pims_id: one for one in await mirror_db.block_offs(conn, practice_id)}
            found += _of(kind, shown, {pims_id: _closed(one) for pims_id, one in closed.items()}, _closed)
        case "client":
            clients = await mirrored_people.clients(conn, practice_id, [*shown])
            found += _of(kind, shown, {pims_id: _client(one) for pims_id, one in clients.items()}, _client)
        case "patient":
            patients = await mirrored_people.patients(conn, practice_id, [*shown])
            found += _of(kind, shown, {pims_id: _patient(one) for pims_id, one in patients.items()}, _patient)
        case _:
            found += [Difference(kind=kind, pims_id=one, only="there") for one in sorted(shown.keys() - expected)]
    return found


Fields = dict[str, object]


def _of(
    kind: pims.RecordKind, shown: dict[str, pims.Change], ours: dict[str, Fields], fields_of: Callable[[Any], Fields]
) -> list[Difference]:
    """Compare records field by field."""
    found = []
    for pims_id, record in shown.items():
        if pims_id not in ours:
            found.append(Difference(kind=kind, pims_id=pims_id, only="there"))
            continue
        fields = [name for name, value in fields_of(record).items() if ours[pims_id][name] != value]
        if fields:
            found.append(Difference(kind=kind, pims_id=pims_id, fields=fields))
    return found


def _closed(one: pims.BlockOff | ClosedTime) -> Fields:
    time = one.time
    when = time.starts, time.duration, time.rrule, tuple(time.exdates)
    return {"resource": one.resource, "time": when, "reason": one.reason}


def _client(one: pims.Client | MirroredClient) -> Fields:
    return {"given_name": one.given_name, "family_name": one.family_name, "active": one.active}


def _patient(one: pims.Patient | MirroredPatient) -> Fields:
    names = ("client", "name", "species", "breed", "sex", "birth_date", "status")
    return {name: getattr(one, name) for name in names}


async def _of_appointments(conn: Conn, connection: Connection, theirs: list[pims.Change]) -> list[Difference]:
    """Compare appointments; of what was booked with us the PIMS may hold fewer columns, and its words cut short."""
    ours = await mirrored_appointments.mirrored(conn, connection.practice_id, [one.pims_id for one in theirs])
    columns = await mirror_db.resource_ids(conn, connection.practice_id)
    found = []
    for record in theirs:
        if not isinstance(record, pims.Appointment):
            continue
        one = ours.get(record.pims_id)
        if one is None:
            if said(record).status not in FREES_ITS_TIME:
                found.append(Difference(kind="appointment", pims_id=record.pims_id, only="there"))
        elif not one.ahead:
            fields = [*_differing(one, record, columns)]
            if fields:
                found.append(Difference(kind="appointment", pims_id=record.pims_id, fields=fields))
    return found


def _differing(ours: Mirrored, record: pims.Appointment, columns: dict[str, UUID]) -> Iterator[str]:
    theirs = said(record)
    noted = ours.status in OURS_TO_NOTE and ours.said is not None and ours.said.status == theirs.status
    if ours.status != theirs.status and not noted:
        yield "status"
    if (ours.starts_at, ours.ends_at) != (theirs.start, theirs.end):
        yield "time"
    there = {columns[one] for one in theirs.resources if one in columns}
    taken = set(ours.claimed)
    if ours.status in FREES_ITS_TIME:
        wrong = bool(taken)
    else:
        wrong = there != taken if ours.source == "pims" else not there <= taken
    if wrong:
        yield "resources"
    for name in ("appointment_type", "client", "patient"):
        if getattr(theirs, name) not in (None, getattr(ours, name)):
            yield name
    if ours.source == "pims" and ours.description != theirs.description:
        yield "description"
