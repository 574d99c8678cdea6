"""Write-back of changes: they stand in the PIMS once, whatever goes wrong, and sync does not undo them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from booking.book import Booked
from booking.change import Changed, cancel, confirm, reschedule
from booking.db import connections, write_backs
from booking.db.pool import across_practices
from booking.sync import sync
from booking.write_back import LEASE, deliver_due
from pims_adapters import contract as pims
from pims_adapters.demo.adapter import DemoAdapter
from pims_adapters.demo.exchange import Exchange
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import SITE
from tests.booking.test_change import booked_at, far_slots
from tests.booking.test_claims import overlaps
from tests.booking.test_sync import sync_now
from tests.booking.test_write_back import at, deliver

MINUTE = timedelta(minutes=1)


class Pims:
    """A practice whose client has a visit at `first`, and could have it at `other`."""

    def __init__(self, riverside: Riverside, booked: Booked, first: datetime, other: datetime) -> None:
        self.riverside = riverside
        self.booked = booked
        self.first = first
        self.other = other

    @property
    def reference(self) -> str:
        return self.booked.appointment.reference

    async def move(self, start: datetime | None = None) -> None:
        practice, pool = self.riverside.practice, self.riverside.pool
        start = start or self.other
        outcome = await reschedule(pool, practice, self.reference, start, by="client", site=SITE, now=NOW)
        assert isinstance(outcome, Changed)

    async def cancel(self) -> None:
        await cancel(self.riverside.pool, self.riverside.practice, self.reference, by="client", site=SITE, now=NOW)

    async def confirm(self) -> None:
        await confirm(self.riverside.pool, self.riverside.practice, self.reference, now=NOW)

    async def deliver(self, minutes: int = 0) -> int:
        return await deliver(self.riverside, at(minutes * MINUTE))

    async def sync(self) -> None:
        assert (await sync_now(self.riverside)).complete

    @property
    def shown(self) -> dict[str, Any]:
        """The appointment as the PIMS has it, which must be the only one of the booking."""
        (record,) = self.riverside.clinic.with_key("appointments", self.reference)
        return record

    def shown_at(self) -> datetime:
        return datetime.fromisoformat(self.shown["start"])

    def fault(self, call: str, fault: str, times: int = 1) -> None:
        self.riverside.clinic.order_fault(call, fault, times=times)

    async def outbox(self) -> list[tuple[str, str]]:
        """Return what is to be done with the appointment, and where that stands."""
        async with across_practices(self.riverside.pool) as conn:
            rows = await conn.fetch("SELECT action, state FROM write_back WHERE kind = 'appointment' ORDER BY position")
        return [(row["action"], row["state"]) for row in rows]

    async def reason(self) -> str:
        async with across_practices(self.riverside.pool) as conn:
            reason: str = await conn.fetchval("SELECT reason FROM write_back WHERE state = 'needs_attention'")
        return reason

    async def ours(self) -> tuple[str, datetime, int]:
        """Return the appointment's status and start with us, and how much it claims."""
        async with across_practices(self.riverside.pool) as conn:
            row = await conn.fetchrow(
                """SELECT status, starts_at,
                     (SELECT count(*)::int FROM claim c WHERE c.appointment_id = a.appointment_id) AS claims
                   FROM appointment a WHERE reference = $1""",
                self.reference,
            )
        assert row is not None
        return row["status"], row["starts_at"], row["claims"]


@pytest.fixture
async def practice(connected: Riverside) -> Pims:
    """Return a practice with a booking that has not been written yet."""
    wish = connected.wish("type-exotics", "rabbit", new_client=True)
    slots = await far_slots(connected, wish)
    booked = await booked_at(connected, slots[0], wish)
    return Pims(connected, booked, slots[0].start, slots[-1].start)


@pytest.fixture
async def written(practice: Pims) -> Pims:
    """Return a practice with a booking that stands in the PIMS."""
    await practice.deliver()
    assert await practice.outbox() == [("create", "written")]
    return practice


