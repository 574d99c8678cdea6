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
            took = entry.written_at - entry.created_at if entry.written_at else None
            words = "written" if took is None else f"written, {spoken(took)}"
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


def spoken(span: timedelta) -> str:
    """Return a span in its two largest units; seconds with a tenth, as they are what a write-back takes."""
    seconds = max(0.0, span.total_seconds())
    if seconds < 9.95:  # noqa: PLR2004 - rounds to 10.0
        return f"{seconds:.1f} s"
    whole = round(seconds)
    days, hours, minutes, rest = whole // 86_400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")) if n]
    return " ".join(parts[:2])


def sentence(text: str | None) -> str:
    """Return a reason with a period at its end, empty where there is none."""
    text = (text or "").strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
