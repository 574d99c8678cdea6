"""Limits: so many and no more, whoever asks at the same time; a refusal costs nobody anything."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from booking.contacts import read_contact
from booking.limits import EVERYWHERE, Counted, Limit, address_block, tally, wider_block
from booking.spending import number_range
from tests.booking.conftest import Riverside
from tests.booking.test_identify import KNOWN, ask, check, code_of_last_message
from tests.widget.oak_lane import browser_of, settings_of
from widget.embedded import ValkeyServer

HOURLY = Limit(name="hourly", times=5, per=timedelta(hours=1), free=3)
DAILY = Limit(name="daily", times=100, per=timedelta(days=1))


async def count(redis: Redis, *limits: Limit, by: str = "somebody", step: int = 1, work_shown: bool = True) -> str:
    counted = [Counted(limit=limit, by=by, step=step) for limit in limits]
    return (await tally(redis, EVERYWHERE, counted, work_shown=work_shown)).verdict


async def test_of_many_at_once_so_many_are_let_in_as_the_limit_says(redis: Redis) -> None:
    verdicts = await asyncio.gather(*(count(redis, HOURLY) for _ in range(50)))
    assert verdicts.count("within") == 5
    assert verdicts.count("exceeded") == 45
    assert await count(redis, HOURLY, by="somebody else") == "within"


async def test_what_one_limit_refuses_counts_against_no_other(redis: Redis) -> None:
    for _ in range(8):
        await count(redis, HOURLY, DAILY)
    found = await tally(redis, EVERYWHERE, [Counted(limit=DAILY, by="somebody", step=0)])
    assert found.used == [5]


async def test_a_window_ends_at_its_time_however_long_somebody_goes_on_asking(redis: Redis) -> None:
    short = Limit(name="short", times=1, per=timedelta(milliseconds=400))
    verdicts = []
    for _ in range(8):
        verdicts.append(await count(redis, short))
        await asyncio.sleep(0.1)
    assert verdicts[0] == "within"
    assert 2 <= verdicts.count("within") <= 3


async def test_a_refusal_says_how_long_to_wait(redis: Redis) -> None:
    for _ in range(5):
        await count(redis, HOURLY)
    found = await tally(redis, EVERYWHERE, [Counted(limit=HOURLY, by="somebody")])
    assert timedelta(minutes=59) < found.wait <= timedelta(hours=1)


async def test_after_some_free_ones_work_is_asked_for_and_counts_nothing_until_it_is_shown(redis: Redis) -> None:
    free = [await count(redis, HOURLY, work_shown=False) for _ in range(6)]
    assert free == ["within"] * 3 + ["work_needed"] * 3
    assert [await count(redis, HOURLY) for _ in range(3)] == ["within", "within", "exceeded"]


async def test_what_is_given_back_can_be_used_again_and_never_becomes_credit(redis: Redis) -> None:
    for _ in range(3):
        await count(redis, HOURLY, step=-1)
    assert [await count(redis, HOURLY) for _ in range(6)].count("within") == 5
    await count(redis, HOURLY, step=-1)
    assert [await count(redis, HOURLY) for _ in range(2)] == ["within", "exceeded"]


async def test_what_is_counted_by_is_not_readable_in_redis_and_no_counter_lives_forever(redis: Redis) -> None:
    await count(redis, HOURLY, DAILY, by="+12125550101")
    keys = await redis.keys("*")
    assert len(keys) == 2
    assert not [key for key in keys if "5550101" in str(key)]
    assert all([await redis.ttl(key) > 0 for key in keys])


@pytest.mark.parametrize(
    ("address", "block", "wider"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("unknown", "unknown", "unknown"),
    ],
)
def test_an_address_is_counted_by_what_one_household_has(address: str, block: str, wider: str) -> None:
    assert address_block(address) == block
    assert wider_block(block) == wider


async def test_a_range_of_numbers_whose_codes_nobody_enters_is_stopped(riverside: Riverside, redis: Redis) -> None:
    outcomes = [type(await ask(riverside, redis, f"+1212555{n:04}", address=f"10.{n}.0.1")).__name__ for n in range(20)]
    assert outcomes == ["CodeSent"] * 15 + ["WorkNeeded"] * 5
    other = await ask(riverside, redis, "+12125560001", address="10.99.0.1")
    assert type(other).__name__ == "CodeSent"


async def test_a_range_of_numbers_whose_codes_are_entered_is_not_stopped(riverside: Riverside, redis: Redis) -> None:
    for n in range(20):
        sent = await ask(riverside, redis, f"+1212555{n:04}", address=f"10.{n}.0.1")
        assert type(sent).__name__ == "CodeSent"
        await check(redis, sent, await code_of_last_message(riverside))  # type: ignore[arg-type]  # see above


async def test_codes_from_one_address_cost_work_after_ten_and_from_its_neighborhood_after_forty(
    riverside: Riverside, redis: Redis
) -> None:
    one = [type(await ask(riverside, redis, f"a{n}@example.com")).__name__ for n in range(11)]
    assert one == ["CodeSent"] * 10 + ["WorkNeeded"]
    many = [type(await ask(riverside, redis, f"b{n}@example.com", address=f"10.0.0.{n}")).__name__ for n in range(41)]
    assert many == ["CodeSent"] * 40 + ["WorkNeeded"]


async def test_who_enters_many_wrong_codes_has_to_work_for_the_next(riverside: Riverside, redis: Redis) -> None:
    for n in range(2):
        sent = await ask(riverside, redis, f"a{n}@example.com")
        for _ in range(5):
            await check(redis, sent, "not it")  # type: ignore[arg-type]  # a code was sent
    assert type(await ask(riverside, redis, "c@example.com")).__name__ == "WorkNeeded"
    assert type(await ask(riverside, redis, "c@example.com", address="10.0.0.1")).__name__ == "CodeSent"


async def test_without_redis_reading_goes_on_and_no_code_is_sent(
    riverside: Riverside, tmp_path_factory: pytest.TempPathFactory
) -> None:
    valkey = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    valkey.start()
    url = valkey.url
    async with browser_of(settings_of(riverside.database_url, url)) as browser:
        assert (await browser.get("/api/v1/practices/riverside/challenge")).status_code == 200
        valkey.stop()
        read = await browser.get("/api/v1/practices/riverside/challenge")
        assert read.status_code == 200
        assert "ratelimit" not in read.headers
        asked = await browser.post("/api/v1/practices/riverside/verifications", json={"phone": KNOWN})
        assert (asked.status_code, asked.json()["retryable"]) == (503, True)


def test_a_range_is_ten_thousand_numbers() -> None:
    assert number_range(read_contact("(212) 555-0101", "US")) == "+1212555"
