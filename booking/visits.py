"""Visits: an appointment as the client who holds its manage link sees it."""

from __future__ import annotations

from msgspec import Struct

from booking.db import appointment_types, appointments, clients, schedule
from booking.db.appointment_types import AppointmentType
from booking.db.appointments import Appointment
from booking.db.clients import Patient
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.tokens import digest


class ClientVisit(Struct, frozen=True, kw_only=True):
    """An appointment with the names that go with it."""

    appointment: Appointment
    appointment_type: AppointmentType
    patient: Patient
    providers: list[str]


async def visit_by_token(pool: Pool, practice: Practice, manage_token: str) -> ClientVisit | None:
    """Find the visit of whoever has its manage link."""
    async with of_practice(pool, practice.practice_id) as conn:
        appointment = await appointments.appointment_by_token(conn, practice.practice_id, digest(manage_token))
        if appointment is None:
            return None
        appointment_type = await appointment_types.any_appointment_type(
            conn, practice.practice_id, appointment.appointment_type_id
        )
        patient = await clients.patient_by_id(conn, practice.practice_id, appointment.patient_id)
        resources = await schedule.resources(conn, practice.practice_id)
    if appointment_type is None or patient is None:
        raise LookupError("An appointment's type and patient are kept as long as it is.")
    serving = {id_ for ids in appointment.resources.values() for id_ in ids}
    providers = [one.name for one in resources if one.kind == "provider" and str(one.resource_id) in serving]
    return ClientVisit(appointment=appointment, appointment_type=appointment_type, patient=patient, providers=providers)
