"""Secrets that clients carry and references that people read out: how they are made, and what we keep of them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from uuid import UUID

# Crockford's base 32 without its U as well: nothing that looks like something else, nothing that spells a word.
READABLE = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_secret() -> str:
    """Return 192 random bits for a URL or a form field."""
    return secrets.token_urlsafe(24)


def digest(secret: str) -> bytes:
    """Return what we keep of a random secret: enough to recognize it, useless to whoever reads the database."""
    return hashlib.sha256(secret.encode()).digest()


def new_reference() -> str:
    """Return a reference to be read over the phone, like `K7Q2-9FHD`; one of 6.5 * 10^11."""
    letters = "".join(secrets.choice(READABLE) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def manage_token(secret_key: bytes, practice_id: UUID, appointment_id: UUID) -> str:
    """Return the secret of an appointment's manage link: 160 bits that can be made again, so they are not stored."""
    mac = hmac.digest(secret_key, b"manage/" + practice_id.bytes + appointment_id.bytes, "sha256")
    return urlsafe_b64encode(mac[:20]).decode().rstrip("=")


def code_digest(secret_key: bytes, verification_id: str, code: str) -> str:
    """Return what we keep of a six-digit code: keyed, since a million codes are quickly tried."""
    return hmac.digest(secret_key, f"code/{verification_id}/{code}".encode(), "sha256").hex()
