"""A time that the PIMS gave to somebody else: others take the visit over, or everybody is told with other times."""

from __future__ import annotations

from datetime import timedelta

from booking.book import Booked
from booking.change import Changed, reschedule
from booking.holds import Held, hold
from tests.booking.conftest import NOW, Riverside
from tests.booking.outbox_of import fetch, lines
from tests.booking.steps import SITE, send, strangers_booking
from tests.booking.test_claims import overlaps
from tests.booking.test_sync import sync_now
from tests.booking.test_write_back import at, deliver, found

WELLNESS = "type-wellness"
MINUTE = timedelta(minutes=1)


async def served_by(riverside: Riverside, booked: Booked) -> dict[str, str]:
    """Return the PIMS's columns that a visit claims, by their kind."""
    rows = await fetch(
        riverside,
        """SELECT r.kind, r.pims_id FROM claim c JOIN resource r USING (practice_id, resource_id)
           WHERE c.appointment_id = $1""",
        booked.appointment.appointment_id,
    )
    return {row["kind"]: row["pims_id"] for row in rows}


async def book_when(riverside: Riverside, *, alone: bool, provider: bool = False) -> Booked:
    """Book a time at which some other provider is free, or nobody else is."""
    for slot in await riverside.slots(riverside.wish(WELLNESS, new_client=True)):
        wish = riverside.wish(WELLNESS, new_client=True)
        others = []
        held = await hold(riverside.pool, riverside.practice, wish, slot.start, now=NOW)
        if not isinstance(held, Held):
            continue
        while isinstance(more := await hold(riverside.pool, riverside.practice, wish, slot.start, now=NOW), Held):
            others.append(more)
        if not others:
            continue
        if not alone:
            await fetch(riverside, "DELETE FROM hold WHERE hold_id <> $1 RETURNING hold_id", held.hold.hold_id)
        if provider:
            asked = held.hold.resources["veterinarian"][0]
            await fetch(
                riverside,
                "UPDATE hold SET wish = wish || jsonb_build_object('provider_id', $1::text) RETURNING 1",
                asked,
            )
        booked = await send(riverside, strangers_booking(held, contact="noor@example.com"), "k")
        assert isinstance(booked, Booked)
        return booked
    raise AssertionError("At every time there is only one who could serve it.")


def take(riverside: Riverside, booked: Booked, column: str) -> None:
    """Let staff give the time to somebody else in the PIMS."""
    one = booked.appointment
    riverside.clinic.post(
        "/staff/appointments", start=one.starts_at.isoformat(), end=one.ends_at.isoformat(), columns=[column]
    )


async def told(riverside: Riverside) -> list[dict[str, str]]:
    return await fetch(
        riverside, "SELECT purpose, body FROM message WHERE purpose NOT IN ('booked', 'rescheduled') ORDER BY position"
    )


async def test_a_time_that_the_pims_refuses_is_served_by_somebody_else_and_the_client_is_not_bothered(
    connected: Riverside,
) -> None:
    booked = await book_when(connected, alone=False)
    before = await served_by(connected, booked)
    take(connected, booked, before["provider"])
    await deliver(connected, at(timedelta()))
    after = await served_by(connected, booked)
    assert after["provider"] != before["provider"]
    assert [one["state"] for one in await lines(connected)] == ["written"] * 3
    (shown,) = connected.clinic.with_key("appointments", booked.appointment.reference)
    assert after["provider"] in shown["columns"]
    assert await told(connected) == []
    assert await overlaps(connected.pool) == 0


async def test_a_client_who_asked_for_somebody_is_told_who_serves_them_instead(connected: Riverside) -> None:
    booked = await book_when(connected, alone=False, provider=True)
    take(connected, booked, (await served_by(connected, booked))["provider"])
    await deliver(connected, at(timedelta()))
    (message,) = await told(connected)
    assert message["purpose"] == "served_by"
    assert "stays at its time, and is now with Dr." in message["body"]


async def test_what_sync_shows_taken_is_repaired_before_it_is_sent(connected: Riverside) -> None:
    booked = await book_when(connected, alone=False)
    before = await served_by(connected, booked)
    take(connected, booked, before["provider"])
    await sync_now(connected)
    await deliver(connected, at(timedelta()))
    assert (await served_by(connected, booked))["provider"] != before["provider"]
    assert found(connected, booked) == (1, 1, 1)
    appointment = (await lines(connected))[2]
    assert (appointment["state"], appointment["repairs"]) == ("written", 1)


async def test_where_nobody_else_is_free_staff_and_client_are_told_and_nothing_is_cancelled(
    connected: Riverside,
) -> None:
    booked = await book_when(connected, alone=True)
    take(connected, booked, (await served_by(connected, booked))["provider"])
    await deliver(connected, at(timedelta()))
    appointment = (await lines(connected))[2]
    assert appointment["state"] == "needs_attention"
    assert "Nobody else is free then" in appointment["reason"]
    assert "Free: " in appointment["reason"]
    (message,) = await told(connected)
    assert message["purpose"] == "no_longer_free"
    assert f"{SITE.public_url}/visit/" in message["body"]
    assert "Free at the moment:" in message["body"]
    (row,) = await fetch(connected, "SELECT status FROM appointment WHERE source = 'online'")
    assert row["status"] == "booked"

    # The client chooses another time, and that is written.
    wish = connected.wish(WELLNESS, new_client=True)
    later = next(slot for slot in await connected.slots(wish) if slot.start > NOW + timedelta(days=4))
    reference = booked.appointment.reference
    moved = await reschedule(connected.pool, connected.practice, reference, later.start, by="staff", site=SITE, now=NOW)
    assert isinstance(moved, Changed)
    await deliver(connected, at(MINUTE))
    assert found(connected, booked) == (1, 1, 1)


async def test_a_moved_visit_that_the_pims_refuses_is_served_by_somebody_else(connected: Riverside) -> None:
    booked = await book_when(connected, alone=False)
    await deliver(connected, at(timedelta()))
    wish = connected.wish(WELLNESS, new_client=True)
    for slot in [one for one in await connected.slots(wish) if one.start > NOW + timedelta(days=4)]:
        many = [await hold(connected.pool, connected.practice, wish, slot.start, now=NOW) for _ in range(3)]
        await fetch(connected, "DELETE FROM hold RETURNING hold_id")
        if all(isinstance(one, Held) for one in many):
            break
    reference = booked.appointment.reference
    moved = await reschedule(connected.pool, connected.practice, reference, slot.start, by="staff", site=SITE, now=NOW)
    assert isinstance(moved, Changed)
    column = (await served_by(connected, booked))["provider"]
    end = slot.start + (booked.appointment.ends_at - booked.appointment.starts_at)
    connected.clinic.post("/staff/appointments", start=slot.start.isoformat(), end=end.isoformat(), columns=[column])
    await deliver(connected, at(MINUTE))
    assert (await served_by(connected, booked))["provider"] != column
    assert [one["state"] for one in await lines(connected)] == ["written"] * 4
