"""Slots over HTTP: what is offered, kept in Redis under the schedule version, and right without it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import pytest

from booking.db import practices
from booking.db.pool import of_practice
from tests.booking.api.calls import V1, all_slots, hold_last, practice_path, slots_of, slots_query, with_token
from tests.booking.api.test_bookings import sams_booking, session_of
from tests.widget.cedar_hill import STRANGERS_PHONE, CedarHill
from tests.widget.oak_lane import browser_of, settings_of

NOWHERE = "redis://127.0.0.1:1"


async def test_a_practice_says_who_it_is_and_how_fresh_its_schedule_is(
    api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    profile = (await api.get(practice_path(cedar_hill))).json()
    assert profile["slug"] == cedar_hill.practice.slug
    assert profile["timezone"] == cedar_hill.practice.timezone
    assert profile["freshness"]["stale"] is False


async def test_types_are_shown_to_whom_they_are_for(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    path = f"{practice_path(cedar_hill)}/appointment-types"
    everything = (await api.get(path)).json()["items"]
    for_horses = (await api.get(path, params={"species": "horse"})).json()["items"]
    assert str(cedar_hill.types["wellness"]) in {one["id"] for one in everything}
    assert for_horses == []


async def test_every_offered_time_carries_a_token_that_holds_it(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    found = await slots_of(api, cedar_hill)
    slot = all_slots(found)[-1]
    held = await api.post(f"{practice_path(cedar_hill)}/holds", json={"slotToken": slot["token"]})
    assert held.status_code == 201
    assert (held.json()["start"], held.json()["end"]) == (slot["start"], slot["end"])
    assert {one["id"] for one in found["providers"]} >= set(slot["providers"]) != set()


async def test_a_question_asked_again_is_answered_from_redis(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    first = await slots_of(api, cedar_hill)
    # Behind our back, without a risen version: only a kept answer can still show the time.
    await cedar_hill.execute("DELETE FROM resource")
    assert await slots_of(api, cedar_hill) == first


async def test_a_risen_schedule_version_makes_every_kept_answer_unreachable(
    api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    before = all_slots(await slots_of(api, cedar_hill))
    await hold_last(api, cedar_hill, provider=before[-1]["providers"][0])
    after = all_slots(await slots_of(api, cedar_hill))
    assert len(after) < len(before)


async def test_without_redis_slots_are_computed(cedar_hill: CedarHill, database_url: str) -> None:
    async with browser_of(settings_of(database_url, NOWHERE)) as api:
        assert all_slots(await slots_of(api, cedar_hill))


async def test_many_who_ask_the_same_at_once_are_given_the_same(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    found = await asyncio.gather(*(slots_of(api, cedar_hill) for _ in range(20)))
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize(("first", "last"), [(0, 62), (1, 0)])
async def test_days_out_of_order_or_too_many_are_refused(
    api: httpx.AsyncClient, cedar_hill: CedarHill, first: int, last: int
) -> None:
    query = slots_query(cedar_hill) | {
        "from": (cedar_hill.today + timedelta(days=first)).isoformat(),
        "to": (cedar_hill.today + timedelta(days=last)).isoformat(),
    }
    answer = await api.get(f"{practice_path(cedar_hill)}/slots", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "days-refused")


async def test_a_type_that_is_not_offered_is_an_error_and_never_no_times(
    api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    query = slots_query(cedar_hill, patients="horse")
    answer = await api.get(f"{practice_path(cedar_hill)}/slots", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "not-bookable-online")


async def test_a_practice_that_is_none_is_not_found(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/v1/practices/nowhere")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_kept_answer_is_one_practices_own(cedar_hill: CedarHill) -> None:
    async with of_practice(cedar_hill.pool, cedar_hill.practice.practice_id) as conn:
        before = await practices.practice_by_id(conn, cedar_hill.practice.practice_id)
        await practices.raise_schedule_version(conn, cedar_hill.practice.practice_id)
        after = await practices.practice_by_id(conn, cedar_hill.practice.practice_id)
    assert before is not None
    assert after is not None
    assert after.schedule_version == before.schedule_version + 1


async def test_the_answer_is_the_same_compressed_and_plain(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    path, query = f"{practice_path(cedar_hill)}/slots", slots_query(cedar_hill)
    packed = await api.get(path, params=query, headers={"Accept-Encoding": "gzip"})
    plain = await api.get(path, params=query, headers={"Accept-Encoding": "identity"})
    assert (packed.headers["content-encoding"], plain.headers.get("content-encoding")) == ("gzip", None)
    assert packed.headers["vary"] == "Accept-Encoding"
    assert packed.json() == plain.json()


async def test_what_a_booking_takes_itself_is_free_for_its_own_move_and_for_nobody_elses(
    api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    session, made = await sams_booking(api, cedar_hill)
    await cedar_hill.execute("UPDATE appointment_type SET max_per_day = 1")
    query, path = slots_query(cedar_hill), f"{practice_path(cedar_hill)}/slots"
    moving = query | {"reference": made["reference"]}

    everybody = {one["start"] for one in all_slots((await api.get(path, params=query)).json())}
    answers = [
        await api.get(path, params=moving, headers=with_token(token)) for token in (session, made["manageToken"])
    ]
    by_session, by_manage_token = ({one["start"] for one in all_slots(one.json())} for one in answers)
    assert by_session == by_manage_token
    assert made["start"] in by_session - everybody
    start = max(by_session - everybody - {made["start"]})
    moved = await api.post(
        f"{V1}/bookings/{made['reference']}/reschedule", json={"start": start}, headers=with_token(session)
    )
    assert (moved.status_code, moved.json()["start"]) == (200, start)

    nobody = await api.get(path, params=moving)
    assert (nobody.status_code, nobody.json()["code"]) == (401, "not-proven")
    stranger = await session_of(api, cedar_hill, STRANGERS_PHONE)
    theirs = await api.get(path, params=moving, headers=with_token(stranger))
    assert (theirs.status_code, theirs.json()["code"]) == (404, "booking-unknown")
