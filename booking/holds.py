"""Hold: keep a time for one client while they say who they are."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress
from datetime import datetime
from uuid import UUID, uuid4

from msgspec import Struct

from booking.claims import NotFree, claim
from booking.db import holds as holds_db
from booking.db import practices
from booking.db.claims import Holder
from booking.db.holds import Hold, Wish
from booking.db.pool import Connection, Pool, in_practice, of_practice
from booking.db.practices import Practice
from booking.line import in_line
from booking.local_days import local_date
from booking.offers import OfferedSlot, alternatives, wished_types
from booking.once import keep, once
from booking.tokens import digest, hold_secret, new_secret

_looking: dict[tuple[int, UUID, Wish, datetime], asyncio.Task[list[OfferedSlot]]] = {}


class HoldUnknown(Exception):
    """We no longer keep this time for you. Please choose a time again."""


class Once(Struct, frozen=True, kw_only=True):
    """The key under which a hold is made once, and ours, with which its secret is made again."""

    key: str
    secret_key: bytes


class _Wanted(Struct, frozen=True, kw_only=True):
    wish: Wish
    start: datetime


class Held(Struct, frozen=True, kw_only=True, tag="held"):
    """The time is kept for whoever has the secret."""

    hold: Hold
    secret: str


class SlotTaken(Struct, frozen=True, kw_only=True, tag="slot_taken"):
    """Somebody was faster. The nearest times that are still free."""

    alternatives: list[OfferedSlot]


async def hold(
    pool: Pool,
    practice: Practice,
    wish: Wish,
    start: datetime,
    *,
    now: datetime,
    instead_of: Hold | None = None,
    under: Once | None = None,
    in_turn: bool = False,
) -> Held | SlotTaken:
    """Keep a time for the practice's holding time.

    `instead_of`: the same client's hold, which ends where this one succeeds and stays where it does not. `under`: the
    same key with the same wish is given the same hold again. `in_turn`: of those who want the same day, a few of this
    process at a time go to the database; the others wait without a connection.

    Raises `NotBookableOnline`; with a key also `KeyReused`, `KeyBusy`, and `HoldUnknown` where its hold has ended.
    """
    hold_id = uuid4()
    secret = hold_secret(under.secret_key, hold_id) if under else new_secret()
    with suppress(_NotFree):
        line = in_line((id(pool), practice.practice_id, local_date(start, practice.timezone)))
        async with line if in_turn else nullcontext(), in_practice(pool, practice.practice_id) as conn:
            if under and (
                kept := await once(conn, practice.practice_id, under.key, _Wanted(wish=wish, start=start), now)
            ):
                return await _held_before(conn, practice, UUID(kept), under)
            types = await wished_types(conn, practice, wish)
            claimed = await claim(
                conn,
                practice,
                types,
                wish,
                start,
                now=now,
                holders=[Holder(hold_id=hold_id)] * len(types),
                instead_of=instead_of,
                remember=instead_of is None,
            )
            if isinstance(claimed, NotFree):
                raise _NotFree
            held = Hold(
                hold_id=hold_id,
                wish=wish,
                starts_at=claimed.starts_at,
                ends_at=claimed.ends_at,
                resources=claimed.resources,
                expires_at=now + practice.hold_for,
                extended=False,
            )
            await holds_db.insert_hold(conn, practice.practice_id, held, digest(secret))
            if under:
                await keep(conn, practice.practice_id, under.key, str(hold_id))
            return Held(hold=held, secret=secret)
    if instead_of:
        own = (instead_of.hold_id,)
        return SlotTaken(alternatives=await alternatives(pool, practice, wish, start, now=now, own=own))
    return SlotTaken(alternatives=await _shared_alternatives(pool, practice, wish, start, now))


async def _held_before(conn: Connection, practice: Practice, hold_id: UUID, under: Once) -> Held:
    secret = hold_secret(under.secret_key, hold_id)
    held = await holds_db.hold_by_secret(conn, practice.practice_id, hold_id, digest(secret))
    if held is None:
        raise HoldUnknown(HoldUnknown.__doc__)
    return Held(hold=held, secret=secret)


async def _shared_alternatives(
    pool: Pool, practice: Practice, wish: Wish, start: datetime, now: datetime
) -> list[OfferedSlot]:
    """Look for alternatives once for all who lose the same time while we look."""
    asked = (id(pool), practice.practice_id, wish, start)
    task = _looking.get(asked)
    if task is None:
        task = _looking[asked] = asyncio.create_task(alternatives(pool, practice, wish, start, now=now))
        task.add_done_callback(lambda _: _looking.pop(asked, None))
    # One who goes away does not take the answer from those who still wait.
    return await asyncio.shield(task)


class _NotFree(Exception):
    """Rolls the transaction back, which the hold to be replaced may have ended in already."""


async def find_hold(pool: Pool, practice: Practice, hold_id: UUID, secret: str) -> Hold | None:
    """Return a hold, expired or not, to whoever has its secret."""
    async with of_practice(pool, practice.practice_id) as conn:
        return await holds_db.hold_by_secret(conn, practice.practice_id, hold_id, digest(secret))


async def extend(pool: Pool, practice: Practice, hold_id: UUID, secret: str, *, now: datetime) -> bool:
    """Keep a live hold for the practice's holding time from now; False where it was extended before or has ended."""
    async with of_practice(pool, practice.practice_id) as conn:
        return await holds_db.extend_hold(conn, practice.practice_id, hold_id, digest(secret), now, practice.hold_for)


async def release(pool: Pool, practice: Practice, hold_id: UUID, secret: str) -> bool:
    """Let go of a hold: its time is free at once."""
    async with in_practice(pool, practice.practice_id) as conn:
        ended = await holds_db.delete_hold(conn, practice.practice_id, hold_id, digest(secret))
        if ended:
            await practices.raise_schedule_version(conn, practice.practice_id)
        return ended
