"""Told: who hears what became of a booking of ours in the PIMS.

The practice's own systems hear of everything. The client hears of facts only: another time, or a cancellation that the
PIMS shows as one; never that something is no longer found there, which may be a mistake that staff have to look at.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from booking.change import OPEN, tell_client
from booking.db import changes
from booking.db.pool import Connection
from booking.db.webhooks import Event
from booking.sync.mirror import Mirror
from booking.webhooks import announce

What = Literal["rescheduled", "cancelled", "gone", "confirmed", "served_otherwise"]
EVENTS: dict[What, Event] = {
    "rescheduled": "appointment.rescheduled",
    "cancelled": "appointment.cancelled",
    "gone": "appointment.cancelled",
    "confirmed": "appointment.confirmed",
}


class Fact(Struct, frozen=True, kw_only=True):
    """What the PIMS made of a visit that was booked with us; `was`: when it was to take place before."""

    what: What
    reference: str
    appointment_id: UUID
    was: datetime


async def tell(conn: Connection, mirror: Mirror, facts: list[Fact]) -> None:
    """Announce the facts, and write to clients whose visit is still to come."""
    of_booking: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.what in EVENTS:
            await announce(conn, mirror.practice_id, EVENTS[fact.what], fact.appointment_id, mirror.now)
        if fact.what in ("rescheduled", "cancelled") and mirror.site is not None:
            of_booking[fact.reference].append(fact)
    for reference, new in of_booking.items():
        visits = await changes.visits_of(conn, mirror.practice_id, reference)
        standing = [one for one in visits if one.status in OPEN]
        ahead = any(one.starts_at > mirror.now for one in standing) or any(one.was > mirror.now for one in new)
        if ahead and mirror.site is not None:
            action: Literal["change", "cancel"] = "change" if standing else "cancel"
            await tell_client(conn, mirror.practice, visits, action, mirror.site, mirror.now)
