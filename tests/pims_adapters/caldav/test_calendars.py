"""The adapter on a real calendar server: series that change, copies that differ, races, calendars that come and go."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from pims_adapters.caldav import ours
from pims_adapters.caldav.adapter import CalDavAdapter
from pims_adapters.contract import (
    Appointment,
    AppointmentDraft,
    BlockOff,
    Change,
    Gone,
    PimsAdapter,
    PimsRejected,
    PimsUnavailable,
    Resource,
)
from tests.pims_adapters.caldav.peer import STAMP, CalDavPeer

WEEKLY = (
    "DTSTART;TZID=America/New_York:20270105T120000",
    "DURATION:PT1H",
    "RRULE:FREQ=WEEKLY;COUNT=20",
    "SUMMARY:Lunch",
)
MOVED = (
    "END:VEVENT", "BEGIN:VEVENT", "UID:changing", "DTSTAMP:20261126T090000Z",
    "RECURRENCE-ID;TZID=America/New_York:20270112T120000",
    "DTSTART;TZID=America/New_York:20270112T140000", "DURATION:PT1H",
)  # fmt: skip


async def to_the_end(adapter: PimsAdapter, cursor: str | None = None) -> tuple[list[Change], str]:
    changes: list[Change] = []
    while True:
        page = await adapter.changes("calendars", cursor)
        changes += page.changes
        cursor = page.cursor
        if not page.more:
            return changes, cursor


async def shown(adapter: CalDavAdapter, pims_id: str) -> Appointment:
    found = await adapter.read("appointment", pims_id)
    assert found is not None
    return found


def of(changes: list[Change], name: str) -> list[Change]:
    return [change for change in changes if name in change.pims_id]


async def test_calendars_are_people_and_rooms(adapter: CalDavAdapter) -> None:
    changes, _ = await to_the_end(adapter)
    kinds = {change.name: change.resource_kind for change in changes if isinstance(change, Resource)}
    assert kinds == {"Dr. Lee": "provider", "Dr. Okafor": "provider", "Room 1": "room", "Room 2": "room"}


async def test_only_the_calendars_that_were_named_are_resources(peer: CalDavPeer) -> None:
    adapter = peer.connect_by(peer.settings | {"calendars": "Dr. Lee, Room 1"})
    page = await adapter.changes("calendars", None)
    assert {change.pims_id for change in page.changes if isinstance(change, Resource)} == {"dr-lee", "room-1"}
    await adapter.close()


async def test_a_series_that_changes_takes_back_what_it_no_longer_is(peer: CalDavPeer, adapter: CalDavAdapter) -> None:
    _, cursor = await to_the_end(adapter)
    peer.radicale.put_event("dr-lee", "changing.ics", *WEEKLY, *MOVED)
    changes, cursor = await to_the_end(adapter, cursor)
    assert [change.pims_id for change in of(changes, "changing") if isinstance(change, BlockOff)] == [
        "dr-lee/changing.ics",
        "dr-lee/changing.ics#0",
    ]
    peer.radicale.put_event("dr-lee", "changing.ics", *WEEKLY)
    changes, cursor = await to_the_end(adapter, cursor)
    assert Gone(of="blockoff", pims_id="dr-lee/changing.ics#0") in changes
    once = ("DTSTART:20270105T170000Z", "DURATION:PT1H")
    peer.radicale.put_event("dr-lee", "changing.ics", *once)
    changes, cursor = await to_the_end(adapter, cursor)
    assert Gone(of="blockoff", pims_id="dr-lee/changing.ics") in changes
    assert isinstance(of(changes, "changing")[-1], Appointment)
    peer.radicale.put_event("dr-lee", "changing.ics", *once, "TRANSP:TRANSPARENT")
    changes, cursor = await to_the_end(adapter, cursor)
    assert of(changes, "changing") == [Gone(of="appointment", pims_id="dr-lee/changing.ics")]
    peer.radicale.put_event("dr-lee", "changing.ics", *WEEKLY)
    _, cursor = await to_the_end(adapter, cursor)
    peer.radicale.delete("dr-lee", "changing.ics")
    changes, _ = await to_the_end(adapter, cursor)
    assert Gone(of="blockoff", pims_id="dr-lee/changing.ics") in changes


async def test_a_series_on_another_clock_is_followed_anew_after_a_month(
    peer: CalDavPeer, adapter: CalDavAdapter
) -> None:
    _, cursor = await to_the_end(adapter)
    lines = ("DTSTART:20261201T090000Z", "DURATION:PT1H", "RRULE:FREQ=MONTHLY")
    peer.radicale.put_event("room-2", "far-away.ics", *lines)
    changes, cursor = await to_the_end(adapter, cursor)
    followed = [one for one in of(changes, "far-away") if isinstance(one, BlockOff)]
    assert len(followed) > 10
    assert of((await to_the_end(adapter, cursor))[0], "far-away") == []
    month_ago = re.sub(r'"on":"[-0-9]+"', '"on":"2026-01-01"', cursor)
    again, cursor = await to_the_end(adapter, month_ago)
    assert [one for one in of(again, "far-away") if isinstance(one, BlockOff)] == followed
    peer.radicale.delete("room-2", "far-away.ics")
    gone, _ = await to_the_end(adapter, cursor)
    assert {change.pims_id for change in gone if isinstance(change, Gone)} >= {one.pims_id for one in followed}


@pytest.mark.parametrize("because", ["the line breaks", "staff wrote into it"])
async def test_what_cannot_be_taken_back_leaves_the_outcome_unknown(
    peer: CalDavPeer, adapter: CalDavAdapter, because: str
) -> None:
    draft, key = peer.draft(), peer.key()
    peer.line.before_writes += [
        lambda: peer.staff_enter(draft.start, draft.end, "dr-lee", "Walk-in"),
        lambda: None,
        lambda: (
            annotate(peer, ours.uid_of(key))
            if because == "staff wrote into it"
            else peer.line.orders.update({"write": "unavailable"})
        ),
    ]
    with pytest.raises(PimsUnavailable) as failed:
        await adapter.create_appointment(draft, key)
    assert failed.value.outcome_unknown


async def test_a_calendar_comes_and_goes(peer: CalDavPeer, adapter: CalDavAdapter) -> None:
    _, cursor = await to_the_end(adapter)
    peer.radicale.make_calendar("van", "Van")
    peer.radicale.put_event("van", "first.ics", "DTSTART:20270105T170000Z", "DURATION:PT1H")
    changes, cursor = await to_the_end(adapter, cursor)
    assert {change.pims_id for change in changes} == {"van", "van/first.ics"}
    peer.radicale.http.delete(f"{peer.radicale.home}van/").raise_for_status()
    changes, _ = await to_the_end(adapter, cursor)
    assert changes == [Gone(of="resource", pims_id="van")]


async def test_many_events_come_in_pages_that_miss_and_repeat_nothing(peer: CalDavPeer) -> None:
    adapter = peer.connect_by(peer.settings | {"calendars": "Many"})
    peer.radicale.make_calendar("many", "Many")
    for number in range(205):
        peer.radicale.put_file("many", f"e{number:03}.ics", "DTSTART:20270105T170000Z", "DURATION:PT1H")
    first = await adapter.changes("calendars", None)
    assert first.more
    peer.radicale.delete("many", "e000.ics")
    peer.radicale.put_event("many", "e001.ics", "DTSTART:20270106T170000Z", "DURATION:PT1H")
    rest, cursor = await to_the_end(adapter, first.cursor)
    met = [change.pims_id for change in (*first.changes, *rest) if isinstance(change, Appointment)]
    assert len(set(met)) == len(met) == 205
    later, _ = await to_the_end(adapter, cursor)
    assert {type(change) for change in rest + later} == {Appointment, Gone}
    await adapter.close()
    peer.radicale.http.delete(f"{peer.radicale.home}many/").raise_for_status()


async def test_a_repeated_creation_is_answered_by_what_is_there(peer: CalDavPeer, adapter: CalDavAdapter) -> None:
    draft, key = peer.draft(), peer.key()
    assert await adapter.create_appointment(draft, key) == await adapter.create_appointment(draft, key)
    assert await peer.count("appointment", key) == 1


async def test_an_appointment_in_half_of_its_calendars_is_not_found_and_completed_when_sent_again(
    peer: CalDavPeer, adapter: CalDavAdapter
) -> None:
    draft, key = peer.draft(), peer.key()
    pims_id = await adapter.create_appointment(draft, key)
    peer.radicale.delete("room-1", f"{pims_id}.ics")
    assert await adapter.find("appointment", key) is None
    assert await adapter.create_appointment(draft, key) == pims_id
    assert await adapter.find("appointment", key) == pims_id


async def test_whole_days_and_series_keep_a_booking_out(peer: CalDavPeer, adapter: CalDavAdapter) -> None:
    for lines in (
        ("DTSTART;VALUE=DATE:{day:%Y%m%d}",),
        ("DTSTART;TZID=America/New_York:20270101T{local}", "DURATION:PT1H", "RRULE:FREQ=DAILY;UNTIL=20290101T000000Z"),
    ):
        draft = peer.draft()
        local = draft.start.astimezone(adapter._settings.zone)  # noqa: SLF001
        filled = tuple(line.format(day=local, local=f"{local:%H%M%S}") for line in lines)
        peer.radicale.put_event("dr-lee", "keeps-out.ics", *filled)
        with pytest.raises(PimsRejected) as refused:
            await adapter.create_appointment(draft, peer.key())
        assert refused.value.taken
        peer.radicale.put_event("dr-lee", "keeps-out.ics", *filled, "TRANSP:TRANSPARENT")
        await adapter.create_appointment(draft, peer.key())
    peer.radicale.delete("dr-lee", "keeps-out.ics")


async def test_whoever_writes_between_our_two_looks_wins_and_ours_is_taken_back(
    peer: CalDavPeer, adapter: CalDavAdapter
) -> None:
    draft, key = peer.draft(), peer.key()
    peer.line.before_writes.append(lambda: peer.staff_enter(draft.start, draft.end, "dr-lee", "Walk-in"))
    with pytest.raises(PimsRejected) as refused:
        await adapter.create_appointment(draft, key)
    assert refused.value.taken
    assert await peer.count("appointment", key) == 0


async def test_whoever_takes_the_time_that_ours_moves_to_wins_and_ours_goes_back(
    peer: CalDavPeer, adapter: CalDavAdapter
) -> None:
    draft, elsewhere = peer.draft(), peer.draft_elsewhere()
    pims_id = await adapter.create_appointment(draft, peer.key())
    stood = await shown(adapter, pims_id)
    peer.line.before_writes.append(lambda: peer.staff_enter(elsewhere.start, elsewhere.end, "room-1", "Walk-in"))
    moved = replace(draft, start=elsewhere.start, end=elsewhere.end, resources=elsewhere.resources)
    with pytest.raises(PimsRejected) as refused:
        await adapter.change_appointment(pims_id, moved, "m")
    assert refused.value.taken
    assert await shown(adapter, pims_id) == stood


async def test_a_refusal_by_the_second_calendar_leaves_nothing_in_the_first(
    peer: CalDavPeer, adapter: CalDavAdapter
) -> None:
    draft, key = peer.draft(), peer.key()
    peer.line.before_writes += [lambda: None, lambda: peer.line.orders.update({"write": "refused"})]
    with pytest.raises(PimsRejected):
        await adapter.create_appointment(draft, key)
    assert await peer.count("appointment", key) == 0


async def test_a_move_keeps_what_staff_wrote_into_the_event(peer: CalDavPeer, adapter: CalDavAdapter) -> None:
    draft = peer.draft()
    pims_id = await adapter.create_appointment(draft, peer.key())
    text = peer.radicale.text("dr-lee", f"{pims_id}.ics") or ""
    peer.radicale.put("dr-lee", f"{pims_id}.ics", text.replace("END:VEVENT", "LOCATION:Back door\r\nEND:VEVENT"))
    by = timedelta(hours=1)
    await adapter.change_appointment(pims_id, replace(draft, start=draft.start + by, end=draft.end + by), "m")
    assert "LOCATION:Back door" in (peer.radicale.text("dr-lee", f"{pims_id}.ics") or "")


async def test_a_change_that_staff_overtake_is_read_anew(peer: CalDavPeer, adapter: CalDavAdapter) -> None:
    draft = peer.draft()
    pims_id = await adapter.create_appointment(draft, peer.key())
    by = timedelta(hours=1)
    moved = replace(draft, start=draft.start + by, end=draft.end + by)
    changes: list[Callable[[], Awaitable[None]]] = [
        lambda: adapter.change_appointment(pims_id, moved, "m"),
        lambda: adapter.confirm_appointment(pims_id, "c"),
        lambda: adapter.cancel_appointment(pims_id, "x"),
    ]
    for change in changes:
        peer.line.before_writes.append(lambda: annotate(peer, pims_id))
        await change()
    found = await shown(adapter, pims_id)
    assert (found.status, found.start) == ("cancelled", moved.start)
    assert (peer.radicale.text("dr-lee", f"{pims_id}.ics") or "").count("COMMENT:Bring the chart") == 3


def annotate(peer: CalDavPeer, pims_id: str) -> None:
    """Write something into the doctor's copy, as staff do."""
    text = peer.radicale.text("dr-lee", f"{pims_id}.ics") or ""
    peer.radicale.put("dr-lee", f"{pims_id}.ics", text.replace("END:VEVENT", "COMMENT:Bring the chart\r\nEND:VEVENT"))


