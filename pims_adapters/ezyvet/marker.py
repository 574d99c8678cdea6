"""Our key inside ezyVet's texts: `| Ref: KEY` at the end of a description, of notes, or of a contact detail's name.

EzyVet has no field for an outside key. A reference that people can read in the appointment serves both sides.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

MARK = re.compile(r"\|\s*Ref:\s*(\S+)")


def marked(text: str, key: str) -> str:
    """Return the text with our key behind it."""
    return f"{text} {mark(key)}".lstrip()


def mark(key: str) -> str:
    return f"| Ref: {quote(key, safe='')}"


def marker_of(*texts: str | None) -> str | None:
    """Return the key that one of the texts carries."""
    found = next((match for text in texts if text and (match := MARK.search(text))), None)
    return unquote(found[1]) if found else None
