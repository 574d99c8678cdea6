"""Credentials: what a practice enters to connect is encrypted at rest, and never shown again.

AES-256 in Galois/Counter Mode (NIST SP 800-38D) with a random nonce, under a key derived from the installation's
secret. The practice and the connection are authenticated with it, so that one row's credentials open no other row.
"""

from __future__ import annotations

import hmac
import os
from typing import Protocol
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pims_adapters.contract import PimsMisconfigured

NONCE_BYTES = 12


class CredentialsUnreadable(PimsMisconfigured):
    """The stored credentials cannot be read any more. Please enter them again."""


def seal(secrets: dict[str, str], *, secret_key: bytes, practice_id: UUID, connection_id: UUID) -> bytes:
    """Return credentials as they are stored."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + _cipher(secret_key).encrypt(nonce, msgspec.json.encode(secrets), _owner(practice_id, connection_id))


def unseal(sealed: bytes | None, *, secret_key: bytes, practice_id: UUID, connection_id: UUID) -> dict[str, str]:
    """Return credentials as they were entered. Raises `CredentialsUnreadable`, after a change of SECRET_KEY too."""
    if sealed is None:
        return {}
    try:
        text = _cipher(secret_key).decrypt(
            sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _owner(practice_id, connection_id)
        )
    except (InvalidTag, ValueError):
        raise CredentialsUnreadable(CredentialsUnreadable.__doc__) from None
    return msgspec.json.decode(text, type=dict[str, str])


class Kept(Protocol):
    """A connection's row, as far as it knows how to connect."""

    @property
    def practice_id(self) -> UUID: ...
    @property
    def connection_id(self) -> UUID: ...
    @property
    def settings(self) -> dict[str, str]: ...
    @property
    def sealed(self) -> bytes | None: ...


def opened_settings(kept: Kept, secret_key: bytes) -> dict[str, str]:
    """Return the settings of a connection together with its credentials. Raises `CredentialsUnreadable`."""
    return kept.settings | unseal(
        kept.sealed, secret_key=secret_key, practice_id=kept.practice_id, connection_id=kept.connection_id
    )


def _cipher(secret_key: bytes) -> AESGCM:
    return AESGCM(hmac.digest(secret_key, b"credentials of connections", "sha256"))


def _owner(practice_id: UUID, connection_id: UUID) -> bytes:
    return practice_id.bytes + connection_id.bytes
