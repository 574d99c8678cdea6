"""Conversations: a booking opens one, staff reply and close it, and it is kept in the PIMS where that takes it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from booking.conversations import ConversationClosed, NobodyToReach, NothingToExportTo, close, export, reply
from booking.db import conversations
from booking.db.conversations import Conversation
from booking.db.pool import of_practice
from tests.booking.conftest import NOW, Riverside
from tests.booking.lesser_pims import Filing, NoPims
from tests.booking.outbox_of import deliver_by, fetch, know, lines
from tests.booking.steps import hold_first, olivias_booking, send
from tests.booking.test_write_back import at, book_stranger, deliver

MINUTE = timedelta(minutes=1)


async def queue(riverside: Riverside) -> list[Conversation]:
    practice_id = riverside.practice.practice_id
    async with of_practice(riverside.pool, practice_id) as conn:
        return await conversations.queue(conn, practice_id, "open", after=None, limit=50)


async def say(riverside: Riverside, one: Conversation, text: str, key: str) -> Conversation:
    return await reply(
        riverside.pool, riverside.practice, one.conversation_id, text, by="Dana", key=key, now=NOW + MINUTE
    )


async def test_a_booking_opens_a_conversation_on_top_of_the_queue(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish())
    await send(riverside, await olivias_booking(riverside, held, reason="Limps a little"), "k")
    booked = await book_stranger(riverside)
    await fetch(
        riverside,
        "UPDATE conversation SET last_at = last_at + interval '1 s' WHERE client_id = $1 RETURNING 1",
        booked.appointment.client_id,
    )
    top, second = await queue(riverside)
    assert (top.client, top.patient, top.reference) == ("Noor Haddad", "Zuzu", booked.appointment.reference)
    async with of_practice(riverside.pool, riverside.practice.practice_id) as conn:
        (first,) = await conversations.said(conn, riverside.practice.practice_id, second.conversation_id)
    assert first.author == "booking"
    assert first.text.startswith("The client booked ")
    assert "Biscuit (dog)" in first.text
    assert first.text.endswith("Limps a little")


async def test_a_reply_reaches_the_proven_contact_once(riverside: Riverside) -> None:
    await book_stranger(riverside)
    (one,) = await queue(riverside)
    for _ in range(2):
        await say(riverside, one, "Please bring his papers.", "same")
    sent = await fetch(riverside, "SELECT recipient, body FROM message WHERE purpose = 'reply'")
    assert [(row["recipient"], "Please bring his papers." in row["body"]) for row in sent] == [("+12125550777", True)]
    await fetch(riverside, "UPDATE conversation SET contact = NULL RETURNING 1")
    with pytest.raises(NobodyToReach):
        await say(riverside, one, "Hello?", "other")


async def test_a_closed_conversation_is_kept_in_the_pims_once(connected: Riverside) -> None:
    await book_stranger(connected)
    (one,) = await queue(connected)
    await say(connected, one, "See you soon.", "k2")
    practice_id = connected.practice.practice_id
    for _ in range(2):
        closed = await close(connected.pool, practice_id, one.conversation_id, now=NOW + MINUTE)
        assert (closed.state, closed.export) == ("closed", "queued")
    with pytest.raises(ConversationClosed):
        await say(connected, one, "One more thing", "k3")
    filing = Filing(connected.clinic.settings, lost=1)
    for minutes in (0, 1, 2):
        await deliver_by(connected, filing.again(), minutes * MINUTE)
    (draft,) = filing.kept.values()
    assert draft.title.startswith("Wellness exam for Zuzu")
    assert "Practice (Dana):\nSee you soon." in draft.text
    assert [(row["kind"], row["state"]) for row in await lines(connected)][-1] == ("conversation", "written")


async def test_where_the_pims_takes_none_it_is_a_task_that_holds_nothing_up(connected: Riverside) -> None:
    await book_stranger(connected)
    await deliver(connected, at(timedelta()))
    (one,) = await queue(connected)
    practice_id = connected.practice.practice_id
    await export(connected.pool, practice_id, one.conversation_id, now=NOW)
    await deliver(connected, at(timedelta()))
    *_, line = await lines(connected)
    assert line["state"] == "needs_attention"
    assert "copy the conversation into the patient’s records" in line["reason"]
    again = await export(connected.pool, practice_id, one.conversation_id, now=NOW)
    assert again.export == "needs_attention"
    assert len(await lines(connected)) == 4


async def test_without_a_pims_there_is_nothing_to_export_to(connected: Riverside) -> None:
    await know(connected, NoPims())
    await book_stranger(connected)
    (one,) = await queue(connected)
    practice_id = connected.practice.practice_id
    with pytest.raises(NothingToExportTo):
        await export(connected.pool, practice_id, one.conversation_id, now=NOW)
    closed = await close(connected.pool, practice_id, one.conversation_id, now=NOW)
    assert (closed.state, closed.export) == ("closed", None)
