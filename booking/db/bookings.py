"""A booking's rows: who is new, an appointment for each patient, the outbox, the message, the kept answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from booking.contacts import Contact
from booking.db.appointments import Appointment, Source
from booking.db.clients import Client, Patient, Where
from booking.db.conversations import NewConversation, NewMessage
from booking.db.messages import Message
from booking.db.pool import Connection, only
from pims_adapters.contract import Kind


class Creation(Struct, frozen=True, kw_only=True):
    """A line of the outbox: what the PIMS is to have that it does not have yet."""

    write_back_id: UUID
    appointment_id: UUID
    kind: Kind
    subject_id: UUID
    key: str


class Reached(Struct, frozen=True, kw_only=True):
    """How a new client can be reached."""

    client_id: UUID
    kind: str
    value: str


class NewClient(Struct, frozen=True, kw_only=True):
    """A client who is new, and where they live as far as they were asked."""

    client_id: UUID
    given_name: str
    family_name: str
    address: str
    city: str
    postal_code: str


def new_client_row(client: Client, where: Where) -> NewClient:
    """Return the row of a new client."""
    return NewClient(
        client_id=client.client_id,
        given_name=client.given_name,
        family_name=client.family_name,
        address=where.address,
        city=where.city,
        postal_code=where.postal_code,
    )


class Rows(Struct, frozen=True, kw_only=True):
    """All that a booking adds. `key`: under which its reference is kept as the answer.

    The manage token is the first visit's; `provider_id`: who was asked for by name.
    """

    new_clients: Sequence[NewClient]
    reached: Sequence[Reached]
    new_patients: Sequence[Patient]
    visits: Sequence[Appointment]
    source: Source
    contact: Contact | None
    provider_id: UUID | None
    manage_token_hash: bytes
    outbox: Sequence[Creation]
    messages: Sequence[Message]
    conversations: Sequence[NewConversation]
    said: Sequence[NewMessage]
    key: str | None


# One round trip instead of seven: rows come as JSON, whose fields are named as the columns are.
INSERT_BOOKING = """
WITH new_client AS (
  INSERT INTO client (practice_id, client_id, given_name, family_name, created_at, address, city, postal_code)
  SELECT $1, client_id, given_name, family_name, $2, address, city, postal_code
  FROM jsonb_populate_recordset(NULL::client, $3)
), reached AS (
  INSERT INTO client_contact (practice_id, client_id, kind, value, as_typed)
  SELECT $1, client_id, kind, value, value FROM jsonb_populate_recordset(NULL::client_contact, $4)
  ON CONFLICT (practice_id, client_id, kind, value) DO NOTHING
), new_patient AS (
  INSERT INTO patient (practice_id, patient_id, client_id, name, species, breed, sex, birth_date)
  SELECT $1, patient_id, client_id, name, species, breed, sex, birth_date
  FROM jsonb_populate_recordset(NULL::patient, $5)
), visits AS (
  INSERT INTO appointment (practice_id, appointment_id, reference, visit, manage_token_hash, source, contact,
    provider_id, appointment_type_id, client_id, patient_id, starts_at, ends_at, resources, new_client, reason, answers,
    description, created_at)
  SELECT $1, appointment_id, reference, visit, CASE WHEN visit = 1 THEN $7::bytea END, $8, $9::jsonb, $10::uuid,
    appointment_type_id, client_id, patient_id, starts_at, ends_at, resources, new_client, reason, answers, description,
    created_at
  FROM jsonb_populate_recordset(NULL::appointment, $6)
), outbox AS (
  INSERT INTO write_back (practice_id, write_back_id, appointment_id, kind, subject_id, key, due_at, queued_at)
  SELECT $1, write_back_id, appointment_id, kind, subject_id, key, $2, $2
  FROM jsonb_populate_recordset(NULL::write_back, $11)
), messages AS (
  INSERT INTO message (practice_id, message_id, channel, purpose, recipient, subject, body, attachment, due_at,
    created_at)
  SELECT $1, message_id, channel, purpose, recipient, subject, body, attachment, $2, $2
  FROM jsonb_populate_recordset(NULL::message, $12)
), conversations AS (
  INSERT INTO conversation (practice_id, conversation_id, client_id, patient_id, appointment_id, title, contact,
    opened_at, last_at)
  SELECT $1, conversation_id, client_id, patient_id, appointment_id, title, contact, $2, $2
  FROM jsonb_populate_recordset(NULL::conversation, $15)
), said AS (
  INSERT INTO conversation_message (practice_id, conversation_message_id, conversation_id, author, text, at)
  SELECT $1, conversation_message_id, conversation_id, 'booking', text, $2
  FROM jsonb_populate_recordset(NULL::conversation_message, $16)
), kept AS (
  UPDATE idempotency SET answer = to_jsonb($14::text) WHERE practice_id = $1 AND key = $13
)
SELECT EXISTS (SELECT FROM webhook_endpoint WHERE practice_id = $1 AND enabled AND 'appointment.booked' = ANY(events))
"""


async def insert_booking(conn: Connection, practice_id: UUID, rows: Rows, now: datetime) -> bool:
    """Add the rows of a booking, the outbox in its order; whether a webhook is to be told of it."""
    row = await conn.fetchrow(
        INSERT_BOOKING,
        practice_id,
        now,
        rows.new_clients,
        rows.reached,
        rows.new_patients,
        rows.visits,
        rows.manage_token_hash,
        rows.source,
        rows.contact,
        rows.provider_id,
        rows.outbox,
        rows.messages,
        rows.key,
        rows.visits[0].reference,
        rows.conversations,
        rows.said,
    )
    return bool(only(row))
