"""Marker: how our key stands in a record's notes, where the PIMS has no field for it.

It comes first, so that a system which cuts long notes leaves it, and in brackets, so that one key is never found as the
beginning of another.
"""

from __future__ import annotations

import re

WRITTEN = re.compile(r"\[vetslot #([0-9A-Za-z-]{1,100})\]")


def marker(key: str) -> str:
    """Return how a key stands in notes, which is also what they are searched for."""
    return f"[vetslot #{key}]"


def marked(key: str, text: str, longest: int) -> str:
    """Return notes that carry a key; of a text that is too long the end is left out."""
    notes = f"{marker(key)} {text}".rstrip()
    return notes if len(notes) <= longest else notes[: longest - 1] + "…"


def key_in(notes: str) -> str | None:
    """Return the key that notes carry, if they were ours to begin with."""
    found = WRITTEN.search(notes)
    return found[1] if found else None


def without_marker(notes: str) -> str:
    """Return notes as people wrote them."""
    return WRITTEN.sub("", notes, count=1).strip()