async def test_a_moved_visit_moves_in_the_pims(written: Pims) -> None:
    await written.move()
    await written.deliver()
    assert written.shown_at() == written.other
    assert await written.outbox() == [("create", "written"), ("change", "written")]


async def test_a_confirmed_and_then_cancelled_visit_is_so_in_the_pims(written: Pims) -> None:
    await written.confirm()
    await written.deliver()
    assert written.shown["state"] == "confirmed"
    await written.cancel()
    await written.deliver()
    assert written.shown["state"] == "cancelled"
    assert [state for _, state in await written.outbox()] == ["written"] * 3


async def test_what_was_cancelled_before_it_was_written_is_never_sent(practice: Pims) -> None:
    await practice.move()
    await practice.cancel()
    await practice.deliver()
    assert practice.riverside.clinic.with_key("appointments", practice.reference) == []
    assert await practice.outbox() == [("create", "superseded"), ("change", "superseded")]


async def test_what_was_moved_before_it_was_written_arrives_at_its_new_time(practice: Pims) -> None:
    await practice.move()
    await practice.deliver()
    assert practice.shown_at() == practice.other
    assert await practice.outbox() == [("create", "written"), ("change", "written")]


async def test_a_visit_whose_creation_has_an_unknown_fate_is_found_and_then_cancelled(practice: Pims) -> None:
    practice.fault("create_appointment", "answer_lost")
    await practice.deliver()
    await practice.cancel()
    assert await practice.outbox() == [("create", "unknown"), ("cancel", "queued")]
    await practice.deliver(1)
    assert practice.shown["state"] == "cancelled"
    assert await practice.outbox() == [("create", "written"), ("cancel", "written")]


async def test_a_visit_whose_creation_has_an_unknown_fate_is_found_and_then_moved(practice: Pims) -> None:
    practice.fault("create_appointment", "answer_lost")
    await practice.deliver()
    await practice.move()
    await practice.deliver(1)
    assert practice.shown_at() == practice.other
    assert await practice.outbox() == [("create", "written"), ("change", "written")]


async def test_a_visit_that_was_cancelled_and_never_arrived_is_not_sent_after_all(practice: Pims) -> None:
    practice.fault("create_appointment", "reset_before")
    await practice.deliver()
    await practice.cancel()
    await practice.deliver(1)
    assert practice.riverside.clinic.with_key("appointments", practice.reference) == []
    assert await practice.outbox() == [("create", "superseded"), ("cancel", "superseded")]


async def test_a_refused_visit_is_tried_again_at_its_new_time(practice: Pims) -> None:
    practice.fault("create_appointment", "refuse")
    await practice.deliver()
    assert await practice.outbox() == [("create", "needs_attention")]
    await practice.move()
    await practice.deliver(1)
    assert practice.shown_at() == practice.other


@pytest.mark.parametrize("fault", ["answer_lost", "error_after", "reset_before", "unavailable", "broken_answer"])
async def test_whatever_goes_wrong_a_cancellation_arrives(written: Pims, fault: str) -> None:
    await written.cancel()
    written.fault("cancel_appointment", fault)
    await written.deliver()
    assert await written.outbox() == [("create", "written"), ("cancel", "unknown")]
    await written.deliver(1)
    assert await written.outbox() == [("create", "written"), ("cancel", "written")]
    assert written.shown["state"] == "cancelled"


async def test_a_cancellation_survives_a_worker_killed_between_the_pims_and_us(written: Pims) -> None:
    await written.cancel()
    practice_id = written.riverside.practice.practice_id
    async with across_practices(written.riverside.pool) as conn:
        left = await write_backs.lease_next(conn, practice_id, now=NOW, lease=uuid4(), until=NOW + LEASE)
    assert left is not None
    written.riverside.clinic.post(f"/v1/appointments/{written.shown['id']}/cancel")  # and then it dies, unsettled
    assert await written.deliver() == 0
    assert await written.deliver(1) == 1
    assert await written.outbox() == [("create", "written"), ("cancel", "written")]
    assert written.shown["state"] == "cancelled"


