"""A practice with an on-premises PIMS from end to end: vetslot, its agent, and the clinic simulator behind it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from booking.db.pool import Pool, across_practices
from pims_adapters._agent.agent.calls import SURE_AFTER
from pims_adapters._agent.agent.line import AnotherSpeaks, NotFitting
from pims_adapters._agent.agent.run import Agent
from tests.agent import agent_process, agent_task, opened_agent
from tests.booking.api.serving import served
from tests.clinic import Simulator, running_simulator
from tests.lake_road import LakeRoad, now, open_lake_road, read_and_configure
from tests.widget.oak_lane import running, settings_of

SERVER = "http://testserver.local"
MOMENTS = range(0, 60, 6) if "VETSLOT_PROVE" in os.environ else (12,)


@dataclass
class Whole:
    """The practice with us, its PIMS, and what carries its agent's words to us."""

    lake_road: LakeRoad
    clinic: Simulator
    transport: httpx.ASGITransport
    folder: Path

    def agent(self, name: str = "agent") -> AbstractAsyncContextManager[Agent]:
        """Run an agent while a block lasts."""
        folder = self.folder / name
        return agent_task(SERVER, self.lake_road.token, self.clinic, folder, transport=self.transport, sure_after=0)

    def opened(self, name: str = "agent") -> AbstractAsyncContextManager[Agent]:
        """Open an agent of which nothing runs by itself."""
        folder = self.folder / name
        return opened_agent(SERVER, self.lake_road.token, self.clinic, folder, transport=self.transport)

    async def mirror(self) -> None:
        """Let the agent push all that is new, and read it."""
        async with self.opened() as agent:
            await agent.run_once()
        await self.lake_road.sync()


@pytest.fixture(scope="module")
def clinics() -> Iterator[dict[str, Simulator]]:
    """Return a running PIMS of either system; each test begins with the records that it was seeded with."""
    small = "--clients=20 --patients=25 --weeks=2 --filled=0.3"
    with (
        running_simulator("cornerstone", now=now(), options=small) as cornerstone,
        running_simulator("avimark", now=now(), options=small) as avimark,
    ):
        yield {"cornerstone": cornerstone, "avimark": avimark}


@pytest.fixture(params=["cornerstone", "avimark"])
async def whole(
    request: pytest.FixtureRequest,
    clinics: dict[str, Simulator],
    pool: Pool,
    database_url: str,
    redis_url: str,
    tmp_path: Path,
) -> AsyncIterator[Whole]:
    clinic = clinics[request.param]
    clinic.order("restore_from_yesterday", backup="start")
    clinic.reset_faults()
    for state in ("wrong_zone", "truncated_fields", "read_only"):
        clinic.order(state, ends=True)
    clinic.settings(read_lag=0, write_lag=[0, 0])
    lake_road = await open_lake_road(pool, clinic)
    async with running(settings_of(database_url, redis_url)) as app:
        whole = Whole(lake_road, clinic, httpx.ASGITransport(app), tmp_path)  # type: ignore[arg-type]  # narrower words for ASGI
        await whole.mirror()
        await read_and_configure(lake_road, clinic)
        yield whole
    await lake_road.adapters.close()


ONE = pytest.mark.parametrize("whole", ["avimark"], indirect=True)


async def came(agent: Agent, whole: Whole) -> None:
    """Wait until the agent has the line."""
    while await speaker(whole) != agent.instance:
        await asyncio.sleep(0.02)


def starts(whole: Whole, found: list[datetime]) -> list[datetime]:
    return [whole.lake_road.local(each) for each in found]


async def test_a_booking_of_somebody_new_stands_in_the_pims_with_client_and_patient(whole: Whole) -> None:
    async with whole.agent() as agent:
        await came(agent, whole)
        booked = await whole.lake_road.book()
        assert await whole.lake_road.deliver() == 3
        assert await whole.lake_road.states() == {
            "client": ["written"],
            "patient": ["written"],
            "appointment": ["written"],
        }
    assert whole.lake_road.in_pims(whole.clinic, booked) == (1, 1, 1)
    (row,) = [row for row in whole.clinic.appointments() if booked.appointment.reference in row.notes]
    assert row.starts == whole.lake_road.local(booked.appointment.starts_at)
    assert row.minutes == 30
    assert row.staff is not None
    assert row.room is not None


async def test_what_the_pims_shows_minutes_later_is_written_then_and_once(whole: Whole) -> None:
    whole.clinic.settings(write_lag=[60, 180])
    async with whole.agent() as agent:
        await came(agent, whole)
        booked = await whole.lake_road.book()
        for _ in range(12):
            await whole.lake_road.deliver()
            whole.clinic.advance(minutes=3)
            await whole.lake_road.let_pass(timedelta(minutes=3))
        states = await whole.lake_road.states()
    assert {state for each in states.values() for state in each} == {"written"}
    assert whole.lake_road.in_pims(whole.clinic, booked) == (1, 1, 1)


