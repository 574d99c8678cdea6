"""Request: ask the practice for an appointment where none can be booked at once, and what staff make of it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from msgspec import Struct

from booking.contacts import Contact
from booking.db import requests
from booking.db.messages import queue_message
from booking.db.pool import Connection, Pool, of_practice
from booking.db.practices import Practice
from booking.db.requests import AppointmentRequest
from booking.db.write_backs import wake_workers
from booking.messages import declined_message
from booking.offers import NotBookableOnline, offered_types
from booking.once import keep, once
from booking.policies import nothing_is_urgent
from booking.webhooks import announce


class Asked(Struct, frozen=True, kw_only=True):
    """What a person asks for, in their own words."""

    appointment_type_id: UUID | None
    contact: Contact
    name: str
    patient_name: str
    species: str
    preferred_times: str = ""
    message: str = ""


class RequestUnknown(Exception):
    """There is no such request. Please list them to see which there are."""


class RequestDecided(Exception):
    """This request was booked, declined or withdrawn already. Please look at the list again."""


async def request_appointment(
    pool: Pool, practice: Practice, asked: Asked, *, now: datetime, key: str | None = None
) -> AppointmentRequest:
    """Put a request before the practice's staff, once per key if there is one; whoever asks need not be a client.

    Raises `NotBookableOnline` for a type that is not offered, `Urgent`, `KeyReused`, `KeyBusy`.
    """
    nothing_is_urgent(practice, [asked.message, asked.preferred_times])
    practice_id = practice.practice_id
    request = AppointmentRequest(
        appointment_request_id=uuid4(),
        appointment_type_id=asked.appointment_type_id,
        contact_kind=asked.contact.kind,
        contact_value=asked.contact.value,
        name=asked.name,
        patient_name=asked.patient_name,
        species=asked.species,
        preferred_times=asked.preferred_times,
        message=asked.message,
        created_at=now,
    )
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        kept = None if key is None else await once(conn, practice_id, key, asked, now)
        if kept is not None:
            return await find_request(conn, practice_id, UUID(kept))
        if asked.appointment_type_id is not None:
            offered = {one.appointment_type_id for one in await offered_types(conn, practice)}
            if asked.appointment_type_id not in offered:
                raise NotBookableOnline(NotBookableOnline.__doc__)
        await requests.insert_request(conn, practice_id, request)
        if key is not None:
            await keep(conn, practice_id, key, str(request.appointment_request_id))
        await announce(conn, practice_id, "request.created", request.appointment_request_id, now)
    return request


async def find_request(conn: Connection, practice_id: UUID, request_id: UUID) -> AppointmentRequest:
    """Return a request. Raises `RequestUnknown`."""
    found = await requests.request_by_id(conn, practice_id, request_id)
    if found is None:
        raise RequestUnknown(RequestUnknown.__doc__)
    return found


async def open_request(conn: Connection, practice_id: UUID, request_id: UUID) -> AppointmentRequest:
    """Return an open request, locked for a decision. Raises `RequestUnknown`, `RequestDecided`."""
    found = await requests.lock_request(conn, practice_id, request_id)
    if found is None:
        raise RequestUnknown(RequestUnknown.__doc__)
    if found.status != "open":
        raise RequestDecided(RequestDecided.__doc__)
    return found


def contact_of(request: AppointmentRequest) -> Contact:
    """Return how whoever asked can be reached; it need not be proven."""
    return Contact(kind=request.contact_kind, value=request.contact_value)


async def decline(pool: Pool, practice: Practice, request_id: UUID, words: str, *, now: datetime) -> AppointmentRequest:
    """Decline a request and tell whoever asked in the practice's words. Raises `RequestUnknown`, `RequestDecided`."""
    practice_id = practice.practice_id
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        request = await open_request(conn, practice_id, request_id)
        await requests.decide(conn, practice_id, request_id, "declined", now, answer=words)
        await queue_message(conn, declined_message(practice, contact_of(request), request.patient_name, words), now)
        await wake_workers(conn, "message")
        return await find_request(conn, practice_id, request_id)


async def withdraw(
    pool: Pool, practice_id: UUID, request_id: UUID, contact: Contact, *, now: datetime
) -> AppointmentRequest:
    """Take a request back, for whoever has proven the contact it was made with; one that was taken back stays so.

    Raises `RequestUnknown`, `RequestDecided`.
    """
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        found = await requests.lock_request(conn, practice_id, request_id)
        if found is None or contact_of(found) != contact:
            raise RequestUnknown(RequestUnknown.__doc__)
        if found.status in ("booked", "declined"):
            raise RequestDecided(RequestDecided.__doc__)
        if found.status == "open":
            await requests.decide(conn, practice_id, request_id, "withdrawn", now)
        return await find_request(conn, practice_id, request_id)
