"""Conversations: what a practice and a client say to each other about a visit, from the booking to the export.

A booking opens one. Staff reply, which reaches the client at the contact that was proven, and close it, which lets it
be kept in the PIMS, as far as the PIMS takes such things.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from msgspec import Struct

from booking.contacts import Contact
from booking.db import conversations
from booking.db.appointments import Answered, Appointment
from booking.db.clients import Patient
from booking.db.conversations import Conversation, NewConversation, NewMessage
from booking.db.messages import queue_message
from booking.db.pool import Connection, Pool, of_practice
from booking.db.practices import Practice
from booking.db.write_backs import wake_workers
from booking.local_days import spoken_time
from booking.messages import named, reply_message
from booking.once import keep, once
from booking.standing import standing


class ConversationUnknown(Exception):
    """There is no such conversation. Please look at the list again."""


class ConversationClosed(Exception):
    """This conversation is closed, so nothing can be said in it any more."""


class NobodyToReach(Exception):
    """There is no contact to which a reply could go. Please call the client."""


class NothingToExportTo(Exception):
    """The practice has no system of its own in which conversations could be kept."""


class _Reply(Struct, frozen=True, kw_only=True):
    """What is said, as it is kept under an Idempotency-Key."""

    conversation_id: UUID
    text: str


def opened_by(
    practice: Practice,
    visits: Sequence[Appointment],
    patients: Sequence[Patient],
    *,
    type_name: str,
    contact: Contact | None,
    reason: str,
    answers: list[Answered],
) -> tuple[NewConversation, NewMessage]:
    """Return the conversation that a booking opens, and the booking's details as what is said first."""
    first, names = visits[0], named([one.name for one in patients])
    when = spoken_time(first.starts_at, practice.timezone)
    new = NewConversation(
        conversation_id=uuid4(),
        client_id=first.client_id,
        patient_id=first.patient_id,
        appointment_id=first.appointment_id,
        title=f"{type_name} for {names}, {when}"[:300],
        contact=contact,
    )
    who = "A new client" if first.new_client else "The client"
    pets = ", ".join(f"{one.name} ({one.species})" for one in patients)
    said = [f"{who} booked {type_name} online for {pets} on {when}. Reference {first.reference}."]
    said += [reason] if reason else []
    said += [f"{one.label} {one.answer}" for one in answers]
    message = NewMessage(conversation_message_id=uuid4(), conversation_id=new.conversation_id, text="\n".join(said))
    return new, message


async def reply(
    pool: Pool, practice: Practice, conversation_id: UUID, text: str, *, by: str, key: str, now: datetime
) -> Conversation:
    """Say something to the client, once per key; it reaches them at their proven contact.

    Raises `ConversationUnknown`, `ConversationClosed`, `NobodyToReach`, `KeyReused`, `KeyBusy`.
    """
    practice_id = practice.practice_id
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        asked = _Reply(conversation_id=conversation_id, text=text)
        if await once(conn, practice_id, key, asked, now) is None:
            found = await _locked(conn, practice_id, conversation_id)
            if found.state == "closed":
                raise ConversationClosed(ConversationClosed.__doc__)
            if found.contact is None:
                raise NobodyToReach(NobodyToReach.__doc__)
            await conversations.say(conn, practice_id, conversation_id, "practice", by, text, now)
            await queue_message(conn, reply_message(practice, found.contact, found.title, text), now)
            await keep(conn, practice_id, key, str(conversation_id))
            await wake_workers(conn, "message")
        return await _locked(conn, practice_id, conversation_id)


async def close(pool: Pool, practice_id: UUID, conversation_id: UUID, *, now: datetime) -> Conversation:
    """Close a conversation, and let it be kept in the PIMS. One that is closed stays so. Raises `ConversationUnknown`.

    Where the PIMS does not take it, it becomes a task for staff.
    """
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        found = await _locked(conn, practice_id, conversation_id)
        if found.state == "open":
            await conversations.close(conn, practice_id, conversation_id, now)
            if await _exportable(conn, practice_id):
                await _queue_export(conn, practice_id, found, now)
        return await _locked(conn, practice_id, conversation_id)


async def export(pool: Pool, practice_id: UUID, conversation_id: UUID, *, now: datetime) -> Conversation:
    """Let a conversation be kept in the PIMS now. Raises `ConversationUnknown`, `NothingToExportTo`."""
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        found = await _locked(conn, practice_id, conversation_id)
        if not await _exportable(conn, practice_id):
            raise NothingToExportTo(NothingToExportTo.__doc__)
        await _queue_export(conn, practice_id, found, now)
        return await _locked(conn, practice_id, conversation_id)


async def _exportable(conn: Connection, practice_id: UUID) -> bool:
    writes = (await standing(conn, practice_id)).writes
    return writes is not None and writes.can("creates_appointments")


async def _queue_export(conn: Connection, practice_id: UUID, one: Conversation, now: datetime) -> None:
    await conversations.queue_export(conn, practice_id, one.conversation_id, one.appointment_id, now)
    await wake_workers(conn, "write_back")


async def _locked(conn: Connection, practice_id: UUID, conversation_id: UUID) -> Conversation:
    found = await conversations.lock_conversation(conn, practice_id, conversation_id)
    if found is None:
        raise ConversationUnknown(ConversationUnknown.__doc__)
    return found
