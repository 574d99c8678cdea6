"""Identity: a code proves a contact once, and nothing tells a known contact from an unknown one."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from redis.asyncio import Redis

from booking.contacts import ContactUnreadableError, read_contact, read_phone
from booking.db.pool import across_practices
from booking.identify import (
    CodeExpired,
    CodeSent,
    Proven,
    TooManyCodes,
    WorkNeeded,
    WrongCode,
    check_code,
    send_code,
)
from pims_adapters.demo.clinic.personas import OLIVIA_CARTER
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import SITE

KNOWN = OLIVIA_CARTER.phone or ""
UNKNOWN = "+12125550777"


async def ask(
    riverside: Riverside,
    redis: Redis,
    typed: str,
    *,
    address: str = "192.0.2.1",
    **how: Any,  # noqa: ANN401 - what send_code takes
) -> CodeSent | TooManyCodes | WorkNeeded:
    return await send_code(
        riverside.pool,
        redis,
        how.pop("site", SITE),
        how.pop("practice", riverside.practice),
        read_contact(typed, "US"),
        address=address,
        now=how.pop("now", NOW),
        **how,
    )


async def code_of_last_message(riverside: Riverside) -> str:
    async with across_practices(riverside.pool) as conn:
        body = await conn.fetchval("SELECT body FROM message ORDER BY position DESC LIMIT 1")
    found = re.search(r"\d{6}", body)
    assert found
    return found.group()


def proven(riverside: Riverside, typed: str) -> Proven:
    return Proven(practice_id=riverside.practice.practice_id, contact=read_contact(typed, "US"))


async def check(redis: Redis, sent: CodeSent, code: str) -> Proven | WrongCode | CodeExpired:
    return await check_code(redis, SITE, sent.verification_id, code, address="192.0.2.1")


async def test_the_right_code_proves_the_contact_once(riverside: Riverside, redis: Redis) -> None:
    sent = await ask(riverside, redis, "(212) 555-0101")
    assert isinstance(sent, CodeSent)
    code = await code_of_last_message(riverside)
    assert await check(redis, sent, code) == proven(riverside, KNOWN)
    assert await check(redis, sent, code) == CodeExpired()


async def test_the_sixth_try_finds_no_code_even_if_it_is_right(riverside: Riverside, redis: Redis) -> None:
    sent = await ask(riverside, redis, KNOWN)
    assert isinstance(sent, CodeSent)
    code = await code_of_last_message(riverside)
    wrong = f"{(int(code) + 1) % 10**6:06}"
    assert [await check(redis, sent, wrong) for _ in range(5)] == [
        WrongCode(tries_left=left) for left in (4, 3, 2, 1, 0)
    ]
    assert await check(redis, sent, code) == CodeExpired()


async def test_tries_at_the_same_time_are_five_as_well(riverside: Riverside, redis: Redis) -> None:
    sent = await ask(riverside, redis, KNOWN)
    assert isinstance(sent, CodeSent)
    outcomes = await asyncio.gather(*(check(redis, sent, f"{n}") for n in range(40)))
    assert [type(one) for one in outcomes].count(WrongCode) == 5
    assert [type(one) for one in outcomes].count(CodeExpired) == 35


async def test_of_two_who_enter_the_right_code_at_once_one_is_let_in(riverside: Riverside, redis: Redis) -> None:
    sent = await ask(riverside, redis, KNOWN)
    assert isinstance(sent, CodeSent)
    code = await code_of_last_message(riverside)
    outcomes = await asyncio.gather(*(check(redis, sent, code) for _ in range(5)))
    assert [type(one) for one in outcomes].count(Proven) == 1


async def test_a_second_code_for_a_contact_does_not_end_the_first(riverside: Riverside, redis: Redis) -> None:
    """Else a stranger who asks for a code to somebody's number could keep them from ever using theirs."""
    mine = await ask(riverside, redis, KNOWN)
    assert isinstance(mine, CodeSent)
    code = await code_of_last_message(riverside)
    assert isinstance(await ask(riverside, redis, KNOWN, address="10.0.0.1"), CodeSent)
    assert await check(redis, mine, code) == proven(riverside, KNOWN)


async def test_a_code_belongs_to_the_verification_it_was_made_for(riverside: Riverside, redis: Redis) -> None:
    mine = await ask(riverside, redis, UNKNOWN)
    theirs = await ask(riverside, redis, KNOWN)
    assert isinstance(mine, CodeSent)
    assert isinstance(theirs, CodeSent)
    code = await code_of_last_message(riverside)
    assert await check(redis, theirs, code) == proven(riverside, KNOWN)
    assert isinstance(await check(redis, mine, code), WrongCode)


async def test_neither_the_code_nor_the_contact_stands_in_redis_in_a_key(riverside: Riverside, redis: Redis) -> None:
    await ask(riverside, redis, KNOWN)
    code = await code_of_last_message(riverside)
    keys = [str(key) for key in await redis.keys("*")]
    assert keys
    assert not [key for key in keys if "5550101" in key]
    kept = [await redis.hgetall(key) for key in keys if "verification" in key]
    assert not [one for one in kept if code.encode() in one.get(b"digest", b"")]


async def test_known_and_unknown_contacts_are_told_the_same(riverside: Riverside, redis: Redis) -> None:
    bodies = []
    for typed in (KNOWN, UNKNOWN):
        assert isinstance(await ask(riverside, redis, typed), CodeSent)
        async with across_practices(riverside.pool) as conn:
            body = await conn.fetchval("SELECT body FROM message ORDER BY position DESC LIMIT 1")
        bodies.append(re.sub(r"\d{6}", "······", body))
    assert bodies[0] == bodies[1]


async def test_codes_to_one_contact_are_limited_known_or_not(riverside: Riverside, redis: Redis) -> None:
    for typed in (KNOWN, UNKNOWN):
        outcomes = [await ask(riverside, redis, typed) for _ in range(4)]
        assert [type(one) for one in outcomes] == [CodeSent, CodeSent, CodeSent, TooManyCodes]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("212 555 0101", "+12125550101"),
        ("(212) 555-0101", "+12125550101"),
        ("+1 212.555.0101", "+12125550101"),
        ("212-555-0101 (Bob work)", "+12125550101"),
        ("+49 30 901820", "+4930901820"),
        (" Olivia.Carter@Example.COM ", "olivia.carter@example.com"),
    ],
)
def test_a_contact_is_read_as_people_type_it(typed: str, read: str) -> None:
    assert read_contact(typed, "US").value == read


@pytest.mark.parametrize("typed", ["", "555-0101", "call me", "a@b", "@example.com", "9" * 300, "a@example,com"])
def test_what_is_no_contact_is_refused_in_words_that_help(typed: str) -> None:
    with pytest.raises(ContactUnreadableError, match="phone number with its area code, or an email"):
        read_contact(typed, "US")


def test_a_phone_that_cannot_be_used_is_not_guessed_at() -> None:
    assert read_phone("555-0134 (Bob work)", "US") is None
