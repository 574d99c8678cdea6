"""The `.ics` file of an appointment: a stable UID, and a title that gives nothing away on a shared calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache

from icalendar import Timezone

from booking.db.appointments import Appointment
from booking.db.practices import Practice
from booking.local_days import in_zone

LONGEST_LINE = 75


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
    change = f"To change it: {manage_url}" if manage_url else f"To change it, call {practice.phone}."
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//vetslot//online booking//EN",
        f"METHOD:{method}",
        _zone(practice.timezone, appointment.starts_at.year),
        "BEGIN:VEVENT",
        f"UID:{appointment.appointment_id}@vetslot",
        f"SEQUENCE:{appointment.calendar_sequence}",
        f"DTSTAMP:{now.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        f"DTSTART{_local(appointment.starts_at, practice.timezone)}",
        f"DTEND{_local(appointment.ends_at, practice.timezone)}",
        _text("SUMMARY", f"{patient_name}: visit with {practice.name}"),
        _text("LOCATION", practice.address),
        _text("DESCRIPTION", f"Reference {appointment.reference}. {change}"),
        f"STATUS:{'CANCELLED' if cancelled else 'CONFIRMED'}",
    ]
    if invited:
        lines += [_folded(f"ORGANIZER:mailto:{practice.email}"), _folded(f"ATTENDEE:mailto:{invited}")]
    lines += ["END:VEVENT", "END:VCALENDAR", ""]
    return "\r\n".join(lines).encode()


def _local(instant: datetime, timezone: str) -> str:
    return f";TZID={timezone}:{in_zone(instant, timezone):%Y%m%dT%H%M%S}"


ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r": None})


def _text(name: str, value: str) -> str:
    """Return a property whose value is what people read (RFC 5545, 3.3.11)."""
    return _folded(f"{name}:{value.translate(ESCAPED)}")


def _folded(line: str) -> str:
    """Return a line in parts of at most 75 bytes, each but the first after a space (RFC 5545, 3.1)."""
    parts, part, size = [], "", 0
    for letter in line.replace("\r", "").replace("\n", ""):
        takes = len(letter.encode())
        if size + takes > LONGEST_LINE:
            parts.append(part)
            part, size = " ", 1
        part += letter
        size += takes
    return "\r\n".join([*parts, part])


@lru_cache(maxsize=500)
def _zone(timezone: str, year: int) -> str:
    """Return the zone's description for visits of a year: of its past and its far future a calendar needs nothing."""
    zone = Timezone.from_tzid(timezone, first_date=date(year - 1, 12, 1), last_date=date(year + 1, 2, 1))
    written: bytes = zone.to_ical()
    return written.decode().strip()
