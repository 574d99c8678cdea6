"""Silence: what vanishes without a word is noticed, never at once, and never from half of an answer."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

import msgspec
import pytest

from booking.db import drift, held_back
from booking.db.pool import Pool, across_practices
from booking.sync.losses import NothingHeldBack, accept_losses
from pims_adapters import contract as pims
from tests.booking.two_sides import MINUTE, STAFF, ClinicPims, TwoSides, open_two_sides


@pytest.fixture
async def sides(pool: Pool) -> TwoSides:
    return await open_two_sides(pool)


async def full(sides: TwoSides) -> list[str]:
    """Fill the PIMS's schedule with thirty appointments; their numbers."""
    made = [sides.staff_book(day, 15 * nth, "lin") for day in (0, 1) for nth in range(10)]
    made += [sides.staff_book(0, 15 * nth, "room") for nth in range(10)]
    await sides.sync()
    return made


async def standing(sides: TwoSides) -> int:
    return len(await sides.rows("SELECT 1 FROM appointment WHERE status = 'booked'"))


async def test_what_vanishes_is_missing_first_and_gone_when_that_is_confirmed(sides: TwoSides) -> None:
    reference = await sides.book()
    await sides.deliver()
    await sides.sync()
    sides.now += 30 * MINUTE  # it was written long ago
    shown, takes = await sides.written(reference), (await sides.ours(reference))["takes"]
    sides.there.lose("appointment", shown.pims_id)
    assert await sides.list_all()
    ours = await sides.ours(reference)
    assert (ours["status"], ours["takes"]) == ("booked", takes)
    (task,) = await sides.tasks()
    assert (task.kind, reference in task.words, task.appointment_id) == ("missing", True, ours["appointment_id"])
    sides.now += 5 * MINUTE
    await sides.list_all()
    assert (await sides.ours(reference))["takes"] == takes
    sides.now += 5 * MINUTE
    await sides.list_all()
    ours = await sides.ours(reference)
    assert (ours["status"], ours["takes"]) == ("cancelled", [])
    assert [one.kind for one in await sides.tasks()] == ["gone"]
    assert await sides.messages() == []
    sides.there.put(shown)
    await sides.list_all()
    ours = await sides.ours(reference)
    assert (ours["status"], ours["takes"]) == ("booked", takes)
    assert await sides.tasks() == []


async def test_what_shows_again_in_time_was_never_gone(sides: TwoSides) -> None:
    pims_id = sides.staff_book(0, 0, "ada")
    await sides.sync()
    shown = sides.there.get("appointment", pims_id)
    sides.there.lose("appointment", pims_id)
    await sides.list_all()
    assert len(await sides.rows("SELECT 1 FROM missing")) == 1
    sides.there.put(shown)
    await sides.sync()
    assert await sides.rows("SELECT 1 FROM missing") == []
    sides.there.lose("appointment", pims_id)
    sides.now += 11 * MINUTE
    await sides.list_all()  # missing anew, not confirmed
    row = await sides.theirs(pims_id)
    assert row is not None
    assert row["takes"] == ["ada"]


async def test_block_offs_and_the_set_up_vanish_the_same_way(sides: TwoSides) -> None:
    starts = (sides.at(0, 0) - timedelta(hours=7)).replace(tzinfo=None)
    time = pims.RecurringTime(starts=starts, duration=timedelta(hours=3), rrule="FREQ=DAILY;COUNT=2")
    sides.there.put(pims.BlockOff(pims_id="b1", resource="lin", time=time))
    sides.there.put(pims.Closure(pims_id="c1", name="Fair", first=sides.elm.first_day, last=sides.elm.first_day))
    await sides.sync()
    for kind, pims_id in (("blockoff", "b1"), ("closure", "c1"), ("resource", "lin")):
        sides.there.lose(kind, pims_id)  # type: ignore[arg-type]
    counts = (
        "SELECT (SELECT count(*) FROM block_off), (SELECT count(*) FROM closure), count(*) FROM resource WHERE active"
    )
    await sides.list_all("far listing")
    assert [tuple(one) for one in await sides.rows(counts)] == [(1, 1, 4)]
    sides.now += 11 * MINUTE
    await sides.list_all("far listing")
    assert [tuple(one) for one in await sides.rows(counts)] == [(0, 0, 3)]


async def test_what_was_written_a_moment_ago_is_not_missed(sides: TwoSides) -> None:
    """The listing of a system with a lag may not have it yet."""
    reference = await sides.book()
    await sides.deliver()
    pims_id = (await sides.ours(reference))["pims_id"]
    sides.there.lose("appointment", pims_id)
    await sides.list_all()
    assert await sides.tasks() == []


async def test_a_listing_puts_right_what_a_half_page_lost(sides: TwoSides) -> None:
    pims_id = sides.staff_book(0, 0, "ada")
    await sides.sync()
    sides.staff_change(pims_id, start=sides.at(0, 60), end=sides.at(0, 90))
    sides.there.faults.append("half page")
    await sides.sync()
    assert [one.fields for one in (await sides.drift()).differences] == [["time"]]
    await sides.list_all()
    assert (await sides.drift()).differences == []


async def test_a_half_page_deletes_nothing(sides: TwoSides) -> None:
    made = await full(sides)
    sides.there.forget_log()
    sides.there.faults += ["half page"] * 8
    await sides.sync()
    assert await standing(sides) == len(made)