async def test_a_repeated_creation_leaves_what_staff_wrote_since(peer: CalDavPeer, adapter: CalDavAdapter) -> None:
    draft, key = peer.draft(), peer.key()
    pims_id = await adapter.create_appointment(draft, key)
    annotate(peer, pims_id)
    assert await adapter.create_appointment(draft, key) == pims_id
    assert "COMMENT:Bring the chart" in (peer.radicale.text("dr-lee", f"{pims_id}.ics") or "")


async def test_the_copy_that_was_touched_last_tells_the_time(peer: CalDavPeer, adapter: CalDavAdapter) -> None:
    draft = peer.draft()
    pims_id = await adapter.create_appointment(draft, peer.key())
    _, cursor = await to_the_end(adapter)
    text = peer.radicale.text("room-1", f"{pims_id}.ics") or ""
    start, end = draft.start + timedelta(hours=1), draft.end + timedelta(hours=1)
    text = re.sub(r"DTSTART:\S+", f"DTSTART:{start:{STAMP}}", re.sub(r"DTEND:\S+", f"DTEND:{end:{STAMP}}", text))
    peer.radicale.put("room-1", f"{pims_id}.ics", re.sub(r"DTSTAMP:\S+", "DTSTAMP:20990101T000000Z", text))
    changes, _ = await to_the_end(adapter, cursor)
    assert [change.start for change in changes if isinstance(change, Appointment)] == [start]


