"""What adapters promise about listings, by which what vanished without a word is noticed."""

from __future__ import annotations

from datetime import date, timedelta

from pims_adapters.contract import (
    Appointment,
    BlockOff,
    CreatesAppointments,
    Gone,
    ListsRecords,
    Merged,
    PimsAdapter,
)
from tests.pims_adapters.peers import SystemPeer
from tests.pims_adapters.promises.creating import created, shown
from tests.pims_adapters.promises.made import Everything, promise
from tests.pims_adapters.promises.reading import SCHEDULED, changes_of, kind_of, pages

DAY = timedelta(days=1)


def window(peer: SystemPeer) -> tuple[date, date]:
    """Return some days around a draft, in any zone."""
    start = peer.draft().start
    return (start - 3 * DAY).date(), (start + 3 * DAY).date()


@promise(ListsRecords, feeds=True)
async def listings_are_complete_and_agree_with_the_feeds(peer: SystemPeer, adapter: Everything) -> None:
    first, last = window(peer)
    for feed in adapter.feeds:
        fed = {
            (kind_of(change), change.pims_id): change
            for change in changes_of(await pages(adapter, feed.name))
            if not isinstance(change, Gone | Merged)
        }
        for kind in feed.kinds:
            listing = await adapter.listing(kind, first, last)
            assert listing.complete
            assert listing.as_of.tzinfo is not None
            listed = {(kind, record.pims_id): record for record in listing.records}
            assert len(listed) == len(listing.records), "Each record is listed once."
            assert listed.items() <= fed.items()
            if kind not in SCHEDULED:
                assert set(listed) == {name for name in fed if name[0] == kind}
            for change in fed.values():
                if isinstance(change, Appointment) and kind == "appointment" and well_inside(change, first, last):
                    assert ("appointment", change.pims_id) in listed
                if isinstance(change, BlockOff) and kind == "blockoff" and change.time.rrule is None:
                    starts = change.time.starts.date()
                    assert (first <= starts <= last) <= (("blockoff", change.pims_id) in listed)


def well_inside(appointment: Appointment, first: date, last: date) -> bool:
    """Tell whether an appointment touches the window in every zone; those that do not block may be left out."""
    whole = first < appointment.start.date() and appointment.end.date() < last
    return whole and appointment.status not in ("cancelled", "no_show")


@promise(ListsRecords, CreatesAppointments)
async def what_is_created_is_listed_until_it_is_deleted(peer: SystemPeer, adapter: Everything) -> None:
    key = peer.key()
    draft = peer.draft()
    pims_id = await created(peer, adapter, draft, key)
    days = (draft.start - DAY).date(), (draft.end + DAY).date()
    records = {record.pims_id: record for record in (await adapter.listing("appointment", *days)).records}
    assert records.get(pims_id) == await shown(adapter, pims_id)
    await peer.staff_delete(pims_id)
    await peer.settle()
    listing = await adapter.listing("appointment", *days)
    assert listing.complete
    assert pims_id not in {record.pims_id for record in listing.records}


@promise(ListsRecords)
async def days_on_which_nothing_is_are_listed_as_such(_peer: SystemPeer, adapter: PimsAdapter) -> None:
    assert isinstance(adapter, ListsRecords)
    listing = await adapter.listing("appointment", date(1999, 1, 1), date(1999, 1, 31))
    assert (listing.records, listing.complete) == ([], True)
