"""Feeds: each at its own rhythm, none waiting for another, and how fresh the schedule is follows from them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from booking.connect.mapping import ImportSettings
from booking.db import drift, feeds
from booking.db.connections import Connection
from booking.db.feeds import Feed
from booking.db.pool import Pool, across_practices, speak_json
from booking.slot_problem import freshness_of
from booking.sync import rhythm, rounds
from pims_adapters import contract as pims
from tests.booking.two_sides import MINUTE, SITE, ClinicPims, TwoSides, open_two_sides


@pytest.fixture
async def sides(pool: Pool) -> TwoSides:
    return await open_two_sides(pool)


def keeping(sides: TwoSides, adapter: pims.PimsAdapter | None = None) -> rounds.Keeping:
    async def adapter_of(_: Connection) -> pims.PimsAdapter:
        return adapter or sides.there

    return rounds.Keeping(sides.pool, adapter_of, site=SITE, clock=sides.clock, most=timedelta(seconds=15))


async def do_round(sides: TwoSides, keeper: rounds.Keeping) -> list[str]:
    """Let a worker do one round to its end; which feeds it read."""
    sides.there.asked.clear()
    await keeper.round()
    await keeper.ended()
    return sorted(set(sides.there.asked))


async def as_of(sides: TwoSides) -> datetime | None:
    return (await sides.connection()).as_of


async def test_each_feed_is_read_when_it_is_due(sides: TwoSides) -> None:
    keeper = keeping(sides)
    assert await do_round(sides, keeper) == ["people", "schedule", "set-up"]
    sides.now += timedelta(seconds=10)
    assert await do_round(sides, keeper) == []
    sides.now += timedelta(seconds=10)
    assert await do_round(sides, keeper) == ["schedule"]
    sides.now += 7 * MINUTE
    assert await do_round(sides, keeper) == ["people", "schedule"]
    sides.now += 25 * 60 * MINUTE
    assert await do_round(sides, keeper) == ["people", "schedule", "set-up"]


async def test_a_change_there_is_in_the_offers_within_a_minute_and_at_once_when_somebody_says_so(
    sides: TwoSides,
) -> None:
    keeper = keeping(sides)
    await do_round(sides, keeper)
    start = (await sides.free("dental"))[0]
    for column in ("ada", "lin"):
        sides.staff_book(0, 0, column)
    async with across_practices(sides.pool) as conn:
        await feeds.ask_at_once(conn, sides.elm.practice.practice_id, sides.now, "schedule")
    assert await do_round(sides, keeper) == ["schedule"]
    assert start not in await sides.free("dental")
    for column in ("ada", "lin"):
        sides.staff_book(0, 30, column)
    taken = start + 30 * MINUTE
    assert taken in await sides.free("dental")
    sides.now += timedelta(seconds=19)
    assert await do_round(sides, keeper) == ["schedule"]
    assert taken not in await sides.free("dental")


async def test_each_night_the_copy_is_compared_with_the_pims(sides: TwoSides) -> None:
    pims_id = sides.staff_book(0, 0, "ada")
    keeper = keeping(sides)
    await do_round(sides, keeper)
    await do_round(sides, keeper)
    sides.now += 25 * 60 * MINUTE
    await do_round(sides, keeper)
    async with across_practices(sides.pool) as conn:
        report = await drift.last_report(conn, sides.elm.practice.practice_id)
    assert await sides.theirs(pims_id) is not None
    assert report is not None
    assert (report.at, report.differing) == (sides.now, 0)
    assert report.compared > 0


async def test_a_feed_that_fails_keeps_no_other_waiting_and_says_why(sides: TwoSides) -> None:
    keeper = keeping(sides)
    sides.there.down.add("people")
    pims_id = sides.staff_book(0, 0, "ada")
    await do_round(sides, keeper)
    assert await sides.theirs(pims_id) is not None
    people = (await sides.feeds())["people"]
    assert (people.failure, people.failing_since, people.failures) == ("No answer to people.", sides.now, 1)
    assert (await sides.connection()).failure == "No answer to people."
    sides.there.down.clear()
    sides.now += MINUTE
    await do_round(sides, keeper)
    assert (await sides.feeds())["people"].failure is None
    assert (await sides.connection()).failure is None


async def test_a_feed_that_hangs_keeps_no_other_waiting(sides: TwoSides) -> None:
    hung = asyncio.Event()

    class Hanging(ClinicPims):
        async def changes(self, feed: str, cursor: str | None) -> pims.ChangePage:
            if feed == "people":
                await hung.wait()
            return await sides.there.changes(feed, cursor)

    keeper = keeping(sides, Hanging(sides.clock))
    await keeper.round()
    for _ in range(2):
        sides.now += timedelta(seconds=20)
        sides.there.asked.clear()
        await keeper.round()
        async with asyncio.timeout(10):
            while "schedule" not in sides.there.asked:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
    hung.set()
    await keeper.ended()


async def test_a_failing_feed_is_tried_later_and_later(sides: TwoSides) -> None:
    feed = (await sides.feeds())["schedule"]
    pauses = [rhythm.after_failure(_failed(feed, times), sides.now) - sides.now for times in (0, 3, 30)]
    assert timedelta(seconds=2) < pauses[0] < timedelta(seconds=8)
    assert timedelta(seconds=20) <= pauses[1] <= MINUTE
    assert 2 * MINUTE < pauses[2] < 8 * MINUTE


def _failed(feed: Feed, times: int) -> Feed:
    return Feed(**{name: getattr(feed, name) for name in feed.__struct_fields__ if name != "failures"}, failures=times)


async def test_the_night_is_the_practices_and_begins_when_it_wants(sides: TwoSides) -> None:
    feed = (await sides.feeds())["set-up"]
    noon = datetime(2027, 3, 13, 19, 0, tzinfo=UTC)  # in Phoenix; in New York the clocks go forward that night
    at = rhythm.next_time(feed, "America/Phoenix", noon)
    assert datetime(2027, 3, 14, 10, 0, tzinfo=UTC) <= at < datetime(2027, 3, 14, 10, 30, tzinfo=UTC)
    wanted = ImportSettings(hour=4, timezone="America/New_York")
    at = rhythm.next_time(feed, "America/Phoenix", noon, nights=wanted)
    assert datetime(2027, 3, 14, 8, 0, tzinfo=UTC) <= at < datetime(2027, 3, 14, 8, 30, tzinfo=UTC)


async def test_the_schedule_is_as_fresh_as_the_oldest_feed_that_carries_it(sides: TwoSides) -> None:
    assert await as_of(sides) == sides.now
    before = sides.now
    sides.now += 3 * MINUTE
    sides.there.down.add("schedule")
    await do_round(sides, keeping(sides))
    assert await as_of(sides) == before
    sides.now += 60 * MINUTE
    async with across_practices(sides.pool) as conn:
        assert (await freshness_of(conn, sides.elm.practice, sides.now)).stale


async def test_a_nightly_feed_of_the_schedule_counts_once_it_has_missed_its_night_by_a_day(sides: TwoSides) -> None:
    connection = await sides.connection()

    class Nightly(ClinicPims):
        feeds: tuple[pims.Feed, ...] = (
            pims.Feed(name="appointments", kinds=("appointment",)),
            pims.Feed(name="block-offs", kinds=("blockoff",), at="02:00"),
        )

    there = Nightly(sides.clock)
    sides.there = there
    await sides.sync()
    read = sides.now
    for hours, fresh in ((30, True), (47, True), (49, False)):
        sides.now = read + timedelta(hours=hours)
        there.down.add("block-offs")
        with pytest.raises(pims.PimsUnavailable):
            await sides.sync()
        assert await as_of(sides) == (sides.now if fresh else read)
    there.down.clear()
    await sides.sync()
    assert await as_of(sides) == sides.now
    assert connection.connection_id == (await sides.connection()).connection_id


async def test_a_practice_without_feeds_is_always_fresh(sides: TwoSides) -> None:
    class Nothing(ClinicPims):
        feeds: tuple[pims.Feed, ...] = ()

    sides.there = Nothing(sides.clock)
    await sides.sync()
    async with across_practices(sides.pool) as conn:
        freshness = await freshness_of(conn, sides.elm.practice, sides.now)
    assert (freshness.stale, freshness.as_of) == (False, sides.now)


async def test_two_workers_do_not_read_one_feed_at_once(sides: TwoSides) -> None:
    keepers = keeping(sides), keeping(sides)
    sides.there.asked.clear()
    await asyncio.gather(*(one.round() for one in keepers))
    await asyncio.gather(*(one.ended() for one in keepers))
    assert sides.there.asked.count("schedule") == 1


async def test_a_page_that_repeats_or_comes_out_of_order_puts_nothing_back(sides: TwoSides) -> None:
    pims_id = sides.staff_book(0, 0, "ada")
    for minute in range(5, 60, 5):
        sides.staff_change(pims_id, start=sides.at(0, minute), end=sides.at(0, minute + 30))
    sides.now += MINUTE
    read = sides.there.changes

    class Repeating(ClinicPims):
        repeated = 0

        async def changes(self, feed: str, cursor: str | None) -> pims.ChangePage:
            page = await read(feed, cursor)
            if feed == "schedule" and not page.more and self.repeated < 2:
                self.repeated += 1
                sides.there.faults.append("duplicate page")
                return pims.ChangePage(changes=page.changes, cursor=page.cursor, more=True, as_of=page.as_of)
            return page

    await sides.sync(Repeating(sides.clock))
    row = await sides.theirs(pims_id)
    assert row is not None
    assert row["starts_at"] == sides.at(0, 55)


class OneByOne(asyncpg.Connection):
    """A connection that commits every statement by itself: the guard of one transaction a page is taken away."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - asyncpg's
        super().__init__(*args, **kwargs)
        self.told: list[str | None] = [None]

    def transaction(self, **_: Any) -> Any:  # noqa: ANN401 - asyncpg's
        return nothing()


