"""The calendar file: an invitation by email, a plain entry as a download, and a title that gives nothing away."""

from __future__ import annotations

import msgspec
from icalendar import Calendar

from booking.book import Booked
from booking.calendar_file import calendar_file
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import hold_first, olivias_booking, send


async def test_a_download_names_nobody_and_an_email_invites(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish())
    booked = await send(riverside, await olivias_booking(riverside, held, reason="Vomits"), "k")
    assert isinstance(booked, Booked)
    practice = riverside.practice

    def calendar(*, attendee: str | None = None, reply_to: str = practice.email) -> Calendar:
        whose = msgspec.structs.replace(practice, email=reply_to)
        file = calendar_file(whose, booked.appointment, patient_name="Biscuit", now=NOW, attendee=attendee)
        found = Calendar.from_ical(file)
        assert isinstance(found, Calendar)
        return found

    download, invitation = calendar(), calendar(attendee="olivia.carter@example.com")
    assert download["method"] == "PUBLISH"
    assert invitation["method"] == "REQUEST"
    (event,), (invited,) = download.walk("VEVENT"), invitation.walk("VEVENT")
    assert str(event["uid"]) == str(invited["uid"]) == f"{booked.appointment.appointment_id}@vetslot"
    assert "attendee" not in event
    assert str(invited["attendee"]) == "mailto:olivia.carter@example.com"
    assert str(invited["organizer"]) == f"mailto:{practice.email}"
    assert str(event["summary"]) == "Biscuit: visit with Riverside Animal Hospital"
    assert "Vomits" not in download.to_ical().decode()
    assert event.decoded("dtstart") == booked.appointment.starts_at
    assert f"DTSTART;TZID={practice.timezone}:" in download.to_ical().decode()
    assert [str(zone["tzid"]) for zone in download.walk("VTIMEZONE")] == [practice.timezone]
    assert calendar(attendee="olivia.carter@example.com", reply_to="")["method"] == "PUBLISH"


async def test_what_people_typed_is_what_their_calendars_show(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish())
    booked = await send(riverside, await olivias_booking(riverside, held), "k")
    assert isinstance(booked, Booked)
    name = "Zoë; “Zu, zu” \\ the Great\nBEGIN:VEVENT" * 3
    address = "1 River Road,\nSpringfield" + "é" * 200
    whose = msgspec.structs.replace(riverside.practice, address=address)

    file = calendar_file(whose, booked.appointment, patient_name=name, now=NOW)

    assert max(len(line) for line in file.split(b"\r\n")) <= 75
    (event,) = Calendar.from_ical(file).walk("VEVENT")
    assert str(event["summary"]) == f"{name}: visit with {whose.name}"
    assert str(event["location"]) == address
