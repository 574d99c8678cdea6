"""Webhooks: what a practice's own systems are told of, by the Standard Webhooks specification.

An event is written in the transaction of what it speaks of; `webhook_delivery` brings it to the practice's endpoints.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from booking.db import webhooks as webhooks_db
from booking.db.pool import Connection
from booking.db.webhooks import Event
from booking.db.write_backs import wake_workers


async def announce(conn: Connection, practice_id: UUID, event: Event, subject_id: UUID, now: datetime) -> None:
    """Tell the practice's endpoints of an event once this transaction commits, with the facts as they stand here.

    Call it after the subject's rows are written. The subject of `appointment.*` is the appointment, of `write_back.*`
    the write-back, of `request.*` the appointment request.
    """
    if not await webhooks_db.anybody_listens(conn, practice_id, event):
        return
    facts = await webhooks_db.facts_of(conn, practice_id, event, subject_id)
    event_id = uuid4()
    body = msgspec.json.encode({"type": event, "timestamp": now, "data": facts}).decode()
    await webhooks_db.insert_event(conn, practice_id, event_id, event, body, now)
    await webhooks_db.queue_deliveries(conn, practice_id, event_id, event, now)
    await wake_workers(conn, "webhook")
