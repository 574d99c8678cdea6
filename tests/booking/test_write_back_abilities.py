"""Write-back asks of each PIMS what it can do, waits for those that are slow, and tells staff the rest."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from booking.book import Booked
from booking.change import confirm
from booking.db.pool import across_practices
from booking.deadlines import GRACE, escalate_due
from booking.staff_book import note
from booking.webhooks import NewWebhook, add_webhook
from booking.write_back_tasks import RecordTaken, done_by_hand, relink, retry
from tests.booking.conftest import NOW, Riverside
from tests.booking.lesser_pims import LAG, Asking, Calendar, Lagging, NoPims, Noting
from tests.booking.outbox_of import deliver_by, fetch, know, lines, states
from tests.booking.steps import SITE, hold_first, olivias_booking, send
from tests.booking.test_write_back import at, book_stranger, deliver, found
from tests.demo_clinic import opened

MINUTE = timedelta(minutes=1)


async def test_where_nothing_is_written_nothing_waits(connected: Riverside) -> None:
    await book_stranger(connected)
    assert await deliver_by(connected, NoPims()) > 0
    assert set((await states(connected)).values()) == {"superseded"}
    assert {one["reason"] for one in await lines(connected)} != {None}
    await know(connected, NoPims())
    booked = await book_stranger(connected)
    assert booked.seen.write_back is None
    assert len(await lines(connected)) == 3


async def test_a_calendar_is_told_in_words_who_comes(connected: Riverside) -> None:
    await book_stranger(connected)
    calendar = Calendar(connected.clinic.settings)
    await deliver_by(connected, calendar)
    assert await states(connected) == {
        ("client", "create"): "superseded",
        ("patient", "create"): "superseded",
        ("appointment", "create"): "written",
    }
    (draft,) = calendar.entries.values()
    assert (draft.client, draft.patient, draft.new_client) == (None, None, True)
    assert draft.visitor is not None
    assert (draft.visitor.client, draft.visitor.patient, draft.visitor.phone) == ("Noor Haddad", "Zuzu", "+12125550777")
    await know(connected, Calendar(connected.clinic.settings))
    await book_stranger(connected)
    assert [one["kind"] for one in (await lines(connected))[3:]] == ["appointment"]


async def book_olivia(riverside: Riverside, key: str = "k") -> Booked:
    booked = await send(riverside, await olivias_booking(riverside, await hold_first(riverside, riverside.wish())), key)
    assert isinstance(booked, Booked)
    return booked


async def test_what_is_shown_later_is_sent_once_and_looked_for_until_then(connected: Riverside) -> None:
    booked = await book_olivia(connected)
    now = [NOW]
    slow = Lagging(connected.clinic.settings, lambda: now[-1])
    for seconds in (0, 1, 5, 30, 90, 150, 179):
        now.append(NOW + timedelta(seconds=seconds))
        await deliver_by(connected, slow, timedelta(seconds=seconds))
        (line,) = await lines(connected)
        assert (line["state"], line["accepted"]) == ("unknown", True)
        assert line["attempts"] == 0
    now.append(NOW + LAG + MINUTE)
    await deliver_by(connected, Lagging(connected.clinic.settings, lambda: now[-1]), LAG + MINUTE)
    assert await states(connected) == {("appointment", "create"): "written"}
    assert slow.sent == {booked.appointment.reference: [NOW]}
    assert found(connected, booked) == (0, 0, 1)


async def test_what_was_accepted_and_is_never_shown_needs_a_person_and_may_be_sent_again(connected: Riverside) -> None:
    booked = await book_olivia(connected)
    now = [NOW]
    await deliver_by(connected, Lagging(connected.clinic.settings, lambda: now[-1], loses=True))
    now.append(NOW + LAG + MINUTE)
    await deliver_by(connected, Lagging(connected.clinic.settings, lambda: now[-1], loses=True), LAG + MINUTE)
    (line,) = await lines(connected)
    assert line["state"] == "needs_attention"
    assert "does not show it" in line["reason"]
    await retry(connected.pool, connected.practice.practice_id, line["write_back_id"], now=now[-1])
    await deliver_by(connected, opened(connected.clinic.settings), LAG + MINUTE)
    assert found(connected, booked) == (0, 0, 1)


async def test_a_lost_answer_proves_nothing_before_the_pims_shows_what_it_has(connected: Riverside) -> None:
    booked = await book_olivia(connected)
    connected.clinic.order_fault("create_appointment", "answer_lost")
    now = [NOW]
    slow = Lagging(connected.clinic.settings, lambda: now[-1])
    await deliver_by(connected, slow)
    for minutes in (1, 2):
        now.append(NOW + minutes * MINUTE)
        slow = Lagging(connected.clinic.settings, lambda: now[-1])
        slow.sent[booked.appointment.reference] = [NOW]
        await deliver_by(connected, slow, minutes * MINUTE)
        assert await states(connected) == {("appointment", "create"): "unknown"}
    now.append(NOW + 5 * MINUTE)
    await deliver_by(connected, Lagging(connected.clinic.settings, lambda: now[-1]), 5 * MINUTE)
    assert await states(connected) == {("appointment", "create"): "written"}
    assert found(connected, booked) == (0, 0, 1)


async def test_who_came_is_noted_where_the_pims_can_and_told_to_staff_where_it_cannot(connected: Riverside) -> None:
    booked = await book_olivia(connected)
    await deliver(connected, at(timedelta()))
    one = booked.appointment.appointment_id
    await note(connected.pool, connected.practice, one, "arrived", actor=UUID(int=1), now=NOW)
    noting = Noting(connected.clinic.settings)
    await deliver_by(connected, noting)
    assert [status for _, status in noting.noted] == ["arrived"]
    assert (await states(connected))["appointment", "status"] == "written"
    await note(connected.pool, connected.practice, one, "fulfilled", actor=UUID(int=1), now=NOW)
    await deliver(connected, at(timedelta()))
    *_, last = await lines(connected)
    assert last["state"] == "needs_attention"
    assert f"mark appointment {booked.appointment.reference}" in last["reason"]
    assert "as seen" in last["reason"]


async def near(riverside: Riverside) -> Booked:
    """Let a booking be for an hour from now."""
    booked = await book_olivia(riverside)
    async with across_practices(riverside.pool) as conn:
        await conn.execute(
            "UPDATE appointment SET starts_at = $1, ends_at = $2 WHERE reference = $3",
            NOW + 60 * MINUTE,
            NOW + 90 * MINUTE,
            booked.appointment.reference,
        )
    return booked


async def test_what_fails_while_its_visit_is_near_is_told_at_once_and_listed_first(connected: Riverside) -> None:
    practice_id = connected.practice.practice_id
    hook = NewWebhook(url="https://93.184.216.34/hook", events=["write_back.late"])
    await add_webhook(connected.pool, SITE, practice_id, hook, key="hook", by=practice_id, now=NOW)
    await near(connected)
    connected.clinic.order_fault("create_appointment", "rate_limited")
    await deliver(connected, at(timedelta()))
    (line,) = await lines(connected)
    assert (line["state"], line["escalated_at"]) == ("queued", NOW)
    assert line["reason"].startswith("The visit at 9:00 PM today is not in the PIMS yet. ")
    assert [one["type"] for one in await fetch(connected, "SELECT type FROM webhook_event")] == ["write_back.late"]
    await deliver(connected, at(MINUTE))
    assert await states(connected) == {("appointment", "create"): "written"}


async def test_what_nobody_took_up_is_told_once_when_its_visit_comes_near(connected: Riverside) -> None:
    await near(connected)
    assert await escalate_due(connected.pool, NOW) == 0
    assert await escalate_due(connected.pool, NOW + GRACE) == 1
    assert await escalate_due(connected.pool, NOW + GRACE) == 0
    (line,) = await lines(connected)
    assert line["reason"] == "The visit at 9:00 PM today is not in the PIMS yet."


async def stuck(riverside: Riverside) -> tuple[Booked, UUID]:
    booked = await book_olivia(riverside)
    riverside.clinic.order_fault("create_appointment", "refuse", times=5)
    await deliver(riverside, at(timedelta()))
    riverside.clinic.reset_faults()
    (line,) = await lines(riverside)
    return booked, line["write_back_id"]


async def test_staff_say_which_record_it_is_and_it_is_read_and_taken(connected: Riverside) -> None:
    booked, line_id = await stuck(connected)
    practice_id = connected.practice.practice_id
    columns = await fetch(connected, "SELECT pims_id FROM resource WHERE kind = 'provider' ORDER BY name LIMIT 1")
    one = booked.appointment

    def entered(hours: int) -> str:
        times = {"start": one.starts_at + timedelta(hours=hours), "end": one.ends_at + timedelta(hours=hours)}
        spoken = {name: at_.isoformat() for name, at_ in times.items()}
        return str(connected.clinic.post("/staff/appointments", columns=[columns[0]["pims_id"]], **spoken)["id"])

    for wrong, why in (("appt-never", "has no appointment"), (entered(1), "at another time")):
        await relink(connected.pool, practice_id, line_id, pims_id=wrong, now=NOW)
        await deliver(connected, at(timedelta()))
        (line,) = await lines(connected)
        assert line["state"] == "needs_attention"
        assert why in line["reason"]
    right = entered(0)
    await relink(connected.pool, practice_id, line_id, pims_id=right, now=NOW)
    await deliver(connected, at(timedelta()))
    (line,) = await lines(connected)
    assert (line["state"], line["note"]) == ("written", "Linked by staff.")
    rows = await fetch(connected, "SELECT pims_id FROM appointment WHERE reference = $1", one.reference)
    assert rows == [{"pims_id": right}]


async def test_a_record_of_another_booking_is_refused_and_never_taken_over(connected: Riverside) -> None:
    first = await book_olivia(connected, "first")
    await deliver(connected, at(timedelta()))
    (row,) = await fetch(connected, "SELECT pims_id FROM appointment WHERE reference = $1", first.appointment.reference)
    await book_stranger(connected)
    connected.clinic.order_fault("create_appointment", "refuse", times=5)
    await deliver(connected, at(timedelta()))
    *_, line = await lines(connected)
    practice_id = connected.practice.practice_id
    for act in (relink, done_by_hand):
        with pytest.raises(RecordTaken):
            await act(connected.pool, practice_id, line["write_back_id"], pims_id=row["pims_id"], now=NOW)


async def test_an_identifier_of_another_booking_needs_attention_and_is_not_tried_again(connected: Riverside) -> None:
    await book_olivia(connected, "first")
    await deliver(connected, at(timedelta()))
    async with across_practices(connected.pool) as conn:
        (key,) = [row["key"] for row in await conn.fetch("SELECT key FROM write_back")]
    await book_olivia(connected, "second")
    async with across_practices(connected.pool) as conn:
        # As where a PIMS answers for the key of another.
        await conn.execute("UPDATE write_back SET key = $1 || 'X' WHERE key = $1", key)
        await conn.execute("UPDATE write_back SET key = $1, attempts = 1 WHERE state = 'queued'", key)
        await conn.execute(
            "UPDATE appointment SET starts_at = other.starts_at, ends_at = other.ends_at FROM appointment other"
            " WHERE appointment.reference IS NOT NULL AND other.pims_id IS NOT NULL AND other.source = 'online'"
        )
    await deliver(connected, at(timedelta()))
    *_, line = await lines(connected)
    assert line["state"] == "needs_attention"
    assert "another booking" in line["reason"]


async def test_a_practices_odd_questions_never_break_a_write(connected: Riverside) -> None:
    booked = await book_olivia(connected)
    odd = " | ".join(f"Question {n} 🐶? {'ä🐾' * 250}" for n in range(30))
    reference = booked.appointment.reference
    async with across_practices(connected.pool) as conn:
        await conn.execute("UPDATE appointment SET description = description || ': ' || $1", odd)
    await deliver_by(connected, Asking(opened(connected.clinic.settings)._exchange))  # noqa: SLF001
    (line,) = await lines(connected)
    assert line["state"] == "written"
    assert "cut to 255 letters" in line["note"]
    (shown,) = connected.clinic.with_key("appointments", reference)
    assert len(shown["note"]) <= 255
    assert shown["note"].startswith(f"[vetslot Direct Booking] {reference}")


async def test_a_confirmation_of_what_cannot_be_confirmed_becomes_a_task(connected: Riverside) -> None:
    booked = await book_olivia(connected)
    calendar = Calendar(connected.clinic.settings)
    await deliver_by(connected, calendar)
    await confirm(connected.pool, connected.practice, booked.appointment.reference, now=NOW)
    again = Calendar(connected.clinic.settings)
    again.entries = calendar.entries
    await deliver_by(connected, again)
    *_, line = await lines(connected)
    assert (line["action"], line["state"]) == ("confirm", "needs_attention")
