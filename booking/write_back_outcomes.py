"""Outcomes of a write-back, and how long the absence of what was sent proves nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from booking.db.write_backs import WriteBack
from pims_adapters import contract as pims

MARGIN = timedelta(seconds=20)
"""What nobody heard of may still be at work on the PIMS's side, even where it shows at once what it has done."""
LONGEST_LOOK = timedelta(seconds=15)


class Written(Struct, frozen=True, kw_only=True):
    """It stands in the PIMS and was read back (`shown`; None: the PIMS no longer has what was to be cancelled)."""

    pims_id: str | None
    shown: pims.Client | pims.Patient | pims.Appointment | None
    note: str | None = None


class Matched(Struct, frozen=True, kw_only=True):
    """Who is new to us is known to the practice: our record's place is taken by `known_id`, or by the one `shown`."""

    known_id: UUID | None = None
    shown: pims.Client | None = None


class Postponed(Struct, frozen=True, kw_only=True):
    """Not now. `known`: nothing that left has an unknown fate; else it is looked for first.

    `accepted`: the PIMS took it and is yet to show it. `expected`: all is well so far; look again at `due_at`.
    """

    reason: str
    known: bool = False
    accepted: bool = False
    expected: bool = False
    due_at: datetime | None = None


class Waits(Struct, frozen=True, kw_only=True):
    """Not before another record of ours is written."""

    reason: str
    for_id: UUID


class Stuck(Struct, frozen=True, kw_only=True):
    """Sending the same again would not help: a person has to look. `known`: nothing that left has an unknown fate."""

    reason: str
    known: bool = True


class Collided(Struct, frozen=True, kw_only=True):
    """The time is taken in the PIMS by somebody else. `reason`: how the PIMS says it."""

    reason: str


class Superseded(Struct, frozen=True, kw_only=True):
    """What was to be written no longer is."""

    reason: str


class LeaseLost(Struct, frozen=True, kw_only=True):
    """Another worker has it: nothing was sent, and nothing is to be kept."""


Outcome = Written | Matched | Postponed | Waits | Stuck | Collided | Superseded | LeaseLost


def still_to_be_shown(leased: WriteBack, write_lag: timedelta, now: datetime) -> Postponed | None:
    """Return what to do about something that left and is not seen: wait, as long as that proves nothing."""
    if leased.sent_at is None:
        return None
    shows_by = leased.sent_at + write_lag + MARGIN
    if now >= shows_by:
        return None
    look = min(max((now - leased.sent_at) / 2, timedelta(seconds=1)), LONGEST_LOOK)
    if leased.accepted:
        reason = f"The PIMS has accepted it and is to show it within {_spoken(write_lag)}."
    else:
        reason = "It was sent and its answer was lost: we look for it before it is sent again."
    return Postponed(reason=reason, accepted=leased.accepted, expected=True, due_at=min(now + look, shows_by))


def never_shown(what: str) -> Stuck:
    """Say what staff do about what the PIMS accepted and does not show."""
    return Stuck(
        reason=f"The PIMS accepted {what} and does not show it. Please look there: if you find it, say which record it"
        " is; else try again, or enter it by hand.",
        known=False,
    )


def _spoken(lag: timedelta) -> str:
    minutes = -(-lag // timedelta(minutes=1))
    return "a moment" if not minutes else f"{minutes} minute{'s' * (minutes > 1)}"
