"""Webhooks: a practice's endpoints, the events that it is told of, and their deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, affected, many, one, only

Event = Literal[
    "appointment.booked",
    "appointment.rescheduled",
    "appointment.cancelled",
    "appointment.confirmed",
    "write_back.written",
    "write_back.needs_attention",
    "write_back.late",
    "request.created",
]
State = Literal["queued", "delivered", "failed"]


class AppointmentFacts(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an event tells of an appointment: ids, times and statuses, nobody's name or contact."""

    appointment_id: UUID
    reference: str | None
    visit: int
    status: str
    appointment_type_id: UUID | None
    client_id: UUID | None
    patient_id: UUID | None
    starts_at: datetime
    ends_at: datetime
    created_at: datetime


class WriteBackFacts(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an event tells of a write-back. The PIMS's words stay in the console: they may name people."""

    write_back_id: UUID
    kind: str
    action: str
    state: str
    appointment_id: UUID
    reference: str | None
    attempts: int


class RequestFacts(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an event tells of an appointment request."""

    request_id: UUID
    status: str
    reference: str | None
    appointment_type_id: UUID | None
    created_at: datetime


Facts = AppointmentFacts | WriteBackFacts | RequestFacts

APPOINTMENT_FACTS = """
SELECT appointment_id AS "appointmentId", reference, visit, status, appointment_type_id AS "appointmentTypeId",
  client_id AS "clientId", patient_id AS "patientId", starts_at AS "startsAt", ends_at AS "endsAt",
  created_at AS "createdAt"
FROM appointment WHERE practice_id = $1 AND appointment_id = $2
"""
WRITE_BACK_FACTS = """
SELECT w.write_back_id AS "writeBackId", w.kind, w.action, w.state, w.appointment_id AS "appointmentId",
  a.reference, w.attempts
FROM write_back w JOIN appointment a ON a.practice_id = w.practice_id AND a.appointment_id = w.appointment_id
WHERE w.practice_id = $1 AND w.write_back_id = $2
"""
REQUEST_FACTS = """
SELECT appointment_request_id AS "requestId", status, reference, appointment_type_id AS "appointmentTypeId",
  created_at AS "createdAt"
FROM appointment_request WHERE practice_id = $1 AND appointment_request_id = $2
"""


async def facts_of(conn: Connection, practice_id: UUID, event: Event, subject_id: UUID) -> Facts | None:
    """Return what an event tells of its subject, as it stands in this transaction."""
    match event.partition(".")[0]:
        case "appointment":
            return one(await conn.fetchrow(APPOINTMENT_FACTS, practice_id, subject_id), AppointmentFacts)
        case "write_back":
            return one(await conn.fetchrow(WRITE_BACK_FACTS, practice_id, subject_id), WriteBackFacts)
        case _:
            return one(await conn.fetchrow(REQUEST_FACTS, practice_id, subject_id), RequestFacts)


ANYBODY_LISTENS = """
SELECT EXISTS (SELECT FROM webhook_endpoint WHERE practice_id = $1 AND enabled AND $2 = ANY(events))
"""


async def anybody_listens(conn: Connection, practice_id: UUID, event: Event) -> bool:
    """Say whether any of the practice's endpoints is to be told of such events."""
    return bool(only(await conn.fetchrow(ANYBODY_LISTENS, practice_id, event)))


INSERT_EVENT = """
INSERT INTO webhook_event (practice_id, webhook_event_id, type, body, created_at) VALUES ($1, $2, $3, $4, $5)
"""


async def insert_event(
    conn: Connection, practice_id: UUID, event_id: UUID, type_: str, body: str, now: datetime
) -> None:
    """Keep an event in the bytes that are sent."""
    await conn.execute(INSERT_EVENT, practice_id, event_id, type_, body, now)


INSERT_DELIVERIES = """
INSERT INTO webhook_delivery (practice_id, webhook_delivery_id, webhook_event_id, webhook_endpoint_id, due_at,
  created_at)
SELECT practice_id, gen_random_uuid(), $2, webhook_endpoint_id, $4, $4
FROM webhook_endpoint WHERE practice_id = $1 AND enabled AND $3 = ANY(events)
"""


async def queue_deliveries(conn: Connection, practice_id: UUID, event_id: UUID, event: Event, now: datetime) -> None:
    """Queue an event for every endpoint that is to be told of it."""
    await conn.execute(INSERT_DELIVERIES, practice_id, event_id, event, now)


class WebhookEndpoint(Struct, frozen=True, kw_only=True):
    """Where a practice wants to be told. `generation` counts its secrets; nothing got through since `failing_since`."""

    webhook_endpoint_id: UUID
    url: str
    description: str
    events: list[Event]
    enabled: bool
    disabled_because: str | None
    generation: int
    rotated_at: datetime | None
    failing_since: datetime | None
    created_at: datetime


COLUMNS = """webhook_endpoint_id, url, description, events, enabled, disabled_because, generation, rotated_at,
  failing_since, created_at"""

ENDPOINTS = f"""
SELECT {COLUMNS} FROM webhook_endpoint WHERE practice_id = $1 ORDER BY created_at, webhook_endpoint_id LIMIT 100
"""


async def endpoints(conn: Connection, practice_id: UUID) -> list[WebhookEndpoint]:
    """Return the practice's endpoints."""
    return many(await conn.fetch(ENDPOINTS, practice_id), WebhookEndpoint)


LOCK_ENDPOINTS = "SELECT pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'webhooks', $1::uuid), 0))"


async def lock_endpoints(conn: Connection, practice_id: UUID) -> None:
    """Let nobody else add an endpoint of the practice until the transaction ends, so that they can be counted."""
    await conn.execute(LOCK_ENDPOINTS, practice_id)


ENDPOINT = f"SELECT {COLUMNS} FROM webhook_endpoint WHERE practice_id = $1 AND webhook_endpoint_id = $2 FOR UPDATE"


async def lock_endpoint(conn: Connection, practice_id: UUID, endpoint_id: UUID) -> WebhookEndpoint | None:
    """Find an endpoint that is to be changed in this transaction."""
    return one(await conn.fetchrow(ENDPOINT, practice_id, endpoint_id), WebhookEndpoint)


INSERT_ENDPOINT = """
INSERT INTO webhook_endpoint (practice_id, webhook_endpoint_id, url, description, events, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""


async def insert_endpoint(conn: Connection, practice_id: UUID, endpoint: WebhookEndpoint) -> None:
    """Add an endpoint."""
    await conn.execute(
        INSERT_ENDPOINT,
        practice_id,
        endpoint.webhook_endpoint_id,
        endpoint.url,
        endpoint.description,
        endpoint.events,
        endpoint.created_at,
    )


SET_ENDPOINT = """
UPDATE webhook_endpoint SET url = $3, description = $4, events = $5, enabled = $6, disabled_because = $7,
  generation = $8, rotated_at = $9, failing_since = $10
WHERE practice_id = $1 AND webhook_endpoint_id = $2
"""


async def set_endpoint(conn: Connection, practice_id: UUID, changed: WebhookEndpoint) -> None:
    """Save an endpoint that was locked in this transaction."""
    await conn.execute(
        SET_ENDPOINT,
        practice_id,
        changed.webhook_endpoint_id,
        changed.url,
        changed.description,
        changed.events,
        changed.enabled,
        changed.disabled_because,
        changed.generation,
        changed.rotated_at,
        changed.failing_since,
    )


DELETE_ENDPOINT = "DELETE FROM webhook_endpoint WHERE practice_id = $1 AND webhook_endpoint_id = $2"


async def delete_endpoint(conn: Connection, practice_id: UUID, endpoint_id: UUID) -> None:
    """Remove an endpoint and the log of its deliveries."""
    await conn.execute(DELETE_ENDPOINT, practice_id, endpoint_id)


GIVE_UP_QUEUED = """
UPDATE webhook_delivery SET state = 'failed', reason = $3
WHERE practice_id = $1 AND webhook_endpoint_id = $2 AND state = 'queued'
"""


async def give_up_queued(conn: Connection, practice_id: UUID, endpoint_id: UUID, reason: str) -> None:
    """Give up what waits for an endpoint that is not to be called any more; staff may send it again."""
    await conn.execute(GIVE_UP_QUEUED, practice_id, endpoint_id, reason)


QUEUE_DELIVERY = """
INSERT INTO webhook_delivery (practice_id, webhook_delivery_id, webhook_event_id, webhook_endpoint_id, due_at,
  created_at)
VALUES ($1, $2, $3, $4, $5, $5)
"""


async def queue_delivery(
    conn: Connection, practice_id: UUID, delivery_id: UUID, event_id: UUID, endpoint_id: UUID, now: datetime
) -> None:
    """Queue an event for one endpoint."""
    await conn.execute(QUEUE_DELIVERY, practice_id, delivery_id, event_id, endpoint_id, now)


class Delivery(Struct, frozen=True, kw_only=True):
    """A line of an endpoint's log. `status`: the endpoint's last answer; `reason`: why it is not delivered."""

    webhook_delivery_id: UUID
    webhook_event_id: UUID
    position: int
    type: str
    state: State
    attempts: int
    due_at: datetime
    status: int | None
    reason: str | None
    created_at: datetime
    tried_at: datetime | None


DELIVERY = """d.webhook_delivery_id, d.webhook_event_id, d.position, e.type, d.state, d.attempts, d.due_at, d.status,
  d.reason, d.created_at, d.tried_at"""

DELIVERIES = f"""
SELECT {DELIVERY}
FROM webhook_delivery d
JOIN webhook_event e ON e.practice_id = d.practice_id AND e.webhook_event_id = d.webhook_event_id
WHERE d.practice_id = $1 AND d.webhook_endpoint_id = $2 AND d.position < $3 ORDER BY d.position DESC LIMIT $4
"""


async def deliveries(
    conn: Connection, practice_id: UUID, endpoint_id: UUID, *, before: int, limit: int
) -> list[Delivery]:
    """Return an endpoint's log, newest first, from before a position."""
    return many(await conn.fetch(DELIVERIES, practice_id, endpoint_id, before, limit), Delivery)


REDELIVER = f"""
UPDATE webhook_delivery d SET state = 'queued', attempts = 0, due_at = $3, reason = NULL
FROM webhook_event e, webhook_endpoint p
WHERE d.practice_id = $1 AND d.webhook_delivery_id = $2
  AND e.practice_id = d.practice_id AND e.webhook_event_id = d.webhook_event_id
  AND p.practice_id = d.practice_id AND p.webhook_endpoint_id = d.webhook_endpoint_id AND p.enabled
RETURNING {DELIVERY}
"""


async def redeliver(conn: Connection, practice_id: UUID, delivery_id: UUID, now: datetime) -> Delivery | None:
    """Queue a delivery anew, whatever became of it; None where there is none or its endpoint is disabled."""
    return one(await conn.fetchrow(REDELIVER, practice_id, delivery_id, now), Delivery)


ENDPOINT_OF_DELIVERY = """
SELECT webhook_endpoint_id FROM webhook_delivery WHERE practice_id = $1 AND webhook_delivery_id = $2
"""


async def endpoint_of_delivery(conn: Connection, practice_id: UUID, delivery_id: UUID) -> UUID | None:
    """Return which endpoint a delivery is for."""
    row = await conn.fetchrow(ENDPOINT_OF_DELIVERY, practice_id, delivery_id)
    return None if row is None else row["webhook_endpoint_id"]


class Line(Struct, frozen=True, kw_only=True):
    """An endpoint for which something is due."""

    practice_id: UUID
    webhook_endpoint_id: UUID


# Across practices: a worker serves them all.
LINES_DUE = """
SELECT DISTINCT p.practice_id, p.webhook_endpoint_id
FROM webhook_delivery d JOIN webhook_endpoint p
  ON p.practice_id = d.practice_id AND p.webhook_endpoint_id = d.webhook_endpoint_id
WHERE d.state = 'queued' AND d.due_at <= $1 AND p.enabled AND (p.leased_until IS NULL OR p.leased_until <= $1)
LIMIT 1000
"""


async def lines_due(conn: Connection, now: datetime) -> list[Line]:
    """Return the endpoints that have something due and nobody at it."""
    return many(await conn.fetch(LINES_DUE, now), Line)


LEASE_LINE = """
UPDATE webhook_endpoint SET lease = $3, leased_until = $5
WHERE practice_id = $1 AND webhook_endpoint_id = $2 AND enabled AND (leased_until IS NULL OR leased_until <= $4)
"""


async def lease_line(conn: Connection, line: Line, lease: UUID, *, now: datetime, until: datetime) -> bool:
    """Take an endpoint's line for this worker alone, until the lease runs out; False where another was faster."""
    taken = await conn.execute(LEASE_LINE, line.practice_id, line.webhook_endpoint_id, lease, now, until)
    return affected(taken) == 1


RELEASE_LINE = """
UPDATE webhook_endpoint SET lease = NULL, leased_until = NULL
WHERE practice_id = $1 AND webhook_endpoint_id = $2 AND lease = $3
"""


async def release_line(conn: Connection, line: Line, lease: UUID) -> None:
    """Give an endpoint's line back."""
    await conn.execute(RELEASE_LINE, line.practice_id, line.webhook_endpoint_id, lease)


class ToSend(Struct, frozen=True, kw_only=True):
    """A delivery that is to be tried now."""

    practice_id: UUID
    webhook_delivery_id: UUID
    webhook_event_id: UUID
    webhook_endpoint_id: UUID
    attempts: int
    body: str
    url: str
    generation: int
    rotated_at: datetime | None
    failing_since: datetime | None


# The endpoint's row is written first: whoever has lost the lease, or whose endpoint was disabled, gets nothing.
NEXT_TO_SEND = """
WITH line AS (
  UPDATE webhook_endpoint SET leased_until = $5
  WHERE practice_id = $1 AND webhook_endpoint_id = $2 AND lease = $3 AND enabled
  RETURNING practice_id, webhook_endpoint_id, url, generation, rotated_at, failing_since
), next AS (
  SELECT d.practice_id, d.webhook_delivery_id, line.url, line.generation, line.rotated_at, line.failing_since, e.body
  FROM line
  JOIN webhook_delivery d USING (practice_id, webhook_endpoint_id)
  JOIN webhook_event e USING (practice_id, webhook_event_id)
  WHERE d.state = 'queued' AND d.due_at <= $4 ORDER BY d.position LIMIT 1
)
UPDATE webhook_delivery d SET attempts = attempts + 1, tried_at = $4
FROM next WHERE d.practice_id = $1 AND d.webhook_delivery_id = next.webhook_delivery_id
RETURNING d.practice_id, d.webhook_delivery_id, d.webhook_event_id, d.webhook_endpoint_id, d.attempts, next.body,
  next.url, next.generation, next.rotated_at, next.failing_since
"""


async def next_to_send(conn: Connection, line: Line, lease: UUID, *, now: datetime, until: datetime) -> ToSend | None:
    """Take the line's next due delivery and keep the lease for longer; None where nothing is due, or it is lost."""
    return one(await conn.fetchrow(NEXT_TO_SEND, line.practice_id, line.webhook_endpoint_id, lease, now, until), ToSend)


SETTLE = """
UPDATE webhook_delivery d SET state = $4, status = $5, reason = $6, due_at = $7
FROM webhook_endpoint p
WHERE d.practice_id = $1 AND d.webhook_delivery_id = $2 AND d.state = 'queued'
  AND p.practice_id = d.practice_id AND p.webhook_endpoint_id = d.webhook_endpoint_id AND p.lease = $3
"""


async def settle(
    conn: Connection,
    sent: ToSend,
    lease: UUID,
    state: State,
    *,
    status: int | None,
    reason: str | None,
    due_at: datetime,
) -> bool:
    """Say what became of a try. False: the lease was lost to another worker, whose word counts."""
    settled = await conn.execute(
        SETTLE, sent.practice_id, sent.webhook_delivery_id, lease, state, status, reason, due_at
    )
    return affected(settled) == 1


SET_HEALTH = """
UPDATE webhook_endpoint SET failing_since = $3, enabled = enabled AND $4::text IS NULL,
  disabled_because = coalesce($4, disabled_because)
WHERE practice_id = $1 AND webhook_endpoint_id = $2
"""


async def set_health(
    conn: Connection,
    practice_id: UUID,
    endpoint_id: UUID,
    *,
    failing_since: datetime | None,
    disabled_because: str | None,
) -> None:
    """Note since when nothing gets through to an endpoint, and disable it where there is a reason."""
    await conn.execute(SET_HEALTH, practice_id, endpoint_id, failing_since, disabled_because)


# Across practices: housekeeping.
FORGET_OLD_EVENTS = "DELETE FROM webhook_event WHERE created_at < $1"


async def forget_old_events(conn: Connection, before: datetime) -> int:
    """Delete events of long ago and, by cascade, the log of their deliveries; how many there were."""
    return affected(await conn.execute(FORGET_OLD_EVENTS, before))
