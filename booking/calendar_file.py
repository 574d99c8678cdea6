"""The `.ics` file of an appointment: a stable UID, and a title that gives nothing away on a shared calendar."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

from icalendar import Calendar, Event, Timezone, vCalAddress

from booking.db.appointments import Appointment
from booking.db.practices import Practice
from booking.local_days import in_zone


def calendar_file(
    practice: Practice,
    appointment: Appointment,
    *,
    patient_name: str,
    now: datetime,
    attendee: str | None = None,
    manage_url: str = "",
) -> bytes:
    """Return an appointment as an iCalendar file (RFC 5545; methods by RFC 5546).

    A download publishes and names nobody. An email invites its `attendee` (the client's address), where the practice
    has an address that the calendar's answer can go to; of a cancelled appointment it takes the invitation back.
    `manage_url`: where its client can change it, for those who get the file themselves.
    """
    invited = attendee if practice.email else None
    cancelled = appointment.status == "cancelled"
    method = "PUBLISH" if not invited else "CANCEL" if cancelled else "REQUEST"
    calendar = Calendar()
    calendar.add("prodid", "-//vetslot//online booking//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    event = Event()
    event.add("uid", f"{appointment.appointment_id}@vetslot")
    event.add("sequence", appointment.calendar_sequence)
    event.add("dtstamp", now)
    event.add("dtstart", in_zone(appointment.starts_at, practice.timezone))
    event.add("dtend", in_zone(appointment.ends_at, practice.timezone))
    event.add("summary", f"{patient_name}: visit with {practice.name}")
    event.add("location", practice.address)
    change = f"To change it: {manage_url}" if manage_url else f"To change it, call {practice.phone}."
    event.add("description", f"Reference {appointment.reference}. {change}")
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    if invited:
        event.add("organizer", vCalAddress(f"mailto:{practice.email}"))
        event.add("attendee", vCalAddress(f"mailto:{invited}"))
    calendar.add_component(_zone(practice.timezone, appointment.starts_at.year))
    calendar.add_component(event)
    file: bytes = calendar.to_ical()
    return file


@lru_cache(maxsize=500)
def _zone(timezone: str, year: int) -> Timezone:
    """Return the zone's description for visits of a year: of its past and its far future a calendar needs nothing."""
    return Timezone.from_tzid(timezone, first_date=date(year - 1, 12, 1), last_date=date(year + 1, 2, 1))
