"""The events that we write: named after our key, so that writing one twice is writing it once, and known again by it.

An appointment stands in the calendar of each of its resources, under the same name and UID. Each of these copies says
which calendars there should be, so that a half-written appointment is told from a whole one.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import quote, unquote
from uuid import UUID, uuid5

import icalendar
from msgspec import Struct

from pims_adapters.caldav.events import Entry, Stored, VEvent
from pims_adapters.contract import Appointment, AppointmentDraft, Status

NAMESPACE = UUID("3f0f9a3e-6f0b-5d7c-9a53-6a6d2f3d9c11")
OUR_UID = re.compile(r"vetslot-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TAG = re.compile(r"\[vetslot:([^\s\]]*)\]")
CONFIRMED = "Confirmed by the client"
KEY, TYPE, RESOURCES = "X-VETSLOT-KEY", "X-VETSLOT-TYPE", "X-VETSLOT-RESOURCES"
# All three percent-encoded: Radicale 3.9 drops what follows a comma in a property that it does not know.


class Copy(Struct, frozen=True, kw_only=True):
    """Our appointment as it stands in one calendar."""

    stored: Stored
    entry: Entry
    key: str | None
    appointment_type: str | None
    resources: tuple[str, ...]
    confirmed: bool
    description: str
    touched: datetime


def uid_of(key: str) -> str:
    return f"vetslot-{uuid5(NAMESPACE, key)}"


def name_of(uid: str) -> str:
    return f"{uid}.ics"


def uid_in(name: str) -> str | None:
    """Return the UID that a name of ours was made of."""
    uid = name.removesuffix(".ics")
    return uid if name != uid and OUR_UID.fullmatch(uid) else None


def is_ours(stored: Stored) -> bool:
    return OUR_UID.fullmatch(stored.uid) is not None and stored.main is not None and not stored.recurring


def copies_of(stored: Iterable[Stored]) -> list[Copy]:
    """Read those of the events that are ours."""
    return [_copy(one, one.main) for one in stored if is_ours(one) and one.main is not None]


def _copy(stored: Stored, entry: Entry) -> Copy:
    """Read an event of ours. Calendar programs may drop what they do not know: then the words in its text say it."""
    event = _event(icalendar.Calendar.from_ical(stored.text))
    description = str(event.get("DESCRIPTION", ""))
    tag = TAG.search(description)
    key = event.get(KEY) or (tag and tag.group(1))
    resources = tuple(unquote(one) for one in str(event.get(RESOURCES, "")).split("/") if one)
    type_ = event.get(TYPE)
    return Copy(
        stored=stored,
        entry=entry,
        key=None if key is None else unquote(str(key)),
        appointment_type=None if type_ is None else unquote(str(type_)),
        resources=resources or (stored.calendar,),
        confirmed=CONFIRMED in _categories(event),
        description=description,
        touched=max(_stamp(event, name) for name in ("DTSTAMP", "LAST-MODIFIED")),
    )


def is_whole(copies: list[Copy]) -> bool:
    """Tell whether the appointment stands in every calendar it should stand in."""
    there = {copy.stored.calendar for copy in copies}
    return bool(copies) and all(set(copy.resources) <= there for copy in copies)


def appointment_of(copies: list[Copy]) -> Appointment:
    """Put the copies together; where they differ, the one that was touched last tells the time."""
    last = max(copies, key=lambda copy: (copy.touched, copy.stored.calendar))
    standing = [copy for copy in copies if not copy.entry.cancelled]
    order = {calendar: place for place, calendar in enumerate(last.resources)}
    there = {copy.stored.calendar for copy in standing or copies}
    status: Status = "cancelled" if not standing else "confirmed" if last.confirmed else "booked"
    return Appointment(
        pims_id=last.stored.uid,
        start=last.entry.start,
        end=last.entry.end,
        resources=tuple(sorted(there, key=lambda calendar: (order.get(calendar, len(order)), calendar))),
        status=status,
        appointment_type=last.appointment_type,
        description=last.description,
        marker=last.key,
    )


def new_event(draft: AppointmentDraft, key: str, now: datetime) -> bytes:
    """Write an appointment for the calendars of its resources."""
    event = icalendar.Event()
    event.add("UID", uid_of(key))
    event.add("CREATED", now.astimezone(UTC))
    event.add("SUMMARY", _title(draft))
    event.add("DESCRIPTION", "\n".join([*_words(draft), "", f"[vetslot:{quote(key, safe='')}]"]))
    event.add("STATUS", "CONFIRMED")
    event.add("TRANSP", "OPAQUE")
    event.add("SEQUENCE", 0)
    event.add(KEY, quote(key, safe=""))
    event.add(TYPE, quote(draft.appointment_type, safe=""))
    _place(event, draft, now)
    calendar = icalendar.Calendar()
    calendar.add("PRODID", "-//vetslot//online booking//EN")
    calendar.add("VERSION", "2.0")
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def moved(text: str, draft: AppointmentDraft, now: datetime) -> bytes:
    """Return the event at the draft's time, whatever else staff wrote into it."""
    calendar = icalendar.Calendar.from_ical(text)
    event = _event(calendar)
    for name in ("DTSTART", "DTEND", "DURATION"):
        event.pop(name, None)
    _place(event, draft, now)
    return _touched(calendar, now)


