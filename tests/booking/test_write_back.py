"""Write-back: each booking reaches the PIMS once, whatever goes wrong on the way, and says where it stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec

from booking.book import Booked, KnownClient, KnownPatient
from booking.db import write_backs
from booking.db.pool import across_practices
from booking.db.write_backs import Settled
from booking.write_back import LEASE, LONGEST_PAUSE, deliver_due, pause
from pims_adapters import open_adapter
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import SITE, hold_first, olivias_booking, send, strangers_booking
from tests.demo_clinic import running_clinic


async def deliver(riverside: Riverside, clock: Callable[[], datetime], settings: dict[str, str] | None = None) -> int:
    adapter = open_adapter("demo", {**(settings or riverside.clinic.settings), "timeout_seconds": "1"})
    try:
        return await deliver_due(riverside.pool, adapter, riverside.practice.practice_id, site=SITE, clock=clock)
    finally:
        await adapter.close()


def at(after: timedelta) -> Callable[[], datetime]:
    return lambda: NOW + after


async def book_stranger(riverside: Riverside) -> Booked:
    held = await hold_first(riverside, riverside.wish(new_client=True))
    booked = await send(riverside, strangers_booking(held), str(uuid4()))
    assert isinstance(booked, Booked)
    return booked


async def states(riverside: Riverside) -> list[tuple[str, str]]:
    async with across_practices(riverside.pool) as conn:
        rows = await conn.fetch("SELECT kind, state FROM write_back ORDER BY position")
    return [(row["kind"], row["state"]) for row in rows]


def found(riverside: Riverside, booked: Booked) -> tuple[int, int, int]:
    """Count the clients, patients and appointments of a booking in the PIMS, by asking it."""
    reference = booked.appointment.reference
    return (
        len(riverside.clinic.with_key("clients", f"{reference}-C")),
        len(riverside.clinic.with_key("patients", f"{reference}-P")),
        len(riverside.clinic.with_key("appointments", reference)),
    )


async def test_client_patient_and_appointment_stand_in_the_pims_in_that_order(connected: Riverside) -> None:
    booked = await book_stranger(connected)
    assert await deliver(connected, at(timedelta())) == 3
    assert await states(connected) == [("client", "written"), ("patient", "written"), ("appointment", "written")]
    (client,) = connected.clinic.with_key("clients", f"{booked.appointment.reference}-C")
    (patient,) = connected.clinic.with_key("patients", f"{booked.appointment.reference}-P")
    (appointment,) = connected.clinic.with_key("appointments", booked.appointment.reference)
    assert (appointment["client_id"], appointment["patient_id"]) == (client["id"], patient["id"])
    assert appointment["note"] == f"[vetslot Direct Booking - New Client] {booked.appointment.reference}"
    assert datetime.fromisoformat(appointment["start"]) == booked.appointment.starts_at


async def test_a_lost_answer_is_looked_for_and_not_sent_again(connected: Riverside) -> None:
    booked = await book_stranger(connected)
    for call in ("create_client", "create_patient", "create_appointment"):
        connected.clinic.order_fault(call, "answer_lost")
    await deliver(connected, at(timedelta()))
    assert await states(connected) == [("client", "unknown"), ("patient", "queued"), ("appointment", "queued")]
    for minute in range(1, 10):
        await deliver(connected, at(timedelta(minutes=minute)))
    assert {state for _, state in await states(connected)} == {"written"}
    assert found(connected, booked) == (1, 1, 1)


async def test_a_slow_answer_is_looked_for_and_not_sent_again(connected: Riverside) -> None:
    held = await hold_first(connected, connected.wish())
    booked = await send(connected, await olivias_booking(connected, held), "k")
    assert isinstance(booked, Booked)
    connected.clinic.order_fault("create_appointment", "slow_answer", seconds=3)
    await deliver(connected, at(timedelta()))
    assert await states(connected) == [("appointment", "unknown")]
    await deliver(connected, at(timedelta(minutes=1)))
    assert await states(connected) == [("appointment", "written")]
    assert found(connected, booked) == (0, 0, 1)


async def test_a_request_that_never_arrived_is_sent_again(connected: Riverside) -> None:
    booked = await book_stranger(connected)
    connected.clinic.order_fault("create_client", "reset_before")
    await deliver(connected, at(timedelta()))
    await deliver(connected, at(timedelta(minutes=1)))
    assert {state for _, state in await states(connected)} == {"written"}
    assert found(connected, booked) == (1, 1, 1)


async def test_a_pims_that_is_down_delays_the_write_back_and_says_so(connected: Riverside) -> None:
    with running_clinic() as gone:
        settings = gone.settings
    booked = await book_stranger(connected)
    await deliver(connected, at(timedelta()), settings)
    async with across_practices(connected.pool) as conn:
        row = await conn.fetchrow("SELECT state, reason, due_at FROM write_back ORDER BY position LIMIT 1")
    assert row is not None
    assert row["state"] == "queued"
    assert row["reason"]
    assert row["due_at"] > NOW
    await deliver(connected, at(timedelta(minutes=1)))
    assert found(connected, booked) == (1, 1, 1)


async def test_a_refusal_needs_a_person_and_says_why(connected: Riverside) -> None:
    booked = await book_stranger(connected)
    connected.clinic.order_fault("create_appointment", "refuse")
    await deliver(connected, at(timedelta()))
    async with across_practices(connected.pool) as conn:
        row = await conn.fetchrow("SELECT state, reason FROM write_back WHERE kind = 'appointment'")
    assert row is not None
    assert row["state"] == "needs_attention"
    assert row["reason"]
    assert found(connected, booked) == (1, 1, 0)


async def test_another_booking_does_not_wait_for_one_that_needs_attention(connected: Riverside) -> None:
    await book_stranger(connected)
    connected.clinic.order_fault("create_client", "refuse")
    second_held = await hold_first(connected, connected.wish())
    second = await send(connected, await olivias_booking(connected, second_held), "second")
    assert isinstance(second, Booked)
    await deliver(connected, at(timedelta()))
    assert found(connected, second) == (0, 0, 1)


async def test_a_second_booking_of_a_new_client_waits_until_the_client_is_written(connected: Riverside) -> None:
    first = await book_stranger(connected)
    held = await hold_first(connected, connected.wish())
    async with across_practices(connected.pool) as conn:
        patient = first.appointment.patient_id
        client = first.appointment.client_id
        assert await conn.fetchval("SELECT pims_id FROM client WHERE client_id = $1", client) is None
    known = msgspec.structs.replace(
        strangers_booking(held), client=KnownClient(client_id=client), patients=(KnownPatient(patient_id=patient),)
    )
    second = await send(connected, known, "second")
    assert isinstance(second, Booked)
    connected.clinic.order_fault("create_client", "unavailable")
    await deliver(connected, at(timedelta()))
    assert ("appointment", "needs_attention") not in await states(connected)
    for minute in range(1, 6):
        await deliver(connected, at(timedelta(minutes=minute)))
    assert found(connected, first) == (1, 1, 1)
    assert found(connected, second) == (0, 0, 1)


async def test_what_a_dead_worker_left_behind_is_taken_up_when_its_lease_runs_out(connected: Riverside) -> None:
    booked = await book_stranger(connected)
    async with across_practices(connected.pool) as conn:
        leased = await write_backs.lease_next(
            conn, connected.practice.practice_id, now=NOW, lease=uuid4(), until=NOW + LEASE
        )
    assert leased is not None
    assert await deliver(connected, at(LEASE / 2)) == 0
    assert await deliver(connected, at(LEASE)) == 3
    assert found(connected, booked) == (1, 1, 1)


async def test_a_worker_that_lost_its_lease_cannot_settle_what_another_one_has(connected: Riverside) -> None:
    await book_stranger(connected)
    practice_id = connected.practice.practice_id
    async with across_practices(connected.pool) as conn:
        slow = await write_backs.lease_next(conn, practice_id, now=NOW, lease=uuid4(), until=NOW + LEASE)
        fast = await write_backs.lease_next(conn, practice_id, now=NOW + LEASE, lease=uuid4(), until=NOW + 2 * LEASE)
        assert slow is not None
        assert fast is not None
        assert slow.write_back_id == fast.write_back_id
        assert fast.was == "sending"
        assert not await write_backs.settle(conn, slow, "written", Settled(due_at=NOW), NOW)
        assert await write_backs.settle(conn, fast, "queued", Settled(due_at=NOW), NOW)


async def test_a_booking_goes_in_order_while_a_few_others_go_beside_it(connected: Riverside) -> None:
    booked = [await book_stranger(connected) for _ in range(3)]
    practice_id = connected.practice.practice_id
    async with across_practices(connected.pool) as conn:
        leased = [
            await write_backs.lease_next(conn, practice_id, now=NOW, lease=uuid4(), until=NOW + LEASE) for _ in range(4)
        ]
    assert [one and one.key for one in leased] == [
        f"{booked[0].appointment.reference}-C",
        f"{booked[1].appointment.reference}-C",
        f"{booked[2].appointment.reference}-C",
        None,
    ]


def test_pauses_grow_to_some_minutes_and_differ() -> None:
    assert timedelta(seconds=0.5) <= pause(1) <= timedelta(seconds=1.5)
    assert LONGEST_PAUSE / 2 <= pause(30) <= LONGEST_PAUSE * 1.5
    assert len({pause(5) for _ in range(10)}) > 1
