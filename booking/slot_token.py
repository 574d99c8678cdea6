"""Slot token: an offered time and the wish it was offered for, signed, so that it can be held as it stands."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from booking.db.holds import Wish

LIVES = timedelta(minutes=30)
LONGEST = 400
MAC = 12
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ENCODER = msgspec.msgpack.Encoder(uuid_format="bytes")


class _Said(Struct, frozen=True, array_like=True):
    """A `Wish` in few bytes, as a token is written for every slot: its fields in their order, without their names."""

    appointment_type_id: UUID
    patients: tuple[str, ...]
    new_client: bool
    provider_id: UUID | None
    by_staff: bool


class SlotTokenRefused(Exception):
    """This time was offered too long ago, or elsewhere. Please ask for the times again."""


def signer(secret_key: bytes, practice_id: UUID, wish: Wish, now: datetime) -> Callable[[datetime], str]:
    """Return the function that makes the token of each start offered for one wish: `wish.start.signature`.

    An answer has a thousand of them: what they share is encoded and hashed once (BLAKE2 in its keyed mode, RFC 7693).
    """
    until = (now + LIVES - EPOCH) // MINUTE
    shared = urlsafe_b64encode(until.to_bytes(4) + ENCODER.encode(_Said(*msgspec.structs.astuple(wish)))).decode()
    shared = shared.rstrip("=")
    begin = _mac(secret_key, practice_id, shared).copy

    def token(start: datetime) -> str:
        seconds = f"{int(start.timestamp()):x}"
        mac = begin()
        mac.update(seconds.encode())
        return f"{shared}.{seconds}.{mac.hexdigest()}"

    return token


def read_token(secret_key: bytes, practice_id: UUID, token: str, now: datetime) -> tuple[Wish, datetime]:
    """Return the wish and the start of a token of ours. Raises `SlotTokenRefused`."""
    shared, _, rest = token[:LONGEST].partition(".")
    seconds, _, signature = rest.partition(".")
    mac = _mac(secret_key, practice_id, shared)
    mac.update(seconds.encode())
    if not hmac.compare_digest(mac.hexdigest().encode(), signature.encode()):
        raise SlotTokenRefused(SlotTokenRefused.__doc__)
    said = urlsafe_b64decode(shared + "=" * (-len(shared) % 4))
    if EPOCH + int.from_bytes(said[:4]) * MINUTE < now:
        raise SlotTokenRefused(SlotTokenRefused.__doc__)
    wish = Wish(**msgspec.structs.asdict(msgspec.msgpack.decode(said[4:], type=_Said)))
    return wish, EPOCH + timedelta(seconds=int(seconds, 16))


def _mac(secret_key: bytes, practice_id: UUID, shared: str) -> hashlib.blake2b:
    key = hmac.digest(secret_key, b"slot token", "sha256")
    return hashlib.blake2b(practice_id.bytes + shared.encode(), digest_size=MAC, key=key)
