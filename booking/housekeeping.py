"""Housekeeping: delete what has no use any more, so that no table grows without end."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from booking.db import (
    agent_calls,
    code_texts,
    holds,
    idempotency,
    messages,
    missing,
    staff_tasks,
    waitlist,
    webhooks,
)
from booking.db.pool import Pool, across_practices

HOLDS_ARE_KEPT = timedelta(days=1)
KEYS_ARE_KEPT = timedelta(days=7)
MESSAGES_ARE_KEPT = timedelta(days=30)
COUNTS_ARE_KEPT = timedelta(days=400)
EVENTS_ARE_KEPT = timedelta(days=30)
ENTRIES_ARE_KEPT = timedelta(days=30)
CALLS_ARE_KEPT = timedelta(hours=1)
KEYED_CALLS_ARE_KEPT = timedelta(days=90)
MISSING_IS_KEPT = timedelta(days=400)
TASKS_ARE_KEPT = timedelta(days=90)

log = structlog.get_logger()


async def tidy(pool: Pool, now: datetime) -> None:
    """Delete expired holds, used keys, and the traces of messages, webhooks, waits and agents, each after its time."""
    async with across_practices(pool) as conn:
        log.info(
            "housekeeping.tidied",
            holds=await holds.forget_old_holds(conn, now - HOLDS_ARE_KEPT),
            keys=await idempotency.forget_old_keys(conn, now - KEYS_ARE_KEPT),
            messages=await messages.forget_old_messages(conn, now - MESSAGES_ARE_KEPT),
            counts=await code_texts.forget_old_counts(conn, (now - COUNTS_ARE_KEPT).date()),
            webhook_events=await webhooks.forget_old_events(conn, now - EVENTS_ARE_KEPT),
            missing=await missing.forget_old_missing(conn, now - MISSING_IS_KEPT),
            tasks=await staff_tasks.forget_old_tasks(conn, now - TASKS_ARE_KEPT),
            waitlist_entries=await waitlist.forget_old_entries(conn, (now - ENTRIES_ARE_KEPT).date()),
            agent_calls=await agent_calls.forget_old_calls(
                conn, unkeyed_before=now - CALLS_ARE_KEPT, before=now - KEYED_CALLS_ARE_KEPT
            ),
        )
