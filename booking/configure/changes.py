"""Changes: the one way in which anything of the set-up changes, and the way back.

A change is checked against the set-up as it is when it is made, stands with its entry in the audit log or not at all,
and raises the schedule's version, so that the next offer follows it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import ClassVar
from uuid import UUID

import msgspec
from msgspec import Struct

from booking.configure.checks import Wrong, wrong_with
from booking.configure.set_up import set_up_of
from booking.db import configuration, practices
from booking.db.configuration import TABLES, Item, Kind, Settings, as_columns, settings_of
from booking.db.pool import Connection
from booking.db.staff import record_change

HOURS = frozenset({"hours", "overrides"})


class ConfigurationRefused(Exception):
    """The change cannot stand as it is. What is wrong is told field by field."""

    members: ClassVar[dict[str, list[Wrong]]] = {}

    def __init__(self, wrong: list[Wrong]) -> None:
        super().__init__(self.__doc__)
        self.wrong = wrong
        self.members = {"errors": wrong}  # type: ignore[misc]  # what a problem document carries


class OwnedByPims(Exception):
    """This comes from the practice's PIMS. Please change it there; it will follow here within minutes."""


class ChangedMeanwhile(Exception):
    """Somebody changed this since you looked. Please read it again, then make your change."""


class NothingThere(Exception):
    """There is nothing with this id that could be changed."""


class CannotBeReverted(Exception):
    """This change cannot be taken back: it is not about the set-up."""


class Proposal(Struct, frozen=True, kw_only=True):
    """What one thing is to become. `settings` None: it is retired. `tag`: how it was when the change was thought of."""

    kind: Kind
    id: UUID
    settings: Settings | None
    is_new: bool = False
    tag: str | None = None


class Changed(Struct, frozen=True, kw_only=True):
    """A change that stands, under its number in the practice's history."""

    number: int
    item: Item


def tag_of(item: Item) -> str:
    """Return a short text that differs as soon as the settings do, whoever changed them, a sync among them."""
    return hashlib.sha256(msgspec.json.encode(as_columns(item.settings))).hexdigest()[:32]


async def change(conn: Connection, practice_id: UUID, proposal: Proposal, *, by: UUID, now: datetime) -> Changed:
    """Make a change in the caller's transaction.

    Raises `NothingThere`, `ChangedMeanwhile`, `OwnedByPims` and `ConfigurationRefused`.
    """
    before, after = await apply(conn, practice_id, proposal, now=now)
    await practices.raise_schedule_version(conn, practice_id)
    number = await record_change(
        conn,
        practice_id,
        actor_id=by,
        what=proposal.kind,
        subject_id=proposal.id,
        before=None if before is None else as_columns(before.settings),
        after=None if proposal.settings is None else as_columns(proposal.settings),
        now=now,
    )
    return Changed(number=number, item=after)


async def apply(conn: Connection, practice_id: UUID, proposal: Proposal, *, now: datetime) -> tuple[Item | None, Item]:
    """Check a change and write it, without a trace in the history; the thing before and after. A preview stops here."""
    before = await configuration.lock_item(conn, practice_id, proposal.kind, proposal.id)
    if before is None and not proposal.is_new:
        raise NothingThere(NothingThere.__doc__)
    if proposal.tag is not None and (before is None or proposal.tag != tag_of(before)):
        raise ChangedMeanwhile(ChangedMeanwhile.__doc__)
    if before is not None and before.pims_id is not None and _touches_the_pims(proposal, before):
        raise OwnedByPims(OwnedByPims.__doc__)
    if proposal.settings is None:
        if before is None or not TABLES[proposal.kind].retire:
            raise NothingThere(NothingThere.__doc__)
        await configuration.retire_item(conn, practice_id, proposal.kind, proposal.id)
        return before, before
    set_up = await set_up_of(conn, practice_id)
    wrong = wrong_with(proposal.id, proposal.settings, set_up, now)
    if wrong:
        raise ConfigurationRefused(wrong)
    await configuration.put_item(conn, practice_id, proposal.kind, proposal.id, proposal.settings)
    after = await configuration.lock_item(conn, practice_id, proposal.kind, proposal.id)
    if after is None:
        raise LookupError("What was just written is there.")
    return before, after


async def revert(conn: Connection, practice_id: UUID, number: int, *, by: UUID, now: datetime) -> Changed:
    """Take a change back: the thing it was about becomes what it was before, as a change of its own.

    Raises `NothingThere` and `CannotBeReverted`, and as `change` does where what was no longer fits.
    """
    past = await configuration.change(conn, practice_id, number)
    if past is None:
        raise NothingThere(NothingThere.__doc__)
    kind = next((one for one in TABLES if one == past.what), None)
    if kind is None:
        raise CannotBeReverted(CannotBeReverted.__doc__)
    present = await configuration.lock_item(conn, practice_id, kind, past.subject_id)
    settings = None
    if past.before is not None:
        # What the set-up did not have in those days stays as it is today.
        today = {} if present is None else as_columns(present.settings)
        try:
            settings = settings_of(kind, {**today, **past.before})
        except (msgspec.ValidationError, TypeError) as error:
            raise CannotBeReverted(CannotBeReverted.__doc__) from error
    proposal = Proposal(kind=kind, id=past.subject_id, settings=settings, is_new=settings is not None)
    return await change(conn, practice_id, proposal, by=by, now=now)


def _touches_the_pims(proposal: Proposal, before: Item) -> bool:
    """Say whether a change goes beyond what is the practice's own of a thing that its PIMS owns."""
    owned = TABLES[proposal.kind].owned
    if proposal.settings is None or owned == configuration.ALL_OF_IT:
        return True
    if not before.hours_from_pims:
        owned -= HOURS
    return any(getattr(proposal.settings, name) != getattr(before.settings, name) for name in owned)