async def test_our_own_appointment_comes_back_as_itself(whole: Whole) -> None:
    async with whole.agent() as agent:
        await came(agent, whole)
        await whole.lake_road.book()
        await whole.lake_road.deliver()
    before = await count(whole, "SELECT count(*) FROM appointment")
    await whole.mirror()
    assert await count(whole, "SELECT count(*) FROM appointment") == before
    assert await count(whole, "SELECT count(*) FROM claim c JOIN claim d USING (resource_id, lane, during)") > 0


async def test_what_staff_book_block_off_or_close_is_offered_no_more(whole: Whole) -> None:
    slots = await whole.lake_road.slots(days=14)
    providers, free = whole.clinic.providers(), starts(whole, [slot.start for slot in slots])
    day = next(each for each in free if each.hour == 10 and each.date() > min(free).date())
    booked, blocked = day, day.replace(hour=15)
    closed = day.date() + timedelta(days=1)
    for provider in providers:
        whole.clinic.book(booked, staff=provider.id)
        whole.clinic.block_off(blocked, 60, staff=provider.id)
    whole.clinic.close_day(closed)
    await whole.mirror()
    offered = starts(whole, [slot.start for slot in await whole.lake_road.slots(days=14)])
    assert {booked, blocked} & set(offered) == set()
    assert closed not in {each.date() for each in offered}
    assert closed in {each.date() for each in free}


async def test_what_staff_cancel_or_delete_is_free_again(whole: Whole) -> None:
    slots = starts(whole, [slot.start for slot in await whole.lake_road.slots(days=14)])
    time = next(each for each in slots if each.hour == 7)
    ids = [whole.clinic.book(time, staff=provider.id) for provider in whole.clinic.providers()]
    await whole.mirror()
    assert time not in starts(whole, [slot.start for slot in await whole.lake_road.slots(days=14)])
    whole.clinic.cancel(ids[0])
    await whole.mirror()
    assert time in starts(whole, [slot.start for slot in await whole.lake_road.slots(days=14)])


@ONE
async def test_an_agent_that_is_offline_for_days_closes_near_times_until_it_is_back(whole: Whole) -> None:
    days = timedelta(days=3)
    assert (await whole.lake_road.offer()).mode == "instant"
    later = await whole.lake_road.offer(at=now() + days)
    assert later.mode == "request"
    near = now() + days + whole.lake_road.practice.stale_notice
    assert all(slot.start >= near for day in later.days for slot in day.slots)
    whole.clinic.advance(days=3)
    await whole.mirror()
    healed = await whole.lake_road.offer()
    assert healed.mode == "instant"
    assert min(slot.start for day in healed.days for slot in day.slots) < now() + timedelta(days=1)


@ONE
async def test_of_two_agents_one_speaks_and_the_other_takes_over_when_it_leaves(whole: Whole) -> None:
    async with whole.opened("second") as second:
        async with whole.agent("first") as first:
            await came(first, whole)
            with pytest.raises(AnotherSpeaks):
                await second.run_once()
            booked = await whole.lake_road.book()
            await whole.lake_road.deliver()
        assert whole.lake_road.in_pims(whole.clinic, booked) == (1, 1, 1)
        await second.run_once()


@ONE
async def test_an_agent_of_another_zone_is_told_why_it_is_not_let_in(whole: Whole) -> None:
    whole.clinic.order("wrong_zone", zone="America/Denver")
    async with whole.opened() as agent:
        with pytest.raises(NotFitting, match="America/Denver"):
            await agent.run_once()


@ONE
async def test_a_provider_who_was_removed_is_offered_no_more(whole: Whole) -> None:
    for provider in whole.clinic.providers():
        whole.clinic.order("provider_removed", id=provider.id)
    await whole.mirror()
    assert await whole.lake_road.slots(days=14) == []


@ONE
async def test_clients_that_were_merged_are_one_with_us(whole: Whole) -> None:
    lost, kept = whole.clinic.clients()[:2]
    active = "SELECT count(*) FROM client WHERE active"
    before = await count(whole, active)
    whole.clinic.order("client_merged", id=lost.id, into=kept.id)
    await whole.mirror()
    assert await count(whole, active) == before - 1
    owners = {row.client for row in whole.clinic.patients()}
    assert lost.id not in owners


