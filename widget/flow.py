"""Flow: what one person has chosen and proven on the way to an appointment.

It lives in Redis for 40 minutes from the last step, under the digest of a random token that is part of the pages'
addresses: no cookie, so that it works in a frame on any website, and nothing personal in an address.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from booking.book import KnownClient, KnownPatient, NewClient, NewPatient
from booking.contacts import Contact
from booking.db.holds import Wish
from booking.db.practices import Practice
from booking.tokens import digest, new_secret

LIVES = timedelta(minutes=40)


class Flow(Struct, frozen=True, kw_only=True):
    """One person's way to an appointment.

    `key` makes the booking happen once. `starts_at` is the time wanted, kept by the hold as long as there is one.
    `asked_contact` was sent a code under `verification_id`; `contact` is proven. `answers`: what was said to each of
    the practice's questions that was asked, which may be nothing. `waiting`: no time suits, so they join the waitlist,
    which they have done where `waits_until` is known. `manage_token`: it is booked.
    """

    key: str
    wish: Wish
    reason: str = ""
    source: str = ""
    starts_at: datetime | None = None
    hold_id: UUID | None = None
    hold_secret: str = ""
    asked_contact: Contact | None = None
    verification_id: str = ""
    contact: Contact | None = None
    client: KnownClient | NewClient | None = None
    patient: KnownPatient | NewPatient | None = None
    answers: dict[UUID, str] = {}
    waiting: bool = False
    waits_until: date | None = None
    manage_token: str = ""


def next_step(flow: Flow) -> str:
    """Return the first step that is still to be done."""
    if flow.hold_id is None and not flow.waiting:
        return "times"
    if flow.contact is None:
        return "who"
    if flow.waiting:
        return "wait"
    if flow.client is None or flow.patient is None:
        return "pet"
    return "check"


async def begin(redis: Redis, practice: Practice, flow: Flow) -> str:
    """Keep a new flow; its token."""
    token = new_secret()
    await save(redis, practice, token, flow)
    return token


async def save(redis: Redis, practice: Practice, token: str, flow: Flow) -> None:
    """Keep what has changed."""
    await redis.set(_key(practice, token), msgspec.json.encode(flow), ex=LIVES)


async def load(redis: Redis, practice: Practice, token: str) -> Flow | None:
    """Return a flow and let it live on; None where it has ended."""
    kept = await redis.getex(_key(practice, token), ex=LIVES)
    try:
        return None if kept is None else msgspec.json.decode(kept, type=Flow)
    except msgspec.ValidationError:
        return None  # an earlier release kept it in another shape


async def rotate(redis: Redis, practice: Practice, token: str, flow: Flow) -> str:
    """Keep a flow under a new token and end the old one; the new token.

    Done when a contact is proven: whoever handed their own address to somebody else (session fixation), or saw it
    over a shoulder, would otherwise see the other person's name and pets under the address they know.
    """
    fresh = new_secret()
    pipeline = redis.pipeline(transaction=True)
    pipeline.set(_key(practice, fresh), msgspec.json.encode(flow), ex=LIVES)
    pipeline.delete(_key(practice, token))
    await pipeline.execute()
    return fresh


def _key(practice: Practice, token: str) -> str:
    return f"{{{practice.practice_id}}}:flow:{digest(token).hex()}"
