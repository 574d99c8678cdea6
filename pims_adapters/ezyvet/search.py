"""Looking in ezyVet for what carries our key, and for clients by a phone or email.

A filter that finds the record is believed. One that finds nothing, or is refused, is not: the recent rows are read
through as well, since absence lets a booking be sent again.
"""

from __future__ import annotations

from typing import TypeVar

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from pims_adapters.contract import Client, PimsUnavailable
from pims_adapters.ezyvet import records, wire
from pims_adapters.ezyvet.drafts import detail_names
from pims_adapters.ezyvet.line import Call, Refused
from pims_adapters.ezyvet.marker import mark, marker_of
from pims_adapters.ezyvet.paging import compared, every_row_settled, page
from pims_adapters.ezyvet.site import Site

RECENT_SECONDS = 14 * 24 * 3600
MOST_RECENT_PAGES = 20

R = TypeVar("R", bound=wire.Row)


async def find_appointment(call: Call, site: Site, key: str) -> str | None:
    query = {"description": compared(like=f"%{mark(key)}%")}
    rows = await _filtered(call, "/v2/appointment", wire.Appointment, query)
    rows = [one for one in rows if marker_of(one.description) == key]
    if not rows:
        recent = await _recent(call, site, "/v2/appointment", wire.Appointment)
        rows = [one for one in recent if marker_of(one.description) == key]
    return _oldest([one.id for one in rows])


async def find_client(call: Call, site: Site, key: str) -> str | None:
    query = {"name": compared(**{"in": detail_names(key)})}
    rows = await _filtered(call, "/v1/contactdetail", wire.ContactDetail, query)
    rows = [one for one in rows if marker_of(one.name) == key]
    if not rows:
        recent = await _recent(call, site, "/v1/contactdetail", wire.ContactDetail)
        rows = [one for one in recent if marker_of(one.name) == key]
    return _oldest([one.contact_id for one in rows])


async def find_patient(call: Call, site: Site, key: str) -> str | None:
    query = {"notes": compared(like=f"%{mark(key)}%")}
    rows = await _filtered(call, "/v1/animal", wire.Animal, query)
    rows = [one for one in rows if marker_of(one.notes) == key]
    if not rows:
        recent = await _recent(call, site, "/v1/animal", wire.Animal)
        rows = [one for one in recent if marker_of(one.notes) == key]
    return _oldest([one.id for one in rows])


async def clients_with(call: Call, *, phone: str | None, email: str | None) -> list[Client]:
    """Return the active clients with a phone (E.164), however it was typed, or an email."""
    asked = _spellings(phone) + ([email, email.casefold()] if email else [])
    if not asked:
        return []
    query = {"value": compared(**{"in": sorted(set(asked))})}
    details = await every_row_settled(call, "/v1/contactdetail", wire.ContactDetail, query)
    rows = await records.contacts_by_id(call, (one.contact_id for one in details if one.is_active))
    return [
        one
        for one in await records.clients(call, rows)
        if one.active
        and (
            (phone is not None and any(_digits(each)[-9:] == _digits(phone)[-9:] for each in one.phones))
            or (email is not None and email.casefold() in {each.casefold() for each in one.emails})
        )
    ]


async def _filtered(call: Call, path: str, type_: type[R], query: dict[str, str]) -> list[R]:
    """Ask for the row itself; none, where ezyVet refuses the filter. Where it ignored it, these are any rows."""
    try:
        rows, _ = await page(call, path, type_, query)
    except Refused:
        return []
    return rows


async def _recent(call: Call, site: Site, path: str, type_: type[R]) -> list[R]:
    """Return the rows made in the last two weeks, all of them or none: what was not read may be what is looked for."""
    await site.practice_now(call)
    if call.at is None:
        raise PimsUnavailable("ezyVet does not say what time it is.", outcome_unknown=False)
    query = {"created_at": compared(gt=str(wire.epoch(call.at) - RECENT_SECONDS))}
    return await every_row_settled(call, path, type_, query, most=MOST_RECENT_PAGES)


def _oldest(ids: list[int]) -> str | None:
    """Should there be two, the second is the mistake."""
    return str(min(ids)) if ids else None


def _spellings(phone: str | None) -> list[str]:
    """Return the ways in which people type a phone; ezyVet compares letter by letter."""
    try:
        read = phonenumbers.parse(phone or "")
    except NumberParseException:
        return [phone] if phone else []
    formats = (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL)
    written = [phonenumbers.format_number(read, one) for one in formats]
    national = _digits(written[2])
    written += [national, _digits(written[0]), *(written[2].translate({ord(c): None for c in "()"}).split("\n"))]
    if len(national) == 10:  # noqa: PLR2004 - as North Americans write them
        area, exchange, line = national[:3], national[3:6], national[6:]
        written += [f"{area}{dash}{exchange}{dash}{line}" for dash in "-. "]
        written += [f"({area}) {exchange}-{line}", f"({area}){exchange}-{line}", f"1-{area}-{exchange}-{line}"]
        written += [f"+1-{area}-{exchange}-{line}", f"+1 ({area}) {exchange}-{line}", f"1{national}"]
    return written


def _digits(text: str) -> str:
    return "".join(one for one in text if one.isdigit())
