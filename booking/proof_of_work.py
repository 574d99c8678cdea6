"""Proof of work: where risk rises, a request costs its sender about a second of computing (ALTCHA, PBKDF2).

It is a price, not a proof that somebody is a person: it makes thousands of requests dear and one cheap. Nothing is
kept of a challenge until it is solved; each solution counts once.
"""

from __future__ import annotations

import asyncio
import hmac
from base64 import b64decode
from datetime import datetime, timedelta
from uuid import UUID

import altcha
import msgspec
from msgspec import Struct
from redis.asyncio import Redis

LIVES = timedelta(minutes=5)
ALGORITHM = "PBKDF2/SHA-256"
# A derivation of some milliseconds, 256 of them on average until one begins with a zero byte. Checking takes one.
COST = 5_000
LONGEST_PAYLOAD = 4_000


class Parameters(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is to be solved, as the ALTCHA widget reads it. `expires_at` in seconds since 1970."""

    algorithm: str
    cost: int
    key_length: int
    key_prefix: str
    nonce: str
    salt: str
    expires_at: int


class Challenge(Struct, frozen=True, kw_only=True):
    """A signed challenge of the ALTCHA protocol, version 2."""

    parameters: Parameters
    signature: str


class _Solution(Struct, frozen=True, kw_only=True, rename="camel"):
    counter: int
    derived_key: str
    time: float | None = None


class _Payload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    challenge: Challenge
    solution: _Solution


def new_challenge(secret_key: bytes, practice_id: UUID, now: datetime) -> Challenge:
    """Make a challenge for a request to this practice."""
    made = altcha.create_challenge(
        ALGORITHM, COST, expires_at=int((now + LIVES).timestamp()), hmac_secret=_key(secret_key, practice_id)
    )
    return msgspec.convert(made.to_dict(), Challenge)


async def solved(redis: Redis, secret_key: bytes, practice_id: UUID, payload: str, now: datetime) -> bool:
    """Say whether a payload (base64 of JSON) solves a living challenge of this practice for the first time."""
    try:
        read = msgspec.json.decode(b64decode(payload, validate=True), type=_Payload)
    except (ValueError, msgspec.MsgspecError):
        return False
    left = read.challenge.parameters.expires_at - now.timestamp()
    if left <= 0:
        return False
    # In a thread: the derivation would keep everybody else waiting. It comes after the check of our signature.
    checked = await asyncio.to_thread(altcha.verify_solution, payload, _key(secret_key, practice_id))
    if not checked.verified:
        return False
    used = f"{{{practice_id}}}:proof-of-work:{read.challenge.parameters.nonce}"
    return bool(await redis.set(used, 1, nx=True, ex=max(1, int(left) + 1)))


def _key(secret_key: bytes, practice_id: UUID) -> bytes:
    return hmac.digest(secret_key, b"proof-of-work/" + practice_id.bytes, "sha256")
