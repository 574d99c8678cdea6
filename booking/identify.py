"""Identify: prove that a phone or email is the client's, and only then say whom it belongs to.

Sending a code looks no client up, so a known contact and an unknown one cannot be told apart by words, work or time.
Codes live in Redis: six digits, ten minutes, five tries, once.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from booking.contacts import Contact
from booking.db import clients
from booking.db.clients import Client, Patient
from booking.db.messages import queue_message
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.db.write_backs import wake_workers
from booking.limits import Limit, exceeded
from booking.messages import code_message
from booking.tokens import code_digest, new_secret

CODE_LIVES = timedelta(minutes=10)
TRIES = 5
PER_CONTACT = Limit(name="code-contact", times=3, per=timedelta(minutes=10))
PER_CONTACT_DAY = Limit(name="code-contact-day", times=10, per=timedelta(days=1))
PER_ADDRESS = Limit(name="code-address", times=30, per=timedelta(minutes=10))


class CodeSent(Struct, frozen=True, kw_only=True, tag="code_sent"):
    """A code is on its way; it is checked under this id."""

    verification_id: str


class TooManyCodes(Struct, frozen=True, kw_only=True, tag="too_many_codes"):
    """Codes were asked for too often; the next one after this wait."""

    wait: timedelta


class Proven(Struct, frozen=True, kw_only=True, tag="proven"):
    """The contact belongs to whoever entered the code."""

    contact: Contact


class WrongCode(Struct, frozen=True, kw_only=True, tag="wrong_code"):
    """That was not the code; so many tries are left."""

    tries_left: int


class CodeExpired(Struct, frozen=True, kw_only=True, tag="code_expired"):
    """The code was used, tried too often, or is older than ten minutes: ask for another one."""


class Account(Struct, frozen=True, kw_only=True):
    """A client whom a proven contact reaches, with their living patients."""

    client: Client
    patients: list[Patient]


async def send_code(
    pool: Pool,
    redis: Redis,
    practice: Practice,
    contact: Contact,
    *,
    address: str,
    secret_key: bytes,
    now: datetime,
) -> CodeSent | TooManyCodes:
    """Send a code to a contact, whoever's it may be. `address`: the block the request came from."""
    limits = [(PER_CONTACT, contact.value), (PER_CONTACT_DAY, contact.value), (PER_ADDRESS, address)]
    wait = await exceeded(redis, practice.practice_id, limits)
    if wait is not None:
        return TooManyCodes(wait=wait)
    verification_id, code = new_secret(), f"{secrets.randbelow(10**6):06}"
    key = _key(practice, verification_id)
    pipeline = redis.pipeline(transaction=True)
    pipeline.hset(
        key,
        mapping={
            "contact": msgspec.json.encode(contact),
            "digest": code_digest(secret_key, verification_id, code),
            "tries": 0,
        },
    )
    pipeline.expire(key, CODE_LIVES)
    await pipeline.execute()
    async with of_practice(pool, practice.practice_id) as conn, conn.transaction():
        await queue_message(conn, code_message(practice, contact, code, message_id=uuid4()), now)
        await wake_workers(conn, "message")
    return CodeSent(verification_id=verification_id)


async def check_code(
    redis: Redis, practice: Practice, verification_id: str, code: str, *, secret_key: bytes
) -> Proven | WrongCode | CodeExpired:
    """Check a code. A right one is used up; the sixth try finds nothing."""
    key = _key(practice, verification_id)
    pipeline = redis.pipeline(transaction=True)
    pipeline.hmget(key, "contact", "digest")
    pipeline.hincrby(key, "tries", 1)
    pipeline.ttl(key)
    (contact, expected), tries, lives = await pipeline.execute()
    if contact is None or lives < 0 or tries > TRIES:
        await redis.delete(key)
        return CodeExpired()
    if not hmac.compare_digest(expected, code_digest(secret_key, verification_id, code).encode()):
        return WrongCode(tries_left=TRIES - tries)
    if await redis.delete(key) != 1:
        return CodeExpired()  # a second tab was faster
    return Proven(contact=msgspec.json.decode(contact, type=Contact))


async def accounts_of(pool: Pool, practice: Practice, contact: Contact) -> list[Account]:
    """Return the clients whom a proven contact reaches, each a separate account: a household may share a phone."""
    async with of_practice(pool, practice.practice_id) as conn:
        found = await clients.clients_by_contact(conn, practice.practice_id, contact)
        patients = await clients.patients_of(conn, practice.practice_id, [one.client_id for one in found])
    return [
        Account(
            client=client,
            patients=[
                patient for patient in patients if patient.client_id == client.client_id and patient.status == "active"
            ],
        )
        for client in found
    ]


def _key(practice: Practice, verification_id: str) -> str:
    return f"{{{practice.practice_id}}}:verification:{verification_id}"
