"""Losses: what would take away more than is plausible is held back until staff say that it is so.

A practice that deletes a fifth of its schedule at once is possible. A PIMS that was restored from an old backup, or an
agent that lost half of its table, is likelier.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from uuid import UUID

from booking.db import feeds, held_back, mirrored_appointments, staff_tasks
from booking.db import mirror as mirror_db
from booking.db.feeds import Feed
from booking.db.held_back import HeldBack
from booking.db.mirror import said
from booking.db.pool import Connection, Pool, of_practice
from booking.sync.appointments import FREES_ITS_TIME
from booking.sync.mirror import Mirror
from pims_adapters import contract as pims


class TooMuchLost(Exception):
    """The PIMS shows much less than before; nothing of that was applied. Please look there, then accept it here."""

    def __init__(self, losing: int, of: int) -> None:
        super().__init__(
            f"The PIMS shows {losing} of {of} records no more, or as cancelled, all at once. Nothing of that was"
            " applied. Please look there; if it is right, accept it here."
        )
        self.losing, self.of = losing, of


class NothingHeldBack(Exception):
    """There is nothing to accept: whatever was held back has been settled."""


async def check_losses(conn: Connection, mirror: Mirror, feed: str, changes: list[pims.Change]) -> None:
    """Raise `TooMuchLost` where these changes would take away more than is plausible and nobody has accepted it."""
    if mirror.bound is None:
        return
    losing: Counter[pims.RecordKind] = Counter()
    gone = {one.pims_id for one in changes if isinstance(one, pims.Gone) and one.of == "appointment"}
    gone |= {one.pims_id for one in changes if isinstance(one, pims.Appointment) and said(one).status in FREES_ITS_TIME}
    if len(gone) >= mirror.bound.records:
        known = await mirrored_appointments.mirrored(conn, mirror.practice_id, [*gone])
        losing["appointment"] = sum(
            one.ends_at > mirror.now and one.status not in FREES_ITS_TIME for one in known.values()
        )
    losing.update(one.of for one in changes if isinstance(one, pims.Gone) and one.of != "appointment")
    for kind, lost in losing.items():
        if lost >= mirror.bound.records:
            if kind == "appointment":
                of = await mirrored_appointments.standing(conn, mirror.practice_id, mirror.now)
            else:
                of = await mirror_db.standing(conn, mirror.practice_id, kind)
            await check_loss(conn, mirror, feed, lost, of)


async def check_loss(conn: Connection, mirror: Mirror, feed: str, losing: int, of: int) -> None:
    """Raise `TooMuchLost` where losing so many of so many is not plausible and nobody has accepted it."""
    if mirror.bound is not None and mirror.bound.forbids(losing, of):
        held = await held_back.of_feed(conn, mirror.practice_id, mirror.connection_id, feed)
        if held is None or held.accepted is None or held.accepted < losing:
            raise TooMuchLost(losing, of)


async def hold_back(conn: Connection, feed: Feed, too_much: TooMuchLost, now: datetime) -> None:
    """Say on the feed, and to staff, what is not applied and why."""
    held = HeldBack(feed=feed.name, losing=too_much.losing, of=too_much.of, since=now)
    await held_back.put(conn, feed.practice_id, feed.connection_id, held)
    await feeds.record_failure(conn, feed, str(too_much), now)
    await staff_tasks.open_task(conn, feed.practice_id, "losses", feed.name, str(too_much), now)


async def settled(conn: Connection, feed: Feed, now: datetime) -> None:
    """Forget what was held back of a feed that has gone on."""
    if await held_back.forget(conn, feed.practice_id, feed.connection_id, feed.name):
        await staff_tasks.close_tasks(conn, feed.practice_id, ["losses"], [feed.name], now)


async def accept_losses(pool: Pool, practice_id: UUID, *, feed: str, by: UUID, now: datetime) -> None:
    """Take it from staff that what was held back is right: it is read again and applied, if it is no more than that.

    Raises `NothingHeldBack`.
    """
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        if not await held_back.accept(conn, practice_id, feed, by=by, now=now):
            raise NothingHeldBack(NothingHeldBack.__doc__)
        await feeds.ask_at_once(conn, practice_id, now, feed)