async def forget_nothing(_: object) -> None:
    """Leave a connection told whose rows it sees."""


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_page_that_breaks_off_is_applied_whole_or_not_at_all_and_without_a_transaction_it_would_not(
    sides: TwoSides,
    database_url: str,
    guarded: bool,  # noqa: FBT001
) -> None:
    """Prove that it is the transaction which keeps half a page from standing in the mirror."""
    time = pims.RecurringTime(starts=datetime(2031, 1, 1, 9), duration=MINUTE)  # noqa: DTZ001 - local time
    sides.there.put(pims.BlockOff(pims_id="b1", resource="ada", time=time))
    second = sides.staff_book(0, 60, "ada")
    await sides.execute(
        f"""CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN RAISE EXCEPTION 'The power is gone.'; END $$;
            CREATE TRIGGER break_off BEFORE INSERT ON appointment FOR EACH ROW WHEN (NEW.pims_id = '{second}')
              EXECUTE FUNCTION break_off()"""
    )
    whole = sides.pool
    if not guarded:
        sides.pool = await asyncpg.create_pool(database_url, min_size=1, max_size=3, connection_class=OneByOne,
                                               init=speak_json, reset=forget_nothing)  # fmt: skip
    with pytest.raises(asyncpg.RaiseError):
        await sides.sync()
    half = await sides.rows("SELECT 1 FROM block_off")
    if not guarded:
        await sides.pool.close()
        sides.pool = whole
    assert (half == []) is guarded
    await sides.execute("DROP TRIGGER break_off ON appointment")
    await sides.sync()
    assert await sides.theirs(second) is not None
