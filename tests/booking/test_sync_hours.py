"""Hours: what the PIMS tells is its own, what it leaves to us is the practice's; its zone is never followed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace

from booking.configure.changes import OwnedByPims, Proposal, change
from booking.connect.mapping import Mapping
from booking.db import mirror, practices, staff_tasks
from booking.db.configuration import ResourceSettings, lock_item
from booking.db.pool import Pool, across_practices
from booking.sync.apply import apply_changes
from booking.sync.mirror import Mirror
from pims_adapters import contract as pims
from tests.widget.oak_lane import OakLane, open_oak_lane

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
MORNINGS = (
    pims.RecurringTime(
        starts=datetime(2026, 1, 5, 8),  # noqa: DTZ001 - local
        duration=timedelta(hours=4),
        rrule="FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    ),
)
DR_ADA = pims.Resource(pims_id="ada", name="Dr. Ada Okoye", resource_kind="provider")


@pytest.fixture
async def oak_lane(pool: Pool) -> OakLane:
    return await open_oak_lane(pool)


async def settings_of_ada(oak_lane: OakLane) -> ResourceSettings:
    async with across_practices(oak_lane.pool) as conn, conn.transaction():
        item = await lock_item(conn, oak_lane.practice.practice_id, "resource", oak_lane.provider_id)
    assert item is not None
    assert isinstance(item.settings, ResourceSettings)
    return item.settings


async def set_hours(oak_lane: OakLane, hours: tuple[pims.RecurringTime, ...]) -> None:
    """Change the provider's hours as staff do."""
    settings = replace(await settings_of_ada(oak_lane), hours=hours)
    proposal = Proposal(kind="resource", id=oak_lane.provider_id, settings=settings)
    async with across_practices(oak_lane.pool) as conn, conn.transaction():
        await change(conn, oak_lane.practice.practice_id, proposal, by=uuid4(), now=NOW)


async def shown(oak_lane: OakLane, record: pims.Resource) -> None:
    async with across_practices(oak_lane.pool) as conn:
        await mirror.put_resource(conn, oak_lane.practice.practice_id, uuid4(), record)


async def test_hours_that_the_pims_leaves_to_us_are_the_practices_and_stay(oak_lane: OakLane) -> None:
    await shown(oak_lane, DR_ADA)
    await set_hours(oak_lane, MORNINGS)
    await shown(oak_lane, replace(DR_ADA, name="Dr. Ada Okoye, DVM"))
    found = await settings_of_ada(oak_lane)
    assert found.name == "Dr. Ada Okoye, DVM"
    assert found.hours is not None
    assert len(found.hours) == 1


async def test_hours_that_the_pims_tells_are_its_own(oak_lane: OakLane) -> None:
    await set_hours(oak_lane, MORNINGS)
    afternoons = (replace(MORNINGS[0], starts=datetime(2026, 1, 5, 13)),)  # noqa: DTZ001 - local
    await shown(oak_lane, replace(DR_ADA, hours=afternoons))
    found = await settings_of_ada(oak_lane)
    assert found.hours is not None
    assert found.hours[0].starts.hour == 13
    with pytest.raises(OwnedByPims):
        await set_hours(oak_lane, MORNINGS)


@pytest.mark.parametrize(("zone", "asked"), [("Europe/Berlin", 1), ("US/Eastern", 0)])
async def test_another_time_zone_is_told_to_staff_and_moves_nothing(oak_lane: OakLane, zone: str, asked: int) -> None:
    practice_id = oak_lane.practice.practice_id
    mirrored = Mirror(
        practice=oak_lane.practice,
        connection_id=uuid4(),
        now=NOW,
        site=None,
        bound=None,
        maps=Mapping(),
        window=None,
    )
    record = pims.Practice(pims_id="p", name="Oak Lane", timezone=zone)
    async with across_practices(oak_lane.pool) as conn, conn.transaction():
        await apply_changes(conn, mirrored, [record])
        tasks = await staff_tasks.open_tasks(conn, practice_id, before=2**62, limit=10)
        practice = await practices.practice_by_id(conn, practice_id)
    assert [one.kind for one in tasks] == ["timezone"] * asked
    assert practice is not None
    assert practice.timezone == oak_lane.practice.timezone
