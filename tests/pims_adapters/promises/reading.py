"""What adapters promise about their feeds."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from msgspec.structs import replace

from pims_adapters.contract import (
    Appointment,
    BlockOff,
    Change,
    ChangePage,
    CursorExpired,
    Gone,
    ListsRecords,
    Merged,
    PimsAdapter,
    PimsError,
    Record,
)
from tests.pims_adapters.peers import SystemPeer
from tests.pims_adapters.promises.made import promise

MOST_OF_A_PAGE = 1000
SCHEDULED = ("appointment", "blockoff")


def kind_of(change: Change) -> str:
    return str(change.__struct_config__.tag)


def name_of(change: Change) -> tuple[str, str]:
    return kind_of(change), change.pims_id


async def pages(adapter: PimsAdapter, feed: str, cursor: str | None = None) -> list[ChangePage]:
    """Read a feed to its end."""
    found = [await adapter.changes(feed, cursor)]
    while found[-1].more:
        assert found[-1].cursor not in {cursor, *(page.cursor for page in found[:-1])}, (
            "The feed goes round in circles."
        )
        found.append(await adapter.changes(feed, found[-1].cursor))
    return found


def changes_of(read: list[ChangePage]) -> list[Change]:
    return [change for page in read for change in page.changes]


async def ends(peer: SystemPeer, adapter: PimsAdapter) -> dict[str, str]:
    """Return the cursors at the end of every feed, going on from those that were met before."""
    for feed in adapter.feeds:
        try:
            read = await pages(adapter, feed.name, peer.ends.get(feed.name))
        except CursorExpired:
            read = await pages(adapter, feed.name)
        peer.ends[feed.name] = read[-1].cursor
    return dict(peer.ends)


async def news(adapter: PimsAdapter, cursors: dict[str, str]) -> list[Change]:
    """Return what changed since, in all feeds."""
    return [change for name, cursor in cursors.items() for change in changes_of(await pages(adapter, name, cursor))]


async def news_of(adapter: PimsAdapter, cursors: dict[str, str], pims_id: str) -> list[Change]:
    """Return what changed on the schedule with this record."""
    return [
        change
        for change in await news(adapter, cursors)
        if change.pims_id == pims_id and getattr(change, "of", kind_of(change)) in SCHEDULED
    ]


@promise(feeds=True)
async def feeds_bring_every_record_exactly_once(peer: SystemPeer, adapter: PimsAdapter) -> None:
    held = {(str(kind), pims_id) for kind, pims_id in await peer.held()}
    brought: list[Change] = []
    for feed in adapter.feeds:
        read = await pages(adapter, feed.name)
        assert all(len(page.changes) <= MOST_OF_A_PAGE for page in read)
        assert len({page.cursor for page in read}) == len(read), "Each page has a cursor of its own."
        brought += changes_of(read)
        kinds = {change.of if isinstance(change, Gone | Merged) else kind_of(change) for change in changes_of(read)}
        assert kinds <= set(feed.kinds)
    standing = Counter(name_of(change) for change in brought if not isinstance(change, Gone | Merged))
    assert {name for name, times in standing.items() if times != 1} == set()
    assert set(standing) == held


@promise(feeds=True)
async def each_page_says_when_it_was_true(_peer: SystemPeer, adapter: PimsAdapter) -> None:
    for feed in adapter.feeds:
        read = await pages(adapter, feed.name)
        assert all(page.as_of.tzinfo is not None for page in read)
        assert [page.as_of for page in read] == sorted(page.as_of for page in read)


@promise(feeds=True)
async def a_cursor_resumes_where_its_page_ended(_peer: SystemPeer, adapter: PimsAdapter) -> None:
    for feed in adapter.feeds:
        first, *rest = await pages(adapter, feed.name)
        again = await pages(adapter, feed.name, first.cursor)
        assert {name_of(change) for change in changes_of(again)} >= {name_of(change) for change in changes_of(rest)}
        assert len(changes_of(again)) <= len(changes_of(rest)) + _peer.repeats


@promise(feeds=True)
async def where_nothing_happened_nothing_is_new(peer: SystemPeer, adapter: PimsAdapter) -> None:
    for feed in adapter.feeds:
        cursor: str = (await pages(adapter, feed.name))[-1].cursor
        for _ in range(2):
            page = await adapter.changes(feed.name, cursor)
            assert len(page.changes) <= peer.repeats
            assert not page.more
            cursor = page.cursor


@promise(feeds=True)
async def a_cursor_nobody_gave_is_expired(_peer: SystemPeer, adapter: PimsAdapter) -> None:
    wild = ("", "nonsense", "9" * 5000, "\N{SNOWMAN}", "a&b=c", "[]", "{}", '{"a":1}', "bm9uc2Vuc2U=", "[" * 5000, "\0")
    for feed in adapter.feeds:
        for cursor in wild:
            with pytest.raises(CursorExpired):
                await adapter.changes(feed.name, cursor)


@promise(feeds=True)
async def a_forgotten_cursor_is_expired_and_the_beginning_works(peer: SystemPeer, adapter: PimsAdapter) -> None:
    cursors = await ends(peer, adapter)
    if not await peer.forget_cursors():
        return  # here a cursor is good for ever
    for feed in adapter.feeds:
        with pytest.raises(CursorExpired):
            await adapter.changes(feed.name, cursors[feed.name])
        read = await pages(adapter, feed.name)
        assert len((await adapter.changes(feed.name, read[-1].cursor)).changes) <= peer.repeats


@promise(feeds=True)
async def a_feed_that_is_not_there_is_one_of_the_four_errors_or_nothing(
    _peer: SystemPeer, adapter: PimsAdapter
) -> None:
    with suppress(PimsError):
        await adapter.changes("no such feed", None)


@promise(feeds=True)
async def what_staff_book_move_and_cancel_arrives(peer: SystemPeer, adapter: PimsAdapter) -> None:
    draft = replace(peer.draft(), resources=peer.draft().resources[:1])
    cursors = await ends(peer, adapter)
    pims_id = await peer.staff_book(draft.start, draft.end, draft.resources, "Zebulon Quillfeather")
    await peer.settle()
    booked = (await news_of(adapter, cursors, pims_id))[-1]
    assert spanned(booked) == (draft.start, draft.end, set(draft.resources))

    cursors = await ends(peer, adapter)
    by = timedelta(minutes=45)
    await peer.staff_move(pims_id, draft.start + by, draft.end + by)
    await peer.settle()
    moved = (await news_of(adapter, cursors, pims_id))[-1]
    assert spanned(moved) == (draft.start + by, draft.end + by, set(draft.resources))

    cursors = await ends(peer, adapter)
    await peer.staff_cancel(pims_id)
    await peer.settle()
    for cancelled in await news_of(adapter, cursors, pims_id):
        assert isinstance(cancelled, Gone) or (
            isinstance(cancelled, Appointment) and cancelled.status in ("cancelled", "no_show")
        )
    assert await news_of(adapter, cursors, pims_id)


def spanned(change: Record) -> tuple[object, object, set[str]]:
    """Return which time of which resources a record takes; block-offs stand in local time and tell none."""
    assert not isinstance(change, BlockOff), "What staff book for one time is an appointment."
    assert isinstance(change, Appointment)
    assert change.status in ("booked", "confirmed")
    return change.start, change.end, set(change.resources)


@promise(feeds=True)
async def what_staff_delete_is_said_to_be_gone_or_missing_from_the_listing(
    peer: SystemPeer, adapter: PimsAdapter
) -> None:
    draft = peer.draft()
    pims_id = await peer.staff_book(draft.start, draft.end, draft.resources, "A mistake")
    await peer.settle()
    cursors = await ends(peer, adapter)
    await peer.staff_delete(pims_id)
    await peer.settle()
    if Gone(of="appointment", pims_id=pims_id) in await news(adapter, cursors):
        return
    assert isinstance(adapter, ListsRecords), "What was deleted goes unnoticed."
    day = timedelta(days=1)
    listing = await adapter.listing("appointment", (draft.start - day).date(), (draft.end + day).date())
    assert listing.complete
    assert pims_id not in {record.pims_id for record in listing.records}


@promise(feeds=True)
async def a_record_reads_the_same_however_often(_peer: SystemPeer, adapter: PimsAdapter) -> None:
    for feed in adapter.feeds:
        once = {name_of(change): change for change in changes_of(await pages(adapter, feed.name))}
        again = {name_of(change): change for change in changes_of(await pages(adapter, feed.name))}
        assert once == again
