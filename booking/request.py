"""Request: ask the practice for an appointment where none can be booked at once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from msgspec import Struct

from booking.contacts import Contact
from booking.db.appointments import AppointmentRequest, insert_request
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice


class Asked(Struct, frozen=True, kw_only=True):
    """What a person asks for, in their own words."""

    appointment_type_id: UUID | None
    contact: Contact
    name: str
    patient_name: str
    species: str
    preferred_times: str = ""
    message: str = ""


async def request_appointment(pool: Pool, practice: Practice, asked: Asked, *, now: datetime) -> AppointmentRequest:
    """Put a request before the practice's staff; whoever asks need not be a client."""
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
    async with of_practice(pool, practice.practice_id) as conn:
        await insert_request(conn, practice.practice_id, request)
    return request
