"""What stands in a practice: read once a change, and never older than the change."""

from __future__ import annotations

import pytest

from booking.db import schedule
from booking.db.pool import across_practices, of_practice
from booking.standing import standing
from tests.booking.conftest import Riverside
from tests.booking.steps import hold_first

CHANGES = {
    "resource": "UPDATE resource SET capacity = capacity + 1 WHERE name = (SELECT min(name) FROM resource)",
    "a resource's end": "UPDATE resource SET active = false",
    "block_off": "DELETE FROM block_off",
    "rule": """INSERT INTO rule (practice_id, rule_id, name, effect, "when")
      SELECT practice_id, gen_random_uuid(), '', 'deny', '{}' FROM practice""",
    "closure": """INSERT INTO closure (practice_id, closure_id, name, first, last)
      SELECT practice_id, gen_random_uuid(), '', '2030-01-01', '2030-01-01' FROM practice""",
    "question": """INSERT INTO question (practice_id, question_id, label, kind)
      SELECT practice_id, gen_random_uuid(), 'Indoors?', 'yes_no' FROM practice""",
    "appointment_type": "UPDATE appointment_type SET notice = notice + interval '1 minute'",
}


async def name_of(riverside: Riverside) -> object:
    async with across_practices(riverside.pool) as conn:
        return (await schedule.version(conn, riverside.practice.practice_id)).standing


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_whoever_changes_it_by_whatever_way_it_has_another_name(riverside: Riverside, change: str) -> None:
    before = await name_of(riverside)
    async with across_practices(riverside.pool) as conn:
        await conn.execute(change)
    assert await name_of(riverside) != before


async def test_a_claim_and_a_change_to_the_same_leave_it_its_name(riverside: Riverside) -> None:
    before = await name_of(riverside)
    await hold_first(riverside, riverside.wish())
    async with across_practices(riverside.pool) as conn:
        await conn.execute("UPDATE resource SET name = name")
    assert await name_of(riverside) == before


async def test_under_one_name_it_is_read_once(riverside: Riverside) -> None:
    practice_id = riverside.practice.practice_id
    async with of_practice(riverside.pool, practice_id) as conn:
        first = await standing(conn, practice_id)
        assert await standing(conn, practice_id) is first
        await conn.execute("UPDATE appointment_type SET name = 'Renamed' WHERE pims_id = 'type-wellness'")
        second = await standing(conn, practice_id)
    assert "Renamed" in {one.name for one in second.types} - {one.name for one in first.types}