@ONE
@pytest.mark.parametrize("fault", ["restore_from_yesterday", "id_reuse_after_restore", "hard_delete"])
async def test_what_vanished_without_a_word_is_free_again_once_lists_have_said_so_twice(
    whole: Whole, fault: str
) -> None:
    time = next(
        each for each in starts(whole, [slot.start for slot in await whole.lake_road.slots()]) if each.hour == 7
    )
    ids = [whole.clinic.book(time, staff=provider.id) for provider in whole.clinic.providers()]
    await whole.mirror()
    assert time not in starts(whole, [slot.start for slot in await whole.lake_road.slots()])
    if fault == "hard_delete":
        for id_ in ids:
            whole.clinic.order(fault, id=id_)
    else:
        whole.clinic.order(fault, backup="start")
    await whole.mirror()
    assert time not in starts(whole, [slot.start for slot in await whole.lake_road.slots()])
    async with whole.agent() as agent:
        await came(agent, whole)
        for hours in (0, 1, 2):
            await whole.lake_road.list_near(after=timedelta(hours=hours))
    assert time in starts(whole, [slot.start for slot in await whole.lake_road.slots()])


@ONE
async def test_a_pims_that_cuts_long_notes_leaves_our_mark(whole: Whole) -> None:
    whole.clinic.order("truncated_fields", length=30)
    async with whole.agent() as agent:
        await came(agent, whole)
        booked = await whole.lake_road.book()
        states = await whole.lake_road.written()
    assert {state for each in states.values() for state in each} == {"written"}
    assert whole.lake_road.in_pims(whole.clinic, booked) == (1, 1, 1)


@ONE
async def test_a_pims_that_is_read_only_delays_what_is_written_and_says_so(whole: Whole) -> None:
    whole.clinic.order("read_only")
    async with whole.agent() as agent:
        await came(agent, whole)
        booked = await whole.lake_road.book()
        await whole.lake_road.deliver()
        reason = "SELECT count(*) FROM write_back WHERE state = 'queued' AND reason LIKE '%reading only%'"
        assert await count(whole, reason) == 1
        whole.clinic.order("read_only", ends=True)
        states = await whole.lake_road.written()
    assert {state for each in states.values() for state in each} == {"written"}
    assert whole.lake_road.in_pims(whole.clinic, booked) == (1, 1, 1)


@ONE
@pytest.mark.parametrize("fault", ["answer_lost", "reset_before_commit", "reset_after_commit", "refused"])
async def test_whatever_becomes_of_a_write_there_is_one_of_each_in_the_end_or_a_reason(
    whole: Whole, fault: str
) -> None:
    whole.clinic.order(fault, on="write", times=2)
    async with whole.agent() as agent:
        await came(agent, whole)
        booked = await whole.lake_road.book()
        states = await whole.lake_road.written()
    if fault == "refused":
        assert states["client"] == ["needs_attention"]
        assert whole.lake_road.in_pims(whole.clinic, booked) == (0, 0, 0)
    else:
        assert {state for each in states.values() for state in each} == {"written"}
        assert whole.lake_road.in_pims(whole.clinic, booked) == (1, 1, 1)


@ONE
@pytest.mark.parametrize("milliseconds", MOMENTS)
async def test_an_agent_killed_in_the_middle_of_a_write_leaves_one_appointment(
    whole: Whole, database_url: str, redis_url: str, milliseconds: int
) -> None:
    whole.clinic.order("slow", on="create_client", seconds=0.02)
    async with served(database_url, redis_url) as address:
        with agent_process(address, whole.lake_road.token, whole.clinic, whole.folder / "killed") as agent:
            first = await speaker(whole)
            booked = await whole.lake_road.book()
            delivering = asyncio.create_task(whole.lake_road.deliver())
            await fetched(whole)
            await asyncio.sleep(milliseconds / 1000)
            agent.kill()
            agent.start()
            await delivering
            await speaker(whole, after=first)
            states = await whole.lake_road.written(rounds=3)
            if {state for each in states.values() for state in each} != {"written"}:
                await asyncio.sleep(SURE_AFTER.total_seconds())
                states = await whole.lake_road.written()
    assert {state for each in states.values() for state in each} == {"written"}
    assert whole.lake_road.in_pims(whole.clinic, booked) == (1, 1, 1)


async def count(whole: Whole, statement: str) -> int:
    async with across_practices(whole.lake_road.pool) as conn:
        return int(await conn.fetchval(statement))


async def speaker(whole: Whole, *, after: str | None = None) -> str:
    """Wait until an agent has the line, another one than before; its instance."""
    async with asyncio.timeout(60):
        while True:
            async with across_practices(whole.lake_road.pool) as conn:
                instance: str | None = await conn.fetchval("SELECT instance FROM agent")
            if instance not in (None, after):
                assert instance is not None
                return instance
            await asyncio.sleep(0.05)


async def fetched(whole: Whole) -> None:
    """Wait until the agent has come for a write."""
    async with asyncio.timeout(20):
        while not await count(
            whole, "SELECT count(*) FROM agent_call WHERE key IS NOT NULL AND fetched_at IS NOT NULL"
        ):
            await asyncio.sleep(0.002)
