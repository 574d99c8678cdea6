"""Verifications over HTTP: from a code to a session, and what stands between a stranger and a thousand codes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import altcha
import httpx
import pytest
from redis.asyncio import Redis

from booking.client_session import IDLE
from booking.db.pool import across_practices
from booking.tokens import sealed
from pims_adapters.demo.clinic.personas import OLIVIA_CARTER
from tests.booking.conftest import Riverside
from tests.widget.oak_lane import browser_of, settings_of

KNOWN = OLIVIA_CARTER.phone or ""
UNKNOWN = "+12125550777"
ASK = "/api/v1/practices/riverside/verifications"


@pytest.fixture
async def browser(riverside: Riverside, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_of(settings_of(riverside.database_url, redis_url)) as browser:
        yield browser


async def newest_code(riverside: Riverside) -> str:
    async with across_practices(riverside.pool) as conn:
        body = await conn.fetchval("SELECT body FROM message WHERE purpose = 'code' ORDER BY position DESC LIMIT 1")
    found = re.match(r"\d{6}", body)
    assert found
    return found.group()


async def ask(browser: httpx.AsyncClient, **contact: str) -> str:
    answer = await browser.post(ASK, json=contact)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def check(browser: httpx.AsyncClient, id_: str, code: str) -> httpx.Response:
    return await browser.post(f"/api/v1/verifications/{id_}/check", json={"code": code})


async def prove(browser: httpx.AsyncClient, riverside: Riverside, **contact: str) -> dict[str, Any]:
    answer = await check(browser, await ask(browser, **contact), await newest_code(riverside))
    assert answer.status_code == 200, answer.text
    proven: dict[str, Any] = answer.json()
    return proven


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def change_practice(riverside: Riverside, what: str) -> None:
    async with across_practices(riverside.pool) as conn:
        await conn.execute(f"UPDATE practice SET {what}")


async def test_a_code_opens_a_session_that_shows_the_client_and_their_patients(
    browser: httpx.AsyncClient, riverside: Riverside
) -> None:
    proven = await prove(browser, riverside, phone="(212) 555-0101")
    (account,) = proven["client"]["accounts"]
    assert account["name"] == "Olivia Carter"
    assert "Biscuit" in [one["name"] for one in account["patients"]]
    assert {one["status"] for one in account["patients"]} == {"active"}
    assert proven["newClientsWelcome"]
    again = await browser.get("/api/v1/session", headers=bearer(proven["session"]))
    assert again.json() == proven


async def test_somebody_the_practice_does_not_know_has_a_session_too(
    browser: httpx.AsyncClient, riverside: Riverside
) -> None:
    await change_practice(riverside, "who_may_book = 'existing_clients'")
    proven = await prove(browser, riverside, email="Noor@Example.com")
    assert proven["client"] is None
    assert not proven["newClientsWelcome"]


async def test_a_household_behind_one_phone_is_shown_as_separate_accounts(
    browser: httpx.AsyncClient, riverside: Riverside
) -> None:
    async with across_practices(riverside.pool) as conn:
        await conn.execute(
            "WITH other AS (INSERT INTO client (practice_id, client_id, given_name, family_name, created_at)"
            " SELECT practice_id, $1, 'Olivia', 'Carter', now() FROM practice RETURNING practice_id, client_id)"
            " INSERT INTO client_contact SELECT practice_id, client_id, 'phone', $2, $2 FROM other",
            uuid4(),
            KNOWN,
        )
        clients = await conn.fetchval("SELECT count(*) FROM client")
    proven = await prove(browser, riverside, phone=KNOWN)
    accounts = proven["client"]["accounts"]
    assert [one["name"] for one in accounts] == ["Olivia Carter", "Olivia Carter"]
    assert len({one["id"] for one in accounts}) == 2
    assert sorted(bool(one["patients"]) for one in accounts) == [False, True]
    async with across_practices(riverside.pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM client") == clients, "nobody was merged"


async def test_a_session_ends_when_the_person_signs_out(browser: httpx.AsyncClient, riverside: Riverside) -> None:
    token = (await prove(browser, riverside, phone=KNOWN))["session"]
    assert (await browser.delete("/api/v1/session", headers=bearer(token))).status_code == 204
    ended = await browser.get("/api/v1/session", headers=bearer(token))
    assert (ended.status_code, ended.json()["code"]) == (401, "not-proven")
    assert (await browser.delete("/api/v1/session", headers=bearer(token))).status_code == 204


async def test_a_session_lives_40_minutes_from_its_last_use_and_12_hours_at_most(
    browser: httpx.AsyncClient, riverside: Riverside, redis: Redis
) -> None:
    token = (await prove(browser, riverside, phone=KNOWN))["session"]
    keys = sorted([key async for key in redis.scan_iter("*client-session*")], key=len)
    assert not [key for key in keys if token[26:].encode() in key], "only its digest is kept"
    await redis.expire(keys[0], 5)
    assert (await browser.get("/api/v1/session", headers=bearer(token))).status_code == 200
    assert await redis.ttl(keys[0]) > IDLE.total_seconds() - 60
    await redis.delete(keys[1])  # what Redis does after twelve hours
    assert (await browser.get("/api/v1/session", headers=bearer(token))).status_code == 401


async def test_a_wrong_code_says_how_many_tries_are_left_and_the_sixth_finds_none(
    browser: httpx.AsyncClient, riverside: Riverside
) -> None:
    id_ = await ask(browser, phone=KNOWN)
    code = await newest_code(riverside)
    wrong = f"{(int(code) + 1) % 10**6:06}"
    answers = [await check(browser, id_, wrong) for _ in range(5)]
    assert [(one.status_code, one.json()["code"], one.json()["triesLeft"]) for one in answers] == [
        (422, "code-wrong", left) for left in (4, 3, 2, 1, 0)
    ]
    assert (await check(browser, id_, code)).json()["code"] == "code-expired"


async def test_a_used_code_answers_like_one_that_never_was(browser: httpx.AsyncClient, riverside: Riverside) -> None:
    id_ = await ask(browser, phone=KNOWN)
    code = await newest_code(riverside)
    assert (await check(browser, id_, f"{code[:3]} {code[3:]}")).status_code == 200
    practice_id = riverside.practice.practice_id
    tried = [id_, sealed("vf", practice_id, "x" * 32), sealed("vf", uuid4(), "x" * 32), "nonsense", "vf_ä"]
    answers = [await check(browser, one, code) for one in tried]
    assert {one.status_code for one in answers} == {410}
    assert len({one.text for one in answers}) == 1
    assert answers[0].json()["code"] == "code-expired"


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({}, 400, "malformed"),
        ({"phone": UNKNOWN, "email": "a@example.com"}, 400, "malformed"),
        ({"phone": "555-0101"}, 422, "contact-unreadable"),
        ({"email": "(212) 555-0101"}, 422, "contact-unreadable"),
        ({"phone": "+18765550123"}, 422, "cannot-be-texted"),
        ({"phone": "+1 900 555 0123"}, 422, "cannot-be-texted"),
        ({"phone": "+1 800 555 0199"}, 422, "cannot-be-texted"),
    ],
)
async def test_what_cannot_be_sent_a_code_is_refused_in_words_that_help(
    browser: httpx.AsyncClient, asked: dict[str, str], status: int, code: str
) -> None:
    answer = await browser.post(ASK, json=asked)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_practice_may_text_to_other_countries_too(browser: httpx.AsyncClient, riverside: Riverside) -> None:
    assert (await browser.post(ASK, json={"phone": "+14165550123"})).status_code == 422
    await change_practice(riverside, "text_countries = '{CA}'")
    assert (await browser.post(ASK, json={"phone": "+14165550123"})).status_code == 202


async def test_a_phone_is_of_no_use_where_only_emails_can_be_sent(riverside: Riverside, redis_url: str) -> None:
    settings = settings_of(riverside.database_url, redis_url, dev_mailbox=False)
    for smtp_url, statuses in (("smtp://mail.example", (422, 422, 202)), (None, (422, 422, 422))):
        async with browser_of(type(settings)(**{**_fields(settings), "smtp_url": smtp_url})) as browser:
            contacts = [{"phone": KNOWN}, {"phone": UNKNOWN}, {"email": "a@example.com"}]
            answers = [await browser.post(ASK, json=one) for one in contacts]
        assert tuple(one.status_code for one in answers) == statuses
        assert answers[0].text == answers[1].text
        assert "email address" in answers[0].json()["detail"]


def _fields(settings: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever it has
    return {name: getattr(settings, name) for name in settings.__struct_fields__}


async def test_texts_of_a_day_are_bounded_even_if_redis_is_emptied(
    browser: httpx.AsyncClient, riverside: Riverside, redis: Redis
) -> None:
    await change_practice(riverside, "texts_per_day = 2")
    for n in range(2):
        await ask(browser, phone=f"+1212555{n:04}")
    await redis.flushall()
    known, unknown = [await browser.post(ASK, json={"phone": one}) for one in (KNOWN, UNKNOWN)]
    assert (known.status_code, known.json()["code"]) == (429, "code-not-sent")
    assert "email" in known.json()["detail"]
    assert known.text == unknown.text
    await ask(browser, email="a@example.com")
    async with across_practices(riverside.pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM message WHERE channel = 'text'") == 2
        assert await conn.fetchval("SELECT sent FROM code_text") == 2
        assert await conn.fetchval("SELECT sent FROM code_text_total") == 2, "what was refused is not counted"


async def test_work_is_asked_for_when_very_much_is_asked_from_one_address(
    browser: httpx.AsyncClient, riverside: Riverside
) -> None:
    for n in range(10):
        await ask(browser, email=f"somebody{n}@example.com")
    asked = {"email": "one-more@example.com"}
    refused = await browser.post(ASK, json=asked)
    assert (refused.status_code, refused.json()["code"]) == (428, "proof-of-work-required")
    assert refused.json()["retryable"]
    payload = solve(refused.json()["challenge"])
    assert (await browser.post(ASK, json={**asked, "altcha": payload})).status_code == 202
    assert (await browser.post(ASK, json={**asked, "altcha": payload})).status_code == 428, "it counts once"
    fresh = (await browser.get("/api/v1/practices/riverside/challenge")).json()
    assert (await browser.post(ASK, json={**asked, "altcha": solve(fresh)})).status_code == 202
    async with across_practices(riverside.pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM message") == 12


def solve(challenge: dict[str, Any]) -> str:
    read = altcha.Challenge.from_dict(challenge)
    solution = altcha.solve_challenge(read)
    assert solution
    return altcha.Payload(challenge=read, solution=solution).to_base64()


async def test_an_answer_says_how_much_is_left(browser: httpx.AsyncClient, riverside: Riverside) -> None:
    seen = [await browser.get("/api/v1/session") for _ in range(121)]
    assert seen[0].headers["ratelimit-policy"] == '"session";q=120;w=600'
    assert re.fullmatch(r'"session";r=119;t=(600|59\d)', seen[0].headers["ratelimit"])
    assert seen[119].status_code == 401
    refused = seen[120]
    assert (refused.status_code, refused.json()["code"], refused.json()["retryable"]) == (429, "rate-limited", True)
    assert re.fullmatch(r'"session";r=0;t=\d+', refused.headers["ratelimit"])
    assert 590 <= int(refused.headers["retry-after"]) <= 600
    assert (await browser.get("/book/riverside")).headers.get("ratelimit") is None
