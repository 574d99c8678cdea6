"""Sign in: staff of a practice, by password; their sessions live in Redis and can be ended."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from msgspec import Struct
from redis.asyncio import Redis

from booking.db import staff as staff_db
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.db.staff import Staff
from booking.limits import Limit, exceeded
from booking.tokens import digest, new_secret

SESSION_LIVES = timedelta(hours=12)
PER_EMAIL = Limit(name="sign-in-email", times=10, per=timedelta(minutes=15))
PER_ADDRESS = Limit(name="sign-in-address", times=50, per=timedelta(minutes=15))

# A password takes some 50 ms of a core and 64 MB to check: so many at once, and not on the event loop.
CHECKED_AT_ONCE = 4

_hasher = PasswordHasher()
_checkers = ThreadPoolExecutor(CHECKED_AT_ONCE, "passwords")
# Verified against where there is no such email, so that the answer takes as long.
_NOBODY = _hasher.hash("nobody has this password")


class SignedIn(Struct, frozen=True, kw_only=True, tag="signed_in"):
    """The session's secret, to be kept in the browser's cookie."""

    secret: str


class SignInFailed(Struct, frozen=True, kw_only=True, tag="sign_in_failed"):
    """Email and password do not belong together, or it was tried too often (`wait`)."""

    wait: timedelta | None = None


class _Session(Struct, frozen=True, kw_only=True):
    practice_id: UUID
    staff_id: UUID


def session_cookie(public_url: str) -> str:
    """Return the name of the session's cookie; the prefix makes browsers keep it from other hosts and plain HTTP."""
    return "__Host-vetslot-staff" if public_url.startswith("https:") else "vetslot-staff"


def hash_password(password: str) -> str:
    """Return what is stored of a password (Argon2id)."""
    return _hasher.hash(password)


async def sign_in(
    pool: Pool, redis: Redis, practice: Practice, email: str, password: str, *, address: str
) -> SignedIn | SignInFailed:
    """Sign a member of staff in. `address`: the block the request came from."""
    email = email.strip().lower()
    wait = await exceeded(redis, practice.practice_id, [(PER_EMAIL, email), (PER_ADDRESS, address)])
    if wait is not None:
        return SignInFailed(wait=wait)
    async with of_practice(pool, practice.practice_id) as conn:
        found = await staff_db.staff_by_email(conn, practice.practice_id, email)
    password_hash = found.password_hash if found else _NOBODY
    right = await asyncio.get_running_loop().run_in_executor(_checkers, _is_right, password_hash, password)
    if found is None or not right:
        return SignInFailed()
    secret = new_secret()
    session = _Session(practice_id=practice.practice_id, staff_id=found.staff_id)
    await redis.set(_key(secret), msgspec.json.encode(session), ex=SESSION_LIVES)
    return SignedIn(secret=secret)


def _is_right(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except VerifyMismatchError:
        return False


async def signed_in_staff(pool: Pool, redis: Redis, secret: str) -> tuple[UUID, Staff] | None:
    """Return the practice's id and the member of staff whose session it is, if both still stand."""
    kept = await redis.get(_key(secret))
    if kept is None:
        return None
    session = msgspec.json.decode(kept, type=_Session)
    async with of_practice(pool, session.practice_id) as conn:
        found = await staff_db.staff_by_id(conn, session.practice_id, session.staff_id)
    return None if found is None else (session.practice_id, found)


async def sign_out(redis: Redis, secret: str) -> None:
    """End a session."""
    await redis.delete(_key(secret))


def _key(secret: str) -> str:
    return f"vetslot:staff-session:{digest(secret).hex()}"
