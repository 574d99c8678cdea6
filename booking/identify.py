"""Identify: prove that a phone or email is the client's, and only then say whom it belongs to.

Sending a code looks no client up, so a known contact and an unknown one cannot be told apart by words, work or time.
Codes live in Redis: six digits, ten minutes, five tries, once. A second code for a contact does not end the first:
a stranger who asks for a code to your number could otherwise keep you from ever using yours. Each is bound to the
request that it was made for.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from uuid import UUID, uuid4

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
from booking.limits import EVERYWHERE, Counted, Limit, Tally, tally, wider_block
from booking.messages import code_message
from booking.proof_of_work import Challenge, new_challenge, solved
from booking.site import Site
from booking.spending import may_be_texted, number_range, spend_text
from booking.tokens import code_digest, digest, new_secret, sealed, unsealed

CODE_LIVES = timedelta(minutes=10)
TRIES = 5
PER_CONTACT = Limit(name="code-contact", times=3, per=timedelta(minutes=10))
PER_CONTACT_DAY = Limit(name="code-contact-day", times=10, per=timedelta(days=1))
PER_PRACTICE = Limit(name="code-practice", times=600, per=timedelta(hours=1), free=90)
# Over all practices, so that nobody gets around them by asking one after the other.
PER_ADDRESS = Limit(name="code-address", times=30, per=timedelta(minutes=10), free=10)
PER_BLOCK = Limit(name="code-block", times=120, per=timedelta(minutes=10), free=40)
# Codes that were entered are given back: what remains went to numbers that nobody reads.
PER_RANGE = Limit(name="code-range", times=60, per=timedelta(hours=1), free=15)
WRONG = Limit(name="code-wrong", times=60, per=timedelta(hours=1), free=10)


class CodeSent(Struct, frozen=True, kw_only=True, tag="code_sent"):
    """A code is on its way; it is checked under this id."""

    verification_id: str
    expires_at: datetime


class TooManyCodes(Struct, frozen=True, kw_only=True, tag="too_many_codes"):
    """Codes were asked for too often; the next one after this wait."""

    wait: timedelta


class WorkNeeded(Struct, frozen=True, kw_only=True, tag="work_needed"):
    """So much is asked for from there, or at this practice, that the next code costs a proof of work."""

    challenge: Challenge


class Proven(Struct, frozen=True, kw_only=True, tag="proven"):
    """The contact belongs to whoever entered the code."""

    practice_id: UUID
    contact: Contact


class WrongCode(Struct, frozen=True, kw_only=True, tag="wrong_code"):
    """That was not the code; so many tries are left."""

    tries_left: int


class CodeExpired(Struct, frozen=True, kw_only=True, tag="code_expired"):
    """The code was used, tried too often, is older than ten minutes, or never was: ask for another one."""


class Account(Struct, frozen=True, kw_only=True):
    """A client whom a proven contact reaches, with their living patients."""

    client: Client
    patients: list[Patient]


class CannotBeTexted(Exception):
    """We cannot send a text to this number. Please give an email address instead, or call the practice."""


class CannotBeEmailed(Exception):
    """We cannot send emails at the moment. Please call the practice."""


async def send_code(
    pool: Pool,
    redis: Redis,
    site: Site,
    practice: Practice,
    contact: Contact,
    *,
    address: str,
    now: datetime,
    proof_of_work: str = "",
) -> CodeSent | TooManyCodes | WorkNeeded:
    """Send a code to a contact, whoever's it may be. `address`: the block the request came from.

    Raises `CannotBeTexted`, `CannotBeEmailed`, `TextsUsedUp`.
    """
    if contact.kind == "email" and not site.emails:
        raise CannotBeEmailed(CannotBeEmailed.__doc__)
    if contact.kind == "phone" and not (site.texts and may_be_texted(practice, contact)):
        raise CannotBeTexted(CannotBeTexted.__doc__)
    work_shown = bool(proof_of_work) and await solved(redis, site.secret_key, practice.practice_id, proof_of_work, now)
    counted = await _count(redis, practice, contact, address, work_shown=work_shown)
    if counted.verdict == "exceeded":
        return TooManyCodes(wait=counted.wait)
    if counted.verdict == "work_needed":
        return WorkNeeded(challenge=new_challenge(site.secret_key, practice.practice_id, now))
    secret, code = new_secret(), f"{secrets.randbelow(10**6):06}"
    key = _key(practice.practice_id, secret)
    pipeline = redis.pipeline(transaction=True)
    pipeline.hset(
        key,
        mapping={
            "contact": msgspec.json.encode(contact),
            "digest": code_digest(site.secret_key, secret, code),
            "tries": 0,
        },
    )
    pipeline.expire(key, CODE_LIVES)
    await pipeline.execute()
    async with of_practice(pool, practice.practice_id) as conn, conn.transaction():
        await queue_message(conn, code_message(practice, contact, code, message_id=uuid4()), now)
        await wake_workers(conn, "message")
        if contact.kind == "phone":
            await spend_text(conn, practice, site, now)
    return CodeSent(verification_id=sealed("vf", practice.practice_id, secret), expires_at=now + CODE_LIVES)


async def _count(redis: Redis, practice: Practice, contact: Contact, address: str, *, work_shown: bool) -> Tally:
    """Count a code against every limit; without Redis it fails: codes that nobody counts are not sent."""
    everywhere = [
        Counted(limit=PER_ADDRESS, by=address),
        Counted(limit=PER_BLOCK, by=wider_block(address)),
        Counted(limit=WRONG, by=address, step=0),
    ]
    if contact.kind == "phone":
        everywhere.append(Counted(limit=PER_RANGE, by=number_range(contact)))
    found = await tally(redis, EVERYWHERE, everywhere, work_shown=work_shown)
    if found.verdict != "within":
        return found
    here = [
        Counted(limit=PER_CONTACT, by=contact.value),
        Counted(limit=PER_CONTACT_DAY, by=contact.value),
        Counted(limit=PER_PRACTICE, by=""),
    ]
    return await tally(redis, str(practice.practice_id), here, work_shown=work_shown)


# One step, so that tries at the same time are counted as if they came one after the other.
TRY = """
local kept = redis.call('HMGET', KEYS[1], 'contact', 'digest')
if not kept[1] then return nil end
local tries = redis.call('HINCRBY', KEYS[1], 'tries', 1)
if tries > tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[1])
  return nil
