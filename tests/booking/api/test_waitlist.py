"""The waitlist as a client uses it over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from redis.asyncio import Redis

from booking.client_session import start_session
from booking.contacts import Contact, read_contact
from booking.db.pool import Pool, across_practices
from booking.site import Site
from booking.waitlist import look_through
from tests.widget.oak_lane import SECRET_KEY, OakLane, browser_of, open_oak_lane, settings_of

NOOR = read_contact("+12125550777", "US")


@pytest.fixture
async def oak_lane(pool: Pool) -> OakLane:
    return await open_oak_lane(pool)


@pytest.fixture
async def client(oak_lane: OakLane, database_url: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_of(settings_of(database_url, redis_url)) as client:
        yield client


async def session(oak_lane: OakLane, redis: Redis, contact: Contact = NOOR) -> dict[str, str]:
    """Return the header of somebody who has proven a contact."""
    return {"Authorization": f"Bearer {await start_session(redis, oak_lane.practice.practice_id, contact)}"}


def asked(oak_lane: OakLane, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    day = oak_lane.tomorrow.isoformat()
    window = {"first": day, "last": day, "opens": "09:00", "closes": "17:00"}
    return {"appointmentType": str(oak_lane.type_id), "client": "new", "windows": [window], **more}


async def join(client: httpx.AsyncClient, oak_lane: OakLane, who: dict[str, str], **more: Any) -> httpx.Response:  # noqa: ANN401
    headers = {**who, "Idempotency-Key": str(uuid4())}
    return await client.post("/api/v1/practices/oak-lane/waitlist", json=asked(oak_lane, **more), headers=headers)


async def look(oak_lane: OakLane) -> int:
    site = Site(public_url="http://testserver.local", secret_key=SECRET_KEY)
    return await look_through(oak_lane.pool, site, oak_lane.practice.practice_id, now=datetime.now(UTC))


async def test_from_joining_to_the_hold_to_book_with(
    client: httpx.AsyncClient, oak_lane: OakLane, redis: Redis
) -> None:
    who = await session(oak_lane, redis)
    joined = await join(client, oak_lane, who)
    assert (joined.status_code, joined.json()["state"], joined.json()["offer"]) == (201, "waiting", None)
    where = f"/api/v1/waitlist/{joined.json()['id']}"
    assert (await client.post(f"{where}/accept", headers=who)).json()["code"] == "nothing-offered"
    assert await look(oak_lane) == 1
    offer = (await client.get(where, headers=who)).json()["offer"]
    accepted = await client.post(f"{where}/accept", headers=who)
    assert accepted.status_code == 200
    hold = accepted.json()
    assert (hold["start"], hold["end"]) == (offer["start"], offer["end"])
    let_go = await client.delete(
        f"/api/v1/holds/{hold['holdId']}", headers={"Authorization": f"Bearer {hold['secret']}"}
    )
    assert let_go.status_code == 204


async def test_the_token_of_the_message_answers_without_a_session(
    client: httpx.AsyncClient, oak_lane: OakLane, redis: Redis
) -> None:
    where = f"/api/v1/waitlist/{(await join(client, oak_lane, await session(oak_lane, redis))).json()['id']}"
    await look(oak_lane)
    async with across_practices(oak_lane.pool) as conn:
        body = await conn.fetchval("SELECT body FROM message WHERE purpose = 'waitlist_offer'")
    token = {"Authorization": f"Bearer {body.rsplit('/', 1)[1]}"}
    assert (await client.post(f"{where}/decline", headers=token)).status_code == 204
    assert (await client.get(where, headers=token)).json()["state"] == "waiting"
    assert (await client.delete(where, headers=token)).status_code == 204
    assert (await client.get(where, headers=token)).json()["state"] == "left"


async def test_nobody_joins_or_looks_without_proof_and_nobody_sees_another(
    client: httpx.AsyncClient, oak_lane: OakLane, redis: Redis
) -> None:
    other = await open_oak_lane(oak_lane.pool, "elm-lane")
    who = await session(oak_lane, redis)
    where = f"/api/v1/waitlist/{(await join(client, oak_lane, who)).json()['id']}"
    for nobody in ({}, {"Authorization": "Bearer cs_x"}, {"Authorization": f"Bearer wo_{'x' * 22}_{'x' * 32}"}):
        assert (await client.get(where, headers=nobody)).status_code == 401
        assert (await join(client, oak_lane, nobody)).status_code == 401
    stranger = await session(oak_lane, redis, read_contact("+12125550778", "US"))
    elsewhere = await session(other, redis)
    assert (await join(client, oak_lane, elsewhere)).status_code == 401
    for one in (stranger, elsewhere):
        answers = [await client.get(path, headers=one) for path in (where, f"/api/v1/waitlist/{uuid4()}")]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].json() == answers[1].json()
        assert (await client.delete(where, headers=one)).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"windows": []}, 400),
        ({"windows": [{"first": "2020-01-01", "last": "2020-01-02"}]}, 422),
        ({"windows": [{"first": "2020-01-01", "last": "soon"}]}, 400),
        ({"windows": [{"first": "2020-01-01", "last": "2020-01-02", "opens": "25:00"}]}, 400),
        ({"patients": ["dragon"]}, 422),
        ({"appointmentType": str(uuid4())}, 422),
        ({"more": 1}, 400),
    ],
)
async def test_what_cannot_be_waited_for_is_refused(
    client: httpx.AsyncClient, oak_lane: OakLane, redis: Redis, wrong: dict[str, Any], status: int
) -> None:
    assert (await join(client, oak_lane, await session(oak_lane, redis), **wrong)).status_code == status
