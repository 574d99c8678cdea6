"""Secrets that clients carry and references that people read out: how they are made, and what we keep of them."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Literal
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


def hold_secret(secret_key: bytes, hold_id: UUID) -> str:
    """Return the secret of a hold that may be asked for again under the same Idempotency-Key: it is not stored."""
    return urlsafe_b64encode(hmac.digest(secret_key, b"hold/" + hold_id.bytes, "sha256")[:24]).decode()


def code_digest(secret_key: bytes, verification_id: str, code: str) -> str:
    """Return what we keep of a six-digit code: keyed, since a million codes are quickly tried."""
    return hmac.digest(secret_key, f"code/{verification_id}/{code}".encode(), "sha256").hex()


Kind = Literal["cs", "hs", "mt", "vf", "vs", "cf", "wo", "ag"]
"""Client session, hold secret, manage token, verification, staff key, calendar feed, waitlist offer, agent."""
LONGEST_SEALED = 200


def sealed(kind: Kind, practice_id: UUID, secret: str) -> str:
    """Return a secret together with what it is for and the practice it belongs to, where a path does not say."""
    return f"{kind}_{urlsafe_b64encode(practice_id.bytes).decode().rstrip('=')}_{secret}"


def unsealed(kind: Kind, token: str) -> tuple[UUID, str] | None:
    """Return the practice and the secret of a token of this kind; None where it is none."""
    prefix, practice_id, secret = token[:3], token[3:25], token[26:]
    if prefix != f"{kind}_" or token[25:26] != "_" or not secret or len(token) > LONGEST_SEALED:
        return None
    try:
        return UUID(bytes=urlsafe_b64decode(f"{practice_id}==")), secret
    except (binascii.Error, ValueError):
        return None