async def test_a_pims_that_only_pretends_is_found_out(written: Pims) -> None:
    await written.cancel()
    written.fault("cancel_appointment", "pretend")
    await written.deliver()
    assert await written.outbox() == [("create", "written"), ("cancel", "needs_attention")]
    assert "does not show it" in await written.reason()


class Blind(DemoAdapter):
    """An adapter that believes what it sent instead of reading it back."""

    cancelled = False

    async def cancel_appointment(self, pims_id: str, key: str) -> None:
        await super().cancel_appointment(pims_id, key)
        self.cancelled = True

    async def read(self, kind: pims.Kind, pims_id: str) -> pims.Client | pims.Patient | pims.Appointment | None:
        return None if self.cancelled else await super().read(kind, pims_id)


async def test_without_reading_back_the_pims_that_pretends_is_believed(written: Pims) -> None:
    """Prove that it is the read-back which finds a pretending PIMS out."""
    await written.cancel()
    written.fault("cancel_appointment", "pretend")
    adapter = Blind(Exchange.of(written.riverside.clinic.settings))
    await deliver_due(
        written.riverside.pool, adapter, written.riverside.practice.practice_id, site=SITE, clock=at(timedelta())
    )
    await adapter.close()
    assert await written.outbox() == [("create", "written"), ("cancel", "written")]
    assert written.shown.get("state", "scheduled") == "scheduled"


class Unable:
    """An adapter to a PIMS that lets nothing be changed."""

    def __init__(self, able: DemoAdapter) -> None:
        self.feeds, self.asks, self.write_lag = able.feeds, able.asks, able.write_lag
        self.check, self.changes, self.find, self.read = able.check, able.changes, able.find, able.read
        self.create_client, self.create_patient = able.create_client, able.create_patient
        self.create_appointment, self.close = able.create_appointment, able.close


async def deliver_unable(practice: Pims, clock: Callable[[], datetime]) -> None:
    adapter = Unable(DemoAdapter(Exchange.of(practice.riverside.clinic.settings)))
    await deliver_due(practice.riverside.pool, adapter, practice.riverside.practice.practice_id, site=SITE, clock=clock)
    await adapter.close()


async def test_where_the_pims_cannot_staff_are_told_what_to_do_and_the_pims_shows_when_it_is_done(
    written: Pims,
) -> None:
    await written.move()
    await deliver_unable(written, at(timedelta()))
    assert await written.outbox() == [("create", "written"), ("change", "needs_attention")]
    reason = await written.reason()
    assert f"please move appointment {written.reference} to" in reason
    assert "Nguyen" in reason
    assert "Haddad" not in reason
    await written.sync()
    assert (await written.ours())[1] == written.other
    written.riverside.clinic.post(f"/staff/appointments/{written.shown['id']}/move", start=written.other.isoformat())
    await written.sync()
    assert await written.outbox() == [("create", "written"), ("change", "written")]
    assert (await written.ours())[1] == written.other


async def test_a_task_of_staff_gives_way_to_what_the_client_does_next(written: Pims) -> None:
    await written.move()
    await deliver_unable(written, at(timedelta()))
    await written.cancel()
    await deliver_unable(written, at(MINUTE))
    assert await written.outbox() == [("create", "written"), ("change", "superseded"), ("cancel", "needs_attention")]
    assert f"please cancel appointment {written.reference}" in await written.reason()


async def test_sync_does_not_undo_a_change_that_is_on_its_way(written: Pims) -> None:
    await written.sync()
    await written.move()
    await read_all_again(written)
    assert await written.ours() == ("booked", written.other, 2)
    await written.cancel()
    await read_all_again(written)
    assert await written.ours() == ("cancelled", written.other, 0)