async def test_programs_that_drop_what_they_do_not_know_leave_the_key(peer: CalDavPeer, adapter: CalDavAdapter) -> None:
    draft, key = peer.draft(), peer.key()
    pims_id = await adapter.create_appointment(draft, key)
    for calendar in draft.resources:
        text = re.sub(r"X-VETSLOT-\S+?:.*\r\n( .*\r\n)*", "", peer.radicale.text(calendar, f"{pims_id}.ics") or "")
        peer.radicale.put(calendar, f"{pims_id}.ics", text)
    found = await shown(adapter, pims_id)
    assert (found.marker, set(found.resources)) == (key, set(draft.resources))
    assert await adapter.find("appointment", key) == pims_id


async def test_an_event_that_staff_drag_to_another_calendar_is_still_found(
    peer: CalDavPeer, adapter: CalDavAdapter
) -> None:
    draft, key = replace(peer.draft(), resources=("dr-lee",)), peer.key()
    pims_id = await adapter.create_appointment(draft, key)
    text = peer.radicale.text("dr-lee", f"{pims_id}.ics") or ""
    peer.radicale.delete("dr-lee", f"{pims_id}.ics")
    peer.radicale.put("dr-okafor", "dragged.ics", text)
    assert (await shown(adapter, pims_id)).resources == ("dr-okafor",)
    await adapter.cancel_appointment(pims_id, "x")
    assert "STATUS:CANCELLED" in (peer.radicale.text("dr-okafor", "dragged.ics") or "")


def test_a_key_of_any_characters_makes_a_name(draft: AppointmentDraft) -> None:
    keys = ["VS-1", "VS-2", "../x", "a/b", "\N{SNOWMAN}", "x" * 5000]
    uids = [ours.uid_of(key) for key in keys]
    assert len(set(uids)) == len(keys)
    assert all(ours.uid_in(ours.name_of(uid)) == uid for uid in uids)
    assert draft.description


async def test_a_second_calendar_that_cannot_be_written_leaves_the_outcome_unknown(
    peer: CalDavPeer, adapter: CalDavAdapter
) -> None:
    draft, key = peer.draft(), peer.key()
    peer.line.before_writes += [lambda: None, lambda: peer.line.orders.update({"write": "rate_limited"})]
    with pytest.raises(PimsUnavailable) as failed:
        await adapter.create_appointment(draft, key)
    assert failed.value.outcome_unknown
    assert await adapter.find("appointment", key) is None