class Whole(ClinicPims):
    """Calls every listing complete: the guard against those that broke off is taken away."""

    listing_of: ClinicPims

    async def listing(self, kind: pims.RecordKind, first: date, last: date) -> pims.Listing:
        return msgspec.structs.replace(await self.listing_of.listing(kind, first, last), complete=True)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_listing_that_breaks_off_changes_nothing_and_without_that_guard_it_would(
    pool: Pool,
    guarded: bool,  # noqa: FBT001
) -> None:
    """Prove that it is `complete` which keeps half of a listing from being believed."""
    sides = await open_two_sides(pool, bound=None)
    made = await full(sides)
    adapter: ClinicPims = sides.there
    if not guarded:
        adapter = Whole(sides.clock)
        adapter.listing_of = sides.there
    for _ in range(2):
        sides.now += 11 * MINUTE
        sides.there.faults.append("listing breaks off")
        assert await sides.list_all(adapter=adapter) is not guarded
    assert (await standing(sides) == len(made)) is guarded
    feed = (await sides.feeds())["near listing"]
    assert (feed.failure is not None) is guarded


@pytest.mark.parametrize("guarded", [True, False])
async def test_half_of_the_schedule_does_not_vanish_at_once_and_without_that_guard_it_would(
    pool: Pool,
    guarded: bool,  # noqa: FBT001
) -> None:
    """Prove that it is the count of what would be lost which stops a listing that lies about being complete."""
    sides = await open_two_sides(pool) if guarded else await open_two_sides(pool, bound=None)
    made = await full(sides)
    for _ in range(2):
        sides.now += 11 * MINUTE
        sides.there.faults.append("half listing")
        assert await sides.list_all() is not guarded
    assert (await standing(sides) == len(made)) is guarded
    if guarded:
        connection = await sides.connection()
        assert connection.failure is not None
        assert "15 of 30 records" in connection.failure
        assert [one.kind for one in await sides.tasks()] == ["losses"]


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_page_that_frees_half_of_the_schedule_waits_for_staff(
    pool: Pool,
    monkeypatch: pytest.MonkeyPatch,
    guarded: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr("tests.booking.two_sides.PAGE", 100)
    sides = await open_two_sides(pool) if guarded else await open_two_sides(pool, bound=None)
    made = await full(sides)
    for pims_id in made[:12]:
        sides.there.delete("appointment", pims_id)
    synced = await sides.sync()
    assert (synced.complete, await standing(sides)) == ((False, 30) if guarded else (True, 18))
    if not guarded:
        return
    practice_id = sides.elm.practice.practice_id
    async with across_practices(sides.pool) as conn:
        (held,) = await held_back.all_of(conn, practice_id)
    assert (held.feed, held.losing, held.of) == ("schedule", 12, 30)
    assert not (await sides.sync()).complete
    await accept_losses(sides.pool, practice_id, feed="schedule", by=STAFF, now=sides.now)
    with pytest.raises(NothingHeldBack):
        await accept_losses(sides.pool, practice_id, feed="schedule", by=STAFF, now=sides.now)
    assert (await sides.sync()).complete
    assert await standing(sides) == 18
    assert await sides.tasks() == []
    assert (await sides.connection()).failure is None


async def test_more_than_was_accepted_waits_again(sides: TwoSides) -> None:
    made = await full(sides)
    for pims_id in made[:12]:
        sides.there.lose("appointment", pims_id)
    assert not await sides.list_all()
    await accept_losses(sides.pool, sides.elm.practice.practice_id, feed="near listing", by=uuid4(), now=sides.now)
    for pims_id in made[12:20]:
        sides.there.lose("appointment", pims_id)
    assert not await sides.list_all()
    assert await sides.rows("SELECT 1 FROM missing") == []


async def test_a_listing_that_was_overtaken_is_asked_for_again(sides: TwoSides) -> None:
    """Let a page bring a newer state while the listing is on its way: the older one is not put back."""
    pims_id = sides.staff_book(0, 0, "ada")
    await sides.sync()

    class Slow(ClinicPims):
        listed = 0

        async def listing(self, kind: pims.RecordKind, first: date, last: date) -> pims.Listing:
            listing = await sides.there.listing(kind, first, last)
            self.listed += 1
            if self.listed == 1:
                sides.staff_change(pims_id, start=sides.at(0, 60), end=sides.at(0, 90))
                await sides.sync()
            return listing

    slow = Slow(sides.clock)
    assert await sides.list_all(adapter=slow)
    row = await sides.theirs(pims_id)
    assert row is not None
    assert row["starts_at"] == sides.at(0, 60)
    assert slow.listed == 3


async def test_drift_is_told_record_by_record_and_kept_for_staff(sides: TwoSides) -> None:
    one, other = sides.staff_book(0, 0, "ada"), sides.staff_book(0, 30, "ada")
    await sides.sync()
    assert (await sides.drift()).differing == 0
    await sides.rows("UPDATE appointment SET description = 'else', status = 'arrived' WHERE pims_id = $1", one)
    sides.there.lose("appointment", other)
    third = sides.staff_book(1, 0, "lin")
    report = await sides.drift()
    assert {(found.pims_id, found.only, *found.fields) for found in report.differences} == {
        (one, None, "description"),
        (other, "here"),
        (third, "there"),
    }
    async with across_practices(sides.pool) as conn:
        assert await drift.last_report(conn, sides.elm.practice.practice_id) == report
