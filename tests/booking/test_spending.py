"""Spending: texts cost money, and no stranger can make a practice or the installation pay for more than it allows."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest
from redis.asyncio import Redis

from booking.contacts import Contact
from booking.db.pool import across_practices
from booking.identify import CodeSent
from booking.spending import TextsUsedUp, may_be_texted
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import SITE
from tests.booking.test_identify import ask


async def many(riverside: Riverside, redis: Redis, times: int, **how: object) -> list[object]:
    """Ask for codes to many phones at once."""
    asked = (ask(riverside, redis, f"+1212{n + 200}0101", address=f"10.{n}.0.1", **how) for n in range(times))
    return list(await asyncio.gather(*asked, return_exceptions=True))


async def texts(riverside: Riverside) -> int:
    async with across_practices(riverside.pool) as conn:
        return int(await conn.fetchval("SELECT count(*) FROM message WHERE channel = 'text'"))


@pytest.mark.parametrize("whose", ["practice", "installation"])
async def test_of_many_texts_at_once_no_more_are_sent_than_allowed(
    riverside: Riverside, redis: Redis, whose: str
) -> None:
    practice = msgspec.structs.replace(riverside.practice, texts_per_day=5 if whose == "practice" else 300)
    site = msgspec.structs.replace(SITE, texts_per_day=5 if whose == "installation" else 300)
    outcomes = await many(riverside, redis, 20, practice=practice, site=site)
    assert [type(one) for one in outcomes].count(CodeSent) == 5
    assert [type(one) for one in outcomes].count(TextsUsedUp) == 15
    assert await texts(riverside) == 5
    async with across_practices(riverside.pool) as conn:
        assert await conn.fetchval("SELECT sent FROM code_text") == 5
        assert await conn.fetchval("SELECT sent FROM code_text_total") == 5


async def test_a_ceiling_of_none_sends_none(riverside: Riverside, redis: Redis) -> None:
    practice = msgspec.structs.replace(riverside.practice, texts_per_day=0)
    assert isinstance((await many(riverside, redis, 1, practice=practice))[0], TextsUsedUp)
    assert await texts(riverside) == 0


async def test_the_next_day_begins_anew(riverside: Riverside, redis: Redis) -> None:
    practice = msgspec.structs.replace(riverside.practice, texts_per_day=1)
    assert [type(one) for one in await many(riverside, redis, 2, practice=practice)].count(CodeSent) == 1
    tomorrow = NOW + timedelta(days=1)
    assert isinstance((await many(riverside, redis, 1, practice=practice, now=tomorrow))[0], CodeSent)


@pytest.mark.parametrize(
    ("phone", "allowed"),
    [
        ("+12125550101", True),
        ("+14165550123", False),  # Canada, in the same numbering plan
        ("+18765550123", False),  # Jamaica, likewise
        ("+19005550123", False),  # premium rate
        ("+18005550199", False),  # toll-free
        ("+4930901820", False),
    ],
)
def test_texts_go_to_the_practice_s_country_and_to_numbers_that_can_receive_them(
    riverside: Riverside, phone: str, *, allowed: bool
) -> None:
    assert may_be_texted(riverside.practice, Contact(kind="phone", value=phone)) is allowed
