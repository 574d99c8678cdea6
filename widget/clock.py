"""The web's one look at the clock: route handlers read it here and pass `now` on."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)