end
return {kept[1], kept[2], tries}
"""


async def check_code(
    redis: Redis, site: Site, verification_id: str, code: str, *, address: str
) -> Proven | WrongCode | CodeExpired:
    """Check a code. A right one is used up; the sixth try finds nothing."""
    read = unsealed("vf", verification_id)
    if read is None:
        return CodeExpired()
    practice_id, secret = read
    key = _key(practice_id, secret)
    found = await redis.eval(TRY, 1, key, str(TRIES))
    if found is None:
        return CodeExpired()
    encoded, expected, tries = found
    if not hmac.compare_digest(expected, code_digest(site.secret_key, secret, code).encode()):
        await tally(redis, EVERYWHERE, [Counted(limit=WRONG, by=address)], work_shown=True)
        return WrongCode(tries_left=TRIES - tries)
    if await redis.delete(key) != 1:
        return CodeExpired()  # a second tab was faster
    contact = msgspec.json.decode(encoded, type=Contact)
    if contact.kind == "phone":
        await tally(redis, EVERYWHERE, [Counted(limit=PER_RANGE, by=number_range(contact), step=-1)])
    return Proven(practice_id=practice_id, contact=contact)


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


def _key(practice_id: UUID, secret: str) -> str:
    return f"{{{practice_id}}}:verification:{digest(secret).hex()}"
