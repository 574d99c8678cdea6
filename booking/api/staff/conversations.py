"""Conversations with clients, as staff read them, reply, close them, and let them be kept in their own system."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from booking.api.given import REPEATABLE, TheKey, ThePool, now
from booking.api.problems import declared
from booking.api.staff.appointments import cursor, read_cursor
from booking.api.staff.who import FromAnotherSite, Needs, NotSignedIn, ScopeMissing, TheStaff
from booking.conversations import (
    ConversationClosed,
    ConversationUnknown,
    NobodyToReach,
    NothingToExportTo,
    close,
    export,
    reply,
)
from booking.db import conversations
from booking.db.conversations import Author, Conversation, State
from booking.db.pool import of_practice
from booking.db.write_backs import State as WriteBackState
from booking.once import KeyBusy, KeyMissing, KeyReused

REFUSED = (NotSignedIn, ScopeMissing, FromAnotherSite)
READ, WRITE = [Needs("conversations:read")], [Needs("conversations:write")]


class ConversationShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A conversation in the queue. `export`: how far it has come into the practice's own system; null: not asked for.

    `contact`: where replies go.
    """

    id: UUID
    state: State
    title: str
    client: UUID
    client_name: str
    patient: UUID | None
    patient_name: str | None
    appointment: UUID
    reference: str | None
    contact: str | None
    opened_at: datetime
    last_at: datetime
    closed_at: datetime | None
    export: WriteBackState | None


class Conversations(Struct, frozen=True, kw_only=True, rename="camel"):
    """Conversations, on top those in which something was said last. `next`: where the list goes on."""

    items: list[ConversationShown]
    next: str | None


class SaidShown(Struct, frozen=True, kw_only=True):
    """What somebody said. `name`: who of the practice."""

    author: Author
    name: str
    text: str
    at: datetime


class WholeConversation(Struct, frozen=True, kw_only=True, rename="camel"):
    """A conversation with what was said in it, in order."""

    conversation: ConversationShown
    said: list[SaidShown]


class ReplySent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the client is told."""

    message: Annotated[str, Meta(min_length=1, max_length=1000)]


@get("/conversations", guards=READ, responses=declared(*REFUSED))
async def list_conversations(
    who: TheStaff,
    pool: ThePool,
    only: Annotated[State | None, QueryParameter(name="state", description="Only such; else all.")] = None,
    after: Annotated[str | None, QueryParameter(max_length=100, description="`next` of the page before.")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
) -> Conversations:
    """List conversations; each booking opens one."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn:
        found = await conversations.queue(conn, practice_id, only, after=read_cursor(after), limit=limit)
    following = cursor(found[-1].last_at, found[-1].conversation_id) if len(found) == limit else None
    return Conversations(items=[_shown(one) for one in found], next=following)


@get("/conversations/{conversation_id:uuid}", guards=READ, responses=declared(*REFUSED, ConversationUnknown))
async def read_conversation(who: TheStaff, pool: ThePool, conversation_id: FromPath[UUID]) -> WholeConversation:
    """Read a conversation."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn:
        found = await conversations.conversation(conn, practice_id, conversation_id)
        if found is None:
            raise ConversationUnknown(ConversationUnknown.__doc__)
        said = await conversations.said(conn, practice_id, conversation_id)
    return WholeConversation(
        conversation=_shown(found),
        said=[SaidShown(author=one.author, name=one.name, text=one.text, at=one.at) for one in said],
    )


@post(
    "/conversations/{conversation_id:uuid}/replies",
    guards=WRITE,
    dependencies=REPEATABLE,
    responses=declared(
        *REFUSED, ConversationUnknown, ConversationClosed, NobodyToReach, KeyMissing, KeyReused, KeyBusy
    ),
)
async def reply_to_client(
    who: TheStaff, pool: ThePool, key: TheKey, conversation_id: FromPath[UUID], data: JSONBody[ReplySent]
) -> ConversationShown:
    """Reply to the client: it is sent to the contact with which the visit was booked."""
    text = data.message.strip()
    return _shown(await reply(pool, who.practice, conversation_id, text, by=who.name, key=key, now=now()))


@post(
    "/conversations/{conversation_id:uuid}/close",
    guards=WRITE,
    status_code=200,
    responses=declared(*REFUSED, ConversationUnknown),
)
async def close_conversation(who: TheStaff, pool: ThePool, conversation_id: FromPath[UUID]) -> ConversationShown:
    """Close a conversation. It is then kept in the practice's own system; what that does not take becomes a task."""
    return _shown(await close(pool, who.practice.practice_id, conversation_id, now=now()))


@post(
    "/conversations/{conversation_id:uuid}/export",
    guards=WRITE,
    status_code=200,
    responses=declared(*REFUSED, ConversationUnknown, NothingToExportTo),
)
async def export_conversation(who: TheStaff, pool: ThePool, conversation_id: FromPath[UUID]) -> ConversationShown:
    """Let a conversation be kept in the practice's own system now."""
    return _shown(await export(pool, who.practice.practice_id, conversation_id, now=now()))


def _shown(one: Conversation) -> ConversationShown:
    return ConversationShown(
        id=one.conversation_id,
        state=one.state,
        title=one.title,
        client=one.client_id,
        client_name=one.client,
        patient=one.patient_id,
        patient_name=one.patient,
        appointment=one.appointment_id,
        reference=one.reference,
        contact=one.contact.value if one.contact else None,
        opened_at=one.opened_at,
        last_at=one.last_at,
        closed_at=one.closed_at,
        export=one.export,
    )


router = Router(
    "/",
    route_handlers=[list_conversations, read_conversation, reply_to_client, close_conversation, export_conversation],
)
