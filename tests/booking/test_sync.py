"""Sync: what the practice does in its PIMS is in our offers after the next page, and nothing of it twice."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from booking.book import Booked
from booking.db import connections
from booking.db.pool import across_practices
from booking.local_days import in_zone
from booking.offers import offer
from booking.sync import Synced, sync
from booking.write_back import deliver_due
from pims_adapters import open_adapter
from pims_adapters.contract import PimsUnavailable
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import SITE, hold_first, send, strangers_booking
from tests.demo_clinic import running_clinic


async def sync_now(riverside: Riverside, *, now: datetime = NOW) -> Synced:
    async with across_practices(riverside.pool) as conn:
        connection = await connections.connection_of(conn, riverside.practice.practice_id)
    assert connection is not None
    adapter = open_adapter(connection.adapter, connection.settings)
    try:
        return await sync(riverside.pool, adapter, connection, clock=lambda: now)
    finally:
        await adapter.close()


async def deliver(riverside: Riverside) -> None:
    adapter = open_adapter("demo", riverside.clinic.settings)
    try:
        await deliver_due(riverside.pool, adapter, riverside.practice.practice_id, site=SITE, clock=lambda: NOW)
    finally:
        await adapter.close()


async def column(riverside: Riverside, query: str) -> list[object]:
    async with across_practices(riverside.pool) as conn:
        return [row[0] for row in await conn.fetch(query)]


async def test_the_whole_practice_comes_by_sync(connected: Riverside) -> None:
    kinds = await column(connected, "SELECT kind FROM resource ORDER BY kind")
    assert [kinds.count(one) for one in ("provider", "technician", "room", "equipment")] == [6, 4, 6, 1]
    (clients,) = await column(connected, "SELECT count(*)::int FROM client")
    (patients,) = await column(connected, "SELECT count(*)::int FROM patient")
    (double_booked,) = await column(connected, "SELECT count(*)::int FROM claim WHERE lane > 1")
    assert isinstance(clients, int)
    assert isinstance(patients, int)
    assert clients >= 400
    assert patients >= 700
    assert double_booked


async def test_a_second_sync_finds_nothing_to_do(connected: Riverside) -> None:
    await sync_now(connected)
    before = await column(connected, "SELECT schedule_version FROM practice")
    assert await sync_now(connected) == Synced(changes=0, complete=True)
    assert await column(connected, "SELECT schedule_version FROM practice") == before


async def test_reading_everything_again_changes_nothing(connected: Riverside) -> None:
    def rows() -> str:
        return """SELECT md5(string_agg(c::text, '' ORDER BY resource_id, lane, during))
                  FROM (SELECT resource_id, lane, during, appointment_id FROM claim) c"""

    await sync_now(connected)
    before = await column(connected, rows())
    async with across_practices(connected.pool) as conn:
        await conn.execute("UPDATE feed SET cursor = NULL")
    assert (await sync_now(connected)).changes > 2000
    assert await column(connected, rows()) == before


async def test_time_blocked_off_in_the_pims_is_offered_no_more(connected: Riverside) -> None:
    wish = connected.wish("type-exotics", "rabbit")
    slots = await connected.slots(wish)
    start = in_zone(slots[0].start, connected.practice.timezone).replace(tzinfo=None)
    connected.clinic.post(
        "/staff/blocks", column="prov-nguyen", starts=start.isoformat(), minutes=30, reason="Delivery"
    )
    await sync_now(connected)
    assert slots[0].start not in [slot.start for slot in await connected.slots(wish)]


async def test_an_appointment_moved_in_the_pims_frees_its_time_and_takes_the_other(connected: Riverside) -> None:
    wish = connected.wish("type-exotics", "rabbit")
    slots = await connected.slots(wish)
    first, other = slots[0].start, slots[-1].start
    made = connected.clinic.post(
        "/staff/appointments",
        start=first.isoformat(),
        end=(first + timedelta(minutes=40)).isoformat(),
        columns=["prov-nguyen", "room-1"],
        type_id="type-exotics",
        client_id="client-shah",
        patient_id="pat-clover",
        note="",
    )
    await sync_now(connected)
    assert first not in [slot.start for slot in await connected.slots(wish)]
    connected.clinic.post(
        f"/staff/appointments/{made['id']}/move",
        start=other.isoformat(),
        end=(other + timedelta(minutes=40)).isoformat(),
    )
    await sync_now(connected)
    starts = [slot.start for slot in await connected.slots(wish)]
    assert first in starts
    assert other not in starts
    connected.clinic.post(f"/staff/appointments/{made['id']}/state", state="cancelled")
    await sync_now(connected)
    assert other in [slot.start for slot in await connected.slots(wish)]


async def test_an_appointment_made_in_the_pims_over_a_hold_that_ran_out_is_taken_over(connected: Riverside) -> None:
    wish = connected.wish("type-exotics", "rabbit")
    held = await hold_first(connected, wish)
    start, later = held.hold.starts_at, held.hold.expires_at
    connected.clinic.post(
        "/staff/appointments",
        start=start.isoformat(),
        end=(start + timedelta(minutes=40)).isoformat(),
        columns=["prov-nguyen", "room-1"],
        type_id="type-exotics",
        client_id="client-shah",
        patient_id="pat-clover",
        note="",
    )
    assert (await sync_now(connected, now=later)).complete
    assert start not in [slot.start for slot in await connected.slots(wish, now=later)]


async def test_our_own_appointment_comes_back_as_itself(connected: Riverside) -> None:
    held = await hold_first(connected, connected.wish(new_client=True))
    booked = await send(connected, strangers_booking(held), "k")
    assert isinstance(booked, Booked)
    await deliver(connected)
    await sync_now(connected)
    tables = ("client WHERE family_name = 'Haddad'", "patient WHERE name = 'Zuzu'")
    for table in tables:
        assert await column(connected, f"SELECT count(*)::int FROM {table} AND pims_id IS NOT NULL") == [1]
    query = f"SELECT source FROM appointment WHERE starts_at = '{held.hold.starts_at}' AND description LIKE '%vetslot%'"
    assert await column(connected, query) == ["online"]


async def test_a_pims_that_shows_our_key_on_a_second_record_takes_neither_from_us(connected: Riverside) -> None:
    held = await hold_first(connected, connected.wish(new_client=True))
    booked = await send(connected, strangers_booking(held), "k")
    assert isinstance(booked, Booked)
    await deliver(connected)
    reference = booked.appointment.reference
    (ours,) = connected.clinic.with_key("appointments", reference)
    later = booked.appointment.starts_at + timedelta(days=7)
    copy = {name: ours[name] for name in ("columns", "type_id", "client_id", "patient_id", "note", "external_key")}
    connected.clinic.post(
        "/staff/appointments", start=later.isoformat(), end=f"{later + timedelta(minutes=30)}", **copy
    )
    await sync_now(connected)
    query = f"SELECT pims_id FROM appointment WHERE reference = '{reference}'"
    assert await column(connected, query) == [ours["id"]]
    query = f"SELECT source FROM appointment WHERE starts_at = '{later}' AND description LIKE '%{reference}%'"
    assert await column(connected, query) == ["pims"]


async def test_a_record_that_comes_back_before_its_write_was_acknowledged_is_recognized(connected: Riverside) -> None:
    held = await hold_first(connected, connected.wish(new_client=True))
    await send(connected, strangers_booking(held), "k")
    connected.clinic.order_fault("create_client", "answer_lost")
    await deliver(connected)
    await sync_now(connected)
    assert await column(connected, "SELECT count(*)::int FROM client WHERE family_name = 'Haddad'") == [1]


async def test_a_patient_marked_deceased_in_the_pims_is_offered_no_more(connected: Riverside) -> None:
    connected.clinic.post("/staff/patients/pat-willow/state", state="deceased")
    await sync_now(connected)
    assert await column(connected, "SELECT status FROM patient WHERE pims_id = 'pat-willow'") == ["deceased"]


async def test_an_old_mirror_offers_no_near_times_and_says_so(connected: Riverside) -> None:
    wish = connected.wish()
    late = NOW + connected.practice.freshness_limit + timedelta(seconds=1)
    first = in_zone(late, connected.practice.timezone).date()
    stale = await offer(connected.pool, connected.practice, wish, first, first + timedelta(days=13), now=late)
    assert stale.mode == "request"
    assert stale.as_of == NOW
    starts = [slot.start for day in stale.days for slot in day.slots]
    assert starts
    assert min(starts) >= late + connected.practice.stale_notice


async def test_a_pims_that_is_down_is_told_and_loses_nothing(connected: Riverside) -> None:
    with running_clinic() as other:
        settings = other.settings
    async with across_practices(connected.pool) as conn:
        await conn.execute("UPDATE connection SET settings = $1", settings)
    with pytest.raises(PimsUnavailable):
        await sync_now(connected)
    assert await connected.slots(connected.wish())
