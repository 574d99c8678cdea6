"""The schedule page: what stands on the day, how far it has come into the PIMS, and nobody else's data."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from booking.db import connections, mirror, write_backs
from booking.db.appointments import ScheduleEntry
from booking.db.pool import Pool, across_practices
from booking.db.write_backs import Settled, State
from pims_adapters import contract as pims
from tests.widget.live_connection import connect_pims
from tests.widget.oak_lane import OakLane, browser_of, open_oak_lane, settings_of, sign_in_as
from widget.console.columns import Card, beside
from widget.console.write_back_words import spoken, took, write_back_words

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def oak_lane(pool: Pool) -> OakLane:
    return await open_oak_lane(pool)


@pytest.fixture
async def browser(oak_lane: OakLane, database_url: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Return the browser of a receptionist who has signed in."""
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        await sign_in_as("front_desk", browser, oak_lane)
        yield browser


async def tomorrow(browser: httpx.AsyncClient, oak_lane: OakLane) -> str:
    answer = await browser.get(f"/console/schedule?day={oak_lane.tomorrow}")
    assert answer.status_code == 200
    return answer.text


async def connect(oak_lane: OakLane) -> UUID:
    """Give the practice a PIMS that is live."""
    return await connect_pims(oak_lane.pool, oak_lane.practice.practice_id)


async def settle_all(oak_lane: OakLane, state: State, *, reason: str | None = None, after: float = 0) -> None:
    """Bring every queued record to a state, as the worker does."""
    practice_id = oak_lane.practice.practice_id
    now = datetime.now(UTC) + timedelta(seconds=after)
    async with across_practices(oak_lane.pool) as conn:
        while leased := await write_backs.lease_next(
            conn, practice_id, now=now, lease=uuid4(), until=now + timedelta(seconds=15)
        ):
            due_at = now + timedelta(minutes=5)
            assert await write_backs.settle(conn, leased, state, Settled(due_at=due_at, reason=reason), now)


async def test_a_booking_is_shown_at_once_as_booked_then_as_written_with_its_seconds(
    oak_lane: OakLane, browser: httpx.AsyncClient
) -> None:
    await connect(oak_lane)
    assert "Zuzu" not in await tomorrow(browser, oak_lane)
    await oak_lane.book()
    booked = await tomorrow(browser, oak_lane)
    assert "Zuzu" in booked
    assert "</span> booked</span>" in booked
    assert '<meta http-equiv="refresh" content="5">' in booked, "it follows along until all is written"

    await settle_all(oak_lane, "written", after=2.1)
    written = await tomorrow(browser, oak_lane)
    assert "written, 2." in written
    assert "http-equiv" not in written


async def test_what_the_pims_refused_says_why_and_what_happens_next(
    oak_lane: OakLane, browser: httpx.AsyncClient
) -> None:
    await connect(oak_lane)
    await oak_lane.book()
    await settle_all(oak_lane, "needs_attention", reason="The provider left")
    page = await tomorrow(browser, oak_lane)
    assert "needs attention: The provider left." in page
    assert "enter it in the PIMS, or call the client" in page
    assert "http-equiv" not in page, "nothing changes by itself any more"


async def test_an_unheard_answer_is_being_looked_for(oak_lane: OakLane, browser: httpx.AsyncClient) -> None:
    await connect(oak_lane)
    await oak_lane.book()
    await settle_all(oak_lane, "unknown", reason="The PIMS took too long to answer.")
    page = await tomorrow(browser, oak_lane)
    assert "unknown: checking" in page
    assert "We look for it in the PIMS in 4 min" in page or "We look for it in the PIMS in 5 min" in page


async def test_the_page_says_how_old_its_picture_of_the_pims_is_and_why_it_gets_no_newer(
    oak_lane: OakLane, browser: httpx.AsyncClient
) -> None:
    connection_id = await connect(oak_lane)
    assert "PIMS as of 1" in await tomorrow(browser, oak_lane)
    async with across_practices(oak_lane.pool) as conn:
        practice_id, since = oak_lane.practice.practice_id, datetime.now(UTC) - timedelta(minutes=3)
        await connections.record_failure(conn, practice_id, connection_id, "It refuses our key.", since)
    page = await tomorrow(browser, oak_lane)
    assert "It cannot be read for 3 min" in page
    assert "It refuses our key." in page


