"""Deadlines: staff are told at once of what is not in the PIMS while its visit is near."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from booking.db import deadlines
from booking.db.pool import Connection, Pool, across_practices
from booking.db.write_backs import Settled, State, WriteBack
from booking.local_days import in_zone, local_date
from booking.spoken import clock as spoken_clock
from booking.spoken import day
from booking.webhooks import announce

SOON = timedelta(hours=2)
GRACE = timedelta(minutes=5)
"""How long a healthy write-back may take, a slow PIMS's included."""
URGENT = ("create", "change", "cancel")


def is_near(leased: WriteBack, now: datetime) -> bool:
    """Say whether what a line is about must be in the PIMS by now."""
    return leased.action in URGENT and leased.starts_at <= now + SOON


def with_deadline(kept: Settled, leased: WriteBack, state: State, now: datetime) -> Settled:
    """Let the reason begin with which visit is near, as long as the line is not done."""
    if state in ("written", "superseded") or not is_near(leased, now):
        return kept
    words = near_words(leased.action, leased.starts_at, leased.timezone, now)
    return msgspec.structs.replace(kept, reason=f"{words} {kept.reason or ''}".strip())


def near_words(action: str, starts_at: datetime, timezone: str, now: datetime) -> str:
    """Return what staff must know of a visit that is near, such as that at 10:30 AM today it is not in the PIMS yet."""
    local = in_zone(starts_at, timezone)
    days = (local.date() - local_date(now, timezone)).days
    on = {0: "today", 1: "tomorrow", -1: "yesterday"}.get(days, f"on {day(local.date())}")
    what = {
        "change": "still stands at its old time in the PIMS",
        "cancel": "is cancelled, and still stands in the PIMS",
    }.get(action, "is not in the PIMS yet")
    return f"The visit at {spoken_clock(local)} {on} {what}."


async def escalate_if_near(conn: Connection, leased: WriteBack, now: datetime) -> None:
    """Tell staff, once, of a line that just failed while its visit is near."""
    if leased.escalated_at is None and is_near(leased, now):
        await deadlines.set_escalated(conn, leased.practice_id, leased.write_back_id, now)
        await announce(conn, leased.practice_id, "write_back.late", leased.write_back_id, now)


async def escalate_due(pool: Pool, now: datetime) -> int:
    """Tell staff of every line that is not written though its visit has come near; how many those are."""
    async with across_practices(pool) as conn, conn.transaction():
        late = await deadlines.lock_late(conn, soon=now + SOON, queued_before=now - GRACE)
        for one in late:
            words = near_words(one.action, one.starts_at, one.timezone, now)
            reason = f"{words} {one.reason or ''}".strip()
            await deadlines.escalate(conn, one.practice_id, one.write_back_id, reason, now)
            await announce(conn, one.practice_id, "write_back.late", one.write_back_id, now)
    return len(late)
