"""EzyVet's feeds: its catalogue and planning guides by what differs, people and appointments by `modified_at`."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from pims_adapters.contract import AppointmentType as TypeRecord
from pims_adapters.contract import Change, ChangePage, Feed, PimsMisconfigured, PimsUnavailable, RecordKind, Resource
from pims_adapters.ezyvet import follow, records, snapshot, wire
from pims_adapters.ezyvet.line import Call
from pims_adapters.ezyvet.paging import compared
from pims_adapters.ezyvet.planning import bookable, planning_rules
from pims_adapters.ezyvet.settings import Settings
from pims_adapters.ezyvet.site import Site

FEEDS = (
    Feed(name="catalogue", kinds=("practice", "resource", "appointmenttype"), every=timedelta(minutes=5)),
    Feed(name="people", kinds=("client", "patient"), every=timedelta(seconds=30)),
    Feed(name="appointments", kinds=("appointment",)),
    Feed(name="planning", kinds=("planningrule",), every=timedelta(days=1), at="02:30"),
)
PAST = timedelta(days=92)
"""How far back appointments are read at first; what changes later comes however old it is."""
CONTACTS, DETAILS, ANIMALS = "/v1/contact", "/v1/contactdetail", "/v1/animal"
PEOPLE = (CONTACTS, DETAILS, ANIMALS)
ENOUGH = 200
"""With so many changes a page is full."""


async def page_of(call: Call, site: Site, settings: Settings, feed: str, cursor: str | None) -> ChangePage:
    """Return the page that follows a cursor."""
    match feed:
        case "catalogue":
            return await _catalogue(call, site, cursor)
        case "people":
            return await _people(call, site, cursor)
        case "appointments":
            return await _appointments(call, site, cursor)
        case "planning":
            return await _planning(call, site, settings, cursor)
        case _:
            raise PimsMisconfigured(f"ezyVet has no feed {feed!r}.")


def asked_at(call: Call) -> datetime:
    """Return the time by ezyVet's clock of the last answer."""
    if call.at is None:
        raise PimsUnavailable("ezyVet does not say what time it is.", outcome_unknown=call.wrote)
    return call.at


async def columns_and_types(call: Call, site: Site) -> tuple[list[Resource], list[TypeRecord]]:
    """Read what can be booked, anew."""
    await site.refresh(call)
    columns = [records.resource(one) for one in (await site.columns(call)).here]
    return columns, [records.appointment_type(one) for one in (await site.types(call)).values() if bookable(one)]


async def _catalogue(call: Call, site: Site, cursor: str | None) -> ChangePage:
    known = snapshot.read_snapshot(cursor)
    practice = await site.practice_now(call)
    as_of = asked_at(call)
    columns, types = await columns_and_types(call, site)
    changes, following = snapshot.compare(known, [practice, *columns, *types], more=False)
    return ChangePage(changes=changes, cursor=snapshot.write_snapshot(following), more=False, as_of=as_of)


async def _planning(call: Call, site: Site, settings: Settings, cursor: str | None) -> ChangePage:
    """Read group after group of columns, as far as the time of a call goes."""
    known = snapshot.read_snapshot(cursor)
    await site.practice_now(call)
    as_of = asked_at(call)
    changes: list[Change] = []
    while True:
        rules, more = await planning_rules(call, site, settings, known.part)
        news, known = snapshot.compare(known, rules, more=more)
        changes += news
        if not more or call.half_over:
            return ChangePage(changes=changes, cursor=snapshot.write_snapshot(known), more=more, as_of=as_of)


async def _appointments(call: Call, site: Site, cursor: str | None) -> ChangePage:
    known = follow.read_cursor(cursor)
    path = "/v2/appointment"
    mark = known.marks.get(path, follow.Mark())
    first: dict[str, str] = {}
    if not mark.since:
        await site.practice_now(call)
        now = wire.instant(known.under_way.began) if known.under_way else asked_at(call)
        first = {"start_at": compared(gt=str(wire.epoch(now - PAST)))}
    rows, stands, began = await follow.next_page(call, path, wire.Appointment, mark, known.under_way, first)
    return ChangePage(
        changes=[*await records.appointments(call, site, rows)],
        cursor=follow.write_cursor(known.standing(path, stands)),
        more=isinstance(stands, follow.Round),
        as_of=wire.instant(began),
    )


async def _people(call: Call, site: Site, cursor: str | None) -> ChangePage:
    """Read contacts, then their details, then animals, so that clients come before their patients."""
    known = follow.read_cursor(cursor)
    changes: dict[tuple[RecordKind, str], Change] = {}
    for at in range(min(known.at, len(PEOPLE) - 1), len(PEOPLE)):
        path = PEOPLE[at]
        if path == CONTACTS:
            news, known = await _contacts(call, known)
        elif path == DETAILS:
            news, known = await _details(call, known)
        else:
            news, known = await _animals(call, site, known)
        # Of a contact whose details changed, too, the last state.
        changes |= {("patient" if path == ANIMALS else "client", one.pims_id): one for one in news}
        if known.under_way is not None:
            break
        known = msgspec.structs.replace(known, at=at + 1)
        if len(changes) > ENOUGH:
            break
    as_of = wire.instant(known.began)
    more = known.at < len(PEOPLE)
    following = known if more else follow.Cursor(version=1, marks=known.marks)
    return ChangePage(changes=[*changes.values()], cursor=follow.write_cursor(following), more=more, as_of=as_of)


async def _contacts(call: Call, known: follow.Cursor) -> tuple[list[Change], follow.Cursor]:
    mark = known.marks.get(CONTACTS, follow.Mark())
    rows, stands, began = await follow.next_page(call, CONTACTS, wire.Contact, mark, known.under_way, {})
    # Suppliers and colleagues are contacts, too; whoever was a customer may have ceased to be one.
    of_note = [one for one in rows if wire.truth(one.is_customer) or mark.since]
    details = await records.details_of(call, (one.id for one in of_note))
    known = msgspec.structs.replace(known.standing(CONTACTS, stands), began=known.began or began)
    if not mark.since:
        # All details come with their contacts; what changes from when this began is to be followed.
        met = [follow.seen_as(one) for some in details.values() for one in some]
        met += known.marks.get(DETAILS, follow.Mark()).seen
        seen = follow.recent(met, known.began - follow.OVERLAP)
        known = known.standing(DETAILS, follow.Mark(seen=seen)).standing(CONTACTS, stands)
    return [records.client(one, details.get(one.id, [])) for one in of_note], known


async def _details(call: Call, known: follow.Cursor) -> tuple[list[Change], follow.Cursor]:
    mark = known.marks.get(DETAILS, follow.Mark())
    if not mark.since:
        return [], known.standing(DETAILS, follow.Mark(since=known.began, seen=mark.seen))
    rows, stands, _ = await follow.next_page(call, DETAILS, wire.ContactDetail, mark, known.under_way, {})
    contacts = await records.contacts_by_id(call, (one.contact_id for one in rows))
    customers = [one for one in contacts if wire.truth(one.is_customer)]
    return [*await records.clients(call, customers)], known.standing(DETAILS, stands)


async def _animals(call: Call, site: Site, known: follow.Cursor) -> tuple[list[Change], follow.Cursor]:
    mark = known.marks.get(ANIMALS, follow.Mark())
    rows, stands, _ = await follow.next_page(call, ANIMALS, wire.Animal, mark, known.under_way, {})
    return [*await records.patients(call, site, rows)], known.standing(ANIMALS, stands)
