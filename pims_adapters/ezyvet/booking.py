"""Booking an appointment: the uids that ezyVet wants, a last look whether the time is free, and exactly one POST."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from pims_adapters.contract import AppointmentDraft, PimsRejected, PimsUnavailable
from pims_adapters.ezyvet import drafts, records, wire
from pims_adapters.ezyvet.line import Call, Refused
from pims_adapters.ezyvet.paging import Drifted, compared, every_row, page
from pims_adapters.ezyvet.planning import bookable
from pims_adapters.ezyvet.site import Site

LONGEST_ENTRY = timedelta(days=1)
"""An entry of the calendar that began earlier than this is over."""
FREES_ITS_TIME = ("cancelled", "no_show")
STOP = "stop"
STOPPED = "ezyVet has a stop on this client's account: please call them."
TAKEN_WORDS = ("not available", "unavailable", "overlap", "conflict", "already booked", "double book")
CONFLICT = 409

T = TypeVar("T")
R = TypeVar("R", bound=wire.Row)


async def book(call: Call, site: Site, draft: AppointmentDraft, key: str, *, base: str) -> str | None:
    """Book, and return the number of what was booked; None where ezyVet does not show it yet."""
    body = await _body(call, site, draft, key)
    booked = await write(call, "POST", "/ezycab/booking", body, wire.Booked, base=base)
    # From here on whatever fails leaves the outcome unknown: the call knows that its write has left.
    try:
        rows, _ = await page(call, "/v2/appointment", wire.Appointment, {"uid": booked.appointment})
    except Refused:
        return None
    return next((one.pims_id for one in rows if one.uid == booked.appointment), None)


async def write(call: Call, method: str, path: str, body: object, type_: type[T], *, base: str = "") -> T:
    """Write once; what ezyVet refuses is rejected."""
    try:
        return await call.write(method, path, body, type_, base=base)
    except Refused as refusal:
        if STOP in refusal.words and "credit" in refusal.words:
            raise PimsRejected(STOPPED) from None
        taken = refusal.status == CONFLICT or any(one in refusal.words for one in TAKEN_WORDS)
        fields = f" ({', '.join(refusal.fields)})" if refusal.fields else ""
        raise PimsRejected(f"ezyVet refused it: status {refusal.status}{fields}.", taken=taken) from None


async def by_id(call: Call, path: str, type_: type[R], pims_id: str) -> R | None:
    """Read one row; None where there is none of this number."""
    if not pims_id.isascii() or not pims_id.isdigit():
        return None
    rows, _ = await page(call, path, type_, {"id": pims_id})
    return next((one for one in rows if one.pims_id == pims_id), None)


async def starting(call: Call, after: datetime, before: datetime) -> list[wire.Appointment]:
    """Read the entries of the calendar that start between two instants. Raises `Drifted`."""
    query = {"start_at": compared(gt=str(wire.epoch(after)), lt=str(wire.epoch(before)))}
    return await every_row(call, "/v2/appointment", wire.Appointment, query)


async def _body(call: Call, site: Site, draft: AppointmentDraft, key: str) -> dict[str, object]:
    if draft.client is None or draft.patient is None:
        raise PimsRejected("ezyVet takes appointments of known clients and patients only.")
    kind = (await site.types_with(call, {draft.appointment_type})).get(draft.appointment_type)
    if kind is None or not kind.uid or not bookable(kind):
        raise PimsRejected("ezyVet has no such appointment type any more.")
    columns = await site.columns_with(call, set(draft.resources))
    contact = await by_id(call, "/v1/contact", wire.Contact, draft.client)
    animal = await by_id(call, "/v1/animal", wire.Animal, draft.patient)
    if contact is None or animal is None or not contact.uid or not animal.uid:
        raise PimsRejected("ezyVet no longer has this client or patient.")
    if (contact.stop_credit or "").casefold().startswith(STOP):
        raise PimsRejected(STOPPED)
    body = drafts.new_booking(draft, key, kind=kind, columns=columns, contact=contact, animal=animal)
    await _check_free(call, site, draft)
    return body


async def _check_free(call: Call, site: Site, draft: AppointmentDraft) -> None:
    """Refuse a time that is taken: whether ezyVet does so itself is not documented."""
    try:
        around = await starting(call, draft.start - LONGEST_ENTRY, draft.end)
    except Drifted:
        raise PimsUnavailable("ezyVet's calendar moved while it was read.", outcome_unknown=False) from None
    for one in await records.appointments(call, site, around):
        uses_the_same = bool(set(one.resources) & set(draft.resources))
        at_the_same_time = one.start < draft.end and draft.start < one.end
        if uses_the_same and at_the_same_time and one.status not in FREES_ITS_TIME:
            raise PimsRejected("In ezyVet the time is no longer free.", taken=True)
