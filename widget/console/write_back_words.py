"""How far an appointment has come on its way into the practice's PIMS, in words that a receptionist can act on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from booking.db.appointments import ScheduleEntry

Tone = Literal["good", "busy", "waiting", "bad", "quiet"]

PENDING = ("queued", "sending", "unknown")
"""States that change by themselves."""


class WriteBackWords(Struct, frozen=True, kw_only=True):
    """A state as an icon and words; `next`: what happens now, and whether anybody has to do something."""

    tone: Tone
    icon: str
    words: str
    next: str | None = None


def write_back_words(entry: ScheduleEntry, *, now: datetime) -> WriteBackWords | None:
    """Say where the write-back stands; None for what came from the PIMS in the first place."""
    reason = sentence(entry.write_back_reason)
    match entry.write_back:
        case None:
            return None
        case "queued":
            when = f"Goes to the PIMS {in_time(entry.due_at, now)}."
            return WriteBackWords(tone="waiting", icon="○", words="booked", next=f"{reason} {when}".strip())
        case "sending":
            return WriteBackWords(tone="busy", icon="◔", words="being written", next="The PIMS is being asked now.")
        case "written":
            words = f"written, {took(entry.written_at - entry.created_at)}" if entry.written_at else "written"
            return WriteBackWords(tone="good", icon="✓", words=words)
        case "unknown":
            when = f"We look for it in the PIMS {in_time(entry.due_at, now)} before anything is sent again."
            return WriteBackWords(tone="busy", icon="?", words="unknown: checking", next=f"{reason} {when}".strip())
        case "needs_attention":
            return WriteBackWords(
                tone="bad",
                icon="!",
                words=f"needs attention: {reason or 'the PIMS did not take it.'}",
                next="It is booked with us and not tried again by itself: enter it in the PIMS, or call the client.",
            )
        case "superseded":
            return WriteBackWords(tone="quiet", icon="-", words="no longer to be written", next=reason or None)


def in_time(due_at: datetime | None, now: datetime) -> str:
    """Say when something is due."""
    if due_at is None or due_at <= now:
        return "now"
    return f"in {spoken(due_at - now)}"


def took(span: timedelta) -> str:
    """Return how long something took, a short time with a tenth of a second."""
    seconds = max(0.0, span.total_seconds())
    return f"{seconds:.1f} s" if seconds < 9.95 else spoken(span)  # noqa: PLR2004 - rounds to 10.0


def spoken(span: timedelta) -> str:
    """Return a span in its two largest units: `12 s`, `3 min 5 s`, `2 d 4 h`."""
    whole = max(0, round(span.total_seconds()))
    parts = ((whole // 86_400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    return " ".join([f"{n} {unit}" for n, unit in parts if n][:2]) or "0 s"


def sentence(text: str | None) -> str:
    """Return a reason with a period at its end, empty where there is none."""
    text = (text or "").strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