async def test_holds_and_each_occurrence_of_a_block_off_stand_on_their_day(
    oak_lane: OakLane, browser: httpx.AsyncClient
) -> None:
    await oak_lane.hold(nth=30)
    lunch = pims.RecurringTime(
        starts=datetime.combine(oak_lane.tomorrow - timedelta(days=30), time(12)),
        duration=timedelta(hours=1),
        rrule="FREQ=DAILY",
        exdates=(oak_lane.tomorrow + timedelta(days=1),),
    )
    async with across_practices(oak_lane.pool) as conn:
        await mirror.put_block_off(
            conn,
            oak_lane.practice.practice_id,
            uuid4(),
            oak_lane.provider_id,
            pims.BlockOff(pims_id="lunch", resource="ada", time=lunch, reason="Lunch with the llamas"),
        )
    page = await tomorrow(browser, oak_lane)
    assert "1 hold" in page
    assert "for a client who is booking right now" in page
    assert "Lunch with the llamas" in page
    day_after = await browser.get(f"/console/schedule?day={oak_lane.tomorrow + timedelta(days=1)}")
    assert "Lunch with the llamas" not in day_after.text


async def test_names_cannot_become_markup(oak_lane: OakLane, browser: httpx.AsyncClient) -> None:
    await oak_lane.book(patient=HOSTILE, family_name=HOSTILE)
    page = await tomorrow(browser, oak_lane)
    assert HOSTILE not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


async def test_another_practice_s_appointments_are_not_shown(
    oak_lane: OakLane, browser: httpx.AsyncClient, pool: Pool
) -> None:
    elm_road = await open_oak_lane(pool, "elm-road")
    await elm_road.book(patient="Elmo")
    assert "Elmo" not in await tomorrow(browser, oak_lane)


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "0001-01-01", "9999-12-31", "%00"])
async def test_a_day_that_is_none_leads_to_today(browser: httpx.AsyncClient, day: str) -> None:
    answer = await browser.get(f"/console/schedule?day={day}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/schedule")


async def test_the_places_of_cards_are_styled_without_inline_styles(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/console/schedule")).text
    assert " style=" not in page
    assert "<style" not in page
    sheet = await browser.get("/console/places.css")
    assert sheet.headers["content-type"].startswith("text/css")
    assert ".at-288{" in sheet.text


def test_cards_at_the_same_time_stand_beside_each_other() -> None:
    def card(row: int, rows: int) -> Card:
        return Card(kind="appointment", id=None, text="", row=row, rows=rows)

    placed = beside([card(1, 6), card(4, 6), card(8, 4), card(20, 3)])
    assert [(one.row, one.lane, one.lanes) for one in placed] == [(1, 1, 2), (4, 2, 2), (8, 1, 2), (20, 1, 1)]


def test_spans_are_spoken_in_two_units() -> None:
    assert took(timedelta(seconds=2.14)) == "2.1 s"
    assert took(timedelta(seconds=185)) == "3 min 5 s"
    assert spoken(timedelta()) == "0 s"
    assert spoken(timedelta(days=2, hours=4, seconds=9)) == "2 d 4 h"


@pytest.mark.parametrize("state", ["queued", "sending", "written", "unknown", "needs_attention", "superseded"])
def test_every_state_has_words_and_an_icon(state: State) -> None:
    now = datetime(2026, 3, 3, 12, tzinfo=UTC)
    entry = ScheduleEntry(
        appointment_id=uuid4(),
        starts_at=now,
        ends_at=now,
        status="booked",
        source="online",
        resource_ids=[],
        appointment_type=None,
        client=None,
        patient=None,
        species=None,
        reference=None,
        new_client=False,
        description="",
        created_at=now,
        write_back=state,
        write_back_reason=None,
        written_at=None,
        due_at=None,
    )
    words = write_back_words(entry, now=now)
    assert words is not None
    assert words.words
    assert words.icon