async def test_without_knowing_its_echo_sync_would_undo_the_change(written: Pims) -> None:
    """Prove that it is the change on its way which keeps sync from taking the PIMS's old time for news."""
    await written.sync()
    await written.move()
    async with across_practices(written.riverside.pool) as conn:
        await conn.execute("DELETE FROM write_back WHERE action = 'change'")
    await read_all_again(written)
    assert await written.ours() == ("booked", written.first, 2)


async def test_what_staff_do_in_the_pims_while_ours_is_on_its_way_counts(written: Pims) -> None:
    await written.sync()
    await written.move()
    between = written.first + timedelta(days=1)
    clinic = written.riverside.clinic
    clinic.post(f"/staff/appointments/{written.shown['id']}/move", start=between.isoformat())
    await written.sync()
    assert (await written.ours())[1] == between
    await written.deliver()
    assert written.shown_at() == between
    assert await written.outbox() == [("create", "written"), ("change", "written")]


async def test_a_page_read_before_our_change_arrived_is_read_again(written: Pims) -> None:
    await written.sync()
    await written.move()
    async with across_practices(written.riverside.pool) as conn:
        await conn.execute("UPDATE feed SET cursor = NULL")

    class Slow(DemoAdapter):
        """Its first page is overtaken by the write-back."""

        pages = 0

        async def changes(self, feed: str, cursor: str | None) -> pims.ChangePage:
            page = await super().changes(feed, cursor)
            self.pages += 1
            if any(getattr(one, "marker", None) == written.reference for one in page.changes) and (
                written.shown_at() == written.first
            ):
                await written.deliver()
            return page

    await sync_with(written, Slow(Exchange.of(written.riverside.clinic.settings)))
    assert await written.outbox() == [("create", "written"), ("change", "written")]
    assert await written.ours() == ("booked", written.other, 2)
    assert await overlaps(written.riverside.pool) == 0


async def test_moves_syncs_and_deliveries_at_once_end_in_one_time_everywhere(written: Pims) -> None:
    for start in (written.other, written.first, written.other):
        await asyncio.gather(
            read_all_again(written),
            written.move(start),
            written.deliver(),
            written.deliver(),
            sync_now(written.riverside),
        )
    for minute in (1, 2):
        await written.deliver(minute)
        await sync_now(written.riverside)
    assert written.shown_at() == written.other
    assert (await written.ours())[:2] == ("booked", written.other)
    assert {state for _, state in await written.outbox()} <= {"written", "superseded"}
    assert await overlaps(written.riverside.pool) == 0


async def test_after_ours_arrived_the_pims_counts_as_before(written: Pims) -> None:
    await written.move()
    await written.deliver()
    await written.sync()
    clinic, record = written.riverside.clinic, written.shown
    clinic.post(f"/staff/appointments/{record['id']}/move", start=written.first.isoformat())
    await written.sync()
    assert (await written.ours())[:2] == ("booked", written.first)
    clinic.post(f"/staff/appointments/{record['id']}/state", state="cancelled")
    await written.sync()
    assert await written.ours() == ("cancelled", written.first, 0)


async def test_cancelled_in_the_pims_frees_the_time_even_while_a_change_is_on_its_way(written: Pims) -> None:
    await written.sync()
    await written.move()
    written.riverside.clinic.post(f"/staff/appointments/{written.shown['id']}/state", state="cancelled")
    await written.sync()
    assert (await written.ours())[::2] == ("cancelled", 0)
    await written.deliver()
    assert await written.outbox() == [("create", "written"), ("change", "superseded")]


async def read_all_again(practice: Pims) -> None:
    """Sync from the beginning: the PIMS repeats all that it has."""
    async with across_practices(practice.riverside.pool) as conn:
        await conn.execute("UPDATE feed SET cursor = NULL")
    await sync_now(practice.riverside)


async def sync_with(practice: Pims, adapter: pims.PimsAdapter) -> None:
    async with across_practices(practice.riverside.pool) as conn:
        connection = await connections.connection_of(conn, practice.riverside.practice.practice_id)
    assert connection is not None
    assert (await sync(practice.riverside.pool, adapter, connection, clock=at(timedelta()))).complete
    await adapter.close()
