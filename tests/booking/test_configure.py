"""The set-up in the database: nothing that a practice may set is forgotten, and of two changes at once one wins."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import get_args
from uuid import UUID, uuid4

import msgspec
import pytest

from booking.configure.changes import ChangedMeanwhile, Proposal, change, tag_of
from booking.db.configuration import TABLES, Kind, ResourceSettings, items, lock_item, put_item
from booking.db.pool import Pool, across_practices, of_practice
from tests.widget.oak_lane import OakLane, open_oak_lane

NOW = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
NOT_SET_BY_STAFF = {
    "practice": {"slug", "region", "schedule_version", "standing_version", "hours_from_pims"},
    "appointment_type": {"pims_id", "pims_name", "active", "appointment_type_id"},
    "resource": {"pims_id", "active", "resource_id", "hours_from_pims"},
    "rule": {"rule_id", "pims_id", "pims_types", "pims_resources"},
    "closure": {"pims_id", "closure_id"},
    "block_off": {"pims_id", "block_off_id"},
    "question": {"active", "question_id"},
}
"""What the rest of the system keeps in the same rows."""


@pytest.fixture
async def oak_lane(pool: Pool) -> OakLane:
    return await open_oak_lane(pool)


@pytest.mark.parametrize("kind", get_args(Kind))
async def test_staff_can_set_every_column_that_is_theirs(pool: Pool, kind: Kind) -> None:
    async with across_practices(pool) as conn:
        rows = await conn.fetch("SELECT column_name FROM information_schema.columns WHERE table_name = $1", kind)
    columns = {row["column_name"] for row in rows} - {"practice_id"} - NOT_SET_BY_STAFF[kind]
    assert set(TABLES[kind].settings.__struct_fields__) == columns


async def test_of_two_changes_of_one_thing_at_once_one_is_told(oak_lane: OakLane) -> None:
    practice_id = oak_lane.practice.practice_id
    async with of_practice(oak_lane.pool, practice_id) as conn, conn.transaction():
        found = await lock_item(conn, practice_id, "resource", oak_lane.provider_id)
    assert found is not None
    assert isinstance(found.settings, ResourceSettings)

    async def give(role: str) -> None:
        settings = msgspec.structs.replace(found.settings, roles=["veterinarian", role])
        proposal = Proposal(kind="resource", id=oak_lane.provider_id, settings=settings, tag=tag_of(found))
        async with of_practice(oak_lane.pool, practice_id) as conn, conn.transaction():
            await change(conn, practice_id, proposal, by=uuid4(), now=NOW)

    outcomes = await asyncio.gather(*(give(f"role {n}") for n in range(8)), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, ChangedMeanwhile) for outcome in outcomes) == 7


async def test_many_changes_at_once_are_numbered_without_a_gap(oak_lane: OakLane) -> None:
    practice_id = oak_lane.practice.practice_id

    async def add(number: int) -> int:
        room = ResourceSettings(name=f"Room {number}", kind="room")
        proposal = Proposal(kind="resource", id=uuid4(), settings=room, is_new=True)
        async with of_practice(oak_lane.pool, practice_id) as conn, conn.transaction():
            return (await change(conn, practice_id, proposal, by=uuid4(), now=NOW)).number

    assert sorted(await asyncio.gather(*map(add, range(10)))) == list(range(1, 11))


async def test_what_a_pims_sent_is_shown_even_where_staff_could_not_have_set_it(oak_lane: OakLane) -> None:
    practice_id = oak_lane.practice.practice_id
    long = ResourceSettings(name="x" * 500, kind="room", roles=[])
    async with of_practice(oak_lane.pool, practice_id) as conn:
        await put_item(conn, practice_id, "resource", UUID(int=7), long)
        found = await items(conn, practice_id, "resource")
    assert long in [one.settings for one in found]
