"""Live: open pages hear of a change soon, whatever happens in between, and cost next to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest

from booking import live
from booking.db import practices
from booking.db.pool import Pool, across_practices, connect
from booking.live import ScheduleWatch, TooManyStreams
from tests.booking.conftest import Riverside
from tests.booking.steps import hold_first

SOON = timedelta(milliseconds=20)


async def rise(riverside: Riverside) -> None:
    async with across_practices(riverside.pool) as conn:
        await practices.raise_schedule_version(conn, riverside.practice.practice_id)


@asynccontextmanager
async def watching(
    watch: ScheduleWatch, riverside: Riverside, *, address: str = "192.0.2.1", seen: int | None = None
) -> AsyncGenerator[AsyncGenerator[int | None, None], None]:
    changes = watch.changes(riverside.practice.practice_id, address, seen=seen, longest=timedelta(seconds=20))
    async with aclosing(changes), asyncio.timeout(20):
        yield changes


async def test_a_hold_is_heard_of_by_every_stream_of_its_practice(riverside: Riverside) -> None:
    watch = ScheduleWatch(riverside.pool, look_every=SOON)
    async with watching(watch, riverside) as one, watching(watch, riverside) as other:
        before = await anext(one)
        assert await anext(other) == before
        assert before is not None
        await hold_first(riverside, riverside.wish())
        assert await anext(one) == await anext(other) == before + 1


async def test_a_page_that_comes_again_hears_what_it_missed_and_nothing_twice(riverside: Riverside) -> None:
    watch = ScheduleWatch(riverside.pool, look_every=SOON)
    async with watching(watch, riverside) as stream:
        seen = await anext(stream)
    await rise(riverside)
    async with watching(watch, riverside, seen=seen) as stream:
        missed = await anext(stream)
    assert missed == (seen or 0) + 1
    async with watching(watch, riverside, seen=missed) as stream:
        waiting = asyncio.ensure_future(anext(stream))
        assert not (await asyncio.wait([waiting], timeout=0.3))[0]
        await rise(riverside)
        assert await waiting == missed + 1


async def test_a_stream_is_kept_alive_and_ends(riverside: Riverside) -> None:
    watch = ScheduleWatch(riverside.pool, look_every=SOON)
    changes = watch.changes(
        riverside.practice.practice_id,
        "192.0.2.1",
        keep_alive=timedelta(milliseconds=100),
        longest=timedelta(milliseconds=450),
    )
    first, *rest = [version async for version in changes]
    assert isinstance(first, int)
    assert 2 <= len(rest) <= 5
    assert set(rest) == {None}
    assert watch.streams == 0


async def test_too_many_streams_of_one_address_or_of_all_are_refused(
    riverside: Riverside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_OF_AN_ADDRESS", 1)
    monkeypatch.setattr(live, "MOST_STREAMS", 2)
    watch = ScheduleWatch(riverside.pool, look_every=SOON)
    async with watching(watch, riverside) as one:
        await anext(one)
        with pytest.raises(TooManyStreams):
            watch.refuse_too_many("192.0.2.1")
        watch.refuse_too_many("192.0.2.2")
        async with watching(watch, riverside, address="192.0.2.2") as other:
            await anext(other)
            with pytest.raises(TooManyStreams):
                watch.refuse_too_many("192.0.2.3")
    watch.refuse_too_many("192.0.2.1")


async def test_streams_hold_no_connection_and_nobody_looks_when_nobody_watches(riverside: Riverside) -> None:
    watch = ScheduleWatch(riverside.pool, look_every=timedelta(seconds=60))
    async with watching(watch, riverside) as one, watching(watch, riverside) as other:
        await anext(one)
        await anext(other)
        assert riverside.pool.get_size() - riverside.pool.get_idle_size() == 0
    assert watch.streams == 0
    assert not [task for task in asyncio.all_tasks() if "_keep_looking" in repr(task) and not task.cancelling()]


async def test_a_change_is_heard_of_after_the_database_was_away(riverside: Riverside) -> None:
    pool: Pool = await connect(riverside.database_url)
    watch = ScheduleWatch(pool, look_every=SOON)
    async with watching(watch, riverside) as stream:
        before = await anext(stream)
        async with across_practices(riverside.pool) as conn:
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await rise(riverside)
        assert await anext(stream) == (before or 0) + 1
    await pool.close()


async def test_a_practice_that_is_not_there_is_waited_for_in_peace(riverside: Riverside) -> None:
    watch = ScheduleWatch(riverside.pool, look_every=SOON)
    changes = watch.changes(uuid4(), "192.0.2.1", longest=timedelta(milliseconds=100))
    assert [version async for version in changes] == [None]
