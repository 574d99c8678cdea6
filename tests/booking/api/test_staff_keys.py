"""Staff at the API: who is let in by what, and how a practice gives its programs keys of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from booking.db.pool import Pool, across_practices
from booking.tokens import sealed
from tests.widget.oak_lane import FROM_HERE, OakLane, browser_of, open_oak_lane, settings_of, sign_in_as

KEYS = "/api/v1/staff/keys"


@pytest.fixture
async def oak_lane(pool: Pool) -> OakLane:
    return await open_oak_lane(pool)


@pytest.fixture
async def browser(oak_lane: OakLane, database_url: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        yield browser


async def make(browser: httpx.AsyncClient, *scopes: str, key: str | None = None, **more: str) -> httpx.Response:
    """Ask for a key as whoever is signed in at the browser."""
    headers = {**FROM_HERE, "Idempotency-Key": key or str(uuid4())}
    asked = {"name": "Front desk screen", "scopes": list(scopes), **more}
    return await browser.post(KEYS, json=asked, headers=headers)


def with_key(answer: httpx.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['token']}"}


async def token_of(browser: httpx.AsyncClient, oak_lane: OakLane, *scopes: str, **more: str) -> dict[str, str]:
    """Return the header of a program that the owner has given a key; nobody stays signed in."""
    await sign_in_as("owner", browser, oak_lane)
    made = await make(browser, *scopes, **more)
    assert made.status_code == 201, made.text
    browser.cookies.clear()
    return with_key(made)


async def test_nobody_is_let_in_without_session_or_key(browser: httpx.AsyncClient, oak_lane: OakLane) -> None:
    for token in ("", "x", "vs_", sealed("vs", oak_lane.practice.practice_id, "x" * 43), sealed("vs", uuid4(), "x")):
        answer = await browser.get(KEYS, headers={"Authorization": f"Bearer {token}"} if token else {})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["code"] == "not-signed-in"


async def test_a_key_opens_what_its_scopes_name_and_no_more(browser: httpx.AsyncClient, oak_lane: OakLane) -> None:
    reads = await token_of(browser, oak_lane, "clients:read")
    refused = await browser.get(KEYS, headers=reads)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope-missing")
    assert "`keys:write`" in refused.json()["detail"]
    opens = await token_of(browser, oak_lane, "keys:write")
    assert (await browser.get(KEYS, headers=opens)).status_code == 200


async def test_only_owners_have_keys_to_give(browser: httpx.AsyncClient, oak_lane: OakLane) -> None:
    for role in ("manager", "front_desk", "read_only"):
        await sign_in_as(role, browser, oak_lane)
        assert (await make(browser, "clients:read")).json()["code"] == "scope-missing"


async def test_a_key_cannot_give_more_than_it_has(browser: httpx.AsyncClient, oak_lane: OakLane) -> None:
    headers = await token_of(browser, oak_lane, "keys:write", "clients:read")
    for scope, status in (("clients:read", 201), ("configuration:write", 403)):
        asked = {"name": "Child", "scopes": [scope]}
        answer = await browser.post(KEYS, json=asked, headers={**headers, "Idempotency-Key": str(uuid4())})
        assert answer.status_code == status
        assert answer.json().get("code", "scopes-beyond-yours") == "scopes-beyond-yours"


async def test_the_secret_is_shown_once_and_to_whoever_repeats_the_request(
    browser: httpx.AsyncClient, oak_lane: OakLane
) -> None:
    await sign_in_as("owner", browser, oak_lane)
    first = await make(browser, "clients:read", key="same")
    again = await make(browser, "clients:read", key="same")
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    listed = await browser.get(KEYS)
    token = first.json()["token"]
    assert len(listed.json()["items"]) == 1
    assert token not in listed.text
    async with across_practices(oak_lane.pool) as conn:
        kept = str([await conn.fetch(f"SELECT * FROM {table}") for table in ("api_key", "idempotency", "audit")])
    assert token.rpartition("_")[2] not in kept


async def test_a_revoked_key_opens_nothing_from_then_on(browser: httpx.AsyncClient, oak_lane: OakLane) -> None:
    await sign_in_as("owner", browser, oak_lane)
    made = await make(browser, "keys:write")
    revoke = f"{KEYS}/{made.json()['key']['id']}/revoke"
    first = await browser.post(revoke, headers=FROM_HERE)
    assert first.json()["revokedAt"]
    assert (await browser.post(revoke, headers=FROM_HERE)).json() == first.json()
    browser.cookies.clear()
    assert (await browser.get(KEYS, headers=with_key(made))).status_code == 401


async def test_an_expired_key_opens_nothing(browser: httpx.AsyncClient, oak_lane: OakLane) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    headers = await token_of(browser, oak_lane, "keys:write", expiresAt=soon)
    assert (await browser.get(KEYS, headers=headers)).status_code == 200
    async with across_practices(oak_lane.pool) as conn:
        await conn.execute("UPDATE api_key SET expires_at = now() - interval '1 second'")
    assert (await browser.get(KEYS, headers=headers)).status_code == 401


async def test_the_use_of_a_key_is_remembered_by_the_hour(browser: httpx.AsyncClient, oak_lane: OakLane) -> None:
    headers = await token_of(browser, oak_lane, "keys:write")
    first = (await browser.get(KEYS, headers=headers)).json()["items"][0]["lastUsedAt"]
    second = (await browser.get(KEYS, headers=headers)).json()["items"][0]["lastUsedAt"]
    assert first is not None
    assert first == second
    async with across_practices(oak_lane.pool) as conn:
        await conn.execute("UPDATE api_key SET last_used_at = last_used_at - interval '2 hours'")
    assert (await browser.get(KEYS, headers=headers)).json()["items"][0]["lastUsedAt"] > first


async def test_another_websites_page_cannot_use_a_session(browser: httpx.AsyncClient, oak_lane: OakLane) -> None:
    await sign_in_as("owner", browser, oak_lane)
    asked = {"name": "Theft", "scopes": ["clients:read"]}
    for where in ({}, {"Sec-Fetch-Site": "none"}, {"Origin": "https://evil.example"}):
        headers = {"Idempotency-Key": "theft", **where}
        answer = await browser.post(KEYS, json=asked, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "from-another-site"), where
    assert (await browser.get(KEYS)).json() == {"items": []}


async def test_who_made_and_who_ended_a_key_is_in_the_audit_log(browser: httpx.AsyncClient, oak_lane: OakLane) -> None:
    headers = await token_of(browser, oak_lane, "keys:write")
    (only,) = (await browser.get(KEYS, headers=headers)).json()["items"]
    await browser.post(f"{KEYS}/{only['id']}/revoke", headers=headers)
    async with across_practices(oak_lane.pool) as conn:
        made, ended = await conn.fetch("SELECT * FROM audit ORDER BY position")
        owner = await conn.fetchval("SELECT staff_id FROM staff WHERE role = 'owner'")
    assert (made["actor_id"], made["before"], made["after"]["name"]) == (owner, None, "Front desk screen")
    assert str(ended["actor_id"]) == only["id"]
    assert ended["after"]["revoked_at"] is not None
