"""Slot token: an offered time and the wish it was offered for, signed, so that it can be held as it stands."""

from __future__ import annotations

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from booking.db.holds import Wish

LIVES = timedelta(minutes=30)
LONGEST = 400
MAC = 12
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class SlotTokenRefused(Exception):
    """This time was offered too long ago, or elsewhere. Please ask for the times again."""


def signer(secret_key: bytes, practice_id: UUID, wish: Wish, now: datetime) -> Callable[[datetime], str]:
    """Return the function that makes the token of each start offered for one wish."""
    prefix = ((now + LIVES - EPOCH) // MINUTE).to_bytes(4)
    suffix = msgspec.msgpack.encode(wish)

    def token(start: datetime) -> str:
        said = prefix + int((start - EPOCH).total_seconds()).to_bytes(5) + suffix
        return urlsafe_b64encode(_mac(secret_key, practice_id, said) + said).decode().rstrip("=")

    return token


def read_token(secret_key: bytes, practice_id: UUID, token: str, now: datetime) -> tuple[Wish, datetime]:
    """Return the wish and the start of a token of ours. Raises `SlotTokenRefused`."""
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4)) if len(token) <= LONGEST else b""
        mac, said = raw[:MAC], raw[MAC:]
        if not hmac.compare_digest(mac, _mac(secret_key, practice_id, said)):
            raise SlotTokenRefused(SlotTokenRefused.__doc__)
        wish = msgspec.msgpack.decode(said[9:], type=Wish)
    except (binascii.Error, ValueError):
        raise SlotTokenRefused(SlotTokenRefused.__doc__) from None
    if EPOCH + int.from_bytes(said[:4]) * MINUTE < now:
        raise SlotTokenRefused(SlotTokenRefused.__doc__)
    return wish, EPOCH + timedelta(seconds=int.from_bytes(said[4:9]))


def _mac(secret_key: bytes, practice_id: UUID, said: bytes) -> bytes:
    return hmac.digest(secret_key, b"slot/" + practice_id.bytes + said, "sha256")[:MAC]