def cancelled(text: str, now: datetime) -> bytes:
    """Return the event cancelled, and its time free."""
    calendar = icalendar.Calendar.from_ical(text)
    event = _event(calendar)
    _put(event, "STATUS", "CANCELLED")
    _put(event, "TRANSP", "TRANSPARENT")
    return _touched(calendar, now)


def confirmed(text: str, now: datetime) -> bytes:
    """Return the event with the category that says so, which staff see."""
    calendar = icalendar.Calendar.from_ical(text)
    event = _event(calendar)
    _put(event, "CATEGORIES", [*_categories(event), CONFIRMED])
    return _touched(calendar, now)


def stands_as(copies: list[Copy], draft: AppointmentDraft) -> bool:
    """Tell whether every copy stands as the draft says, in the draft's calendars and no others."""
    return {copy.stored.calendar for copy in copies} == set(draft.resources) and all(
        (copy.entry.start, copy.entry.end) == (draft.start, draft.end) and set(copy.resources) == set(draft.resources)
        for copy in copies
    )


def _place(event: VEvent, draft: AppointmentDraft, now: datetime) -> None:
    event.add("DTSTART", draft.start.astimezone(UTC))
    event.add("DTEND", draft.end.astimezone(UTC))
    _put(event, "DTSTAMP", now.astimezone(UTC))
    _put(event, RESOURCES, "/".join(quote(one, safe="") for one in draft.resources))


def _touched(calendar: icalendar.Calendar, now: datetime) -> bytes:
    event = _event(calendar)
    _put(event, "DTSTAMP", now.astimezone(UTC))
    _put(event, "LAST-MODIFIED", now.astimezone(UTC))
    _put(event, "SEQUENCE", int(event.get("SEQUENCE", 0)) + 1)
    return bytes(calendar.to_ical())


def _title(draft: AppointmentDraft) -> str:
    who = draft.visitor
    return f"{who.patient} ({who.client})" if who else "Online booking"


def _words(draft: AppointmentDraft) -> list[str]:
    who = draft.visitor
    lines = [draft.description]
    if who is not None:
        lines += [line for line in ("", f"{who.client}: {who.patient} {who.species}".strip()) if line]
        lines += [contact for contact in (who.phone, who.email) if contact]
    return [*lines, "New client"] if draft.new_client else lines


def _event(calendar: icalendar.Component) -> VEvent:
    return next(one for one in calendar.walk("VEVENT") if "RECURRENCE-ID" not in one)


def _put(event: VEvent, name: str, value: object) -> None:
    event.pop(name, None)
    event.add(name, value)


def _categories(event: VEvent) -> list[str]:
    found = event.get("CATEGORIES", [])
    return [str(word) for line in (found if isinstance(found, list) else [found]) for word in line.cats]


def _stamp(event: VEvent, name: str) -> datetime:
    found = event.get(name)
    when = getattr(found, "dt", None)
    return when if isinstance(when, datetime) and when.tzinfo is not None else datetime.min.replace(tzinfo=UTC)
